"""A result as a picture: every analysis one below the other, signals of a unit on one axis."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

from interconnect.files import atomic_file
from ngspice_runner.errors import JobError
from ngspice_runner.export import PLOT_TITLES, AnalysisSignals, analyses_of
from ngspice_runner.job import Result, Signal
from ngspice_runner.waveforms import is_sweep

LEGEND = 12
"""Names in a legend; further signals are drawn and counted."""

_NAMES = {"V": "voltage", "A": "current", "deg": "phase"}


def plot_result(result: Result, path: Path, names: Sequence[str] = ()) -> Path:
    """Draw the signals of a result as a PNG file.

    Complex signals are drawn as magnitude (logarithmic) and phase, values without a sweep as bars.

    Parameters
    ----------
    result
        A result with signals.
    path
        The file, `*.png`.
    names
        Signals to draw, as in `Result.signals`; none: all.

    Returns
    -------
    Path
        What was written.

    Raises
    ------
    JobError
        There is nothing to draw.
    InputError
        The file cannot be written; nothing of it stays.
    """
    wanted = {name.lower().replace(" ", "") for name in names}
    panels = [panel for group in analyses_of(result) for panel in _panels(group, wanted)]
    if not panels:
        raise JobError(f"{path.name}: the result has no signals to draw")
    figure = Figure(figsize=(9.0, 0.6 + 2.8 * len(panels)), dpi=120, layout="constrained")
    canvas: Any = FigureCanvasAgg(figure)
    for axes, (title, sweep, signals, unit) in zip(
        figure.subplots(len(panels), squeeze=False)[:, 0], panels, strict=True
    ):
        _draw(axes, title, sweep, signals, unit)
    with atomic_file(path) as file:
        canvas.print_png(file, metadata={"Software": None})
    return path


Panel = tuple[str, Signal | None, list[Signal], str]


def _panels(group: AnalysisSignals, wanted: Collection[str]) -> Iterator[Panel]:
    """(title, sweep, signals, unit) of every axis of an analysis; wanted: full names, none for all."""
    first, *others = group.signals
    sweep = first if is_sweep(first.name) else None
    signals = others if sweep is not None else [first, *others]
    prefix = f"{group.prefix}." if group.prefix else ""
    signals = [s for s in signals if not wanted or prefix + s.name in wanted]
    title = PLOT_TITLES.get(group.kind, group.kind)
    for unit in dict.fromkeys(s.unit for s in signals):
        alike = [s for s in signals if s.unit == unit]
        if any(np.iscomplexobj(s.values) for s in alike):
            yield f"{title}, magnitude", sweep, [Signal(s.name, unit, np.abs(s.values)) for s in alike], unit
            yield f"{title}, phase", sweep, [Signal(s.name, "deg", np.angle(s.values, deg=True)) for s in alike], "deg"
        else:
            yield title, sweep, alike, unit


def _draw(axes: Axes, title: str, sweep: Signal | None, signals: list[Signal], unit: str) -> None:
    if sweep is None:
        axes.bar([s.name for s in signals], [float(s.values[-1]) for s in signals])
        axes.tick_params(axis="x", rotation=45 if len(signals) > 6 else 0)
    else:
        x = np.real(sweep.values)
        for i, signal in enumerate(signals):
            label = signal.name if i < LEGEND else f"and {len(signals) - LEGEND} more" if i == LEGEND else None
            axes.plot(x, signal.values, linewidth=1.2, label=label)
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=8)
        axes.set_xlabel(f"{sweep.name} ({sweep.unit})" if sweep.unit else sweep.name)
        axes.margins(x=0.0)
        if sweep.name == "frequency" and x.min() > 0:
            axes.set_xscale("log")
        else:
            axes.xaxis.set_major_formatter(EngFormatter())
        if title.endswith("magnitude") and all((s.values > 0).all() for s in signals):
            axes.set_yscale("log")
    if axes.get_yscale() == "linear":
        axes.yaxis.set_major_formatter(EngFormatter())
    axes.set_ylabel(f"{_NAMES.get(unit, 'value')} ({unit})" if unit else "value")
    axes.set_title(title, loc="left", fontsize=10)
    axes.grid(visible=True, color="#e3e8ed", linewidth=0.7)
