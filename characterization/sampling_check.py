"""What corrected sampling took at every condition, and how far the reads that no fit has seen lie from what it says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

CONTRADICTED = "held-out reads leave their error bars"


@dataclass(frozen=True)
class CheckedRead:
    """A held-out read: simulated less computed, and its standard error; LSB (linear counts)."""

    procedure: str
    active: int
    count: int
    difference: float
    error: float


@dataclass(frozen=True)
class ConditionSampling:
    """What a condition took. decks: simulated, checks included; reads: of the plan. level_error, sigma_error: standard
    errors of the levels over the largest mismatch sigma, and of the sigmas; residual: rms of a read, LSB. others: reads
    of other conditions that were fitted with its own. chance: of the checks' distances. full: simulated in full, and
    why.
    """

    condition: str
    decks: int
    reads: int
    level_error: float
    sigma_error: float
    residual: float
    others: int
    checks: tuple[CheckedRead, ...]
    chance: float
    full: str = ""


@dataclass(frozen=True)
class SamplingCheck:
    """All conditions together: decks simulated of so many reads; held-out reads with the rms and the largest of their
    differences, LSB (linear counts), and the rms of these over their standard errors; conditions simulated in full."""

    decks: int
    reads: int
    held_out: int
    rms: float
    largest: float
    over_errors: float
    conditions: int
    full: int

    @property
    def text(self) -> str:
        """One sentence."""
        out = f"{self.decks} of {self.reads} reads simulated, the others computed by the corrected linear network"
        if self.held_out:
            out += (
                f"; {self.held_out} held-out reads differ by {self.rms:.4f} counts rms, {self.largest:.4f} at most, "
                f"{self.over_errors:.2f} of their standard errors (rms)"
            )
        return out + (f"; {self.full} of {self.conditions} conditions simulated in full" if self.full else "")


def sampling_check(conditions: Sequence[ConditionSampling]) -> SamplingCheck | None:
    """The comparison of computed with simulated reads of a run; None where every read was simulated as planned."""
    if not conditions:
        return None
    checks = [c for s in conditions for c in s.checks]
    away, error = np.array([[c.difference, c.error] for c in checks]).reshape(-1, 2).T
    held = len(checks) > 0
    return SamplingCheck(
        decks=sum(s.decks for s in conditions),
        reads=sum(s.reads for s in conditions),
        held_out=len(checks),
        rms=float(np.sqrt(np.mean(away**2))) if held else 0.0,
        largest=float(np.abs(away).max()) if held else 0.0,
        over_errors=float(np.sqrt(np.mean((away / error) ** 2))) if held else 0.0,
        conditions=len(conditions),
        full=sum(bool(s.full) for s in conditions),
    )


def sampling_warnings(conditions: Sequence[ConditionSampling]) -> tuple[str, ...]:
    """A sentence on conditions whose held-out reads contradicted the correction; none where there are none."""
    lost = [c.condition for c in conditions if c.full == CONTRADICTED]
    if not lost:
        return ()
    return (f"corrected sampling: {CONTRADICTED} at {', '.join(lost)}, which was simulated in full",)
