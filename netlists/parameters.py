"""Typed parameters that carry their unit and meaning, so that schema, docs and messages come from one place."""

import dataclasses
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from interconnect.errors import InputError, UnknownName
from interconnect.suggestion import suggest


@dataclass(frozen=True, slots=True)
class ParameterInfo:
    """One field of a parameter class: name, type in words, default, unit (SI) and meaning."""

    name: str
    type: str
    default: object
    unit: str
    description: str


def parameter(default: Any, unit: str, description: str) -> Any:
    """A dataclass field with a unit and a one-line description."""
    return dataclasses.field(default=default, metadata={"unit": unit, "description": description})


def describe_parameters(cls: type) -> tuple[ParameterInfo, ...]:
    """The parameters of a class built with `parameter`, in order."""
    return tuple(
        ParameterInfo(f.name, str(f.type), f.default, f.metadata["unit"], f.metadata["description"])
        for f in dataclasses.fields(cls)
        if "unit" in f.metadata
    )


def check_parameters(cls: type, names: Iterable[str], *, what: str, where: str) -> None:
    """Raise UnknownName, naming `what` and `where.<name>`, for a name that is no parameter of `cls`."""
    known = [p.name for p in describe_parameters(cls)]
    for name in names:
        if name not in known:
            raise UnknownName(f"{what} has no parameter {name!r}", where=f"{where}.{name}", hint=suggest(name, known))


def require(condition: bool, what: str, *, where: str, hint: str | None = None) -> None:
    """Raise InputError(what, where, hint) unless `condition` holds."""
    if not condition:
        raise InputError(what, where=where, hint=hint)


def require_positive(value: float, *, where: str, unit: str = "", zero: bool = False) -> None:
    """Refuse a number that is not finite and positive (`zero` allows 0)."""
    good = math.isfinite(value) and (value >= 0 if zero else value > 0)
    wanted = "zero or more" if zero else "positive"
    require(good, f"is {value!r}{' ' + unit if unit else ''}, it must be finite and {wanted}", where=where)


def require_all_positive(parameters: Any, *, where: str, besides: tuple[str, ...] = ()) -> None:
    """Refuse the first parameter, in order, that is not finite and positive; those named in `besides` are left out."""
    for info in describe_parameters(type(parameters)):
        if info.name not in besides:
            require_positive(getattr(parameters, info.name), where=f"{where}.{info.name}", unit=info.unit)


def require_whole(value: object, low: int, high: int, *, where: str) -> None:
    """Refuse what is no whole number from `low` to `high`."""
    good = isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
    require(good, f"is {value!r}", where=where, hint=f"a whole number from {low} to {high}")


def tidy(value: float, digits: int = 12) -> float:
    """Drop the rounding of a sum of decimal numbers, so that decks show 1.02e-09 and not 1.0200000000000002e-09."""
    return float(f"{value:.{digits}g}")
