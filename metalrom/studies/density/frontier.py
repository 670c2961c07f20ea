"""The frontier of a set of design points: those that no other one beats in every figure of merit."""

from collections.abc import Sequence

import numpy as np

from interconnect.arrays import BoolArray, FloatArray
from metalrom.studies.density.point import DesignPoint


def merits(points: Sequence[DesignPoint]) -> FloatArray:
    """Figures of merit, the larger the better, shape (points, 3): macro density, CSNR, energy per MAC (negated)."""
    return np.array([[p.density_macro, p.csnr, -p.energy_per_mac] for p in points])


def undominated(values: FloatArray) -> BoolArray:
    """Rows of `values` (points, merits) that no other row beats (equal or better everywhere, better somewhere)."""
    keep = np.ones(len(values), dtype=bool)
    for i, row in enumerate(values):
        no_worse = (values >= row).all(axis=1)
        better = (values > row).any(axis=1)
        keep[i] = not (no_worse & better).any()
    return keep


def frontier(points: Sequence[DesignPoint]) -> tuple[DesignPoint, ...]:
    """Undominated points of every cell and readout, densest first within a kind; one of each set of equal merits.

    Kinds do not compete: what one assumes (a resistor plug in a via, an ideal converter) another does without.
    """
    kinds = dict.fromkeys(p.kind for p in points)
    return tuple(p for kind in kinds for p in _of_kind([p for p in points if p.kind == kind]))


def _of_kind(points: Sequence[DesignPoint]) -> tuple[DesignPoint, ...]:
    values = merits(points)
    chosen: dict[tuple[float, ...], DesignPoint] = {}
    for point, row, keep in zip(points, values, undominated(values), strict=True):
        if keep:
            chosen.setdefault(tuple(row), point)
    return tuple(sorted(chosen.values(), key=lambda p: -p.density_macro))
