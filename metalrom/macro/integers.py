"""Integer matrices that come from outside, checked."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from interconnect.arrays import IntArray
from interconnect.errors import InputError


def integers(what: str, values: NDArray[Any], low: int, high: int) -> IntArray:
    """`values` as a contiguous int64 matrix within [low, high].

    Raises
    ------
    InputError
        For another number of dimensions, an empty matrix, values that are no integers or out of range.
    """
    values = np.asarray(values)
    if values.ndim != 2 or 0 in values.shape:
        raise InputError(f"macro: {what} have shape {values.shape}, expected a matrix (two dimensions, none empty)")
    if values.dtype.kind not in "iu":
        raise InputError(f"macro: {what} are {values.dtype}, expected integers")
    lowest, highest = int(values.min()), int(values.max())
    if lowest < low or highest > high:
        raise InputError(f"macro: {what} span {lowest}..{highest}, expected {low}..{high}")
    return np.ascontiguousarray(values, dtype=np.int64)
