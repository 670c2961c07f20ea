"""The exact settled level of a column for thousands of mismatch samples at once, and its code errors as an experiment.

After settling no current flows, so every resistor is a short and the column is a handful of floating nodes that share
charge. Their capacitance matrix is linear in the cells' factors: one small solve per sample.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from characterization.models.failure_point import Experiment
from interconnect.arrays import FloatArray
from interconnect.errors import InputError
from netlists.case import ColumnStimulus, Deviations
from netlists.cells.base import CellModel
from netlists.column_elements import level_supplies
from netlists.condition import Condition
from netlists.periphery import Periphery
from netlists.reference import column_network

MIN_FACTOR = 0.05
"""Cell factors are kept above this: below, a cell would be open, which is a defect and not mismatch."""


@dataclass(frozen=True)
class SettledColumn:
    """A column that has settled, ready for many samples.

    matrix: (nodes, nodes), F, of the floating nodes with nominal cells; charge: (nodes,), C, that inputs push onto
    them; matrix_by_cell: (cells, nodes, nodes) and charge_by_cell (cells, nodes): their change per unit of each cell's
    factor. target: +1 and -1 at the nodes that are read as a difference, (nodes,). cells: shape (rows, columns).
    """

    matrix: FloatArray
    charge: FloatArray
    matrix_by_cell: FloatArray
    charge_by_cell: FloatArray
    target: FloatArray
    cells: tuple[int, int]

    @classmethod
    def of(cls, model: CellModel, periphery: Periphery, condition: Condition, case: ColumnStimulus) -> SettledColumn:
        """From the same elements as the column's deck and `reference_column`. Raises InputError for a current cell."""
        if model.mode != "charge":
            raise InputError(f"the cell {model.kind} is read as a current and does not settle by charge sharing")
        d = case.deviations
        warm = model.at(condition.temperature, row_wire=d.row_wire, bl_wire=d.bl_wire)
        number = case.rows * case.columns
        # Two networks that differ by a factor of its own for every cell tell which capacitors belong to which cell.
        marks = 1.0 + np.arange(1, number + 1).reshape(case.bits.shape) / (number + 1)
        network = column_network(warm, periphery, _with_cells(case, np.ones(case.bits.shape)))
        a, b, farad = network.capacitors()
        ratio = column_network(warm, periphery, _with_cells(case, marks)).capacitors()[2] / np.where(
            farad > 0, farad, 1.0
        )
        owner = np.where(farad > 0, np.round((ratio - 1.0) * (number + 1)).astype(int) - 1, -1)
        ra, rb, _ = network.conductors()
        ground = network.size
        a, b, ra, rb = (np.where(n < 0, ground, n) for n in (a, b, ra, rb))
        size = network.size + 1
        count, group = connected_components(coo_array((np.ones(len(ra)), (ra, rb)), (size, size)), directed=False)
        volts = np.full(count, np.nan)
        sources = {"source": condition.vdd} | {
            f"source_{x.letter}": x.volts for x in level_supplies(warm, condition.vdd)
        }
        volts[group[network.index(list(sources))]] = list(sources.values())
        volts[group[ground]] = 0.0
        lines = [f"{line.prefix}_{case.target}" for line in warm.bit_lines]
        ends = group[network.index(lines)]
        floating = np.flatnonzero(np.isnan(volts))
        row = np.full(count, -1)
        row[floating] = np.arange(len(floating))
        matrix = np.zeros((number + 1, len(floating), len(floating)))
        charge = np.zeros((number + 1, len(floating)))
        for x, y in ((group[a], group[b]), (group[b], group[a])):
            own = (row[x] >= 0) & (x != y)
            np.add.at(matrix, (owner[own], row[x[own]], row[x[own]]), farad[own])
            free = own & (row[y] >= 0)
            np.add.at(matrix, (owner[free], row[x[free]], row[y[free]]), -farad[free])
            fixed = own & (row[y] < 0)
            np.add.at(charge, (owner[fixed], row[x[fixed]]), farad[fixed] * volts[y[fixed]])
        target = np.zeros(len(floating))
        for end, line in zip(ends, warm.bit_lines, strict=True):
            target[row[end]] += line.sign
        # The last entry holds what belongs to no cell (owner -1).
        return cls(matrix.sum(axis=0), charge.sum(axis=0), matrix[:-1], charge[:-1], target, (case.rows, case.columns))

    def levels(self, factors: FloatArray) -> FloatArray:
        """Settled level (samples,), V, of factors (samples, rows * columns) or (samples, rows, columns)."""
        change = np.asarray(factors, dtype=np.float64).reshape(len(factors), -1) - 1.0
        if change.shape[1] != len(self.matrix_by_cell):
            raise InputError(f"factors of {change.shape[1]} cells are given for {len(self.matrix_by_cell)}")
        matrix = self.matrix + np.tensordot(change, self.matrix_by_cell, 1)
        charge = self.charge + change @ self.charge_by_cell
        return np.asarray(np.linalg.solve(matrix, charge[..., None])[..., 0] @ self.target)

    @property
    def nominal(self) -> float:
        """Level with nominal cells, V."""
        return float(self.levels(np.ones((1, len(self.matrix_by_cell))))[0])


def code_error_experiment(
    column: SettledColumn, *, cell_sigma: float, offset_sigma: float, spacing: float
) -> tuple[Experiment, int]:
    """(experiment, dims): a conversion errs where level and comparator offset are half a spacing off the nominal one.

    cell_sigma: relative, of every cell. offset_sigma, spacing: V. Normals: every cell's in row order, then the
    offset's. The margin is spacing / 2 - |level - nominal + offset|, V; thresholds stand midway between nominal levels.
    """
    cells, nominal = len(column.matrix_by_cell), column.nominal

    def margin(z: FloatArray) -> FloatArray:
        factors = np.maximum(1.0 + cell_sigma * z[:, :cells], MIN_FACTOR)
        return np.asarray(spacing / 2 - np.abs(column.levels(factors) - nominal + offset_sigma * z[:, cells]))

    return margin, cells + 1


def _with_cells(case: ColumnStimulus, factors: FloatArray) -> ColumnStimulus:
    deviations: Deviations = replace(case.deviations, cell=factors)
    return replace(case, deviations=deviations)
