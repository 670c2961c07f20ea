"""Results that are kept as they come: an append-only file of checked lines, in which nothing partial is believed."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from interconnect.errors import InputError
from interconnect.jsonable import to_jsonable

DIGITS = 16
"""Hexadecimal digits of a line's checksum."""
MAX_SIZE = 256_000_000


class KeptResults:
    """Results by key in a file; `of` says what they are results of: a file of anything else is begun anew.

    A line is a checksum and a JSON document. Reading ends at the first line that is cut off or damaged, and what
    follows it is dropped: it is made again. Two programs must not write one file; the second is refused. A context.
    """

    def __init__(self, path: Path, of: str) -> None:
        self.path, self._of = path, of
        self._known: dict[str, Any] = {}
        self._file: BinaryIO | None = None

    def __enter__(self) -> KeptResults:
        if self.path.is_symlink():
            raise InputError("is a link", where=str(self.path), hint="remove it")
        try:
            self._file = self.path.open("a+b")
        except OSError as error:
            raise InputError(f"cannot be written: {error.strerror}", where=str(self.path)) from None
        self._lock()
        self._file.seek(0)
        end, first = 0, True
        size = min(os.fstat(self._file.fileno()).st_size, MAX_SIZE)  # reading sets aside what it asks for
        lines = self._file.read(size).splitlines(keepends=True)
        if lines and lines[0].endswith(b"\n") and _parsed(lines[0]) is None:
            raise InputError("holds no kept results", where=str(self.path), hint="remove it, or name another folder")
        for line in lines:
            document = _parsed(line)
            if document is None or (first and document.get("of") != self._of):
                break
            if not first:
                self._known[str(document["key"])] = document["value"]
            end, first = end + len(line), False
        self._file.truncate(end)
        self._file.seek(end)
        if first:
            self._append({"of": self._of})
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            os.fsync(self._file.fileno())
            if error is not None and not self._known:
                self.path.unlink(missing_ok=True)  # an error leaves no file that says nothing
            self._file.close()

    def __len__(self) -> int:
        return len(self._known)

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def get(self, key: str) -> Any:
        """The value of a key as JSON gives it back, None where there is none."""
        return self._known.get(key)

    def put(self, key: str, value: Any) -> Any:
        """Keep a value; returned as `get` gives it."""
        document = json.loads(json.dumps(to_jsonable({"key": key, "value": value})))
        self._append(document)
        self._known[key] = document["value"]
        return document["value"]

    def _append(self, document: dict[str, Any]) -> None:
        if self._file is None:
            raise InputError("is not open", where=str(self.path))
        text = json.dumps(document, ensure_ascii=True)
        self._file.write(f"{_checksum(text)} {text}\n".encode("ascii"))
        self._file.flush()

    def _lock(self) -> None:
        assert self._file is not None  # noqa: S101 - opened by the caller
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise InputError("is being written by another program", where=str(self.path)) from None


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:DIGITS]


def _parsed(line: bytes) -> dict[str, Any] | None:
    """The document of a whole, undamaged line."""
    try:
        text = line.decode("ascii")
        mark, body = text[:DIGITS], text[DIGITS + 1 : -1]
        if not text.endswith("\n") or mark != _checksum(body):
            return None
        document = json.loads(body)
    except (UnicodeDecodeError, ValueError):
        return None
    return document if isinstance(document, dict) else None
