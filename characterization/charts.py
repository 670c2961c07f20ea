"""Charts of results: what one is, and what its drawing may use. Nothing here imports the library that draws."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from interconnect.errors import InputError
from interconnect.formatting import prefix

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK = "#1d2733"
SOFT = "#566472"
TARGET = "#8d1226"
SERIES = ("#2f6db5", "#c8203a", "#2a9d8f", "#a65ba0", "#e08a1e", "#566472")
"""Colours of the curves of one chart, in this order: of different lightness, so that they survive grey print."""
MARKS = ("o", "s", "^", "D", "v", "P")
"""Markers of the curves of one chart, in this order."""
HEIGHT = 3.6
"""Usual height of a chart, inches."""


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture of a result; outputs that show it know nothing else of the procedure.

    Parameters
    ----------
    name
        Part of the picture's file name: lower-case letters, digits and `_`, unique within its result.
    title
        Its heading.
    caption
        One or two sentences: what to see in it.
    draw
        Draws into the matplotlib axes that it is given; needs to import nothing for that.
    height
        Inches; the width is that of the page.
    """

    name: str
    title: str
    caption: str
    draw: Callable[[Axes], None]
    height: float = HEIGHT

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9_]{1,60}", self.name):
            raise InputError(f"a chart cannot be called {self.name!r}", hint="use lower-case letters, digits and _")


def height_for(bars: int, *, each: float = 0.42, besides: float = 1.4) -> float:
    """Height of a chart with so many horizontal bars, inches."""
    return max(HEIGHT, each * bars + besides)


def axis_scale(values: Iterable[float], unit: str) -> tuple[float, str]:
    """(scale, printed unit) that suit an axis with these values, NaN aside: divide them by the scale."""
    sizes = np.abs(np.fromiter(values, dtype=np.float64))
    return prefix(float(np.max(sizes[np.isfinite(sizes)], initial=0.0)), unit)


def label_bars(axes: Axes, places: Iterable[float], names: Iterable[str]) -> None:
    """Name horizontal bars at their side, the first on top."""
    axes.set_yticks(list(places), list(names))
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")


def legend_below(axes: Axes, columns: int) -> None:
    """The legend beneath the axes, in at most three columns."""
    handles, labels = axes.get_legend_handles_labels()
    axes.figure.legend(handles, labels, loc="outside lower center", ncols=min(max(columns, 1), 3))
