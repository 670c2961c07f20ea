"""A tile from above, to scale: the stored weights as they lie in metal, every symbol in its place."""

from collections.abc import Iterable, Sequence
from itertools import groupby

import numpy as np

from interconnect.geometry import Box, CellGeometry
from metalrom.drawing.palette import PAINT, Role, direction, legend, role, via_labels
from metalrom.drawing.svg import INK, SOFT, Canvas, svg_number
from metalrom.reports.content import TileTop

_WIDTH, _LEFT, _TOP = 1280.0, 44.0, 52.0
MAX_ROWS, MAX_COLUMNS = 32, 56
"""Cells drawn: enough to see the weights, few enough to see a via."""


def tile_top(cells: Sequence[CellGeometry], tile: TileTop, symbol_values: Sequence[int] = (0, 1)) -> str:
    """The tile's corner as SVG text; `cells` are the cells (one period) of every symbol, `symbol_values` their values.

    Everything of a symbol's cells is in paths of the attribute `data-symbol`.
    """
    one = cells[-1]
    rows, columns = tile.bits.shape
    wide, deep = one.period
    pixel = (_WIDTH - _LEFT - 12) / (max(columns, 24) * wide)
    canvas = Canvas(_WIDTH, _TOP + rows * deep * pixel)
    lines = [b for b in one.boxes if _runs(b, one)]
    for box in lines:
        along = direction(box) == "x"
        for k in range(rows if along else columns):
            x, y = (box.lower[0], box.lower[1] + k * deep) if along else (box.lower[0] + k * wide, box.lower[1])
            w, h = (columns * wide, box.size[1]) if along else (box.size[0], rows * deep)
            left = _LEFT if along else _LEFT + x * pixel
            top = _TOP + y * pixel if along else _TOP
            paint = PAINT[role(box)]
            canvas.rect(left, top, w * pixel, h * pixel, fill=paint.fill, fill_opacity=0.75 if along else 0.55)
    for symbol, (cell, value) in enumerate(zip(cells, symbol_values, strict=True)):
        for kind in PAINT:
            boxes = [b for b in cell.boxes if not _runs(b, one) and role(b, value) == kind]
            if boxes:
                steps = _stamps(boxes, np.argwhere(tile.bits == symbol), cell, pixel)
                canvas.path(steps, fill=PAINT[kind].fill, data_symbol=str(symbol))
    _cuts(canvas, tile, deep * pixel, columns * wide * pixel)
    _labels(canvas, tile, wide * pixel, deep * pixel)
    below = canvas.height + 24
    _bar(canvas, pixel, below)
    present: list[Role] = [
        k for k in PAINT if any(role(b, v) == k for v, c in zip(symbol_values, cells, strict=True) for b in c.boxes)
    ]
    canvas.height = legend(canvas, present, _LEFT + 190, below, _WIDTH - 10, via_labels(symbol_values)) + 14
    return canvas.render(f"Tile from above: {tile.title}", f"{rows} rows and {columns} bit columns, to scale.")


def _runs(box: Box, cell: CellGeometry) -> bool:
    """Whether a box goes through the whole cell, so that it is one wire through the tile."""
    axis = 0 if direction(box) == "x" else 1
    return box.kind in ("line", "shield") and box.size[axis] >= cell.period[axis] * (1 - 1e-9)


def _stamps(boxes: Iterable[Box], places: np.ndarray[tuple[int, ...], np.dtype[np.int64]], cell: CellGeometry,
            pixel: float) -> str:  # fmt: skip
    """One path with these boxes at every (row, column)."""
    steps = []
    for box in boxes:
        w, h = svg_number(box.size[0] * pixel), svg_number(box.size[1] * pixel)
        x = _LEFT + (places[:, 1] * cell.period[0] + box.lower[0]) * pixel
        y = _TOP + (places[:, 0] * cell.period[1] + box.lower[1]) * pixel
        steps += [
            f"M{svg_number(a)} {svg_number(b)}h{w}v{h}h-{w}z" for a, b in zip(x.tolist(), y.tolist(), strict=True)
        ]
    return "".join(steps)


def _cuts(canvas: Canvas, tile: TileTop, deep: float, width: float) -> None:
    """Where the bit lines are cut: one conversion sums the rows between two cuts."""
    for row in range(tile.group_rows, len(tile.bits), tile.group_rows):
        y = _TOP + row * deep
        canvas.line((_LEFT - 34, y), (_LEFT + width, y), stroke=INK, stroke_width=1.4, stroke_dasharray="6 3")


def _labels(canvas: Canvas, tile: TileTop, wide: float, deep: float) -> None:
    canvas.text((_LEFT, 15), tile.title, size=13.5, font_weight="600")
    step = 4 if len(tile.bits) > 8 else 1
    for row in range(0, len(tile.bits), step):
        canvas.text((_LEFT - 6, _TOP + (row + 0.5) * deep + 4), str(row), size=11, anchor="end", fill=SOFT)
    start = 0
    for output, members in groupby(tile.outputs):
        stop = start + len(list(members))
        x = _LEFT + start * wide
        canvas.line((x + 2, _TOP - 5), (_LEFT + stop * wide - 2, _TOP - 5), stroke=SOFT, stroke_width=1)
        words = f"output {output}" if (stop - start) * wide > 60 else str(output)
        canvas.text((x + (stop - start) * wide / 2, _TOP - 10), words, size=11.5, anchor="middle", fill=SOFT)
        start = stop


def _bar(canvas: Canvas, pixel: float, y: float) -> None:
    """A bar of a round length."""
    length = next(v for v in (1e-5, 5e-6, 2e-6, 1e-6, 5e-7, 2e-7, 1e-7, 1e-8) if v * pixel < 120 or v == 1e-8)
    canvas.line((_LEFT, y - 5), (_LEFT + length * pixel, y - 5), stroke_width=2.5)
    canvas.text((_LEFT + length * pixel + 8, y - 1), f"{length * 1e6:g} µm", size=12)
