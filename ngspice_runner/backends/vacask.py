"""VACASK in place of ngspice: the deck is translated, one process for each analysis, results under the deck's names.

Another simulator with other code for the same equations: a second witness for the decks that it can take, and the way
to kits whose transistors are compiled Verilog-A (OSDI).
"""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ngspice_runner.backends import RawOutcome, merge_outcomes
from ngspice_runner.backends.process import EngineProcesses, disk_full, environment, read_log
from ngspice_runner.backends.run_place import RunPlace, run_place
from ngspice_runner.backends.sandbox import engine_confinement
from ngspice_runner.deck import PLOT_NAMES
from ngspice_runner.engine import Engine
from ngspice_runner.errors import EngineError
from ngspice_runner.job import Signal
from ngspice_runner.prepare import Prepared
from ngspice_runner.raw import Plot, RawError, read_raw
from ngspice_runner.vacask.modules import Modules, Vacask, find_vacask
from ngspice_runner.vacask.netlist import SimFile, Translated, translate_deck

_OURS = re.compile(r"\b[nd]\d+\b")
_MARKS = (
    (re.compile(r"^Homotopy failed.*|^Initial OP analysis failed.*", re.MULTILINE), "DC solution failed"),
    (re.compile(r"^.*[Tt]imestep too small.*|^Transient NR solver failed.*", re.MULTILINE), "Timestep too small"),
)
"""What VACASK says, and what the verdict's rules know it by."""


class VacaskBackend(EngineProcesses):
    """Runs each job by VACASK. Safe to share between threads."""

    name = "vacask"

    def __init__(self) -> None:
        super().__init__()
        self._vacask: Vacask = find_vacask()
        self.engine = self._vacask.engine

    def engine_for(self, engine: Engine) -> Engine:
        """VACASK, whatever ngspice was found."""
        return self.engine

    def refuses(self, prepared: Prepared) -> str:
        """Nothing: what cannot be translated is an error of the job."""
        return ""

    def run(self, prepared: Prepared) -> RawOutcome:
        """Run one job; see `Backend.run`. Raises JobError for a deck that cannot be translated."""
        folder = Path(prepared.job.folder or ".").absolute()
        translated = translate_deck(prepared.run_text, folder, Modules(self._vacask, prepared.job.told("verilog_a")))
        outcomes = [self._run_file(prepared, file, translated) for file in translated.files]
        return merge_outcomes(outcomes)

    def view(self, prepared: Prepared) -> RawOutcome | None:
        """None: the translation is the harness's own reading of the deck."""
        return None

    def close(self) -> None:
        """Nothing is kept between runs."""

    def _run_file(self, prepared: Prepared, file: SimFile, translated: Translated) -> RawOutcome:
        with run_place(None if prepared.job.trust else engine_confinement(self.engine.path, None)) as place:
            try:
                return self._run_in(place, prepared, file, translated)
            except OSError as error:
                raise EngineError(f"the run's folder {place.folder} cannot be used ({error.strerror})") from None

    def _run_in(self, place: RunPlace, prepared: Prepared, file: SimFile, translated: Translated) -> RawOutcome:
        folder = Path(place.folder)
        (folder / "deck.sim").write_text(file.text, encoding="utf-8")
        raw, log = folder / "result.raw", folder / "log.txt"
        command = [self.engine.path, "-se", "-sp", "-qp", "-n", "1", "deck.sim"]
        started = time.monotonic()
        with log.open("wb") as log_file, self._lock:
            if self._cancelled:
                return RawOutcome(None, False, True, "", None, "", "", 0.0, 0.0)
            variables = environment(place.folder, "")
            child = self._launch(command, place, variables, log_file.fileno(), subprocess.DEVNULL)
        ended = self._finish(child, prepared.job.timeout)
        wall = time.monotonic() - started
        plots, problem, reason = _read(raw, file, prepared.title)
        if not problem and disk_full(folder):
            problem, reason = f"the disk under {folder} is full: log and result may be cut off", "truncated"
        said = _OURS.sub(lambda m: translated.names.get(m.group(), m.group()), read_log(log))
        known = [f"{word}: {found.group()}" for mark, word in _MARKS for found in mark.finditer(said)]
        if ended.exit_code > 0 and not known:
            known = [f"Error on line 0: VACASK: {_complaint(said)}"]
        return RawOutcome(
            exit_code=ended.exit_code,
            timed_out=ended.timed_out,
            cancelled=ended.cancelled,
            log="\n".join([*translated.notes, *known, said]),
            plots=plots,
            raw_problem=problem,
            raw_reason=reason,
            cpu_seconds=ended.cpu_seconds,
            wall_seconds=wall,
            engine=self.engine.version,
        )


def _complaint(said: str) -> str:
    """The first line behind the banner."""
    lines = [line.strip() for line in said.partition("OpenBLAS CPUs:")[2].splitlines()[1:] if line.strip()]
    return " ".join(lines[:2])[:200] or "no message"


def _read(raw: Path, file: SimFile, title: str) -> tuple[tuple[Plot, ...] | None, str, str]:
    """Plots as ngspice would have written them, problem, reason."""
    if not raw.is_file():
        return None, "", ""
    try:
        plots = read_raw(raw)
    except RawError as error:
        plots = error.plots
        return tuple(_renamed(plot, file, title) for plot in plots), str(error), error.reason
    return tuple(_renamed(plot, file, title) for plot in plots), "", ""


def _renamed(plot: Plot, file: SimFile, title: str) -> Plot:
    signals = list(plot.signals[file.outer :])
    out: list[Signal] = []
    if file.sweep and signals:
        first = signals.pop(0)
        unit = {"time": "s", "frequency": "Hz", "v-sweep": "V", "i-sweep": "A"}[file.sweep]
        out.append(Signal(file.sweep, unit, np.ascontiguousarray(np.real(first.values))))
    found: Mapping[str, Signal] = {signal.name: signal for signal in signals}
    for theirs, (name, unit, factor) in file.vectors.items():
        if theirs in found:
            values = found[theirs].values
            out.append(Signal(name, unit, values if factor == 1.0 else values * factor))
    return Plot(title, PLOT_NAMES[file.kind], tuple(out), plot.points)
