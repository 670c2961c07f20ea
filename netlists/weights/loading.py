"""A weight matrix from a file of any known format. Files are data only: no code of a file is ever run."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interconnect.arrays import FloatArray
from interconnect.errors import InputError
from netlists.weights import checkpoint, csv_file, gguf_file, hex_file, numpy_files, torch_file
from netlists.weights.blocks import BlockWeights
from netlists.weights.hex_file import Words
from netlists.weights.quantization import QuantizedWeights
from netlists.weights.reading import library_message, pick

Reader = Callable[[Path, str | None], tuple[NDArray[Any], str]]

_READERS: Mapping[str, Reader] = {
    ".safetensors": checkpoint.read_checkpoint_tensor,
    ".gguf": gguf_file.read_gguf_weights,
    ".pt": torch_file.read_torch,
    ".pth": torch_file.read_torch,
    ".bin": torch_file.read_torch,
    ".npy": numpy_files.read_npy,
    ".npz": numpy_files.read_npz,
    ".csv": csv_file.read_csv_weights,
}
HEX_SUFFIXES = (".hex", ".mem")
SUFFIXES = (*_READERS, *HEX_SUFFIXES)
TORCH_SUFFIXES = (".pt", ".pth", ".bin")


def load_weights(
    path: str | Path,
    name: str | None = None,
    *,
    transpose: bool = False,
    shape: Sequence[int] | None = None,
    words: Words | None = None,
    groups: int = 1,
    group: int = 0,
) -> FloatArray:
    """A weight matrix from a file with one of `SUFFIXES`: shape (rows = inputs, cols = outputs), float64.

    The path may also be a folder of safetensors files, or their index. name: tensor in a file that holds several.
    transpose: the file stores (outputs, inputs), as torch's linear layers do; a convolution kernel, (outputs, channels,
    height, width) or of other than two dimensions of space, then becomes the matrix that multiplies its unfolded inputs
    (im2col, rows in the order of torch.nn.functional.unfold). groups: of a convolution, whose matrices are independent;
    group: the one to return. shape: what (rows, cols) has to be after transposing. words: of a hex
    file, which also needs `shape`.

    Raises:
        InputError: unreadable or truncated file, missing tensor, not a matrix of numbers, wrong shape, NaN or Inf.
    """
    return load_layer(path, name, transpose=transpose, shape=shape, words=words, groups=groups, group=group)[0]


def load_layer(
    path: str | Path,
    name: str | None = None,
    *,
    transpose: bool = False,
    shape: Sequence[int] | None = None,
    words: Words | None = None,
    groups: int = 1,
    group: int = 0,
) -> tuple[FloatArray, tuple[int, ...]]:
    """(weight matrix, shape that the file holds): as `load_weights`."""
    where = str(path)
    if Path(path).suffix.lower() in HEX_SUFFIXES:
        if words is None or shape is None:
            raise InputError("a hex file needs the width of its words and the shape of the matrix", where=where)
        stored = tuple(reversed(tuple(shape))) if transpose else tuple(shape)
        array, label = _load(Path(path), name, lambda p, n: hex_file.read_hex_weights(p, n, words, stored))
    else:
        array, label = _load(Path(path), name)
    matrix = _matrix(array, label, where, transpose=transpose, groups=groups, group=group)
    if shape is not None and matrix.shape != tuple(shape):
        flipped = matrix.shape == tuple(reversed(tuple(shape)))
        raise InputError(
            f"{label} has shape {matrix.shape} (inputs, outputs), expected {tuple(shape)}",
            where=where,
            hint="set weights.transpose" if flipped else None,
        )
    return np.ascontiguousarray(matrix), array.shape


def _matrix(array: FloatArray, label: str, where: str, *, transpose: bool, groups: int, group: int) -> FloatArray:
    """A stored array as (inputs, outputs)."""
    if array.ndim in (3, 4, 5) and 0 not in array.shape:
        if not transpose:
            what = f"{label} has shape {array.shape}: a convolution kernel, whose outputs are taken from the first axis"
            raise InputError(what, where=where, hint="set weights.transpose; its rows are then the unfolded inputs")
        outputs = len(array)
        if groups < 1 or outputs % groups or not 0 <= group < groups:
            raise InputError(f"{label}: no group {group} of {groups} in {outputs} outputs", where=where)
        part = outputs // groups
        return array[group * part : (group + 1) * part].reshape(part, -1).T
    if array.ndim != 2 or 0 in array.shape:
        raise InputError(f"{label} has shape {array.shape}, expected a matrix (rows, columns)", where=where)
    if groups != 1:
        raise InputError(f"{label} is a matrix; groups belong to convolution kernels", where=where)
    return array.T if transpose else array


def load_blocks(path: str | Path, name: str | None = None) -> BlockWeights:
    """A matrix as the integers of its file, with their scales, shape (inputs, outputs): GGUF blocks, `bitnet` weights.

    Raises InputError: no such file, damaged, missing tensor, no matrix, or of a format without integers.
    """
    path = _existing(path)
    if path.suffix.lower() == ".gguf":
        file = gguf_file.GgufFile(path)
        return file.blocks(pick(name, list(file.tensors), str(path)))
    if _is_checkpoint(path):
        return checkpoint.Checkpoint(path).blocks(name)
    raise InputError("holds no blocks of integers", where=str(path), hint="give a .gguf or .safetensors file")


def load_ternary(path: str | Path, name: str | None = None) -> QuantizedWeights | None:
    """A packed ternary matrix as the digits of its file, shape (inputs, outputs), and their scales; None for any other
    tensor.

    Raises InputError: no such file, damaged, or a missing tensor.
    """
    path = _existing(path)
    if not _is_checkpoint(path):
        return None
    found = checkpoint.Checkpoint(path)
    if pick(name, list(found.shapes), str(path)) not in found.ternary:
        return None
    blocks = found.blocks(name)
    return QuantizedWeights(blocks.integers.astype(np.int16), blocks.scale[0].astype(np.float64), blocks.bits)


def ternary_names(path: str | Path) -> tuple[str, ...]:
    """Names of the packed ternary matrices of a safetensors file, a folder or an index; empty for any other file."""
    path = _existing(path)
    return checkpoint.Checkpoint(path).ternary if _is_checkpoint(path) else ()


def tensor_file(path: str | Path, name: str | None = None) -> Path:
    """The file in which a tensor lies: one of a folder's or an index's, else `path` itself."""
    path = _existing(path)
    several = _is_checkpoint(path) and path.suffix.lower() != ".safetensors"
    return checkpoint.Checkpoint(path).file_of(name) if several else path


def load_tensor(path: str | Path, name: str | None = None) -> FloatArray:
    """A tensor of any shape as it is stored, float64; the same files and refusals as `load_weights`."""
    return _load(Path(path), name)[0]


def _load(path: Path, name: str | None, reader: Reader | None = None) -> tuple[FloatArray, str]:
    """(finite numbers of a tensor, what to call it in a sentence)."""
    where = str(_existing(path))
    if _is_checkpoint(path):
        reader = checkpoint.read_checkpoint_tensor
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
    """Names of the tensors in a file that can hold several, or a folder; empty for one that holds a single array."""
    path = _existing(path)
    suffix = path.suffix.lower()
    if suffix == ".npz":
        return numpy_files.npz_names(path)
    if _is_checkpoint(path) or suffix in (".gguf", *TORCH_SUFFIXES):
        return tuple(tensor_shapes(path))
    return ()


def tensor_shapes(path: str | Path) -> dict[str, tuple[int, ...]]:
    """Shape of every tensor of a `.safetensors` or `.gguf` file, of a folder or index of the former, or of a file of
    torch, in its order, without its numbers.

    Raises:
        InputError: the file is missing, truncated or of another format.
    """
    path = _existing(path)
    suffix = path.suffix.lower()
    if suffix == ".gguf":
        return gguf_file.GgufFile(path).shapes
    if suffix in TORCH_SUFFIXES:
        return torch_file.torch_shapes(path)
    return checkpoint.Checkpoint(path).shapes


def _is_checkpoint(path: Path) -> bool:
    return path.is_dir() or path.suffix.lower() == ".safetensors" or path.name.endswith(".safetensors.index.json")


def _existing(path: str | Path) -> Path:
    path = Path(path)
    if not (path.is_file() or path.is_dir()):
        raise InputError("there is no such weight file", where=str(path))
    return path
