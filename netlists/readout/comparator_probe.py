"""Current sources inside a comparator's deck: charges that probe its sensitivity, and drawn noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from netlists.parameters import tidy

PULSE = 4e-12
"""Length of a charge pulse, s."""


@dataclass(frozen=True, slots=True)
class BranchCurrent:
    """A current from node a through the source to node b of the comparator: its corners in s and A."""

    name: str
    a: str
    b: str
    corners: tuple[tuple[float, float], ...]


def charge_pulses(name: str, node: str, times: Sequence[float], charge: float) -> BranchCurrent:
    """One charge (C) into the node around every one of `times` (s)."""
    peak = charge / (0.75 * PULSE)
    shares = ((-0.5, 0.0), (-0.25, peak), (0.25, peak), (0.5, 0.0))
    corners = [(tidy(t + share * PULSE), value) for t in times for share, value in shares]
    return BranchCurrent(name, "vss", node, ((0.0, 0.0), *corners))
