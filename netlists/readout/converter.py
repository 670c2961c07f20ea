"""What readout circuits and converters declare, and checks that all converters share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, Protocol

from interconnect.errors import InputError
from netlists.condition import Condition
from netlists.parameters import require
from netlists.readout.deck import Level, ReadoutDeck, ReadoutRole
from netlists.technology import Technology

_MOST_LEVELS = 4096


class ReadoutCircuit(Protocol):
    """Sizes of a readout circuit: a frozen parameter class. title: one line for lists. role: what it does."""

    title: ClassVar[str]
    role: ClassVar[ReadoutRole]


class ConverterCircuit(ReadoutCircuit, Protocol):
    """A converter that the procedure `adc` measures.

    not_included: what no transistor of its deck does, in words. gate_subcircuits: whose gates make up its area.
    Codes are read by `characterization.readout.converters`; a converter of a plugin has a method `codes(waves)` that
    returns them, shape (conversions,). A clocked comparator, if it has one, is its attribute `comparator`.
    """

    not_included: ClassVar[str]
    gate_subcircuits: ClassVar[tuple[str, ...]]

    @property
    def bits(self) -> int: ...
    @property
    def ref_low(self) -> float: ...
    @property
    def ref_high(self) -> float: ...
    @property
    def conversion(self) -> float:
        """Time of one conversion, s."""
        ...

    @property
    def capacitors(self) -> float:
        """All drawn capacitors, F."""
        ...

    @classmethod
    def sized(cls, bits: int, low: float, high: float, length: float) -> ConverterCircuit:
        """The converter of so many bits between two references (V), its transistors of this channel length (m)."""
        ...

    def deck(
        self, technology: Technology, condition: Condition, levels: Sequence[float], level: Level = "transistor"
    ) -> ReadoutDeck:
        """One conversion of each of `levels` (V) in one transient."""
        ...


def check_range(low: float, high: float, *, where: str) -> None:
    """Refuse references that are not finite, negative, or not in order (V)."""
    require(
        math.isfinite(low) and math.isfinite(high) and 0 <= low < high,
        f"is {low!r} to {high!r} V",
        where=f"{where}.ref_low and ref_high",
        hint="0 <= ref_low < ref_high",
    )


def check_inputs(levels: Sequence[float], condition: Condition) -> None:
    """Refuse an empty list, too long a one, or an input (V) outside of the supply."""
    if not 1 <= len(levels) <= _MOST_LEVELS:
        raise InputError(
            f"{len(levels)} input levels", where="readout.levels", hint=f"1 to {_MOST_LEVELS} per deck are possible"
        )
    for index, value in enumerate(levels):
        if not (math.isfinite(value) and 0 <= value <= condition.vdd):
            raise InputError(
                f"input level {index} is {float(value)!r} V", where="readout.levels", hint=f"0 to {condition.vdd:g} V"
            )
