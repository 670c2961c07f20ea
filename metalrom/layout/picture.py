"""One plane of a layout file seen from above, as SVG: the shapes that were read, in the colours of their layers."""

import numpy as np

from interconnect.arrays import IntArray
from metalrom.drawing.palette import PAINT
from metalrom.drawing.svg import INK, SOFT, Canvas
from metalrom.layout.plan import PlacedPlane, Plan
from metalrom.layout.read import Shapes

MAX_ROWS, MAX_COLUMNS = 8, 8
"""Cells in a picture: more could not be distinguished."""

_WIDE = 900.0
_SIDE, _TOP, _FOOT = 64.0, 40.0, 66.0


def plane_top_view(
    plan: Plan, shapes: Shapes, *, part: int = 0, rows: int = MAX_ROWS, columns: int = MAX_COLUMNS
) -> str:
    """The lower left corner of a plane: `rows` x `columns` cells of it, x along the rows. part: index in the plan.

    What each cell stores by the via program is written beside its cut.
    """
    p = plan.parts[part]
    pattern = p.pattern
    rows, columns = min(rows, p.rows), min(columns, p.columns)
    window = np.array([0, 0, columns * pattern.column_pitch, rows * pattern.row_pitch], dtype=np.int64)
    pixel = (_WIDE - 2 * _SIDE) / int(window[2])
    bottom = _TOP + int(window[3]) * pixel
    canvas = Canvas(_WIDE, bottom + _FOOT)
    plane = pattern.plane
    via = plan.stack.via_between(plane.row, plane.column).name
    title = f"{plan.kind}, tile {p.tile}, plane {p.plane}: {plane.row} (rows), {via} (cuts), {plane.column} (columns)"
    canvas.text((_SIDE, 22), title, size=15, font_weight="600")
    canvas.rect(_SIDE, _TOP, int(window[2]) * pixel, bottom - _TOP, fill="#f6f3ea")
    layers = plan.layers.layers
    drawn = []
    for name, role, opacity in ((plane.row, "signal", 0.9), (plane.column, "bitline", 0.55), (via, "via", 1.0)):
        number = layers[name].drawing
        drawn.append((f"{name} {_number(number)}", shapes.of(number), role, opacity))
    plug = layers[via].plug
    if plug is not None and len(shapes.of(plug)):
        drawn.append((f"{via} plug {_number(plug)}", shapes.of(plug), "resistor", 1.0))
    x = _SIDE
    for name, rects, role, opacity in drawn:
        paint = next(value for key, value in PAINT.items() if key == role)
        for x0, y0, x1, y1 in _clipped(rects, p, window):
            canvas.rect(_SIDE + x0 * pixel, bottom - y1 * pixel, (x1 - x0) * pixel, (y1 - y0) * pixel, fill=paint.fill,
                        fill_opacity=opacity, stroke=paint.side, stroke_width=0.6)  # fmt: skip
        canvas.rect(x, bottom + 38, 14, 14, fill=paint.fill, fill_opacity=opacity, stroke=paint.side)
        canvas.text((x + 20, bottom + 50), name, size=13)
        x += 150
    _cells(canvas, p, (rows, columns), pixel, bottom)
    _scale_bar(canvas, plan.grid, pixel, bottom)
    stored = p.symbols[:rows, :columns]
    message = f"Stored symbols, row 0 first: {'; '.join(''.join(map(str, line)) for line in stored.tolist())}."
    return canvas.render(title, message)


def _number(number: tuple[int, int]) -> str:
    return f"({number[0]}/{number[1]})"


def _clipped(rects: IntArray, part: PlacedPlane, window: IntArray) -> list[list[int]]:
    """Rectangles inside the window, cut to it, relative to the plane's corner."""
    own = rects - np.array([*part.origin, *part.origin])
    inside = (own[:, 2] > 0) & (own[:, 3] > 0) & (own[:, 0] < window[2]) & (own[:, 1] < window[3])
    low, high = np.maximum(own[inside, :2], 0), np.minimum(own[inside, 2:], window[2:])
    out: list[list[int]] = np.concatenate([low, high], axis=1).tolist()
    return out


def _cells(canvas: Canvas, part: PlacedPlane, size: tuple[int, int], pixel: float, bottom: float) -> None:
    """Borders of the cells, numbers of rows and columns, and what every cell stores."""
    wide, tall = part.pattern.column_pitch * pixel, part.pattern.row_pitch * pixel
    rows, columns = size
    for r in range(rows + 1):
        y = bottom - r * tall
        canvas.line((_SIDE, y), (_SIDE + columns * wide, y), stroke=SOFT, stroke_width=0.5, stroke_dasharray="3 4")
    for c in range(columns + 1):
        x = _SIDE + c * wide
        canvas.line((x, _TOP), (x, bottom), stroke=SOFT, stroke_width=0.5, stroke_dasharray="3 4")
    for r in range(rows):
        canvas.text((_SIDE - 8, bottom - (r + 0.5) * tall + 4), f"row {r}", size=12, anchor="end", fill=SOFT)
    for c in range(columns):
        canvas.text((_SIDE + (c + 0.5) * wide, bottom + 16), f"column {c}", size=12, anchor="middle", fill=SOFT)
        for r in range(rows):
            at = (_SIDE + (c + 1) * wide - 5, bottom - (r + 1) * tall + 14)
            canvas.text(at, str(int(part.symbols[r, c])), size=13, anchor="end", font_weight="700", fill=INK,
                        stroke="#ffffff", stroke_width=3, paint_order="stroke")  # fmt: skip


def _scale_bar(canvas: Canvas, grid: float, pixel: float, bottom: float) -> None:
    """A bar of a round length at the right."""
    length = next(n for n in (2000, 1000, 500, 200, 100, 50) if n * 1e-9 / grid * pixel < 160)
    end = _WIDE - _SIDE
    start = end - length * 1e-9 / grid * pixel
    canvas.line((start, bottom + 38), (end, bottom + 38), stroke=INK, stroke_width=2)
    canvas.text(((start + end) / 2, bottom + 54), f"{length} nm", size=12, anchor="middle")
