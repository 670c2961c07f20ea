"""The search for the best point of the design space: trials by the fast rating, winners characterized in full."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from interconnect.errors import InputError
from interconnect.files import atomic_write_text
from interconnect.optional import optional_library
from metalrom.design.design import Design
from metalrom.folders import cache_folder
from metalrom.run.characterize import characterize
from metalrom.run.evaluate import summarize_run
from metalrom.run.judge import judge_specs
from metalrom.run.readers import read_quantity
from metalrom.run.view import RunView
from metalrom.specs.quantities import QUANTITIES
from metalrom.specs.result import SpecResult
from metalrom.studies.density.fast import FastRating
from metalrom.studies.density.kept import KeptResults
from metalrom.studies.density.objective import RATED, Objective
from metalrom.studies.density.point import DesignPoint
from metalrom.studies.density.run import KEPT, Announce, Progress, rated, space_digest
from metalrom.studies.density.space import DesignBlock, DesignSpace, Settings, design_blocks
from metalrom.studies.density.verify import SMALLEST
from ngspice_runner import Cache, Workers

BLOCK = "block"


@dataclass(frozen=True)
class Winner:
    """A point that was characterized in full. value: of the objective in the run's unit at its nominal condition.
    fast: the same by the fast rating. verdict, specs: of the run. file: its configuration."""

    point: DesignPoint
    fast: float
    value: float
    verdict: str
    specs: tuple[SpecResult, ...]
    file: str

    @property
    def confirmed(self) -> bool:
        """Whether the full run meets everything that was asked."""
        return self.verdict == "met"


@dataclass(frozen=True)
class Optimization:
    """Every distinct point that was tried, in the order of the trials; the winners in the order in which they were
    characterized. factors: full over fast of every quantity asked for (csnr: difference, dB), the worst of the winners.
    """

    name: str
    objective: Objective
    trials: int
    points: tuple[DesignPoint, ...]
    refused: int
    winners: tuple[Winner, ...]
    factors: dict[str, float]
    target: float
    warnings: tuple[str, ...]

    @property
    def best(self) -> Winner | None:
        """The best confirmed winner."""
        found = [w for w in self.winners if w.confirmed]
        choose = min if self.objective.down else max
        return choose(found, key=lambda w: w.value) if found else None


def optimize_design(
    design: Design,
    objective: Objective,
    out: Path,
    *,
    trials: int = 100,
    winners: int = 3,
    seed: int = 1,
    jobs: Workers = None,
    announce: Announce = lambda text: None,
    progress: Progress = lambda done, total: None,
) -> Optimization:
    """Search the design space of the configuration's `explore.vary`.

    Parameters
    ----------
    design : Design
        The base; what is not varied is as it says.
    objective : Objective
        What is pushed and what is kept.
    out : Path
        An existing folder; ratings are kept in its `points.jsonl`, which `explore` may have begun.
    trials : int
        Points that are proposed, repeated ones included.
    winners : int
        Points that are characterized in full at most; the search ends with the first that keeps all specifications.
        Each one's distance from its fast rating corrects the choice of the next.
    seed : int
        Of the proposals.
    jobs : Workers
        Where simulations run.
    announce, progress : Callable
        Called with a line of progress; with the trials done and those in all.

    Returns
    -------
    Optimization
        The same whether or not it was interrupted: proposals follow from the seed and from ratings, which are kept.

    Raises
    ------
    MissingLibrary
        Without optuna.
    EngineError
        If ngspice is missing.
    """
    optuna: Any = optional_library("optuna", extra="optimize", purpose="optimizations")
    blocks, space = design_blocks(design.config.explore.vary), DesignSpace(design)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    points: dict[str, DesignPoint] = {}
    refused = 0

    with Cache(cache_folder("simulations")) as cache, KeptResults(out / KEPT, space_digest(design)) as kept:
        rating = FastRating(space, cache, jobs=jobs, announce=announce)
        sampler = optuna.samplers.TPESampler(seed=seed)
        study = optuna.create_study(direction="minimize" if objective.down else "maximize", sampler=sampler)
        for done in range(trials):
            progress(done, trials)
            trial = study.ask()
            block, settings = _suggested(trial, blocks)
            found = rated(block, settings, rating, kept)
            if isinstance(found, DesignPoint):
                points.setdefault(found.key, found)
                for number, missed in enumerate(objective.misses(found)):
                    trial.set_constraint(str(number), missed)
                study.tell(trial, objective.value(found))
            else:
                refused += 1
                study.tell(trial, state=optuna.trial.TrialState.FAIL)
        progress(trials, trials)
        if not points:
            raise InputError("no combination that was tried is possible", where="explore.vary")
        chosen, factors = _winners(space, objective, list(points.values()), out, winners, jobs, announce)
    return Optimization(
        name=design.config.name,
        objective=objective,
        trials=trials,
        points=tuple(points.values()),
        refused=refused,
        winners=tuple(chosen),
        factors=factors,
        target=design.config.readout.code_error_target,
        warnings=tuple(design.technology.warnings),
    )


def _suggested(trial: Any, blocks: Sequence[DesignBlock]) -> tuple[DesignBlock, Settings]:
    """A block and a value of every key of it, by their places in the lists."""
    number = trial.suggest_categorical(BLOCK, list(range(len(blocks)))) if len(blocks) > 1 else 0
    block = blocks[number]
    settings = []
    for key, values in block.axes.items():
        place = trial.suggest_int(f"{number} {key}", 0, len(values) - 1) if len(values) > 1 else 0
        settings.append((key, values[place]))
    return block, tuple(settings)


def ranked(objective: Objective, points: Sequence[DesignPoint], factors: dict[str, float]) -> list[DesignPoint]:
    """Points that keep the specifications first, the best of the quantity first; then those that miss them least."""

    def order(point: DesignPoint) -> tuple[float, float]:
        missed = sum(max(m, 0.0) for m in objective.misses(point, factors))
        value = objective.value(point)
        return missed, value if objective.down else -value

    return sorted(points, key=order)


def _winners(
    space: DesignSpace,
    objective: Objective,
    points: Sequence[DesignPoint],
    out: Path,
    number: int,
    jobs: Workers,
    announce: Announce,
) -> tuple[list[Winner], dict[str, float]]:
    left = list(points)
    found: list[Winner] = []
    factors: dict[str, float] = {}
    while left and len(found) < number:
        point = ranked(objective, left, factors)[0]
        left.remove(point)
        announce(f"characterizing {point.label} in full")
        winner, seen = _characterized(space, objective, point, out / f"winner_{len(found) + 1}.yaml", jobs, announce)
        found.append(winner)
        for name, factor in seen.items():
            worse = min if QUANTITIES[name].lower_is_better is False else max
            factors[name] = worse(factors.get(name, factor), factor)
        if winner.confirmed:
            break
    return found, factors


def _characterized(
    space: DesignSpace, objective: Objective, point: DesignPoint, file: Path, jobs: Workers, announce: Announce
) -> tuple[Winner, dict[str, float]]:
    """A winner from a whole run at all conditions, and how its quantities differ from the fast rating."""
    document = space.document(point.settings) | {"specs": [str(s) for s in objective.specs]}
    atomic_write_text(file, yaml.safe_dump(document, sort_keys=False, allow_unicode=True))
    design = space.characterized(point.settings)
    done = characterize(design, jobs=jobs, announce=announce)
    results = summarize_run(design, done)
    view = RunView(results, done.table, done.results)
    judged = judge_specs(objective.specs, view, done.failed)
    factors: dict[str, float] = {}
    for result in judged.specs:
        fast = RATED[result.quantity](point)
        if result.value is None:
            continue
        ratio = max(result.value, SMALLEST) / max(fast, SMALLEST) if result.unit == "" else result.value / fast
        factors[result.quantity] = result.value - fast if result.unit == "dB" else ratio
    value = read_quantity(objective.quantity, view, results.condition).value
    winner = Winner(point, objective.value(point), value, judged.verdict, judged.specs, file.name)
    return replace(winner, verdict=judged.verdict if objective.specs else "met"), factors
