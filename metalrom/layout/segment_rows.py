"""Rows of drawn segments, one per column of a tile, with the shapes that run through all of them and their names."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from interconnect.files import atomic_write_files
from interconnect.stack import Stack
from metalrom.layout.canvas import Canvas, half
from metalrom.layout.draw import gdstk_module
from metalrom.layout.files import STAMP
from metalrom.layout.front_end import FrontEnd
from metalrom.layout.layers import LayerMap, Number
from metalrom.layout.segment_drawing import WIRING, SegmentDrawing
from metalrom.layout.tower import draw_end, nm, pad_around

Names = Callable[[str, int, int], str]
"""Name in the file of a net of a segment (`bl_0`, `reset_0`, `line`, ...) by column and row of segments."""

END = 60
"""met1 beyond the outermost cut on a line, nm: m1.5 of sky130."""


def tile_names(net: str, column: int, row: int) -> str:
    """A tile's nets: bit lines, resets and selects are those of one row of segments; all rows share levels, supplies
    and the lines of the columns."""
    if net.startswith("bl_"):
        return f"bl{row}_p{net.removeprefix('bl_')}_{column}"
    if net == "line":
        return f"line_{column}"
    if net.startswith("reset_"):
        return f"reset{row}_p{net.removeprefix('reset_')}"
    if net.startswith("level_"):
        return f"level_p{net.removeprefix('level_')}"
    return f"select{row}" if net == "select" else net


def segment_rows(
    stack: Stack,
    drawing: SegmentDrawing,
    columns: int,
    names: Names = tile_names,
    *,
    places: Sequence[int] = (0,),
    left: int = 0,
    stub: int = 0,
    names_below: int = 0,
) -> Canvas:
    """Rows of so many segments side by side.

    Parameters
    ----------
    stack : Stack
        Rules of the metals.
    drawing : SegmentDrawing
        One segment.
    columns : int
        Segments of a row.
    names : callable, optional
        Names of nets; lines through all columns that have one name are joined beside the rows.
    places : sequence of int, optional
        Lower side of every row, nm.
    left : int, optional
        Left side of the first column, nm.
    stub : int, optional
        Length of the bit lines below a row, nm.
    names_below : int, optional
        How far below a row its bit lines carry their names, nm.

    Returns
    -------
    Canvas
    """
    row = Canvas()
    for c in range(columns):
        row.add(drawing.column, left + c * drawing.pitch)
        for _, metal, (low, high) in drawing.bit_lines if stub else ():
            row.box(metal, left + c * drawing.pitch + low, -stub, left + c * drawing.pitch + high, 0)
    # Transistors may stand out of the outer columns, by what is the distance between two elsewhere.
    low, high = row.reach("diff", "poly", "mcon", "li1")
    low, high = min(low, left), max(high, left + columns * drawing.pitch)
    for layer, bottom, top, beyond in drawing.across:
        row.box(layer, low - beyond, bottom, high + beyond, top)
    for _, bottom, top in drawing.lines:
        row.box(WIRING, low - END, bottom, high + END, top)
    out = Canvas()
    joined: dict[str, list[tuple[int, int]]] = {}
    for k, y in enumerate(places):
        out.add(row, 0, y)
        for net, bottom, top in drawing.lines:
            name = names(net, 0, k)
            out.text(WIRING, name, left + half(top - bottom), y + half(bottom + top))
            joined.setdefault(name, []).append((y + bottom, y + top))
        for c in range(columns):
            for net, metal, (x0, x1) in drawing.bit_lines:
                x = left + c * drawing.pitch + half(x0 + x1)
                out.text(metal, names(net, c, k), x, y + half(x1 - x0) - names_below)
            metal, (x, h) = drawing.line
            out.text(metal, names("line", c, k), left + c * drawing.pitch + x, y + h)
    above = stack.metals[stack.index(WIRING) + 1].name
    sides = row.reach(WIRING, above)
    for number, lines in enumerate(lines for lines in joined.values() if len(lines) > 1):
        _join(out, stack, lines, sides, number)
    return out


def _join(out: Canvas, stack: Stack, lines: list[tuple[int, int]], sides: tuple[int, int], number: int) -> None:
    """Lines of one net: a strap beyond either side, on the metal above them; number: of straps before it."""
    above = stack.metals[stack.index(WIRING) + 1].name
    via = stack.via_between(WIRING, above)
    pads = [pad_around(stack, metal, via) for metal in (WIRING, above)]
    space = max(nm(stack.metal(metal).min_space) for metal in (WIRING, above))
    away = space + half(pads[0].along) + number * (pads[0].along + space)
    heights = [half(bottom + top) for bottom, top in lines]
    for x, end in ((sides[0] - away, sides[0]), (sides[1] + away, sides[1])):
        out.box(above, x - half(pads[1].across), min(heights), x + half(pads[1].across), max(heights))
        for (bottom, top), y in zip(lines, heights, strict=True):
            out.box(WIRING, min(x, end), bottom, max(x, end), top)
            out.centred(via.name, (x, y), nm(via.size), nm(via.size))
            draw_end(out, stack, WIRING, via, (x, y), upright=False)
            draw_end(out, stack, above, via, (x, y), upright=True)


def write_segments(path: Path, canvas: Canvas, front: FrontEnd, layers: LayerMap, grid: float) -> None:
    """Write what was drawn as a GDSII file of one cell, `segments`; grid: database unit, m."""
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
