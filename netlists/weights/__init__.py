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
    load_ternary,
    load_weights,
    tensor_file,
    tensor_names,
    tensor_shapes,
    ternary_names,
)
from netlists.weights.quantization import (
    BITS,
    TERNARY_RULES,
    QuantizedWeights,
    TernaryRule,
    integer_weights,
    quantize,
    quantize_columns,
)

__all__ = [
    "BITS",
    "SUFFIXES",
    "TERNARY_RULES",
    "BlockWeights",
    "Checkpoint",
    "GgufFile",
    "QuantizedWeights",
    "TernaryRule",
    "Words",
    "integer_weights",
    "load_blocks",
    "load_layer",
    "load_tensor",
    "load_ternary",
    "load_weights",
    "quantize",
    "quantize_columns",
    "tensor_file",
    "tensor_names",
    "tensor_shapes",
    "ternary_names",
]
