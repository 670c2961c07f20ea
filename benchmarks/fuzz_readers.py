"""Readers of the libraries that no command reaches alone; each takes the case's path."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from characterization.models.surrogate import load_surrogate
from characterization.tables.formats import read_table
from characterization.tables.netcdf import read_plane_tables
from metalrom.studies.systems.description import read_system
from netlists.devices.device_set import load_devices
from netlists.weights.loading import load_blocks, load_tensor, load_weights, tensor_names


def _weights(path: Path) -> None:
    """The tensor `w` or the only one, as a matrix and as it is stored."""
    names = tensor_names(path)
    named = ("w" if "w" in names else names[0]) if names else None
    if path.suffix == ".hex":
        from netlists.weights.hex_file import Words

        load_weights(path, shape=(16, 2), words=Words(4))
        return
    load_weights(path, named)
    load_tensor(path, named)


READERS: dict[str, Callable[[Path], Any]] = {
    "weights": _weights,
    "blocks": load_blocks,
    "csv": lambda path: read_table("csv", path),
    "json": lambda path: read_table("json", path),
    "netcdf": lambda path: read_table("netcdf", path),
    "parquet": lambda path: read_table("parquet", path),
    "planes": read_plane_tables,
    "surrogate": lambda path: load_surrogate(path).predict(np.array([[1.0]])),
    "system": read_system,
    "devices": lambda path: [load_devices(path).cards(corner) for corner in load_devices(path).corners],
}
"""Name after `read:` -> reader."""
