"""Field solver against boundary elements (FastCap2) on finite structures inside a grounded metal box.

The box makes both problems the same one: walls of ground around the period turn the periodic cell into a closed room,
and the boundary elements get the room's inner faces as a conductor. Nothing is truncated, so nothing needs to be far.
"""

from __future__ import annotations

import itertools
import time
from typing import Any

import numpy as np
import pytest

from interconnect import fieldsolver
from interconnect.geometry import GROUND, Box, CellGeometry, Slab

fc2 = pytest.importorskip("fastcap2", reason="FastCap2 is an independent check; its wheel is for CPython 3.11")

NM = 1e-9
WALL = 10.0
Corners = tuple[tuple[float, float, float], tuple[float, float, float]]


def room(name: str, size: tuple[float, float, float], k: float, parts: dict[str, list[Corners]]) -> CellGeometry:
    """Conductors (nm) in a grounded room of inner `size` (nm) that begins at the origin, filled with permittivity k."""
    width, depth, height = (s * NM for s in size)
    wall = 0.5 * WALL * NM
    boxes = [
        Box(GROUND, "M", "shield", (-wall, -wall, 0.0), (wall, depth + 3 * wall, height)),
        Box(GROUND, "M", "shield", (-wall, -wall, 0.0), (width + 3 * wall, wall, height)),
    ]
    for net, bodies in parts.items():
        for lower, upper in bodies:
            low = tuple(v * NM + offset for v, offset in zip(lower, (wall, wall, 0.0), strict=True))
            high = tuple(v * NM + offset for v, offset in zip(upper, (wall, wall, 0.0), strict=True))
            boxes.append(Box(net, "M", "tab", low, high))
    period = (width + 2 * wall, depth + 2 * wall)
    return CellGeometry(name, tuple(boxes), period, 0.0, height, (Slab(0.0, height, k),))


def faces(bodies: list[Corners]) -> list[tuple[Any, Any, Any]]:
    """The outer faces (corner, neighbour corner, neighbour corner) of a union of boxes."""
    edges = [sorted({c[axis] for body in bodies for c in body}) for axis in range(3)]
    middles = [0.5 * (np.array(e[:-1]) + e[1:]) for e in edges]
    filled = np.zeros([len(m) + 2 for m in middles], dtype=bool)
    for lower, upper in bodies:
        inside = [(m > lo) & (m < hi) for m, lo, hi in zip(middles, lower, upper, strict=True)]
        filled[1:-1, 1:-1, 1:-1] |= inside[0][:, None, None] & inside[1][None, :, None] & inside[2][None, None, :]
    found = []
    for index in itertools.product(*(range(1, n - 1) for n in filled.shape)):
        if not filled[index]:
            continue
        low = [edges[axis][index[axis] - 1] for axis in range(3)]
        high = [edges[axis][index[axis]] for axis in range(3)]
        for axis, side in itertools.product(range(3), (-1, 1)):
            beyond = list(index)
            beyond[axis] += side
            if not filled[tuple(beyond)]:
                found.append(_face(low, high, axis, side))
    return found


def _face(low: list[float], high: list[float], axis: int, side: int) -> tuple[Any, Any, Any]:
    a, b = (axis + 1) % 3, (axis + 2) % 3
    corner = list(low)
    corner[axis] = high[axis] if side > 0 else low[axis]
    one, two = list(corner), list(corner)
    one[a], two[b] = high[a], high[b]
    return tuple(corner), tuple(one), tuple(two)


def by_fastcap(
    size: tuple[float, float, float], k: float, parts: dict[str, list[Corners]], panel: float, edge: float
) -> np.ndarray:
    """Maxwell matrix (F) of the nets in `parts`; panels of at most `panel`, `edge` nm along edges."""
    problem = fc2.Problem()
    problem.verbose = False
    problem.perm_factor = k
    problem.iter_tol = 1e-4
    problem.expansion_order = 3
    inner: dict[str, list[Corners]] = {**parts, "GND": [((0.0, 0.0, 0.0), size)]}
    for net, bodies in inner.items():
        surface = fc2.Surface(name=net)
        for corner, one, two in faces(bodies):
            smallest = min(np.ptp([corner, one, two], axis=0)[np.ptp([corner, one, two], axis=0) > 0])
            limit = panel if net != "GND" else 2 * panel
            surface.add_meshed_quad(
                tuple(v * NM for v in corner),
                tuple(v * NM for v in one),
                tuple(v * NM for v in two),
                max_dim=limit * NM,
                edge_width=min(edge, 0.2 * smallest) * NM if net != "GND" else None,
            )
        problem.add(surface)
    matrix = np.array(problem.solve())
    order = [name.split("%")[0] for name in problem.conductors()]
    index = [order.index(net) for net in parts]
    return matrix[np.ix_(index, index)]


STRUCTURES: dict[str, tuple[tuple[float, float, float], float, dict[str, list[Corners]]]] = {
    "cube": ((300.0, 300.0, 300.0), 2.7, {"A": [((100, 100, 100), (200, 200, 200))]}),
    "two cubes": (
        (400.0, 250.0, 250.0),
        3.9,
        {"A": [((80, 80, 80), (170, 170, 170))], "B": [((220, 80, 80), (310, 170, 170))]},
    ),
    "crossing bars": (
        (450.0, 450.0, 450.0),
        2.7,
        {"A": [((50, 175, 90), (400, 275, 185))], "B": [((175, 50, 275), (275, 400, 370))]},
    ),
    "three parallel bars": (
        (400.0, 500.0, 275.0),
        2.4,
        {f"B{i}": [((75 + 100 * i, 50, 90), (125 + 100 * i, 450, 185))] for i in range(3)},
    ),
    "plates": (
        (400.0, 400.0, 260.0),
        4.2,
        {"A": [((60, 60, 60), (340, 340, 100))], "B": [((60, 60, 150), (340, 340, 190))]},
    ),
    "bar and tab with via and foot": (
        (450.0, 400.0, 460.0),
        2.7,
        {
            "BL": [((120, 50, 275), (170, 350, 370))],
            "S": [
                ((60, 75, 90), (390, 125, 185)),
                ((220, 75, 275), (270, 225, 370)),
                ((220, 75, 185), (270, 125, 275)),
            ],
            "G": [((60, 225, 90), (390, 275, 185))],
        },
    ),
    # One row and one bit line of a plane with its tab, under the row of the next plane: 200 nm row pitch, 185 nm from
    # metal to metal, lines of 50 nm, as of cap_balanced on generic28.
    "two planes": (
        (400.0, 320.0, 645.0),
        2.7,
        {
            "S": [
                ((40, 85, 90), (360, 135, 185)),
                ((250, 60, 275), (300, 260, 370)),
                ((250, 85, 185), (300, 135, 275)),
            ],
            "G": [((40, 185, 90), (360, 235, 185))],
            "BL": [((150, 40, 275), (200, 280, 370))],
            "NEXT_S": [((40, 85, 460), (360, 135, 555))],
            "NEXT_G": [((40, 185, 460), (360, 235, 555))],
        },
    ),
    "two by two bus crossing": (
        (420.0, 420.0, 460.0),
        3.0,
        {
            **{f"R{i}": [((40, 110 + 140 * i, 90), (380, 170 + 140 * i, 185))] for i in range(2)},
            **{f"C{i}": [((110 + 140 * i, 40, 275), (170 + 140 * i, 380, 370))] for i in range(2)},
        },
    ),
}


@pytest.mark.parametrize("name", STRUCTURES)
def test_finite_elements_meet_boundary_elements(name: str) -> None:
    size, k, parts = STRUCTURES[name]
    start = time.process_time()
    ours = fieldsolver.solve_cell(room(name, size, k, parts)).capacitance
    middle = time.process_time()
    theirs = by_fastcap(size, k, parts, panel=15.0, edge=3.0)
    end = time.process_time()
    total = np.sqrt(np.diag(ours))
    # A coupling below 2 % of its nets' totals is judged against those 2 %.
    scale = np.maximum(np.abs(ours), fieldsolver.REFERENCE_FRACTION * np.outer(total, total))
    error = float((np.abs(ours - theirs) / scale).max())
    print(f"\n{name:30s} {error:7.2%}  elements {middle - start:.1f} s, boundary {end - middle:.1f} s CPU")
    assert error <= 0.02
