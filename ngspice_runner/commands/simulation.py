"""One deck on the command line: read, run, judged, shown."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import ngspice_runner
from interconnect.errors import InputError
from interconnect.files import read_bytes
from ngspice_runner.accuracy import SignalError, estimate_accuracy
from ngspice_runner.capability import MeshWarning, warn_before
from ngspice_runner.errors import JobError
from ngspice_runner.executor import run
from ngspice_runner.export import check_format, export_result
from ngspice_runner.job import Job, Result

_SHOWN_LINES = 12
MAX_NUMBERS = 1_000_000
"""In one JSON document, which takes 130 bytes of memory for each; a sweep that is cut short can leave any number."""
COMPATIBILITY = {"lt": "lta", "ki": "ki", "ps": "psa", "hs": "hsa"}
"""Decks of LTspice, KiCad, PSpice and HSPICE -> ngspice's `ngbehavior`; `a` makes it hold for the deck itself."""


@dataclass(frozen=True, slots=True)
class Simulation:
    """A result with its error bars, and what is to be said before it."""

    result: Result
    errors: Mapping[str, SignalError]
    warnings: tuple[str, ...]

    def document(self) -> dict[str, object]:
        """What JSON output holds; complex values as pairs. Raises InputError for more than `MAX_NUMBERS`."""
        numbers = sum(signal.values.size for signal in self.result.signals.values())
        if numbers > MAX_NUMBERS:
            raise InputError(
                f"the result holds {numbers} numbers, more than the {MAX_NUMBERS} that JSON output is for",
                hint="give --export FILE in place of --json, or let the analysis take fewer points",
            )
        signals: dict[str, list[object]] = {}
        for name, signal in self.result.signals.items():
            values = signal.values
            pairs = np.column_stack([values.real, values.imag]) if np.iscomplexobj(values) else values
            signals[name] = pairs.tolist()
        return {
            "verdict": self.result.verdict.value,
            "signals": signals,
            **({"measures": dict(self.result.measures)} if self.result.measures else {}),
            **({"accuracy": self.errors} if self.errors else {}),
            "log": self.result.log,
            "provenance": self.result.provenance,
        }

    def text(self) -> str:
        """The same for people: the last value of every signal."""
        result = self.result
        lines = [f"verdict: {result.verdict.value}"]
        lines += [f"  {line}" for line in result.log.splitlines()[:_SHOWN_LINES]]
        for name, signal in result.signals.items():
            last = signal.values[-1] if len(signal.values) else "none"
            shown = f"{name}: {len(signal.values)} points, last {last} {signal.unit}".rstrip()
            bar = self.errors.get(name)
            lines.append(shown + (f", +- {bar.absolute:.2g} ({100 * bar.relative:.2g} %)" if bar else ""))
        lines += [f"{name} = {value:.9g}" for name, value in result.measures.items()]
        found = result.provenance
        if found is not None:
            lines.append(
                f"{found.engine}, backend {found.backend}, {found.cpu_seconds:.3f} s CPU, key {found.key[:16]}"
            )
            lines += [f"seed: {found.seed}"] if found.seed is not None else []
            lines += [f"retry: {found.retry}"] if found.retry else []
            lines += [f"note: {note}" for note in found.notes]
        return "\n".join(lines)


def read_job(
    deck: Path,
    save: Sequence[str],
    *,
    timeout: float = 120.0,
    trust: bool = False,
    seed: int | None = None,
    compatibility: str = "",
) -> Job:
    """The job of a deck's file; `save` as on the command line (`v(a,b),i(vdd)`)."""
    text = read_bytes(deck).decode("utf-8", "surrogateescape")
    if compatibility and compatibility not in COMPATIBILITY:
        raise JobError(f"compatibility {compatibility!r}: {', '.join(COMPATIBILITY)} is needed")
    options = (("ngbehavior", COMPATIBILITY[compatibility]),) if compatibility else ()
    folder = str(deck.resolve().parent)
    return Job(text, split_names(save), timeout=timeout, folder=folder, trust=trust, seed=seed, options=options)


def simulate_job(job: Job, *, backend: str = "process", retry: bool = False, accuracy: bool = False) -> Simulation:
    """Run a job and, where asked for, estimate its numerical error."""
    said = tuple(str(warning) for warning in warn_before(job))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MeshWarning)  # it is among `said`
        result = run(job, backend=backend, retry=retry)
    return Simulation(result, dict(estimate_accuracy(job, result)) if accuracy and result.ok else {}, said)


def check_files(exports: Sequence[Path], plot: Path | None) -> None:
    """Refuse file names of unknown formats before anything runs. Raises JobError."""
    for path in exports:
        check_format(path)
    if plot is not None and plot.suffix.lower() != ".png":
        raise JobError(f"{plot.name}: a plot is a PNG file; the name must end with .png")


def write_files(result: Result, exports: Sequence[Path], plot: Path | None, save: Sequence[str]) -> None:
    """Write a result to files, and draw the vectors of `save`, or all where it names none. Raises JobError for a result
    without signals."""
    for path in exports:
        export_result(result, path)
    if plot is not None:
        ngspice_runner.plot_result(result, plot, split_names(save))


def split_names(save: Sequence[str]) -> tuple[str, ...]:
    """`v(a,b),i(vdd)` -> (`v(a,b)`, `i(vdd)`): commas inside parentheses belong to the name."""
    names: list[str] = []
    for text in save:
        depth, start = 0, 0
        for place, letter in enumerate(text):
            depth += (letter == "(") - (letter == ")")
            if depth == 0 and letter in ", ":
                names.append(text[start:place])
                start = place + 1
        names.append(text[start:])
    return tuple(name.strip() for name in names if name.strip())
