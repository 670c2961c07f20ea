"""A published result, how it is recomputed, and what came out."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

Status = Literal["published", "derived"]


@dataclass(frozen=True, slots=True)
class PublishedCheck:
    """One comparison. tolerance: largest accepted difference, in `unit`, and why in `reason`."""

    number: str
    what: str
    compute: Callable[[], float]
    reference: float
    unit: str
    tolerance: float
    source: str
    status: Status = "published"
    reason: str = "half of the last printed digit"


@dataclass(frozen=True, slots=True)
class CheckOutcome:
    """A check and what came out."""

    check: PublishedCheck
    computed: float

    @property
    def difference(self) -> float:
        """Computed minus reference."""
        return self.computed - self.check.reference

    @property
    def ok(self) -> bool:
        """Whether the difference is within the tolerance (rounding of the subtraction granted)."""
        slack = 1e-9 * abs(self.check.reference)
        return math.isfinite(self.difference) and abs(self.difference) <= self.check.tolerance + slack

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        c = self.check
        return {
            "number": c.number,
            "check": c.what,
            "reference": c.reference,
            "status": c.status,
            "computed": self.computed,
            "difference": self.difference,
            "unit": c.unit,
            "tolerance": c.tolerance,
            "tolerance_reason": c.reason,
            "ok": self.ok,
            "source": c.source,
        }
