"""A linear layer of a network, and the one hook through which every product with stored weights passes."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from metalrom.workloads.activations import quantize_activations
from netlists.weights import BlockWeights

Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class LinearLayer:
    """y = x @ weight + bias. weight: shape (inputs, outputs); bias: (outputs,) or None. index: place in the network.

    blocks: the integers, scales and offsets that a file holds the same weights as, if it does and they were asked for;
    further: of more planes, whose products are added.
    """

    name: str
    index: int
    weight: Float32
    bias: Float32 | None = None
    blocks: BlockWeights | None = None
    further: tuple[BlockWeights, ...] = ()

    @property
    def inputs(self) -> int:
        """Rows of the stored matrix."""
        return int(self.weight.shape[0])

    @property
    def outputs(self) -> int:
        """Columns of the stored matrix."""
        return int(self.weight.shape[1])


Operator = Callable[[LinearLayer, Float32], Float32]
"""How a layer is applied to x (tokens, inputs): returns (tokens, outputs), bias included."""


def float_operator(layer: LinearLayer, x: Float32) -> Float32:
    """The layer as trained, in single precision."""
    y = x @ layer.weight
    return y if layer.bias is None else y + layer.bias


def rounded_operator(bits: int) -> Operator:
    """The layer as trained on activations that are rounded per token to `bits` bits, as a BitNet is trained (8 bits).

    The step is max|x| / 127 for 8 bits (Ma et al. 2024, The Era of 1-bit LLMs).
    """

    def apply(layer: LinearLayer, x: Float32) -> Float32:
        integers, scale = quantize_activations(x.astype(np.float64), bits)
        return float_operator(layer, (integers * scale).astype(np.float32))

    return apply
