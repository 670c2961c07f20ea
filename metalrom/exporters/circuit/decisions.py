"""What a Gaussian level and thresholds say about the code: the arithmetic of the readout table, at single points."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr

from interconnect.arrays import FloatArray, IntArray


def code_probability(level: FloatArray, sigma: FloatArray, thresholds: FloatArray) -> FloatArray:
    """P(code), shape (points, codes). level, sigma: (points,); thresholds: (points, codes - 1), all in one unit."""
    edges, mean, spread = thresholds, level[:, None], sigma[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(spread > 0, (edges - mean) / spread, np.where(edges >= mean, np.inf, -np.inf))
    below = ndtr(z)
    ends = np.zeros((len(level), 1)), np.ones((len(level), 1))
    out: FloatArray = np.diff(np.concatenate([ends[0], below, ends[1]], axis=1), axis=1)
    return out


def code_of(probability: FloatArray) -> FloatArray:
    """Most likely code, shape (points,)."""
    return np.asarray(probability.argmax(axis=1), dtype=np.float64)


def code_error(probability: FloatArray, count: IntArray) -> FloatArray:
    """Probability of every code but the count's, shape (points,)."""
    right = np.arange(probability.shape[1])[None, :] == count[:, None]
    out: FloatArray = np.where(right, 0.0, probability).sum(axis=1)
    return out
