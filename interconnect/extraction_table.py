"""Shipped field solutions: exact look-up of cells solved beforehand, for machines without the field solver.

Between solved cells nothing is interpolated: a cell has a dozen lengths, and an error of interpolation would be
unknown where it matters. A cell is found if its conductors equal a solved one's to 0.1 pm, up to a shift in height and
a common factor on all permittivities, under which capacitances are exact.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from interconnect.arrays import FloatArray
from interconnect.geometry import GROUND, CellGeometry

PATH = Path(__file__).parent / "tables" / "solved_cells.json"
UNIT = 1e-13
"""Lengths are compared in whole units of this (m)."""


@dataclass(frozen=True, slots=True)
class SolvedCell:
    """A cell's Maxwell matrix (F) of all nets but ground, its estimated relative error, and how it was solved."""

    capacitance: FloatArray
    relative_error: float
    source: str


def table_key(geometry: CellGeometry) -> str:
    """Hash of what decides the capacitances per permittivity: conductors by net order, heights from the floor."""
    index = {net: i for i, net in enumerate(geometry.nets)}
    lowest = _reference(geometry)

    def units(*lengths: float) -> list[int]:
        return [round(length / UNIT) for length in lengths]

    boxes = [
        [
            -1 if box.net == GROUND else index[box.net],
            *units(*box.lower[:2], box.lower[2] - geometry.floor, *box.upper[:2], box.upper[2] - geometry.floor),
        ]
        for box in geometry.boxes
        if box.kind != "resistor"
    ]
    slabs = [
        [*units(s.bottom - geometry.floor, s.top - geometry.floor), round(1e6 * s.k / lowest)]
        for s in sorted(geometry.slabs, key=lambda s: s.bottom)
    ]
    content = [boxes, units(*geometry.period, geometry.ceiling - geometry.floor), slabs]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def entry(geometry: CellGeometry, capacitance: FloatArray, relative_error: float) -> dict[str, Any]:
    """The table's record of a solved cell, capacitances divided by the lowest slab's permittivity."""
    return {
        "name": geometry.name,
        "capacitance_per_k_F": (capacitance / _reference(geometry)).tolist(),
        "relative_error": relative_error,
    }


def look_up(geometry: CellGeometry) -> SolvedCell | None:
    """The shipped solution of this cell, or None where there is none."""
    table = _table()
    found = table["cells"].get(table_key(geometry)) if geometry.slabs else None
    if found is None:
        return None
    matrix = np.array(found["capacitance_per_k_F"], dtype=float) * _reference(geometry)
    return SolvedCell(matrix, float(found["relative_error"]), f"shipped table of field solutions ({table['source']})")


def _reference(geometry: CellGeometry) -> float:
    return min(geometry.slabs, key=lambda s: s.bottom).k


@cache
def _table() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(PATH.read_text("utf-8"))
    return document
