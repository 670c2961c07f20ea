"""Checkpoints of the Hugging Face libraries: one safetensors file, or a folder of several with their index.

A tensor is read in its real units: 8-bit floats times the scale that lies beside them, ternary weights of the format
`bitnet` unpacked.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interconnect.errors import InputError, shortened
from interconnect.files import read_text
from interconnect.suggestion import suggest
from netlists.weights.blocks import BlockWeights
from netlists.weights.reading import pick
from netlists.weights.safetensors_file import read_safetensor, safetensors_header

INDEX = "model.safetensors.index.json"
CONFIG = "config.json"
MAX_INDEX = 2**26
"""Bytes of an index or a configuration."""

FP8_BLOCK = (128, 128)
"""Outputs and inputs that share a scale where config.json names no weight_block_size (DeepSeek-V3)."""

_SCALES = ("{name}_scale_inv", "{name}_scale", "{base}.scale_weight")
"""Names of the scale of a tensor of 8-bit floats, all of them factors (DeepSeek, compressed-tensors, ComfyUI)."""

_PACKED = ("U8", "I8", "I32", "U32")
_READ_METHODS = ("bitnet", "fp8", "fbgemm_fp8", "compressed-tensors")


class Checkpoint:
    """The tensors of a safetensors file, of a folder, or of an index file of several: headers now, data on request.

    Raises
    ------
    InputError
        Something is missing, damaged, or an index names a file outside its folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.folder = path if path.is_dir() else path.parent
        self._files = _files(path)
        headers = {file: safetensors_header(file)[0] for file in dict.fromkeys(self._files.values())}
        if not self._files:  # a single file
            headers = {path: safetensors_header(path)[0]}
            self._files = dict.fromkeys(headers[path], path)
        self._entries: dict[str, Mapping[str, Any]] = {}
        for name, file in self._files.items():
            if name not in headers[file]:
                raise InputError(
                    f"lacks the tensor {shortened(repr(name))} that the index places there", where=str(file)
                )
            self._entries[name] = headers[file][name]

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of every tensor; of packed ternary weights that of the matrix, (outputs, inputs)."""
        found = {name: tuple(entry["shape"]) for name, entry in self._entries.items()}
        return {n: (4 * shape[0], *shape[1:]) if self._is_bitnet(n) else shape for n, shape in found.items()}

    @property
    def ternary(self) -> tuple[str, ...]:
        """Names of the packed ternary matrices, in the order of the file."""
        return tuple(name for name in self._entries if self._is_bitnet(name))

    def file_of(self, name: str | None) -> Path:
        """The file that holds a tensor."""
        return self._files[self._pick(name)]

    def numbers(self, name: str | None) -> tuple[NDArray[Any], str]:
        """(a tensor in its real units, what to call it in a sentence)."""
        name = self._pick(name)
        if self._is_bitnet(name):
            return self.blocks(name).dequantized().T, f"tensor {name}"
        array, kind = read_safetensor(self._files[name], name)
        if kind in _PACKED and self._method() not in (None, *_READ_METHODS):
            what = f"tensor {name} is packed by the method {shortened(repr(self._method()))}, which is not read"
            raise InputError(what, where=str(self.folder / CONFIG))
        if kind.startswith("F8"):
            array = self._scaled(name, array)
        return array, f"tensor {name}"

    def tensor(self, name: str | None) -> NDArray[np.float32]:
        """A tensor in its real units, in single precision. Raises InputError as `numbers`, and for NaN or infinity."""
        array, label = self.numbers(name)
        out = array.astype(np.float32)
        if not np.isfinite(out).all():
            raise InputError(f"{label} holds NaN or infinity", where=str(self.path))
        return out

    def blocks(self, name: str | None) -> BlockWeights:
        """A ternary matrix of the format `bitnet`, shape (inputs, outputs): digits, one scale for each output.

        Four rows of outputs share a byte: row r + k outputs/4 has the bits 2k and 2k + 1, digit + 1. The class of the
        layers decides about the scale: a `bitlinear` divides by it, an `autobitlinear` multiplies (transformers,
        integrations/bitnet.py). Raises InputError for another tensor, the code 3, or a scale of neither kind.
        """
        name = self._pick(name)
        if not self._is_bitnet(name):
            hint = "uint8 with NAME_scale beside it is"
            raise InputError(f"tensor {name} is no packed ternary matrix", where=str(self.path), hint=hint)
        place = f"{self._files[name]}: tensor {name}"
        packed, _ = read_safetensor(self._files[name], name)
        if (packed & packed >> 1 & 0x55).any():
            raise InputError("holds the code 3, which is no ternary digit", where=place)
        digits = np.concatenate([(packed >> shift & 3).astype(np.int8) - np.int8(1) for shift in (0, 2, 4, 6)])
        scale, _ = read_safetensor(self._files[f"{name}_scale"], f"{name}_scale")
        outputs, inputs = digits.shape
        if scale.size not in (1, outputs) or not (np.isfinite(scale).all() and (scale != 0).all()):
            raise InputError(f"its scale of shape {scale.shape} fits no {outputs} outputs, or is 0", where=place)
        factors = np.ones((1, outputs), np.float32) * scale.astype(np.float32).reshape(1, -1)
        if self._divides(place):
            with np.errstate(over="ignore"):  # found by the values
                factors = np.float32(1) / factors
        return BlockWeights(
            "bitnet", 2, np.ascontiguousarray(digits.T), factors, np.zeros((1, outputs), np.float32), inputs
        )

    def _is_bitnet(self, name: str) -> bool:
        entry = self._entries[name]
        beside = self._entries.get(f"{name}_scale")
        return (
            entry.get("dtype") == "U8" and len(entry["shape"]) == 2 and 0 not in entry["shape"] and beside is not None
        )

    def _divides(self, place: str) -> bool:
        quantization = self._quantization()
        if quantization.get("quant_method") != "bitnet":
            what = "is packed, with a scale, and no config.json beside it says that it is of the method bitnet"
            hint = 'quantization_config: {"quant_method": "bitnet", "linear_class": "bitlinear" or "autobitlinear"}'
            raise InputError(what, where=place, hint=hint)
        kind = quantization.get("linear_class", "bitlinear")  # the library's own default
        if kind not in ("bitlinear", "autobitlinear"):
            where = f"{self.folder / CONFIG}: quantization_config.linear_class"
            raise InputError(f"is {shortened(repr(kind))}", where=where, hint="expected bitlinear or autobitlinear")
        return bool(kind == "bitlinear")

    def _scaled(self, name: str, array: NDArray[Any]) -> NDArray[Any]:
        """8-bit floats times their scale: one number, one for each output, or one for each block of a matrix."""
        base = name.removesuffix(".weight")
        beside = next(
            (n for s in _SCALES if (n := s.format(name=name, base=base)) in self._entries and n != name), None
        )
        if beside is None:
            others = [n for n in self._entries if n.startswith(base) and "scale" in n and "input_scale" not in n]
            if others:
                what = f"tensor {name} has 8-bit floats, and what its scale {shortened(others[0])} means is not known"
                raise InputError(what, where=str(self.path), hint="known: NAME_scale, NAME_scale_inv")
            return array
        scale = read_safetensor(self._files[beside], beside)[0].astype(np.float32)
        if scale.size == 1:
            return array * scale.reshape(())
        if array.ndim == 2 and scale.shape in ((len(array),), (len(array), 1)):
            return array * scale.reshape(-1, 1)
        block = self._quantization().get("weight_block_size", FP8_BLOCK)
        sizes = block if isinstance(block, list | tuple) and len(block) == 2 else FP8_BLOCK
        fits = all(isinstance(b, int) and b > 0 for b in sizes) and scale.ndim == array.ndim == 2
        if not fits or scale.shape != tuple(-(-n // b) for n, b in zip(array.shape, sizes, strict=True)):
            what = f"tensor {name} of shape {array.shape} has a scale of shape {scale.shape} in {beside}"
            raise InputError(
                what, where=str(self.path), hint="one number, one per output, or one per block of 128 x 128"
            )
        for axis, size in enumerate(sizes):
            scale = scale.repeat(size, axis=axis)
        return array * scale[: array.shape[0], : array.shape[1]]

    def _method(self) -> object:
        return self._quantization().get("quant_method")

    def _quantization(self) -> Mapping[str, Any]:
        """What config.json says of quantization; nothing where there is none."""
        path = self.folder / CONFIG
        found = _json(path).get("quantization_config") if path.is_file() else None
        return found if isinstance(found, dict) else {}

    def _pick(self, name: str | None) -> str:
        return pick(name, list(self._entries), str(self.path))


def read_checkpoint_tensor(path: Path, name: str | None) -> tuple[NDArray[Any], str]:
    """(a tensor in its real units, what to call it in a sentence). Raises InputError as `Checkpoint`."""
    return Checkpoint(path).numbers(name)


def _files(path: Path) -> dict[str, Path]:
    """File of every tensor of a folder or an index; empty for a single file."""
    if path.is_dir():
        if (path / INDEX).is_file():
            return _files(path / INDEX)
        if not (path / "model.safetensors").is_file():
            hint = "a file pytorch_model.bin is given by its own path" if any(path.glob("*.bin")) else None
            raise InputError(f"holds neither model.safetensors nor {INDEX}", where=str(path), hint=hint)
        return dict.fromkeys(safetensors_header(path / "model.safetensors")[0], path / "model.safetensors")
    if path.suffix.lower() != ".json":
        return {}
    listed = _json(path).get("weight_map")
    if not isinstance(listed, dict) or not listed:
        raise InputError("is no index of safetensors files (its weight_map is missing)", where=str(path))
    files: dict[str, Path] = {}
    for name, file in listed.items():
        plain = isinstance(file, str) and file == Path(file).name and file.endswith(".safetensors") and "\0" not in file
        if not plain:
            hint = "the name of a .safetensors file beside the index"
            raise InputError(f"places tensors in {shortened(repr(file))}", where=str(path), hint=hint)
        files[name] = path.parent / file
    for file in dict.fromkeys(files.values()):
        if not file.is_file():
            near = suggest(file.name, [other.name for other in path.parent.glob("*.safetensors")])
            raise InputError(f"names the file {shortened(file.name)}, which is not there", where=str(path), hint=near)
    return files


def _json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(read_text(path, limit=MAX_INDEX))
    except (ValueError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError("is not valid JSON", where=str(path)) from None
    if not isinstance(data, dict):
        raise InputError("holds no JSON object", where=str(path))
    return data
