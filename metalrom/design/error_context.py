"""Adds the configuration file and its key to an error raised by a lower layer."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from interconnect.errors import InputError


@contextmanager
def config_context(path: Path, key: str) -> Iterator[None]:
    """Let an InputError inside say which configuration file, and which key of it, it comes from."""
    try:
        yield
    except InputError as error:
        where = error.where or ""
        if str(path) in where:
            raise
        place = where if where.startswith(key.split(".")[0] + ".") else ": ".join(filter(None, [key, where]))
        raise InputError(error.what, where=f"{path}: {place}", hint=error.hint) from error
