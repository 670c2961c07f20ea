"""Numbers with unit and SI prefix; an unknown number is called so."""

import math
from typing import TypeGuard

MISSING = "not available"
_PREFIXED = frozenset({"V", "A", "J", "s", "F", "ohm", "W", "Hz", "m", "S", "bit/s", "op/s", "op/J"})
_PREFIXES = "afpnµm kMGTPE"  # 1e-18 .. 1e18, a blank for unity
_SCALES = {"u": 1e-6} | {p: 10.0 ** (3 * k - 18) for k, p in enumerate(_PREFIXES) if p != " "}
_AREAS = {"m2": 1.0, "mm2": 1e-6, "um2": 1e-12}
_PRETTY = {
    "ohm": "Ω", "um2": "µm²", "mm2": "mm²", "Mb/mm2": "Mb/mm²", "TOPS/mm2": "TOPS/mm²", "m2": "m²", "um": "µm",
    "degC": "°C",
}  # fmt: skip


def known(value: float | None) -> TypeGuard[float]:
    """Whether a value is a finite number."""
    return value is not None and math.isfinite(value)


def prefix(value: float, unit: str) -> tuple[float, str]:
    """Scale and printed unit that suit a value: 2.5e-3 V gives (1e-3, "mV"), 2e-11 m2 (1e-12, "µm²")."""
    shown = _PRETTY.get(unit, unit)
    if unit in _AREAS and value and math.isfinite(value):
        best = "mm2" if abs(value) * _AREAS[unit] >= 1e-9 else "um2"
        return _AREAS[best] / _AREAS[unit], _PRETTY[best]
    if unit not in _PREFIXED or value == 0 or not math.isfinite(value):
        return 1.0, shown
    step = min(max(math.floor(math.log10(abs(value)) / 3 + 1e-9), -6), 6)
    return 10.0 ** (3 * step), (_PREFIXES[step + 6].strip() + shown)


def parts_of_unit(unit: str) -> tuple[float, str]:
    """Factor and bare unit of one with a prefix: `fJ` gives (1e-15, "J"); any other is left as it is."""
    if unit not in _PRETTY and unit[1:] in _PREFIXED and unit[:1] in _SCALES:
        return _SCALES[unit[:1]], unit[1:]
    return 1.0, unit


def digits(value: float, places: int) -> str:
    """A number with `places` significant digits, without an exponent from 1 to 1e7."""
    text = f"{value:.{places}g}"
    if "e" in text and 1 <= abs(value) < 1e7:
        text = f"{value:.0f}"
    return text


def amount(value: float | None, unit: str = "", *, places: int = 3) -> str:
    """Value with unit and SI prefix, e.g. `2.53 mV`; None, NaN and infinities are named."""
    if value is None or math.isnan(value):
        return MISSING
    if math.isinf(value):
        return "unbounded" if value > 0 else "unbounded below"
    scale, shown = prefix(value, unit)
    return f"{digits(value / scale, places)}\u00a0{shown}".rstrip("\u00a0")
