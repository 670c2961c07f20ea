"""Probabilities of rare failures: counted, by importance sampling, or extrapolated from widened draws.

An experiment maps standard normals (samples, dims) to margins (samples,): a sample fails where its margin is negative.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from characterization.models.failure_point import Experiment, failure_points
from interconnect.arrays import FloatArray
from interconnect.errors import InputError

CHUNK = 100_000
"""Samples that are drawn at once at most."""
_LEAST_EFFECTIVE = 30.0


@dataclass(frozen=True, slots=True)
class Probability:
    """Failure probability with its 95 % interval.

    samples: experiments that were run, those of a search included. failures: among the drawn ones. effective: number
    of equally weighed failures that would say as much (brute force: the failures themselves). trusted: whether there
    are enough of them for the interval to mean what it says; note: what else there is to know.
    """

    value: float
    low: float
    high: float
    samples: int
    failures: int
    effective: float
    method: str
    trusted: bool
    note: str = ""

    @property
    def sigmas(self) -> float:
        """The distance at which a one-sided Gaussian has this probability: -ndtri(p)."""
        return float(-ndtri(self.value)) if 0 < self.value < 1 else math.inf if self.value == 0 else -math.inf


def wilson(failures: int, samples: int, confidence: float = 0.95) -> tuple[float, float]:
    """Interval of a proportion; E. B. Wilson, JASA 22 (1927) 209. Raises InputError for impossible counts."""
    if samples < 1 or not 0 <= failures <= samples or not 0 < confidence < 1:
        raise InputError(f"{failures} failures of {samples} samples at confidence {confidence:g} are not possible")
    z = float(ndtri(0.5 + confidence / 2))
    p = failures / samples
    centre = (p + z * z / (2 * samples)) / (1 + z * z / samples)
    half = z / (1 + z * z / samples) * math.sqrt(p * (1 - p) / samples + z * z / (4 * samples * samples))
    # The ends are exact where all or none fail; rounding must not put them outside.
    low = 0.0 if failures == 0 else max(centre - half, 0.0)
    return low, 1.0 if failures == samples else min(centre + half, 1.0)


def brute_force(experiment: Experiment, dims: int, samples: int, seed: int) -> Probability:
    """Draw and count. Raises InputError for an experiment that does not keep to its shapes."""
    rng = _generator(seed, dims, samples)
    failures = sum(
        int(np.count_nonzero(_margins(experiment, rng.standard_normal((n, dims))) < 0)) for n in _chunks(samples)
    )
    low, high = wilson(failures, samples)
    note = "" if failures else "no failure was seen: the value is 0, the upper end is what is known"
    return Probability(
        failures / samples, low, high, samples, failures, float(failures), "brute force", failures >= 10, note
    )


def importance_sampling(
    experiment: Experiment,
    dims: int,
    samples: int,
    seed: int,
    *,
    points: FloatArray | None = None,
    searched: int = 0,
) -> Probability:
    """Draw around the most probable failure points and weigh by the ratio of densities.

    points: (points, dims), from `failure_points` by default; searched: experiments that finding them took. With several
    points the draws are shared out evenly and weighed against the mixture (balance heuristic; Veach, Guibas 1995),
    to which a tenth of plain draws is added, so that no weight exceeds 10 (defensive mixture; Hesterberg 1995). The
    interval is lognormal with the standard error of the mean. Raises InputError where no failure is found.
    """
    if points is None:
        found = failure_points(experiment, dims, seed)
        points, searched = found.points, found.calls
    centres = np.vstack([np.zeros((1, dims)), np.atleast_2d(np.asarray(points, dtype=np.float64))])
    if centres.shape[1] != dims or not np.isfinite(centres).all():
        raise InputError(f"the failure points have shape {centres.shape}, expected (points, {dims})")
    share = np.full(len(centres), 0.9 / (len(centres) - 1))
    share[0] = 0.1
    rng = _generator(seed, dims, samples)
    weights = []
    failures = 0
    for n in _chunks(samples):
        # Stratified over the mixture: each part gets its share of the draws, the remainder is drawn.
        part = np.repeat(np.arange(len(centres)), np.floor(share * n).astype(int))
        part = np.concatenate([part, rng.choice(len(centres), n - len(part), p=share)])
        z = rng.standard_normal((n, dims)) + centres[part]
        failed = _margins(experiment, z) < 0
        failures += int(np.count_nonzero(failed))
        # log of N(z; c, I) / N(z; 0, I) = c z - c^2 / 2
        exponent = z[failed] @ centres.T - 0.5 * np.sum(centres**2, axis=1)
        weights.append(1.0 / (np.exp(np.minimum(exponent, 700.0)) @ share))
    w = np.concatenate(weights)
    value = float(w.sum() / samples)
    effective = float(w.sum() ** 2 / np.sum(w**2)) if len(w) else 0.0
    error = math.sqrt(max(float(np.sum(w**2)) / samples - value**2, 0.0) / samples)
    z95 = float(ndtri(0.975))
    spread = math.exp(z95 * error / value) if value > 0 else 1.0
    trusted = effective >= _LEAST_EFFECTIVE
    note = "" if trusted else f"only {effective:.1f} effective failures: draw more, or give other failure points"
    return Probability(
        value,
        value / spread,
        min(value * spread, 1.0) if value > 0 else 1.0,
        samples + searched,
        failures,
        effective,
        "importance sampling",
        trusted,
        note,
    )


def sigma_extrapolation(
    experiment: Experiment,
    dims: int,
    samples: int,
    seed: int,
    *,
    scales: tuple[float, ...] = (1.5, 1.75, 2.0, 2.5, 3.0, 4.0),
) -> Probability:
    """Count failures among draws widened by `scales` and extrapolate to 1: log P(s) = a + b log s + c / s^2.

    The form of scaled-sigma sampling (S. Sun, X. Li, H. Liu, K. Luo, B. Gu, IEEE TCAD 34 (2015) 1096), fitted by
    weighted least squares with binomial errors; the samples are shared out evenly. The interval comes from the fit's
    covariance, widened by the misfit where that is larger than chance; that the form holds down to 1 is an assumption,
    so it is never marked as trusted. For many dimensions, or where no failure point can be found. Raises InputError
    with fewer than four scales at which at least ten samples fail.
    """
    rng = _generator(seed, dims, samples)
    each = samples // len(scales)
    rows = []
    failures = 0
    for scale in scales:
        k = sum(
            int(np.count_nonzero(_margins(experiment, scale * rng.standard_normal((n, dims))) < 0))
            for n in _chunks(each)
        )
        failures += k
        if 10 <= k <= each - 10:
            p = k / each
            # variance of log p by the delta method
            rows.append((math.log(p), math.log(scale), scale**-2.0, (1 - p) / k))
    if len(rows) < 4:
        raise InputError(
            f"only {len(rows)} of the scales {', '.join(f'{s:g}' for s in scales)} gave ten failures of {each} samples",
            hint="draw more samples or give larger scales; four are needed",
        )
    logp, logs, inverse, variance = np.array(rows).T
    x = np.stack([np.ones_like(logs), logs, inverse], axis=1)
    weight = 1.0 / np.sqrt(variance)
    beta, *_ = np.linalg.lstsq(x * weight[:, None], logp * weight, rcond=None)
    covariance = np.linalg.inv((x * weight[:, None] ** 2).T @ x)
    chi = float(np.sum(((logp - x @ beta) * weight) ** 2)) / max(len(rows) - 3, 1)
    at_one = np.array([1.0, 0.0, 1.0])
    middle = float(at_one @ beta)
    error = math.sqrt(float(at_one @ covariance @ at_one) * max(chi, 1.0))
    z95 = float(ndtri(0.975))
    return Probability(
        min(math.exp(middle), 1.0),
        math.exp(middle - z95 * error),
        min(math.exp(middle + z95 * error), 1.0),
        each * len(scales),
        failures,
        1.0 / error**2,
        "sigma extrapolation",
        False,
        f"extrapolated from draws widened by {scales[0]:g} to {scales[-1]:g}; misfit {chi:.2f} per degree of freedom",
    )


def gaussian_tail(sigmas: float) -> float:
    """One-sided tail Q(sigmas) of the standard normal."""
    return float(ndtr(-sigmas))


def _margins(experiment: Experiment, z: FloatArray) -> FloatArray:
    out = np.asarray(experiment(z), dtype=np.float64)
    if out.shape != (len(z),) or np.isnan(out).any():
        raise InputError(
            f"the experiment gave margins of shape {out.shape} for {len(z)} samples, or one that is not a number",
            hint="it maps (samples, dims) to (samples,)",
        )
    return out


def _generator(seed: int, dims: int, samples: int) -> np.random.Generator:
    if seed < 0 or dims < 1 or samples < 100:
        raise InputError(
            f"{samples} samples of {dims} dimensions with seed {seed}", hint="100 samples, 1 dimension, seed 0"
        )
    return np.random.default_rng(np.random.SeedSequence([seed, 31]))


def _chunks(samples: int) -> list[int]:
    return [CHUNK] * (samples // CHUNK) + ([samples % CHUNK] if samples % CHUNK else [])
