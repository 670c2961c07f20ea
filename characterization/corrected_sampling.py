"""Samples of a plan by the exact linear network, corrected by as many transistor decks as the asked error needs.

Decks are simulated in small batches, the least certain reads of every condition first, until levels and mismatch sigmas
are known well enough everywhere; all other reads of the plan are computed. Conditions are taken by what they differ in
from the nominal one, and one regression holds them all, so that a condition that resembles known ones needs hardly more
than its check: some reads of every condition are simulated that no fit has seen. Where they leave their stated error
the condition is simulated in full.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.special import fdtrc

from characterization.campaign import CampaignOutcome, Task, joined_outcome
from characterization.condition_model import ConditionModel, Reads
from characterization.correction import (
    ChipMoments,
    ChipSpread,
    Correction,
    RegressorMaker,
    Regressors,
    chip_moments,
    chip_normals,
    chip_spread,
    select,
)
from characterization.dataset import Sample
from characterization.procedures.mismatch import pattern_at
from characterization.sampling_check import CONTRADICTED, CheckedRead, ConditionSampling
from characterization.testbench import Testbench
from interconnect.arrays import FloatArray
from netlists.condition import Condition

Simulate = Callable[[Sequence[Task]], CampaignOutcome]

FIRST_BATCH = 20
"""Decks of the nominal condition before its correction is fitted."""
BATCH = 4
CHECKS = (1, 2)
"""Reads of a condition, nominal ones and chips, that are simulated to be compared with what the correction says."""
FREEDOM = 12
"""Reads beyond the coefficients that they decide, which tell the residual."""
GROWTH = 1.15
"""By how much the reads grow before the parameters of the regression are looked for anew."""
REFUSED = 1e-2
"""Chance of the held-out reads' distances, by their error bars, below which they join the fit, once."""
DOUBTFUL = 1e-4
"""The same, below which a correction is given up."""
CHIPS = 2000
USUAL_SIGMA = 0.1
"""LSB."""


@dataclass(frozen=True)
class CorrectedCondition:
    """Correction of a condition, in V or A by `unit`, and the spread over chips at `points` (active, count)."""

    correction: Correction
    spread: ChipSpread
    points: tuple[tuple[int, int], ...]
    unit: float


@dataclass(frozen=True)
class CorrectedSampling:
    """Samples of the whole plan, in its order, and what they rest on."""

    outcome: CampaignOutcome
    conditions: tuple[ConditionSampling, ...]
    corrected: dict[Condition, CorrectedCondition]
    maker: RegressorMaker

    def at(self, condition: Condition) -> CorrectedCondition | None:
        """The correction of a condition; None where it was simulated in full."""
        return self.corrected.get(condition)

    def level_covariance(self, condition: Condition, tasks: list[Task], design: FloatArray) -> FloatArray:
        """Covariance that the correction's error gives to coefficients that are fitted to the levels of these reads by
        least squares; design: of that fit, (reads, coefficients)."""
        found = self.corrected[condition]
        root = np.linalg.pinv(design) @ self.maker.of_tasks(tasks).design
        return np.asarray(root @ found.correction.covariance @ root.T * found.unit**2)


@dataclass
class _Course:
    """One condition while it is sampled."""

    condition: Condition
    tasks: list[Task]
    x: Regressors
    unit: float
    chips: list[ChipMoments]
    checks: list[int]
    rng: np.random.Generator
    limit: float
    found: Correction
    spread: ChipSpread
    samples: dict[int, Sample] = field(default_factory=dict)
    full: str = ""
    refused: bool = False
    done: bool = False

    @property
    def largest(self) -> float:
        """The largest mismatch sigma, in the unit; a usual one where none is asked for."""
        return float(np.sqrt(self.spread.variance.max())) if self.chips else USUAL_SIGMA

    @property
    def points(self) -> tuple[tuple[int, int], ...]:
        return tuple(dict.fromkeys((t.active, t.count) for t in self.tasks if t.procedure == "mismatch"))

    @property
    def fitted(self) -> list[int]:
        """Reads that the fit sees."""
        return [i for i in self.samples if i not in self.checks]

    def wanted(self) -> list[int]:
        """The next reads to simulate: nominal ones and chips alike, or those whose error is still too large."""
        nominal = {i for i, t in enumerate(self.tasks) if t.draw < 0}
        chips, taken = set(range(len(self.tasks))) - nominal, set(self.samples) | set(self.checks)
        level, sigma = (e > self.limit for e in self.errors())
        batch = BATCH if self.found.reads + self.found.others else FIRST_BATCH
        numbers = (batch // 2, batch - batch // 2) if level == sigma else (batch * level, batch * sigma)
        out = [i for i in self.checks if i not in self.samples]
        for number, other in zip(numbers, (chips, nominal), strict=True):
            out += select(self.x, self.found.covariance, self.found.residual, number, taken | other | set(out))
        return out or select(self.x, self.found.covariance, self.found.residual, batch, taken)

    def take(self, found: Correction) -> None:
        """The correction of a fit."""
        self.found, self.spread = found, chip_spread(found, self.chips)

    def settle(self) -> None:
        """Note whether the asked error is reached; held-out reads that contradict the correction join the fit, once."""
        spare = self.found.reads + self.found.others - self.found.known
        self.done = max(self.errors()) <= self.limit and spare >= FREEDOM
        if self.done and not self.refused and self.verdicts()[1] < REFUSED:
            self.done, self.refused = False, True
            self.checks = _checks(self.tasks, self.rng, set(self.samples))

    def errors(self) -> tuple[float, float]:
        """(level, sigma): standard errors over the largest mismatch sigma."""
        nominal = [i for i, t in enumerate(self.tasks) if t.draw < 0] or list(range(len(self.tasks)))
        level = self.found.errors(self.x.take(nominal))
        sigma = float(self.spread.errors.max(initial=0.0))
        return float(np.sqrt(np.mean(level**2))) / self.largest, sigma / self.largest

    def verdicts(self) -> tuple[tuple[CheckedRead, ...], float]:
        """The held-out reads and the chance of their distances."""
        x = self.x.take(self.checks)
        said, error = self.found.levels(x), np.hypot(self.found.errors(x), self.found.residual)
        out: list[CheckedRead] = []
        for i, level, sigma in zip(self.checks, said, error, strict=True):
            s = self.samples[i]
            out.append(CheckedRead(s.procedure, s.active, s.count, s.level / self.unit - float(level), float(sigma)))
        square = sum((c.difference / c.error) ** 2 for c in out)
        known = max(self.found.reads + self.found.others - self.found.known, 1.0)
        return tuple(out), float(fdtrc(len(out), known, square / len(out))) if out else 1.0


def can_correct(setup: Testbench) -> bool:
    """Whether the correction is known to hold: of a bit line. A pair of columns needs every read, and the error bars of
    a ramp's edge are three times too small (`benchmarks/control_variates.py`), so that both are simulated in full."""
    return not setup.pair and setup.inverter is None


def sample_corrected(
    setup: Testbench, tasks: Sequence[Task], simulate: Simulate, announce: Callable[[str], None] = lambda text: None
) -> CorrectedSampling:
    """Samples of all tasks: simulated where the correction needs it, computed elsewhere.

    Parameters
    ----------
    setup : Testbench
        With `sampling_error`, the standard error that is asked for.
    tasks : Sequence[Task]
        The plan.
    simulate : Callable
        Runs some of the tasks in ngspice.
    announce : Callable
        Takes a sentence for every condition that is simulated in full.

    Returns
    -------
    CorrectedSampling
        Samples in the order of the plan.
    """
    maker = RegressorMaker(setup, list(tasks))
    model = ConditionModel(setup.conditions, maker.orders, maker.groups)
    rng = np.random.default_rng(np.random.SeedSequence([setup.seed, 10]))
    normals = chip_normals(CHIPS, maker.dimensions, setup.seed)
    nothing = model.fit(_reads([]))
    courses = [
        _course(setup, maker, c, [t for t in tasks if t.condition == c], normals, rng, start)
        for c, start in zip(setup.conditions, nothing, strict=True)
    ]
    outcomes: list[CampaignOutcome] = []

    def run(wanted: Sequence[tuple[_Course, Sequence[int]]]) -> None:
        chosen = [(course, i) for course, indices in wanted for i in indices]
        if not chosen:
            return
        outcome = simulate([course.tasks[i] for course, i in chosen])
        outcomes.append(replace(outcome, samples=()))
        for (course, i), sample in zip(chosen, outcome.samples, strict=True):
            course.samples[i] = sample
            if sample.verdict != "ok" or not np.isfinite(sample.level):
                course.full = "a simulation failed"

    searched = 0
    for generation in _generations(courses):
        for c in generation:
            c.done = False
        while going := [c for c in courses if (c.samples or c in generation) and not (c.done or c.full)]:
            run([(c, c.wanted()) for c in going])
            for c in going:
                if len(c.samples) == len(c.tasks):
                    c.full = c.full or "every read was needed"
            reads = _reads(courses)
            search = len(reads.level) >= GROWTH * searched
            searched = len(reads.level) if search else searched
            for c, found in zip(courses, model.fit(reads, search=search), strict=True):
                c.take(found)
            for c in courses:
                if c.samples and not c.full:
                    c.settle()
    for c in courses:
        if not c.full and c.verdicts()[1] < DOUBTFUL:
            c.full = CONTRADICTED
            announce(f"{c.condition.label} is simulated in full: {c.full}")
    run([(c, [i for i in range(len(c.tasks)) if i not in c.samples]) for c in courses if c.full])
    order = {id(t): k for k, t in enumerate(tasks)}
    samples: list[Sample | None] = [None] * len(tasks)
    for c in courses:
        for task, sample in zip(c.tasks, _samples(c), strict=True):
            samples[order[id(task)]] = sample
    corrected = {c.condition: CorrectedCondition(c.found, c.spread, c.points, c.unit) for c in courses if not c.full}
    every = tuple(s for s in samples if s is not None)
    outcome = replace(joined_outcome(outcomes), samples=every, linear=sum(not s.deck for s in every))
    return CorrectedSampling(outcome, tuple(_summary(c) for c in courses), corrected, maker)


def _course(
    setup: Testbench,
    maker: RegressorMaker,
    condition: Condition,
    tasks: list[Task],
    normals: FloatArray,
    rng: np.random.Generator,
    start: Correction,
) -> _Course:
    chips = [
        chip_moments(maker.of_chips(condition, pattern_at(setup, a, c).case(setup.columns, setup.ones), normals))
        for a, c in dict.fromkeys((t.active, t.count) for t in tasks if t.procedure == "mismatch")
    ]
    return _Course(
        condition,
        tasks,
        maker.of_tasks(tasks),
        maker.unit(condition),
        chips,
        _checks(tasks, rng, set()),
        rng,
        setup.sampling_error,
        start,
        chip_spread(start, chips),
    )


def _reads(courses: Sequence[_Course]) -> Reads:
    """The simulated reads of conditions whose correction is looked for, checks aside."""
    chosen = [(k, c, c.fitted) for k, c in enumerate(courses) if not c.full and c.fitted]
    if not chosen:
        return Reads(np.zeros(0, dtype=np.int64), Regressors(np.zeros(0), np.zeros((0, 0))), np.zeros(0))
    parts = [c.x.take(indices) for _, c, indices in chosen]
    x = Regressors(np.concatenate([p.linear for p in parts]), np.concatenate([p.design for p in parts]))
    level = np.concatenate([np.array([c.samples[i].level for i in indices]) / c.unit for _, c, indices in chosen])
    return Reads(np.repeat([k for k, _, _ in chosen], [len(p.linear) for p in parts]), x, level)


def _checks(tasks: Sequence[Task], rng: np.random.Generator, taken: set[int]) -> list[int]:
    """Reads to be held out, drawn among those that are not taken."""
    out: list[int] = []
    for number, nominal in zip(CHECKS, (True, False), strict=True):
        free = [i for i, t in enumerate(tasks) if (t.draw < 0) == nominal and i not in taken]
        out += rng.choice(free, size=min(number, len(free)), replace=False).tolist() if free else []
    return out


def _distance(one: Condition, other: Condition) -> int:
    return sum(getattr(one, n) != getattr(other, n) for n in ("corner", "beol", "vdd", "temperature"))


def _generations(courses: Sequence[_Course]) -> list[list[_Course]]:
    """Conditions by the number of factors in which they differ from the nominal one."""
    far = [_distance(c.condition, courses[0].condition) for c in courses]
    return [[c for c, d in zip(courses, far, strict=True) if d == step] for step in sorted(set(far))]


def _samples(course: _Course) -> list[Sample]:
    """Samples of all tasks of a condition, computed where they were not simulated."""
    if course.full:
        return [course.samples[i] for i in range(len(course.tasks))]
    level = course.found.levels(course.x) * course.unit
    error = np.hypot(course.found.errors(course.x), course.found.residual) * course.unit
    known = list(course.samples.values())
    terms = np.array([[1.0, s.active, s.count] for s in known])
    energy = np.linalg.lstsq(terms, np.array([s.row_energy for s in known]), rcond=None)[0]
    out = []
    for i, task in enumerate(course.tasks):
        if i in course.samples:
            out.append(course.samples[i])
            continue
        one = replace(
            known[0],
            procedure=task.procedure,
            active=task.active,
            count=task.count,
            pattern=task.pattern,
            draw=task.draw,
            level=float(level[i]),
            row_energy=max(float(energy @ [1.0, task.active, task.count]), 0.0),
            deck="",
            error=float(error[i]),
        )
        out.append(one)
    return out


def _summary(course: _Course) -> ConditionSampling:
    checks, chance = course.verdicts()
    level, sigma = course.errors()
    return ConditionSampling(
        course.condition.label,
        len(course.samples),
        len(course.tasks),
        level,
        sigma,
        course.found.residual,
        course.found.others,
        checks,
        chance,
        course.full,
    )
