"""A cell drawn to scale from its boxes: cuts along a row and along a bit line, and the view from above."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Literal

from interconnect.geometry import GROUND, Box, CellGeometry
from metalrom.drawing.palette import PAINT, Paint, Role, layers, legend, name, role
from metalrom.drawing.svg import INK, SOFT, Canvas, text_width

NM = 1e9
_Place = tuple[float, float, float]  # left, right, baseline (pixels) of a text
_SHEET = 16.0
_GHOST = 0.28
_MARGIN = 0.3  # of a period: how much of the neighbouring copies is shown on each side
_INNER = 300.0  # pixels for the longer period and its margins; every view of a cell has this one scale


def _scale(geometry: CellGeometry) -> float:
    """Pixels per metre, the same in all views of a cell."""
    return _INNER / (max(geometry.period) * (1 + 2 * _MARGIN))


def _left(geometry: CellGeometry) -> float:
    """Room for the names of metals and rows at the left of a view, pixels."""
    rows = [box.net for box in geometry.boxes if role(box) in ("signal", "ground")]
    return max([26.0, *(text_width(label, 12.5) for label in (*(n for n, _, _ in layers(geometry)), *rows))]) + 14.0


def _nm(length: float) -> str:
    return f"{length * NM:.4g}"


def _roles(boxes: list[Box], bit: int) -> list[Role]:
    present = {role(box, bit) for box in boxes}
    return [item for item in PAINT if item in present]


def _edges(boxes: list[Box], axis: int, period: float) -> list[float]:
    """Edges of the boxes inside one period along an axis, ascending, with both ends of the period."""
    values = {0.0, period}
    for box in boxes:
        values |= {v for v in (box.lower[axis], box.upper[axis]) if 0 < v < period}
    ordered = sorted(values)
    return [v for i, v in enumerate(ordered) if i == 0 or v - ordered[i - 1] > 1e-12]


def _chain(canvas: Canvas, marks: list[float], y: float) -> float:
    """Dimension chain: `marks` alternate pixel positions and lengths (x0, m0, x1, ... , xn); returns its height."""
    positions, lengths = marks[::2], marks[1::2]
    low = second = False
    for start, end, length in zip(positions[:-1], positions[1:], lengths, strict=True):
        text = _nm(length)
        tight = text_width(text, 11) > end - start - 2
        low = tight and not low
        second |= low
        canvas.dimension((start, y), (end, y), text, shift=12.0 if low else 0.0)
    return 32.0 if second else 20.0


def _spans(edges: list[float], pixel: float, origin: float) -> list[float]:
    out = [origin + edges[0] * pixel]
    for a, b in pairwise(edges):
        out += [b - a, origin + b * pixel]
    return out


def cut_position(geometry: CellGeometry, axis: Literal["x", "y"]) -> float:
    """Where a cut is laid: through the first via or resistor, else through the middle of the period (m)."""
    i = 0 if axis == "x" else 1
    for box in geometry.boxes:
        if box.kind in ("via", "resistor"):
            return (box.lower[i] + box.upper[i]) / 2
    return geometry.period[i] / 2


def cross_section(
    geometry: CellGeometry, along: Literal["x", "y"] = "x", *, bit: int = 1, at: float | None = None
) -> str:
    """Vertical cut to scale as SVG text: `along` x shows the x-z plane (at y = `at`, m), y the y-z plane (at x = `at`).

    Default position: through the via. `bit` is what the cell stores. Only what the knife meets is drawn; the
    neighbouring copies are pale.
    Dimensions in nm: the highest cut metal layer's widths and spaces below, thicknesses at the right.
    """
    axis, across = (0, 1) if along == "x" else (1, 0)
    position = cut_position(geometry, "y" if along == "x" else "x") if at is None else at
    period = geometry.period[axis]
    tol = 1e-15
    hit = [b for b in geometry.boxes if b.lower[across] - tol <= position <= b.upper[across] + tol]
    pixel = _scale(geometry)
    left, right, top = _left(geometry), 56.0, 32.0
    width = left + right + period * (1 + 2 * _MARGIN) * pixel
    height = (geometry.ceiling - geometry.floor) * pixel
    canvas = Canvas(width, top)
    x0, y0 = left + period * _MARGIN * pixel, top + _SHEET + height

    def px(value: float) -> float:
        return x0 + value * pixel

    def py(z: float) -> float:
        return y0 - (z - geometry.floor) * pixel

    lo, hi = px(-_MARGIN * period), px((1 + _MARGIN) * period)
    other = "y" if along == "x" else "x"
    canvas.text((14, 18), f"Cut at {other} = {_nm(position)} nm, storing {bit}", size=13.5, font_weight="600")
    canvas.rect(lo, py(geometry.ceiling), hi - lo, height, fill="#f6f3ea")
    for label, edge in (("above", py(geometry.ceiling) - _SHEET), ("below", py(geometry.floor))):
        canvas.rect(lo, edge, hi - lo, _SHEET, fill=PAINT["shield"].fill)
        canvas.text(((lo + hi) / 2, edge + 12), f"{GROUND} (plane {label})", size=11, anchor="middle")
    for copy in (-1, 1, 0):
        for box in hit:
            start = max(px(box.lower[axis] + copy * period), lo)
            end = min(px(box.upper[axis] + copy * period), hi)
            if end <= start:
                continue
            paint = PAINT[role(box, bit)]
            tall = box.size[2] * pixel
            ghost = _GHOST if copy else 1.0
            canvas.rect(start, py(box.upper[2]), end - start, tall, fill=paint.fill, fill_opacity=ghost,
                        stroke=INK, stroke_width=0.7, stroke_opacity=ghost)  # fmt: skip
    for edge in (0.0, period):
        canvas.line((px(edge), py(geometry.ceiling)), (px(edge), y0),
                    stroke=SOFT, stroke_width=0.8, stroke_dasharray="5 4")  # fmt: skip
    for layer, bottom, upper in layers(geometry):
        canvas.text((lo - 6, (py(bottom) + py(upper)) / 2 + 4), layer, size=12, anchor="end", font_weight="600")
        canvas.dimension((hi + 10, py(bottom)), (hi + 10, py(upper)), _nm(upper - bottom))
    _gaps(canvas, geometry, hi + 10, py)
    outside: list[_Place] = []
    for box in hit:
        _name_in(canvas, box, px(box.lower[axis]), px(box.upper[axis]), py(box.upper[2]), box.size[2] * pixel, outside)
    base = y0 + _SHEET + 4
    for layer, _, _ in reversed(layers(geometry)):
        cut = [b for b in hit if b.layer == layer]
        edges = _edges(cut, axis, period)
        if len(edges) > 2:
            base += 14
            canvas.text((lo - 8, base + 4), layer, size=11, anchor="end", fill=SOFT)
            base += _chain(canvas, _spans(edges, pixel, x0), base)
    base += 14
    canvas.dimension((px(0), base), (px(period), base), f"{_nm(period)} nm period")
    canvas.height = legend(canvas, _roles(hit, bit), 14, base + 46, width) + 12
    nets = ", ".join(dict.fromkeys(box.net for box in hit))
    return canvas.render(f"Cut of cell {geometry.name} along {along}", f"Nets in the cut: {nets}. Lengths in nm.")


def _name_in(
    canvas: Canvas, box: Box, start: float, end: float, top: float, tall: float, outside: list[_Place]
) -> None:
    """Write a box's name inside it if it fits (level or turned), else above it, clear of other such names."""
    ink = INK if role(box) in ("shield", "signal") else "#ffffff"
    for label in (name(box), box.net):
        if text_width(label, 11.5) < end - start - 4 and tall > 13:
            canvas.text(((start + end) / 2, top + tall / 2 + 4), label, size=11.5, anchor="middle", fill=ink)
            return
        if text_width(label, 11.5) < tall - 4 and end - start > 13:
            canvas.turned(((start + end) / 2, top + tall / 2), label, size=11.5, fill=ink)
            return
    half, y = text_width(box.net, 10.5) / 2 + 2, top - 4
    middle = (start + end) / 2
    while any(abs(y - at) < 11 and middle - half < right and left < middle + half for left, right, at in outside):
        y -= 12
    outside.append((middle - half, middle + half, y))
    canvas.text((middle, y), box.net, size=10.5, anchor="middle", stroke="#ffffff", stroke_width=3,
                stroke_linejoin="round", paint_order="stroke")  # fmt: skip


def _gaps(canvas: Canvas, geometry: CellGeometry, x: float, py: Callable[[float], float]) -> None:
    """Heights of the dielectric between the metals and the planes."""
    stops = [geometry.floor]
    for _, bottom, top in layers(geometry):
        stops += [bottom, top]
    stops.append(geometry.ceiling)
    for low, high in zip(stops[::2], stops[1::2], strict=True):
        if high - low > 1e-12:
            canvas.dimension((x, py(low)), (x, py(high)), _nm(high - low))


def top_view(geometry: CellGeometry, *, bit: int = 1) -> str:
    """The cell from above to scale as SVG text: rows, bit lines, tab, via, shield with net names and nm dimensions.

    Upper metals are drawn translucent over lower ones; vias are outlined and crossed. The period is dashed, the
    neighbouring copies are pale.
    """
    left, right, top = _left(geometry), 56.0, 72.0
    wide, deep = geometry.period
    pixel = _scale(geometry)
    width = left + right + wide * (1 + 2 * _MARGIN) * pixel
    height = deep * (1 + 2 * _MARGIN) * pixel
    metals = layers(geometry)
    order = [layer for layer, _, _ in metals]
    planar = sorted((b for b in geometry.boxes if b.layer in order), key=lambda b: order.index(b.layer))
    plugs = [b for b in geometry.boxes if b.layer not in order]
    canvas = Canvas(width, top)
    x0, y0 = left + wide * _MARGIN * pixel, top + deep * _MARGIN * pixel

    def area(box: Box, dx: float, dy: float) -> tuple[float, float, float, float] | None:
        """Rectangle (x, y, width, height) of a copy of a box, clipped to the view; y grows downwards as in print."""
        start = max(x0 + (box.lower[0] + dx) * pixel, left)
        end = min(x0 + (box.upper[0] + dx) * pixel, width - right)
        upper = max(y0 + (box.lower[1] + dy) * pixel, top)
        lower = min(y0 + (box.upper[1] + dy) * pixel, top + height)
        return (start, upper, end - start, lower - upper) if end > start and lower > upper else None

    canvas.text((14, 18), f"A cell storing {bit} from above", size=13.5, font_weight="600")
    canvas.rect(left, top, width - left - right, height, fill="#f6f3ea")
    copies = sorted(((i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)), key=lambda c: c == (0, 0))
    for boxes in (planar, plugs):
        for box in boxes:
            for i, j in copies:
                place = area(box, i * wide, j * deep)
                if place is None:
                    continue
                inside = (i, j) == (0, 0)
                upper = box.layer != order[0] if order else False
                _plan(canvas, PAINT[role(box, bit)], box, place, inside=inside, upper=upper)
    canvas.rect(x0, y0, wide * pixel, deep * pixel, fill="none", stroke=INK, stroke_width=1.1, stroke_dasharray="6 4")
    _plan_names(canvas, planar, (left, top, width - right, top + height), (x0, y0), pixel)
    base = top + height + 12
    uppers = [b for b in planar if b.layer == order[-1]] if order else []
    _chain(canvas, _spans(_edges(uppers, 0, wide), pixel, x0), base)
    canvas.text((left - 6, base + 14), order[-1] if order else "", size=11, anchor="end", fill=SOFT)
    edge = width - right + 12
    rows = [b for b in planar if b.layer == order[0]] if order else []
    steps = _edges(rows, 1, deep)
    for a, b in pairwise(steps):
        canvas.dimension((edge, y0 + a * pixel), (edge, y0 + b * pixel), _nm(b - a))
    canvas.text((edge - 4, y0 - 10), order[0] if order else "", size=11, fill=SOFT)
    size = f"period {_nm(wide)} × {_nm(deep)} nm, {geometry.area * 1e12:.4g} µm² per cell"
    canvas.text((left, base + 48), size, size=12.5)
    canvas.height = legend(canvas, _roles(list(geometry.boxes), bit), 14, base + 76, width) + 12
    return canvas.render(
        f"Cell {geometry.name} from above", f"Nets: {', '.join(geometry.nets)}. Lengths in nm; x along the rows."
    )


def _plan(
    canvas: Canvas, paint: Paint, box: Box, place: tuple[float, float, float, float], *, inside: bool, upper: bool
) -> None:
    """One rectangle of the top view; a plug gets a cross."""
    plug = box.kind in ("via", "resistor")
    strength = (0.78 if upper and not plug else 1.0) if inside else _GHOST
    canvas.rect(*place, fill=paint.fill, fill_opacity=strength, stroke=INK, stroke_width=0.8,
                stroke_opacity=1.0 if inside else _GHOST)  # fmt: skip
    if plug and inside:
        x, y, w, h = place
        for ends in (((x, y), (x + w, y + h)), ((x, y + h), (x + w, y))):
            canvas.line(*ends, stroke="#ffffff", stroke_width=1.4)


def _plan_names(
    canvas: Canvas,
    boxes: list[Box],
    view: tuple[float, float, float, float],
    origin: tuple[float, float],
    pixel: float,
) -> None:
    """Net names: rows at the left edge, columns above (staggered where they would touch)."""
    left, top, _, _ = view
    taken: list[tuple[float, float, float]] = []
    for box in boxes:
        if role(box) in ("signal", "ground"):
            y = origin[1] + (box.lower[1] + box.upper[1]) / 2 * pixel
            canvas.text((left - 6, y + 4), box.net, size=12, anchor="end", font_weight="600")
            continue
        x = origin[0] + (box.lower[0] + box.upper[0]) / 2 * pixel
        half = text_width(name(box), 11.5) / 2 + 3
        level = 0.0
        while any(abs(level - other) < 1 and x - half < end and start < x + half for start, end, other in taken):
            level += 15
        taken.append((x - half, x + half, level))
        canvas.text((x, top - 6 - level), name(box), size=11.5, anchor="middle", font_weight="600")
        if level:
            canvas.line((x, top - 4 - level), (x, top - 1), stroke=SOFT, stroke_width=0.6)
