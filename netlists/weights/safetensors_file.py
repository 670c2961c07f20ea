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

READ_TYPES = (
    "F64",
    "F32",
    "F16",
    "BF16",
    "I64",
    "I32",
    "I16",
    "I8",
    "U64",
    "U32",
    "U16",
    "U8",
    "F8_E4M3",
    "F8_E5M2",
    "BOOL",
)


def safetensors_header(path: Path) -> tuple[dict[str, Any], int]:
    """(entries by name with their `dtype` and `shape`, start of the data), from the header alone.

    Raises InputError for a file that is missing, not safetensors, or shorter than it says.
    """
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
        header.pop("__metadata__", None)
        ends = [v["data_offsets"][1] for v in header.values()]
        for entry in header.values():
            entry["shape"] = tuple(int(n) for n in entry["shape"])
        complete = 8 + length + max(ends, default=0) <= size
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, OverflowError):
        raise InputError("is not a safetensors file (its header cannot be read)", where=str(path)) from None
    if not complete:
        raise InputError(
            f"is truncated: its header promises {8 + length + max(ends)} bytes, the file has {size}", where=str(path)
        )
    return header, 8 + length


def read_safetensor(path: Path, name: str) -> tuple[NDArray[Any], str]:
    """(a tensor of that file, its stored type); bfloat16 and 8-bit floats in single precision."""
    header, start = safetensors_header(path)
    entry = header[pick(name, list(header), str(path))]
    kind, label = entry.get("dtype"), f"tensor {name}"
    if kind not in READ_TYPES:
        hint = f"read are {', '.join(READ_TYPES[:-1])} and {READ_TYPES[-1]}"
        raise InputError(f"{label} is stored as {shortened(str(kind))}", where=str(path), hint=hint)
    if kind == "BF16":
        return widen_bfloat16(_read_bytes(path, start, entry, label, "<u2")), kind
    if kind == "F8_E5M2":  # the upper half of a half-precision number
        return (_read_bytes(path, start, entry, label, "u1").astype("<u2") << 8).view("<f2").astype(np.float32), kind
    if kind == "F8_E4M3":
        return _E4M3[_read_bytes(path, start, entry, label, "u1")], kind
    try:
        with safe_open(path, framework="numpy") as file:
            array: NDArray[Any] = file.get_tensor(name)
    except (SafetensorError, TypeError, ValueError, KeyError) as error:
        raise InputError(f"{label} cannot be read ({library_message(error)})", where=str(path)) from None
    return array, kind


def _read_bytes(path: Path, start: int, entry: dict[str, Any], label: str, code: str) -> NDArray[Any]:
    try:
        begin, end = (int(n) for n in entry["data_offsets"])
        if not 0 <= begin <= end:
            raise ValueError("its bytes end before they begin")
        with open_regular(path) as file:
            file.seek(start + begin)
            return np.frombuffer(file.read(end - begin), dtype=code).reshape(entry["shape"])
    except (LookupError, TypeError, ValueError, OverflowError, OSError) as error:
        raise InputError(f"{label} cannot be read ({library_message(error)})", where=str(path)) from None


def _four_and_three() -> NDArray[np.float32]:
    """Values of the 256 codes of E4M3 (arXiv 2209.05433): exponent bias 7, no infinity, S.1111.111 is NaN."""
    code = np.arange(256)
    exponent, fraction = code >> 3 & 15, code & 7
    size = np.where(exponent == 0, fraction / 8 * 2.0**-6, (1 + fraction / 8) * 2.0 ** (exponent - 7.0))
    size[code & 127 == 127] = np.nan
    return np.where(code & 128, -size, size).astype(np.float32)


_E4M3 = _four_and_three()
