"""Pins of one macro tile: the same names in every view that shows its boundary, and what `select` addresses."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from metalrom.macro.geometry import MacroGeometry

MACRO = "metalrom_tile"
BOUNDARY = (
    "pins: x drives that row of every plane, from the rise of read until the codes are out; read starts a read, "
    "settled marks settled bit lines; select names the bit line and segment that every converter reads; convert starts "
    "the converters, code is their result"
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

    @property
    def supply(self) -> bool:
        """Whether it is a supply."""
        return self.use in ("power", "ground")


@dataclass(frozen=True, slots=True)
class Boundary:
    """A tile as seen from outside.

    pins: signals, then supplies. banks: of planes that share converters, each with a bus of codes; converters: of a
    bank, `code_bits` each, in order, low bit first. A converter serves `columns` bit columns that follow each other, on
    `planes` planes and in `segments` segments; select = (segment * planes + plane) * columns + column.
    """

    pins: tuple[Pin, ...]
    banks: int
    converters: int
    code_bits: int
    columns: int
    planes: int
    segments: int

    @property
    def signals(self) -> tuple[Pin, ...]:
        """Pins without the supplies."""
        return tuple(p for p in self.pins if not p.supply)

    @property
    def shares(self) -> int:
        """Bit lines that a converter serves: values of `select` in use."""
        return self.segments * self.planes * self.columns

    @property
    def addressing(self) -> str:
        """What `select` means, in words."""
        return (
            f"select: (segment * {self.planes} + plane) * {self.columns} + column, of the {self.segments} segments, "
            f"{self.planes} plane(s) and {self.columns} column(s) that a converter serves; code of converter k of a "
            f"bank of planes: bits k * {self.code_bits} and up"
        )


def boundary_of(geometry: MacroGeometry) -> Boundary:
    """The boundary of a tile."""
    g = geometry
    banks = -(-g.planes // g.planes_per_adc)
    converters = g.adcs // banks
    shares = g.groups * g.planes_per_adc * g.columns_per_adc
    pins = (
        Pin("read", "input", use="clock"),
        Pin("convert", "input", use="clock"),
        Pin("select", "input", max(1, math.ceil(math.log2(shares)))),
        Pin("x", "input", g.rows),
        Pin("settled", "output"),
        *(Pin(f"code{p}", "output", converters * g.adc_bits, p) for p in range(banks)),
        Pin("VDD", "inout", use="power"),
        Pin("VSS", "inout", use="ground"),
    )
    return Boundary(pins, banks, converters, g.adc_bits, g.columns_per_adc, g.planes_per_adc, g.groups)
