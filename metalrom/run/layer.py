"""The layer of a run: its integer weights and activations, as the output folder keeps them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from interconnect.arrays import IntArray
from interconnect.errors import InputError, one_line
from interconnect.files import atomic_file
from metalrom.run.manifest import check_intact
from netlists.weights.numpy_files import DAMAGED

if TYPE_CHECKING:
    pass


LAYER = "layer.npz"


_LARGEST = 2**28
"""Entries of one array in `layer.npz`."""


@dataclass(frozen=True)
class StoredLayer:
    """The stored layer: integer weights (inputs, outputs) and integer activations (vectors, inputs)."""

    weights: IntArray
    activations: IntArray


def write_stored_layer(folder: Path, weights: IntArray, activations: IntArray) -> Path:
    """Write `layer.npz` (equal arrays give equal bytes)."""
    path = folder / LAYER
    with atomic_file(path) as file:
        np.savez_compressed(file, weights=np.asarray(weights, np.int16), activations=np.asarray(activations, np.int16))
    return path


def read_stored_layer(folder: Path) -> StoredLayer:
    """Read what `write_stored_layer` wrote. Raises InputError for a missing, damaged or foreign file."""
    path = folder / LAYER
    check_intact(folder, LAYER)
    found = {}
    try:
        with np.load(path, allow_pickle=False) as data:
            for name in ("weights", "activations"):
                if name not in data.files:
                    raise InputError(f"holds no {name}", where=str(path), hint="run the configuration again")
                found[name] = data[name]
    except OSError as error:
        raise InputError(
            f"cannot be read ({error.strerror or error})", where=str(path), hint="run the configuration again"
        ) from None
    except DAMAGED as error:
        raise InputError(
            f"is damaged ({one_line(str(error))})", where=str(path), hint="run the configuration again"
        ) from None
    for name, values in found.items():
        if values.ndim != 2 or values.dtype.kind != "i" or not 0 < values.size <= _LARGEST:
            raise InputError(f"{name} is no integer matrix", where=str(path))
    w, x = (found[name].astype(np.int64) for name in ("weights", "activations"))
    if x.shape[1] != w.shape[0]:
        raise InputError(f"activations have {x.shape[1]} inputs, weights {w.shape[0]}", where=str(path))
    return StoredLayer(w, x)
