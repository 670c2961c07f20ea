"""Arrays of `.npy` and `.npz` files; pickled objects are never opened."""

import zipfile
import zlib
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interconnect.errors import InputError
from netlists.weights.reading import library_message, pick

DAMAGED = (
    ValueError, TypeError, LookupError, EOFError, SyntaxError, TokenError, RuntimeError, ArithmeticError, MemoryError,
    zipfile.BadZipFile, zlib.error,
)  # fmt: skip
"""What numpy raises for a damaged file: its header is parsed as Python text, its archive member by member, and a
shape that no memory holds is one more damage."""


def npz_names(path: Path) -> tuple[str, ...]:
    """Names of the arrays in a `.npz` file."""
    with _open_npz(path) as archive:
        return tuple(archive.files)


def read_npy(path: Path, name: str | None) -> tuple[NDArray[Any], str]:
    """(the array, what to call it in a sentence)."""
    if name is not None:
        raise InputError("a .npy file holds a single unnamed array", where=str(path), hint="omit the tensor name")
    loaded = _loaded(path, ".npy")
    if not isinstance(loaded, np.ndarray):
        raise InputError("is not a .npy file", where=str(path), hint="an archive needs the suffix .npz")
    return loaded, "the array"


def _loaded(path: Path, suffix: str) -> Any:
    try:
        return np.load(path, allow_pickle=False)
    except DAMAGED as error:
        raise InputError(f"is not a readable {suffix} file ({library_message(error)})", where=str(path)) from None


def _open_npz(path: Path) -> Any:
    archive = _loaded(path, ".npz")
    if isinstance(archive, np.ndarray):
        raise InputError("is not a .npz file", where=str(path), hint="a single array needs the suffix .npy")
    return archive


def read_npz(path: Path, name: str | None) -> tuple[NDArray[Any], str]:
    """(an array of the archive, what to call it in a sentence)."""
    with _open_npz(path) as archive:
        name = pick(name, archive.files, str(path))
        label = f"tensor {name}"
        try:
            array: NDArray[Any] = archive[name]
        except DAMAGED as error:
            raise InputError(f"{label} cannot be read ({library_message(error)})", where=str(path)) from None
    if not isinstance(array, np.ndarray):  # a member without numpy's first bytes comes as they are
        raise InputError(f"{label} is not an array", where=str(path))
    return array, label
