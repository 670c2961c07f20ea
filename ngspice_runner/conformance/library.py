"""Wrappers of libngspice of PySpice's kind: load a deck, run it, hand out the plots; an error is an exception.

Each deck is run in a fork of its own: a crash of the library, or what one deck leaves there, reaches no other.
"""

from __future__ import annotations

import json
import logging
import os
import select
import signal
from dataclasses import asdict
from typing import Any

import numpy as np

from ngspice_runner.conformance.harness import Answer, Question, count_warnings, values_of_plots
from ngspice_runner.deck import PLOT_NAMES
from ngspice_runner.job import Signal
from ngspice_runner.parts import read_measures
from ngspice_runner.raw import Plot


def run_library(make: Any, question: Question) -> Answer:
    """make: the class NgSpiceShared. Accepted when nothing is raised."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        with os.fdopen(writing, "w") as file:
            json.dump(asdict(_run_here(make, question)), file)
            file.flush()
            os._exit(0)
    os.close(writing)
    data = b""
    with os.fdopen(reading, "rb") as pipe:
        while select.select([pipe], [], [], question.timeout)[0]:
            piece = os.read(pipe.fileno(), 1 << 16)
            if not piece:
                break
            data += piece
        else:
            os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    try:
        return Answer(**json.loads(data))
    except ValueError:
        return Answer(False, messages=f"the process ended with status {os.waitstatus_to_exitcode(status)}")


def _run_here(make: Any, question: Question) -> Answer:
    log = _Log()
    logging.getLogger().addHandler(log)
    os.chdir(question.path.parent)
    try:
        engine = make.new_instance()
        engine.load_circuit(question.path.read_text("utf-8"))
        engine.run()
        plots = [_plot(engine.plot(None, name), name) for name in reversed(engine.plot_names) if name != "const"]
    except Exception as error:  # whatever it raises is its way to refuse
        return Answer(False, messages="\n".join([f"{type(error).__name__}: {error}", *log.lines]))
    printed = "\n".join([*log.lines, str(getattr(engine, "stdout", "")), str(getattr(engine, "stderr", ""))])
    measures = read_measures(printed, question.outputs)
    return Answer(
        True,
        values_of_plots([p for p in plots if p.points], measures, question.asked),
        printed,
        count_warnings(printed),
    )


class _Log(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def _plot(found: Any, name: str) -> Plot:
    signals = []
    for vector, data in found.items():
        spelled = vector.lower()
        if not any(mark in spelled for mark in ("#", "@", "-sweep", "time", "frequency", "(")):
            spelled = f"v({spelled})"
        signals.append(Signal(spelled, "", np.asarray(getattr(data, "_data", data))))
    signals.sort(key=lambda signal: not signal.name.startswith(("time", "frequency", "v-sweep", "temp-sweep")))
    kind = PLOT_NAMES.get(name.rstrip("0123456789"), name)
    return Plot("", kind, tuple(signals), len(signals[0].values) if signals else 0)
