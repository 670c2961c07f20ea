"""One plane's cell as seen from above, on the grid of the file: lines, what every cell has, what each symbol adds.

Everything comes from the boxes of the cell's own geometry, the same that are extracted and drawn in reports.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from interconnect.geometry import Box, CellGeometry
from interconnect.stack import Stack
from netlists.cells.base import Cell, Plane

Rect = tuple[int, int, int, int]
"""Left, bottom, right, top in units of the file's grid."""

GRIDS = (1e-9, 1e-10)
"""Database units, m: the coarsest on which every coordinate lies."""

_EXACT = 1e-4  # of a grid step


@dataclass(frozen=True, slots=True)
class Shape:
    """A rectangle of a cell. plug: a resistor plug, which has its own number in the file."""

    layer: str
    plug: bool
    box: Rect


@dataclass(frozen=True, slots=True)
class WireLine:
    """A line that runs through every cell of a row or column: from `low` to `high` across. bit_line: may be cut."""

    net: str
    layer: str
    low: int
    high: int
    bit_line: bool = False

    @property
    def name(self) -> str:
        """What the names of a bit line's segments begin with."""
        return self.net.lower() if self.net.startswith("BL") else f"bl{self.net.lower()}"


@dataclass(frozen=True, slots=True)
class PlanePattern:
    """The cell of a plane. row_pitch, column_pitch: in grid units; symbols: shapes that each symbol adds to `common`.

    gap: (from, to) of the cut of a bit line about the lower side of a cell, grid units; None if no gap fits, with
    `no_gap` saying why. strap: (from, to) of a line across the columns above the last row that keeps its space to bit
    lines, grid units.
    """

    plane: Plane
    row_pitch: int
    column_pitch: int
    rows: tuple[WireLine, ...]
    columns: tuple[WireLine, ...]
    common: tuple[Shape, ...]
    symbols: tuple[tuple[Shape, ...], ...]
    strap: tuple[int, int]
    gap: tuple[int, int] | None
    no_gap: str = ""


@dataclass(frozen=True, slots=True)
class DrawnPatterns:
    """The patterns of all planes. grid: database unit, m. moved: largest distance that a coordinate was rounded, m."""

    patterns: tuple[PlanePattern, ...]
    grid: float
    moved: float


def draw_planes(cell: Cell, stack: Stack, planes: Sequence[Plane], symbols: int) -> DrawnPatterns:
    """The cell on every plane, on a common grid.

    Raises:
        InputError: the cell does not fit a plane's rules (it names the key).
    """
    geometries = [[cell.geometry(stack, plane, (k,)) for k in range(symbols)] for plane in planes]
    values = list(_coordinates(g for of_plane in geometries for g in of_plane))
    values += [m.min_space for m in stack.metals] + ([stack.grid] if stack.grid else [])
    grid = next((g for g in GRIDS if all(_off(v, g) <= _EXACT for v in values)), GRIDS[-1])
    patterns = tuple(_pattern(of, stack, plane, grid) for of, plane in zip(geometries, planes, strict=True))
    moved = max(_off(v, grid) for v in values) * grid
    return DrawnPatterns(patterns, grid, moved if moved > _EXACT * grid else 0.0)


def _coordinates(geometries: Iterable[CellGeometry]) -> Iterable[float]:
    for g in geometries:
        yield from g.period
        for box in g.boxes:
            yield from (*box.lower[:2], *box.upper[:2])


def _off(value: float, grid: float) -> float:
    """Distance of a length from the grid, in steps of it."""
    return abs(value / grid - round(value / grid))


def _pattern(geometries: Sequence[CellGeometry], stack: Stack, plane: Plane, grid: float) -> PlanePattern:
    def rect(box: Box) -> Rect:
        x0, y0, x1, y1 = (round(v / grid) for v in (*box.lower[:2], *box.upper[:2]))
        return x0, y0, x1, y1

    first = geometries[0]
    rows, columns = [], []
    for box in first.boxes:
        axis = _runs_along(box, first)
        x0, y0, x1, y1 = rect(box)
        if axis == "x":
            rows.append(WireLine(box.net, box.layer, y0, y1))
        elif axis == "y":
            name = box.net.rstrip("0123456789")
            columns.append(WireLine(name, box.layer, x0, x1, bit_line=box.kind == "line"))
    shapes = [
        [Shape(b.layer, b.kind == "resistor", rect(b)) for b in g.boxes if not _runs_along(b, g)] for g in geometries
    ]
    common = tuple(s for s in shapes[0] if all(s in other for other in shapes))
    added = tuple(tuple(s for s in of if s not in common) for of in shapes)
    row_pitch, column_pitch = round(first.period[1] / grid), round(first.period[0] / grid)
    cuts = [s.box for of in (common, *added) for s in of if s.layer not in (plane.row, plane.column)]
    gap, why = _gap(stack, plane, columns, cuts, row_pitch, grid)
    space = math.ceil(stack.metal(plane.column).min_space / grid - _EXACT)
    strap = space, space + max(line.high - line.low for line in columns)
    return PlanePattern(plane, row_pitch, column_pitch, tuple(rows), tuple(columns), common, added, strap, gap, why)


def _runs_along(box: Box, geometry: CellGeometry) -> str:
    """`x` or `y` for a line or shield that runs through the whole period, empty for everything else."""
    if box.kind in ("line", "shield"):
        for axis, name in enumerate("xy"):
            if abs(box.size[axis] - geometry.period[axis]) < 1e-6 * geometry.period[axis]:
                return name
    return ""


def _gap(
    stack: Stack, plane: Plane, columns: Sequence[WireLine], cuts: Sequence[Rect], row_pitch: int, grid: float
) -> tuple[tuple[int, int] | None, str]:
    """Where a bit line may be cut between two rows: the metal's least space, in the middle between the cuts on it."""
    space = math.ceil(stack.metal(plane.column).min_space / grid - _EXACT)
    enclosed = stack.via_between(plane.row, plane.column).enclosed_above
    ends = math.ceil(enclosed.ends / grid - _EXACT) if enclosed else 0
    on_lines = [c for c in cuts if any(c[0] < line.high and line.low < c[2] for line in columns if line.bit_line)]
    below = max((c[3] for c in on_lines), default=row_pitch) - row_pitch + ends
    above = min((c[1] for c in on_lines), default=0) - ends
    if not on_lines:  # nothing to spare: the cut lies about the side of the cell
        return (-(space // 2), space - space // 2), ""
    if above - below < space:
        nm = 1e9 * grid
        return None, (
            f"between the cuts of two rows and their enclosure on a bit line there are {(above - below) * nm:.4g} nm, "
            f"{plane.column} must keep {space * nm:.4g} nm where it is cut"
        )
    low = (above + below - space) // 2
    return (low, low + space), ""
