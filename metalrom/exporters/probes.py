"""The questions that every view is asked: the same points and quantities, so that all views tell one story."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from characterization.tables.table import ReadoutTable
from interconnect.arrays import BoolArray, FloatArray, IntArray
from metalrom.exporters.run_data import RunData

ProbeQuantity = Literal[
    "level", "sigma", "code", "code_error", "row_energy", "energy_conversion", "energy_mac", "area", "read_time"
]
QUANTITIES: tuple[ProbeQuantity, ...] = get_args(ProbeQuantity)
"""level, sigma: V or A (mean; all spreads together). code: most likely code. code_error: probability. row_energy: J per
conversion and column. energy_conversion, energy_mac: J, nominal, mid. area: m2 of one macro, periphery under the array,
mid. read_time: s."""

POINTS = 240
"""Asked of every view."""


@dataclass(frozen=True)
class ProbePoints:
    """Places in a table: indices, each shape (points,). condition: of the table's conditions; active >= count >= 0."""

    condition: IntArray
    active: IntArray
    count: IntArray

    def __len__(self) -> int:
        return len(self.condition)

    def where(self, keep: BoolArray) -> ProbePoints:
        """The points of a mask."""
        return ProbePoints(self.condition[keep], self.active[keep], self.count[keep])


def points_of(source: RunData, number: int = POINTS, seed: int = 1) -> ProbePoints:
    """`number` points of the table: its corners at every condition, then drawn ones."""
    n, conditions = source.table.rows, len(source.table.conditions)
    corners = [
        (i, a, c) for i in range(conditions) for a, c in ((n, 0), (n, n), (n, n // 2), (n // 2, 0), (0, 0), (1, 1))
    ]
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    drawn: list[tuple[int, int, int]] = []
    while len(corners) + len(drawn) < number:
        active = int(rng.integers(0, n + 1))
        drawn.append((int(rng.integers(0, conditions)), active, int(rng.integers(0, active + 1))))
    columns = np.array([*corners, *drawn], dtype=np.int64).T
    return ProbePoints(columns[0], columns[1], columns[2])


def reference(source: RunData, quantity: ProbeQuantity, points: ProbePoints) -> FloatArray:
    """Our own answer at every point, shape (points,)."""
    known = table_values(source.table, quantity, points)
    if known is not None:
        return known
    estimate = source.estimate.macro
    figures = {
        "energy_conversion": estimate.energy_per_conversion.mid,
        "energy_mac": estimate.energy_per_mac.mid,
        "area": estimate.footprint.stacked.mid / estimate.geometry.tiles,
    }
    return np.full(len(points), figures[quantity])


def table_values(table: ReadoutTable, quantity: ProbeQuantity, points: ProbePoints) -> FloatArray | None:
    """What a readout table says at every point, shape (points,); None for the quantities of the estimate."""
    i, a, c = points.condition, points.active, points.count
    out: FloatArray
    match quantity:
        case "level":
            out = table.level[i, a, c]
        case "sigma":
            out = np.stack([table.total_sigma(x) for x in table.conditions])[i, a, c]
        case "code":
            codes = [np.nan_to_num(table.code_probability(x)).argmax(axis=2) for x in table.conditions]
            out = np.stack(codes)[i, a, c].astype(np.float64)
        case "code_error":
            out = np.stack([table.code_errors(x) for x in table.conditions])[i, a, c]
        case "row_energy":
            out = table.row_energy[i, a]
        case "read_time":
            out = np.full(len(points), table.read_time)
        case _:
            return None
    return np.asarray(out, dtype=np.float64)
