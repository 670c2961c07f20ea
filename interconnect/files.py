"""Reading whole files with a limit, and writing files so that a reader never meets half of one."""

import contextlib
import csv
import hashlib
import io
import os
import secrets
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

from interconnect.errors import InputError

LARGEST_FILE = 2**31
"""Bytes of the largest file that is read into memory."""

_PIECE = 2**20


def open_regular(path: str | Path) -> io.BufferedReader:
    """A regular file, open for reading; pipes, sockets and devices are refused before they are opened.

    Raises InputError if it is missing, unreadable or no regular file.
    """
    try:
        _refuse_special(path, Path(path).stat().st_mode)
        # It may have been replaced meanwhile: a pipe opened without blocking does not wait for its other end.
        raw = io.FileIO(path, opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK))
        file: io.BufferedReader = io.BufferedReader(raw)
        _refuse_special(path, os.fstat(file.fileno()).st_mode)
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"cannot be read ({_reason(error)})", where=str(path)) from None
    return file


def _refuse_special(path: str | Path, mode: int) -> None:
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):  # a folder is refused by opening it
        raise InputError("is no regular file but a pipe, socket or device", where=str(path))


def read_bytes(path: str | Path, *, limit: int = LARGEST_FILE) -> bytes:
    """Content of a regular file of at most `limit` bytes.

    Raises InputError if it is missing, unreadable, larger, or a pipe or device.
    """
    with open_regular(path) as file:
        try:
            size = os.fstat(file.fileno()).st_size
            large = size > limit
            content = b"" if large else file.read(size + 1)  # reading sets aside what it asks for, so not the limit
            while size < len(content) <= limit and (more := file.read(_PIECE)):  # it grows
                content += more
        except OSError as error:
            raise InputError(f"cannot be read ({_reason(error)})", where=str(path)) from None
    if large or len(content) > limit:
        raise InputError(f"is larger than {limit} bytes", where=str(path))
    return content


@contextlib.contextmanager
def unchanged_file(path: str | Path) -> Iterator[str]:
    """SHA-256 of a file that the block reads, for files too large to be held in memory and read more than once.

    Raises InputError if it cannot be read, or if it was written to or replaced before the block ended: then what the
    block read need not have this hash.
    """
    try:
        with open_regular(path) as file:
            before = _state(os.fstat(file.fileno()))
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        yield digest
        after = _state(Path(path).stat())
    except OSError as error:
        raise InputError(f"cannot be read ({_reason(error)})", where=str(path)) from None
    if after != before:
        raise InputError("was changed while it was read", where=str(path), hint="run the command again")


def _state(status: os.stat_result) -> tuple[int, ...]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def read_text(path: str | Path, *, limit: int = LARGEST_FILE) -> str:
    """UTF-8 text of a file; see `read_bytes`. Raises InputError also if it is not UTF-8."""
    return decode(read_bytes(path, limit=limit), where=str(path))


def decode(content: bytes, *, where: str) -> str:
    """UTF-8 bytes as text. Raises InputError naming `where` if they are something else."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise InputError("is not UTF-8 text", where=where) from None


def parse_csv(text: str, *, where: str) -> list[list[str]]:
    """Rows of comma-separated values. Raises InputError naming `where` for a field that no table holds."""
    try:
        return list(csv.reader(io.StringIO(text, newline="")))
    except csv.Error as error:
        raise InputError(f"is not a table of comma-separated values ({error})", where=where) from None


@contextlib.contextmanager
def atomic_file(path: str | Path) -> Iterator[IO[bytes]]:
    """A binary file to write into; it takes the place of `path` when the block ends well, else nothing of it stays.

    It is a temporary file in the same folder and one rename; the old content stays whole if anything fails.
    Raises InputError (folder missing, not writable, disk full, something that is no file in the way); an OSError
    inside the block counts as a failed write.
    """
    target = Path(path)
    temporary = target.with_name(f".{target.name[:40]}.{secrets.token_hex(6)}.tmp")
    try:
        if target.exists() and not target.is_file():  # renaming would put a file in a device's place
            raise OSError(None, "a folder or device of that name already exists")
        with temporary.open("xb") as file:
            yield file
        temporary.replace(target)
    except OSError as error:
        raise InputError(f"cannot be written ({_reason(error)})", where=str(path)) from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def atomic_write_bytes(path: str | Path, data: bytes) -> Path:
    """Write `data` to `path` all at once and return the path; see `atomic_file`."""
    with atomic_file(path) as file:
        file.write(data)
    return Path(path)


def atomic_write_text(path: str | Path, text: str) -> Path:
    """Write `text` as UTF-8 with the line ends as given; see `atomic_file`."""
    return atomic_write_bytes(path, text.encode("utf-8"))


def atomic_write_files(folder: Path, contents: Mapping[str, bytes]) -> list[Path]:
    """Write files that belong together into `folder` (made if missing): all are written before the first is renamed.

    Raises InputError if one cannot be written; then none takes its place (unless a rename itself fails).
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot be made ({_reason(error)})", where=str(folder)) from None
    with contextlib.ExitStack() as stack:
        for name, content in contents.items():
            file = stack.enter_context(atomic_file(folder / name))
            file.write(content)
            file.flush()
    return [folder / name for name in contents]


def _reason(error: Exception) -> str:
    return (error.strerror or type(error).__name__) if isinstance(error, OSError) else str(error)
