"""Real weights as integers, and the value of one step."""

from dataclasses import dataclass
from typing import Literal, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

from interconnect.arrays import FloatArray
from interconnect.errors import InputError, shortened

Real = TypeVar("Real", np.float32, np.float64)
IntArray = NDArray[np.int16]

BITS = (8, 6, 4, 2)

TernaryRule = Literal["twn", "bitnet"]
TERNARY_RULES: tuple[TernaryRule, ...] = get_args(TernaryRule)
"""Rules that make ternary weights of trained ones, see `quantize_columns`."""

TWN_THRESHOLD = 0.7
"""Of the mean |w| below which a weight is 0 (Li, Liu 2016: near the optimum of uniform and of normal weights)."""


@dataclass(frozen=True, slots=True)
class QuantizedWeights:
    """Integer weights and the value of one step.

    values: shape (rows, cols), of `bits` bits. scale: shape (cols,), real weight per integer step.
    """

    values: IntArray
    scale: FloatArray
    bits: int

    def dequantized(self) -> FloatArray:
        """The real weights that the integers stand for, shape (rows, cols)."""
        out: FloatArray = self.values * self.scale
        return out


def quantize(
    weights: FloatArray, bits: int, *, top: int | None = None, ternary: TernaryRule = "twn"
) -> QuantizedWeights:
    """Symmetric quantization, one scale per column, by `quantize_columns`.

    weights: shape (rows, cols). top: largest integer, 2^(bits-1) - 1 by default; less where a mapping holds less.
    ternary: the rule of 2 bits.

    Raises:
        InputError: bits not one of 8, 6, 4, 2; weights not a finite matrix; an unknown rule.
    """
    if bits not in BITS:
        raise InputError(f"{bits} bits per weight is not supported", where="weights.bits", hint="choose 8, 6, 4 or 2")
    w = np.asarray(weights, dtype=np.float64)
    if w.ndim != 2 or not np.isfinite(w).all():
        raise InputError(f"weights of shape {w.shape} are not a finite matrix")
    values, scale = quantize_columns(w, 2 ** (bits - 1) - 1 if top is None else top, ternary=ternary)
    return QuantizedWeights(values, scale, bits)


def quantize_columns(
    weights: NDArray[Real], top: int, *, fraction: float | None = None, ternary: TernaryRule = "twn"
) -> tuple[IntArray, NDArray[Real]]:
    """Integers within +-top, shape of `weights`, and a scale per column in their precision: q = round(w / s).

    s = max|w| / top, or with `fraction` that part of it, what is beyond being cut. Without a fraction, top 1 makes
    ternary weights by the rule `ternary`: `twn` is 0 below .7 mean|w| and s the mean of the |w| that are kept (Li, Liu
    2016, Ternary Weight Networks), so that a matrix that is ternary already keeps its digits and scale; `bitnet` is
    round(w / s) with s = mean|w| (Ma et al. 2024, b1.58). A column of zeros has scale 1. Halves round to even.

    Raises:
        InputError: an unknown rule.
    """
    if ternary not in TERNARY_RULES:
        raise InputError(f"ternary rule {shortened(repr(ternary))} is not known", hint=" or ".join(TERNARY_RULES))
    magnitude = np.abs(weights)
    if not len(weights):
        return np.zeros(weights.shape, np.int16), np.ones(weights.shape[1], weights.dtype)
    if top == 1 and fraction is None:
        mean = magnitude.mean(axis=0)
        if ternary == "twn":
            kept = magnitude > weights.dtype.type(TWN_THRESHOLD) * mean
            # in double precision the mean of equal numbers is the number: ternary weights keep their scale
            total, count = np.where(kept, magnitude, 0).sum(axis=0, dtype=np.float64), kept.sum(axis=0)
            scale = np.where(count > 0, total / np.maximum(count, 1), 1)
            return np.where(kept, np.sign(weights), 0).astype(np.int16), scale.astype(weights.dtype)
        scale = mean
    else:
        scale = magnitude.max(axis=0) * weights.dtype.type((1.0 if fraction is None else fraction) / top)
    scale = np.where(scale > 0, scale, 1).astype(weights.dtype)
    return np.clip(np.rint(weights / scale), -top, top).astype(np.int16), scale


def integer_weights(weights: FloatArray, bits: int) -> QuantizedWeights:
    """Weights that are integers of `bits` bits already, as they are; every scale is 1.

    Raises:
        InputError: 2 to 15 bits are possible; a weight that is no integer or does not fit -2^(bits-1) to
            2^(bits-1) - 1 (a mapping may allow less).
    """
    if not 2 <= bits <= 15:
        raise InputError(f"{bits} bits per weight is not supported", where="weights.bits", hint="2 to 15")
    w = np.asarray(weights, dtype=np.float64)
    if w.ndim != 2:
        raise InputError(f"weights of shape {w.shape} are not a matrix")
    half = 2 ** (bits - 1)
    for bad, why in (
        (w != np.rint(w), "is no integer"),
        ((w < -half) | (w > half - 1), f"does not fit {bits} bits ({-half} to {half - 1})"),
    ):
        if bad.any():
            row, column = (int(i) for i in np.argwhere(bad)[0])
            raise InputError(f"the weight {w[row, column]:g} at [{row}, {column}] {why}")
    return QuantizedWeights(w.astype(np.int16), np.ones(w.shape[1]), bits)
