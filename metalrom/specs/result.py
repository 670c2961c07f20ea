"""The verdict on one specification at one condition: what results.json keeps and the report shows."""

from dataclasses import dataclass
from typing import Literal

from characterization.failures import FailedCondition
from metalrom import formatting as words
from metalrom.formatting import Figure
from metalrom.specs.grammar import Comparison, Spec

UNBOUNDED = "unbounded: no error was seen"
BELOW = "unbounded below: nothing follows the ideal result"
"""Reasons that stand for an infinite value, which JSON cannot hold."""


@dataclass(frozen=True, slots=True)
class SpecResult:
    """One specification at one condition.

    limit, value, low, high: in `unit` (SI, or `""`, dB, sigma, Mb/mm2, TOPS/W, TOPS/mm2). value: None where there is
    none to give (the reason says why; an unbounded value may still pass). low, high: range of an estimate. condition:
    label, empty for a quantity that is the same at every one. source: where the value comes from, in words. worst: the
    specification names no condition and this is the one where the quantity is worst. by_interval: the whole range
    decides.
    """

    quantity: str
    comparison: Comparison
    limit: float
    value: float | None
    unit: str
    condition: str
    passed: bool
    source: str
    low: float | None = None
    high: float | None = None
    reason: str = ""
    worst: bool = False
    by_interval: bool = False

    @property
    def spec(self) -> Spec:
        """The specification at this condition."""
        at = None if self.worst else self.condition or None
        return Spec(self.quantity, self.comparison, self.limit, self.unit, at, self.by_interval)

    @property
    def value_shown(self) -> str:
        """The value in words; `none` where there is none."""
        if self.value is None:
            return "unbounded" if self.reason == UNBOUNDED else "none"
        return format_value(self.value, self.unit)

    @property
    def span_shown(self) -> str:
        """The range of an estimate in words, empty without one."""
        if self.unit == "" and words.known(self.low) and words.known(self.high):
            return f"{words.probability(self.low)} to {words.probability(self.high)}"
        return words.span(Figure(self.quantity, self.value, self.unit, self.low, self.high))

    @property
    def certain(self) -> bool:
        """Whether the whole range of the value, not only its middle, gives the same verdict."""
        ends = [self.spec.met_by(end) for end in (self.low, self.high) if end is not None]
        return all(met == self.passed for met in ends)

    @property
    def verdict(self) -> Literal["pass", "fail", "undecided"]:
        """Undecided: judged by the interval, which reaches across the limit."""
        if self.passed:
            return "pass"
        return "undecided" if self.by_interval and not self.certain else "fail"


def format_value(value: float | None, unit: str) -> str:
    """A value of a specification in words: a probability, or an amount with its unit and prefix."""
    if value == 0:
        return f"0 {unit}".strip()
    return words.probability(value) if unit == "" else words.amount(value, unit, places=4).replace("\u00a0", " ")


def specification_text(result: SpecResult) -> str:
    """The specification without its condition: `csnr > 40 dB`."""
    way = " by interval" if result.by_interval else ""
    return f"{result.quantity} {result.comparison} {format_value(result.limit, result.unit)}{way}"


def failure_text(failed: FailedCondition) -> str:
    """Why a condition failed, and the verdicts of its simulations."""
    return f"{failed.reason} (simulations: {', '.join(f'{count} {verdict}' for verdict, count in failed.verdicts)})"
