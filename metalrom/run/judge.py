"""Specifications against a finished run: one row per specification and condition, passed or not, and why."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from characterization.failures import FailedCondition
from interconnect.errors import InputError
from metalrom.run.readers import read_quantity
from metalrom.run.view import RunView
from metalrom.specs.grammar import ALL, Spec
from metalrom.specs.quantities import QUANTITIES, QuantityValue
from metalrom.specs.result import BELOW, UNBOUNDED, SpecResult


def default_specs(code_error_target: float) -> tuple[Spec, ...]:
    """What is asked of a run whose configuration lists no specification: the code error at the nominal condition."""
    return (Spec("code_error", "<=", code_error_target, ""),)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a specification is asked: a condition's label, and why there is nothing to read if there is not."""

    label: str
    failure: str | None = None


def judge_specs(specs: Iterable[Spec], run: RunView, failed: Sequence[FailedCondition] = ()) -> tuple[SpecResult, ...]:
    """Every specification at every condition that it asks for, in their order.

    A specification at a failed condition fails with that condition's reason; `at all` includes the failed ones.
    Raises InputError for a condition that the run did not plan.
    """
    return tuple(_judged(spec, place, run) for spec in specs for place in _places(spec, run, failed))


def _places(spec: Spec, run: RunView, failed: Sequence[FailedCondition]) -> list[_Place]:
    lost = {f.condition: f.reason for f in failed}
    if spec.at == ALL:
        return [*(_Place(c.label) for c in run.table.conditions), *(_Place(*item) for item in lost.items())]
    label = spec.at or run.results.condition
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
    return SpecResult(
        quantity=spec.quantity,
        comparison=spec.comparison,
        limit=spec.limit,
        value=value if finite else None,
        unit=spec.unit,
        condition=place.label if quantity.per_condition else "",
        passed=spec.met_by(value),
        source=reading.source if reading else "",
        low=low,
        high=high,
        reason=reason or "",
    )


def _range(reading: QuantityValue) -> tuple[float | None, float | None]:
    known = reading.low is not None and reading.high is not None
    return (reading.low, reading.high) if known and reading.low != reading.high else (None, None)
