"""Exact levels of many patterns at once: the column as a linear network with ideal periphery, solved in closed form.

Charge: with balanced cells the bit lines' mutual capacitances do not depend on the stored bits, so the settled level is
bilinear, V = sum_i x_i (a_i + sum_c w_ic b_ic); a and w follow from four exact solutions. Current: every row seen from
its three bit-line nodes is one of eight small admittances (its word line eliminated exactly); the bit lines are then a
block tridiagonal system of 3 x 3 blocks, solved for all patterns side by side.
"""

from dataclasses import dataclass, replace
from itertools import product
from typing import Protocol

import numpy as np

from characterization.testbench import Testbench
from interconnect.admittance import admittance
from interconnect.arrays import ByteArray, FloatArray
from interconnect.errors import InputError
from netlists.case import ColumnStimulus
from netlists.condition import Condition
from netlists.periphery import Periphery
from netlists.reference import column_network, reference_column

OPEN_RESISTANCE = 1e30
"""Ohm; a sense resistance that passes nothing."""


class LinearColumn(Protocol):
    """Levels of patterns by exact linear algebra."""

    def levels(self, bits: ByteArray, inputs: ByteArray) -> FloatArray:
        """Settled level of the target column (V or A), shape (batch,); bits (batch, rows, 3), inputs (batch, rows)."""
        ...


@dataclass(frozen=True)
class ChargeColumn:
    """own (rows,), weight (rows, 3): V that a driven row adds, alone and per stored one of each column."""

    own: FloatArray
    weight: FloatArray

    def levels(self, bits: ByteArray, inputs: ByteArray) -> FloatArray:
        """See `LinearColumn`."""
        out: FloatArray = np.einsum("br,br->b", inputs, np.einsum("brc,rc->br", bits, self.weight) + self.own)
        return out


@dataclass(frozen=True)
class CurrentColumn:
    """row (8, 3, 3) S: admittance of a row at its bit-line nodes by stored bits (left 4, target 2, right 1); drive
    (8, 3) A: what it pushes in when driven; segment, end: S of a bit-line segment and of the last one with the sense.
    """

    row: FloatArray
    drive: FloatArray
    segment: float
    end: float

    def levels(self, bits: ByteArray, inputs: ByteArray) -> FloatArray:
        """See `LinearColumn`."""
        rows = bits.shape[1]
        stored = bits @ np.array([4, 2, 1])
        eye = np.eye(3)
        carried, pushed = np.zeros((len(bits), 3, 3)), np.zeros((len(bits), 3))
        for i in range(rows):
            below = self.segment if i + 1 < rows else self.end
            block = self.row[stored[:, i]] + below * eye + carried
            right = self.drive[stored[:, i]] * inputs[:, i, None] + pushed
            if i + 1 == rows:
                last = np.linalg.solve(block, right[..., None])[..., 0]
                return np.asarray(last[:, 1] * below)
            # Fold the row into the next one: it is seen from there through one segment of each bit line.
            both = np.linalg.solve(block, np.concatenate([np.broadcast_to(eye, block.shape), right[..., None]], axis=2))
            carried = below * (eye - below * both[..., :3])
            pushed = below * both[..., 3]
        raise AssertionError("a column has rows")


def linear_column(setup: Testbench, condition: Condition, position: int) -> LinearColumn:
    """The column of a setup at `position` (columns before the left neighbour) between two neighbours.

    The form of a charge cell's level is checked against the full network.

    Raises:
        InputError: a cell whose level is not of the form above.
    """
    if setup.unit == "A":
        return _current(setup, condition, position)
    column = _charge(setup, condition, position)
    bits = np.zeros((1, setup.rows, 3), dtype=np.uint8)
    bits[0, ::2] = 1  # half of the cells: loads that depend on the bits show where neither all nor none are set
    inputs = np.ones((1, setup.rows), dtype=np.uint8)
    exact = exact_level(setup, condition, position, bits[0], inputs[0])
    if abs(column.levels(bits, inputs)[0] - exact) > 1e-6 * condition.vdd:
        raise InputError(f"the load of a bit line of {setup.model.kind} depends on its bits: its level is not bilinear")
    return column


def exact_level(setup: Testbench, condition: Condition, position: int, bits: ByteArray, inputs: ByteArray) -> float:
    """Level (V or A) of one pattern by the full network, rows and columns node by node."""
    case = _case(setup, position, bits, inputs)
    return reference_column(setup.at(condition).model, setup.periphery, condition, case).value


def _case(setup: Testbench, position: int, bits: ByteArray, inputs: ByteArray) -> ColumnStimulus:
    return ColumnStimulus(
        bits=bits, inputs=inputs, position=position, columns_total=setup.columns, ones_fraction=setup.ones
    )


def _charge(setup: Testbench, condition: Condition, position: int) -> ChargeColumn:
    warm = setup.at(condition).model.at(condition.temperature)
    rows = setup.rows
    found = []
    for column in (None, 0, 1, 2):
        bits = np.zeros((rows, 3), dtype=np.uint8)
        if column is not None:
            bits[:, column] = 1
        case = _case(setup, position, bits, np.ones(rows, dtype=np.uint8))
        network = column_network(warm, setup.periphery, case, apart=True)
        names = [f"input_{r}" for r in range(rows)]
        target = int(network.index([f"{warm.bit_lines[0].prefix}_{case.target}"])[0])
        found.append(network.settled(names, condition.vdd * np.eye(rows)).voltage[target])
    own = found[0]
    return ChargeColumn(own, np.stack([f - own for f in found[1:]], axis=1))


def _current(setup: Testbench, condition: Condition, position: int) -> CurrentColumn:
    warm = setup.at(condition).model.at(condition.temperature)
    apart: Periphery = replace(setup.periphery, sense_resistance=OPEN_RESISTANCE)
    rows, drives = [], []
    for stored in product((0, 1), repeat=3):
        case = _case(setup, position, np.array([stored], dtype=np.uint8), np.ones(1, dtype=np.uint8))
        network = column_network(warm, apart, case, apart=True)
        letter = warm.bit_lines[0].letter
        ports = ["input_0", *(f"{letter}0_{c}" for c in range(3))]
        y = admittance(network, ports, 0.0)[0].real
        rows.append(y[1:, 1:])
        drives.append(-y[1:, 0] * setup.periphery.read_voltage)
    wire = warm.value(f"R_{warm.bit_lines[0].prefix}")
    return CurrentColumn(np.array(rows), np.array(drives), 1.0 / wire, 1.0 / (wire + setup.periphery.sense_resistance))
