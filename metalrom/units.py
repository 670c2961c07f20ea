"""Physical quantities of configs: `100nm`, `0.9V`, `20aF` become floats in SI units.

quantiphy knows the prefixes. Around it two checks: the text must be one plain number and one unit (quantiphy alone
takes `0,1um` for 1 um, `1m` for a thousandth of nothing and `0x10` for zero), and the unit must be the wanted one,
letter for letter: `50a` is no capacitance and `0.9v` no voltage.
"""

from __future__ import annotations

import functools
import math
import re
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from interconnect.errors import InputError

_NUMBER = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?"
_SUFFIX = r"(?![eE][+-]?[0-9])(?:[^\W\d_]|[%/°])[^\s,_]*"
_QUANTITY = re.compile(rf"({_NUMBER})[ \t]*({_SUFFIX})?")
_SQUARE = re.compile(r"(.*m)(?:\^2|2|²)")

_TOO_LARGE = "1e9999"

_SPELLINGS = {
    "ohm": ("ohm", "Ohm", "\N{GREEK CAPITAL LETTER OMEGA}", "\N{OHM SIGN}"),
    "ohm/sq": ("ohm/sq", "\N{GREEK CAPITAL LETTER OMEGA}/sq", "\N{OHM SIGN}/sq"),
    "degC": ("degC", "\N{DEGREE SIGN}C", "C"),
    "1/K": ("1/K", "/K"),
}
_EXAMPLES = {
    "": "0.025 or 2.5%",
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
}


def parse_quantity(value: object, unit: str) -> float:
    """One quantity as a float in `unit`, rounded once.

    value: text such as `100nm`, `0.1 um` or `1e-7m`; a bare 0; a bare number where `unit` is `degC` (configs give
    temperatures in degC; `300K` is converted) or "" (a fraction; `2.5%` is 0.025). unit: an SI unit without prefix,
    e.g. `m`, `V`, `F`, `ohm`, `s`, `m^2`; `1m` is one metre where metres are wanted.
    Raises InputError (a ValueError) naming what is wrong and an example of what is right.
    """
    match = None if isinstance(value, bool) else _QUANTITY.fullmatch(_text(value))
    if match is None:
        raise _refusal(value, "is no quantity", unit)
    number, suffix = match[1], match[2] or ""
    if not suffix and unit not in ("", "degC") and float(number) != 0:
        raise _refusal(value, "lacks its unit", unit)
    if unit == "degC" and suffix == "K":
        result = float(number) - 273.15
    else:
        result = _shifted(number, _prefix_exponent(value, suffix, unit) if suffix else 0)
    if not math.isfinite(result):
        raise _refusal(value, "is out of range", unit)
    return result + 0.0  # no negative zero


def _prefix_exponent(value: object, suffix: str, unit: str) -> int:
    """Power of ten that `suffix` puts before `unit`; raises InputError if it is no multiple of `unit`."""
    if unit == "":
        if suffix == "%":
            return -2
        raise _refusal(value, "must be a plain number or a percentage", unit)
    if unit == "m^2":  # the prefix is squared with its metre: 1 um^2 = 1e-12 m^2
        square = _SQUARE.fullmatch(suffix)
        if square is None:
            raise _refusal(value, "has the wrong unit", unit)
        return 2 * _prefix_exponent(value, square[1], "m")
    spellings = _SPELLINGS.get(unit, (unit,))
    if suffix in spellings:
        return 0
    prefix, rest = _split(suffix)
    if rest in spellings:
        return round(math.log10(prefix))
    raise _refusal(value, "has the wrong unit" if rest else "lacks its unit", unit)


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
    from quantiphy import QuantiPhyError, Quantity

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


def _refusal(value: object, what: str, unit: str) -> InputError:
    shown = "a number of that size" if _text(value) == _TOO_LARGE else repr(value)
    if len(shown) > 60:
        shown = shown[:57] + "..."
    wanted = f"a quantity in {unit}" if unit else "a number or percentage"
    return InputError(f"{shown} {what}", hint=f"give {wanted}, such as {_EXAMPLES.get(unit, '1' + unit)}")


def _quantity_type(unit: str) -> tuple[BeforeValidator, PlainSerializer, WithJsonSchema]:
    """pydantic's view of a quantity: how it is read, how JSON shows it (it reads back the same), how a schema does."""
    bare: dict[str, Any] = {"type": "number"} if unit in ("", "degC") else {"const": 0}
    examples = _EXAMPLES[unit].split(" or ")
    schema = {"anyOf": [{"type": "string"}, bare], "description": f"quantity in {unit or '1'}", "examples": examples}
    return (
        BeforeValidator(lambda value: parse_quantity(value, unit)),
        PlainSerializer(lambda value: f"{value!r}{unit}", return_type=str, when_used="json"),
        WithJsonSchema(schema),
    )


Length = Annotated[float, *_quantity_type("m")]
Area = Annotated[float, *_quantity_type("m^2")]
Voltage = Annotated[float, *_quantity_type("V")]
Current = Annotated[float, *_quantity_type("A")]
Capacitance = Annotated[float, *_quantity_type("F")]
Resistance = Annotated[float, *_quantity_type("ohm")]
SheetResistance = Annotated[float, *_quantity_type("ohm/sq")]
Time = Annotated[float, *_quantity_type("s")]
Frequency = Annotated[float, *_quantity_type("Hz")]
Energy = Annotated[float, *_quantity_type("J")]
Power = Annotated[float, *_quantity_type("W")]
Temperature = Annotated[float, *_quantity_type("degC")]
Fraction = Annotated[float, *_quantity_type("")]
