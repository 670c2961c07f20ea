"""Real weights as integers, and the value of one step."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from interconnect.arrays import FloatArray
from interconnect.errors import InputError

IntArray = NDArray[np.int16]

BITS = (8, 6, 4, 2)


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


def quantize(weights: FloatArray, bits: int, *, top: int | None = None) -> QuantizedWeights:
    """Symmetric quantization, one scale per column: q = round(w / s), s = max|w| / top.

    top: largest integer, 2^(bits-1) - 1 by default; less where a mapping holds less.

    2 bits are ternary weights: s = mean|w| of the column, q cut to -1, 0, 1 (the rule of BitNet b1.58). weights: shape
    (rows, cols). A column of zeros keeps scale 1. Halves round to even.

    Raises:
        InputError: bits not one of 8, 6, 4, 2; weights not a finite matrix.
    """
    if bits not in BITS:
        raise InputError(f"{bits} bits per weight is not supported", where="weights.bits", hint="choose 8, 6, 4 or 2")
    w = np.asarray(weights, dtype=np.float64)
    if w.ndim != 2 or not np.isfinite(w).all():
        raise InputError(f"weights of shape {w.shape} are not a finite matrix")
    top = 2 ** (bits - 1) - 1 if top is None else top
    scale = np.abs(w).mean(axis=0) if top == 1 and len(w) else np.abs(w).max(axis=0, initial=0.0) / top
    scale = np.where(scale > 0, scale, 1.0)
    values = np.clip(np.rint(w / scale), -top, top).astype(np.int16)
    return QuantizedWeights(values, scale, bits)


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
