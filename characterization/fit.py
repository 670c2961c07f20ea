"""Fitted models with error bars: the physics' own form, least squares, errors on points that were held out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
from scipy.optimize import nnls
from scipy.special import chdtri, stdtrit

from characterization.failures import ConditionError
from interconnect.arrays import BoolArray, FloatArray
from interconnect.errors import InputError
from netlists.condition import Condition

SMALL_SPREAD = 0.05
"""Points of a smaller share of the largest variance decide no code error and say nothing of a spread's form."""

REWEIGHTED = 5
"""Fits of a spread, each weighed by the one before: the form is linear, so that the weights settle at once."""

LevelShape = Literal["quadratic", "bent"]
"""Form of a level model: `quadratic` in count and active rows, or `bent` in the difference of `signed_count`."""


@dataclass(frozen=True, slots=True)
class FitQuality:
    """How far the model may be trusted. All errors in the level's unit, on points the fit did not see.

    coverage: share of held-out points inside the model's 95 % prediction interval.
    """

    points: int
    held_out: int
    residual_rms: float
    held_out_rms: float
    held_out_max: float
    coverage: float


@dataclass(frozen=True)
class LevelModel:
    """Level of a bit line as a function of MAC count and number of active rows at one condition.

    Charge sharing says V = V0 + V_dd (c_s count + c_off active) / C_tot; the junction of the reset switch and its
    leakage bend it a little, so squares are added: level = b0 + b1 n + b2 a + b3 n^2 + b4 n a + b5 a^2 with n = count
    / rows and a = active / rows. `covariance`: of b, (6, 6). `sigma`: residual standard deviation, the level's unit.
    domain: counts and active rows 0..rows only; evaluation outside is refused. levels: of a cell; with more than two,
    counts run to active (levels - 1) and n is the count over its largest. shape: `bent` where the level is a bent
    function of the difference (see `bent_features`), then `covariance` is (10, 10).
    """

    condition: Condition
    rows: int
    coefficients: FloatArray
    covariance: FloatArray
    sigma: float
    quality: FitQuality
    levels: int = 2
    shape: LevelShape = "quadratic"

    FORM = "b0 + b1 n + b2 a + b3 n^2 + b4 n a + b5 a^2, n = count/rows, a = active/rows"
    BENT_FORM = (
        "sum of bi d^i, i = 0..5, + b6 a + b7 a d + b8 a^2 + b9 a d^2, a = driven/rows, d = (2 count - driven)/rows, "
        "an odd number of active rows being completed by a counted dummy row"
    )
    SIGNED_FORM = "sum of bi d^i, i = 0..5, + b6 a + b7 a d + b8 a^2 + b9 a d^2, a = active/rows, d = sum of +-1/rows"

    @property
    def form(self) -> str:
        """The model as a formula."""
        if self.shape == "bent":
            return self.BENT_FORM if self.levels == 2 else self.SIGNED_FORM
        return self.FORM

    def __call__(self, active: FloatArray, count: FloatArray) -> FloatArray:
        """Level for arrays of active rows and counts (same shape). Refuses to extrapolate (InputError)."""
        active, count = np.asarray(active, dtype=np.float64), np.asarray(count, dtype=np.float64)
        most = self.levels - 1
        inside = (count >= 0) & (count <= active * most) & (active <= self.rows)
        if not inside.all():
            raise InputError(
                f"level model of {self.rows} rows evaluated outside its domain (0 <= count"
                f"{f' / {most}' if most > 1 else ''} <= active <= {self.rows})"
            )
        out: FloatArray = regressors(self.shape, self.rows, active, count, most) @ self.coefficients
        return out

    def of_difference(self, driven: float, difference: FloatArray) -> FloatArray:
        """Bent shape: levels at a `difference` as `signed_count` gives it, a dummy row among the driven ones."""
        if self.shape != "bent":
            raise InputError(f"the level model of {self.condition.label} is not one of a difference")
        out: FloatArray = bent_features(np.asarray(driven / self.rows), difference / self.rows) @ self.coefficients
        return out

    def to_json(self) -> Mapping[str, object]:
        """Plain values for models.json."""
        return {
            "condition": self.condition.label,
            "rows": self.rows,
            "form": self.form,
            "coefficients": self.coefficients.tolist(),
            "covariance": self.covariance.tolist(),
            "sigma": self.sigma,
            "domain": {
                "active": [0, self.rows],
                "count": [0, "active" if self.levels == 2 else f"{self.levels - 1} active"],
            },
            "quality": {name: getattr(self.quality, name) for name in FitQuality.__slots__},
        }


def even_pair(active: FloatArray, count: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(driven, counted) rows of a complement-driven group: a dummy row that counts completes an odd number of active
    rows, so that 2 counted - driven is even."""
    odd = np.mod(active, 2)
    return active + odd, count + odd


def signed_count(active: FloatArray, count: FloatArray, most: int = 1) -> tuple[FloatArray, FloatArray]:
    """(driven rows, difference that moves the bit line) of a complement-driven group whose cells count 0 to `most`.

    A cell that counts `most` adds 1 to the difference and one that counts 0 takes 1 from it. Binary cells: 2 counted -
    driven rows, even by a dummy row (`even_pair`). A ternary cell's middle symbol adds nothing, so that every whole
    difference occurs, no dummy row is needed, and it is the sum of the symbols' values themselves.
    """
    if most == 1:
        driven, counted = even_pair(active, count)
        return driven, 2.0 * counted - driven
    return active, 2.0 * count / most - active


def regressors(shape: LevelShape, rows: int, active: FloatArray, count: FloatArray, most: int) -> FloatArray:
    """What a level model of this shape multiplies its coefficients by, shape (..., coefficients)."""
    if shape == "bent":
        driven, difference = signed_count(active, count, most)
        return bent_features(driven / rows, difference / rows)
    return features(active / rows, count / (rows * most))


def bent_features(a: FloatArray, d: FloatArray) -> FloatArray:
    """Regressors of a level through a source follower: powers of the difference d that moves the bit line, up to the
    fifth (the follower compresses both ends), and what the number a of driven rows adds: shape (..., 10)."""
    a, d = np.broadcast_arrays(np.asarray(a, dtype=np.float64), np.asarray(d, dtype=np.float64))
    return np.stack([*(d**i for i in range(6)), a, a * d, a * a, a * d * d], axis=-1)


def features(a: FloatArray, n: FloatArray) -> FloatArray:
    """Regressors of the level model: shape (..., 6)."""
    a, n = np.broadcast_arrays(np.asarray(a, dtype=np.float64), np.asarray(n, dtype=np.float64))
    return np.stack([np.ones_like(n), n, a, n * n, n * a, a * a], axis=-1)


LEVELS_NEEDED: Mapping[LevelShape, int] = {"quadratic": 12, "bent": 20}
"""Distinct pairs of active rows and count that a level model is fitted to, at least."""


def fit_levels(
    condition: Condition,
    rows: int,
    active: FloatArray,
    count: FloatArray,
    level: FloatArray,
    seed: int,
    levels: int = 2,
    shape: LevelShape = "quadratic",
) -> LevelModel:
    """Fit on 80 % of the points, judge on the other 20 %, then refit on all.

    Whole (active, count) pairs are held out, so the test asks for levels that the fit has not seen.
    Raises ConditionError when fewer distinct pairs than `LEVELS_NEEDED` are there.
    """
    needed = LEVELS_NEEDED[shape]
    pairs = np.stack([active, count], axis=1)
    distinct = np.unique(pairs, axis=0)
    if len(distinct) < needed:
        raise ConditionError(
            f"{len(distinct)} distinct levels are too few for a level model ({needed} needed)",
            condition,
            hint="raise characterization.max_levels or look at the failed simulations",
        )
    rng = np.random.default_rng(np.random.SeedSequence([seed, rows, 77]))
    held = distinct[rng.permutation(len(distinct))[: max(2, len(distinct) // 5)]]
    test = (pairs[:, None, :] == held[None, :, :]).all(axis=2).any(axis=1)
    x = regressors(shape, rows, active, count, levels - 1)
    beta, covariance, sigma, freedom = _least_squares(x[~test], level[~test])
    error = level[test] - x[test] @ beta
    spread = np.sqrt(sigma**2 + np.einsum("ij,jk,ik->i", x[test], covariance, x[test]))
    covered = float(np.mean(np.abs(error) <= stdtrit(freedom, 0.975) * spread))
    beta, covariance, sigma, _ = _least_squares(x, level)
    quality = FitQuality(
        points=len(level),
        held_out=int(test.sum()),
        residual_rms=sigma,
        held_out_rms=float(np.sqrt(np.mean(error**2))),
        held_out_max=float(np.abs(error).max()),
        coverage=covered,
    )
    return LevelModel(condition, rows, beta, covariance, sigma, quality, levels, shape)


def _least_squares(x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray, float, int]:
    """Ordinary least squares: coefficients, their covariance, residual sigma, degrees of freedom."""
    beta, _, rank, _ = np.linalg.lstsq(x, y, rcond=None)
    freedom = max(len(y) - int(rank), 1)
    sigma = float(np.sqrt(np.sum((y - x @ beta) ** 2) / freedom))
    covariance = sigma**2 * np.linalg.pinv(x.T @ x)
    return beta.astype(np.float64), covariance.astype(np.float64), sigma, freedom


def fit_pattern_variance(active: FloatArray, residual: FloatArray, freedom: int) -> FloatArray:
    """Variance of levels over stored data and places: (p0, p1) of sigma^2 = p0 + p1 active, the level's unit squared.

    active, residual: shape (points,), a level less its model. Every driven row adds the couplings of its own data,
    which are independent of those of other rows. Non-negative least squares of the squares, each weighed by one over
    its expected size (a square scatters by sqrt(2) times that); freedom: parameters of the levels' model.
    """
    square = residual**2 * len(residual) / max(len(residual) - freedom, 1)
    unit, rows = float(square.mean()) or 1.0, max(float(active.max()), 1.0)
    x = np.stack([np.ones(len(active)), active / rows], axis=1)
    expected = np.ones(len(active))
    found = np.zeros(2)
    for _ in range(4):  # the weights settle at once: the form is linear
        found = nnls(x / expected[:, None], square / unit / expected)[0]
        expected = np.maximum(x @ found, 1e-3)
    return np.asarray(found * unit / np.array([1.0, rows]))


@dataclass(frozen=True, slots=True)
class LineLoad:
    """A bit line of `rows` cells that are its load too; per_count, per_active: of a level, over the drive's voltage."""

    rows: int
    per_count: float
    per_active: float

    def moving(self, active: FloatArray, count: FloatArray) -> FloatArray:
        """Counted cells, each with the square of what its deviation moves relative to one on an empty line.

        A cell's coupling is part of the line's load: a counted cell moves the level by what the drive is above it, any
        other one by the level.
        """
        share = self.per_count * count + self.per_active * active
        out: FloatArray = count * (1.0 - share) ** 2 + (self.rows - count) * share**2
        return out


@dataclass(frozen=True)
class SpreadModel:
    """Static spread of a level: sigma^2 = s0^2 + s1^2 count + s2^2 (active - count) (independent cells and devices).

    s0: devices (reset switch, drivers), s1: a counted cell, s2: a driven cell that does not count; the level's unit.
    load: of a bit line whose cells load it; s1 multiplies `LineLoad.moving` then, and not the count itself.
    Through a complement-driven chain every driven cell moves as much, whatever it counts, and d = 2 counted - driven
    rows (`even_pair`) takes the place of the count: s1 of a driven cell, s2 of the chain's gain, s3 of what leaves a
    bit line that falls towards ground (its reset transistor conducts), s4 of a line that nears the supply (its current
    source leaves saturation); both grow with the square of d.
    dummy_row: whether that completion takes place; without it driven rows are those whose cells move the bit line at
    all (tied ones of a ternary cell) and the count is of those that raise it.
    samples: Monte-Carlo draws behind it; relative_error: standard error of sigma from the number of draws;
    held_out_rms: error of a point that the fit has not seen, relative to the largest sigma. covariance: of the
    variances from the number of draws, (terms, terms). misfit: rms by which sigmas of points leave the form beyond what
    their draws explain, relative.
    """

    condition: Condition
    variances: FloatArray
    samples: int
    relative_error: float
    held_out_rms: float
    covariance: FloatArray
    misfit: float = 0.0
    dummy_row: bool = True
    load: LineLoad | None = None

    FORM = "sigma^2 = s0^2 + s1^2 count + s2^2 (active - count)"
    LOADED_FORM = (
        "sigma^2 = s0^2 + s1^2 (count (1 - h)^2 + (rows - count) h^2) + s2^2 (active - count), "
        "h = per_count count + per_active active"
    )
    GAIN_FORM = "sigma^2 = s0^2 + s1^2 driven + s2^2 d^2 + s3^2 min(d, 0)^4 + s4^2 max(d, 0)^4, d = 2 count - driven"

    @property
    def form(self) -> str:
        """The model as a formula."""
        if len(self.variances) > 3:
            return self.GAIN_FORM
        return self.FORM if self.load is None else self.LOADED_FORM

    def terms(self, active: FloatArray, count: FloatArray) -> FloatArray:
        """What every variance is multiplied by, shape (..., terms)."""
        gain = len(self.variances) > 3
        return _spread_terms(np.asarray(active), np.asarray(count), gain=gain, dummy_row=self.dummy_row, load=self.load)

    def __call__(self, active: FloatArray, count: FloatArray) -> FloatArray:
        """Sigma for arrays of active rows and counts, the level's unit."""
        return np.asarray(np.sqrt(self.terms(active, count) @ self.variances))

    def to_json(self) -> Mapping[str, object]:
        """Plain values for models.json."""
        return {
            "condition": self.condition.label,
            "form": self.form,
            "s": np.sqrt(self.variances).tolist(),
            **({"load": asdict(self.load)} if self.load else {}),
            "samples": self.samples,
            "relative_error": self.relative_error,
            "held_out_rms": self.held_out_rms,
        }


def _spread_terms(
    active: FloatArray, count: FloatArray, *, gain: bool, dummy_row: bool = True, load: LineLoad | None = None
) -> FloatArray:
    if not gain:
        moving = count if load is None else load.moving(active, count)
        return np.stack([np.ones(count.shape), moving, active - count], axis=-1)
    a, c = even_pair(active, count) if dummy_row else (active, count)
    d = 2.0 * c - a
    return np.stack([np.ones(a.shape), a, d**2, np.minimum(d, 0.0) ** 4, np.maximum(d, 0.0) ** 4], axis=-1)


def fit_spread(
    condition: Condition,
    active: FloatArray,
    count: FloatArray,
    variance: FloatArray,
    draws: FloatArray,
    *,
    gain: bool = False,
    dummy_row: bool = True,
    load: LineLoad | None = None,
    relative_covariance: FloatArray | None = None,
) -> SpreadModel:
    """Fit the spread model to sample variances, one per (active, count) point; non-negative least squares.

    active, count, variance, draws: shape (points,); `variance` in the level's unit squared, from `draws` samples each.
    Points weigh by the standard error of a variance, sqrt(2 / (draws - 1)) times the fitted one (a sample's own would
    favour samples that came out small), with a floor of one part in a thousand of the largest. The held-out error
    leaves one point out at a time and is relative to the largest sigma.
    gain, dummy_row, load: see `SpreadModel`; except through a chain, a read of no row is left out, which no conversion
    reads and which leakage spreads. relative_covariance: of the sample variances over their product, shape (points,
    points); independent Gaussian points by default.
    Raises ConditionError with fewer than four points or ten draws a point.
    """
    everything = np.ones(len(active), dtype=bool) if gain else active > 0
    if everything.sum() < 4 or draws.min() < 10:
        raise ConditionError(
            f"{everything.sum()} Monte-Carlo points are too few for a spread model (4 points of 10 good draws needed)",
            condition,
            hint="look at the failed simulations or raise characterization.samples",
        )
    unit = float(variance.max()) or 1.0
    x = _spread_terms(active, count, gain=gain, dummy_row=dummy_row, load=load)
    scale = np.maximum(x.max(axis=0), 1.0)

    def solve(keep: BoolArray, variance: FloatArray = variance) -> FloatArray:
        expected, found = variance / unit, np.zeros(x.shape[1])
        for _ in range(REWEIGHTED):
            weight = (np.sqrt(draws) / np.maximum(expected, 1e-3))[keep]
            found = nnls(x[keep] / scale * weight[:, None], variance[keep] / unit * weight)[0]
            expected = x / scale @ found
        out: FloatArray = found / scale * unit
        return out

    errors = []
    for i in np.flatnonzero(everything):
        keep = everything.copy()
        keep[i] = False
        errors.append((np.sqrt(x[i] @ solve(keep)) - np.sqrt(variance[i])) / np.sqrt(unit))
    fewest = int(draws.min())
    found = solve(everything)
    share = np.diag(2.0 / (draws - 1)) if relative_covariance is None else relative_covariance
    step = 0.01 * variance * np.eye(len(variance))
    # per relative change of every point's variance, which its weight follows
    slope = np.array([(solve(everything, variance + s) - solve(everything, variance - s)) / 0.02 for s in step]).T
    return SpreadModel(
        condition,
        found,
        fewest,
        float(1.0 / np.sqrt(2.0 * (fewest - 1))),
        float(np.sqrt(np.mean(np.square(errors)))),
        slope @ share @ slope.T,
        _misfit(variance, x @ found, x @ slope, share, active > 0),
        dummy_row,
        load,
    )


def _misfit(variance: FloatArray, fitted: FloatArray, slope: FloatArray, share: FloatArray, driven: BoolArray) -> float:
    """Rms relative distance of sigmas from their fit, less what draws alone leave; of driven points that spread at all.

    0 where draws alone leave as much in 5 % of cases or more: a sum of squares of Gaussian distances, by the chi-square
    law of its mean and variance (Satterthwaite).

    slope: of the fitted variances by the relative change of every point's, (points, points). share: relative covariance
    of the sample variances. driven: a row or more; no conversion reads none, whose level nothing holds against the
    spread of the reset switch's leakage.
    """
    large = driven & (variance >= SMALL_SPREAD * variance.max(initial=0.0)) & (fitted > 0) & (variance > 0)
    if not large.any():
        return 0.0
    distance = np.log(variance[large] / fitted[large]) / 2.0
    left = (np.eye(len(variance)) - slope / np.where(fitted > 0, fitted, 1.0)[:, None])[large]
    drawn = left @ share @ left.T / 4.0
    mean, square = float(np.trace(drawn)), float((distance**2).sum())
    freedom = mean**2 / float((drawn**2).sum()) if mean > 0 else 1.0
    if square <= mean / freedom * float(chdtri(freedom, 0.05)):
        return 0.0
    return float(np.sqrt((square - mean) / large.sum()))
