"""Files that are either whole or absent, and readers that name what is missing."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from interconnect.errors import InputError


def write_files(folder: Path, contents: Mapping[str, bytes]) -> list[Path]:
    """Write every file completely beside its place, then rename; on failure nothing of it stays.

    Raises InputError if the folder cannot be written.
    """
    temporary: list[tuple[str, Path]] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            handle, raw = tempfile.mkstemp(prefix=f".{name}.", dir=folder)
            temporary.append((raw, folder / name))
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            Path(raw).chmod(0o644)
        for raw, place in temporary:
            Path(raw).replace(place)
    except OSError as error:
        for raw, _ in temporary:
            Path(raw).unlink(missing_ok=True)
        raise InputError(f"cannot write ({error.strerror or error})", where=str(folder)) from None
    return [place for _, place in temporary]


def read_bytes(path: Path) -> bytes:
    """Content of a file, or InputError if it is missing or unreadable."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read ({error.strerror or error})", where=str(path)) from None


def read_text(path: Path) -> str:
    """UTF-8 text of a file, or InputError."""
    try:
        return read_bytes(path).decode()
    except UnicodeDecodeError:
        raise InputError("not UTF-8 text", where=str(path), hint="truncated or edited") from None
