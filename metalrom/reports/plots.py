"""Charts of a readout table and a macro as SVG text: levels, margins, code errors, group size, breakdowns.

matplotlib is imported when a chart is drawn. Equal input gives equal bytes: no dates, fixed hash salt.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import matplotlib
import numpy as np
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from characterization.charts import MARKS, SERIES, TARGET
from characterization.margins import WorstLevel, sigma_needed
from characterization.tables.table import ReadoutTable
from interconnect.arrays import FloatArray, IntArray
from metalrom.drawing.svg import INK, SOFT, clean
from metalrom.formatting import amount, known, prefix, probability
from metalrom.reports.content import GroupRow, MacroTable, NoiseCliff

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

Numbers = FloatArray | IntArray

FLOOR = 1e-16
"""Smallest probability drawn; smaller ones sit on the axis as open triangles."""
MAX_CONDITIONS = 6
LEVEL_PANELS = 4

_STYLE: Any = {
    "svg.hashsalt": "metalrom", "svg.fonttype": "none", "text.parse_math": False, "text.usetex": False,
    "font.family": ["DejaVu Sans"], "font.size": 10.5, "axes.titlesize": 11.5, "axes.titleweight": "bold",
    "axes.titlelocation": "left", "axes.labelsize": 10.5, "axes.edgecolor": SOFT, "axes.labelcolor": INK,
    "text.color": INK, "xtick.color": INK, "ytick.color": INK, "axes.spines.top": False, "axes.spines.right": False,
    "axes.grid": True, "grid.color": "#e3e8ed", "grid.linewidth": 0.7, "axes.axisbelow": True,
    "legend.framealpha": 0.85, "legend.edgecolor": "none", "legend.fontsize": 9.5, "lines.linewidth": 1.5,
    "lines.markersize": 4.5, "figure.facecolor": "white",
    "axes.formatter.useoffset": False, "axes.unicode_minus": True,
}  # fmt: skip


@contextmanager
def chart(width: float, height: float) -> Iterator[Figure]:
    """A figure of the common style, sizes in inches at 72 dots; no global state is left behind."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        yield Figure(figsize=(width, height), layout="constrained")


def svg(figure: Figure, key: str, label: str) -> str:
    """The figure as one `<svg>` that can stand in a page: no metadata, no style sheet, ids prefixed by `key`."""
    buffer = BytesIO()
    canvas: Any = FigureCanvasSVG(figure)
    # `savefig` would draw everything once more to lay it out; drawing lays out by itself
    canvas.print_svg(buffer, metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    root = ElementTree.fromstring(buffer.getvalue())  # noqa: S314 - text written by matplotlib a line above
    names: dict[str, str] = {}
    for element in root.iter():
        element.tag = element.tag.split("}")[-1]
        for attribute in list(element.attrib):
            if "}" in attribute:
                element.set(attribute.split("}")[-1], element.attrib.pop(attribute))
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in ("metadata", "style"):
                parent.remove(child)
    text = ElementTree.tostring(root, encoding="unicode")
    for element in root.iter():
        old = element.attrib.pop("id", None)
        if old is not None and f"#{old}" in text:
            names[old] = f"{key}-{len(names)}"
            element.set("id", names[old])
    for element in root.iter():
        for attribute, value in element.attrib.items():
            if attribute == "href" and value.startswith("#"):
                element.set(attribute, f"#{names[value[1:]]}")
            elif "url(#" in value:
                old = value.split("url(#")[1].split(")")[0]
                element.set(attribute, value.replace(f"#{old}", f"#{names[old]}"))
            elif attribute == "style" and "font:" in value:
                element.set(attribute, value.replace("'DejaVu Sans'", "system-ui, 'DejaVu Sans', Arial"))
    box = root.attrib["viewBox"].split()
    body = "".join(ElementTree.tostring(child, encoding="unicode") for child in root)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="{" ".join(box)}" width="{box[2]}" '
        f'height="{box[3]}" stroke-linejoin="round" stroke-linecap="butt" aria-label="{clean(label)}">'
        f"<title>{clean(label)}</title>{body}</svg>\n"
    )


def drawn_conditions(table: ReadoutTable, nominal: str) -> tuple[str, ...]:
    """Conditions to draw: the nominal one first, then the weakest ones, at most six in all."""
    others = [c.label for c in table.conditions if c.label != nominal]
    ranked = sorted(others, key=lambda label: table.worst_margin(label).margin)
    return (nominal, *ranked[: MAX_CONDITIONS - 1])


def _actives(rows: int) -> tuple[int, ...]:
    """Fewest, half and all active rows."""
    return tuple(dict.fromkeys((1, max(rows // 2, 1), rows)))


def level_plot(table: ReadoutTable, nominal: str, *, sigmas: float = 3.0) -> str:
    """Levels with +-`sigmas` bands at few, half and all active rows, one column of panels per condition (at most four).

    Above: level against MAC count. Below: the same less the straight line that the ADC expects, in counts, so that the
    decision thresholds lie at +-0.5.
    """
    labels = drawn_conditions(table, nominal)[:LEVEL_PANELS]
    quantity = "bit-line level" if table.unit == "V" else "readout current"
    scale, unit = prefix(float(np.nanmax(np.abs(table.level))), table.unit)
    with chart(13.4, 6.0) as figure:
        grid = figure.subplots(2, len(labels), squeeze=False, sharex=True, sharey="row", height_ratios=(1.15, 1))
        for above, below, label in zip(grid[0], grid[1], labels, strict=True):
            i, sigma = table.index(label), table.total_sigma(label)
            lsb, edges = table.lsb(label), table.thresholds(label)
            for k, active in enumerate(_actives(table.rows)):
                count = np.arange(active * (table.levels - 1) + 1)
                level, spread = table.level[i, active, : len(count)], sigma[active, : len(count)] * sigmas
                words = f"{active} active row{'s' if active > 1 else ''}"
                _band(above, count, level / scale, spread / scale, k, words)
                straight = edges[active, 0] + (count - 0.5) * lsb
                _band(below, count, (level - straight) / lsb, spread / abs(lsb), k, words)
            for edge in (-0.5, 0.5):
                below.axhline(edge, color=TARGET, linestyle="--")
            above.set_title(f"{label}{' (nominal)' if label == nominal else ''}")
            below.set_xlabel("MAC count")
        low, high = grid[1][0].get_ylim()
        grid[1][0].set_ylim(min(low, -0.62), max(high, 0.62))
        grid[0][0].set_ylabel(f"{quantity}, {unit}")
        grid[1][0].set_ylabel("distance from\nstraight line, counts")
        grid[1][0].text(0.02, 0.47, "threshold", color=TARGET, va="top", transform=grid[1][0].get_yaxis_transform())
        grid[0][0].legend(loc="upper left", title=f"band: ±{sigmas:g} sigma", alignment="left")
        return svg(figure, "levels", "Level against MAC count for each condition")


def _band(panel: Axes, count: Numbers, level: Numbers, spread: Numbers, k: int, words: str) -> None:
    panel.fill_between(count, level - spread, level + spread, color=SERIES[k], alpha=0.2, linewidth=0)
    panel.plot(count, level, color=SERIES[k], marker=MARKS[k], markersize=3 if len(count) > 24 else 4.5, label=words)


def eye_plot(table: ReadoutTable) -> str:
    """Distributions of the weakest count and its neighbours against the ADC thresholds of that case."""
    found = table.worst_margin()
    with chart(6.6, 3.5) as figure:
        panel = figure.subplots()
        i, sigma = table.index(found.condition), table.total_sigma(found.condition)[found.active]
        edges = table.thresholds(found.condition)[found.active]
        near = [
            c
            for c in range(found.count - 1, found.count + 2)
            if 0 <= c <= found.active * (table.levels - 1) and sigma[c] > 0
        ]
        level = table.level[i, found.active]
        if not near:
            return _empty(figure, panel, "eye", "The levels have no spread")
        scale, unit = prefix(float(np.nanmax(np.abs(level))), table.unit)
        lsb = abs(table.lsb(found.condition))
        x = np.linspace(min(level[c] for c in near) - 0.7 * lsb, max(level[c] for c in near) + 0.7 * lsb, 700)
        for c in near:
            colour = TARGET if c == found.count else SERIES[0]
            bell = np.exp(-0.5 * ((x - level[c]) / sigma[c]) ** 2) * min(sigma[k] for k in near) / sigma[c]
            panel.fill_between(x / scale, 0, bell, color=colour, alpha=0.25, linewidth=0)
            panel.plot(x / scale, bell, color=colour)
            panel.text(level[c] / scale, bell.max() + 0.04, f"count {c}", ha="center", color=colour, fontweight="bold")
        for edge in edges[(edges > x[0]) & (edges < x[-1])]:
            panel.axvline(edge / scale, color=INK, linewidth=1.1, linestyle="--")
        panel.set_ylim(0, 1.22)
        panel.set_yticks([])
        panel.grid(visible=False)
        panel.set_xlabel(
            f"{'bit-line level' if table.unit == 'V' else 'readout current'}, {unit} (dashed: ADC thresholds)"
        )
        panel.set_title(f"The weakest count: {found.count} of {found.active} active, {found.condition}")
        return svg(figure, "eye", "Spread of the weakest count and its neighbours against the thresholds")


def _empty(figure: Figure, panel: Axes, key: str, words: str) -> str:
    panel.set_axis_off()
    panel.text(0.5, 0.5, words, ha="center", va="center", transform=panel.transAxes)
    return svg(figure, key, words)


def margin_plot(table: ReadoutTable, nominal: str, target_error: float) -> str:
    """Left: spacing of neighbouring counts against the spacing that the target needs, all rows active. Right: margin in
    sigma per count at the number of active rows where it is smallest, the weakest level of all marked.

    One colour per condition. Needed spacing: 2 k sigma with k = Q^-1(target / 2).
    """
    need = sigma_needed(target_error)
    n, worst = table.rows, table.worst_margin()
    with chart(13.4, 4.0) as figure:
        left, right = figure.subplots(1, 2)
        scale, unit = prefix(abs(table.lsb(nominal)), table.unit)
        for k, label in enumerate(drawn_conditions(table, nominal)):
            i, sigma = table.index(label), table.total_sigma(label)[n]
            colour, mark = SERIES[k % len(SERIES)], MARKS[k % len(MARKS)]
            spacing = np.abs(np.diff(table.level[i, n]))
            pair = np.arange(table.max_count) + 0.5
            left.plot(pair, spacing / scale, color=colour, marker=mark, label=label)
            left.plot(pair, need * (sigma[:-1] + sigma[1:]) / scale, color=colour, linestyle=":", linewidth=1.8)
            margin = table.margins(label)
            margin[~np.isfinite(margin)] = np.inf
            smallest = margin.min(axis=0)
            smallest[np.isinf(smallest)] = np.nan
            right.plot(np.arange(table.max_count + 1), smallest, color=colour, marker=mark, label=label)
        left.set(xlabel="between MAC counts", ylabel=f"spacing, {unit}")
        left.margins(y=0.25)
        left.set_title(f"Spacing (solid) and what {need:.2f} sigma on both sides needs (dotted)")
        right.axhline(
            need, color=TARGET, linestyle="--", label=f"needed for {probability(target_error)}: {need:.2f} sigma"
        )
        right.set(
            xlabel="MAC count (at the number of active rows where its margin is smallest)", ylabel="margin, sigma"
        )
        low, high = right.get_ylim()
        right.set_ylim(min(0, low), max(high * 1.06, need * 1.15))
        if np.isfinite(worst.margin):
            _mark_weakest(right, worst, table.max_count)
        right.set_title("Margin: distance from level to nearest threshold")
        figure.legend(*right.get_legend_handles_labels(), loc="outside lower center", ncols=MAX_CONDITIONS + 1)
        return svg(figure, "margins", "Spacing and margin of neighbouring counts")


def _mark_weakest(panel: Axes, worst: WorstLevel, max_count: int) -> None:
    """A ring around the weakest level of a margin curve and what it is, inside the panel."""
    panel.plot(worst.count, worst.margin, linestyle="none", marker="o", markersize=13, markerfacecolor="none",
               markeredgecolor=TARGET, markeredgewidth=1.8)  # fmt: skip
    words = f"weakest: count {worst.count} of {worst.active} active\n{worst.condition}, {worst.margin:.2f} sigma"
    left = worst.count < max_count / 2
    low, high = panel.get_ylim()
    shift = (14 if left else -14, -34 if worst.margin > (low + high) / 2 else 34)
    panel.annotate(
        words, (worst.count, worst.margin), xytext=shift,
        textcoords="offset points", ha="left" if left else "right", va="center", color=TARGET, fontsize=9.5,
        arrowprops={"arrowstyle": "-", "color": TARGET, "linewidth": 0.9},
    )  # fmt: skip


def code_error_plot(table: ReadoutTable, nominal: str, target_error: float, cliff: NoiseCliff | None) -> str:
    """P(code error) of every count (worst number of active rows), log scale, target line and network accuracy marks."""
    with chart(13.4, 4.6) as figure:
        panel = figure.subplots()
        top = 1.0
        count = np.arange(table.max_count + 1)
        for k, label in enumerate(drawn_conditions(table, nominal)):
            errors = table.code_errors(label)
            some = ~np.isnan(errors).all(axis=0)
            value = np.full(table.max_count + 1, np.nan)
            value[some] = np.nanmax(errors[:, some], axis=0)
            colour = SERIES[k % len(SERIES)]
            panel.plot(count, np.maximum(value, FLOOR), color=colour, marker=MARKS[k % len(MARKS)], label=label)
            under = value < FLOOR
            if under.any():
                panel.plot(count[under], np.full(under.sum(), FLOOR), linestyle="none", marker="v", markersize=7,
                           markerfacecolor="white", markeredgecolor=colour)  # fmt: skip
        panel.set_yscale("log")
        low = min(max(panel.get_ylim()[0], FLOOR / 3), target_error / 100)
        panel.set_ylim(low, top * 3)
        panel.set(xlabel="MAC count (worst number of active rows)", ylabel="P(code error) per conversion")
        panel.axhline(target_error, color=TARGET, linestyle="--", label=f"target {probability(target_error)}")
        plain_powers(panel.yaxis)
        if cliff is not None:
            _cliff_marks(panel, cliff)
        panel.set_title("Code-error probability per count")
        figure.legend(*panel.get_legend_handles_labels(), loc="outside lower center", ncols=MAX_CONDITIONS + 1)
        return svg(figure, "errors", "Code-error probability of every count")


def plain_powers(axis: Axis) -> None:
    """Label a log axis as 1e-5: mathematical text is switched off, so that names with `$` stay names."""
    low, high = sorted(axis.get_view_interval())

    def text(value: float, _: object) -> str:
        power = np.log10(value)
        whole = abs(power - round(power)) < 1e-6
        return f"{value:g}" if value > 0.9 else f"1e{round(power)}" if whole else probability(value)

    subs = (1.0,) if np.log10(high / low) >= 2 else (1.0, 2.0, 5.0)
    axis.set_major_locator(LogLocator(base=10, subs=subs, numticks=9))
    axis.set_major_formatter(FuncFormatter(text))
    axis.set_minor_locator(NullLocator())


def _cliff_marks(panel: Axes, cliff: NoiseCliff) -> None:
    """Accuracy of a real network at some code-error probabilities, at the right edge of the log axis."""
    panel.annotate(cliff.title, (1.012, 1.0), xycoords="axes fraction", va="bottom", color=SOFT, fontsize=9.5)
    for point in cliff.points:
        panel.axhline(point.code_error, color=SOFT, linewidth=0.6, linestyle=(0, (1, 3)))
        panel.annotate(f"{probability(point.code_error)}: accuracy {point.accuracy:.3g}", (1.012, point.code_error),
                       xycoords=("axes fraction", "data"), va="center", fontsize=9.5, color=SOFT,
                       annotation_clip=False)  # fmt: skip


def group_size_plot(rows: tuple[GroupRow, ...], target_error: float) -> str:
    """Predicted sigma in counts and code-error probability against rows per group, the chosen size marked."""
    size = np.array([r.group_rows for r in rows], dtype=float)

    def column(values: list[float | None]) -> np.ndarray[Any, np.dtype[np.float64]]:
        return np.array([np.nan if v is None else v for v in values], dtype=float)

    noise = column([r.sigma_noise_counts for r in rows])
    mismatch = column([r.sigma_mismatch_counts for r in rows])
    errors = column([r.code_error for r in rows])
    with chart(13.4, 4.0) as figure:
        left, right = figure.subplots(1, 2)
        if not rows:
            right.set_axis_off()
            return _empty(figure, left, "groups", "Group sizes were not compared")
        left.plot(size, noise, color=SERIES[0], marker="o", label="noise")
        left.plot(size, mismatch, color=SERIES[4], marker="s", label="mismatch and pattern")
        left.plot(size, np.hypot(noise, mismatch), color=INK, marker="^", label="together")
        limit = 0.5 / sigma_needed(target_error)
        left.axhline(limit, color=TARGET, linestyle="--", label=f"limit {limit:.3f} for {probability(target_error)}")
        left.set(xlabel="rows per group", ylabel="sigma, counts", ylim=(0, None), title="Spread of one conversion")
        right.plot(size, np.maximum(errors, FLOOR), color=INK, marker="^")
        right.set_yscale("log")
        smallest = np.nanmin(errors) if not np.isnan(errors).all() else target_error
        right.set_ylim(max(min(float(smallest), target_error) / 30, FLOOR / 3), 3)
        right.axhline(target_error, color=TARGET, linestyle="--", label=f"target {probability(target_error)}")
        plain_powers(right.yaxis)
        right.set(xlabel="rows per group", ylabel="P(code error)", title="Code error of one conversion")
        for panel in (left, right):
            panel.set_xscale("log", base=2)
            panel.set_xticks(size, [f"{v:g}" for v in size])
            panel.minorticks_off()
            for row in rows:
                if row.chosen:
                    panel.axvspan(
                        row.group_rows / 1.19,
                        row.group_rows * 1.19,
                        color="#ffe9a8",
                        zorder=0,
                        label=f"chosen: {row.group_rows}",
                    )
        left.legend(loc="upper left")
        right.legend(loc="lower right")
        return svg(figure, "groups", "Spread and code error against rows per group")


def breakdown_plot(table: MacroTable, key: str) -> str:
    """Bars of a macro quantity's components with their ranges; `key` makes the ids of the drawing unique in a page."""
    rows = table.rows
    with chart(6.6, 0.46 * max(len(rows), 1) + 1.0) as figure:
        panel = figure.subplots()
        values = [row.mid for row in rows if known(row.mid)]
        if not values:
            return _empty(figure, panel, key, f"{table.title}: not available")
        scale, unit = prefix(max(values, key=abs), rows[0].unit)
        edge = max([*values, *(row.high for row in rows if known(row.high))]) / scale
        for k, row in enumerate(rows):
            mid = row.mid / scale if known(row.mid) else None
            panel.barh(k, mid or 0.0, color=SERIES[0], height=0.62)
            tip = mid or 0.0
            if mid is not None and known(row.low) and known(row.high):
                panel.plot(
                    [row.low / scale, row.high / scale], [k, k], color=INK, linewidth=1.2, marker="|", markersize=7
                )
                tip = max(tip, row.high / scale)
            panel.text(tip + 0.015 * edge, k, amount(row.mid, row.unit), va="center", fontsize=9.5,
                       color=INK if mid is not None else TARGET)  # fmt: skip
        panel.set_yticks(range(len(rows)), [row.name for row in rows])
        panel.invert_yaxis()
        panel.grid(visible=False, axis="y")
        panel.set(xlabel=unit, xlim=(0, edge * 1.22))
        panel.set_title(table.title)
        return svg(figure, key, f"{table.title} by component")
