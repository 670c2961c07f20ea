"""Levels of a procedure's reads: by the campaign's correction of the linear network where there is one, else decks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.special import fdtrc

from characterization.campaign import Task
from characterization.column_testbench import ColumnTestbench, draw_pattern, stimulus_of
from characterization.correction import Correction, RegressorMaker
from characterization.failures import ConditionError
from characterization.procedure_result import ResultRow
from characterization.procedures.registry import CORRECTED, ProcedureResults
from characterization.testbench import Testbench
from interconnect.arrays import FloatArray
from netlists.case import ColumnStimulus
from netlists.condition import Condition

DOUBTFUL = 1e-4
"""Chance of the checked levels' distances, by their error bars, below which all reads of a condition are simulated."""
CONTRADICTED = "its simulated reads leave the correction's error bars"


@dataclass(frozen=True, slots=True)
class CheckedLevel:
    """A read: simulated less computed level and the standard error of the latter, linear counts."""

    read: int
    difference: float
    error: float


@dataclass(frozen=True)
class ReadSampling:
    """What the levels of `reads` reads took. decks: simulated; checked: those of them that the correction knew too.
    chance: of their distances. full: why all were simulated where a correction was known; empty: they were not."""

    condition: str
    decks: int
    reads: int
    checked: tuple[CheckedLevel, ...] = ()
    chance: float = 1.0
    full: str = ""


def sampling_rows(sampling: Sequence[ReadSampling]) -> list[ResultRow]:
    """How many reads were simulated, and the level that is farthest from the correction by its error bar; none where no
    correction was known."""
    known = [(c, s) for s in sampling for c in s.checked]
    if not known:
        return []
    worst, where = max(known, key=lambda x: abs(x[0].difference) / x[0].error)
    decks, reads = sum(s.decks for s in sampling), sum(s.reads for s in sampling)
    full = dict.fromkeys(f"{s.condition}: {s.full}" for s in sampling if s.full)
    at = f"{where.condition}, standard error {worst.error:.2g}"
    return [
        ResultRow("simulated reads", decks, "", "; ".join([f"of {reads}", *full])),
        ResultRow("simulated less computed level", worst.difference, "LSB", at),
    ]


class CorrectedLevels(Protocol):
    """A condition's correction in its unit, V or A."""

    @property
    def correction(self) -> Correction:
        """Coefficients and their covariance."""
        ...

    @property
    def unit(self) -> float:
        """V or A."""
        ...


class CorrectedCampaign(Protocol):
    """What is asked of a `CorrectedSampling`, which imports the procedures itself."""

    @property
    def maker(self) -> RegressorMaker:
        """Linear levels and regressors of reads."""
        ...

    def at(self, condition: Condition) -> CorrectedLevels | None:
        """The correction of a condition; None where it was simulated in full."""
        ...


@dataclass(frozen=True)
class ReadLevels:
    """value (reads,), V or A; covariance (reads, reads) of their errors, 0 of simulated ones."""

    value: FloatArray
    covariance: FloatArray
    sampling: ReadSampling

    def combined(self, weights: Sequence[float] | FloatArray) -> tuple[float, float]:
        """(weighted sum of the levels, its standard error)."""
        w = np.asarray(weights, dtype=np.float64)
        return float(w @ self.value), float(np.sqrt(w @ self.covariance @ w))


def read_levels(
    setup: Testbench,
    bench: ColumnTestbench,
    results: ProcedureResults,
    name: str,
    condition: Condition,
    cases: Sequence[ColumnStimulus],
    *,
    simulated: Sequence[int] = (),
) -> ReadLevels:
    """Levels of nominal cells at a condition.

    Parameters
    ----------
    setup, bench, results
        As a procedure gets them; `results[CORRECTED]` knows the corrections.
    name : str
        Of the decks.
    condition : Condition
        Where.
    cases : Sequence[ColumnStimulus]
        The reads.
    simulated : Sequence[int]
        Reads whose decks run in any case. They are compared with what the correction says of them; where they
        contradict it, all reads are simulated.

    Returns
    -------
    ReadLevels
        In the order of the cases.
    """
    number, label = len(cases), condition.label

    def decks(chosen: Sequence[int]) -> FloatArray:
        return (
            bench.levels(f"{name}_{label}", [bench.deck(condition, cases[i]) for i in chosen])
            if chosen
            else np.empty(0)
        )

    campaign: CorrectedCampaign | None = results.get(CORRECTED)
    corrected = campaign.at(condition) if campaign else None
    if campaign is None or corrected is None:
        return ReadLevels(decks(range(number)), np.zeros((number, number)), ReadSampling(label, number, number))
    found, unit = corrected.correction, corrected.unit
    tasks = [Task(name, condition, c.active, c.count, "", -1, c) for c in cases]
    bench.count("linear", number)
    value = found.levels(campaign.maker.of_tasks(tasks)) * unit
    covariance = level_covariance(campaign, condition, tasks)
    if not simulated:
        return ReadLevels(value, covariance, ReadSampling(label, 0, number))
    level, error = decks(simulated), np.sqrt(np.diag(covariance)[list(simulated)])
    held = tuple(
        CheckedLevel(i, float(d), float(e))
        for i, d, e in zip(simulated, (level - value[list(simulated)]) / unit, error / unit, strict=True)
    )
    square = sum((h.difference / h.error) ** 2 for h in held)
    chance = float(fdtrc(len(held), found.reads, square / len(held)))
    if chance < DOUBTFUL:
        sampling = ReadSampling(label, number, number, held, chance, CONTRADICTED)
        return ReadLevels(decks(range(number)), np.zeros((number, number)), sampling)
    value[list(simulated)] = level
    covariance[list(simulated)], covariance[:, list(simulated)] = 0.0, 0.0
    return ReadLevels(value, covariance, ReadSampling(label, len(held), number, held, chance))


def level_covariance(
    campaign: CorrectedCampaign, condition: Condition, tasks: Sequence[Task], simulated: Sequence[int] = ()
) -> FloatArray:
    """Covariance (reads, reads) of the errors of levels that a campaign's correction computes, the square of V or A;
    0 at the simulated ones, and everywhere where the condition was simulated in full."""
    corrected = campaign.at(condition)
    if corrected is None:
        return np.zeros((len(tasks), len(tasks)))
    x, found = campaign.maker.of_tasks(list(tasks)), corrected.correction
    out = x.design @ found.covariance @ x.design.T + found.residual**2 * np.eye(len(tasks))
    out[list(simulated)], out[:, list(simulated)] = 0.0, 0.0
    return np.asarray(out * corrected.unit**2)


def full_scale(
    setup: Testbench, bench: ColumnTestbench, results: ProcedureResults, condition: Condition, name: str
) -> tuple[float, float]:
    """(level of count 0, spacing of a count): of all rows active under a drawn pattern, V or A.

    Raises ConditionError when the level does not rise.
    """
    n = setup.rows
    cases = [stimulus_of(setup, draw_pattern(setup, "random0", n, c)) for c in (0, setup.max_count)]
    low, high = read_levels(setup, bench, results, name, condition, cases).value
    if not high > low:
        raise ConditionError(f"{name}: the level does not rise with the count", condition)
    return float(low), float((high - low) / setup.max_count)
