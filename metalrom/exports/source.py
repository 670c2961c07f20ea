"""What every export is made from: a finished run with its table, its estimate and its layer."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from characterization.table import ReadoutTable
from interconnect.errors import InputError, one_line
from interconnect.files import atomic_file
from metalrom.manifest import check_intact
from metalrom.results import RunResults, read_results, read_table
from netlists.weights.numpy_files import DAMAGED

if TYPE_CHECKING:
    from metalrom.macro import Macro
    from metalrom.macro.estimate import LayerEstimate

LAYER = "layer.npz"
_LARGEST = 2**28
"""Entries of one array in `layer.npz`."""


@dataclass(frozen=True)
class Layer:
    """The stored layer: integer weights (inputs, outputs) and integer activations (vectors, inputs)."""

    weights: NDArray[np.int64]
    activations: NDArray[np.int64]


@dataclass(frozen=True)
class Source:
    """A finished run. folder: its output folder."""

    folder: Path
    results: RunResults
    table: ReadoutTable

    @cached_property
    def estimate(self) -> LayerEstimate:
        """Cost of the run's layer at the nominal condition."""
        from metalrom.estimates import own_layer

        return own_layer(self.results, self.table)

    @cached_property
    def layer(self) -> Layer:
        """Weights and activations of the run. Raises InputError for a run of an older version or a damaged file."""
        return read_layer(self.folder)

    def macro(self, condition: str | None = None, **options: Any) -> Macro:
        """The run's macro as a calculator, at a condition (default: the nominal one). options: further ones of it."""
        from metalrom.macro import Macro

        g = self.results.macro_geometry
        return Macro(
            self.table,
            condition or self.results.condition,
            weight_bits=g.weight_bits,
            input_bits=g.input_bits,
            mapping=g.mapping,
            seed=self.results.seed,
            columns_per_adc=g.columns_per_adc,
            groups_per_adc=-(-g.rows // self.table.rows),
            signed_cells=g.signed_cells,
            **options,
        )

    @property
    def assumptions(self) -> tuple[str, ...]:
        """Every assumption and warning as one line of text, for comments in exported files."""
        listed = (f"{a.name}: {a.value} ({a.status}; {a.source})" for a in self.table.assumptions)
        return (*(f"WARNING: {w}" for w in self.results.warnings), *listed)

    @property
    def stamp(self) -> tuple[str, ...]:
        """Lines that say what an exported file is: version, run, domain, fingerprint."""
        from metalrom import __version__
        from metalrom.exports.content import content_sha256

        labels = ", ".join(c.label for c in self.table.conditions)
        table = self.table
        return (
            f"metalrom {__version__}, run {self.results.name}, cell {table.cell}, {table.rows} rows per conversion",
            f"domain: conditions {labels}; counts 0..driven rows, driven rows 0..{self.table.rows}; nothing beyond",
            f"content sha256 {content_sha256(self.table)}",
        )


def load_source(folder: Path) -> Source:
    """A finished run's folder. Raises InputError for an unfinished or damaged one."""
    return Source(folder, read_results(folder), read_table(folder))


def write_layer(folder: Path, weights: NDArray[np.int64], activations: NDArray[np.int64]) -> Path:
    """Write `layer.npz` (equal arrays give equal bytes)."""
    path = folder / LAYER
    with atomic_file(path) as file:
        np.savez_compressed(file, weights=np.asarray(weights, np.int16), activations=np.asarray(activations, np.int16))
    return path


def read_layer(folder: Path) -> Layer:
    """Read what `write_layer` wrote. Raises InputError for a missing, damaged or foreign file."""
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
    return Layer(w, x)
