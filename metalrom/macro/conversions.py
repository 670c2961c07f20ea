"""Which conversions of a product are made, and among how many counts.

A conversion reads one input plane i against one column of place value m in one group of rows: a partial product that
the digital side weighs with 2^i m. Rows that are driven are known to it before the read (a popcount of the plane), and
so are the sums of the stored columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interconnect.arrays import IntArray
from interconnect.errors import InputError
from metalrom.macro.exact_product import ExactWeights
from metalrom.macro.quality import csnr
from netlists.mapping import Scheme


@dataclass(frozen=True, slots=True)
class ConversionRule:
    """How the conversions of a product are chosen; the default makes all of them among all counts.

    skip_idle: a group in which no row is driven is not converted, its counts are 0. popcount_range: a conversion is one
    among the counts that the driven rows can give; codes beyond read as the greatest of these. drop_below: partial
    products of less than 2^drop_below are not converted, their mean is added digitally (see `dropped_means`).
    variable_time: the next read begins as soon as the last is done, skipped and short ones take less time (changes
    times and what flows meanwhile, never a result). drop_csnr: target (dB) by which drop_below was chosen on one layer;
    others choose their own.
    skip_empty: a column that stores nothing but zeros in a group of rows is not converted there, its count is known.
    """

    skip_idle: bool = False
    popcount_range: bool = False
    drop_below: int = 0
    variable_time: bool = False
    drop_csnr: float | None = None
    skip_empty: bool = False

    def __post_init__(self) -> None:
        if self.drop_below < 0:
            raise InputError(f"macro: drop_below is {self.drop_below}, expected 0 or more")
        if self.variable_time and not (self.skip_idle or self.popcount_range):
            raise InputError("macro: variable_time needs skip_idle or popcount_range: all reads take the same time")

    @property
    def options(self) -> dict[str, Any]:
        """The rule as options of `Macro`."""
        return {
            "skip_idle": self.skip_idle,
            "popcount_range": self.popcount_range,
            "drop_below": self.drop_below,
            "skip_empty": self.skip_empty,
        }

    def first_planes(self, scheme: Scheme, input_bits: int) -> tuple[int, ...]:
        """Lowest input plane that is converted for each magnitude, the greatest first; `input_bits` where none is.

        Raises InputError if no conversion is left for the greatest.
        """
        first = tuple(
            next((i for i in range(input_bits) if magnitude << i >= 1 << self.drop_below), input_bits)
            for magnitude in scheme.magnitudes
        )
        if first[0] == input_bits:
            greatest = (scheme.magnitudes[0] << input_bits - 1).bit_length() - 1
            raise InputError(
                f"macro: drop_below is {self.drop_below}, which drops every partial product", hint=f"{greatest} or less"
            )
        return first


def low_part(x: IntArray, first: int, input_bits: int) -> IntArray:
    """What the input planes below `first` of integers stand for, shape of x; all of it if there are no others."""
    return x if first >= input_bits else np.asarray(x & ((1 << first) - 1))


def dropped_means(parts: Sequence[tuple[IntArray, NDArray[Any]]], block: int | None) -> IntArray:
    """Expected sum of dropped products where it is not known which rows are driven, only how many.

    Parameters
    ----------
    parts : sequence
        Dropped parts of the inputs (batch, rows), and what is stored in the columns against which they are dropped
        (rows, columns): integers.
    block : int, optional
        Rows that are summed; all by default.

    Returns
    -------
    IntArray
        Shape (batch, blocks, columns): sum of the inputs x sum of the weights / rows, halves rounded up.
    """
    total = np.int64(0)
    for low, weights in parts:
        rows = len(weights) if block is None else block
        inputs = low.reshape(len(low), -1, rows).sum(axis=2)
        sums = weights.reshape(-1, rows, weights.shape[1]).sum(axis=1, dtype=np.float64).astype(np.int64)
        total = total + inputs[:, :, None] * sums
    return np.asarray((2 * total + rows) // (2 * rows))


def product_with_drops(x: IntArray, w: IntArray, scheme: Scheme, drop_below: int, *, input_bits: int) -> IntArray:
    """x w of a macro without errors that drops partial products: integers, shape (batch, columns).

    Parameters
    ----------
    x, w : IntArray
        Activations (batch, rows) and weights (rows, columns).
    scheme : Scheme
        How weights are read.
    drop_below : int
        See `ConversionRule`.
    input_bits : int
        Bits of an activation.
    """
    out, parts = _product(x, w), []
    rule = ConversionRule(drop_below=drop_below)
    for rank, first in enumerate(rule.first_planes(scheme, input_bits)):
        if first:
            units = [u for u, r in enumerate(scheme.rank) if r == rank]
            place = np.array([scheme.place_value[u] for u in units])
            levels = np.take(place @ scheme.level_table[units].astype(np.int64), w - scheme.low)
            low = low_part(x, first, input_bits)
            out = out - _product(low, levels)
            parts.append((low, levels))
    return out + dropped_means(parts, None)[:, 0] if parts else out


def largest_drop(x: IntArray, w: IntArray, scheme: Scheme, target: float, *, input_bits: int) -> tuple[int, float]:
    """Largest `drop_below` whose product keeps a CSNR of `target` dB against the exact one on these operands, and its
    CSNR; the macro's own errors are not in it. See `product_with_drops` for the arguments."""
    exact, found = _product(x, w), (0, np.inf)
    top = (scheme.magnitudes[0] << input_bits - 1).bit_length() - 1
    for below in range(1, top + 1):
        got = product_with_drops(x, w, scheme, below, input_bits=input_bits)
        quality = csnr(exact, got).raw
        if quality < target:
            break
        found = (below, quality)
    return found


def _product(x: IntArray, w: IntArray) -> IntArray:
    return np.asarray(ExactWeights.of(w).product(x, max(1, int(np.abs(x).max())))[:, 0])


def empty_groups(digits: IntArray, rows: int) -> NDArray[np.bool_]:
    """Groups of `rows` rows in which a column's digits (all rows, ...) are all 0: shape (groups, ...)."""
    starts = np.arange(0, len(digits), rows)
    return np.asarray(~np.logical_or.reduceat(digits != 0, starts, axis=0))


def driven_planes(x: IntArray, rows: int) -> IntArray:
    """Input planes that drive any row of a group, one bit each: shape (batch, groups)."""
    return np.asarray(np.bitwise_or.reduceat(x, np.arange(0, x.shape[1], rows), axis=1))


def count_driven(driven: IntArray, start: int, stop: int) -> int:
    """Groups and planes start..stop in which a row is driven; driven: of `driven_planes`."""
    return sum(int(((driven >> plane) & 1).sum()) for plane in range(start, stop))


def partial_products(scheme: Scheme, first: Sequence[int], input_bits: int) -> int:
    """Conversions of a weight per group of rows; first: of `ConversionRule.first_planes`."""
    return sum(input_bits - first[rank] for rank in scheme.rank)
