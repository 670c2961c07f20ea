"""Physical quantities of configs and technology files: `100nm`, `0.9V`, `20aF` become floats in SI units.

quantiphy knows the prefixes. Around it two checks: the text must be one plain number and one unit (quantiphy alone
takes `0,1um` for 1 um, `1m` for a thousandth of nothing and `0x10` for zero), and the unit must be the wanted one,
letter for letter: `50a` is no capacitance and `0.9v` no voltage.
"""

import functools
import math
import re
from typing import Any

from quantiphy import QuantiPhyError, Quantity

from interconnect.errors import InputError, shortened

_NUMBER = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?"
_SUFFIX = r"(?![eE][+-]?[0-9])(?:[^\W\d_]|[%/°]|1/)[^\s,_]*"
_QUANTITY = re.compile(rf"({_NUMBER})[ \t]*({_SUFFIX})?")
_SQUARE = re.compile(r"(.*m)(?:\^2|2|²)")

_TOO_LARGE = "1e9999"

_SPELLINGS = {
    "ohm": ("ohm", "ohms", "Ohm", "\N{GREEK CAPITAL LETTER OMEGA}", "\N{OHM SIGN}"),
    "ohm/sq": ("ohm/sq", "ohm/square", "\N{GREEK CAPITAL LETTER OMEGA}/sq", "\N{OHM SIGN}/sq", "Ω/□"),
    "degC": ("degC", "\N{DEGREE SIGN}C", "C"),
    "1/K": ("1/K", "/K"),
}
EXAMPLES = {
    "": "0.025 or 2.5%",
    "1": "3.9",
    "m": "100nm",
    "m^2": "0.06um^2",
    "V": "0.9V",
    "A": "2uA",
    "F": "20aF",
    "ohm": "100kohm",
    "ohm/sq": "0.38ohm/sq",
    "s": "10ns",
    "Hz": "50MHz",
    "S": "10uS",
    "J": "5fJ",
    "W": "3uW",
    "degC": "27degC",
    "1/K": "3e-3/K",
    "dB": "40dB",
}
"""How a quantity of each unit is written; "" is a fraction, "1" a pure number."""
_UNITLESS = ("", "1", "degC")


def parse_quantity(value: object, unit: str, *, where: str | None = None, plain_si: bool = False) -> float:
    """One quantity as a float in `unit`, rounded once.

    value: text such as `100nm`, `0.1 um` or `1e-7m`; a bare 0; a bare number where `unit` is `degC` (configs give
    temperatures in degC; `300K` is converted), "" (a fraction; `2.5%` is 0.025) or "1" (a pure number). unit: an SI
    unit without prefix, e.g. `m`, `V`, `F`, `ohm`, `s`, `m^2`; `1m` is one metre where metres are wanted. where: file
    and key, for the message. plain_si: a bare number is taken in `unit` (technology files, whose tables are in SI).
    Raises InputError (a ValueError) naming what is wrong and an example of what is right.
    """
    try:
        return _parsed(value, unit, plain_si)
    except _Refused as refused:
        shown = "a number of that size" if _text(value) == _TOO_LARGE else repr(value)
        wanted = {"": "a number or percentage", "1": "a plain number"}.get(unit, f"a quantity in {unit}")
        hint = f"give {wanted}, such as {EXAMPLES.get(unit, '1' + unit)}"
        raise InputError(f"{shortened(shown)} {refused}", where=where, hint=hint) from None


class _Refused(Exception):
    """What is wrong with a quantity, in words that follow the quantity itself."""


def _parsed(value: object, unit: str, plain_si: bool) -> float:
    match = None if isinstance(value, bool) else _QUANTITY.fullmatch(_text(value))
    if match is None:
        raise _Refused("is not a quantity")
    number, suffix = match[1], match[2] or ""
    if not suffix and not plain_si and unit not in _UNITLESS and float(number) != 0:
        raise _Refused("lacks its unit")
    if unit == "degC" and suffix == "K":
        result = float(number) - 273.15
    else:
        result = _shifted(number, _prefix_exponent(suffix, unit) if suffix else 0)
    if not math.isfinite(result):
        raise _Refused("is out of range")
    return result + 0.0  # no negative zero


def _prefix_exponent(suffix: str, unit: str) -> int:
    """Power of ten that `suffix` puts before `unit`; raises _Refused if it is no multiple of `unit`."""
    if unit == "":
        if suffix == "%":
            return -2
        raise _Refused("must be a plain number or a percentage")
    if unit == "1":
        raise _Refused("must be a plain number")
    if unit == "m^2":  # the prefix is squared with its metre: 1 um^2 = 1e-12 m^2
        square = _SQUARE.fullmatch(suffix)
        if square is None:
            raise _Refused("has the wrong unit")
        return 2 * _prefix_exponent(square[1], "m")
    spellings = _SPELLINGS.get(unit, (unit,))
    if suffix in spellings:
        return 0
    prefix, rest = _split(suffix)
    if rest in spellings:
        return round(math.log10(prefix))
    raise _Refused("has the wrong unit" if rest else "lacks its unit")


def _split(suffix: str) -> tuple[float, str]:
    """quantiphy's reading of `suffix`: the scale factor of its prefix, and the unit after it."""
    quantity_type, refused = _quantiphy()
    try:
        quantity = quantity_type("1" + suffix)
    except refused:
        return 1.0, suffix
    return float(quantity), str(quantity.units)


@functools.cache
def _quantiphy() -> tuple[Any, Any]:
    """quantiphy's class, shielded from preferences that the calling program may have set, and its error."""

    class Plain(Quantity):
        pass

    Plain.reset_prefs()
    return Plain, QuantiPhyError


def _shifted(number: str, exponent: int) -> float:
    """The decimal text `number` times a power of ten, exactly rounded."""
    mantissa, _, power = number.lower().partition("e")
    return float(f"{mantissa}e{int(power or 0) + exponent}")


def _text(value: object) -> str:
    if isinstance(value, str):
        return value.strip(" \t")
    if isinstance(value, int | float):
        try:
            return repr(float(value))
        except OverflowError:
            return _TOO_LARGE
    return ""
