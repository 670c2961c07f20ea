"""A tile of the array in three dimensions: real weight bits as vias, planes stacked, drawn back to front.

Every cell shows the boxes of the geometry that stores its symbol, so the picture follows the cell type by itself.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import cos, radians, sin

import numpy as np

from interconnect.arrays import BoolArray
from interconnect.errors import InputError
from interconnect.geometry import Box, CellGeometry
from metalrom.drawing.palette import PAINT, Role, direction, legend, role, via_labels
from metalrom.drawing.svg import INK, SOFT, Canvas, Xy, svg_number
from metalrom.reports.content import BitArray

_TURN = radians(25.0)
_TILT = radians(26.0)
_LIFT = 0.5  # extra space between planes, in plane heights

Rectangle = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Block:
    """A box of the tile with its role; corners in metres. `mark`: footprint of the via below, which the box hides."""

    role: Role
    lower: tuple[float, float, float]
    upper: tuple[float, float, float]
    mark: Rectangle | None = None
    bit: int | None = None


def _project(x: float, y: float, z: float) -> Xy:
    """Parallel projection seen from the front right above; screen y grows downwards."""
    depth = x * sin(_TURN) + y * cos(_TURN)
    return (x * cos(_TURN) - y * sin(_TURN), depth * sin(_TILT) - z * cos(_TILT))


def _moved(box: Box, shift: tuple[float, float, float], kind: Role) -> Block:
    lower = (box.lower[0] + shift[0], box.lower[1] + shift[1], box.lower[2] + shift[2])
    upper = (box.upper[0] + shift[0], box.upper[1] + shift[1], box.upper[2] + shift[2])
    return Block(kind, lower, upper)


def _rise(geometry: CellGeometry) -> float:
    """Height from one drawn plane to the next, m."""
    return (geometry.ceiling - geometry.floor) * (1 + _LIFT)


def tile_blocks(
    cells: Sequence[CellGeometry], bits: BitArray, symbol_values: Sequence[int] = (0, 1)
) -> tuple[Block, ...]:
    """Boxes of a tile of cells: `bits` are symbols, shape (planes, rows, columns); lines run unbroken through the tile.

    `cells` are the geometries (one cell per period) of every symbol, `symbol_values` their values. Planes lie one plane
    height apart plus the space that the picture pulls them apart by. Raises InputError if the geometries do not fit
    together.
    """
    one = cells[-1]
    if len({g.period for g in cells}) != 1 or {(g.rows, g.columns) for g in cells} != {(1, 1)}:
        raise InputError(f"picture of {one.name}: every symbol needs a geometry of one cell with the same period")
    planes, rows, columns = bits.shape
    wide, deep = one.period
    out: list[Block] = []
    for plane in range(planes):
        lift = plane * _rise(one) - one.floor
        for box in one.boxes:
            if box.kind not in ("line", "shield"):
                continue
            along_x = direction(box) == "x"
            for k in range(rows if along_x else columns):
                block = _moved(box, (0.0, k * deep, lift) if along_x else (k * wide, 0.0, lift), role(box))
                end = (columns * wide, block.upper[1]) if along_x else (block.upper[0], rows * deep)
                out.append(replace(block, upper=(*end, block.upper[2])))
        for row, column in np.ndindex(rows, columns):
            symbol = int(bits[plane, row, column])
            out += _cell_blocks(cells[symbol], symbol_values[symbol], (column * wide, row * deep, lift))
    return tuple(out)


def _cell_blocks(cell: CellGeometry, bit: int, shift: tuple[float, float, float]) -> list[Block]:
    """Tabs, vias and resistors of one cell; a tab carries the footprint of the via that it covers."""
    own = [box for box in cell.boxes if box.kind not in ("line", "shield")]
    vias = [_moved(box, shift, role(box, bit)) for box in own if box.kind == "via"]
    out = list(vias)
    for box in own:
        if box.kind == "via":
            continue
        block = _moved(box, shift, role(box))
        for via in vias if box.kind == "tab" else []:
            x0, y0 = max(via.lower[0], block.lower[0]), max(via.lower[1], block.lower[1])
            x1, y1 = min(via.upper[0], block.upper[0]), min(via.upper[1], block.upper[1])
            if x0 < x1 and y0 < y1:
                block = replace(block, mark=(x0, y0, x1, y1), bit=bit)
        out.append(block)
    return out


def paint_order(blocks: tuple[Block, ...]) -> list[int]:
    """Indices back to front: a block comes before every other that may hide part of it.

    Disjoint axis-aligned boxes: if A lies wholly on the far side of B along some axis, A cannot hide B. The constraints
    are sorted topologically (ties by depth); long thin boxes in one layer cannot form a cycle because layers separate.
    """
    lower = np.array([b.lower for b in blocks])
    upper = np.array([b.upper for b in blocks])
    tol = 1e-13
    far = (upper[:, None, :] <= lower[None, :, :] + tol).any(axis=2)  # far[a, b]: a cannot hide b
    before = far & ~far.T & _overlapping(blocks)
    waiting = before.sum(axis=0)
    rank = (lower + upper).sum(axis=1)
    ready = [(float(rank[i]), int(i)) for i in np.flatnonzero(waiting == 0)]
    heapq.heapify(ready)
    order: list[int] = []
    left = set(range(len(blocks)))
    while left:
        if not ready:  # a cycle: take the farthest, never drop a box
            ready = [min((float(rank[i]), i) for i in left)]
        _, here = heapq.heappop(ready)
        if here not in left:
            continue
        left.discard(here)
        order.append(here)
        for after in np.flatnonzero(before[here]):
            waiting[after] -= 1
            if waiting[after] == 0:
                heapq.heappush(ready, (float(rank[after]), int(after)))
    return order


def _corners(block: Block) -> list[Xy]:
    (x0, y0, z0), (x1, y1, z1) = block.lower, block.upper
    return [_project(x, y, z) for z in (z0, z1) for x, y in ((x0, y0), (x1, y0), (x1, y1), (x0, y1))]


def _overlapping(blocks: tuple[Block, ...]) -> BoolArray:
    """Whether the drawn rectangles around two blocks overlap: only then does their order matter."""
    points = np.array([_corners(b) for b in blocks])
    low, high = points.min(axis=1), points.max(axis=1)
    out: BoolArray = ((low[:, None] < high[None]) & (low[None] < high[:, None])).all(axis=2)
    return out


def stack_picture(
    cells: Sequence[CellGeometry],
    bits: BitArray,
    planes: tuple[str, ...],
    *,
    symbol_values: Sequence[int] = (0, 1),
    width: float = 720.0,
) -> str:
    """The tile as SVG text; x, y and z to one scale, planes pulled apart, one label per plane, with a legend."""
    blocks, one = tile_blocks(cells, bits, symbol_values), cells[-1]
    points = np.array([_corners(b) for b in blocks])
    low, high = points.min(axis=(0, 1)), points.max(axis=(0, 1))
    left, right, top = 12.0, 12.0, 8.0
    pixel = (width - left - right) / (high[0] - low[0])
    bottom = top + (high[1] - low[1]) * pixel
    canvas = Canvas(width, bottom)

    def screen(point: Xy) -> Xy:
        return (left + (point[0] - low[0]) * pixel, top + (point[1] - low[1]) * pixel)

    for index in paint_order(blocks):
        block = blocks[index]
        paint = PAINT[block.role]
        _, c10, c11, c01, t00, t10, t11, t01 = (screen(p) for p in _corners(block))
        edge: dict[str, str | float | None] = {"stroke": INK, "stroke_width": 0.5, "stroke_linejoin": "round"}
        canvas.polygon((c10, c11, t11, t10), fill=paint.side, **edge)
        canvas.polygon((c01, c11, t11, t01), fill=paint.fill, **edge)
        canvas.polygon((t00, t10, t11, t01), fill=paint.top, **edge)
        if block.mark is not None:
            _draw_mark(canvas, block, block.mark, pixel, screen)
    for plane, label in enumerate(planes):
        x, y = screen(_project(0.0, bits.shape[1] * one.period[1], plane * _rise(one)))
        canvas.line((x, y + 2), (x, y + 27), stroke=SOFT, stroke_width=1.2)
        canvas.text((x + 6, y + 27), label, size=14, font_weight="600", stroke="#ffffff", stroke_width=4,
                    stroke_linejoin="round", paint_order="stroke")  # fmt: skip
    present = {block.role for block in blocks}
    canvas.height = (
        legend(canvas, [kind for kind in PAINT if kind in present], left, bottom + 30, width, via_labels(symbol_values))
        + 10
    )
    values = np.asarray(symbol_values)[bits]
    kind = "ones" if tuple(symbol_values) == (0, 1) else "symbols other than 0"
    stored = ", ".join(f"plane {i}: {np.count_nonzero(v)} {kind} of {v.size}" for i, v in enumerate(values))
    return canvas.render("Stack of planes with stored weight bits", f"{stored}. Planes are pulled apart.")


def _draw_mark(canvas: Canvas, block: Block, mark: Rectangle, pixel: float, screen: Callable[[Xy], Xy]) -> None:
    """The hidden via's footprint and bit on the top face of its tab."""
    x0, y0, x1, y1 = mark
    z = block.upper[2]
    paint = PAINT["via" if block.bit else "via0"]
    inset = 0.12 * min(x1 - x0, y1 - y0)
    x0, y0, x1, y1 = x0 + inset, y0 + inset, x1 - inset, y1 - inset
    canvas.polygon((screen(_project(x, y, z)) for x, y in ((x0, y0), (x1, y0), (x1, y1), (x0, y1))), fill=paint.fill)
    x, y = screen(_project((x0 + x1) / 2, (y0 + y1) / 2, z))
    size = (y1 - y0) * pixel
    if size < 6:
        return
    skew = (cos(_TURN), sin(_TURN) * sin(_TILT), -sin(_TURN), cos(_TURN) * sin(_TILT), x, y)
    # five decimals: the matrix multiplies lengths of tens of pixels
    matrix = " ".join(f"{v:.5f}" for v in skew[:4]) + f" {svg_number(x)} {svg_number(y)}"
    canvas.text((0.0, size * 0.36), str(block.bit), size=size, anchor="middle", fill="#ffffff", font_weight="700",
                transform=f"matrix({matrix})")  # fmt: skip
