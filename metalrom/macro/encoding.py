"""Integer weights as cell levels: which columns a weight takes, and what each column is worth digitally.

A weight w becomes one level 0..K-1 (K levels per cell) in each of its units, one unit being one physical column per
weight: w = sum of factor * level + bias. The macro therefore returns sum of factor * count, and adds bias * sum(x)
digitally. Units are ordered from the least significant digit up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from interconnect.arrays import ByteArray, IntArray
from interconnect.errors import InputError
from interconnect.suggestion import suggest

Mapping = Literal["differential", "twos_complement", "offset", "unsigned", "ternary"]
MAPPINGS: tuple[Mapping, ...] = get_args(Mapping)
"""differential: sign and magnitude, positive and negative weights in separate columns. twos_complement: the sign bit
has a column of negative worth. offset: w + 2^(bits-1) is stored, 2^(bits-1) * sum(x) subtracted. unsigned: 0..2^bits-1.
ternary: -1, 0, 1, as two one-bit columns, or as w + 1 in one cell of three levels (a differential bit-line
pair), sum(x) subtracted."""

MAX_BITS = 16
MAX_LEVELS = 16


@dataclass(frozen=True, slots=True)
class Encoding:
    """How weights of `bits` bits sit in cells of `levels` levels.

    low, high: range of a weight. factor: digital worth of each unit's count. bias: digital worth of sum(x).
    """

    mapping: Mapping
    bits: int
    levels: int
    low: int
    high: int
    factor: tuple[int, ...]
    bias: int = 0

    @property
    def units(self) -> int:
        """Columns per weight."""
        return len(self.factor)

    @property
    def significances(self) -> tuple[int, ...]:
        """Distinct absolute factors, the greatest first."""
        return tuple(sorted({abs(f) for f in self.factor}, reverse=True))

    @property
    def rank(self) -> tuple[int, ...]:
        """Place of each unit among the significances: 0 is the most significant."""
        return tuple(self.significances.index(abs(f)) for f in self.factor)

    def level(self, w: NDArray[np.integer[Any]], unit: int) -> ByteArray:
        """Cell levels of unit `unit` for weights w (rows, columns), same shape."""
        factor = self.factor[unit]
        if self.mapping == "differential" and self.bias:
            return np.asarray(np.sign(w) * (np.abs(w) // factor % 2) + 1, np.uint8)
        if self.mapping == "differential" or (self.mapping == "ternary" and not self.bias):
            value = np.maximum(w if factor > 0 else -w, 0)
        elif self.mapping == "twos_complement":
            if factor < 0:
                return (w < 0).astype(np.uint8)
            value = w & self.high
        else:
            value = w - self.bias
        if self.levels & (self.levels - 1):
            return np.asarray(value // abs(factor) % self.levels, np.uint8)
        return np.asarray((value >> (abs(factor).bit_length() - 1)) & (self.levels - 1), np.uint8)  # division is slow


def encoding(mapping: str, bits: int, levels: int = 2, *, signed_cells: bool = False) -> Encoding:
    """The encoding of a mapping.

    signed_cells: levels 0, 1, 2 stand for -1, 0, 1 (a cell on either line of a differential bit line, or on none);
    differential weights then take one column per magnitude bit. Raises InputError for an unknown mapping, or bits or
    levels out of range.
    """
    if mapping not in MAPPINGS:
        raise InputError(f"macro: mapping {mapping!r} is not known", hint=suggest(mapping, MAPPINGS))
    least = 1 if mapping == "unsigned" else 2
    if not least <= bits <= MAX_BITS:
        raise InputError(f"macro: weight_bits is {bits}, expected {least} to {MAX_BITS}")
    if not 2 <= levels <= MAX_LEVELS:
        raise InputError(f"macro: a cell has {levels} levels, expected 2 to {MAX_LEVELS}")
    half = 2 ** (bits - 1)
    if mapping == "ternary":
        if bits != 2:
            raise InputError(f"macro: ternary weights have 2 bits, weight_bits is {bits}")
        if levels == 3:
            return Encoding("ternary", 2, levels, -1, 1, (1,), bias=-1)
        return Encoding("ternary", 2, levels, -1, 1, (1, -1))
    if signed_cells and (mapping != "differential" or levels != 3):
        raise InputError(f"macro: cells that subtract have 3 levels and differential weights, not {levels}, {mapping}")
    if signed_cells:
        return Encoding("differential", bits, levels, 1 - half, half - 1, _digits(half - 1, 2), bias=1 - half)
    if mapping == "differential":
        pairs = tuple(f for digit in _digits(half - 1, levels) for f in (digit, -digit))
        return Encoding("differential", bits, levels, 1 - half, half - 1, pairs)
    if mapping == "twos_complement":
        return Encoding("twos_complement", bits, levels, -half, half - 1, (*_digits(half - 1, levels), -half))
    if mapping == "offset":
        return Encoding("offset", bits, levels, -half, half - 1, _digits(2 * half - 1, levels), bias=-half)
    return Encoding("unsigned", bits, levels, 0, 2 * half - 1, _digits(2 * half - 1, levels))


def integers(what: str, values: NDArray[Any], low: int, high: int) -> IntArray:
    """`values` as a contiguous int64 matrix within [low, high], or InputError."""
    values = np.asarray(values)
    if values.ndim != 2 or 0 in values.shape:
        raise InputError(f"macro: {what} have shape {values.shape}, expected a matrix (two dimensions, none empty)")
    if values.dtype.kind not in "iu":
        raise InputError(f"macro: {what} are {values.dtype}, expected integers")
    lowest, highest = int(values.min()), int(values.max())
    if lowest < low or highest > high:
        raise InputError(f"macro: {what} span {lowest}..{highest}, expected {low}..{high}")
    return np.ascontiguousarray(values, dtype=np.int64)


def _digits(top: int, levels: int) -> tuple[int, ...]:
    """Worth of every base-`levels` digit that numbers up to `top` need."""
    out = [1]
    while out[-1] * levels <= top:
        out.append(out[-1] * levels)
    return tuple(out)
