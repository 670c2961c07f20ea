"""Linear layers in integers: per-token activations times per-column weights, by an exact product or by a macro."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from interconnect.arrays import FloatArray, IntArray
from interconnect.errors import InputError
from metalrom.studies.accuracy.spent import Spent
from metalrom.workloads.activations import quantize_activations
from metalrom.workloads.networks.linear import Float32, LinearLayer
from netlists.mapping import Scheme
from netlists.weights import TernaryRule, quantize_columns

MAX_BITS = 8
MIN_BITS = 2
FRACTIONS = tuple(1 - 0.04 * i for i in range(1, 16))
"""Parts of the largest weight that a fitted scale may hold: 0.96 down to 0.4."""

_EXACT_SINGLE = 2**24
"""Integers below it are exact in single precision."""


class Product(Protocol):
    """What multiplies integers: stores a matrix once, then multiplies activations with it."""

    def store(self, w: NDArray[np.int16], index: int) -> Any:
        """Keep integer weights (inputs, outputs) of the layer at place `index`."""
        ...

    def multiply(self, x: IntArray, stored: Any) -> NDArray[Any]:
        """x (tokens, inputs) times the stored weights: integers, shape (tokens, outputs)."""
        ...


class ExactProduct:
    """The integer product itself, computed by a floating-point GEMM that is wide enough to be exact."""

    def store(self, w: NDArray[np.int16], index: int) -> NDArray[np.int16]:
        """The weights as they are."""
        return w

    def multiply(self, x: IntArray, stored: NDArray[np.int16]) -> NDArray[Any]:
        """x @ stored, exactly."""
        bound = int(np.abs(x).max()) * int(np.abs(stored).max()) * stored.shape[0]
        kind = np.float32 if bound < _EXACT_SINGLE else np.float64
        y: NDArray[Any] = x.astype(kind) @ stored.astype(kind)
        return y


class QuantizedOperator:
    """Applies linear layers in integers; scales, offsets and bias are applied digitally in float.

    weights, activations: the two quantizers. Weights are quantized and stored on their first use, which took
    `storing` so far.
    """

    def __init__(self, product: Product, weights: WeightRule, activations: ActivationRule) -> None:
        self._product, self._weights, self._activations = product, weights, activations
        self._stored: dict[int, tuple[Any, Float32, Float32]] = {}
        self.storing = Spent()

    def __call__(self, layer: LinearLayer, x: Float32) -> Float32:
        if layer.index not in self._stored:
            with self.storing:
                values, scale = self._weights(layer.weight)
                sums = values.sum(axis=0, dtype=np.int64).astype(np.float32) * scale
                self._stored[layer.index] = self._product.store(values, layer.index), scale, sums
        stored, scale, sums = self._stored[layer.index]
        integers, token_scale, offset = self._activations(x)
        y: Float32 = (self._product.multiply(integers, stored) * token_scale * scale + offset * sums).astype(np.float32)
        return y if layer.bias is None else y + layer.bias


@dataclass(frozen=True)
class WeightRule:
    """Symmetric integers of `bits` (sign and magnitude), one scale per output column.

    fitted: the scale with the least squared error is searched below the one that just holds the largest weight, which
    then clips; costs nothing in the macro, but harms networks that live on few large weights. largest: integer; that of
    the word by default. ternary: the rule where it is 1, see `netlists.weights.quantize_columns`.
    Raises InputError for bits outside 2..8.
    """

    bits: int
    fitted: bool = False
    largest: int | None = None
    ternary: TernaryRule = "twn"

    def __post_init__(self) -> None:
        _check("weight", self.bits)

    @property
    def top(self) -> int:
        """The largest integer."""
        return 2 ** (self.bits - 1) - 1 if self.largest is None else self.largest

    def within(self, scheme: Scheme) -> WeightRule:
        """The rule with the range that a mapping holds."""
        return replace(self, largest=scheme.largest)

    def __call__(self, weight: Float32) -> tuple[NDArray[np.int16], Float32]:
        """Integers, shape as `weight`, and scales (outputs,)."""
        values, scale = quantize_columns(weight, self.top, ternary=self.ternary)
        if not self.fitted:
            return values, scale
        least = _squares(weight, values, scale)
        for fraction in FRACTIONS:
            tried, step = quantize_columns(weight, self.top, fraction=fraction)
            squares = _squares(weight, tried, step)
            better = squares < least
            values[:, better], scale[better], least[better] = tried[:, better], step[better], squares[better]
        return values, scale


@dataclass(frozen=True)
class ActivationRule:
    """Integers of `bits` (two's complement), one scale per token, as a digital circuit before the macro would do.

    shifted: the whole range serves the span from least to largest value; the shift times each column's sum, known when
    the weights are stored, is added digitally. Otherwise symmetric. Raises InputError for bits outside 2..8.
    """

    bits: int
    shifted: bool = False

    def __post_init__(self) -> None:
        _check("activation", self.bits)

    def __call__(self, x: Float32) -> tuple[IntArray, FloatArray, FloatArray]:
        """q, scale and offset with x = q scale + offset: shapes as `x`, (tokens, 1), (tokens, 1)."""
        exact = x.astype(np.float64)
        if not self.shifted:
            integers, scale = quantize_activations(exact, self.bits)
            return integers, scale, np.zeros_like(scale)
        low = exact.min(axis=1, keepdims=True)
        scale = (exact.max(axis=1, keepdims=True) - low) / (2**self.bits - 1)
        scale[scale == 0] = 1.0
        half = 2 ** (self.bits - 1)
        return np.rint((exact - low) / scale).astype(np.int64) - half, scale, low + half * scale


def _squares(weight: Float32, values: NDArray[np.int16], scale: Float32) -> Float32:
    """Squared error of every column."""
    error = values * scale - weight
    out: Float32 = np.einsum("ij,ij->j", error, error)
    return out


def _check(what: str, bits: int) -> None:
    if not MIN_BITS <= bits <= MAX_BITS:
        raise InputError(f"{what} bits are {bits}, expected {MIN_BITS} to {MAX_BITS}")
