"""Charts of the figures that a readout is signed off with: intervals, sigma budget, operating points, chips."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from characterization.charts import INK, MARKS, SERIES, SOFT, TARGET
from characterization.readout_levels import COMPARATOR, NOISE, OFFSET, PATTERN, STATIC
from characterization.sign_off import SignOff, nonlinearity
from characterization.tables.table import ReadoutTable
from characterization.waveform import ReadWaveform
from metalrom.formatting import prefix, probability
from metalrom.reports.content import ReportContent
from metalrom.reports.plots import FLOOR, MAX_CONDITIONS, chart, drawn_conditions, svg
from metalrom.run.results import ChipDistribution
from netlists.condition import Condition

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PARTS = {
    STATIC: "mismatch of cells and transistors",
    PATTERN: "stored data and places",
    NOISE: "noise before the converter",
    COMPARATOR: "noise of the converter",
    OFFSET: "offset of the converter",
}
"""Spreads of the budget in words."""

PALE_TO_BLUE = LinearSegmentedColormap.from_list("margin", ("#d4213d", "#f6d9c8", "#f1f5f8", "#8fbbdb", "#3f77b5"))


def sign_off_pictures(content: ReportContent) -> dict[str, str]:
    """The charts by file stem, as far as a run has what they show."""
    out = {}
    worst = content.sign_off_at(content.worst)
    if worst is not None and worst.causes:
        out["intervals"] = interval_plot(worst, content.target_error)
        out["budget"] = budget_plot(worst)
    if content.sign_off:
        out["linearity"] = linearity_plot(content.table, drawn_conditions(content.table, content.condition))
    if len(content.sign_off) > 1:
        out["pvt"] = operating_point_map(content.sign_off, content.table.conditions, content.target_error)
    if content.chips is not None:
        out["chips"] = chip_plot(content.chips)
    if content.waveform is not None:
        out["waveform"] = waveform_plot(content.waveform)
    return out


def interval_plot(figures: SignOff, target_error: float) -> str:
    """Code error and margin: what every cause alone leaves open, and all together."""
    rows = [(c.cause, c.code_error, c.margin_sigma) for c in figures.causes]
    margins = figures.margin_interval_sigma
    together = [("all together", figures.code_error_interval, margins)] if margins is not None else []
    labels = [name for name, *_ in (*rows, *together)]
    with chart(13.4, 0.42 * max(len(labels), 1) + 1.5) as figure:
        left, right = figure.subplots(1, 2, sharey=True)
        for k, (_, errors, margin) in enumerate((*rows, *together)):
            last = k == len(rows)
            style = {"color": INK if last else SERIES[0], "linewidth": 4.5 if last else 3.0, "solid_capstyle": "butt"}
            left.plot([max(e, FLOOR) for e in errors], [k, k], **style)
            right.plot(margin, [k, k], **style)
        if figures.margin_sigma is not None:
            left.axvline(max(figures.code_error, FLOOR), color=SOFT, linewidth=1.0)
            right.axvline(figures.margin_sigma, color=SOFT, linewidth=1.0)
        left.axvline(target_error, color=TARGET, linestyle="--", label=f"target {probability(target_error)}")
        left.set_xscale("log")
        left.minorticks_off()
        ticks = _decades(*left.get_xlim())
        left.set_xticks(ticks, [probability(t) for t in ticks])
        left.set_yticks(range(len(labels)), labels)
        left.invert_yaxis()
        left.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0))
        left.set(xlabel="P(code error) of the layer", title=f"95 % intervals at {figures.condition}")
        right.set(xlabel="margin of the weakest level, sigma", title="Margin")
        for panel in (left, right):
            panel.grid(visible=False, axis="y")
        return svg(figure, "intervals", "95 % intervals of code error and margin by cause")


def _decades(low: float, high: float) -> list[float]:
    """Ticks of a log axis: 1, 2 and 5 of every decade, or the decades alone where there are many."""
    first, last = int(np.floor(np.log10(low))), int(np.ceil(np.log10(high)))
    steps = (1.0, 2.0, 5.0) if last - first <= 3 else (1.0,)
    return [s * 10.0**d for d in range(first, last + 1) for s in steps if low <= s * 10.0**d <= high]


def budget_plot(figures: SignOff) -> str:
    """Stacked spreads of every count; a bar is as high as the whole sigma and divided by the variances."""
    with chart(13.4, 3.9) as figure:
        panel = figure.subplots()
        count = np.array([p.count for p in figures.budget])
        sigma = np.array([[p.sigmas.get(name, 0.0) for name in PARTS] for p in figures.budget])
        whole = np.sqrt((sigma**2).sum(axis=1))
        share = np.divide(sigma**2, whole[:, None], out=np.zeros_like(sigma), where=whole[:, None] > 0)
        bottom = np.zeros(len(count))
        for k, words in enumerate(PARTS.values()):
            if share[:, k].any():
                panel.bar(count, share[:, k], bottom=bottom, width=0.82, color=SERIES[k], label=words)
            bottom += share[:, k]
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
        panel.plot(count, whole, color=INK, marker="_", linestyle="none", markersize=7, label="all together")
        panel.grid(visible=False, axis="x")
        panel.set(xlabel="MAC count (at the number of active rows where its margin is smallest)", ylabel="sigma, LSB")
        panel.set_title(f"Sigma budget of every count, {figures.condition}")
        figure.legend(*panel.get_legend_handles_labels(), loc="outside lower center", ncols=len(PARTS) + 1)
        return svg(figure, "budget", "Sigma budget of every count")


def linearity_plot(table: ReadoutTable, labels: Sequence[str]) -> str:
    """INL of every count and DNL of every step with all rows active, one colour per condition."""
    with chart(13.4, 3.6) as figure:
        left, right = figure.subplots(1, 2)
        for k, label in enumerate(labels):
            inl, dnl, _ = nonlinearity(table.at(label))
            style = {"color": SERIES[k % len(SERIES)], "marker": MARKS[k % len(MARKS)], "label": label}
            left.plot(np.arange(len(inl)), inl, **style)
            right.plot(np.arange(len(dnl)) + 0.5, dnl, **style)
        for panel in (left, right):
            panel.axhline(0.0, color=SOFT, linewidth=0.8)
            panel.margins(y=0.2)
        left.set(xlabel="MAC count (all rows active)", ylabel="INL, LSB")
        right.set(xlabel="between MAC counts", ylabel="DNL, LSB")
        left.set_title("Integral nonlinearity, line through both ends")
        right.set_title("Differential nonlinearity, against the mean step")
        figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=MAX_CONDITIONS + 1)
        return svg(figure, "linearity", "Integral and differential nonlinearity of the levels")


def operating_point_map(figures: Sequence[SignOff], conditions: Sequence[Condition], target_error: float) -> str:
    """Margin and code error of every condition: process and metals down, supply and temperature across."""
    known = {s.condition: s for s in figures}
    down = sorted({(c.corner, c.beol) for c in conditions}, key=_row_order)
    across = sorted({(c.vdd, c.temperature) for c in conditions})
    margin, error = (np.full((len(down), len(across)), np.nan) for _ in range(2))
    for c in conditions:
        if c.label in known:
            at = down.index((c.corner, c.beol)), across.index((c.vdd, c.temperature))
            value = known[c.label].margin_sigma
            margin[at] = np.nan if value is None else value
            error[at] = max(known[c.label].code_error, FLOOR)
    with chart(13.4, 0.5 * len(down) + 1.9) as figure:
        left, right = figure.subplots(1, 2)
        rows = [corner if beol == "nominal" else f"{corner}, {beol}" for corner, beol in down]
        columns = [f"{vdd:g} V\n{heat:g} °C" for vdd, heat in across]
        most = float(np.nanmax(np.abs(margin), initial=1e-9))
        _heat_map(left, margin, rows, columns, Normalize(-most, most), "{:.2f}")
        left.set_title("Margin of the weakest level, sigma (red: negative)")
        decades = np.log10(error / target_error)
        reach = float(np.nanmax(np.abs(decades), initial=1.0))
        words = np.array([[probability(e) for e in line] for line in error])
        _heat_map(right, -decades, rows, columns, Normalize(-reach, reach), words)
        right.set_title(f"P(code error) of the layer (red: above the target of {probability(target_error)})")
        return svg(figure, "pvt", "Margin and code error by process, metals, supply and temperature")


def _row_order(row: tuple[str, str]) -> tuple[int, bool, str]:
    corner, beol = row
    order = ("ss", "sf", "tt", "fs", "ff")
    return (order.index(corner) if corner in order else len(order), beol != "nominal", beol)


def _heat_map(
    panel: Axes, values: np.ndarray[tuple[int, int], np.dtype[np.float64]], rows: Sequence[str],
    columns: Sequence[str], norm: Normalize, words: str | np.ndarray[tuple[int, int], np.dtype[np.str_]],
) -> None:  # fmt: skip
    """Coloured cells with their value; what was not characterized stays empty."""
    size = 9.0 if len(columns) <= 6 else 7.5 if len(columns) <= 10 else 6.0
    for i, k in itertools.product(range(len(rows)), range(len(columns))):
        value = values[i, k]
        if np.isnan(value):
            panel.text(k, i, "–", ha="center", va="center", color=SOFT, fontsize=size)
            continue
        shade = float(norm(value))
        panel.add_patch(_cell(k, i, PALE_TO_BLUE(shade)))
        text = words.format(value) if isinstance(words, str) else str(words[i, k])
        dark = shade < 0.12 or shade > 0.9
        panel.text(k, i, text, ha="center", va="center", color="white" if dark else INK, fontsize=size)
    panel.set(xlim=(-0.5, len(columns) - 0.5), ylim=(len(rows) - 0.5, -0.5))
    panel.set_xticks(range(len(columns)), columns, fontsize=9 if len(columns) <= 10 else 7)
    panel.set_yticks(range(len(rows)), rows, fontsize=9.5)
    panel.grid(visible=False)
    panel.tick_params(length=0)
    for side in panel.spines.values():
        side.set_visible(False)


def _cell(x: float, y: float, colour: tuple[float, float, float, float]) -> Rectangle:
    return Rectangle((x - 0.48, y - 0.46), 0.96, 0.92, facecolor=colour, linewidth=0)


def _share(value: float) -> str:
    """A counted share, which may be none at all."""
    return probability(value) if value else "0"


def chip_plot(found: ChipDistribution) -> str:
    """Code error and CSNR of every drawn chip, sorted by code error."""
    chips = sorted(found.chips, key=lambda c: c.code_error)
    x = np.arange(len(chips)) + 1
    errors = np.array([c.code_error for c in chips])
    ratios = np.array([np.nan if c.csnr_dB is None else c.csnr_dB for c in chips])
    smallest = float(errors[errors > 0].min()) if (errors > 0).any() else found.target
    floor = min(smallest, found.target) / 3
    with chart(13.4, 3.6) as figure:
        left, right = figure.subplots(1, 2)
        good = errors <= found.target
        left.plot(x[good], np.maximum(errors[good], floor), color=SERIES[0], marker="o", linestyle="none",
                  label="within the target")  # fmt: skip
        left.plot(x[~good], errors[~good], color=SERIES[1], marker="s", linestyle="none", label="beyond it")
        left.axhline(found.target, color=TARGET, linestyle="--", label=f"target {probability(found.target)}")
        left.axhline(max(found.code_error_median, floor), color=SOFT, linewidth=1.0,
                     label=f"median {_share(found.code_error_median)}")  # fmt: skip
        left.set_yscale("log")
        left.minorticks_off()
        ticks = _decades(*left.get_ylim())
        left.set_yticks(ticks, [probability(t) for t in ticks])
        if (errors == 0).any():
            left.text(0.99, 0.16, "on the lower edge: no wrong code seen", transform=left.transAxes, ha="right",
                      color=SOFT, fontsize=9.5)  # fmt: skip
        low, high = (100 * end for end in found.yield_interval)
        words = f"yield {100 * found.yield_share:.0f} % (95 %: {low:.0f} to {high:.0f} %)"
        left.set(xlabel="chip, sorted", ylabel="share of wrong codes", title=f"{len(chips)} chips: {words}")
        left.margins(y=0.1)
        figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=5)
        right.plot(x, ratios, color=SERIES[2], marker="D", linestyle="none")
        if np.isnan(ratios).all():
            right.set(xticks=[], yticks=[])
            right.text(0.5, 0.5, "unbounded: no output of any chip differs", transform=right.transAxes, ha="center")
        if found.csnr_median_dB is not None:
            median = f"median {found.csnr_median_dB:.1f} dB"
            right.axhline(found.csnr_median_dB, color=SOFT, linewidth=1.0, label=median)
            right.legend(loc="upper right")
        right.set(xlabel="chip, in the same order", ylabel="CSNR, dB", title=f"CSNR of every chip, {found.condition}")
        return svg(figure, "chips", "Code error and CSNR of the drawn chips")


def waveform_plot(found: ReadWaveform) -> str:
    """One read in time, its sampling instants marked."""
    time = np.array(found.time)
    scale, unit = prefix(float(time[-1]) / 2, "s")
    with chart(13.4, 1.75 * len(found.traces) + 1.3) as figure:
        panels = np.atleast_1d(figure.subplots(len(found.traces), 1, sharex=True))
        for k, (panel, trace) in enumerate(zip(panels, found.traces, strict=True)):
            values = np.array(trace.values)
            size, shown = prefix(float(np.abs(values).max()), trace.unit)
            panel.plot(time / scale, values / size, color=SERIES[k % len(SERIES)])
            for instant in found.instants:
                panel.axvline(instant.time / scale, color=TARGET, linewidth=0.9, linestyle="--")
                level = float(np.interp(instant.time, time, values)) / size
                panel.plot(instant.time / scale, level, color=TARGET, marker="o", markersize=4)
            panel.set_ylabel(f"{trace.name},\n{shown}")
            panel.margins(x=0.01, y=0.12)
        for k, instant in enumerate(found.instants):
            panels[0].annotate(instant.name, (instant.time / scale, 1.02 + 0.1 * (k % 2)), color=TARGET, fontsize=9.5,
                               xycoords=("data", "axes fraction"), va="bottom", ha="center")  # fmt: skip
        panels[-1].set_xlabel(f"time, {unit}")
        figure.suptitle(
            f"A read of {found.active} active rows, count {found.count}, {found.condition}", x=0.01, ha="left",
            fontsize=11.5, fontweight="bold",
        )  # fmt: skip
        return svg(figure, "waveform", "Waveform of a read with its sampling instants")
