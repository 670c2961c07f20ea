"""Maps over active rows and count: where codes err, and which reads the layer really does."""

import numpy as np
from numpy.typing import NDArray

from characterization.tables.table import ReadoutTable
from interconnect.arrays import FloatArray, IntArray
from metalrom.drawing.svg import SOFT, Canvas, svg_number
from metalrom.formatting import probability

_STEPS = ("#f1f5f8", "#dbe6ef", "#b9d3e6", "#8fbbdb", "#5f9bcb", "#3f77b5", "#7a4f9e", "#b1306f", "#d4213d", "#8a0d1c")
_SHARES = ("#f3f6f2", "#e3ece0", "#cfdfca", "#b7d0b0", "#9cbf95", "#7fad7b", "#629962", "#47844b", "#2f6c37", "#1c5226")
_LOWEST, _STRIDE = -20, 2
"""A colour per two decades from 1e-20 on: the last of ten is from 1e-2 to 1."""
_SIDE, _TOP, _LEFT, _GAP = 340.0, 46.0, 46.0, 74.0


def error_map(table: ReadoutTable, nominal: str, histogram: NDArray[np.integer] | None) -> str:
    """P(code error) of every (active, count) at the nominal and the weakest condition, and how often the layer meets
    each pair; as SVG text.

    histogram: conversions by (active, count), shape (rows + 1, rows + 1), or None.
    """
    found = table.worst_margin()
    labels = list(dict.fromkeys([nominal, found.condition]))
    titles = [f"{label}{' (nominal)' if label == nominal else ' (weakest)'}" for label in labels]
    maps = [_decades(table.code_errors(label)) for label in labels]
    used = None
    if histogram is not None and histogram.shape == (table.rows + 1,) * 2 and histogram.sum() > 0:
        used = _decades(np.where(histogram > 0, histogram / histogram.sum(), np.nan))
        maps.append(used)
        titles.append("share of the layer's reads")
    canvas = Canvas(_LEFT + len(maps) * (_SIDE + _GAP) - _GAP + 20, _TOP + _SIDE + 96)
    for k, (title, values) in enumerate(zip(titles, maps, strict=True)):
        _map(canvas, _LEFT + k * (_SIDE + _GAP), title, values, _SHARES if k == len(labels) else _STEPS)
    _key(canvas, _LEFT, _TOP + _SIDE + 52, shares=used is not None)
    return canvas.render(
        "Code-error map", "Probability of a wrong code for every number of active rows and every count."
    )


def _decades(values: FloatArray) -> IntArray:
    """Index of the colour of every value, -1 where there is none."""
    with np.errstate(divide="ignore", invalid="ignore"):
        step = np.floor((np.log10(np.maximum(values, 10.0**_LOWEST)) - _LOWEST) / _STRIDE)
    return np.where(np.isnan(values), -1, np.clip(step, 0, len(_STEPS) - 1)).astype(np.int64)


def _map(canvas: Canvas, x: float, title: str, values: IntArray, colours: tuple[str, ...]) -> None:
    """Active rows to the right, counts upwards; neighbours of one colour become one rectangle."""
    n = len(values)
    cell = _SIDE / n
    canvas.text((x, _TOP - 14), title, size=14, font_weight="600")
    for colour, fill in enumerate(colours):
        steps = []
        for active in range(n):
            same = np.flatnonzero(np.diff(np.concatenate([[0], values[active] == colour, [0]]).astype(np.int8)))
            for start, stop in same.reshape(-1, 2):
                left, top = x + active * cell, _TOP + (n - stop) * cell
                height = (stop - start) * cell
                steps.append(
                    f"M{svg_number(left)} {svg_number(top)}h{svg_number(cell)}"
                    f"v{svg_number(height)}h{svg_number(-cell)}z"
                )
        if steps:
            canvas.path("".join(steps), fill=fill, stroke=fill, stroke_width=0.25)
    canvas.line((x, _TOP + _SIDE), (x + _SIDE, _TOP + _SIDE), stroke=SOFT)
    canvas.line((x, _TOP), (x, _TOP + _SIDE), stroke=SOFT)
    rows = n - 1
    for tick in dict.fromkeys((0, rows // 2, rows)):
        at = (tick + 0.5) * cell
        canvas.text((x + at, _TOP + _SIDE + 16), str(tick), size=12, anchor="middle", fill=SOFT)
        canvas.text((x - 6, _TOP + _SIDE - at + 4), str(tick), size=12, anchor="end", fill=SOFT)
    canvas.text((x + _SIDE / 2, _TOP + _SIDE + 34), "active rows", size=12.5, anchor="middle")
    canvas.turned((x - 30, _TOP + _SIDE / 2), "count", size=12.5)


def _key(canvas: Canvas, x: float, y: float, *, shares: bool) -> None:
    wide = 74.0
    canvas.text((x + 10 * wide + 10, y + 11), "P(code error)", size=12)
    if shares:
        canvas.text((x + 10 * wide + 10, y + 26), "share of the reads", size=12)
    for k in range(len(_STEPS)):
        for row, colours in enumerate((_STEPS, _SHARES) if shares else (_STEPS,)):
            canvas.rect(x + k * wide, y + 15 * row, wide, 13, fill=colours[k], stroke="#c3ccd4", stroke_width=0.5)
        lowest = "below" if k == 0 else f"{probability(10.0 ** (_LOWEST + _STRIDE * k))}"
        canvas.text((x + k * wide, y + (41 if shares else 26)), lowest, size=11, fill=SOFT)
