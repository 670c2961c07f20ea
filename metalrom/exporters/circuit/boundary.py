"""Pins of one macro tile: the same names in every view that shows its boundary."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from metalrom.macro.geometry import MacroGeometry

MACRO = "metalrom_tile"
BOUNDARY = (
    "pins: x drives that row of every plane, select names the bit line and segment that every converter reads, read "
    "starts a conversion, settled marks settled bit lines, convert starts the converters, code is their result"
)


@dataclass(frozen=True, slots=True)
class Pin:
    """A pin or bus. width: number of bits, 0 for a single pin; plane: where the bus is reached, of the planes."""

    name: str
    direction: Literal["input", "output", "inout"]
    width: int = 0
    plane: int = 0
    use: Literal["signal", "clock", "power", "ground"] = "signal"

    @property
    def bits(self) -> Iterator[str]:
        """Names of its single pins."""
        return iter((self.name,)) if self.width == 0 else (f"{self.name}[{k}]" for k in range(self.width))


def select_bits(geometry: MacroGeometry) -> int:
    """Address bits of the bit lines, segments and planes that share a converter."""
    return max(1, math.ceil(math.log2(geometry.columns_per_adc * geometry.planes_per_adc * geometry.groups)))


def pins_of(geometry: MacroGeometry) -> tuple[Pin, ...]:
    """Signal pins of a tile, then its supplies. One bus of codes per plane, or for all planes that share converters:
    converters in order, low bit first."""
    banks = -(-geometry.planes // geometry.planes_per_adc)
    codes = geometry.adcs // banks * geometry.adc_bits
    return (
        Pin("read", "input", use="clock"),
        Pin("convert", "input", use="clock"),
        Pin("select", "input", select_bits(geometry)),
        Pin("x", "input", geometry.rows),
        Pin("settled", "output"),
        *(Pin(f"code{p}", "output", codes, p) for p in range(banks)),
        Pin("VDD", "inout", use="power"),
        Pin("VSS", "inout", use="ground"),
    )
