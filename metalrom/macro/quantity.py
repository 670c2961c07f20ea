"""Numbers with a range: low, mid and high of an estimated quantity, and where each comes from."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from interconnect.errors import InputError
from interconnect.provenance import Provenance


@dataclass(frozen=True, slots=True)
class Span:
    """A positive quantity and its range, SI units. Sums add the ends: all parts low or all high together (cautious)."""

    low: float
    mid: float
    high: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.high) and 0 <= self.low <= self.mid <= self.high):
            raise InputError(f"estimate: {self.low:g} <= {self.mid:g} <= {self.high:g} does not hold")

    @classmethod
    def exact(cls, value: float) -> Span:
        """A value without range."""
        return cls(value, value, value)

    @classmethod
    def factor(cls, value: float, factor: float) -> Span:
        """`value` known within a factor: value / factor to value * factor."""
        return cls(value / factor, value, value * factor)

    @classmethod
    def relative(cls, value: float, error: float) -> Span:
        """`value` with a relative error; the low end does not fall below zero."""
        return cls(value * max(0.0, 1 - error), value, value * (1 + error))

    def __add__(self, other: Span) -> Span:
        return Span(self.low + other.low, self.mid + other.mid, self.high + other.high)

    def __mul__(self, scale: float) -> Span:
        return Span(self.low * scale, self.mid * scale, self.high * scale)

    def under(self, numerator: float) -> Span:
        """numerator / self: the ends change places. Raises InputError if the low end is zero."""
        if not self.low > 0:
            raise InputError("estimate: division by a quantity whose low end is zero")
        return Span(numerator / self.high, numerator / self.mid, numerator / self.low)

    def highest(self, other: Span) -> Span:
        """The greater of two quantities, end by end."""
        return Span(max(self.low, other.low), max(self.mid, other.mid), max(self.high, other.high))

    @property
    def half_range(self) -> float:
        """Half of high minus low, relative to mid (0 for a zero quantity)."""
        return (self.high - self.low) / (2 * self.mid) if self.mid else 0.0

    def to_dict(self, scale: float = 1.0) -> dict[str, float]:
        """low, mid, high, multiplied by `scale`."""
        return {"low": self.low * scale, "mid": self.mid * scale, "high": self.high * scale}


@dataclass(frozen=True, slots=True)
class Component:
    """One part of an estimate: its span and where it comes from."""

    value: Span
    provenance: Provenance

    def to_dict(self, scale: float = 1.0) -> dict[str, Any]:
        """low, mid, high, status and source."""
        return {**self.value.to_dict(scale), "status": self.provenance.status, "source": self.provenance.source}


def total(components: Mapping[str, Component] | Iterable[Component]) -> Span:
    """Sum of the components."""
    parts = components.values() if isinstance(components, Mapping) else components
    return sum_of_spans(part.value for part in parts)


def sum_of_spans(spans: Iterable[Span]) -> Span:
    """Sum of the spans; that of none is 0."""
    return sum(spans, Span.exact(0.0))
