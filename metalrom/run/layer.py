"""The layer of a run: its integer weights and activations, as the output folder keeps them."""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from interconnect.arrays import IntArray
from interconnect.errors import DamagedFile, InputError, one_line
from interconnect.files import atomic_file
from metalrom.run.manifest import RERUN_HINT
from netlists.weights.numpy_files import DAMAGED, check_arrays

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


def parse_stored_layer(content: bytes, *, where: str) -> StoredLayer:
    """What `write_stored_layer` wrote, from the file's bytes. Raises DamagedFile naming `where` for anything else."""
    found = {}
    try:
        check_arrays(io.BytesIO(content))
        with np.load(io.BytesIO(content), allow_pickle=False) as data:
            for name in ("weights", "activations"):
                if name not in data.files:
                    raise DamagedFile(f"holds no {name}", where=where, hint=RERUN_HINT)
                found[name] = data[name]
    except InputError:
        raise
    except (OSError, *DAMAGED) as error:
        raise DamagedFile(f"is damaged ({one_line(str(error))})", where=where, hint=RERUN_HINT) from None
    for name, values in found.items():
        if values.ndim != 2 or values.dtype.kind != "i" or not 0 < values.size <= _LARGEST:
            raise DamagedFile(f"{name} is not an integer matrix", where=where, hint=RERUN_HINT)
    w, x = (found[name].astype(np.int64) for name in ("weights", "activations"))
    if x.shape[1] != w.shape[0]:
        raise DamagedFile(f"activations have {x.shape[1]} inputs, weights {w.shape[0]}", where=where, hint=RERUN_HINT)
    return StoredLayer(w, x)
