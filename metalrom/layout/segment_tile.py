"""A tile with its segments: the rows of every group as they are drawn without them, a row of segments above each."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from interconnect.errors import InputError
from metalrom.layout.canvas import Canvas
from metalrom.layout.plan import Plan
from metalrom.layout.read import Shapes
from metalrom.layout.segment_drawing import BitLine, SegmentDrawing, SegmentSite
from metalrom.layout.segment_rows import Names, segment_rows, tile_names

OVERLAP = 100
"""How far bit lines of the segments reach into those of the rows, nm."""


def segment_site(plan: Plan, line_metal: str) -> SegmentSite:
    """Where the segments of a tile are drawn. Raises InputError for planes whose columns are not at one pitch."""
    unit = plan.grid * 1e9
    pitches = {round(part.pattern.column_pitch * unit) for part in plan.parts}
    if len(pitches) > 1:
        raise InputError(
            f"columns of the planes are at {' and '.join(map(str, sorted(pitches)))} nm",
            where="cell.column_pitch",
            hint="one pitch for all planes, so that their bit lines meet at one segment",
        )
    lines = []
    for part in plan.parts:
        columns = [(round(c.low * unit), round(c.high * unit), c.bit_line) for c in part.pattern.columns]
        low, high, _ = next(line for line in columns if line[2])
        through = tuple((a, b) for a, b, bit_line in columns if not bit_line)
        lines.append(BitLine(part.pattern.plane.column, low, high, through))
    return SegmentSite(tuple(lines), pitches.pop(), line_metal)


def tile_with_segments(plan: Plan, shapes: Shapes, drawing: SegmentDrawing, names: Names = tile_names) -> Canvas:
    """The tile of a plan with a row of segments above every group of its rows.

    shapes: the tile as it was drawn, read from its file. Lines that pass a row of segments (shields) are drawn through
    it; the lines of the columns run under or over the rows.

    Raises InputError for planes whose rows are not at one pitch.
    """
    unit = plan.grid * 1e9
    part = plan.parts[0]
    if len({(p.pattern.row_pitch, p.cuts, p.cut_columns) for p in plan.parts}) > 1:
        raise InputError(
            "the planes' rows are at different pitches, in different groups or used in different columns",
            where="cell.row_pitch",
            hint="one pitch for all planes, so that their groups end at one height",
        )
    edges = [round(r * part.pattern.row_pitch * unit) for r in (0, *part.cuts, part.rows)]
    out = Canvas()
    for name, layer in plan.layers.layers.items():
        rects = np.rint(shapes.of(layer.drawing) * unit).astype(np.int64)
        for group, (low, high) in enumerate(pairwise(edges)):
            inside = rects[(rects[:, 1] < high) & (rects[:, 3] > low)]
            inside = np.clip(inside, [-(2**40), low, -(2**40), low], [2**40, high, 2**40, high])
            inside = inside + np.array([0, 1, 0, 1]) * group * drawing.height
            out.rects[name] += [(x0, y0, x1, y1) for x0, y0, x1, y1 in inside.tolist()]
    gap = max(-(p.pattern.gap[0] if p.pattern.gap else 0) for p in plan.parts)
    columns, left = len(part.cut_columns), round(part.cut_columns.start * part.pattern.column_pitch * unit)
    places = segment_places(plan, drawing)
    stub = max(0, round(gap * unit)) + OVERLAP
    # Names stand on the bit lines of the rows, so that one that does not reach its segment is found.
    rows = segment_rows(
        plan.stack, drawing, columns, names, places=places, left=left, stub=stub, names_below=stub + OVERLAP
    )
    out.add(rows)
    metal, (x, half_width) = drawing.line
    for group, place in enumerate(places):
        for c in range(columns):
            middle = left + c * drawing.pitch + x
            out.box(metal, middle - half_width, edges[group] + group * drawing.height, middle + half_width, place)
    return out


def segment_places(plan: Plan, drawing: SegmentDrawing) -> tuple[int, ...]:
    """Lower side of every row of segments, nm."""
    part, unit = plan.parts[0], plan.grid * 1e9
    ends = (*part.cuts, part.rows)
    return tuple(round(r * part.pattern.row_pitch * unit) + k * drawing.height for k, r in enumerate(ends))
