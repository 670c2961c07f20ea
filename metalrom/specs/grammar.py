"""The grammar of a specification: `quantity comparison value[unit] [at condition] [by interval]`."""

import re
from dataclasses import dataclass
from typing import Literal, cast

from interconnect.errors import InputError, shortened
from interconnect.quantity import parse_quantity
from metalrom.specs.quantities import QUANTITIES

Comparison = Literal["<", "<=", ">", ">="]

ALL = "all"
"""Stands for every condition of the run."""
NOMINAL = "nominal"
"""Stands for the nominal condition of the run."""

_SPEC = re.compile(
    r"[ \t]*([A-Za-z]\w{0,63})[ \t]*([<>=!~]{1,3})[ \t]*(\S.*?)"
    r"(?:[ \t]+at[ \t]+(\S+))?([ \t]+by[ \t]+interval)?[ \t]*"
)
_NUMBER = re.compile(r"([+-]?[0-9.]+(?:[eE][+-]?[0-9]{1,4})?)[ \t]*(\S*)")
_PLAIN = {
    "dB": ("dB",),
    "sigma": ("sigma", "σ"),
    "Mb/mm2": ("Mb/mm2", "Mb/mm^2", "Mb/mm²"),
    "TOPS/W": ("TOPS/W",),
    "TOPS/mm2": ("TOPS/mm2", "TOPS/mm^2", "TOPS/mm²"),
    "LSB": ("LSB", "counts"),
    "bit": ("bit", "bits"),
}
"""Units without prefixes, which may be left out, and how they are written."""

EXAMPLE = "write for example `csnr > 40`, `energy_per_mac < 3pJ` or `code_error < 1e-3 at all`"


@dataclass(frozen=True, slots=True)
class Spec:
    """One thing asked of a run.

    limit: in `unit`. at: label of a condition, `all`, `nominal`, or None for the condition where the quantity is worst.
    by_interval: the whole range of the value must meet the limit, not only its middle.
    """

    quantity: str
    comparison: Comparison
    limit: float
    unit: str
    at: str | None = None
    by_interval: bool = False

    def __str__(self) -> str:
        """The specification as `parse_spec` reads it back, value in its unit without prefix."""
        place = "" if self.at is None else f" at {self.at}"
        way = " by interval" if self.by_interval else ""
        return f"{self.quantity} {self.comparison} {self.limit!r}{self.unit}{place}{way}"

    def met_by(self, value: float) -> bool:
        """Whether a value (in `unit`) meets the limit; NaN never does."""
        if self.comparison == "<":
            return value < self.limit
        if self.comparison == "<=":
            return value <= self.limit
        return value > self.limit if self.comparison == ">" else value >= self.limit


def parse_spec(text: str) -> Spec:
    """Read one specification.

    Raises InputError for another form, an unknown quantity (with a suggestion), a value that is no number, a wrong
    unit, or a condition for a quantity that has none. Whether the condition exists only the project can tell.
    """
    match = _SPEC.fullmatch(text)
    if match is None:
        raise InputError(f"{shortened(text)!r} is not a specification", hint=EXAMPLE)
    name, comparison, value, at, way = match.groups()
    quantity = QUANTITIES[name]
    if comparison not in ("<", "<=", ">", ">="):
        raise InputError(f"{comparison!r} is not a comparison", hint="use <, <=, > or >=")
    limit, unit = _limit(value, quantity.units, name)
    if at is not None and not quantity.per_condition:
        raise InputError(f"{name} is the same at every condition", hint=f"leave `at {shortened(at)}` out")
    return Spec(name, cast(Comparison, comparison), limit, unit, at, way is not None)


def _limit(value: str, units: tuple[str, ...], name: str) -> tuple[float, str]:
    """The value in one of the quantity's units, and which."""
    refused = None
    for unit in units:
        try:
            return (_plain(value, unit, name) if unit in _PLAIN else parse_quantity(value, unit)), unit
        except InputError as error:
            refused = refused or error
    if refused is None:
        raise InputError(f"the quantity {name} has no unit")
    raise InputError(f"{name}: {refused.what}", hint=refused.hint)


def _plain(value: str, unit: str, name: str) -> float:
    match = _NUMBER.fullmatch(value)
    if match and match[2] in ("", *_PLAIN[unit]):
        return parse_quantity(match[1], "1")
    what = "has the wrong unit" if match else "is not a number"
    raise InputError(f"{shortened(value)!r} {what}", hint=f"give a number or a number with {unit}, such as 40{unit}")
