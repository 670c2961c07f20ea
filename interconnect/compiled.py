"""Loops compiled by numba, and where the result is kept: beside its source, in the user's cache, or in memory."""

import contextlib
import functools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar, cast

from numba import config, njit

from interconnect.cachefolder import cache_folder, private_folder
from interconnect.errors import InputError

_CONFIG: Any = config

Loop = TypeVar("Loop", bound=Callable[..., Any])


def compiled_loop(**options: Any) -> Callable[[Loop], Loop]:
    """Decorator: compile a function on its first call, without the interpreter lock, and keep the machine code.

    options: of `numba.njit`. An installation that cannot be written keeps it in the user's cache folder; where there is
    none, or other users can write it (numba would run what they leave there), every process compiles for itself.
    """

    def decorate(function: Loop) -> Loop:
        with _kept(Path(function.__code__.co_filename).parent) as cache:
            return cast(Loop, njit(cache=cache, nogil=True, **options)(function))

    return decorate


@contextlib.contextmanager
def _kept(source: Path) -> Iterator[bool]:
    """Whether a function of the folder `source` is kept; while the block runs, numba looks for the place."""
    place = _place(source)
    before = _CONFIG.CACHE_DIR
    _CONFIG.CACHE_DIR = place or before
    try:
        yield place is not None
    finally:
        _CONFIG.CACHE_DIR = before


@functools.cache
def _place(source: Path) -> str | None:
    """numba's own choice (an empty text), a folder, or none."""
    beside = source / "__pycache__"
    if _CONFIG.CACHE_DIR or os.access(beside if beside.is_dir() else source, os.W_OK):
        return ""
    try:
        folder = private_folder(cache_folder("numba"))
    except InputError:
        return None
    return str(folder) if os.access(folder, os.W_OK) else None
