"""Pictures of a comparison of systems: capacity, energy split, gain. Each carries its assumptions in its caption."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from io import BytesIO
from typing import TYPE_CHECKING

from characterization.charts import SERIES
from metalrom.drawing.svg import INK, SOFT
from metalrom.reports.plots import chart, svg
from metalrom.studies.systems.comparison import BASELINE, LEVELS, Case, SystemComparison
from metalrom.studies.systems.description import SYSTEMS
from metalrom.studies.systems.energy import InferenceEnergy, Scenario, platform_of
from metalrom.studies.systems.metal import MetalMacro
from metalrom.workloads.inventory.catalogue import is_known_network

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PARTS: tuple[tuple[str, str, Callable[[InferenceEnergy], float]], ...] = (
    ("Computing, fixed weights", "#2f6db5", lambda e: e.matrices),
    ("Computing, attention", "#8ab4de", lambda e: e.attention),
    ("Weight loading", "#c8203a", lambda e: e.weight_loading),
    ("Activation accessing", "#e0a63a", lambda e: e.activation_access),
)

GPU_CACHES = ((2017, 6, "V100"), (2020, 40, "A100"), (2022, 50, "H100"))
"""Year, megabytes of second-level SRAM cache, chip."""
GPU_SOURCE = "last-level SRAM of GPUs: V100 6, A100 40, H100 50 MB (doi 10.1016/j.ultsonch.2023.106546, table 3)"

_AREAS = (1.0, 1e5)
_DECK_TICKS = (2.0, 20.0, 200.0)
_WIDTH = 188


def systems_figures(found: SystemComparison) -> dict[str, bytes]:
    """File name -> content: three figures, each as SVG and PNG. Equal comparisons give equal bytes."""
    drawn: dict[str, bytes] = {}
    for name, label, size, draw in (
        ("capacity", "On-chip capacity against model size", (12.5, 5.9), _capacity),
        ("energy", "Energy split of one inference", (14.0, _energy_height(found)), _energy),
        ("gain", "Energy gain over SRAM-CiM with DRAM reload", (12.5, 7.2), _gain),
    ):
        with chart(*size) as figure:
            caption = draw(figure, found)
            _caption(figure, caption)
            drawn[f"{name}.svg"] = svg(figure, name, label).encode()
            buffer = BytesIO()
            figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
            drawn[f"{name}.png"] = buffer.getvalue()
    return drawn


def _caption(figure: Figure, sentences: Sequence[str]) -> None:
    """Small text under the axes, left-aligned."""
    width = int(_WIDTH * figure.get_figwidth() / 12.5)
    lines = [line for sentence in sentences for line in textwrap.wrap(sentence, width)]
    figure.supxlabel("\n".join(lines), x=0.008, ha="left", fontsize=8.2, color=SOFT)


def _title(system: object) -> str:
    if isinstance(system, MetalMacro):
        return "Metal ROM (this design)"
    return str(getattr(system, "title", ""))


def _colours(found: SystemComparison) -> dict[str, str]:
    names = [name for name, _ in found.systems]
    return {name: SERIES[i % len(SERIES)] for i, name in enumerate(names)}


def _metal_words(found: SystemComparison) -> str:
    macro = found.macro
    which = "shipped example" if macro.example else "run"
    return (
        f"Metal ROM: {which} {macro.name} ({macro.technology}), {macro.density.mid:.3g} "
        f"({macro.density.low:.3g} to {macro.density.high:.3g}) Mb/mm2 of weights and {macro.efficiency.mid:.2g} "
        f"({macro.efficiency.low:.2g} to {macro.efficiency.high:.2g}) TOPS/W; simulated and estimated, not silicon."
    )


def _area_words(found: SystemComparison) -> str:
    if found.area is None:
        return "Every system gets the area at which the metal ROM holds the whole network."
    return f"Every system gets {found.area:g} mm2."


def _shared_words(found: SystemComparison) -> str:
    s = found.shared
    where = "SRAM-CiM" if found.attention == "sram" else "digital logic"
    return (
        f"{found.bits.weights}-bit weights, {found.bits.inputs}-bit activations, batch 1. "
        f"DRAM {s.dram.low:g}/{s.dram.mid:g}/{s.dram.high:g} pJ/bit (published), {s.buffer_kilobytes:g} KB buffer "
        f"{s.buffer.low:.2g}/{s.buffer.mid:.2g}/{s.buffer.high:.2g} "
        f"pJ/bit (CACTI 7); attention in {where}; ROM systems leave {100 * s.dynamic_share.mid:g} % of their area to "
        f"SRAM-CiM (estimate); all areas scaled to {found.node:g} nm."
    )


def _largest_first(found: SystemComparison) -> dict[str, Case]:
    """One case for each network, its largest size: that of the network itself, not of a stand-in for small images."""
    return {case.workload: case for case in found.cases}


def _capacity(figure: Figure, found: SystemComparison) -> list[str]:
    years, areas = figure.subplots(1, 2, width_ratios=(1, 1.25), sharey=True)
    models = {name: (is_known_network(name), case) for name, case in _largest_first(found).items()}
    for model, case in models.values():
        if model is not None:
            bits = case.inventory.parameters * found.bits.weights * 1e-6
            years.plot(model.year, bits, "o", color=INK, markersize=7)
            years.annotate(case.inventory.model, (model.year, bits), (0, 8), textcoords="offset points", ha="center")
    chips = [megabytes * 8 * 1.048576 for _, megabytes, _ in GPU_CACHES]
    years.plot([year for year, _, _ in GPU_CACHES], chips, "s--", color=SERIES[0], label="SRAM on a GPU (last level)")
    for (year, _, chip), bits in zip(GPU_CACHES, chips, strict=True):
        years.annotate(chip, (year, bits), (0, -15), textcoords="offset points", ha="center", color=SERIES[0])
    years.set(yscale="log", xlim=(2010.5, 2025.5), xlabel="Year of publication", ylabel="Mb")
    years.set_yticks([10, 100, 1000, 10_000, 100_000], ["10", "100", "1,000", "10,000", "100,000"])
    years.set_title("Models outgrow the SRAM of a chip")
    years.legend(loc="upper left")
    colours = _colours(found)
    sram = SYSTEMS[BASELINE]
    for name, system in found.systems:
        ends = {
            level: platform_of(system, sram, found.shared, Scenario.all(level), found.node, found.bits).capacity(1.0)
            * 1e-6
            for level in LEVELS
        }
        areas.plot(_AREAS, [a * ends["mid"] for a in _AREAS], color=colours[name], label=_title(system))
        lower, upper = ([a * ends[level] for a in _AREAS] for level in ("high", "low"))
        areas.fill_between(_AREAS, lower, upper, color=colours[name], alpha=0.13, linewidth=0)
    for _, case in models.values():
        bits = case.inventory.parameters * found.bits.weights * 1e-6
        areas.axhline(bits, color=INK, linewidth=0.9, linestyle=":")
        areas.annotate(
            case.inventory.model, (_AREAS[0], bits), (4, 2), textcoords="offset points", ha="left", fontsize=9
        )
    areas.set(xscale="log", xlim=_AREAS, ylim=(10, 3e5), xlabel="Area (mm2)")
    areas.set_xticks([1, 10, 100, 1000, 10_000, 100_000], ["1", "10", "100", "1,000", "10,000", "100,000"])
    areas.set_title("What an area holds")
    areas.legend(loc="lower right", fontsize=8.5)
    return [
        f"{_metal_words(found)} Bands: all assumptions at their ends. ROM systems: less "
        f"{100 * found.shared.dynamic_share.mid:g} % of the area for SRAM-CiM and less their SRAM branch or masks "
        f"(estimates); all areas scaled to {found.node:g} nm.",
        f"Models: all parameters at {found.bits.weights} bits. {GPU_SOURCE[0].upper()}{GPU_SOURCE[1:]}.",
    ]


def _energy_height(found: SystemComparison) -> float:
    rows = len({case.size for case in found.cases})
    return 2.1 + rows * (0.75 + 0.27 * len(found.systems))


def _energy(figure: Figure, found: SystemComparison) -> list[str]:
    workloads = list(dict.fromkeys(case.workload for case in found.cases))
    sizes = list(dict.fromkeys(case.size for case in found.cases))
    grid = figure.subplots(len(sizes), len(workloads), squeeze=False, sharex=True)
    by_place = {(case.size, case.workload): case for case in found.cases}
    for row, size in enumerate(sizes):
        for column, workload in enumerate(workloads):
            axes = grid[row][column]
            case = by_place.get((size, workload))
            if case is None:
                axes.set_axis_off()
            else:
                _split(axes, case, found, names=column == 0)
    handles, labels = grid[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(PARTS), fontsize=10)
    return [
        f"{_area_words(found)} Share of the energy of one inference in the middle of all assumptions; at the bars the "
        "sum and its range. What does not fit is loaded from DRAM for every inference and computed in SRAM-CiM.",
        _shared_words(found),
        _metal_words(found),
    ]


def _split(axes: Axes, case: Case, found: SystemComparison, *, names: bool) -> None:
    places = range(len(case.results))
    left = [0.0] * len(case.results)
    for label, colour, part in PARTS:
        widths = [100 * part(r.energy["mid"]) / r.energy["mid"].total for r in case.results]
        axes.barh(places, widths, left=left, color=colour, height=0.72, label=label)
        left = [a + b for a, b in zip(left, widths, strict=True)]
    for place, result in zip(places, case.results, strict=True):
        low, mid, high = (result.energy[level].total for level in LEVELS)
        axes.annotate(
            _joules(low, mid, high), (101.5, place), va="center", fontsize=7.6, color=INK, annotation_clip=False
        )
    axes.set_yticks(list(places), [_short(name) for name, _ in found.systems] if names else [""] * len(case.results))
    axes.invert_yaxis()
    axes.set(xlim=(0, 168), xticks=(0, 50, 100))
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)
    axes.set_title(f"{case.inventory.model}", fontsize=10)
    axes.set_xlabel(f"{case.size}: {_input(case)}, {_area(case.area)} mm2; %", fontsize=8.6)


def _short(name: str) -> str:
    words = {
        "sram-cim": "SRAM-CiM + DRAM",
        "yoloc": "YOLoC",
        "mlc-rom": "Multi-level 1T ROM",
        "hidden-rom": "Hidden-ROM",
        "metal-rom": "Metal ROM (metalrom)",
    }
    return words.get(name, name)


def _input(case: Case) -> str:
    return case.inventory.input.split(" (")[0].replace("sequence of ", "sequence ")


def _area(area: float) -> str:
    return f"{area:.3g}" if area < 1000 else f"{area:,.0f}"


def _joules(low: float, mid: float, high: float) -> str:
    """`1.2 mJ (0.4-2)` in the unit of the middle."""
    unit, scale = next(((u, s) for u, s in (("J", 1.0), ("mJ", 1e3), ("µJ", 1e6)) if mid * s >= 0.1), ("nJ", 1e9))
    return f"{_digits(mid * scale)} {unit} ({_digits(low * scale)}–{_digits(high * scale)})"


def _digits(value: float) -> str:
    return f"{value:.2g}" if value < 100 else f"{value:,.0f}"


def _gain(figure: Figure, found: SystemComparison) -> list[str]:
    axes = figure.subplots()
    colours = _colours(found)
    names = [name for name, _ in found.systems if name != BASELINE]
    step = 0.8 / (len(names) + 1)
    shown = dict.fromkeys((*names, ""), False)
    for place, case in enumerate(found.cases):
        spans = {r.system: r.gain for r in case.results}
        for offset, name in enumerate((*names, "")):
            span = spans[name] if name else case.full_deployment
            x = place - 0.4 + step * (offset + 0.5)
            colour = colours[name] if name else INK
            label = (
                _title(dict(found.systems)[name]) if name else "SRAM-CiM: no weight loaded over all loaded"
            ) or name
            axes.errorbar(
                x,
                span.mid,
                [[span.mid - span.low], [span.high - span.mid]],
                fmt="D" if name else "_",
                color=colour,
                markersize=5 if name else 9,
                elinewidth=1.1,
                capsize=2,
                label=None if shown[name] else label,
            )
            shown[name] = True
    axes.axhline(1, color=INK, linewidth=1)
    for tick in _DECK_TICKS:
        axes.axhline(tick, color="#8d1226", linewidth=0.8, linestyle=(0, (5, 4)))
    groups = [case.workload for case in found.cases]
    for place in range(1, len(groups)):
        if groups[place] != groups[place - 1]:
            axes.axvline(place - 0.5, color=SOFT, linewidth=0.8)
    labels = [f"{case.size}\n{case.inventory.model}\n{_input(case)}\n{_area(case.area)} mm2" for case in found.cases]
    axes.set_xticks(range(len(labels)), ["\n".join(_wrapped(label)) for label in labels], fontsize=7.8)
    axes.set(yscale="log", xlim=(-0.5, len(labels) - 0.5), ylim=(0.008, 700))
    axes.set_yticks([0.01, 0.1, 1, *_DECK_TICKS], ["0.01", "0.1", "1", "2", "20", "200"])
    axes.grid(axis="x", visible=False)
    axes.set_ylabel("Energy of SRAM-CiM with DRAM reload / energy of the system")
    axes.set_title("Gain of holding the weights: above 1 the system saves energy")
    handles, texts = axes.get_legend_handles_labels()
    figure.legend(handles, texts, loc="outside upper center", ncols=3, fontsize=9)
    return [
        f"{_area_words(found)} Bars: extremes over all combinations of the assumptions' ends, the same for both. "
        "Dashed red: the ticks 2, 20, 200 of the public 3D-METRO talk, whose inputs are not public.",
        _shared_words(found),
        _metal_words(found),
    ]


def _wrapped(label: str) -> list[str]:
    return [part for line in label.split("\n") for part in (textwrap.wrap(line, 16) or [""])]
