"""This harness under its own suite: each backend for itself."""

from __future__ import annotations

import functools
from collections.abc import Callable

from ngspice_runner.backends.shared import SharedBackend
from ngspice_runner.conformance.harness import Answer, Question, sample
from ngspice_runner.deck import read_deck
from ngspice_runner.errors import EngineError, JobError
from ngspice_runner.executor import run
from ngspice_runner.job import Job, Result
from ngspice_runner.points import Sweep, plan_points
from ngspice_runner.spice_numbers import parse_number
from ngspice_runner.sweep import run_sweep
from ngspice_runner.waveforms import sweep_of

_POINTS = 5


def by_process(question: Question) -> Answer:
    """An engine process for the deck."""
    return _answer(question, lambda job: run(job))


def by_shared(question: Question) -> Answer:
    """libngspice in a child process."""
    return _answer(question, lambda job: run(job, backend=_shared()))


@functools.cache
def _shared() -> SharedBackend:
    return SharedBackend()


def by_batch(question: Question) -> Answer:
    """The first of a few points in one engine process, where the deck has an element to sweep; else as one job."""
    return _answer(question, _first_point)


def _first_point(job: Job) -> Result:
    deck = read_deck(job.text)
    for _, card in deck.cards:
        words = card.split()
        value = parse_number(words[3]) if card[0] in "rRcC" and len(words) > 3 else None
        if not value:
            continue
        sweep = Sweep(job, [{words[0]: value * (1 + 1e-9 * i)} for i in range(_POINTS)])
        try:
            plan_points(sweep, deck)
        except JobError:
            continue
        return run_sweep(sweep, workers=1)[0]
    return run(job, backend="batch")


def _answer(question: Question, way: Callable[[Job], Result]) -> Answer:
    text = question.path.read_bytes().decode("utf-8", "surrogateescape")
    measured = _measured(text)
    outputs = tuple(name for name in question.outputs if name.lower() not in measured)
    job = Job(text, outputs, question.stop, question.timeout, folder=str(question.path.parent))
    try:
        result = way(job)
    except (JobError, EngineError) as error:
        return Answer(False, messages=str(error))
    values = {}
    for name, at in question.asked:
        signal = result.signals.get(name.lower())
        if name.lower() in result.measures:
            values[name] = result.measures[name.lower()]
        elif signal is not None and len(signal.values):
            sweep = sweep_of(result, name.lower())
            values[name] = sample(signal.values, signal.values if sweep is None else sweep, at)
    notes = result.provenance.notes if result.provenance else ()
    seed = f"seed {result.provenance.seed}" if result.provenance and result.provenance.seed is not None else ""
    return Answer(result.ok, values, "\n".join([result.verdict.value, result.log, *notes, seed]), len(notes))


def _measured(text: str) -> set[str]:
    """Names of `.meas` results."""
    cards = (card.lower().split() for _, card in read_deck(text).cards if card[:5].lower() == ".meas")
    return {words[2] for words in cards if len(words) > 2}
