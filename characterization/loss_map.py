"""Where in the array a counting cell loses signal: exact solutions over rows and columns."""

from dataclasses import dataclass

import numpy as np

from characterization.testbench import Testbench
from interconnect.arrays import FloatArray
from interconnect.crossbar import effective_conductance
from interconnect.transient import solve_transient
from interconnect.waveform import VoltageSources, ramp
from netlists.case import ColumnStimulus
from netlists.condition import Condition
from netlists.reference import column_network

MAX_MAP_POINTS = 33
"""Rows or columns of a map; a larger array is shown at this many, ends included."""


@dataclass(frozen=True)
class LossMap:
    """loss (rows, columns): part of its ideal contribution that a counting cell does not deliver, at row and column
    numbers `rows` (0 is farthest from the sense) and `columns` (0 is next to the row drivers)."""

    rows: tuple[int, ...]
    columns: tuple[int, ...]
    loss: FloatArray

    @property
    def worst(self) -> tuple[float, int, int]:
        """(largest loss, its row, its column)."""
        i, j = np.unravel_index(int(self.loss.argmax()), self.loss.shape)
        return float(self.loss[i, j]), self.rows[int(i)], self.columns[int(j)]


def spread_indices(number: int, most: int = MAX_MAP_POINTS) -> tuple[int, ...]:
    """At most `most` indices below `number`, ends included."""
    return tuple(sorted({round(x) for x in np.linspace(0, number - 1, min(number, most))}))


def current_loss(setup: Testbench, condition: Condition) -> FloatArray:
    """Loss by wire, driver and sense resistance with every cell a one (the largest currents): 1 - I / (V / R), each
    row's own current by superposition from the whole crossbar of the group, drivers and sense as resistors. Shape
    (rows, columns) of the group."""
    warm = setup.at(condition).model.at(condition.temperature)
    plug = warm.value("R_plug")
    matrix = effective_conductance(
        np.full((setup.rows, setup.columns), 1.0 / plug),
        r_row=warm.value("R_row"),
        r_col=warm.value("R_bl"),
        r_driver=setup.periphery.driver_resistance,
        r_sense=setup.periphery.sense_resistance,
    )
    return 1.0 - matrix * plug


def thinned(loss: FloatArray) -> LossMap:
    """A loss (rows, columns) at few enough places to be shown."""
    rows, columns = (spread_indices(number) for number in loss.shape)
    return LossMap(rows, columns, loss[np.ix_(rows, columns)])


def charge_map(setup: Testbench, condition: Condition, positions: tuple[int, ...]) -> LossMap:
    """Loss by what has not settled at the read, ideal drivers: 1 - V / V_settled of what a stored one adds to a driven
    row's share, by exact transients of the column with a vector per row. positions: of the left neighbour."""
    warm = setup.at(condition).model.at(condition.temperature)
    n, t = setup.rows, setup.timing
    stop = t.input_edge + t.read_after
    loss = []
    for position in positions:
        reached, settled = np.zeros(n), np.zeros(n)
        for bit, sign in ((1, 1.0), (0, -1.0)):
            bits = np.zeros((n, 3), dtype=np.uint8)
            bits[:, 1] = bit
            case = ColumnStimulus(
                bits=bits,
                inputs=np.ones(n, dtype=np.uint8),
                position=position,
                columns_total=setup.columns,
                ones_fraction=setup.ones,
            )
            network = column_network(warm, setup.periphery, case, apart=True)
            names = [f"input_{r}" for r in range(n)]
            end = f"{warm.bit_lines[0].prefix}_{case.target}"
            drive = condition.vdd * np.eye(n)
            source = VoltageSources(names, ramp(0.0, t.input_edge), level=drive)
            run = solve_transient(network, [source], stop=stop, save=end, initial=0.0, tolerance=1e-6)
            reached += sign * run.voltage[-1, 0]
            settled += sign * network.settled(names, drive).voltage[int(network.index([end])[0])]
        loss.append(1.0 - reached / settled)
    rows = spread_indices(n)
    return LossMap(rows, tuple(p + 1 for p in positions), np.array(loss).T[list(rows)])
