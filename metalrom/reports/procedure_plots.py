"""Charts of what the further procedures found; one small chart per procedure that ran."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from metalrom.drawing.palette import PAINT
from metalrom.drawing.svg import INK, SOFT, Canvas
from metalrom.formatting import amount, known, prefix
from metalrom.reports.measured import (
    Bounces,
    Energies,
    Extreme,
    Extremes,
    Levels,
    Measured,
    NoisePoints,
    SettlingTimes,
    Shifts,
    StaticStates,
)
from metalrom.reports.plots import MARKS, SERIES, TARGET, chart, svg

_WIDTH, _HEIGHT = 6.6, 3.6


@dataclass(frozen=True, slots=True)
class Picture:
    """A chart with its heading and what to see in it; `draw` gives the SVG text."""

    name: str
    title: str
    draw: Callable[[], str]
    caption: str


def procedure_figures(found: Measured) -> tuple[Picture, ...]:
    """Charts of the procedures that ran, in a fixed order."""
    out = []
    if (waves := found.readout_current) and waves.curves:
        told = "Each line is one count, all rows active; a dot is its end."
        out.append(Picture("waves", "Level in time", partial(_waves, waves), told))
    if (settling := found.settling) and settling.worst:
        bands = " and ".join(f"{b:g}" for b in settling.bands)
        told = f"Slowest pattern: time after the input edge until the level stays within {bands} LSB of its end."
        out.append(Picture("settling", "Settling", partial(_settling, settling, found.read_after), told))
    if (noise := found.noise) and noise.points:
        told = "ngspice's noise analysis against the closed form, k T / C or 4 k T / R: equal with an ideal switch; a "
        told += "transistor's junctions add capacitance."
        out.append(Picture("noise", "Thermal noise", partial(_noise, noise), told))
    if (crosstalk := found.crosstalk) and crosstalk.shifts:
        told = f"How far the neighbours' stored bits move a level, largest over the counts. Scope: {crosstalk.scope}."
        out.append(Picture("crosstalk", "Crosstalk", partial(_crosstalk, crosstalk), told))
    if worst := found.worst_pattern:
        told = "Which rows are active, then what the left neighbour, the column itself and the right neighbour store. "
        told += "Found by search on the exact network, verified in ngspice."
        out.append(Picture("worst", "Worst patterns", partial(_worst, worst), told))
    if (energy := found.energy) and energy.reads:
        told = "Row drivers and array for all columns at once, by active rows; the converter is not in it."
        out.append(Picture("energy", "Energy of a read", partial(_energy, energy), told))
    if (leakage := found.leakage) and leakage.states:
        told = "Static power of one group's drivers and reset in each state."
        out.append(Picture("leakage", "Leakage", partial(_leakage, leakage), told))
    if (supply := found.supply) and supply.levels:
        told = f"Change of a level by {amount(supply.resistance, 'ohm')} in the drivers' supply and ground (an "
        told += "assumption: no power grid is extracted)."
        out.append(Picture("supply", "Supply", partial(_supply, supply), told))
    return tuple(out)


def _numbers(values: Iterable[float | None]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.array([value if known(value) else np.nan for value in values], dtype=float)


def _largest(values: Iterable[float | None]) -> float:
    """Largest magnitude that is known, else 0."""
    return max((abs(v) for v in values if known(v)), default=0.0)


def _waves(found: Levels) -> str:
    curve = found.curves[0]
    scale, unit = prefix(_largest([*curve.level, *(v for wave in curve.wave for v in wave)]), found.unit)
    clock, seconds = prefix(_largest(curve.time) or 1e-9, "s")
    shades = np.linspace(0.25, 1.0, max(len(curve.wave), 1))
    with chart(_WIDTH, _HEIGHT) as figure:
        panel = figure.subplots()
        time = np.array(curve.time) / clock
        for k, (shade, wave) in enumerate(zip(shades, curve.wave, strict=True)):
            level = _numbers(wave) / scale
            shown = min(len(time), len(level))
            words = f"count {curve.counts[k]}" if k in (0, len(curve.wave) - 1) and k < len(curve.counts) else None
            panel.plot(time[:shown], level[:shown], color=SERIES[0], alpha=float(shade), label=words)
            if shown:
                panel.plot(time[shown - 1], level[shown - 1], color=INK, marker="o", markersize=2.5)
        name = "bit line" if found.unit == "V" else "readout current"
        panel.set(xlabel=f"time, {seconds}", ylabel=f"{name}, {unit}", title=curve.condition)
        panel.legend(loc="best")
        return svg(figure, "fw", "Level in time for every count")


def _settling(found: SettlingTimes, read_after: float | None) -> str:
    names = [w.condition for w in found.worst]
    place = np.arange(len(names))
    share = 0.8 / max(len(found.bands), 1)
    times = [_numbers(w.times[k] if k < len(w.times) else None for w in found.worst) for k in range(len(found.bands))]
    with chart(_WIDTH, max(_HEIGHT, 0.5 * len(names) + 1.2)) as figure:
        panel = figure.subplots()
        for k, (band, value) in enumerate(zip(found.bands, times, strict=True)):
            at = place + (k - (len(found.bands) - 1) / 2) * share
            panel.barh(at, value * 1e12, height=share * 0.9, color=SERIES[k % len(SERIES)], label=f"{band:g} LSB")
            for y, v in zip(at, value, strict=True):
                if not np.isfinite(v):
                    panel.text(0, y, " not within the window", va="center", fontsize=9, color=TARGET)
        if known(read_after):
            panel.axvline(read_after * 1e12, color=INK, linestyle="--", label="sample")
        panel.set_yticks(place, names)
        panel.invert_yaxis()
        panel.grid(visible=False, axis="y")
        panel.set(xlabel="time, ps")
        panel.legend(loc="best")
        return svg(figure, "fs", "Settling time by condition")


def _noise(found: NoisePoints) -> str:
    names = [f"{p.condition}, {p.switch} switch" for p in found.points]
    scale, unit = prefix(_largest(v for p in found.points for v in (p.simulated, p.closed_form)), found.points[0].unit)
    place = np.arange(len(names))
    with chart(_WIDTH, max(_HEIGHT, 0.42 * len(names) + 1.2)) as figure:
        panel = figure.subplots()
        simulated = _numbers(p.simulated for p in found.points) / scale
        closed = _numbers(p.closed_form for p in found.points) / scale
        panel.barh(place, simulated, height=0.6, color=SERIES[0], label="simulated")
        panel.plot(closed, place, linestyle="none", marker="|", markersize=16, color=INK, label="closed form")
        panel.set_yticks(place, names)
        panel.invert_yaxis()
        panel.grid(visible=False, axis="y")
        panel.set(xlabel=f"rms, {unit}")
        figure.legend(*panel.get_legend_handles_labels(), loc="outside lower center", ncols=2)
        return svg(figure, "fn", "Thermal noise, simulated and in closed form")


def _conditions(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))


def _crosstalk(found: Shifts) -> str:
    patterns = list(dict.fromkeys(s.pattern for s in found.shifts))
    conditions = _conditions(s.condition for s in found.shifts)
    place = np.arange(len(patterns))
    with chart(_WIDTH, max(_HEIGHT, 0.42 * len(patterns) + 1.4)) as figure:
        panel = figure.subplots()
        for k, condition in enumerate(conditions):
            worst = []
            for pattern in patterns:
                here = [s.shift for s in found.shifts if (s.condition, s.pattern) == (condition, pattern)]
                numbers = [v for v in here if known(v)]
                worst.append(max(numbers, key=abs) if numbers else None)
            panel.plot(_numbers(worst), place, linestyle="none", label=condition, color=SERIES[k % len(SERIES)],
                       marker=MARKS[k % len(MARKS)])  # fmt: skip
        panel.axvline(0, color=SOFT, linewidth=0.8)
        panel.set_yticks(place, [name.replace("_", " ") for name in patterns])
        panel.invert_yaxis()
        panel.margins(y=0.12)
        panel.set(xlabel="shift, LSB")
        figure.legend(*panel.get_legend_handles_labels(), loc="outside lower center", ncols=min(len(conditions), 3))
        return svg(figure, "fc", "Largest shift of a level by each pattern of the neighbours")


def _worst(found: Extremes) -> str:
    rows = max(len(found.high.genes), len(found.low.genes))
    cell = min(15.0, 330.0 / rows)
    canvas = Canvas(460, 92 + rows * cell)
    canvas.text((10, 17), f"{found.condition}; drawn patterns: {amount(found.typical, 'LSB')} rms", size=12.5)
    for x, name, extreme in ((10.0, "highest", found.high), (240.0, "lowest", found.low)):
        _block(canvas, x, cell, name, extreme)
    return canvas.render("Patterns with the largest distance from the ideal line", "A filled square is a one.")


def _block(canvas: Canvas, x: float, cell: float, name: str, extreme: Extreme) -> None:
    canvas.text((x, 37), f"{name}: {amount(extreme.deviation, 'LSB')}", size=12.5, font_weight="600")
    canvas.text((x, 52), f"count {extreme.count} of {extreme.active} active", size=11, fill=SOFT)
    fills = (PAINT["signal"].fill, PAINT["bitline"].fill, PAINT["via"].fill, PAINT["bitline"].fill)
    places = (x + 34, x + 90, x + 126, x + 162)
    for place, word in zip(places, ("active", "left", "column", "right"), strict=True):
        canvas.text((place + cell / 2, 70), word, size=10.5, anchor="middle", fill=SOFT)
    for row, gene in enumerate(extreme.genes):
        y = 76 + row * cell
        if row % max(1, round(12 / cell)) == 0:
            canvas.text((x + 22, y + cell * 0.5 + 3.5), str(row), size=9.5, anchor="end", fill=SOFT)
        for place, bit, fill in zip(places, gene, fills, strict=True):
            canvas.rect(place, y, cell * 0.9, cell * 0.9, fill=fill if bit else "#eef1f4", stroke="#c3ccd4",
                        stroke_width=0.5)  # fmt: skip


def _energy(found: Energies) -> str:
    condition = found.reads[0].condition
    reads = [r for r in found.reads if r.condition == condition]
    best = {r.active: r for r in sorted(reads, key=lambda r: r.count)}  # the largest count of each number of rows
    active = sorted(best)
    array, drivers = (_numbers(getattr(best[a], part) for a in active) for part in ("array", "drivers"))
    scale, unit = prefix(_largest([*array, *drivers]), "J")
    with chart(_WIDTH, _HEIGHT) as figure:
        panel = figure.subplots()
        place = np.arange(len(active))
        panel.bar(place, array / scale, color=SERIES[0], label="array's metal", width=0.6)
        panel.bar(place, drivers / scale, bottom=array / scale, color=SERIES[4], label="row drivers' own", width=0.6)
        panel.set_xticks(place, [str(a) for a in active])
        panel.set(xlabel=f"active rows (all store ones), {found.columns} columns", ylabel=unit, title=condition)
        panel.legend(loc="upper left")
        return svg(figure, "fe", "Energy of a read by active rows")


def _leakage(found: StaticStates) -> str:
    states = list(dict.fromkeys(s.state for s in found.states))
    conditions = _conditions(s.condition for s in found.states)
    scale, unit = prefix(_largest(s.power for s in found.states), "W")
    share = 0.8 / max(len(states), 1)
    place = np.arange(len(conditions))
    with chart(_WIDTH, max(_HEIGHT, 0.5 * len(conditions) + 1.4)) as figure:
        panel = figure.subplots()
        for k, state in enumerate(states):
            power = {s.condition: s.power for s in found.states if s.state == state}
            at = place + (k - (len(states) - 1) / 2) * share
            panel.barh(at, _numbers(power.get(c) for c in conditions) / scale, height=share * 0.9, label=state,
                       color=SERIES[k % len(SERIES)])  # fmt: skip
        panel.set_yticks(place, conditions)
        panel.invert_yaxis()
        panel.grid(visible=False, axis="y")
        panel.set(xlabel=unit)
        figure.legend(*panel.get_legend_handles_labels(), loc="outside lower center", ncols=len(states))
        return svg(figure, "fl", "Static power by state and condition")


def _supply(found: Bounces) -> str:
    with chart(_WIDTH, _HEIGHT) as figure:
        panel = figure.subplots()
        conditions = _conditions(b.condition for b in found.levels)
        for k, condition in enumerate(conditions):
            here: Sequence[tuple[int, float | None]] = sorted(
                (b.count, b.change) for b in found.levels if b.condition == condition
            )
            panel.plot([c for c, _ in here], _numbers(v for _, v in here), label=condition,
                       color=SERIES[k % len(SERIES)], marker=MARKS[k % len(MARKS)])  # fmt: skip
        panel.axhline(0, color=SOFT, linewidth=0.8)
        panel.set(xlabel="count", ylabel="change, LSB")
        figure.legend(*panel.get_legend_handles_labels(), loc="outside lower center", ncols=min(len(conditions), 3))
        return svg(figure, "fp", "Change of the levels by the supply's resistance")
