"""The header of a GGUF file: its metadata and the shapes of its tensors; the data itself is never read.

Format: github.com/ggml-org/ggml, docs/gguf.md, versions 2 and 3, little-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from interconnect.errors import InputError

_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "B", 10: "Q", 11: "q", 12: "d"}
"""GGUF value type -> struct format; 8 is a string, 9 an array, 7 a boolean."""
_STRING, _ARRAY = 8, 9

MAX_STRING = 1 << 20
MAX_ITEMS = 1 << 24
MAX_DIMENSIONS = 4


@dataclass(frozen=True, slots=True)
class Items:
    """An array of the metadata, of which only the length is kept."""

    count: int


MetaValue = int | float | str | Items


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """metadata: key -> value. shapes: tensor -> dimensions, the slowest first: (outputs, inputs) of a linear layer."""

    metadata: Mapping[str, MetaValue]
    shapes: Mapping[str, tuple[int, ...]]


def read_gguf_header(path: Path) -> GgufHeader:
    """Metadata and tensor shapes. Raises InputError: unreadable, no GGUF file, another version, or truncated."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            return _Reader(file, size, str(path)).header()
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", where=str(path)) from None


class _Reader:
    """Reads values one after the other, never past the end."""

    def __init__(self, file: IO[bytes], size: int, where: str) -> None:
        self.file = file
        self.size = size
        self.where = where

    def header(self) -> GgufHeader:
        if self.file.read(4) != b"GGUF":
            raise InputError("is not a GGUF file", where=self.where)
        version = self.integer("I")
        if version not in (2, 3):
            raise InputError(f"is GGUF of version {version}", where=self.where, hint="versions 2 and 3 are read")
        tensors, pairs = self.count("tensors"), self.count("metadata entries")
        metadata: dict[str, MetaValue] = {}
        for _ in range(pairs):
            key = self.string()
            metadata[key] = self.value(self.integer("I"))
        shapes: dict[str, tuple[int, ...]] = {}
        last = 0
        for _ in range(tensors):
            name = self.string()
            dimensions = self.integer("I")
            if not 1 <= dimensions <= MAX_DIMENSIONS:
                raise self.damaged(f"a tensor has {dimensions} dimensions")
            extents = [self.integer("Q") for _ in range(dimensions)]
            if not all(1 <= n < 1 << 40 for n in extents):
                raise self.damaged("a tensor has an impossible shape")
            self.integer("I")
            last = max(last, self.integer("Q"))
            if name in shapes:
                raise self.damaged("a tensor appears twice")
            shapes[name] = tuple(reversed(extents))
        if shapes and self.file.tell() + last >= self.size:
            raise InputError("is truncated: its tensors lie beyond its end", where=self.where)
        return GgufHeader(metadata, shapes)

    def value(self, kind: int) -> MetaValue:
        if kind == _STRING:
            return self.string()
        if kind == _ARRAY:
            return self.array()
        if kind not in _SCALARS:
            raise self.damaged(f"a value is of unknown type {kind}")
        found: int | float = struct.unpack("<" + _SCALARS[kind], self.take(struct.calcsize(_SCALARS[kind])))[0]
        return found

    def array(self) -> Items:
        kind, count = self.integer("I"), self.count("items")
        if kind in _SCALARS:
            self.skip(count * struct.calcsize(_SCALARS[kind]))
        elif kind == _STRING:
            for _ in range(count):
                self.skip(self.integer("Q"))
        else:
            raise self.damaged(f"an array is of type {kind}")
        return Items(count)

    def string(self) -> str:
        length = self.integer("Q")
        if length > MAX_STRING:
            raise self.damaged(f"a text of {length} bytes")
        return self.take(length).decode("utf-8", "replace")

    def count(self, what: str) -> int:
        number = self.integer("Q")
        if number > MAX_ITEMS:
            raise self.damaged(f"{number} {what}")
        return number

    def integer(self, code: str) -> int:
        return int(struct.unpack("<" + code, self.take(struct.calcsize("<" + code)))[0])

    def take(self, count: int) -> bytes:
        content = self.file.read(count)
        if len(content) < count:
            raise InputError("is truncated inside its header", where=self.where)
        return content

    def skip(self, count: int) -> None:
        if self.file.tell() + count > self.size:
            raise InputError("is truncated inside its header", where=self.where)
        self.file.seek(count, 1)

    def damaged(self, what: str) -> InputError:
        return InputError(f"is damaged: {what}", where=self.where)
