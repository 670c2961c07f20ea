"""spicelib: `SimRunner` with ngspice, its raw file read by `RawRead`, its log by its own reader."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from spicelib import RawRead
from spicelib.sim.sim_runner import SimRunner
from spicelib.simulators.ngspice_simulator import NGspiceSimulator

from ngspice_runner.conformance.harness import Answer, Question, count_warnings, values_of_plots
from ngspice_runner.job import Signal
from ngspice_runner.parts import read_measures
from ngspice_runner.raw import Plot


def run_spicelib(question: Question) -> Answer:
    """Accepted when the runner hands out a raw file."""
    NGspiceSimulator.set_compatibility_mode(None)
    runner = SimRunner(simulator=NGspiceSimulator, timeout=question.timeout, cwd=str(question.path.parent))
    raw, _ = runner.run_now(str(question.path), exe_log=True)
    logs = [path for end in ("*.log", "*.fail") for path in sorted(question.path.parent.glob(end))]
    printed = "\n".join(path.read_text("utf-8", "replace") for path in logs)
    if raw is None or not Path(raw).is_file():
        return Answer(False, messages=printed)
    measures = read_measures(printed, question.outputs)
    return Answer(
        True,
        values_of_plots(_plots(RawRead(str(raw), dialect="ngspice")), measures, question.asked),
        printed,
        count_warnings(printed),
    )


def _plots(raw: RawRead) -> list[Plot]:
    plots = []
    for plot in raw.plots:
        waves = [(name.lower(), np.asarray(plot.get_wave(name))) for name in plot.get_trace_names()]
        signals = tuple(Signal(name, "", wave) for name, wave in waves)
        plots.append(Plot("", plot.get_plot_name(), signals, len(signals[0].values)))
    return plots
