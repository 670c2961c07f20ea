"""Levels, spreads and thresholds of a readout at one condition, as plain arrays that can be varied."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from characterization.margins import code_probabilities, tail_distances, wrong_code_probability
from interconnect.arrays import BoolArray, FloatArray, IntArray

STATIC, NOISE, PATTERN, OFFSET, COMPARATOR, SUPPLY = "static", "noise", "pattern", "offset", "comparator", "supply"
SPREADS = (STATIC, PATTERN, NOISE, COMPARATOR, OFFSET, SUPPLY)
"""Independent spreads of a level, by the name of their field."""


@dataclass(frozen=True)
class ReadoutLevels:
    """Levels of a readout at one condition, all in one unit (V or A); shape (...): (active, count) or those taken.

    Parameters
    ----------
    count : IntArray
        The right code of every level, shape (...).
    level, static, noise, pattern : FloatArray
        Mean, spread over chips, thermal noise, spread by data, shape (...); NaN where there is no such level.
    thresholds : FloatArray
        Decision levels between code k and k + 1, shape (..., codes - 1) or broadcast against it.
    offset, comparator : float
        Sigma of a converter's static offset, and of its noise.
    signal : FloatArray
        What the row supply adds to the level, shape (...): noise of that supply moves a level by its share of it.
    supply : FloatArray
        Sigma by noise of the row supply, shape (...).
    sign : float
        -1 where levels fall with the count.
    """

    count: IntArray
    level: FloatArray
    static: FloatArray
    noise: FloatArray
    pattern: FloatArray
    thresholds: FloatArray
    offset: float
    comparator: float
    signal: FloatArray
    supply: FloatArray
    sign: float = 1.0

    def take(self, chosen: BoolArray) -> ReadoutLevels:
        """The chosen levels alone, shape (chosen.sum(),)."""
        thresholds = np.broadcast_to(self.thresholds, (*self.level.shape, self.thresholds.shape[-1]))
        arrays = {name: getattr(self, name)[chosen] for name in ("count", "level", "static", "noise", "pattern",
                                                                 "signal", "supply")}  # fmt: skip
        return replace(self, **arrays, thresholds=thresholds[chosen])

    def with_supply_noise(self, relative: float) -> ReadoutLevels:
        """The levels with `relative` rms noise of the row supply and no other."""
        return replace(self, supply=relative * np.abs(self.signal))

    def scaled(self, factor: float, *spreads: str) -> ReadoutLevels:
        """The levels with the named spreads times a factor."""
        return replace(self, **{name: factor * getattr(self, name) for name in spreads})

    @property
    def sigma(self) -> FloatArray:
        """Root sum of squares of every spread, shape (...)."""
        adc = self.offset**2 + self.comparator**2
        out: FloatArray = np.sqrt(self.static**2 + self.noise**2 + self.pattern**2 + adc + self.supply**2)
        return out

    def tails(self) -> tuple[FloatArray, FloatArray]:
        """Distances to the lower and the upper threshold in sigma, see `tail_distances`."""
        return tail_distances(self.level, self.sigma, self.thresholds, self.count, sign=self.sign)

    def code_errors(self) -> FloatArray:
        """P(code is not the count), both tails, shape (...)."""
        return wrong_code_probability(*self.tails())

    def squared_errors(self) -> FloatArray:
        """Mean square of code less count, shape (...), counts squared."""
        probability = code_probabilities(self.sign * self.level, self.sigma, self.sign * self.thresholds)
        error = np.arange(self.thresholds.shape[-1] + 1) - self.count[..., None]
        out: FloatArray = (probability * error**2).sum(axis=-1)
        return out
