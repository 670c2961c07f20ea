"""A row of drawn segments, one per column of a tile, with the shapes that run through all of them and their names."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from interconnect.files import atomic_write_files
from interconnect.stack import Stack
from metalrom.layout.canvas import Canvas, half
from metalrom.layout.draw import gdstk_module
from metalrom.layout.files import STAMP
from metalrom.layout.front_end import FrontEnd
from metalrom.layout.layers import LayerMap, Number
from metalrom.layout.segment import WIRING, SegmentDrawing
from metalrom.layout.tower import draw_end, nm, pad_around

Names = Callable[[str, int], str]
"""Name in the file of a net of the segment (`bl_0`, `reset_0`, `line`, ...) in a column."""


END = 60
"""met1 beyond the outermost cut on a line, nm: m1.5 of sky130."""


def same_names(net: str, column: int) -> str:
    """Nets of a row of segments that stands alone: those of one column end in its number."""
    return f"{net}_c{column}" if net.startswith("bl_") or net == "line" else net


def segment_row(
    stack: Stack, drawing: SegmentDrawing, columns: int, names: Names = same_names, *, stub: int = 0
) -> Canvas:
    """So many segments side by side, their lower left corner at the origin. stub: length of the bit lines below, nm."""
    out = Canvas()
    for c in range(columns):
        out.add(drawing.column, c * drawing.pitch)
    width = columns * drawing.pitch
    # Transistors may stand out of the outer columns, by what is the distance between two elsewhere.
    left, right = drawing.column.reach("diff", "poly", "mcon", "li1")
    left, right = min(left, 0), max(right, drawing.pitch) + width - drawing.pitch
    for layer, bottom, top, beyond in drawing.across:
        out.box(layer, left - beyond, bottom, right + beyond, top)
    for net, bottom, top in drawing.lines:
        out.box(WIRING, left - END, bottom, right + END, top)
        out.text(WIRING, names(net, 0), half(top - bottom), half(bottom + top))
    for net in {net for net, _, _ in drawing.lines}:
        _join(out, stack, [line for line in drawing.lines if line[0] == net], left - END, right + END)
    for c in range(columns):
        for net, metal, (low, high) in drawing.bit_lines:
            x, y = half(low + high), half(high - low)
            out.text(metal, names(net, c), c * drawing.pitch + x, y)
            if stub:
                out.box(metal, c * drawing.pitch + low, -stub, c * drawing.pitch + high, 0)
        metal, (x, y) = drawing.line
        out.text(metal, names("line", c), c * drawing.pitch + x, y)
    return out


def _join(out: Canvas, stack: Stack, lines: list[tuple[str, int, int]], left: int, right: int) -> None:
    """Lines of one net: a strap at either end of the row, on the metal above them."""
    if len(lines) < 2:
        return
    above = stack.metals[stack.index(WIRING) + 1].name
    via = stack.via_between(WIRING, above)
    pads = [pad_around(stack, metal, via) for metal in (WIRING, above)]
    away = nm(stack.metal(WIRING).min_space) + half(pads[0].along)
    heights = [half(bottom + top) for _, bottom, top in lines]
    for x, end in ((left - away, left), (right + away, right)):
        out.box(above, x - half(pads[1].across), min(heights), x + half(pads[1].across), max(heights))
        for (_, bottom, top), y in zip(lines, heights, strict=True):
            out.box(WIRING, min(x, end), bottom, max(x, end), top)
            out.centred(via.name, (x, y), nm(via.size), nm(via.size))
            draw_end(out, stack, WIRING, via, (x, y), upright=False)
            draw_end(out, stack, above, via, (x, y), upright=True)


def write_segments(path: Path, canvas: Canvas, front: FrontEnd, layers: LayerMap, grid: float) -> None:
    """Write a row of segments as a GDSII file of one cell, `segments`; grid: database unit, m."""
    gdstk = gdstk_module()
    library = gdstk.Library("metalrom", unit=1e-6, precision=grid)
    add_canvas(gdstk, library.new_cell("segments"), canvas, front, layers)
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "segments.gds"
        library.write_gds(made, timestamp=STAMP)
        content = made.read_bytes()
    atomic_write_files(path.parent, {path.name: content})


def add_canvas(gdstk: Any, cell: Any, canvas: Canvas, front: FrontEnd, layers: LayerMap) -> None:
    """The shapes and texts of a canvas in a cell in um."""
    for layer, rects in canvas.rects.items():
        number = _number(layer, front, layers)
        for x0, y0, x1, y1 in rects:
            cell.add(gdstk.rectangle((x0 / 1e3, y0 / 1e3), (x1 / 1e3, y1 / 1e3), layer=number[0], datatype=number[1]))
    for text in canvas.texts:
        label = layers.layers[text.layer].label
        if label is not None:
            at = (text.at[0] / 1e3, text.at[1] / 1e3)
            cell.add(gdstk.Label(text.net, at, layer=label[0], texttype=label[1]))


def _number(layer: str, front: FrontEnd, layers: LayerMap) -> Number:
    return front.layers[layer] if layer in front.layers else layers.layers[layer].drawing
