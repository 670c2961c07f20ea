"""Gaussian process with a length and a warp per input: hyperparameters by scikit-learn, the rest by one Cholesky."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.spatial.distance import cdist
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import WhiteKernel

from characterization.models.warped_kernel import AMPLITUDE, LENGTH, WARP, WarpedKernel, profile, warped
from interconnect.arrays import FloatArray
from interconnect.errors import InputError, SolverError

_NOISE = (1e-10, 1.0)
JITTER = 1e-10
"""Added to the diagonal, relative to the amplitude: keeps the factor positive where points nearly coincide."""


@dataclass(frozen=True)
class Hyperparameters:
    """Of a kernel amplitude * k(r) + noise on targets scaled to variance 1; r is measured in lengths (inputs,).

    smooth: k is the squared exponential; otherwise Matern with nu = 5/2. noise: variance that belongs to single
    observations (what repeats would scatter by, and detail finer than the points), not to the curve. warps (inputs,):
    of the inputs, see `warped`; () for none. A curve that is flat at one end of an input and steep at the other is no
    stationary process until that input is warped.
    """

    amplitude: float
    lengths: tuple[float, ...]
    noise: float
    smooth: bool = True
    warps: tuple[float, ...] = ()

    def stretched(self, u: FloatArray) -> FloatArray:
        """Points u (points, inputs) where distances are those that the kernel sees: warped, in lengths."""
        z = warped(u, np.asarray(self.warps)) if self.warps else u
        return np.asarray(z / np.asarray(self.lengths))

    def kernel(self, a: FloatArray, b: FloatArray) -> FloatArray:
        """Covariance of the curve, shape (len(a), len(b)), without noise."""
        return np.asarray(
            self.amplitude * profile(cdist(self.stretched(a), self.stretched(b), "sqeuclidean"), self.smooth)[0]
        )


@dataclass(frozen=True)
class GaussianProcess:
    """Conditioned on points x (points, inputs) in the unit box and values y (points,).

    y is centred and scaled before the kernel sees it: (y - centre) / scale.
    """

    hyper: Hyperparameters
    x: FloatArray
    y: FloatArray
    centre: float
    scale: float
    factor: FloatArray
    weights: FloatArray

    @classmethod
    def conditioned(
        cls, hyper: Hyperparameters, x: FloatArray, y: FloatArray, centre: float, scale: float
    ) -> GaussianProcess:
        """Factor the covariance. Raises SolverError if it is not positive definite."""
        k = hyper.kernel(x, x)
        k[np.diag_indices_from(k)] += hyper.noise + JITTER * hyper.amplitude
        try:
            factor = cholesky(k, lower=True)
        except np.linalg.LinAlgError:
            raise SolverError(
                "the model's covariance is not positive definite; points coincide or lengths are too long"
            ) from None
        weights = cho_solve((factor, True), (y - centre) / scale)
        return cls(hyper, x, y, centre, scale, factor, weights)

    @property
    def noise(self) -> float:
        """Standard deviation of an observation about the curve, in the unit of y."""
        return float(np.sqrt(self.hyper.noise)) * self.scale

    def mean(self, x: FloatArray) -> FloatArray:
        """Of the curve at x (points, inputs), shape (points,)."""
        return np.asarray(self.centre + self.scale * (self.hyper.kernel(x, self.x) @ self.weights))

    def predict(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation of the curve (noise not included) at x (points, inputs), in the unit of y."""
        cross = self.hyper.kernel(x, self.x)
        half = solve_triangular(self.factor, cross.T, lower=True)
        variance = np.maximum(self.hyper.amplitude - np.sum(half * half, axis=0), 0.0)
        return self.centre + self.scale * (cross @ self.weights), self.scale * np.sqrt(variance)

    def covariance(self, a: FloatArray, b: FloatArray) -> FloatArray:
        """Posterior covariance of the curve between points a and b, shape (len(a), len(b)), in scaled units."""
        half_a = solve_triangular(self.factor, self.hyper.kernel(a, self.x).T, lower=True)
        half_b = half_a if a is b else solve_triangular(self.factor, self.hyper.kernel(b, self.x).T, lower=True)
        return np.asarray(self.hyper.kernel(a, b) - half_a.T @ half_b)

    def left_out(self) -> tuple[FloatArray, FloatArray]:
        """Error and predicted standard deviation (noise included) of each point left out, (points,), in y's unit.

        Closed form with the hyperparameters kept: Rasmussen and Williams 2006, equations 5.10 to 5.12.
        """
        inverse = np.diag(cho_solve((self.factor, True), np.eye(len(self.x))))
        return self.scale * self.weights / inverse, self.scale / np.sqrt(inverse)


def fit_gaussian_process(
    x: FloatArray,
    y: FloatArray,
    *,
    seed: int,
    smooth: bool = True,
    restarts: int = 1,
    start: Hyperparameters | None = None,
    most: int = 300,
) -> GaussianProcess:
    """Hyperparameters of largest marginal likelihood (scikit-learn, L-BFGS, `restarts` further random starts).

    start: where to begin, e.g. an earlier fit; most: points that the likelihood sees (drawn with the seed; its cost
    goes with their cube), the conditioning sees all. Raises SolverError when no factor can be found.
    """
    centre, scale = float(np.mean(y)), float(np.std(y))
    if not scale > 1e-14 * max(abs(centre), 1e-300):
        # Nothing is left to explain (or not by anything but rounding).
        scale = max(abs(centre) * 1e-14, 1e-300)
        hyper = Hyperparameters(AMPLITUDE[0], (1.0,) * x.shape[1], _NOISE[0], smooth)
        return GaussianProcess.conditioned(hyper, x, y, centre, scale)
    first = start or Hyperparameters(1.0, (1.0,) * x.shape[1], 1e-5, smooth)
    warps = np.clip(first.warps or np.zeros(x.shape[1]), *WARP)
    own = WarpedKernel(
        float(np.clip(first.amplitude, *AMPLITUDE)), np.clip(first.lengths, *LENGTH), np.exp(warps), smooth
    )
    kernel = own + WhiteKernel(float(np.clip(first.noise, *_NOISE)), _NOISE)
    rng = np.random.default_rng([seed, 13])
    seen = np.sort(rng.permutation(len(x))[:most])
    regressor = GaussianProcessRegressor(
        kernel, alpha=JITTER, n_restarts_optimizer=restarts, random_state=int(rng.integers(2**31))
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a length at its bound: the input does not matter
        regressor.fit(x[seen], (y[seen] - centre) / scale)
    fitted: Any = regressor.kernel_
    hyper = Hyperparameters(
        float(fitted.k1.amplitude),
        tuple(float(v) for v in np.atleast_1d(fitted.k1.lengths)),
        float(fitted.k2.noise_level),
        smooth,
        tuple(float(v) for v in np.log(np.atleast_1d(fitted.k1.stretch))),
    )
    return GaussianProcess.conditioned(hyper, x, y, centre, scale)


def check_hyperparameters(hyper: Hyperparameters, dims: int) -> None:
    """Refuse what no fit gives. Raises InputError."""
    values = np.array([hyper.amplitude, hyper.noise, *hyper.lengths])
    warps = np.array(hyper.warps)
    if len(warps) not in (0, dims) or not np.isfinite(warps).all() or (np.abs(warps) > 50.0).any():
        raise InputError(f"its warps must be {dims} numbers from -50 to 50", where="model file: kernel")
    if len(hyper.lengths) != dims or not np.isfinite(values).all() or not (values > 0).all():
        raise InputError(
            f"its lengths, amplitude and noise must be {dims} and 2 positive numbers", where="model file: kernel"
        )
