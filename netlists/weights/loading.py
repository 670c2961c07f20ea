"""A weight matrix from a file of any known format. Files are data only: nothing is ever unpickled."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interconnect.arrays import FloatArray
from interconnect.errors import InputError
from netlists.weights import csv_file, gguf_file, hex_file, numpy_files, safetensors_file
from netlists.weights.hex_file import Words
from netlists.weights.reading import library_message

Reader = Callable[[Path, str | None], tuple[NDArray[Any], str]]

_READERS: Mapping[str, Reader] = {
    ".safetensors": safetensors_file.read_safetensors_weights,
    ".gguf": gguf_file.read_gguf_weights,
    ".npy": numpy_files.read_npy,
    ".npz": numpy_files.read_npz,
    ".csv": csv_file.read_csv_weights,
}
HEX_SUFFIXES = (".hex", ".mem")
SUFFIXES = (*_READERS, *HEX_SUFFIXES)


def load_weights(
    path: str | Path,
    name: str | None = None,
    *,
    transpose: bool = False,
    shape: Sequence[int] | None = None,
    words: Words | None = None,
) -> FloatArray:
    """A weight matrix from a file with one of `SUFFIXES`: shape (rows = inputs, cols = outputs), float64.

    name: tensor in a file that holds several. transpose: the file stores (outputs, inputs), as torch's linear
    layers do. shape: what (rows, cols) has to be after transposing. words: of a hex
    file, which also needs `shape`.

    Raises:
        InputError: unreadable or truncated file, missing tensor, not a matrix of numbers, wrong shape, NaN or Inf.
    """
    where = str(path)
    if Path(path).suffix.lower() in HEX_SUFFIXES:
        if words is None or shape is None:
            raise InputError("a hex file needs the width of its words and the shape of the matrix", where=where)
        stored = tuple(reversed(tuple(shape))) if transpose else tuple(shape)
        array, label = _load(Path(path), name, lambda p, n: hex_file.read_hex_weights(p, n, words, stored))
    else:
        array, label = _load(Path(path), name)
    if array.ndim != 2 or 0 in array.shape:
        raise InputError(f"{label} has shape {array.shape}, expected a matrix (rows, columns)", where=where)
    matrix: FloatArray = array.T if transpose else array
    if shape is not None and matrix.shape != tuple(shape):
        flipped = matrix.shape == tuple(reversed(tuple(shape)))
        raise InputError(
            f"{label} has shape {matrix.shape} (inputs, outputs), expected {tuple(shape)}",
            where=where,
            hint="set weights.transpose" if flipped else None,
        )
    return np.ascontiguousarray(matrix)


def load_tensor(path: str | Path, name: str | None = None) -> FloatArray:
    """A tensor of any shape as it is stored, float64; the same files and refusals as `load_weights`."""
    return _load(Path(path), name)[0]


def _load(path: Path, name: str | None, reader: Reader | None = None) -> tuple[FloatArray, str]:
    """(finite numbers of a tensor, what to call it in a sentence)."""
    where = str(_existing(path))
    reader = reader or _READERS.get(path.suffix.lower())
    if reader is None:
        hint = f"give a {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]} file"
        if path.suffix.lower() in HEX_SUFFIXES:
            raise InputError("a hex file holds a matrix only", where=where)
        raise InputError(f"cannot read weights from a {path.suffix or 'nameless'} file", where=where, hint=hint)
    try:
        array, label = reader(path, name)
    except (OSError, EOFError, MemoryError) as error:
        raise InputError(f"cannot read it ({library_message(error)})", where=where) from None
    if array.dtype.kind not in "fiu":
        raise InputError(f"{label} holds {array.dtype}, not numbers", where=where)
    bad = ~np.isfinite(array)
    if bad.any():
        first = ", ".join(str(int(i)) for i in np.argwhere(bad)[0])
        raise InputError(
            f"{label} holds {int(bad.sum())} value(s) that are NaN or infinite, the first at [{first}]", where=where
        )
    return np.asarray(array, dtype=np.float64), label


def tensor_names(path: str | Path) -> tuple[str, ...]:
    """Names of the tensors in a `.safetensors`, `.gguf` or `.npz` file; empty for one that holds a single array."""
    path = _existing(path)
    match path.suffix.lower():
        case ".safetensors" | ".gguf":
            return tuple(tensor_shapes(path))
        case ".npz":
            return numpy_files.npz_names(path)
    return ()


def tensor_shapes(path: str | Path) -> dict[str, tuple[int, ...]]:
    """Shape of every tensor of a `.safetensors` or `.gguf` file, in its order, from the header alone.

    Raises:
        InputError: the file is missing, truncated or of another format.
    """
    path = _existing(path)
    if path.suffix.lower() == ".gguf":
        return gguf_file.GgufFile(path).shapes
    return safetensors_file.safetensors_shapes(path)


def _existing(path: str | Path) -> Path:
    path = Path(path)
    if not path.is_file():
        raise InputError("there is no such weight file", where=str(path))
    return path
