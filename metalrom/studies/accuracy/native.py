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
from metalrom.macro import EFFECTS, Macro, StoredBlocks
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

    def store(self, layer: LinearLayer) -> list[BlockWeights | Float32]:
        """Of every plane the integers and scales of whole columns, or the dequantized weights of the layer."""
        planes = native_planes_of(layer)
        if any(len(plane.scale) > 1 or plane.offset.any() for plane in planes):
            return [layer.weight]  # the sum of its planes
        return list(planes)

    def multiply(self, x: IntArray, stored: list[BlockWeights | Float32]) -> NDArray[Any]:
        """x @ the sum of what is stored."""
        return np.asarray(sum(self._product(x, part) for part in stored))

    def _product(self, x: IntArray, part: BlockWeights | Float32) -> NDArray[Any]:
        if isinstance(part, BlockWeights):
            product = ExactProduct().multiply(x, part.integers.astype(np.int16))
            return np.asarray(product.astype(np.float64) * part.scale)
        y: NDArray[Any] = x.astype(np.float32) @ part
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
        self._layers = len(layers)
        planes = [plane for layer in layers for plane in native_planes_of(layer)]
        for name, size, inputs in {(b.type, b.block_size, b.shape[0]) for b in planes}:
            if name not in self._macros:
                mapping, bits = (SIGNED if signed else STORED)[name]
                self._macros[name] = chip.macro(
                    weight_bits=bits, input_bits=input_bits, mapping=mapping, seed=seed, effects=effects, **options
                )
            column = np.zeros((inputs, 1), np.int64)  # refuses before minutes pass
            self._macros[name].store_blocks(column, np.ones((inputs // size, 1)), block=size)

    def conversions_per_weight(self, layer: LinearLayer) -> int:
        """Conversions of a weight of the layer, per group of rows."""
        return sum(self._macros[plane.type].partial_products for plane in native_planes_of(layer))

    def store(self, layer: LinearLayer) -> Any:
        """Program a layer's integers, plane by plane; its index decides their frozen deviations."""
        return [
            (macro, self._program(macro, plane, layer.index + number * self._layers))
            for number, plane in enumerate(native_planes_of(layer))
            for macro in (self._macros[plane.type],)
        ]

    def multiply(self, x: IntArray, stored: Any) -> NDArray[Any]:
        """What the macro returns. Formats share one numbering of the noise draws: no draw is used twice."""
        found = []
        for macro, blocks in stored:
            found.append(self.count(macro.run(x, blocks, call=self._calls)))
            self._calls += 1
        return np.asarray(sum(found))

    def _program(self, macro: Macro, plane: BlockWeights, layer: int) -> StoredBlocks:
        offset = plane.offset if plane.offset.any() else None
        return macro.store_blocks(plane.integers, plane.scale, offset, block=plane.block_size, layer=layer)


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


def native_planes_of(layer: LinearLayer) -> tuple[BlockWeights, ...]:
    """The layer's own blocks, of every plane, as whole columns where they share a scale.

    Raises InputError for a layer without.
    """
    if layer.blocks is None:
        raise InputError(f"layer {layer.name} has no native blocks", hint="load the network with blocks=True")
    return tuple(plane.whole_columns() for plane in (layer.blocks, *layer.further))


def formats(layers: Sequence[LinearLayer]) -> dict[str, int]:
    """Number of stored matrices by block format."""
    return dict(Counter(plane.type for layer in layers for plane in native_planes_of(layer)))
