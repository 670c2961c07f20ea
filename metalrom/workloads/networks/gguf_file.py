"""Weights and metadata from a GGUF file (version 2 or 3, little endian). Data only; every length is checked.

Layout: magic, version, number of tensors, number of metadata entries, entries, tensor descriptions, padding, data.
Block formats (llama.cpp, ggml): 32 values share a scale. Q8_0: float16 d, 32 x int8, w = d q. Q4_1: float16 d,
float16 m, 16 bytes with value j in the low and value j + 16 in the high nibble of byte j, w = d q + m. Q4_0: the same
without m, w = d (q - 8).
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from interconnect.arrays import ByteArray
from interconnect.errors import InputError
from interconnect.suggestion import suggest
from metalrom.workloads.networks.linear import Float32
from netlists.weights import BlockWeights, decode_blocks

BLOCK = 32
"""Values that share a scale in Q4_0, Q4_1 and Q8_0."""

_SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
_STRING, _ARRAY = 8, 9
_MOST_DIMENSIONS = 4


def _float32(raw: ByteArray) -> Float32:
    return raw.view("<f4").astype(np.float32)


def _float16(raw: ByteArray) -> Float32:
    return raw.view("<f2").astype(np.float32)


def _q8_0(raw: ByteArray) -> Float32:
    blocks = raw.reshape(-1, 2 + BLOCK)
    scale = np.ascontiguousarray(blocks[:, :2]).view("<f2").astype(np.float32)
    out: Float32 = scale * np.ascontiguousarray(blocks[:, 2:]).view(np.int8)
    return out


def _q4_0(raw: ByteArray) -> Float32:
    blocks = raw.reshape(-1, 2 + BLOCK // 2)
    scale = np.ascontiguousarray(blocks[:, :2]).view("<f2").astype(np.float32)
    nibbles = np.concatenate([blocks[:, 2:] & 15, blocks[:, 2:] >> 4], axis=1)
    out: Float32 = scale * (nibbles.astype(np.float32) - 8)
    return out


def _q4_1(raw: ByteArray) -> Float32:
    blocks = raw.reshape(-1, 4 + BLOCK // 2)
    head = np.ascontiguousarray(blocks[:, :4]).view("<f2").astype(np.float32)
    nibbles = np.concatenate([blocks[:, 4:] & 15, blocks[:, 4:] >> 4], axis=1)
    out: Float32 = head[:, :1] * nibbles + head[:, 1:]
    return out


@dataclass(frozen=True, slots=True)
class BlockFormat:
    """How a tensor is stored: values and bytes of one block, and what turns bytes into float32."""

    name: str
    values: int
    size: int
    decode: Callable[[ByteArray], Float32]


FORMATS = {
    0: BlockFormat("F32", 1, 4, _float32),
    1: BlockFormat("F16", 1, 2, _float16),
    2: BlockFormat("Q4_0", BLOCK, 18, _q4_0),
    3: BlockFormat("Q4_1", BLOCK, 20, _q4_1),
    8: BlockFormat("Q8_0", BLOCK, 34, _q8_0),
}
"""Tensor formats that are read, by their number in the file."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a tensor lies. shape: as numpy has it, the contiguous dimension last; offset: bytes into the file."""

    shape: tuple[int, ...]
    format: BlockFormat
    offset: int


class GgufFile:
    """An open GGUF file: `metadata` by key, `tensors` by name.

    Raises InputError, naming the file, for one that is truncated, no GGUF file, or of a format that is not known.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._data = np.memmap(path, np.uint8, mode="r")
        except (OSError, ValueError) as error:
            raise InputError(f"cannot be read ({error})", where=str(path)) from None
        reader = _Reader(self._data, path)
        if bytes(reader.take(4)) != b"GGUF":
            raise InputError("is not a GGUF file", where=str(path))
        version = reader.number("<I")
        if version not in (2, 3):
            raise InputError(f"is GGUF version {version}, expected 2 or 3", where=str(path))
        tensors, entries = reader.number("<Q"), reader.number("<Q")
        self.metadata: dict[str, Any] = {}
        for _ in range(entries):
            key = reader.text()
            self.metadata[key] = reader.value(reader.number("<I"))
        found = [self._describe(reader) for _ in range(tensors)]
        step = self.metadata.get("general.alignment", 32)
        if not isinstance(step, int) or step < 1:
            raise InputError("has an alignment that is no positive integer", where=str(path))
        start = -(-reader.at // step) * step
        self.tensors = {name: Entry(entry.shape, entry.format, start + entry.offset) for name, entry in found}
        for name, entry in self.tensors.items():
            if entry.offset + _bytes(entry) > len(self._data):
                raise InputError(f"is truncated: tensor {name} reaches past its end", where=str(path))

    def tensor(self, name: str) -> Float32:
        """A tensor, decoded. Raises InputError if the file has none of that name, or it holds NaN or infinity."""
        entry, raw = self._raw(name)
        out = entry.format.decode(raw)
        if not np.isfinite(out).all():
            raise InputError(f"tensor {name} holds NaN or infinity", where=str(self.path))
        return out.reshape(entry.shape)

    def blocks(self, name: str) -> BlockWeights:
        """A matrix as the file's own integers, scales and offsets, shape (inputs, outputs).

        Raises InputError for a tensor that is missing, no matrix, or stored as plain numbers.
        """
        entry, raw = self._raw(name)
        if entry.format.values == 1 or len(entry.shape) != 2:
            what = f"{entry.format.name} of shape {entry.shape}"
            raise InputError(f"tensor {name} is {what}, expected a matrix of blocks", where=str(self.path))
        return decode_blocks(entry.format.name, raw, entry.shape[0])

    def _raw(self, name: str) -> tuple[Entry, ByteArray]:
        if name not in self.tensors:
            raise InputError(f"there is no tensor {name!r}", where=str(self.path), hint=suggest(name, self.tensors))
        entry = self.tensors[name]
        return entry, np.array(self._data[entry.offset : entry.offset + _bytes(entry)])

    def get(self, key: str, kind: type) -> Any:
        """A metadata value of that kind. Raises InputError if it is missing or of another kind."""
        value = self.metadata.get(key)
        if not isinstance(value, kind) or isinstance(value, bool) is not (kind is bool):
            raise InputError(f"metadata {key} is missing or not of kind {kind.__name__}", where=str(self.path))
        return value

    def _describe(self, reader: _Reader) -> tuple[str, Entry]:
        name = reader.text()
        dimensions = reader.number("<I")
        if not 1 <= dimensions <= _MOST_DIMENSIONS:
            raise InputError(f"tensor {name} has {dimensions} dimensions", where=str(self.path))
        shape = tuple(reader.number("<Q") for _ in range(dimensions))[::-1]
        number, offset = reader.number("<I"), reader.number("<Q")
        if number not in FORMATS:
            known = ", ".join(f.name for f in FORMATS.values())
            raise InputError(f"tensor {name} has format number {number}, expected {known}", where=str(self.path))
        if shape[-1] % FORMATS[number].values:
            raise InputError(f"tensor {name} has rows that are no whole blocks", where=str(self.path))
        return name, Entry(shape, FORMATS[number], offset)


def _bytes(entry: Entry) -> int:
    size = entry.format.size
    for n in entry.shape:
        size *= n
    return size // entry.format.values


class _Reader:
    """A cursor that never leaves the file."""

    def __init__(self, data: ByteArray, path: Path) -> None:
        self._data, self._path, self.at = data, path, 0

    def take(self, size: int) -> ByteArray:
        if size > len(self._data) - self.at:
            raise InputError("is truncated or not a GGUF file", where=str(self._path))
        self.at += size
        return self._data[self.at - size : self.at]

    def number(self, code: str) -> Any:
        return struct.unpack(code, self.take(struct.calcsize(code)).tobytes())[0]

    def text(self) -> str:
        raw = self.take(self.number("<Q")).tobytes()
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            raise InputError("holds a text that is not UTF-8", where=str(self._path)) from None

    def value(self, kind: int) -> Any:
        if kind in _SCALARS:
            return self.number(_SCALARS[kind])
        if kind == _STRING:
            return self.text()
        if kind == _ARRAY:
            of, length = self.number("<I"), self.number("<Q")
            if of in _SCALARS:
                code = _SCALARS[of]
                return np.frombuffer(self.take(length * struct.calcsize(code)).tobytes(), code).tolist()
            if of == _STRING:
                return [self.text() for _ in range(self._possible(length))]
        raise InputError(f"holds a value of unknown kind {kind}", where=str(self._path))

    def _possible(self, length: int) -> int:
        """Each text takes at least the 8 bytes of its own length."""
        if 8 * length > len(self._data) - self.at:
            raise InputError("is truncated or not a GGUF file", where=str(self._path))
        return length
