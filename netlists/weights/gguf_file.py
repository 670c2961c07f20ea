"""GGUF files (versions 2 and 3, little endian): metadata, tensors as numbers, and the integers of their blocks.

Layout (github.com/ggml-org/ggml, docs/gguf.md): magic, version, number of tensors, number of metadata entries, entries,
tensor descriptions, padding, data. Only the header is walked; every length is checked against the file before it is
used.
"""

from __future__ import annotations

import math
import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from interconnect.arrays import ByteArray
from interconnect.errors import InputError
from interconnect.files import open_regular
from netlists.weights.blocks import BlockWeights
from netlists.weights.gguf_formats import (
    BFLOAT16,
    BLOCKS,
    INTEGER_BLOCKS,
    NAMES,
    PLAIN,
    dequantize,
    format_name,
    unpack,
)
from netlists.weights.reading import pick, widen_bfloat16

_SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
_WIDTHS = {code: struct.calcsize(code) for code in _SCALARS.values()}
_STRING, _ARRAY = 8, 9
_MAX_DIMENSIONS = 4
_MAX_NESTING = 4
_MAX_ITEMS = 2**23
"""Tensors, metadata entries and items of arrays: a hundred times those of the largest vocabularies."""
_ENTRY_BYTES, _TENSOR_BYTES, _ITEM_BYTES = 13, 32, 8
"""Smallest size of a metadata entry, a tensor description and an item of an array that is no number."""


@dataclass(frozen=True, slots=True)
class GgufTensor:
    """Where a tensor lies in its file.

    shape: the contiguous dimension last, (outputs, inputs) of a linear layer. type: number of its format. start, size:
    bytes; the size of a format that is not read is the least that it can be.
    """

    shape: tuple[int, ...]
    type: int
    start: int
    size: int


class GgufFile:
    """The header of a GGUF file (`metadata` by key, `tensors` by name in the file's order), and its data on request.

    Raises
    ------
    InputError
        The file is unreadable, truncated, of another version or no GGUF file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.metadata: dict[str, Any] = {}
        self.tensors: dict[str, GgufTensor] = {}
        try:
            with open_regular(path) as file:
                size = os.fstat(file.fileno()).st_size
                self._read_header(_Cursor(file, path, size), size)
        except OSError as error:
            raise InputError(f"cannot be read ({error.strerror})", where=str(path)) from None

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of every tensor."""
        return {name: tensor.shape for name, tensor in self.tensors.items()}

    def get(self, key: str, kind: type) -> Any:
        """A metadata value of that kind. Raises InputError if it is missing, of another kind, or no valid text."""
        value = self.metadata.get(key)
        if not isinstance(value, kind) or isinstance(value, bool) is not (kind is bool):
            raise InputError(f"metadata {key} is missing or not of kind {kind.__name__}", where=str(self.path))
        try:
            ("".join(map(str, value)) if isinstance(value, list) else str(value)).encode()
        except UnicodeEncodeError:
            raise InputError(f"metadata {key} holds a text that is not UTF-8", where=str(self.path)) from None
        return value

    def numbers(self, name: str) -> NDArray[Any]:
        """A tensor in the type in which it is stored; bfloat16 and blocks as float32.

        Raises InputError if there is none of that name, it holds no numbers, or its format is not read; MissingLibrary
        for a format that takes the package gguf (extra `llm`), which is not here.
        """
        tensor = self._tensor(name)
        if tensor.type not in PLAIN:
            values = dequantize(tensor.type, self._bytes(tensor), f"{self.path}: tensor {name}")
            return values.reshape(tensor.shape)
        values = self._bytes(tensor).view(PLAIN[tensor.type]).reshape(tensor.shape)
        return widen_bfloat16(values) if tensor.type == BFLOAT16 else values

    def tensor(self, name: str) -> NDArray[np.float32]:
        """A tensor in single precision. Raises InputError as `numbers`, and if it holds NaN or infinity."""
        out = self.numbers(name).astype(np.float32)
        if not np.isfinite(out).all():
            raise InputError(f"tensor {name} holds NaN or infinity", where=str(self.path))
        return out

    def blocks(self, name: str) -> BlockWeights:
        """A matrix as the file's own integers, scales and offsets, shape (inputs, outputs).

        Raises InputError for a tensor that is missing, no matrix, or not of a block format.
        """
        tensor = self._tensor(name)
        if tensor.type not in INTEGER_BLOCKS:
            what = f"tensor {name} has the type {format_name(tensor.type)}, whose blocks have no single scale"
            known = ", ".join(NAMES[kind] for kind in INTEGER_BLOCKS)
            raise InputError(what, where=str(self.path), hint=f"integers are taken from {known}")
        if len(tensor.shape) != 2:
            raise InputError(f"tensor {name} has shape {tensor.shape}, expected a matrix", where=str(self.path))
        integers, scale, offset = unpack(tensor.type, self._bytes(tensor), f"{self.path}: tensor {name}")
        (outputs, inputs), size = tensor.shape, BLOCKS[tensor.type][0]
        return BlockWeights(
            type=NAMES[tensor.type],
            bits=INTEGER_BLOCKS[tensor.type],
            integers=np.ascontiguousarray(integers.reshape(outputs, inputs).T),
            scale=np.ascontiguousarray(scale.reshape(outputs, inputs // size).T),
            offset=np.ascontiguousarray(offset.reshape(outputs, inputs // size).T),
            block_size=size,
        )

    def _tensor(self, name: str) -> GgufTensor:
        tensor = self.tensors[pick(name, list(self.tensors), str(self.path))]
        if not math.prod(tensor.shape):  # also (0, 2^60), which no array can be
            raise InputError(f"tensor {name} has shape {tensor.shape}: it holds no numbers", where=str(self.path))
        return tensor

    def _bytes(self, tensor: GgufTensor) -> ByteArray:
        with self.path.open("rb") as file:
            file.seek(tensor.start)
            return np.frombuffer(file.read(tensor.size), np.uint8)

    def _read_header(self, cursor: _Cursor, size: int) -> None:
        if cursor.take(4) != b"GGUF":
            raise InputError("is not a GGUF file", where=str(self.path))
        version = cursor.number("<I")
        if version not in (2, 3):
            raise InputError(f"is GGUF of version {version}", where=str(self.path), hint="versions 2 and 3 are read")
        tensors, entries = cursor.number("<Q"), cursor.number("<Q")
        cursor.check(tensors, _TENSOR_BYTES, "tensors")
        cursor.check(entries, _ENTRY_BYTES, "metadata entries")
        for _ in range(entries):
            key = cursor.text()
            self.metadata[key] = cursor.value(cursor.number("<I"))
        alignment = self.metadata.get("general.alignment", 32)
        if not isinstance(alignment, int) or alignment < 1:
            raise InputError("is not a GGUF file (its alignment is no positive integer)", where=str(self.path))
        described = [self._describe(cursor) for _ in range(tensors)]
        data = -(-(size - cursor.left) // alignment) * alignment
        for name, shape, kind, offset in described:
            if name in self.tensors:
                raise InputError(f"holds the tensor {name!r} twice", where=str(self.path))
            tensor = GgufTensor(shape, kind, data + offset, _size(self.path, name, shape, kind))
            if tensor.start + tensor.size > size:
                end = f"tensor {name} ends at byte {tensor.start + tensor.size}, the file has {size}"
                raise InputError(f"is truncated: {end}", where=str(self.path))
            self.tensors[name] = tensor

    def _describe(self, cursor: _Cursor) -> tuple[str, tuple[int, ...], int, int]:
        name, dimensions = cursor.text(), cursor.number("<I")
        if not 1 <= dimensions <= _MAX_DIMENSIONS:
            raise InputError(f"tensor {name!r} has {dimensions} dimensions", where=str(self.path))
        shape = tuple(cursor.number("<Q") for _ in range(dimensions))[::-1]
        return name, shape, cursor.number("<I"), cursor.number("<Q")


def read_gguf_weights(path: Path, name: str | None) -> tuple[NDArray[Any], str]:
    """(a tensor as numbers, what to call it in a sentence); blocks are dequantized.

    Raises InputError: not a whole GGUF file, missing tensor, or a type that is not read.
    """
    file = GgufFile(path)
    name = pick(name, list(file.tensors), str(path))
    return file.numbers(name), f"tensor {name}"


def _size(path: Path, name: str, shape: tuple[int, ...], kind: int) -> int:
    """Bytes of a tensor; of a format that is not known so many as any would take, a bit per number."""
    if kind in PLAIN:
        return math.prod(shape) * np.dtype(PLAIN[kind]).itemsize
    if kind not in BLOCKS:
        return max(1, math.prod(shape) // 8)
    values, size = BLOCKS[kind]
    if shape[-1] % values:
        raise InputError(f"tensor {name}: {shape[-1]} inputs do not make blocks of {values}", where=str(path))
    return math.prod(shape) // values * size


_PIECE = 1 << 22
"""Bytes that are read from a file at a time."""


class _Cursor:
    """Walks through a header that is read in few pieces; every step is checked against the end of the file."""

    def __init__(self, file: IO[bytes], path: Path, size: int) -> None:
        self.path, self.left = path, size
        self._file, self._data, self._at = file, b"", 0
        self.items = 0

    def take(self, count: int) -> bytes:
        at = self._advance(count)
        return self._data[at : at + count]

    def check(self, count: int, size: int, what: str) -> None:
        """Refuse a count of things of at least `size` bytes that the rest of the file or a memory cannot hold."""
        self.items += count
        if count * size > self.left or self.items > _MAX_ITEMS:
            text = f"is truncated inside its header, or is damaged: it counts {count} {what}"
            raise InputError(text, where=str(self.path))

    def number(self, code: str) -> Any:
        at = self._advance(_WIDTHS[code])
        return struct.unpack_from(code, self._data, at)[0]

    def text(self, errors: str = "replace") -> str:
        return self.take(self.number("<Q")).decode("utf-8", errors)

    def value(self, kind: int, depth: int = 0) -> Any:
        if kind in _SCALARS:
            return self.number(_SCALARS[kind])
        if kind == _STRING:
            return self.text("surrogateescape" if depth else "replace")
        if kind != _ARRAY or depth >= _MAX_NESTING:
            raise InputError(f"is damaged or not a GGUF file (a value of type {kind})", where=str(self.path))
        inner, count = self.number("<I"), self.number("<Q")
        if inner in _SCALARS:
            self.check(count, 1, "items")
            return np.frombuffer(self.take(count * _WIDTHS[_SCALARS[inner]]), _SCALARS[inner]).tolist()
        self.check(count, _ITEM_BYTES, "items")
        return [self.value(inner, depth + 1) for _ in range(count)]

    def _advance(self, count: int) -> int:
        """Where the next `count` bytes begin in `_data`, which then holds them."""
        if count > self.left:
            raise InputError("is truncated inside its header or not a GGUF file", where=str(self.path))
        at = self._at
        if at + count > len(self._data):
            self._data = self._data[at:] + self._file.read(max(count, _PIECE))
            at = 0
            if len(self._data) < count:  # it became shorter while it was read
                raise InputError("is truncated inside its header or not a GGUF file", where=str(self.path))
        self._at = at + count
        self.left -= count
        return at
