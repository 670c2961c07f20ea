"""Tensors of torch's own files (`.pt`, `.pth`, `.bin`), read with `weights_only`: no code of the file runs.

Such a file is a zip archive of a list of pickled names and of the tensors' bytes. It is taken only if the archive is
not compressed (its size then bounds what is read) and the list holds nothing but tensors by name.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interconnect.errors import InputError, error_text, shortened
from interconnect.files import open_regular
from interconnect.optional import optional_library
from netlists.weights.reading import library_message, pick

MAX_LIST = 2**26
"""Bytes of the pickled list of tensors."""

_CONVERT = "safetensors.torch.save_file(tensors, 'model.safetensors') makes a file that is read without torch"


def torch_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Shape of every tensor. Raises InputError as `read_torch`."""
    return {name: tuple(tensor.shape) for name, tensor in _tensors(path).items()}


def read_torch(path: Path, name: str | None) -> tuple[NDArray[Any], str]:
    """(a tensor, what to call it in a sentence); floats of less than 32 bits in single precision.

    Raises InputError: no such archive, anything in it that is no tensor, a missing or unusual tensor; MissingLibrary
    without the extra `networks`.
    """
    torch = optional_library("torch", extra="networks", purpose=f"{path.suffix} files")
    tensors = _tensors(path)
    name = pick(name, list(tensors), str(path))
    tensor, label = tensors[name].detach(), f"tensor {name}"
    if tensor.layout != torch.strided or tensor.is_quantized:
        raise InputError(f"{label} is sparse or quantized by torch", where=str(path), hint="store it as plain numbers")
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        raise InputError(f"{label} claims more numbers than are stored for it", where=str(path))
    try:
        array: NDArray[Any] = (tensor.float() if tensor.is_floating_point() and tensor.itemsize < 4 else tensor).numpy()
    except (RuntimeError, TypeError) as error:
        raise InputError(f"{label} cannot be read ({library_message(error)})", where=str(path)) from None
    return np.array(array), label


def _tensors(path: Path) -> dict[str, Any]:
    """Tensors by name, their bytes left in the file until they are used."""
    torch = optional_library("torch", extra="networks", purpose=f"{path.suffix} files")
    where = str(path)
    try:
        with open_regular(path) as file, zipfile.ZipFile(file) as archive:
            for member in archive.infolist():
                if member.compress_type != zipfile.ZIP_STORED or member.file_size != member.compress_size:
                    raise InputError("is a compressed archive, which torch does not write", where=where)
                if member.filename.endswith(".pkl") and member.file_size > MAX_LIST:
                    raise InputError(f"has a list of tensors of {member.file_size} bytes", where=where)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, OverflowError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError("is not a whole file of torch 1.6 or later", where=where, hint=_CONVERT) from None
    try:
        found = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:  # whatever a damaged or hostile archive makes of the library
        reason = error_text(error).strip().partition("\n")[0]
        what = f"cannot be read as tensors alone ({shortened(reason, 120)})"
        raise InputError(what, where=where, hint=_CONVERT) from None
    if isinstance(found, torch.Tensor):
        return {"tensor": found}
    if not isinstance(found, dict):
        raise InputError(f"holds a {type(found).__name__}, not tensors by name", where=where, hint=_CONVERT)
    for name, value in found.items():
        if not (isinstance(name, str) and isinstance(value, torch.Tensor)):
            what = f"holds {shortened(repr(name))}, which is a {type(value).__name__} and no tensor"
            raise InputError(what, where=where, hint=_CONVERT)
    return found
