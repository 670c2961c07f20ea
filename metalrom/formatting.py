"""Numbers in words: figures with a range, probabilities; amounts as `interconnect.formatting` writes them."""

import math
from dataclasses import dataclass

from interconnect.formatting import MISSING as MISSING
from interconnect.formatting import amount as amount
from interconnect.formatting import digits as digits
from interconnect.formatting import known as known
from interconnect.formatting import parts_of_unit as parts_of_unit
from interconnect.formatting import prefix as prefix


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of the macro with its range.

    mid: the value, in `unit` (SI base units such as J, s, V are printed with a prefix; any other unit as it is).
    low, high: the range that the error budget gives. status: published, measured, estimate, user or assumption.
    """

    name: str
    mid: float | None
    unit: str
    low: float | None = None
    high: float | None = None
    status: str = ""
    source: str = ""


def span(figure: Figure) -> str:
    """Range of a figure in the unit of its middle value, e.g. `0.8 to 1.4 fJ`; empty when it has none."""
    if not (known(figure.low) and known(figure.high)):
        return ""
    scale, shown = prefix(figure.mid if known(figure.mid) else figure.high, figure.unit)
    return f"{digits(figure.low / scale, 3)} to {digits(figure.high / scale, 3)} {shown}".strip()


def counted(number: int, noun: str) -> str:
    """A number of things: `1 tile`, `3 tiles`."""
    return f"{number:,} {noun}{'s' * (number != 1)}"


def probability(value: float | None) -> str:
    """A probability: `3.2e-6`; below 1e-18 only the bound is given."""
    if value is None or math.isnan(value):
        return MISSING
    if 0 <= value < 1e-18:
        return "< 1e-18"
    if value >= 0.01:
        return f"{value:.2g}"
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa.removesuffix('.0')}e{int(exponent)}"
