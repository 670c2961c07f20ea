"""Exact level of a read by the linear network, and how every cell's deviation moves it: two solutions of one system.

The derivative by an element follows from the adjoint: for an element of value v between the nodes a and b it is
-(w_a - w_b) (u_a - u_b), u being the read's voltages and w those that a unit of charge (current) at the target leaves
(S. W. Director, R. A. Rohrer, IEEE Trans. Circuit Theory 16 (1969) 318).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from characterization.testbench import Testbench
from interconnect.arrays import FloatArray, IntArray
from interconnect.network import LinearNetwork
from netlists.case import ColumnStimulus, Deviations
from netlists.cells.base import GROUND_NODE, CellModel
from netlists.column_elements import Instance, instances, level_supplies
from netlists.condition import Condition
from netlists.reference import column_network

UNIT = 1e-15
"""C (charge cells) or A that the adjoint solution pushes into the target: of the size of a read's."""


@dataclass(frozen=True)
class LinearRead:
    """A read with ideal periphery and nominal cells.

    level: of every bit line of the target column, (lines,), V or A. cells: shape (lines, rows, columns), change
    of each level per relative change of each cell's varying capacitance or conductance. load: (lines,), V by which a
    coulomb that the periphery leaves on a line moves what is read, counted as the line is, of a charge cell; V per
    ampere of a current cell. load_cells: its relative change,
    as `cells`. resistive: whether resistors vary.
    """

    level: FloatArray
    cells: FloatArray
    load: FloatArray
    load_cells: FloatArray
    resistive: bool = False

    def scaled(self, factor: float) -> LinearRead:
        """The read at `factor` times the drive."""
        return replace(self, level=self.level * factor, cells=self.cells * factor)

    def at(self, factors: FloatArray | None) -> tuple[FloatArray, FloatArray]:
        """(levels, loads) with cell factors (rows, columns), to first order in the change that they make."""
        if factors is None:
            return self.level, self.load
        change = (1.0 / factors if self.resistive else factors) - 1.0
        return (
            self.level + np.tensordot(self.cells, change),
            self.load * (1.0 + np.tensordot(self.load_cells, change)),
        )


class LinearReads:
    """Reads of a setup, solved once each: a charge cell's settled level is in proportion to the supply and does not
    know its resistances, so that conditions of the same metals share it."""

    def __init__(self, setup: Testbench) -> None:
        self._setup = setup
        self._known: dict[tuple[object, ...], LinearRead] = {}

    @property
    def solved(self) -> int:
        """Networks solved so far."""
        return len(self._known)

    def read(self, condition: Condition, case: ColumnStimulus) -> LinearRead:
        """The read of a case as its deck holds it (`Testbench.stimulus`) at a condition, without its deviations."""
        charge = self._setup.unit == "V"
        where = condition.beol if charge else (condition.beol, condition.temperature)
        above = None if case.next_plane is None else case.next_plane.tobytes()
        key = (where, case.bits.tobytes(), case.inputs.tobytes(), above, case.position, case.rows)
        if key not in self._known:
            model = self._setup.at(condition).model.at(condition.temperature)
            drive = 1.0 if charge else self._setup.periphery.read_voltage
            self._known[key] = _solve(self._setup, model, replace(case, deviations=Deviations()), drive)
        return self._known[key].scaled(condition.vdd) if charge else self._known[key]


def _solve(setup: Testbench, model: CellModel, case: ColumnStimulus, drive: float) -> LinearRead:
    instanced = instances(model, case)
    network = column_network(model, setup.periphery, case, cells=instanced)
    charge = model.mode == "charge"
    sources = {"source": drive} | {f"source_{x.letter}": x.volts for x in level_supplies(model, drive)}
    sources |= {f"source_{x.letter}": -drive for x in model.lines if x.level < 0.0}
    ends = network.index([f"{line.prefix}_{case.target}" for line in model.bit_lines])
    # The read and its adjoints side by side: sources on and off, nothing and the unit at each line that is read.
    lines, signs = len(ends), np.array([float(line.sign) for line in model.bit_lines])
    volts = np.zeros((len(sources), 1 + lines))
    volts[:, 0] = list(sources.values())
    pushed = UNIT * np.eye(lines, 1 + lines, k=1)
    state = (network.settled if charge else network.dc)(list(sources), volts, injected=(ends, pushed))
    volt, adjoint = state.voltage[:, 0], state.voltage[:, 1:] / UNIT
    sense = 1.0 if charge else setup.periphery.sense_resistance
    number, a, b, value = _varying(network, model, instanced)
    u, w = (_at(v, a) - _at(v, b) for v in (volt, adjoint))
    cells, loads = np.zeros((2, lines, case.bits.size))
    np.subtract.at(cells.T, number, w * u[:, None] * value[:, None])
    np.subtract.at(loads.T, number, signs * w * (w @ signs)[:, None] * value[:, None])
    load = signs * (adjoint[ends] @ signs)
    shape = (lines, *case.bits.shape)
    return LinearRead(
        volt[ends] / sense, cells.reshape(shape) / sense, load, (loads / load[:, None]).reshape(shape), not charge
    )


def _varying(
    network: LinearNetwork, model: CellModel, cells: Sequence[Instance]
) -> tuple[IntArray, IntArray, IntArray, FloatArray]:
    """Of every element that varies: number of its cell, its nodes, its value (F or S)."""
    parts = {v.subckt: [e for e in v.elements if e.varies] for v in model.variants}
    number, ends, values = [], [], []
    for i, cell in enumerate(cells):
        node = dict(zip(model.pins, cell.nodes, strict=True)) | {GROUND_NODE: GROUND_NODE}
        for e in parts[cell.subckt]:
            number.append(i)
            ends += [node[e.a], node[e.b]]
            values.append(e.value if e.is_capacitor else 1.0 / e.value)
    index = network.index(ends)
    return np.array(number, dtype=np.int64), index[::2], index[1::2], np.array(values)


def _at(voltage: FloatArray, nodes: IntArray) -> FloatArray:
    """Voltages of nodes, each a number or one of every adjoint; ground is 0."""
    return np.where((nodes < 0).reshape(-1, *[1] * (voltage.ndim - 1)), 0.0, voltage[nodes])
