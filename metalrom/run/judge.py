"""Specifications against a finished run: one row per specification and condition, passed or not, and why."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from characterization.failures import FailedCondition
from interconnect.errors import InputError
from metalrom.run.readers import read_quantity
from metalrom.run.results import Verdict
from metalrom.run.view import RunView
from metalrom.specs.grammar import ALL, NOMINAL, Spec
from metalrom.specs.quantities import QUANTITIES, QuantityValue
from metalrom.specs.result import BELOW, UNBOUNDED, SpecResult


def default_specs(code_error_target: float) -> tuple[Spec, ...]:
    """What is asked of a run whose configuration lists no specification: the code error at the worst condition."""
    return (Spec("code_error", "<=", code_error_target, ""),)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a specification is asked: a condition's label, and why there is nothing to read if there is not."""

    label: str
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class JudgedSpecs:
    """Specifications of a run.

    specs: each at every condition that it asks for, in their order; one that names none where its quantity is worst.
    verdict: of every specification at every condition, or at the one that it names; missed where a condition or a
    procedure failed, undecided where an interval that counts reaches across a limit.
    """

    specs: tuple[SpecResult, ...]
    verdict: Verdict


def judge_specs(specs: Iterable[Spec], run: RunView, failed: Sequence[FailedCondition] = ()) -> JudgedSpecs:
    """Judge specifications, each once at each condition.

    A specification at a failed condition fails with that condition's reason; `at all` includes the failed ones.

    Raises
    ------
    InputError
        For a condition that the run did not plan.
    """
    everywhere: list[SpecResult] = []
    shown: list[SpecResult] = []
    for spec in specs:
        if spec.at is None and QUANTITIES[spec.quantity].per_condition:
            judged = [_judged(spec, _Place(c.label), run) for c in run.table.conditions]
            shown.append(_worst(spec, run, judged))
        else:
            judged = [_judged(spec, place, run) for place in _places(spec, run, failed)]
            shown += judged
        everywhere += judged
    if failed or run.results.failed_procedures or any(s.verdict == "fail" for s in everywhere):
        return JudgedSpecs(tuple(shown), "missed")
    return JudgedSpecs(tuple(shown), "met" if all(s.passed for s in everywhere) else "undecided")


def _worst(spec: Spec, run: RunView, everywhere: Sequence[SpecResult]) -> SpecResult:
    """The specification where its quantity is worst; at the nominal condition, with the reason, if nowhere known."""
    order = {UNBOUNDED: math.inf, BELOW: -math.inf}
    known = [(order.get(s.reason, s.value), s) for s in everywhere]
    values = [(value, s) for value, s in known if value is not None]
    if not values:
        return next((s for s in everywhere if s.condition == run.results.condition), everywhere[0])
    choose = max if spec.comparison in ("<", "<=") else min
    _, found = choose(values, key=lambda item: item[0])
    return replace(found, worst=True)


def _places(spec: Spec, run: RunView, failed: Sequence[FailedCondition]) -> list[_Place]:
    lost = {f.condition: f.reason for f in failed}
    if spec.at == ALL:
        return [*(_Place(c.label) for c in run.table.conditions), *(_Place(*item) for item in lost.items())]
    label = run.results.condition if spec.at in (None, NOMINAL) else str(spec.at)
    if label in lost:
        return [_Place(label, lost[label])]
    run.table.index(label)
    return [_Place(label)]


def _judged(spec: Spec, place: _Place, run: RunView) -> SpecResult:
    quantity = QUANTITIES[spec.quantity]
    reading, reason = None, place.failure
    if reason is None:
        try:
            reading = read_quantity(quantity.name, run, place.label)
        except InputError as error:
            reason = str(error)
    else:
        reason = f"the condition failed: {reason}"
    value = reading.value if reading else math.nan
    if reading is not None and not math.isfinite(value):
        reason = "not available" if math.isnan(value) else UNBOUNDED if value > 0 else BELOW
    finite = reading is not None and math.isfinite(value)
    low, high = _range(reading) if reading is not None and finite else (None, None)
    ends = [end for end in (low, high) if end is not None] if spec.by_interval else []
    return SpecResult(
        quantity=spec.quantity,
        comparison=spec.comparison,
        limit=spec.limit,
        value=value if finite else None,
        unit=spec.unit,
        condition=place.label if quantity.per_condition else "",
        passed=spec.met_by(value) and all(spec.met_by(end) for end in ends),
        source=reading.source if reading else "",
        low=low,
        high=high,
        reason=reason or "",
        by_interval=spec.by_interval,
    )


def _range(reading: QuantityValue) -> tuple[float | None, float | None]:
    known = reading.low is not None and reading.high is not None
    return (reading.low, reading.high) if known and reading.low != reading.high else (None, None)
