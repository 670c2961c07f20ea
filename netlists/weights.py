"""Weight tensors from files, and their quantization to integers. Files are data only: nothing is ever unpickled."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interconnect.errors import InputError
from interconnect.suggestion import suggest

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int16]

SUFFIXES = (".safetensors", ".npy", ".npz")
BITS = (8, 6, 4)


@dataclass(frozen=True, slots=True)
class QuantizedWeights:
    """Integer weights and what one step is worth.

    values: shape (rows, cols), within +-(2^(bits-1) - 1). scale: shape (cols,), real weight per integer step.
    """

    values: IntArray
    scale: FloatArray
    bits: int

    def dequantized(self) -> FloatArray:
        """The real weights that the integers stand for, shape (rows, cols)."""
        out: FloatArray = self.values * self.scale
        return out


def load_weights(
    path: str | Path,
    name: str | None = None,
    *,
    transpose: bool = False,
    shape: Sequence[int] | None = None,
) -> FloatArray:
    """A weight matrix from `.safetensors`, `.npy` or `.npz`: shape (rows = inputs, cols = outputs), float64.

    name: tensor in a file that holds several. transpose: the file stores (outputs, inputs), as torch's linear
    layers do. shape: what (rows, cols) has to be after transposing.

    Raises:
        InputError: unreadable or truncated file, missing tensor, not a matrix of numbers, wrong shape, NaN or Inf.
    """
    array, label = _load(Path(path), name)
    where = str(path)
    if array.ndim != 2 or 0 in array.shape:
        raise InputError(f"{label} has shape {array.shape}, expected a matrix (rows, columns)", where=where)
    matrix: FloatArray = array.T if transpose else array
    if shape is not None and matrix.shape != tuple(shape):
        flipped = matrix.shape == tuple(reversed(tuple(shape)))
        raise InputError(
            f"{label} has shape {matrix.shape} (inputs, outputs), expected {tuple(shape)}",
            where=where,
            hint="set transpose" if flipped else None,
        )
    return np.ascontiguousarray(matrix)


def load_tensor(path: str | Path, name: str | None = None) -> FloatArray:
    """A tensor of any shape as it is stored, float64; the same files and refusals as `load_weights`."""
    return _load(Path(path), name)[0]


def _load(path: Path, name: str | None) -> tuple[FloatArray, str]:
    """(finite numbers of a tensor, what to call it in a sentence)."""
    where = str(path)
    if not path.is_file():
        raise InputError("there is no such weight file", where=where)
    readers = {".safetensors": _read_safetensors, ".npy": _read_npy, ".npz": _read_npz}
    if path.suffix.lower() not in readers:
        raise InputError(f"cannot read weights from a {path.suffix or 'nameless'} file", where=where, hint=_hint())
    try:
        array, label = readers[path.suffix.lower()](path, name)
    except (OSError, EOFError, MemoryError) as error:
        raise InputError(f"cannot read it ({_one_line(error)})", where=where) from None
    if array.dtype.kind not in "fiu":
        raise InputError(f"{label} holds {array.dtype}, not numbers", where=where)
    bad = ~np.isfinite(array)
    if bad.any():
        first = ", ".join(str(int(i)) for i in np.argwhere(bad)[0])
        raise InputError(
            f"{label} holds {int(bad.sum())} value(s) that are NaN or infinite, the first at [{first}]", where=where
        )
    return np.asarray(array, dtype=np.float64), label


def quantize(weights: FloatArray, bits: int) -> QuantizedWeights:
    """Symmetric quantization, one scale per column: q = round(w / s), s = max|w| / (2^(bits-1) - 1).

    weights: shape (rows, cols). A column of zeros keeps scale 1. Halves round to even.

    Raises:
        InputError: bits not one of 8, 6, 4; weights not a finite matrix.
    """
    if bits not in BITS:
        raise InputError(f"{bits} bits per weight is not offered", where="weights.bits", hint="choose 8, 6 or 4")
    w = np.asarray(weights, dtype=np.float64)
    if w.ndim != 2 or not np.isfinite(w).all():
        raise InputError(f"weights of shape {w.shape} are not a finite matrix")
    top = 2 ** (bits - 1) - 1
    scale = np.abs(w).max(axis=0, initial=0.0) / top
    scale = np.where(scale > 0, scale, 1.0)
    values = np.clip(np.rint(w / scale), -top, top).astype(np.int16)
    return QuantizedWeights(values, scale, bits)


def tensor_names(path: str | Path) -> tuple[str, ...]:
    """Names of the tensors in a `.safetensors` or `.npz` file; empty for `.npy`."""
    path = Path(path)
    if path.suffix.lower() == ".safetensors":
        return tuple(k for k in _safetensors_header(path)[0] if k != "__metadata__")
    if path.suffix.lower() == ".npz":
        with _open_npz(path) as archive:
            return tuple(archive.files)
    return ()


def tensor_shapes(path: str | Path) -> dict[str, tuple[int, ...]]:
    """Shape of every tensor of a `.safetensors` file, in its order, from the header alone.

    Raises:
        InputError: the file is missing, truncated or no safetensors file.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError("there is no such weight file", where=str(path))
    header, _ = _safetensors_header(path)
    try:
        return {k: tuple(int(n) for n in v["shape"]) for k, v in header.items() if k != "__metadata__"}
    except (KeyError, TypeError, ValueError):
        raise InputError("is not a safetensors file (its header cannot be read)", where=str(path)) from None


def _hint() -> str:
    return f"give a {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]} file"


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text[:200] or type(error).__name__


def _pick(name: str | None, known: Sequence[str], where: str) -> str:
    if name is None and len(known) == 1:
        return known[0]
    if name is None:
        raise InputError(
            f"the file holds {len(known)} tensors and none is named", where=where, hint=suggest("weight", known)
        )
    if name not in known:
        raise InputError(f"there is no tensor {name!r}", where=where, hint=suggest(name, known))
    return name


def _safetensors_header(path: Path) -> tuple[dict[str, Any], int]:
    """(header, start of the data); InputError for a file that is not safetensors or shorter than it says."""
    size = path.stat().st_size
    with path.open("rb") as file:
        prefix = file.read(8)
        length = int.from_bytes(prefix, "little")
        if len(prefix) < 8 or length < 2 or 8 + length > size:
            raise InputError("is truncated or not a safetensors file (no complete header)", where=str(path))
        raw = file.read(length)
    try:
        header = json.loads(raw)
        ends = [v["data_offsets"][1] for k, v in header.items() if k != "__metadata__"]
        complete = 8 + length + max(ends, default=0) <= size
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise InputError("is not a safetensors file (its header cannot be read)", where=str(path)) from None
    if not complete:
        raise InputError(
            f"is truncated: its header promises {8 + length + max(ends)} bytes, the file has {size}", where=str(path)
        )
    return header, 8 + length


def _read_safetensors(path: Path, name: str | None) -> tuple[NDArray[Any], str]:
    from safetensors import SafetensorError, safe_open

    header, start = _safetensors_header(path)
    name = _pick(name, [k for k in header if k != "__metadata__"], str(path))
    entry = header[name]
    label = f"tensor {name}"
    if entry.get("dtype") == "BF16":
        return _read_bfloat16(path, start, entry, label), label
    try:
        with safe_open(path, framework="numpy") as file:
            array: NDArray[Any] = file.get_tensor(name)
    except (SafetensorError, TypeError, ValueError, KeyError) as error:
        raise InputError(f"{label} cannot be read ({_one_line(error)})", where=str(path)) from None
    return array, label


def _read_bfloat16(path: Path, start: int, entry: dict[str, Any], label: str) -> NDArray[Any]:
    """numpy has no bfloat16: it is the upper half of a float32."""
    try:
        shape = tuple(int(n) for n in entry["shape"])
        begin, end = (int(n) for n in entry["data_offsets"])
        with path.open("rb") as file:
            file.seek(start + begin)
            half = np.frombuffer(file.read(end - begin), dtype="<u2").reshape(shape)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{label} cannot be read ({_one_line(error)})", where=str(path)) from None
    return (half.astype("<u4") << 16).view("<f4")


def _read_npy(path: Path, name: str | None) -> tuple[NDArray[Any], str]:
    if name is not None:
        raise InputError(
            "a .npy file holds one array without a name", where=str(path), hint="leave the tensor name out"
        )
    try:
        loaded = np.load(path, allow_pickle=False)
    except (ValueError, zipfile.BadZipFile) as error:
        raise InputError(f"is not a readable .npy file ({_one_line(error)})", where=str(path)) from None
    if not isinstance(loaded, np.ndarray):
        raise InputError("is not a .npy file", where=str(path), hint="an archive needs the suffix .npz")
    return loaded, "the array"


def _open_npz(path: Path) -> Any:
    try:
        archive = np.load(path, allow_pickle=False)
    except (ValueError, zipfile.BadZipFile) as error:
        raise InputError(f"is not a readable .npz file ({_one_line(error)})", where=str(path)) from None
    if isinstance(archive, np.ndarray):
        raise InputError("is not a .npz file", where=str(path), hint="a single array needs the suffix .npy")
    return archive


def _read_npz(path: Path, name: str | None) -> tuple[NDArray[Any], str]:
    import zlib

    with _open_npz(path) as archive:
        name = _pick(name, archive.files, str(path))
        label = f"tensor {name}"
        try:
            array: NDArray[Any] = archive[name]
        except (ValueError, zipfile.BadZipFile, zlib.error, KeyError) as error:
            raise InputError(f"{label} cannot be read ({_one_line(error)})", where=str(path)) from None
    return array, label
