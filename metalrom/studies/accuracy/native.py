"""Linear layers as a checkpoint's own blocks of integers: no second quantization of the weights.

Every block of rows and column has a digital scale and offset; the macro multiplies the integers.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from interconnect.arrays import IntArray
from interconnect.errors import InputError
from metalrom.macro import EFFECTS, Macro
from metalrom.studies.accuracy.chips import Chip
from metalrom.studies.accuracy.macro_product import DROP_TARGET, SIGNED_VALUES, Counted, checked_options, reads_signs
from metalrom.studies.accuracy.quantized import ActivationRule, ExactProduct
from metalrom.studies.accuracy.spent import Spent
from metalrom.workloads.networks.linear import Float32, LinearLayer
from netlists.weights import BlockWeights

_TERNARY = dict.fromkeys(("TQ1_0", "TQ2_0", "bitnet"), ("differential", 2))

STORED = {"Q4_0": ("twos_complement", 4), "Q4_1": ("unsigned", 4), "Q8_0": ("differential", 8), **_TERNARY}
"""Mapping and bits with which the macro holds the integers of a block format: -8..7, 0..15, -127..127, -1..1."""

SIGNED = {"Q4_0": ("differential", 5), "Q4_1": ("differential", 5), "Q8_0": ("differential", 8), **_TERNARY}
"""The same where a conversion counts -1 as well as 1: digits with a sign, as many conversions."""


@dataclass(frozen=True)
class NativeBlocks:
    """In place of a `WeightRule`: the layers' own integers, scales and offsets (`LinearLayer.blocks`)."""

    kind: Literal["native blocks"] = "native blocks"


class BlockProduct(Protocol):
    """What multiplies with a layer's blocks."""

    def store(self, layer: LinearLayer) -> Any:
        """Keep the layer's blocks."""
        ...

    def multiply(self, x: IntArray, stored: Any) -> NDArray[Any]:
        """x (tokens, inputs) times the stored weights in their real units, shape (tokens, outputs)."""
        ...


class ExactBlocks:
    """What an ideal macro with digital scales returns, by one GEMM.

    Of columns with one scale it is the integer product times the scale, exactly; of others the sum of x (scale q +
    offset), integers times dequantized weights, but for the rounding of single precision.
    """

    def store(self, layer: LinearLayer) -> BlockWeights | Float32:
        """The integers and scales of whole columns, or the dequantized weights, which the layer has already."""
        blocks = native_blocks_of(layer)
        return layer.weight if len(blocks.scale) > 1 or blocks.offset.any() else blocks

    def multiply(self, x: IntArray, stored: BlockWeights | Float32) -> NDArray[Any]:
        """x @ stored."""
        if isinstance(stored, BlockWeights):
            product = ExactProduct().multiply(x, stored.integers.astype(np.int16))
            return np.asarray(product.astype(np.float64) * stored.scale)
        y: NDArray[Any] = x.astype(np.float32) @ stored
        return y


class MacroBlocks(Counted):
    """Multiplies blocks through a chip: a `Macro` per block format, one place per layer.

    Raises InputError if the rows of a conversion do not divide a block that is less than a column, or for options that
    the macro does not have or that the blocks decide (`mapping`).
    """

    def __init__(
        self,
        chip: Chip,
        layers: Sequence[LinearLayer],
        *,
        input_bits: int,
        seed: int = 0,
        effects: Collection[str] = EFFECTS,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        options = checked_options(options)
        if DROP_TARGET in options:
            raise InputError("native blocks drop by `drop_below` alone", where="--option", hint="drop_below=4")
        if "mapping" in options:
            raise InputError("the mapping follows from the block format", where="--option", hint="leave it out")
        self._calls = 0
        self._macros: dict[str, Macro] = {}
        signed = reads_signs(chip.table)
        if signed:
            options.setdefault("symbol_values", SIGNED_VALUES)
        for name, size, inputs in {(b.type, b.block_size, b.shape[0]) for b in map(native_blocks_of, layers)}:
            if name not in self._macros:
                mapping, bits = (SIGNED if signed else STORED)[name]
                self._macros[name] = chip.macro(
                    weight_bits=bits, input_bits=input_bits, mapping=mapping, seed=seed, effects=effects, **options
                )
            column = np.zeros((inputs, 1), np.int64)  # refuses before minutes pass
            self._macros[name].store_blocks(column, np.ones((inputs // size, 1)), block=size)

    def conversions_per_weight(self, layer: LinearLayer) -> int:
        """Conversions of a weight of the layer, per group of rows."""
        return self._macros[native_blocks_of(layer).type].partial_products

    def store(self, layer: LinearLayer) -> Any:
        """Program a layer's integers; its index decides its frozen deviations."""
        b = native_blocks_of(layer)
        macro = self._macros[b.type]
        offset = b.offset if b.offset.any() else None
        return macro, macro.store_blocks(b.integers, b.scale, offset, block=b.block_size, layer=layer.index)

    def multiply(self, x: IntArray, stored: Any) -> NDArray[Any]:
        """What the macro returns. Formats share one numbering of the noise draws: no draw is used twice."""
        macro, blocks = stored
        self._calls += 1
        return self.count(macro.run(x, blocks, call=self._calls - 1))


class BlockOperator:
    """Applies linear layers as blocks of integers; scales, offsets and bias are applied digitally in float.

    Weights are stored on their first use, which took `storing` so far.
    """

    def __init__(self, product: BlockProduct, activations: ActivationRule) -> None:
        self._product, self._activations = product, activations
        self._stored: dict[int, tuple[Any, Float32]] = {}
        self.storing = Spent()

    def __call__(self, layer: LinearLayer, x: Float32) -> Float32:
        if layer.index not in self._stored:
            with self.storing:
                self._stored[layer.index] = self._product.store(layer), layer.weight.sum(axis=0)
        stored, sums = self._stored[layer.index]
        integers, token_scale, shift = self._activations(x)
        y: Float32 = (self._product.multiply(integers, stored) * token_scale + shift * sums).astype(np.float32)
        return y if layer.bias is None else y + layer.bias


def native_blocks_of(layer: LinearLayer) -> BlockWeights:
    """The layer's own blocks, whole columns where they share a scale. Raises InputError for a layer without."""
    if layer.blocks is None:
        raise InputError(f"layer {layer.name} has no native blocks", hint="load the network with blocks=True")
    return layer.blocks.whole_columns()


def formats(layers: Sequence[LinearLayer]) -> dict[str, int]:
    """Number of layers by block format."""
    return dict(Counter(native_blocks_of(layer).type for layer in layers))
