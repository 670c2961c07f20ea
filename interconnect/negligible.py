"""Capacitances that are zero up to rounding are zero, so that no result depends on how a library rounds."""

import numpy as np

from interconnect.arrays import FloatArray

NEGLIGIBLE_SHARE = 1e-9
"""An element below this share of the totals of both its nets is zero: extraction errors are larger by many decades."""


def without_negligible(matrix: FloatArray) -> FloatArray:
    """A Maxwell matrix without negligible couplings; what a net has to its reference stays the same.

    Parameters
    ----------
    matrix : FloatArray
        Maxwell matrix (F), shape (nets, nets), couplings negative.

    Returns
    -------
    FloatArray
        The same with couplings below `NEGLIGIBLE_SHARE` of both nets' totals set to zero and taken from the totals.
    """
    total = np.diag(matrix)
    drop = np.abs(matrix) < NEGLIGIBLE_SHARE * np.minimum(total[:, None], total[None])
    np.fill_diagonal(drop, False)
    if not (dropped := np.where(drop, matrix, 0.0)).any():
        return matrix
    return np.asarray(matrix - dropped + np.diag(dropped.sum(axis=1)))
