"""A level simulated twice: as configured and as drawn."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DrawnLevel:
    """Half of the counts, in V or A. step: of the last count."""

    count: int
    configured: float
    drawn: float
    step: float

    @property
    def lsb(self) -> float:
        """Difference of the levels in steps per count."""
        return (self.drawn - self.configured) / self.step
