"""Thresholds, margins and code errors of Gaussian levels: the only implementation, on plain arrays.

A level of count k is read rightly between threshold k - 1 and threshold k. Its margin is the distance to the nearer of
the two over its total sigma, negative where the level lies on the wrong side. Its code error is the sum of the two tail
probabilities, which keeps the digits of rare errors. The first code has no lower and the last code no upper threshold;
a count beyond the last code has no code and is always wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import chdtri, ndtr, ndtri

from interconnect.arrays import FloatArray, IntArray
from interconnect.errors import InputError

CONFIDENCE = 0.95
"""Of every interval."""


@dataclass(frozen=True, slots=True)
class WorstLevel:
    """A level that decides: where it is, its margin in sigma, its code-error probability.

    plane: label of the plane of the readout table; None where the table is not of one plane.
    """

    condition: str
    active: int
    count: int
    margin: float
    code_error: float
    plane: str | None = None


@dataclass(frozen=True, slots=True)
class LevelMargin:
    """Margin of one count at one condition, at the number of active rows where it is smallest.

    margin_sigma: None where nothing spreads. code_error: probability that a conversion of that level returns another
    code.
    """

    condition: str
    active: int
    count: int
    margin_sigma: float | None
    code_error: float


def spacing(level: FloatArray) -> float:
    """Mean spacing of neighbouring counts with all rows active, unit of `level` (active, count) per count."""
    full = level[-1]
    return float((full[-1] - full[0]) / (len(full) - 1))


def decision_thresholds(level: FloatArray, codes: int, *, tracks_active: bool) -> FloatArray:
    """Decision thresholds of a calibrated converter.

    Threshold k lies midway between the nominal levels of counts k and k + 1 on the straight line through the levels.

    Parameters
    ----------
    level : FloatArray
        Mean levels, shape (active, count).
    codes : int
        Output codes of the converter, one count per code.
    tracks_active : bool
        Whether offset follows the number of active rows; else it is that of half of the rows.

    Returns
    -------
    FloatArray
        Shape (active, codes - 1), unit of `level`.
    """
    steps = (np.arange(codes - 1) + 0.5) * spacing(level)
    zero = level[:, 0]
    if not tracks_active:
        zero = np.full_like(zero, zero[(len(zero) - 1) // 2])
    out: FloatArray = zero[:, None] + steps[None, :]
    return out


def tail_distances(
    level: FloatArray, sigma: FloatArray, thresholds: FloatArray, count: IntArray, *, sign: float = 1.0
) -> tuple[FloatArray, FloatArray]:
    """Distance of levels to their lower and to their upper threshold in sigma, positive on the right side.

    Parameters
    ----------
    level, sigma : FloatArray
        Shape (...), one unit. NaN where there is no such level.
    thresholds : FloatArray
        Shape (..., codes - 1), broadcast against `level`; same unit.
    count : IntArray
        The right code, shape (...).
    sign : float
        -1 where levels fall with the count.

    Returns
    -------
    tuple of FloatArray
        Each of shape (...). Without spread the side alone decides: +-inf, a level exactly on a threshold being read as
        the code below, as the converter does.
    """
    ends = np.broadcast_shapes(thresholds.shape[:-1], (1,) * (thresholds.ndim - 1))
    edges = np.concatenate([np.full((*ends, 1), -np.inf), sign * thresholds, np.full((*ends, 1), np.inf)], axis=-1)
    codes = thresholds.shape[-1] + 1
    edges = np.broadcast_to(edges, (*level.shape, codes + 1))
    count = np.broadcast_to(count, level.shape)

    def edge(index: IntArray) -> FloatArray:
        return np.take_along_axis(edges, np.minimum(index, codes)[..., None], axis=-1)[..., 0]

    below, above = sign * level - edge(count), edge(count + 1) - sign * level
    with np.errstate(divide="ignore", invalid="ignore"):
        lower = np.where(sigma > 0, below / sigma, np.where(below > 0, np.inf, -np.inf))
        upper = np.where(sigma > 0, above / sigma, np.where(above >= 0, np.inf, -np.inf))
    unknown = np.isnan(level) | np.isnan(sigma)
    lower[unknown] = upper[unknown] = np.nan
    return lower, upper


def margin_of(lower: FloatArray, upper: FloatArray) -> FloatArray:
    """Margin in sigma from the two distances of `tail_distances`."""
    return np.minimum(lower, upper)


def wrong_code_probability(lower: FloatArray, upper: FloatArray) -> FloatArray:
    """Code-error probability from the two distances of `tail_distances`: both tails of the Gaussian."""
    out: FloatArray = np.minimum(ndtr(-lower) + ndtr(-upper), 1.0)  # two tails exceed 1 by rounding only
    return out


def code_probabilities(level: FloatArray, sigma: FloatArray, thresholds: FloatArray) -> FloatArray:
    """P(code), shape (..., codes), of levels that rise with the count.

    level, sigma: shape (...); thresholds: (..., codes - 1), broadcast against `level`; all in one unit. For the
    probability of a wrong code use `wrong_code_probability`, which has no differences of nearly equal numbers.
    """
    distance = thresholds - level[..., None]
    with np.errstate(divide="ignore", invalid="ignore"):
        certain = np.where(distance >= 0, np.inf, -np.inf)
        z = np.where(sigma[..., None] > 0, distance / sigma[..., None], certain)
    below = ndtr(z)
    ends = (*below.shape[:-1], 1)
    out: FloatArray = np.diff(np.concatenate([np.zeros(ends), below, np.ones(ends)], axis=-1), axis=-1)
    return out


def rounding_error(sigma: float | FloatArray) -> FloatArray:
    """P(wrong code) of a count midway between its thresholds under noise of `sigma` counts: 2 Q(1 / (2 sigma))."""
    spread = np.asarray(sigma, dtype=np.float64)
    with np.errstate(divide="ignore"):
        half = np.where(spread > 0, 0.5 / spread, np.inf)
    return wrong_code_probability(half, half)


def weighted_mean(errors: FloatArray, weight: FloatArray) -> float:
    """Mean of code errors over the (active, count) that occur; `weight`: how often each does, same shape.

    Raises
    ------
    InputError
        For another shape, or where nothing occurs.
    """
    known = ~np.isnan(errors)
    if weight.shape != errors.shape or not weight[known].sum() > 0:
        raise InputError(f"code errors: the histogram has shape {weight.shape}, expected {errors.shape}, not empty")
    return float((errors[known] * weight[known]).sum() / weight[known].sum())


def sigma_needed(code_error: float) -> float:
    """Margin in sigma at which both tails together reach `code_error`: Q^-1(code_error / 2)."""
    return float(-ndtri(code_error / 2))


def sigma_interval(samples: float) -> tuple[float, float]:
    """95 % interval of a true sigma relative to the one estimated from `samples` Gaussian draws (chi-square).

    samples: one more than the degrees of freedom, which need not be whole. Raises InputError with fewer than two.
    """
    if samples < 2:
        raise InputError(f"an interval of sigma needs at least 2 samples, there are {samples:g}")
    free = samples - 1
    low, high = (float(np.sqrt(free / chdtri(free, 1.0 - q))) for q in ((1 + CONFIDENCE) / 2, (1 - CONFIDENCE) / 2))
    return low, high


Ends = tuple[float, float]


def combined_factor(value: float, causes: Sequence[Ends]) -> Ends:
    """95 % interval of a positive quantity from the interval that each independent cause alone gives.

    The logarithms of the factors add as squares, each side by itself. Where the quantity is zero the interval reaches
    from the smallest to the largest end.
    """
    if not causes:
        return value, value
    lows, highs = ([min(low, value) for low, _ in causes], [max(high, value) for _, high in causes])
    if value > 0 and min(lows) > 0:
        low, high = (
            value * float(np.exp(sign * np.sqrt(np.sum(np.square(np.log(np.divide(ends, value)))))))
            for sign, ends in ((-1.0, lows), (1.0, highs))
        )
        return low, high
    return min(lows), max(highs)


def combined_interval(value: float, causes: Sequence[Ends]) -> Ends:
    """`combined_factor` of a probability, which ends at 1."""
    low, high = combined_factor(value, causes)
    return low, min(high, 1.0)


def combined_span(value: float, causes: Sequence[Ends]) -> Ends:
    """95 % interval of a quantity of any sign: distances of the causes' ends add as squares, each side by itself."""
    below = sum((value - min(low, value)) ** 2 for low, _ in causes)
    above = sum((max(high, value) - value) ** 2 for _, high in causes)
    return value - float(np.sqrt(below)), value + float(np.sqrt(above))
