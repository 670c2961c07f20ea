"""Conditions that could not be characterized: reported by name and reason, never papered over by a fit."""

from dataclasses import dataclass

from characterization.dataset import Dataset
from interconnect.errors import InputError
from netlists.condition import Condition
from ngspice_runner import EngineError

MAX_FAILED_SHARE = 0.1
"""Largest share of failed simulations of a condition; fewer appear as failed rows."""


class ConditionError(InputError):
    """What the simulations of one condition gave cannot be used; the other conditions may be fine."""

    def __init__(self, what: str, condition: Condition, *, hint: str | None = None) -> None:
        super().__init__(f"condition {condition.label}: {what}", hint=hint)
        self.reason = what
        self.condition = condition


class ProcedureError(EngineError):
    """A deck of a procedure ended with another verdict than ok; other conditions and procedures may be fine.

    condition: of the deck, None where it does not tell.
    """

    def __init__(self, what: str, verdict: str, condition: Condition | None) -> None:
        super().__init__(what)
        self.verdict = verdict
        self.condition = condition


@dataclass(frozen=True, slots=True)
class FailedProcedure:
    """A procedure without a result at a condition (its label; empty: at none). verdict: of ngspice, empty where it is
    not to blame. reason: in words."""

    procedure: str
    condition: str
    verdict: str
    reason: str


@dataclass(frozen=True, slots=True)
class FailedCondition:
    """A condition without results. condition: its label. verdicts: (verdict, simulations) pairs. reason: in words."""

    condition: str
    verdicts: tuple[tuple[str, int], ...]
    reason: str


def failed_condition(data: Dataset, condition: Condition, reason: str) -> FailedCondition:
    """The record of a condition that failed for `reason`, with the verdicts of its simulations."""
    counts: dict[str, int] = {}
    for sample in data.samples:
        if sample.condition == condition:
            counts[sample.verdict] = counts.get(sample.verdict, 0) + 1
    return FailedCondition(condition.label, tuple(sorted(counts.items())), reason)


def too_many_failures(data: Dataset, condition: Condition) -> str | None:
    """Why the simulations of a condition are too few for a fit; None if they are enough."""
    samples = [s for s in data.samples if s.condition == condition]
    failed = [s for s in samples if s.verdict != "ok"]
    if len(failed) <= MAX_FAILED_SHARE * len(samples):
        return None
    return f"{len(failed)} of {len(samples)} simulations failed (verdict {failed[0].verdict} first)"
