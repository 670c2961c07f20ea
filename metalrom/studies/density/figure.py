"""Pictures of an exploration: density against signal, and what each cell gives up on its way to the reference line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from matplotlib.ticker import FixedLocator, FormatStrFormatter, NullFormatter

from characterization.charts import MARKS, SERIES, TARGET
from metalrom.drawing.svg import INK
from metalrom.macro.estimate import REFERENCE_DENSITY
from metalrom.reports.plots import chart, svg
from metalrom.studies.density.point import DesignPoint
from metalrom.studies.density.run import Exploration

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CEILING = 100.0
"""dB; points beyond are drawn here."""


def frontier_figure(found: Exploration) -> str:
    """One SVG: CSNR against raw density and against density with periphery; filled marks are the frontier."""
    with chart(11.0, 5.6) as figure:
        panels = figure.subplots(1, 2, sharey=True)
        for panel, raw, title in (
            (panels[0], True, "Cells alone"),
            (panels[1], False, "With periphery under the array"),
        ):
            _panel(panel, found, raw)
            panel.set_title(title)
        panels[0].set_ylabel("CSNR of the layer, expected, no fit (dB)")
        panels[1].legend(loc="lower left")
        text = (
            f"{len(found.points)} points; filled: not beaten in density, CSNR and energy by another point of its kind"
        )
        figure.suptitle(text, fontsize=9.5, x=0.01, ha="left")
        return svg(figure, "explore", "density against compute SNR of every design point")


def _panel(panel: Axes, found: Exploration, raw: bool) -> None:
    best = {p.key for p in found.frontier}
    kinds = list(dict.fromkeys(p.kind for p in found.points))
    for i, kind in enumerate(kinds):
        points = [p for p in found.points if p.kind == kind]
        colour, mark = SERIES[i % len(SERIES)], MARKS[i % len(MARKS)]
        panel.scatter(*_xy(points, raw), s=9, marker=mark, color=colour, alpha=0.18, linewidths=0)
        chosen = [p for p in points if p.key in best]
        panel.scatter(
            *_xy(chosen, raw), s=36, marker=mark, color=colour, label=kind, edgecolors="white", linewidths=0.5
        )
    line = REFERENCE_DENSITY.value
    panel.axvline(line, color=TARGET, linestyle="--", linewidth=1.2)
    panel.annotate(
        f"{line:g} published\n(cell or macro: not public)",
        (line, 0.02), xycoords=("data", "axes fraction"), xytext=(4, 0), textcoords="offset points",
        fontsize=8.5, color=TARGET,
    )  # fmt: skip
    for v in found.verified:
        x = v.point.density if raw else v.point.density_macro
        full = min(v.full.csnr, CEILING)
        panel.annotate(
            "", (x, full), xytext=(x, min(v.point.csnr, CEILING)),
            arrowprops={"arrowstyle": "->", "color": INK, "linewidth": 1.2},
        )  # fmt: skip
        panel.scatter([x], [full], s=60, marker="x", color=INK, zorder=4, label=_once(panel, "characterized in full"))
    panel.set_xscale("log")
    panel.xaxis.set_major_locator(FixedLocator([1, 2, 5, 10, 20, 50, 100, 200, 500]))
    panel.xaxis.set_major_formatter(FormatStrFormatter("%g"))
    panel.xaxis.set_minor_formatter(NullFormatter())
    panel.set_xlabel("density of via bits (Mb/mm2)")


def _once(panel: Axes, label: str) -> str | None:
    """The label the first time, None afterwards: one entry in the legend."""
    return None if label in panel.get_legend_handles_labels()[1] else label


def _xy(points: Sequence[DesignPoint], raw: bool) -> tuple[list[float], list[float]]:
    return (
        [p.density if raw else p.density_macro for p in points],
        [min(p.csnr, CEILING) for p in points],
    )
