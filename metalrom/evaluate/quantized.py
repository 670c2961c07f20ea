"""Linear layers in integers: per-token activations times per-column weights, by an exact product or by a macro."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from interconnect.errors import InputError
from metalrom.activations import quantize_activations
from metalrom.models.linear import Float32, LinearLayer

MOST_BITS = 8
LEAST_BITS = 2
_EXACT_SINGLE = 2**24
"""Integers below it are exact in single precision."""


class Product(Protocol):
    """What multiplies integers: stores a matrix once, then multiplies activations with it."""

    def store(self, w: NDArray[np.int16], index: int) -> Any:
        """Keep integer weights (inputs, outputs) of the layer at place `index`."""
        ...

    def multiply(self, x: NDArray[np.int64], stored: Any) -> NDArray[Any]:
        """x (tokens, inputs) times the stored weights: integers, shape (tokens, outputs)."""
        ...


class ExactProduct:
    """The integer product itself, computed by a floating-point GEMM that is wide enough to be exact."""

    def store(self, w: NDArray[np.int16], index: int) -> NDArray[np.int16]:
        """The weights as they are."""
        return w

    def multiply(self, x: NDArray[np.int64], stored: NDArray[np.int16]) -> NDArray[Any]:
        """x @ stored, exactly."""
        bound = int(np.abs(x).max()) * int(np.abs(stored).max()) * stored.shape[0]
        kind = np.float32 if bound < _EXACT_SINGLE else np.float64
        y: NDArray[Any] = x.astype(kind) @ stored.astype(kind)
        return y


class QuantizedOperator:
    """Applies linear layers in integers; the two scales and the bias are applied digitally in float.

    weight_bits: sign and magnitude, symmetric per output column. activation_bits: symmetric per token (vector), as a
    digital circuit before the macro would do. Weights are quantized and stored on their first use.
    Raises InputError for bits outside 2..8.
    """

    def __init__(self, product: Product, *, weight_bits: int, activation_bits: int) -> None:
        check_bits(weight_bits, activation_bits)
        self._product = product
        self._weight_bits, self._activation_bits = weight_bits, activation_bits
        self._stored: dict[int, tuple[Any, Float32]] = {}

    def __call__(self, layer: LinearLayer, x: Float32) -> Float32:
        if layer.index not in self._stored:
            values, scale = quantize_columns(layer.weight, self._weight_bits)
            self._stored[layer.index] = self._product.store(values, layer.index), scale
        stored, scale = self._stored[layer.index]
        integers, token_scale = quantize_activations(x.astype(np.float64), self._activation_bits)
        y: Float32 = (self._product.multiply(integers, stored) * token_scale * scale).astype(np.float32)
        return y if layer.bias is None else y + layer.bias


def check_bits(weight_bits: int, activation_bits: int) -> None:
    """Raise InputError for widths outside 2..8."""
    for name, bits in (("weight bits", weight_bits), ("activation bits", activation_bits)):
        if not LEAST_BITS <= bits <= MOST_BITS:
            raise InputError(f"{name} are {bits}, expected {LEAST_BITS} to {MOST_BITS}")


def quantize_columns(weight: Float32, bits: int) -> tuple[NDArray[np.int16], Float32]:
    """q = round(w / s), s = max|w| / (2^(bits-1) - 1) of its column: integers as `weight`, scales (outputs,).

    The rule of `netlists.weights.quantize`, for any width and in single precision.
    """
    top = 2 ** (bits - 1) - 1
    scale = np.abs(weight).max(axis=0) / np.float32(top)
    scale = np.where(scale > 0, scale, np.float32(1)).astype(np.float32)
    return np.clip(np.rint(weight / scale), -top, top).astype(np.int16), scale
