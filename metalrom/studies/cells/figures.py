"""Pictures of the page: levels with +-3 sigma side by side, sigma by cause, and what each cell costs."""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_uppercase
from typing import TYPE_CHECKING

import numpy as np

from characterization.charts import SERIES, TARGET
from metalrom.drawing.svg import INK
from metalrom.formatting import prefix
from metalrom.reports.plots import chart, svg
from metalrom.studies.cells.comparison import CellReading, CellsPage

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIGMAS = 3.0
PARTS = (("cell", "cells"), ("switch", "reset switch, drivers"), ("noise", "thermal noise"),
         ("pattern", "place, neighbours"), ("converter", "converter (assumed)"))  # fmt: skip


def colour(letter: str) -> str:
    """The colour of a cell on every picture."""
    return SERIES[ascii_uppercase.index(letter) % len(SERIES)]


def level_figure(readings: Sequence[CellReading], key: str) -> str:
    """Above: levels of all rows active with +-3 sigma, a panel per cell. Below: distance from the line that the
    thresholds expect, in counts; thresholds lie at +-0.5."""
    with chart(13.4, 5.2) as figure:
        grid = figure.subplots(2, len(readings), squeeze=False, sharex="col", height_ratios=(1.2, 1))
        reach = 0.62
        for above, below, reading in zip(grid[0], grid[1], readings, strict=True):
            fact, lv = reading.fact, reading.levels
            scale, unit = prefix(float(np.abs(lv.level).max()), fact.unit)
            paint = colour(fact.letter)
            _band(above, lv.count, lv.level / scale, SIGMAS * lv.sigma / scale, paint)
            above.set_title(f"{fact.letter}  {fact.kind}")
            above.set_ylabel(f"level, {unit}")
            off = (lv.level - lv.line) / fact.lsb
            _band(below, lv.count, off, SIGMAS * lv.sigma / fact.lsb, paint)
            for edge in (-0.5, 0.5):
                below.axhline(edge, color=TARGET, linestyle="--", linewidth=1.1)
            reach = max(reach, float(np.abs(off).max() + SIGMAS * lv.sigma.max() / fact.lsb) * 1.05)
            below.set_xlabel("MAC count")
        for below in grid[1]:
            below.set_ylim(-min(reach, 2.0), min(reach, 2.0))
        grid[1][0].set_ylabel("distance from\nthe line, counts")
        grid[1][0].text(0.02, 0.47, "threshold", color=TARGET, va="top", fontsize=9,
                        transform=grid[1][0].get_yaxis_transform())  # fmt: skip
        return svg(figure, key, "Levels of every cell with bands of three sigma, all rows active")


def _band(panel: Axes, count: np.ndarray, level: np.ndarray, spread: np.ndarray, paint: str) -> None:
    panel.fill_between(count, level - spread, level + spread, color=paint, alpha=0.22, linewidth=0)
    panel.plot(count, level, color=paint, marker="o", markersize=1.8 if len(count) > 24 else 3.2, linewidth=1.0)


def summary_figure(page: CellsPage, key: str) -> str:
    """Sigma by cause, energy of a MAC with its range, and density of weight bits with periphery, per cell and rows."""
    with chart(13.4, 4.2) as figure:
        left, middle, right = figure.subplots(1, 3, width_ratios=(1.5, 1, 1))
        facts = [r.fact for r in page.readings]
        place = np.arange(len(facts)) + np.array([0.6 * page.rows.index(f.rows) for f in facts])
        names = [f.letter for f in facts]
        bottom = np.zeros(len(facts))
        shades = ("#2f6db5", "#e08a1e", "#566472", "#2a9d8f", "#c9d2da")
        for (name, words), shade in zip(PARTS, shades, strict=True):
            squares = np.array([getattr(f, name) ** 2 for f in facts])
            left.bar(place, squares, bottom=bottom, color=shade, label=words, width=0.72)
            bottom = bottom + squares
        left.set_title("Variance of a conversion, by cause")
        left.set_ylabel("LSB²")
        left.legend(loc="upper left")
        left.set_ylim(top=1.45 * float(bottom.max()))  # room for the legend
        for panel, name, title, unit, factor in (
            (middle, "energy_mac", "Energy of a MAC", "fJ", 1e15),
            (right, "weight_density", "Weight bits, with periphery", "Mb/mm²", 1.0),
        ):
            ends = np.array([getattr(f, name) for f in facts]) * factor
            for x, (low, mid, high), fact in zip(place, ends, facts, strict=True):
                panel.plot([x, x], [low, high], color=colour(fact.letter), linewidth=3, alpha=0.45)
                panel.plot([x], [mid], color=colour(fact.letter), marker="o", markersize=6)
            panel.set_title(title)
            panel.set_ylabel(unit)
            panel.set_ylim(bottom=0)
        for panel in (left, middle, right):
            panel.set_xticks(place, names)
            panel.grid(visible=False, axis="x")
            for rows in page.rows:
                at = [x for x, f in zip(place, facts, strict=True) if f.rows == rows]
                panel.text(float(np.mean(at)), -0.13, f"{rows} rows", ha="center", va="top", color=INK, fontsize=9.5,
                           transform=panel.get_xaxis_transform())  # fmt: skip
        return svg(figure, key, "Variance by cause, energy per MAC and density of every cell")
