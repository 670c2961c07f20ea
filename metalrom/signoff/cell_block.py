"""Blocks of whole cells cut out of a layout file, as other extractors take them: grounded sheets instead of the
neighbouring planes, and names on every line."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from interconnect.errors import UnsupportedCell
from metalrom.layout.plan import PlacedPlane, Plan
from metalrom.layout.read import Shapes
from metalrom.signoff.drc import klayout_db

MOST_CELLS = 8
"""Rows and columns of the largest block: extractors look no further than a few lines around one."""

LEAST_CELLS = 6
TOP = "block"
GROUND = "gnd"


@dataclass(frozen=True, slots=True)
class CellBlock:
    """Rows and physical columns of a plane, away from cut bit lines."""

    rows: range
    columns: range

    def shorter(self) -> CellBlock:
        """The lower half of the rows."""
        return CellBlock(self.rows[: len(self.rows) // 2], self.columns)

    def narrower(self) -> CellBlock:
        """The left half of the columns."""
        return CellBlock(self.rows, self.columns[: len(self.columns) // 2])


def row_name(letter: str, row: int) -> str:
    """Name of a row line in a block."""
    return f"row_{letter}_{row}"


def bit_line_name(prefix: str, column: int) -> str:
    """Name of a bit line in a block."""
    return f"bit_{prefix}_{column}"


def choose_block(part: PlacedPlane) -> CellBlock:
    """The block in the middle of the longest segment and of the columns that have bit lines.

    Raises UnsupportedCell where segments or columns are too few.
    """
    longest = max(pairwise((0, *part.cuts, part.rows)), key=lambda ends: ends[1] - ends[0])
    rows = range(longest[0] + bool(longest[0]), longest[1] - (longest[1] < part.rows))
    if min(len(rows), len(part.cut_columns)) < LEAST_CELLS:
        raise UnsupportedCell(f"no {LEAST_CELLS} x {LEAST_CELLS} cells without a cut bit line")
    return CellBlock(_middle(rows), _middle(part.cut_columns))


def _middle(cells: range) -> range:
    number = min(MOST_CELLS, len(cells)) // 2 * 2
    start = (len(cells) - number) // 2
    return cells[start : start + number]


def sheet_metals(plan: Plan, part: PlacedPlane) -> tuple[str, str]:
    """Metals below and above a plane, which the grounded sheets are drawn on. Raises UnsupportedCell without them."""
    names = [metal.name for metal in plan.stack.metals]
    below, above = names.index(part.pattern.plane.row) - 1, names.index(part.pattern.plane.column) + 1
    if below < 0 or above == len(names):
        raise UnsupportedCell(f"no metal {'below' if below < 0 else 'above'} {part.pattern.plane.label}")
    return names[below], names[above]


def draw_block(plan: Plan, part: PlacedPlane, shapes: Shapes, block: CellBlock) -> Any:
    """The block as a flat `klayout.db.Layout` with the numbers of the plan's layers. Resistor plugs are left out.

    shapes: of the file. Metals and cuts are clipped at the block's sides; every line has its name, shields and sheets
    are `gnd`. The plan only says what a line is called.
    """
    db = klayout_db()
    layout = db.Layout()
    layout.dbu = plan.grid * 1e6
    cell = layout.create_cell(TOP)
    pattern, layers = part.pattern, plan.layers.layers
    x0 = part.origin[0] + block.columns.start * pattern.column_pitch
    y0 = part.origin[1] + block.rows.start * pattern.row_pitch
    x1, y1 = x0 + len(block.columns) * pattern.column_pitch, y0 + len(block.rows) * pattern.row_pitch
    window = db.Box(x0, y0, x1, y1)

    def name(metal: str, text: str, x: int, y: int) -> None:
        number = layers[metal].label or layers[metal].drawing
        cell.shapes(layout.layer(*number)).insert(db.Text(text, x, y))

    plane = pattern.plane
    for layer in (plane.row, plane.column, plan.stack.via_between(plane.row, plane.column).name):
        number = layers[layer].drawing
        rects = shapes.of(number)
        near = rects[(rects[:, 0] < x1) & (rects[:, 2] > x0) & (rects[:, 1] < y1) & (rects[:, 3] > y0)]
        drawn = db.Region([db.Box(*map(int, rect)) for rect in near]) & db.Region(window)
        cell.shapes(layout.layer(*number)).insert(drawn.merged())
    for metal in sheet_metals(plan, part):
        cell.shapes(layout.layer(*layers[metal].drawing)).insert(window)
        name(metal, GROUND, *((x0 + x1) // 2, (y0 + y1) // 2))
    for i, column in enumerate(block.columns):
        for line in pattern.columns:
            text = bit_line_name(line.name, column) if line.bit_line else GROUND
            name(line.layer, text, x0 + i * pattern.column_pitch + (line.low + line.high) // 2, (y0 + y1) // 2)
    for i, row in enumerate(block.rows):
        for line in pattern.rows:
            y = y0 + i * pattern.row_pitch + (line.low + line.high) // 2
            name(line.layer, row_name(line.net.lower(), row), (x0 + x1) // 2, y)
    return layout
