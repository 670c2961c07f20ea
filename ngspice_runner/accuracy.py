"""How far a result moves when the engine computes more finely: an error bar for each signal.

The deck is run once more with tolerances of a tenth and, for a transient, half of the largest step that was taken. The
difference of both runs estimates the error of the first one: its integration error falls with the square of the step,
so that three quarters of it show. It says nothing of what the engine misreads or of the models.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ngspice_runner.cache import Cache
from ngspice_runner.deck import Analysis, ParsedDeck, read_deck
from ngspice_runner.engine import Engine
from ngspice_runner.errors import EngineError, JobError
from ngspice_runner.executor import run, run_many
from ngspice_runner.job import Job, Result
from ngspice_runner.scheduling import Workers
from ngspice_runner.spice_numbers import evaluate_expression
from ngspice_runner.waveforms import is_sweep, sweep_of

SHARE = 0.75
"""Part of a second-order error that vanishes as the step is halved."""

_TOLERANCES = {"reltol": 1e-3, "abstol": 1e-12, "vntol": 1e-6, "chgtol": 1e-14}
"""Defaults of ngspice 39."""


@dataclass(frozen=True, slots=True)
class SignalError:
    """Largest difference of a signal between both runs over `SHARE`, in its unit, and over its largest magnitude."""

    absolute: float
    relative: float


def estimate_accuracy(
    job: Job, result: Result, *, cache: Cache | None = None, engine: Engine | None = None
) -> Mapping[str, SignalError]:
    """The numerical error of a good result, by signal.

    Parameters
    ----------
    job
        The job of the result.
    result
        What `run` returned for it.
    cache, engine
        As for `run`.

    Returns
    -------
    Mapping
        Errors by the names of the result's signals, sweeps left out.

    Raises
    ------
    JobError
        For decks with a control section, and results that are not ok.
    EngineError
        The finer run fails.
    """
    if not result.ok:
        raise JobError(f"accuracy: the result's verdict is {result.verdict.value}, expected ok")
    finer = run(finer_job(job, result), cache=cache, engine=engine)
    if not finer.ok:
        raise EngineError(f"accuracy: the finer run ended with {finer.verdict.value}: {finer.log.splitlines()[:1]}")
    return signal_errors(result, finer)


def is_sampled(digest: str, one_in: int) -> bool:
    """Whether a deck of this SHA-256 belongs to the sample of one in so many: the same decks in every run."""
    return one_in > 0 and int(digest[:16], 16) % one_in == 0


def run_finer(
    jobs: Sequence[Job], results: Sequence[Result], *, cache: Cache | None = None, workers: Workers = None
) -> list[Result]:
    """The finer runs of good results, in their order; each costs about three times the plain one."""
    return run_many(
        [finer_job(job, result) for job, result in zip(jobs, results, strict=True)], cache=cache, workers=workers
    )


def signal_errors(result: Result, finer: Result) -> dict[str, SignalError]:
    """The numerical error of a result, by signal, from its finer run."""
    names = (name for name in result.signals if not is_sweep(name) and name in finer.signals)
    return {name: _difference(result, finer, name) for name in names}


def worst_errors(errors: Sequence[Mapping[str, SignalError]]) -> dict[str, SignalError]:
    """The largest error of each signal."""
    worst: dict[str, SignalError] = {}
    for found in errors:
        for name, error in found.items():
            before = worst.get(name, error)
            worst[name] = SignalError(max(before.absolute, error.absolute), max(before.relative, error.relative))
    return worst


def finer_job(job: Job, result: Result) -> Job:
    """The job with tolerances of a tenth and half of the transient's largest step. Raises JobError for a deck with a
    control section."""
    deck = read_deck(job.text)
    if deck.control:
        raise JobError("accuracy: a deck with a control section sets its own steps and tolerances")
    given = _given_options(job, deck)
    options = tuple((name, value) for name, value in job.options if name.lower() not in _TOLERANCES)
    options += tuple((name, f"{given.get(name, value) / 10:g}") for name, value in _TOLERANCES.items())
    lines = list(deck.lines)
    counts = 0
    for analysis in deck.analyses:
        if analysis.kind == "tran":
            counts += 1
            name = "time" if counts == 1 and deck.main is analysis else f"tran{counts if counts > 1 else ''}.time"
            time = result.signals.get(name)
            if time is not None and len(time.values) > 1:
                lines[analysis.line - 1] = _with_largest_step(analysis, float(np.diff(time.values.real).max()) / 2)
    return replace(job, text="\n".join(lines), options=options)


def _with_largest_step(analysis: Analysis, step: float) -> str:
    uic = " uic" if analysis.uic else ""
    return f".tran {analysis.step:.10g} {analysis.stop:.10g} {analysis.start or 0.0:.10g} {step:.10g}{uic}"


def _given_options(job: Job, deck: ParsedDeck) -> dict[str, float]:
    """Tolerances that the deck or the job sets."""
    found: dict[str, float] = {}
    texts = [card.split(None, 1)[1] for _, card in deck.cards if card[:7].lower() == ".option" and " " in card]
    pairs = [part.partition("=")[::2] for text in texts for part in text.replace(" =", "=").replace("= ", "=").split()]
    for name, value in (*pairs, *job.options):
        number = evaluate_expression(value, deck.parameters) if value else None
        if name.lower() in _TOLERANCES and number:
            found[name.lower()] = number
    return found


def _difference(coarse: Result, fine: Result, name: str) -> SignalError:
    here, there = coarse.signals[name].values, fine.signals[name].values
    at, known = sweep_of(coarse, name), sweep_of(fine, name)
    if at is not None and known is not None:
        there = np.interp(at, known, there)
    peak = float(np.abs(here).max(initial=0.0))
    distance = float(np.abs(here - there).max(initial=0.0)) / SHARE
    return SignalError(distance, distance / peak if peak > 0 else 0.0)
