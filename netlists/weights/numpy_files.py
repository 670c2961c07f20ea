"""Arrays of `.npy` and `.npz` files; pickled objects are never opened."""

import lzma
import math
import os
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from tokenize import TokenError
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from interconnect.errors import InputError
from interconnect.files import open_regular
from netlists.weights.reading import library_message, pick

DAMAGED = (
    ValueError, TypeError, LookupError, EOFError, SyntaxError, TokenError, RuntimeError, ArithmeticError, MemoryError,
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, NotImplementedError,
)  # fmt: skip
"""What numpy raises for a damaged file: its header is parsed as Python text, its archive member by member, and a
shape that no memory holds is one more damage."""

PACKED, ALWAYS = 256, 2**26
"""An array may take so many times the bytes of the file that it is packed in, or so many bytes in any file."""


def check_arrays(file: IO[bytes], names: Sequence[str] | None = None) -> None:
    """Refuse arrays that hold more, or less, than a `.npy` file or the members of a `.npz` archive can.

    names: of the members that will be read, all by default. The file is read from its start and left there. Raises one
    of `DAMAGED` before anything of an array's size is allocated.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    if not zipfile.is_zipfile(file):
        file.seek(0)
        _check_header(file, size)
    else:
        with zipfile.ZipFile(file) as archive:
            for item in archive.infolist():
                if names is not None and item.filename.removesuffix(".npy") not in names:
                    continue
                if item.file_size > max(PACKED * size, ALWAYS):
                    raise ValueError(f"{item.filename} of {item.file_size} bytes is packed in a file of {size}")
                with archive.open(item) as member:
                    _check_header(member, item.file_size)
    file.seek(0)


def _check_header(file: IO[bytes], size: int) -> None:
    """Compare the bytes that an array's header promises with the `size` of its file."""
    start = file.read(8)
    if start[:6] != b"\x93NUMPY":
        return  # numpy refuses it, or gives its bytes as they are
    read = np.lib.format.read_array_header_1_0 if start[6] == 1 else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    promised = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or promised > size:
        raise ValueError(f"its header promises an array of shape {shape} and {promised} bytes, there are {size}")


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
        with open_regular(path) as file:
            check_arrays(file, names=())
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
            with open_regular(path) as file:
                check_arrays(file, names=(name,))
            array: NDArray[Any] = archive[name]
        except DAMAGED as error:
            raise InputError(f"{label} cannot be read ({library_message(error)})", where=str(path)) from None
    if not isinstance(array, np.ndarray):  # a member without numpy's first bytes comes as they are
        raise InputError(f"{label} is not an array", where=str(path))
    return array, label
