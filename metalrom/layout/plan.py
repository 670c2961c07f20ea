"""What a layout of a level holds: planes with their symbols and where they lie, taken from the netlists' own scopes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from interconnect.arrays import ByteArray, IntArray
from interconnect.errors import InputError
from interconnect.stack import Stack
from metalrom.layout.layers import LayerMap, layer_map
from metalrom.layout.pattern import DrawnPatterns, PlanePattern, Rect, WireLine, draw_planes
from netlists.array_options import NO_OPTIONS, ArrayOptions
from netlists.cells.base import Cell, Plane
from netlists.mapping import TileManifest, ViaProgram
from netlists.writer_scope import Scope, scopes

LEVELS = ("cell", "tile", "array", "macro")
"""`cell`: one cell of every symbol; `tile`: one plane; `array`: all planes of a tile; `macro`: all tiles."""


GROUND = "gnd"
"""Name of the net of shields, posts and bit lines of dummy columns."""


@dataclass(frozen=True)
class PlacedPlane:
    """A plane in the file. symbols: shape (rows, physical columns); origin: its lower left corner, grid units.

    cuts: rows before which bit lines are cut; cut_columns: the physical columns whose bit lines are cut. scope: the
    netlists' own description of it; None for a single cell.
    """

    name: str
    tile: int
    plane: int
    pattern: PlanePattern
    symbols: ByteArray
    origin: tuple[int, int]
    cuts: tuple[int, ...]
    cut_columns: range
    scope: Scope | None = None

    @property
    def rows(self) -> int:
        """Rows of the plane."""
        return int(self.symbols.shape[0])

    @property
    def columns(self) -> int:
        """Physical columns, dummies and references included."""
        return int(self.symbols.shape[1])

    @property
    def width(self) -> int:
        """Length of the row lines, grid units."""
        return self.columns * self.pattern.column_pitch

    @property
    def height(self) -> int:
        """Length of the columns, grid units."""
        return self.rows * self.pattern.row_pitch

    @property
    def strap(self) -> Rect | None:
        """The line at the upper end that ties shields and bit lines of dummy columns to ground; None without any."""
        x = [c * self.pattern.column_pitch for c in range(self.columns)]
        tied = [(x[c], line) for line in self.pattern.columns for c in range(self.columns) if self.is_tied(line, c)]
        if not tied:
            return None
        low, high = (self.height + y for y in self.pattern.strap)
        return min(a + line.low for a, line in tied), low, max(a + line.high for a, line in tied), high

    def is_tied(self, line: WireLine, column: int) -> bool:
        """Whether a line of a column is ground: shields, and bit lines of dummy columns. Single cells have no strap."""
        return self.scope is not None and not (line.bit_line and column in self.cut_columns)

    def pieces(self, line: WireLine, column: int) -> list[tuple[int, int]]:
        """Bottom and top of every piece of a line of a column, grid units."""
        if self.is_tied(line, column):
            return [(0, self.height + self.pattern.strap[1])]
        return self.segments(column) if line.bit_line else [(0, self.height)]

    def segments(self, column: int) -> list[tuple[int, int]]:
        """Bottom and top of every piece of the bit line of a column, grid units."""
        if column not in self.cut_columns or not self.cuts:
            return [(0, self.height)]
        gap = self.pattern.gap or (0, 0)  # the plan refuses cuts where no gap fits
        sides = [r * self.pattern.row_pitch for r in self.cuts]
        return list(zip([0, *(s + gap[1] for s in sides)], [*(s + gap[0] for s in sides), self.height], strict=True))


@dataclass(frozen=True)
class Plan:
    """A layout to be drawn or checked. grid: database unit, m; moved: largest rounding of a coordinate, m."""

    level: str
    top: str
    parts: tuple[PlacedPlane, ...]
    layers: LayerMap
    stack: Stack
    grid: float
    moved: float
    kind: str

    @property
    def cells(self) -> int:
        """Cells drawn, dummies and references included."""
        return sum(p.symbols.size for p in self.parts)

    def tiles(self) -> dict[int, list[PlacedPlane]]:
        """Parts by tile."""
        out: dict[int, list[PlacedPlane]] = {}
        for part in self.parts:
            out.setdefault(part.tile, []).append(part)
        return out


def plan_layout(
    cell: Cell,
    stack: Stack,
    planes: Sequence[Plane],
    program: ViaProgram,
    manifest: TileManifest,
    level: str,
    *,
    group_rows: int | None = None,
    tile: int = 0,
    plane: int = 0,
    options: ArrayOptions = NO_OPTIONS,
) -> Plan:
    """What a file of `level` holds; arguments as of `netlists.writer_scope.scopes`.

    Raises:
        InputError: unknown level, tile or plane, a cell that breaks the drawing rules, or bit lines that cannot be cut.
    """
    if level not in LEVELS:
        raise InputError(f"there is no level {level!r}", where="--level", hint=f"choose {', '.join(LEVELS)}")
    if not 0 <= plane < len(planes):
        raise InputError(f"there is no plane {plane}", where="--plane", hint=f"planes 0 to {len(planes) - 1}")
    symbols = len(program.symbol_values)
    if level == "cell":
        drawn = draw_planes(cell, stack, planes[plane : plane + 1], symbols)
        row = np.arange(symbols, dtype=np.uint8)[None]
        parts = [PlacedPlane("cell", 0, plane, drawn.patterns[0], row, (0, 0), (), range(0))]
        return _plan(level, "cell", parts, drawn, stack, cell.kind)
    drawn = draw_planes(cell, stack, planes, symbols)
    found = scopes(
        manifest, "macro" if level == "macro" else "array", group_rows=group_rows, tile=tile, options=options
    )
    if level == "tile":
        found = [s for s in found if s.placement.plane == plane]
        if not found:
            raise InputError(f"tile {tile} does not use plane {plane}", where="--plane")
    parts = [_part(s, program, drawn) for s in found]
    top = {"tile": parts[0].name, "array": f"tile_{tile}", "macro": "macro"}[level]
    if level == "macro":
        parts = _placed(parts, manifest, stack, drawn.grid)
    return _plan(level, top, parts, drawn, stack, cell.kind)


def _plan(level: str, top: str, parts: Sequence[PlacedPlane], drawn: DrawnPatterns, stack: Stack, kind: str) -> Plan:
    return Plan(level, top, tuple(parts), layer_map(stack), stack, drawn.grid, drawn.moved, kind)


def _part(scope: Scope, program: ViaProgram, drawn: DrawnPatterns) -> PlacedPlane:
    p = scope.placement
    pattern = drawn.patterns[p.plane]
    cuts = tuple(range(scope.group_rows, p.rows, scope.group_rows))
    if cuts and pattern.gap is None:
        raise InputError(
            f"bit lines cannot be segmented after {scope.group_rows} rows: {pattern.no_gap}",
            where="cell.row_pitch",
            hint="a larger row pitch makes room",
        )
    symbols = scope.symbols(program)
    readable = range(scope.readable.start - scope.start, scope.readable.stop - scope.start)
    return PlacedPlane(scope.name, p.tile, p.plane, pattern, symbols, (0, 0), cuts, readable, scope)


def _placed(parts: Sequence[PlacedPlane], manifest: TileManifest, stack: Stack, grid: float) -> list[PlacedPlane]:
    """Tiles side by side, blocks of rows above each other, twice the largest space of the stack's metals apart."""
    apart = 2 * round(max(m.min_space for m in stack.metals) / grid)
    width, height = (
        max(p.width for p in parts) + apart,
        max(p.strap[3] if p.strap else p.height for p in parts) + apart,
    )
    out = []
    for part in parts:
        block, beside = divmod(part.tile, manifest.tiles_per_block)
        out.append(replace(part, origin=(beside * width, block * height)))
    return out


def expected_rects(part: PlacedPlane, layer: str) -> IntArray:
    """Every rectangle of a metal in a plane without pins, shape (n, 4), grid units, from the pattern alone."""
    p = part.pattern
    found: list[IntArray] = []
    for line in p.rows:
        if line.layer == layer:
            y = np.arange(part.rows) * p.row_pitch
            zero = np.zeros_like(y)
            found.append(np.stack([zero, y + line.low, zero + part.width, y + line.high], axis=1))
    for line in p.columns:
        if line.layer != layer:
            continue
        for columns, pieces in _column_pieces(part, line):
            x = (np.asarray(columns) * p.column_pitch)[:, None]
            low, high = (np.array([s[i] for s in pieces])[None] for i in (0, 1))
            box = np.broadcast_arrays(x + line.low, low, x + line.high, high)
            found.append(np.stack(box, axis=-1).reshape(-1, 4))
    if part.strap and layer == p.plane.column:
        found.append(np.array([part.strap]))
    y, x = np.mgrid[: part.rows, : part.columns]
    step = np.stack([x * p.column_pitch, y * p.row_pitch] * 2, axis=-1).reshape(-1, 4)
    for shape in p.common:
        if shape.layer == layer:
            found.append(step + np.array(shape.box))
    for k, shapes in enumerate(p.symbols):
        chosen = step[part.symbols.ravel() == k] if any(s.layer == layer for s in shapes) else step[:0]
        found += [chosen + np.array(s.box) for s in shapes if s.layer == layer]
    flat = np.concatenate(found) if found else np.empty((0, 4))
    return np.asarray(flat + np.array([*part.origin, *part.origin]), dtype=np.int64)


def _column_pieces(part: PlacedPlane, line: WireLine) -> list[tuple[list[int], list[tuple[int, int]]]]:
    """Columns whose line has the same pieces, with those."""
    cut = [c for c in range(part.columns) if c in part.cut_columns]
    whole = [c for c in range(part.columns) if c not in part.cut_columns]
    return [(columns, part.pieces(line, columns[0])) for columns in (cut, whole) if columns]


def box_of(rect: Rect | IntArray, grid: float) -> tuple[float, float, float, float]:
    """A rectangle in um."""
    x0, y0, x1, y1 = (round(float(v) * grid * 1e6, 6) for v in rect)
    return x0, y0, x1, y1
