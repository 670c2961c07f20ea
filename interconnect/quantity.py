"""Numbers with units from configuration files, refused when the unit is wrong or missing behind a suffix."""

from __future__ import annotations

import math

from interconnect.errors import InputError

UNIT_ALIASES: dict[str, tuple[str, ...]] = {
    "m": ("m",),
    "ohm": ("ohm", "ohms", "Ω", "Ω"),
    "ohm/sq": ("ohm/sq", "ohm/square", "Ω/sq", "Ω/□"),
    "1/K": ("1/K", "/K"),
    "degC": ("degC", "°C", "C"),
    "": ("",),
}
"""Spellings accepted per unit; a unit that is not listed is accepted as itself only."""


def parse_quantity(value: object, unit: str, *, where: str) -> float:
    """Return `value` in SI units.

    A plain number (or a string holding one) is taken as SI. A string with a unit (`70nm`, `0.25 ohm/sq`) must carry
    `unit`, with or without an SI prefix. A bare suffix (`70n`, `1m`) is refused: it may be a prefix or a unit.

    Raises:
        InputError: not a finite number, a wrong unit, or a suffix without unit; `where` names file and key.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise InputError(f"expected a number{_with(unit)}, got {_show(value)}", where=where)
    number = _plain(value)
    if number is None:
        number = _with_unit(str(value), unit, where)
    if not math.isfinite(number):
        raise InputError(f"expected a finite number{_with(unit)}, got {_show(value)}", where=where)
    return number


def _plain(value: int | float | str) -> float | None:
    if isinstance(value, str) and "_" in value:
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def _with_unit(text: str, unit: str, where: str) -> float:
    import quantiphy

    example = f"write for example {'70nm' if unit == 'm' else f'1 {unit}' if unit else '1.0'}"
    accepted = UNIT_ALIASES.get(unit, (unit,))
    stripped = text.strip()
    # quantiphy reads some unit spellings (`/K`, `1/K`, `%`) as noise: split those off first.
    for alias in sorted(accepted, key=len, reverse=True):
        if alias and not alias.isalpha() and stripped.endswith(alias):
            head = _plain(stripped[: -len(alias)].strip())
            if head is not None:
                return head
    try:
        quantity = quantiphy.Quantity(stripped)
    except (quantiphy.QuantiPhyError, ValueError):
        raise InputError(f"{_show(text)} is not a number{_with(unit)}", where=where, hint=example) from None
    if quantity.units not in accepted:
        found = f"its unit is {quantity.units}" if quantity.units else "it has a suffix but no unit"
        raise InputError(f"{_show(text)} is not a number{_with(unit)}: {found}", where=where, hint=example)
    return float(quantity.real)


def _with(unit: str) -> str:
    return f" in {unit}" if unit else ""


def _show(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."
