"""How many macros a network fills: every fixed matrix is cut into tiles of its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from interconnect.errors import InputError
from metalrom.workloads.inventory.layers import WorkloadLayer
from netlists.mapping import MacroShape, TileManifest


@dataclass(frozen=True, slots=True)
class LayerTiles:
    """Macros of one layer and the share of their cells that hold a bit."""

    name: str
    rows: int
    bit_columns: int
    tiles: int
    utilisation: float


@dataclass(frozen=True, slots=True)
class NetworkTiling:
    """A network on macros of `shape`, `columns_per_weight` bit columns to a weight."""

    shape: MacroShape
    columns_per_weight: int
    layers: tuple[LayerTiles, ...]

    @property
    def tiles(self) -> int:
        """Macros in all."""
        return sum(layer.tiles for layer in self.layers)

    @property
    def utilisation(self) -> float:
        """Share of all cells that hold a bit; 0 for a network without fixed matrices."""
        cells = self.tiles * self.shape.cells
        return (
            sum(layer.utilisation * layer.tiles for layer in self.layers) * self.shape.cells / cells if cells else 0.0
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "macro": {"rows": self.shape.rows, "columns": self.shape.columns, "planes": self.shape.planes},
            "columns_per_weight": self.columns_per_weight,
            "tiles": self.tiles,
            "utilisation": self.utilisation,
            "layers": [
                {
                    "name": t.name,
                    "rows": t.rows,
                    "bit_columns": t.bit_columns,
                    "tiles": t.tiles,
                    "utilisation": t.utilisation,
                }
                for t in self.layers
            ],
        }


def tile_inventory(layers: Sequence[WorkloadLayer], shape: MacroShape, columns_per_weight: int) -> NetworkTiling:
    """Place every layer's matrix (a convolution's as kernel rows x outputs, one per group) on macros of `shape`.

    The rule is that of `netlists.mapping.tile`; its arithmetic alone is used, no bit is made. Raises InputError if
    columns_per_weight is below 1.
    """
    if columns_per_weight < 1:
        raise InputError(f"{columns_per_weight} columns per weight", hint="expected at least 1")
    found = []
    for layer in layers:
        matrix = layer.matrix
        if matrix is None:
            continue
        manifest = TileManifest(shape, matrix.rows, matrix.columns * columns_per_weight)
        tiles = manifest.tiles * matrix.copies
        found.append(LayerTiles(layer.name, manifest.rows, manifest.bit_columns, tiles, manifest.utilisation))
    return NetworkTiling(shape, columns_per_weight, tuple(found))
