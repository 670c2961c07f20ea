"""ngspice by itself, as scripts call it: `ngspice -b -r FILE`, trusted when it exits with 0 and wrote what is asked."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from ngspice_runner.conformance.harness import Answer, Question, count_warnings, values_of_plots
from ngspice_runner.engine import find_engine
from ngspice_runner.parts import read_measures
from ngspice_runner.raw import Plot, RawError, read_raw


def run_bare(question: Question) -> Answer:
    """One run with a raw file; measures need one without, since the engine takes none beside a raw file."""
    raw = question.path.with_name("out_of_bare.raw")
    code, log = start_engine(question, "-r", raw.name)
    plots = plots_under(question.path.parent)
    measures: Mapping[str, float] = {}
    if code == 0 and any(word in question.path.read_text("utf-8", "replace").lower() for word in (".meas", "\nmeas")):
        code, printed = start_engine(question)
        measures = read_measures(printed, question.outputs)
        log += printed
    return Answer(code == 0, values_of_plots(plots, measures, question.asked), log, count_warnings(log))


def start_engine(question: Question, *arguments: str) -> tuple[int, str]:
    """Exit code and everything that the engine printed; -1 where it had to be stopped."""
    command = [find_engine().path, "-b", *arguments, question.path.name]
    environment = {"HOME": str(question.path.parent), "PATH": os.environ.get("PATH", os.defpath), "LANG": "C"}
    try:
        done = subprocess.run(
            command,
            cwd=question.path.parent,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=question.timeout,
            check=False,
            text=True,
            errors="replace",
        )
    except subprocess.TimeoutExpired:
        return -1, "stopped: not finished in time"
    return done.returncode, done.stdout + done.stderr


def plots_under(folder: Path) -> tuple[Plot, ...]:
    """Plots of all raw files of a run, in the order of their names."""
    plots: tuple[Plot, ...] = ()
    for path in sorted(folder.glob("*.raw")):
        try:
            plots += read_raw(path)
        except (RawError, OSError):
            continue
    return plots
