"""Tensors of GGUF files (versions 2 and 3): plain floats, and the block formats Q4_0, Q4_1 and Q8_0.

Own reader: only the header is walked (in C-sized steps where it can be), every length is checked against the file
before it is used, and a file cut off anywhere is told so.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from interconnect.arrays import ByteArray
from interconnect.errors import InputError
from netlists.weights.blocks import BlockWeights
from netlists.weights.reading import pick

BLOCK = 32
"""Weights per block of every block format offered."""

_PLAIN = {0: "<f4", 1: "<f2", 24: "<i1", 25: "<i2", 26: "<i4", 27: "<i8", 28: "<f8", 30: "<u2"}
_BFLOAT16 = 30
_BLOCKS = {2: ("Q4_0", 18), 3: ("Q4_1", 20), 8: ("Q8_0", 34)}
"""Name and bytes per block."""

_SIZES = dict(_BLOCKS.values())

_OTHER = {6: "Q5_0", 7: "Q5_1", 9: "Q8_1", 10: "Q2_K", 11: "Q3_K", 12: "Q4_K", 13: "Q5_K", 14: "Q6_K", 15: "Q8_K"}
_SCALARS = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_STRING, _ARRAY, _UINT32 = 8, 9, 4
_MAX_DIMENSIONS = 4


@dataclass(frozen=True, slots=True)
class _Tensor:
    """A tensor's shape as stored (outputs, inputs), type number and place in the file."""

    shape: tuple[int, ...]
    type: int
    start: int
    size: int


def gguf_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Shape of every tensor in the file's order, from the header alone. InputError: not a whole GGUF file."""
    return {name: t.shape for name, t in _header(path).items()}


def read_gguf_weights(path: Path, name: str | None) -> tuple[NDArray[Any], str]:
    """(a tensor as numbers, what to call it in a sentence); blocks are dequantized.

    Raises:
        InputError: not a whole GGUF file, missing tensor, or a type that is not offered.
    """
    tensors = _header(path)
    name = pick(name, list(tensors), str(path))
    tensor, label = tensors[name], f"tensor {name}"
    if tensor.type in _BLOCKS:
        blocks = _blocks(path, tensor)
        return np.ascontiguousarray(blocks.dequantized().T).reshape(tensor.shape), label
    _refuse(path, label, tensor, known=_PLAIN)
    if not math.prod(tensor.shape):  # also (0, 2^60), which no array can be
        raise InputError(f"{label} has shape {tensor.shape}: it holds no numbers", where=str(path))
    values = np.frombuffer(_bytes(path, tensor), dtype=_PLAIN[tensor.type]).reshape(tensor.shape)
    # numpy has no bfloat16: it is the upper half of a float32.
    return ((values.astype("<u4") << 16).view("<f4") if tensor.type == _BFLOAT16 else values), label


def read_blocks(path: str | Path, name: str | None = None) -> BlockWeights:
    """A matrix of a block format as its own integers, shape (inputs, outputs).

    Raises:
        InputError: no such file, not a whole GGUF file, missing tensor, no matrix, or not Q4_0, Q4_1 or Q8_0.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError("there is no such weight file", where=str(path))
    tensors = _header(path)
    name = pick(name, list(tensors), str(path))
    tensor = tensors[name]
    _refuse(path, f"tensor {name}", tensor, known=_BLOCKS)
    if len(tensor.shape) != 2:
        raise InputError(f"tensor {name} has shape {tensor.shape}, expected a matrix", where=str(path))
    return _blocks(path, tensor)


def decode_blocks(name: str, raw: ByteArray, outputs: int) -> BlockWeights:
    """A matrix of the format `name` (Q4_0, Q4_1 or Q8_0) from its bytes `raw`, shape (inputs, outputs).

    Blocks run along the last stored axis, the inputs. Half-precision scale, then (Q4_1) offset, then integers; 4-bit
    ones hold the block's first half in the low nibbles.
    """
    raw = raw.reshape(outputs, -1, _SIZES[name])
    head = 4 if name == "Q4_1" else 2
    halves = np.ascontiguousarray(raw[:, :, :head]).view("<f2").astype(np.float32)
    scale = halves[:, :, 0]
    offset = halves[:, :, 1] if name == "Q4_1" else np.zeros_like(scale)
    data = np.ascontiguousarray(raw[:, :, head:])
    if name == "Q8_0":
        integers, bits = data.view(np.int8), 8
    else:
        nibbles = np.concatenate([data & 15, data >> 4], axis=2).astype(np.int8)
        integers, bits = nibbles - np.int8(8 if name == "Q4_0" else 0), 4
    return BlockWeights(
        type=name,
        bits=bits,
        integers=np.ascontiguousarray(integers.reshape(outputs, -1).T),
        scale=np.ascontiguousarray(scale.T),
        offset=np.ascontiguousarray(offset.T),
        block_size=BLOCK,
    )


def _refuse(path: Path, label: str, tensor: _Tensor, *, known: Any) -> None:
    if tensor.type in known:
        return
    names = _OTHER | {n: name for n, (name, _) in _BLOCKS.items()} | {0: "F32", 1: "F16", 30: "BF16"}
    offered = "Q4_0, Q4_1 and Q8_0" if known is _BLOCKS else "plain numbers, Q4_0, Q4_1 and Q8_0"
    raise InputError(
        f"{label} has the type {names.get(tensor.type, f'number {tensor.type}')}",
        where=str(path),
        hint=f"read are {offered}",
    )


def _bytes(path: Path, tensor: _Tensor) -> bytes:
    with path.open("rb") as file:
        file.seek(tensor.start)
        return file.read(tensor.size)


def _blocks(path: Path, tensor: _Tensor) -> BlockWeights:
    name, _ = _BLOCKS[tensor.type]
    return decode_blocks(name, np.frombuffer(_bytes(path, tensor), np.uint8), math.prod(tensor.shape[:-1]))


class _Cursor:
    """Reads a header forward; every read is checked against the end of the file."""

    def __init__(self, file: IO[bytes], path: Path, size: int) -> None:
        self.file, self.path, self.left = file, path, size

    def take(self, n: int) -> bytes:
        self._need(n)
        return self.file.read(n)

    def skip(self, n: int) -> None:
        self._need(n)
        self.file.seek(n, 1)

    def number(self, n: int) -> int:
        return int.from_bytes(self.take(n), "little")

    def text(self) -> bytes:
        return self.take(self.number(8))

    def _need(self, n: int) -> None:
        if n > self.left:
            raise InputError("is truncated or not a GGUF file (its header goes on past its end)", where=str(self.path))
        self.left -= n


def _header(path: Path) -> dict[str, _Tensor]:
    size = path.stat().st_size
    with path.open("rb", buffering=1 << 20) as file:
        cursor = _Cursor(file, path, size)
        if cursor.take(4) != b"GGUF":
            raise InputError("is not a GGUF file", where=str(path))
        version = cursor.number(4)
        if version not in (2, 3):
            raise InputError(f"is GGUF of version {version}", where=str(path), hint="versions 2 and 3 are read")
        tensors, entries = cursor.number(8), cursor.number(8)
        alignment = 32
        for _ in range(entries):
            key, kind = cursor.text(), cursor.number(4)
            if key == b"general.alignment" and kind == _UINT32:
                alignment = cursor.number(4)
            else:
                _skip_value(cursor, kind, depth=0)
        if alignment < 1:
            raise InputError("is not a GGUF file (its alignment is 0)", where=str(path))
        infos = [_tensor_info(cursor) for _ in range(tensors)]
    data = -(-(size - cursor.left) // alignment) * alignment
    out: dict[str, _Tensor] = {}
    for name, shape, kind, offset in infos:
        if name in out:
            raise InputError(f"holds the tensor {name!r} twice", where=str(path))
        out[name] = _Tensor(shape, kind, data + offset, _size(path, name, shape, kind))
        if out[name].start + out[name].size > size:
            raise InputError(
                f"is truncated: tensor {name} ends at byte {out[name].start + out[name].size}, the file has {size}",
                where=str(path),
            )
    return out


def _tensor_info(cursor: _Cursor) -> tuple[str, tuple[int, ...], int, int]:
    name = cursor.text().decode("utf-8", "replace")
    dimensions = cursor.number(4)
    if not 1 <= dimensions <= _MAX_DIMENSIONS:
        raise InputError(f"tensor {name!r} has {dimensions} dimensions", where=str(cursor.path))
    stored = struct.unpack(f"<{dimensions}Q", cursor.take(8 * dimensions))
    return name, tuple(reversed(stored)), cursor.number(4), cursor.number(8)


def _size(path: Path, name: str, shape: tuple[int, ...], kind: int) -> int:
    """Bytes of a tensor; 0 for a type that is not read."""
    if kind in _PLAIN:
        return math.prod(shape) * np.dtype(_PLAIN[kind]).itemsize
    if kind not in _BLOCKS:
        return 0
    if shape[-1] % BLOCK:
        raise InputError(f"tensor {name}: {shape[-1]} inputs do not make blocks of {BLOCK}", where=str(path))
    return math.prod(shape) // BLOCK * _BLOCKS[kind][1]


def _skip_value(cursor: _Cursor, kind: int, depth: int) -> None:
    if kind in _SCALARS:
        cursor.skip(_SCALARS[kind])
    elif kind == _STRING:
        cursor.skip(cursor.number(8))
    elif kind == _ARRAY and depth < 4:
        inner, count = cursor.number(4), cursor.number(8)
        if inner in _SCALARS:
            cursor.skip(count * _SCALARS[inner])
        else:
            for _ in range(count):
                _skip_value(cursor, inner, depth + 1)
    else:
        raise InputError(f"is not a GGUF file (a value of type {kind})", where=str(cursor.path))
