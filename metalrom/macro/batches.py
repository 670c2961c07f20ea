"""The activations of a product as the engine takes them: checked integers, input planes, slices per thread."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
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


def input_matrix(x: NDArray[Any], bits: int, signed: bool, rows: int) -> IntArray:
    """Activations as an integer matrix, shape (batch, rows). Raises InputError for values out of range or a shape."""
    half = 2 ** (bits - 1)
    low, high = (-half, half - 1) if signed else (0, 2 * half - 1)
    x = integers("activations", x, low, high)
    if x.shape[1] != rows:
        raise InputError(f"macro: activations have {x.shape[1]} rows, the weights {rows}")
    return x


def plane_values(bits: int, signed: bool) -> IntArray:
    """Place value of every input plane, shape (bits,); of two's complement if signed."""
    out = np.int64(1) << np.arange(bits)
    if signed:
        out[-1] = -out[-1]
    return out


def split_batch(threads: int, batch: int, work: Callable[[slice], Any]) -> list[Any]:
    """Run `work` on consecutive slices of the batch, one per thread."""
    parts = max(1, min(threads, batch))
    edges = np.linspace(0, batch, parts + 1).astype(int)
    slices = [slice(int(a), int(b)) for a, b in pairwise(edges)]
    if parts == 1:
        return [work(slices[0])]
    with ThreadPoolExecutor(parts) as pool:
        return list(pool.map(work, slices))
