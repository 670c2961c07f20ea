"""Weight tensors from files, one reader per format, and their quantization to integers."""

from netlists.weights.blocks import BlockWeights
from netlists.weights.checkpoint import Checkpoint
from netlists.weights.gguf_file import GgufFile
from netlists.weights.hex_file import Words
from netlists.weights.loading import (
    SUFFIXES,
    load_blocks,
    load_layer,
    load_tensor,
    load_weights,
    tensor_file,
    tensor_names,
    tensor_shapes,
)
from netlists.weights.quantization import BITS, QuantizedWeights, integer_weights, quantize

__all__ = [
    "BITS",
    "SUFFIXES",
    "BlockWeights",
    "Checkpoint",
    "GgufFile",
    "QuantizedWeights",
    "Words",
    "integer_weights",
    "load_blocks",
    "load_layer",
    "load_tensor",
    "load_weights",
    "quantize",
    "tensor_file",
    "tensor_names",
    "tensor_shapes",
]
