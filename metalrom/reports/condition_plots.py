"""Charts of a campaign over many conditions: margin and code error sorted, with the factors below; levels by corner.

Six conditions still fit into the other charts of the report; these are drawn beyond that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from characterization.charts import MARKS, SERIES, TARGET
from characterization.margins import sigma_needed
from characterization.tables.table import ReadoutTable
from metalrom.drawing.svg import INK, SOFT
from metalrom.formatting import prefix, probability
from metalrom.reports.plots import FLOOR, MAX_CONDITIONS, chart, plain_powers, svg
from netlists.condition import NOMINAL_METALS, Condition

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_DRAWN = 160
"""Bars that still can be distinguished over the width of a page; of more conditions the weakest are drawn."""

PROCESSES = ("ss", "sf", "tt", "fs", "ff")
SHADES = ("#dbe4ee", "#7ea6d3", "#1f4e86", "#e9b48a", "#b6562b", "#8fbf9f", "#2f7d5b", "#c9a6d6", "#6b4187")


def condition_pictures(
    table: ReadoutTable, nominal: str, layer_errors: Mapping[str, float], target_error: float
) -> dict[str, str]:
    """The pictures by file stem; none where the other charts show every condition already."""
    if len(table.conditions) <= MAX_CONDITIONS:
        return {}
    return {
        "conditions": condition_plot(table, nominal, layer_errors, target_error),
        "corner_levels": corner_plot(table, nominal),
    }


def factors(conditions: Sequence[Condition]) -> dict[str, tuple[str, ...]]:
    """What the conditions differ in, each with the value of every condition in words."""
    every = {
        "process": tuple(c.corner for c in conditions),
        "metals": tuple(c.beol for c in conditions),
        "supply": tuple(f"{c.vdd:g} V" for c in conditions),
        "temperature": tuple(f"{c.temperature:g} °C" for c in conditions),
    }
    return {name: values for name, values in every.items() if len(set(values)) > 1}


def condition_plot(table: ReadoutTable, nominal: str, layer_errors: Mapping[str, float], target_error: float) -> str:
    """Above: margin of the weakest level, conditions sorted by it. Middle: code error, of that level and over the
    layer. Below: what each condition is, one strip per factor."""
    found = {c.label: table.worst_margin(c) for c in table.conditions}
    margin = {label: w.margin for label, w in found.items() if np.isfinite(w.margin)}
    drawn = sorted((c for c in table.conditions if c.label in margin), key=lambda c: margin[c.label])[:MAX_DRAWN]
    x = np.arange(len(drawn))
    strips = factors(drawn)
    with chart(13.4, 5.6 + 0.34 * len(strips)) as figure:
        heights = (1.25, 1.25, *([0.14] * len(strips)))
        panels = figure.subplots(2 + len(strips), 1, sharex=True, height_ratios=heights)
        above, below = panels[0], panels[1]
        values = np.array([margin[c.label] for c in drawn])
        above.bar(x, values, width=0.78, color=[SERIES[4] if c.label == nominal else SERIES[0] for c in drawn])
        need = sigma_needed(target_error)
        above.axhline(
            need, color=TARGET, linestyle="--", label=f"needed for {probability(target_error)}: {need:.2f} sigma"
        )
        above.legend(loc="upper left")
        above.set_ylim(min(0.0, float(values.min())), 1.2 * max(need, float(values.max())))
        above.set_ylabel("margin, sigma")
        left_out = len(margin) - len(drawn)
        rest = f", {left_out} of larger margin not drawn" if left_out else ""
        above.set_title(f"Weakest level of each of {len(margin)} conditions, sorted{rest} (orange: {nominal}, nominal)")
        at = next((k for k, c in enumerate(drawn) if c.label == nominal), None)
        if at is not None:
            below.axvspan(at - 0.5, at + 0.5, color="#ffe9a8", zorder=0)
        weakest = [max(found[c.label].code_error, FLOOR) for c in drawn]
        below.plot(x, weakest, linestyle="none", marker="o", color=SERIES[0], label="weakest level")
        if layer_errors:
            layer = [max(layer_errors.get(c.label, np.nan), FLOOR) for c in drawn]
            below.plot(x, layer, linestyle="none", marker="s", color=SERIES[2], label="average over the layer")
        below.axhline(target_error, color=TARGET, linestyle="--", label=f"target {probability(target_error)}")
        below.set_yscale("log")
        plain_powers(below.yaxis)
        below.set_ylabel("P(code error)")
        below.legend(loc="upper right", ncols=3)
        for panel, (name, words) in zip(panels[2:], strips.items(), strict=True):
            _strip(panel, name, words)
        above.set_xlim(-0.7, len(drawn) - 0.3)
        return svg(figure, "conditions", "Margin and code error of every condition, sorted")


def _strip(panel: Axes, name: str, words: Sequence[str]) -> None:
    """One coloured cell per condition, and what the colours mean beside them."""
    kinds = sorted(set(words), key=_rank)
    # more kinds than shades share them, neighbours with neighbours
    size = 1 if len(kinds) <= len(SHADES) else -(-len(kinds) // 3)
    groups = [kinds[i : i + size] for i in range(0, len(kinds), size)]
    for k, group in enumerate(groups):
        here = [i for i, w in enumerate(words) if w in group]
        label = group[0] if len(group) == 1 else f"{group[0]} to {group[-1]}"
        panel.bar(here, 1.0, width=1.0, color=SHADES[k], linewidth=0, label=label)
    panel.set(ylim=(0, 1), yticks=[], xticks=[])
    panel.grid(visible=False)
    for side in panel.spines.values():
        side.set_visible(False)
    panel.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=9.5)
    panel.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), ncols=min(len(groups), 3), fontsize=8.5,
                 handlelength=0.9, handletextpad=0.3, columnspacing=0.8, borderpad=0.1)  # fmt: skip


def _rank(word: str) -> tuple[float, str]:
    """Slow before fast, cold before hot, low before high, nominal metals first: a darker shade means more."""
    try:
        return float(word.split()[0]), word
    except ValueError:
        return float(PROCESSES.index(word) if word in PROCESSES else word != NOMINAL_METALS), word


def corner_plot(table: ReadoutTable, nominal: str) -> str:
    """Spacing of the counts and level of count 0, all rows active: one column of panels per supply, process and
    temperature along the axis, one series per corner of the metals."""
    supplies = sorted({c.vdd for c in table.conditions})
    metals = list(dict.fromkeys(c.beol for c in table.conditions))
    places = sorted({(c.corner, c.temperature) for c in table.conditions}, key=lambda p: (_rank(p[0]), p[1]))
    n = table.rows
    level = {c: (table.lsb(c), float(table.level[i, n, 0])) for i, c in enumerate(table.conditions)}
    scales = [prefix(max(abs(v[k]) for v in level.values()), table.unit) for k in (0, 1)]
    with chart(13.4, 5.2) as figure:
        grid = figure.subplots(2, len(supplies), squeeze=False, sharex=True, sharey="row")
        for column, vdd in enumerate(supplies):
            for k, beol in enumerate(metals):
                for row in (0, 1):
                    known = [(p, c) for p in places if (c := Condition(p[0], vdd, p[1], beol)) in level]
                    shift = (k - (len(metals) - 1) / 2) * 0.18
                    at = np.array([places.index(p) for p, _ in known]) + shift
                    value = np.array([level[c][row] for _, c in known]) / scales[row][0]
                    grid[row][column].plot(at, value, linestyle="none", color=SERIES[k % len(SERIES)],
                                           marker=MARKS[k % len(MARKS)], label=beol)  # fmt: skip
            grid[0][column].set_title(f"{vdd:g} V")
            for row in (0, 1):
                _groups(grid[row][column], places)
            ticks = [f"{heat:g}" for _, heat in places]
            grid[1][column].set_xticks(range(len(places)), ticks, fontsize=9)
            grid[1][column].set_xlabel("temperature, °C, by process")
        grid[0][0].set_ylabel(f"LSB, {scales[0][1]}")
        grid[1][0].set_ylabel(f"level of count 0, {scales[1][1]}")
        figure.legend(*grid[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=len(metals),
                      title=f"metals (nominal condition: {nominal})")  # fmt: skip
        return svg(figure, "corners", "Spacing of counts and level of count 0 by process, metals, supply, temperature")


def _groups(panel: Axes, places: Sequence[tuple[str, float]]) -> None:
    """Name the process corners over their temperatures and part them."""
    panel.set_xlim(-0.6, len(places) - 0.4)
    panel.grid(visible=False, axis="x")
    for name in dict.fromkeys(corner for corner, _ in places):
        here = [i for i, (corner, _) in enumerate(places) if corner == name]
        panel.text((here[0] + here[-1]) / 2, 0.97, name, transform=panel.get_xaxis_transform(), ha="center", va="top",
                   color=INK, fontsize=9.5)  # fmt: skip
        if here[-1] + 1 < len(places):
            panel.axvline(here[-1] + 0.5, color=SOFT, linewidth=0.6)
    panel.margins(y=0.18)
