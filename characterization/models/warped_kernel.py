"""The kernel's likelihood gradient for scikit-learn: a length and a warp per input, and one amplitude."""

from typing import Any

import numpy as np
from sklearn.gaussian_process.kernels import Hyperparameter, Kernel

from interconnect.arrays import FloatArray

AMPLITUDE = (1e-3, 1e4)
LENGTH = (0.05, 100.0)
WARP = (-5.0, 5.0)


def warped(u: FloatArray, warps: FloatArray) -> FloatArray:
    """(exp(c u) - 1) / (exp(c) - 1), input by input: 0 and 1 stay, what lies between moves; c = 0 leaves all as it is.

    c > 0 stretches the upper end: a curve that is flat below and steep above becomes even. u (points, inputs).
    """
    c = np.where(np.abs(warps) < 1e-6, 1e-6, warps)
    return np.asarray(np.expm1(c * u) / np.expm1(c))


def warp_slope(u: FloatArray, warps: FloatArray) -> FloatArray:
    """Derivative of `warped` by c."""
    small = np.abs(warps) < 1e-3
    c = np.where(small, 1.0, warps)
    bottom = np.expm1(c)
    exact = (u * np.exp(c * u) * bottom - np.expm1(c * u) * np.exp(c)) / bottom**2
    # the quotient loses its digits about 0: u + c u (u - 1) / 2 there
    return np.asarray(np.where(small, 0.5 * u * (u - 1.0), exact))


def profile(r2: FloatArray, smooth: bool) -> tuple[FloatArray, FloatArray]:
    """Correlation and its derivative by the squared distance: squared exponential, or Matern with nu = 5/2.

    Rasmussen and Williams 2006, equations 4.9 and 4.17.
    """
    if smooth:
        k = np.exp(-0.5 * r2)
        return k, -0.5 * k
    s = np.sqrt(5.0 * r2)
    e = np.exp(-s)
    return (1.0 + s + s * s / 3.0) * e, -5.0 / 6.0 * (1.0 + s) * e


class WarpedKernel(Kernel):  # type: ignore[misc]
    """amplitude * k(|warped(a) - warped(b)| / lengths); scikit-learn moves the logarithms of all three.

    stretch: exp(c) of every input, so that its logarithm is the warp itself.
    """

    def __init__(self, amplitude: float, lengths: Any, stretch: Any, smooth: bool = True) -> None:
        self.amplitude = amplitude
        self.lengths = lengths
        self.stretch = stretch
        self.smooth = smooth

    @property
    def hyperparameter_amplitude(self) -> Any:
        """For scikit-learn, which sorts these by name."""
        return Hyperparameter("amplitude", "numeric", AMPLITUDE)

    @property
    def hyperparameter_lengths(self) -> Any:
        """For scikit-learn."""
        return Hyperparameter("lengths", "numeric", LENGTH, np.size(self.lengths))

    @property
    def hyperparameter_stretch(self) -> Any:
        """For scikit-learn."""
        return Hyperparameter("stretch", "numeric", tuple(np.exp(WARP)), np.size(self.stretch))

    def __call__(self, a: FloatArray, b: FloatArray | None = None, eval_gradient: bool = False) -> Any:
        """Covariance (len(a), len(b)), and its gradient by the logarithms (..., parameters) if asked for."""
        c, lengths = np.log(np.atleast_1d(self.stretch)), np.atleast_1d(self.lengths)
        za = warped(np.asarray(a), c) / lengths
        zb = za if b is None else warped(np.asarray(b), c) / lengths
        delta = za[:, None, :] - zb[None, :, :]
        k, slope = profile(np.einsum("ijk,ijk->ij", delta, delta), self.smooth)
        if not eval_gradient:
            return self.amplitude * k
        moved = warp_slope(np.asarray(a), c) / lengths
        slope = 2.0 * self.amplitude * slope[:, :, None] * delta
        by_length = -slope * delta
        by_warp = slope * (moved[:, None, :] - moved[None, :, :])
        return self.amplitude * k, np.concatenate([self.amplitude * k[:, :, None], by_length, by_warp], axis=2)

    def diag(self, a: FloatArray) -> FloatArray:
        """Variances (len(a),)."""
        return np.full(len(a), self.amplitude)

    def is_stationary(self) -> bool:
        """It is not."""
        return False
