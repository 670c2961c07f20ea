"""Tensors of safetensors files; the header is checked before the library sees it."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from interconnect.errors import InputError, shortened
from interconnect.files import open_regular
from netlists.weights.reading import library_message, pick, widen_bfloat16

MAX_HEADER = 2**25
"""Bytes of a header: some hundred thousand tensors. The library takes 10^8, which would be gigabytes once parsed."""

READ_TYPES = ("F64", "F32", "F16", "BF16", "I64", "I32", "I16", "I8", "U64", "U32", "U16", "U8", "BOOL")


def safetensors_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Shape of every tensor of a `.safetensors` file, in its order, from the header alone.

    Raises:
        InputError: the file is missing, truncated or no safetensors file.
    """
    header, _ = _safetensors_header(path)
    try:
        return {k: tuple(int(n) for n in v["shape"]) for k, v in header.items() if k != "__metadata__"}
    except (LookupError, TypeError, ValueError, OverflowError):
        raise InputError("is not a safetensors file (its header cannot be read)", where=str(path)) from None


def _safetensors_header(path: Path) -> tuple[dict[str, Any], int]:
    """(header, start of the data); InputError for a file that is not safetensors or shorter than it says."""
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        prefix = file.read(8)
        length = int.from_bytes(prefix, "little")
        if len(prefix) < 8 or length < 2 or 8 + length > size:
            raise InputError("is truncated or not a safetensors file (no complete header)", where=str(path))
        if length > MAX_HEADER:
            raise InputError(
                f"has a header of {length} bytes, more than the {MAX_HEADER} that are read", where=str(path)
            )
        raw = file.read(length)
    try:
        header = json.loads(raw)
        ends = [v["data_offsets"][1] for k, v in header.items() if k != "__metadata__"]
        complete = 8 + length + max(ends, default=0) <= size
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, OverflowError):
        raise InputError("is not a safetensors file (its header cannot be read)", where=str(path)) from None
    if not complete:
        raise InputError(
            f"is truncated: its header promises {8 + length + max(ends)} bytes, the file has {size}", where=str(path)
        )
    return header, 8 + length


def read_safetensors_weights(path: Path, name: str | None) -> tuple[NDArray[Any], str]:
    """(a tensor, what to call it in a sentence)."""
    header, start = _safetensors_header(path)
    name = pick(name, [k for k in header if k != "__metadata__"], str(path))
    entry = header[name]
    label = f"tensor {name}"
    if entry.get("dtype") not in READ_TYPES:
        shown = shortened(str(entry.get("dtype")))
        hint = f"read are {', '.join(READ_TYPES[:-1])} and {READ_TYPES[-1]}"
        raise InputError(f"{label} is stored as {shown}", where=str(path), hint=hint)
    if entry.get("dtype") == "BF16":
        return _read_bfloat16(path, start, entry, label), label
    try:
        with safe_open(path, framework="numpy") as file:
            array: NDArray[Any] = file.get_tensor(name)
    except (SafetensorError, TypeError, ValueError, KeyError) as error:
        raise InputError(f"{label} cannot be read ({library_message(error)})", where=str(path)) from None
    return array, label


def _read_bfloat16(path: Path, start: int, entry: dict[str, Any], label: str) -> NDArray[Any]:
    try:
        shape = tuple(int(n) for n in entry["shape"])
        begin, end = (int(n) for n in entry["data_offsets"])
        if not 0 <= begin <= end:
            raise ValueError("its bytes end before they begin")
        with open_regular(path) as file:
            file.seek(start + begin)
            half = np.frombuffer(file.read(end - begin), dtype="<u2").reshape(shape)
    except (LookupError, TypeError, ValueError, OverflowError, OSError) as error:
        raise InputError(f"{label} cannot be read ({library_message(error)})", where=str(path)) from None
    return widen_bfloat16(half)
