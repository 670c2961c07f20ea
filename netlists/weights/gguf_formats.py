"""Formats of the tensors of a GGUF file: their sizes, and how their bytes become numbers or integers.

Sizes and layouts: github.com/ggml-org/ggml, ggml-common.h. In a block format 32 to 256 values share a scale or
several. Decoded here, as integers with one scale d and offset m per block: Q8_0 holds int8 with w = d q, Q4_0 nibbles
with w = d (q - 8), Q4_1 nibbles with w = d q + m (a byte has value j in its low and value j + 16 in its high half),
TQ2_0 and TQ1_0 ternary digits with w = d (q - 1). Everything else is dequantized by the package gguf.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from interconnect.arrays import ByteArray
from interconnect.errors import InputError
from interconnect.optional import optional_library

PLAIN = {0: "<f4", 1: "<f2", 24: "<i1", 25: "<i2", 26: "<i4", 27: "<i8", 28: "<f8", 30: "<u2"}
BFLOAT16 = 30

BLOCKS = {
    **{2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 9: (32, 40), 20: (32, 18), 39: (32, 17)},
    **{10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 15: (256, 292)},
    **{16: (256, 66), 17: (256, 74), 18: (256, 98), 19: (256, 50), 21: (256, 110), 22: (256, 82), 23: (256, 136)},
    **{29: (256, 56), 34: (256, 54), 35: (256, 66), 40: (64, 36)},
}
"""Values and bytes of a block, by the number of the format."""

NAMES = {
    **{0: "F32", 1: "F16", 24: "I8", 25: "I16", 26: "I32", 27: "I64", 28: "F64", 30: "BF16"},
    **{2: "Q4_0", 3: "Q4_1", 6: "Q5_0", 7: "Q5_1", 8: "Q8_0", 9: "Q8_1"},
    **{10: "Q2_K", 11: "Q3_K", 12: "Q4_K", 13: "Q5_K", 14: "Q6_K", 15: "Q8_K"},
    **{16: "IQ2_XXS", 17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S", 20: "IQ4_NL", 21: "IQ3_S", 22: "IQ2_S", 23: "IQ4_XS"},
    **{29: "IQ1_M", 34: "TQ1_0", 35: "TQ2_0", 36: "I2_S", 39: "MXFP4", 40: "NVFP4"},
}
"""What a format is called, by its number; 36 is bitnet.cpp's own."""

INTEGER_BLOCKS = {2: 4, 3: 4, 8: 8, 34: 2, 35: 2}
"""Bits of an integer of the formats that have one scale and offset per block."""

_NOT_STORED = (9, 15)
"""Formats of intermediate results: ggml writes no weights in them."""

_UNKNOWN_ORDER = {36: "the order of its values depends on the build of bitnet.cpp that wrote it and is not in the file"}


def unpack(kind: int, raw: ByteArray, where: str) -> tuple[NDArray[np.int8], NDArray[np.float32], NDArray[np.float32]]:
    """(integers of shape (blocks, values), scales and offsets of shape (blocks,)) of a format of `INTEGER_BLOCKS`.

    Raises InputError for the code 3 of TQ2_0, which is no ternary digit.
    """
    values, size = BLOCKS[kind]
    raw = raw.reshape(-1, size)
    if kind in (34, 35):
        scale = np.ascontiguousarray(raw[:, -2:]).view("<f2").astype(np.float32)[:, 0]
        digits = _base_three(raw) if kind == 34 else _pairs(raw[:, :64], where)
        return digits.astype(np.int8) - np.int8(1), scale, np.zeros_like(scale)
    head = size - (values if kind == 8 else values // 2)
    halves = np.ascontiguousarray(raw[:, :head]).view("<f2").astype(np.float32)
    data = np.ascontiguousarray(raw[:, head:])
    if kind == 8:
        integers = data.view(np.int8)
    else:
        nibbles = np.concatenate([data & 15, data >> 4], axis=1).astype(np.int8)
        integers = nibbles - np.int8(8 if kind == 2 else 0)
    scale = halves[:, 0]
    return integers, scale, halves[:, 1] if kind == 3 else np.zeros_like(scale)


def dequantize(kind: int, raw: ByteArray, where: str) -> NDArray[np.float32]:
    """Values of the blocks in `raw`, in their order.

    Raises InputError for a format that is not read; MissingLibrary where it takes the package gguf, which is not here.
    """
    if kind in INTEGER_BLOCKS:
        integers, scale, offset = unpack(kind, raw, where)
        with np.errstate(all="ignore"):  # infinite scales are found by their values
            return (integers.astype(np.float32) * scale[:, None] + offset[:, None]).reshape(-1)
    name = format_name(kind)
    if kind in _UNKNOWN_ORDER:
        raise InputError(f"has the type {name}: {_UNKNOWN_ORDER[kind]}", where=where, hint="convert to TQ2_0")
    if kind not in BLOCKS or kind in _NOT_STORED:
        known = ", ".join(NAMES[k] for k in (*PLAIN, *BLOCKS) if k not in _NOT_STORED)
        raise InputError(f"has the type {name}", where=where, hint=f"read are {known}")
    gguf: Any = optional_library("gguf", extra="llm", purpose=f"GGUF tensors of type {name}")
    try:
        with np.errstate(all="ignore"):
            values = gguf.quants.dequantize(raw.reshape(-1, BLOCKS[kind][1]), gguf.GGMLQuantizationType(kind))
    except (ValueError, NotImplementedError, AttributeError):
        hint = "pip install --upgrade gguf"
        raise InputError(f"the package gguf that is installed does not know {name}", where=where, hint=hint) from None
    return np.asarray(values, np.float32).reshape(-1)


def format_name(kind: int) -> str:
    """What a format is called."""
    return NAMES.get(kind, f"number {kind}")


def _pairs(packed: ByteArray, where: str) -> ByteArray:
    """Two bits a value, 32 bytes holding the values n, n + 32, n + 64 and n + 96 of their 128."""
    if (packed & packed >> 1 & 0x55).any():
        raise InputError("holds the code 3, which is no ternary digit", where=where)
    shifts = np.arange(0, 8, 2, dtype=np.uint8)[:, None]
    return (packed.reshape(-1, 2, 1, 32) >> shifts & np.uint8(3)).reshape(len(packed), 256)


def _base_three(raw: ByteArray) -> ByteArray:
    """Five digits a byte, the byte being ceil(256 v / 243) of their number v: 32, 16 and (four digits) 4 bytes."""
    out = []
    for start, width, digits in ((0, 32, 5), (32, 16, 5), (48, 4, 4)):
        powers = (3 ** np.arange(digits)).astype(np.uint8)[:, None]
        moved = raw[:, None, start : start + width] * powers  # modulo 256: the leading digits fall off
        out.append((moved.astype(np.uint16) * 3 >> 8).astype(np.uint8).reshape(len(raw), -1))
    return np.concatenate(out, axis=1)
