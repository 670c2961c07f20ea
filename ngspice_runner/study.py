"""Corners x temperatures x parameters x random draws of one deck, with the settings and the seed of every run."""

from __future__ import annotations

import itertools
import re
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ngspice_runner.cache import Cache
from ngspice_runner.deck import ParsedDeck, read_deck
from ngspice_runner.engine import Engine
from ngspice_runner.errors import JobError
from ngspice_runner.executor import run_many
from ngspice_runner.job import Job, Result
from ngspice_runner.points import Sweep, plan_points
from ngspice_runner.randomness import draws_numbers
from ngspice_runner.scheduling import Progress, Workers

_SECTION = re.compile(r"[\w.+-]+")
_LOWEST, _HIGHEST = -273.15, 2000.0
LIMIT = 1_000_000
"""Largest number of runs of a study."""


@dataclass(frozen=True, slots=True)
class Study:
    """What is varied; everything is combined with everything.

    Parameters
    ----------
    base
        The job of which every run is a variant.
    corners
        Sections in place of the one that the deck's `.lib FILE SECTION` cards name.
    temperatures
        In degC, in place of the deck's `.temp`.
    parameters
        Values by the name of a `.param` or of a top-level R, C, L, V or I (as in `Sweep`).
    samples
        Random draws of each variant, for decks with random functions; 0 for decks without.
    seed
        From which the seeds of the samples are derived; None draws one.
    """

    base: Job
    corners: Sequence[str] = ()
    temperatures: Sequence[float] = ()
    parameters: Mapping[str, Sequence[float]] = field(default_factory=dict)
    samples: int = 0
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class StudyRow:
    """One run: its settings by name (`corner`, `temperature`, parameters, `sample`, `seed`) and its result."""

    settings: Mapping[str, str | float | int]
    result: Result

    def values(self) -> dict[str, float]:
        """Last value of each output (magnitude of a complex one), and measures."""
        last = {name: signal.values[-1] for name, signal in self.result.signals.items() if len(signal.values)}
        numbers = {name: float(abs(value) if np.iscomplexobj(value) else value) for name, value in last.items()}
        return numbers | dict(self.result.measures)


def run_study(
    study: Study,
    *,
    workers: Workers = None,
    cache: Cache | None = None,
    backend: str = "process",
    engine: Engine | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> list[StudyRow]:
    """All runs of a study, in the order corners, temperatures, parameters, samples.

    Parameters
    ----------
    study
        What is varied.
    workers, cache, backend, engine, progress
        As for `run_many`.

    Returns
    -------
    list of StudyRow
        One per run, each with its settings.

    Raises
    ------
    JobError
        The deck has nothing of what is to be varied.
    EngineError
        As for `run_many`.
    """
    variants = list(study_jobs(study))
    results = run_many(
        [job for _, job in variants], workers=workers, cache=cache, backend=backend, engine=engine, progress=progress
    )
    return [StudyRow(settings, result) for (settings, _), result in zip(variants, results, strict=True)]


def study_jobs(study: Study) -> Iterator[tuple[dict[str, str | float | int], Job]]:
    """(settings, job) of every run. Raises JobError where the deck has nothing of what is to be varied."""
    count = max(1, study.samples)
    for values in (study.corners, study.temperatures, *study.parameters.values()):
        count *= max(1, len(values))
    if count > LIMIT:
        raise JobError(f"the study has {count} runs; at most {LIMIT} are possible")
    if study.samples < 0:
        raise JobError(f"samples is {study.samples}: 0 or more are needed")
    if study.samples and not draws_numbers(study.base.text):
        raise JobError("samples are asked for, but the deck has no random functions (agauss, gauss, aunif, ...)")
    seeds = _seeds(study)
    for corner in study.corners or (None,):
        text = study.base.text if corner is None else _with_corner(study.base.text, corner)
        for temperature in study.temperatures or (None,):
            job = replace(study.base, text=text)
            settings: dict[str, str | float | int] = {} if corner is None else {"corner": corner}
            if temperature is not None:
                job = _at_temperature(job, temperature)
                settings["temperature"] = temperature
            for named, point in _points(job, study.parameters):
                if not seeds:
                    yield settings | named, point
                for sample, seed in enumerate(seeds):
                    yield settings | named | {"sample": sample, "seed": seed}, replace(point, seed=seed)


def _seeds(study: Study) -> list[int]:
    """Distinct seeds of the samples; the first ones are the same for any number of samples."""
    root = study.seed if study.seed is not None else secrets.randbelow(2**31 - 1)
    if root < 0:
        raise JobError(f"seed is {root}: 0 or more is needed")
    found: dict[int, None] = {}
    sequence = np.random.SeedSequence(root)
    for child in (sequence.spawn(1)[0] for _ in itertools.count()):
        if len(found) >= study.samples:
            return list(found)
        found[1 + int(child.generate_state(1)[0]) % (2**31 - 2)] = None
    return list(found)


def _points(job: Job, parameters: Mapping[str, Sequence[float]]) -> Iterator[tuple[dict[str, str | float | int], Job]]:
    if not parameters:
        yield {}, job
        return
    grid = [dict(zip(parameters, values, strict=True)) for values in itertools.product(*parameters.values())]
    points = plan_points(Sweep(job, grid), read_deck(job.text))
    for index, named in enumerate(grid):
        yield dict(named), points.job(index)


def _with_corner(text: str, corner: str) -> str:
    if not _SECTION.fullmatch(corner):
        raise JobError(f"corner {corner!r} is not the name of a library's section")
    deck = read_deck(text)
    sections = [include for include in deck.includes if include.section is not None]
    named = {include.section for include in sections}
    if len(named) != 1:
        what = f"several ({', '.join(sorted(map(str, named)))})" if named else "no section"
        raise JobError(f"corner {corner}: the deck's .lib cards name {what}; exactly one is needed")
    lines = list(deck.lines)
    for include in sections:
        lines[include.line - 1] = f'.lib "{include.name}" {corner}'
    return "\n".join(lines)


def _at_temperature(job: Job, temperature: float) -> Job:
    if not _LOWEST < temperature < _HIGHEST:
        raise JobError(
            f"temperature is {temperature:g} degC: more than {_LOWEST:g} and less than {_HIGHEST:g} is needed"
        )
    deck = read_deck(job.text)
    lines = _without_temperature(deck)
    options = tuple((name, value) for name, value in job.options if name.lower() != "temp")
    return replace(job, text="\n".join(lines), options=(*options, ("temp", repr(float(temperature)))))


def _without_temperature(deck: ParsedDeck) -> list[str]:
    lines = list(deck.lines)
    for line, card in deck.cards:
        if card.split(None, 1)[0].lower() == ".temp":
            lines[line - 1] = "*"
    return lines
