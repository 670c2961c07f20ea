"""Integer weights as via bits (differential sign-magnitude bit planes), and their place on macros."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interconnect.errors import InputError
from netlists.parameters import parameter, require

BitArray = NDArray[np.uint8]
IndexArray = NDArray[np.int64]
IntArray = NDArray[np.int16]


@dataclass(frozen=True)
class ViaProgram:
    """Via bits of a weight matrix and what each bit column stands for.

    bits: shape (rows, bit_columns), 0 or 1. weight_column, sign (+1 or -1), significance (power of two): shape
    (bit_columns,). A weight is the sum over its bit columns of sign * 2^significance * bit.
    """

    bits: BitArray
    weight_column: IndexArray
    sign: IndexArray
    significance: IndexArray

    def __post_init__(self) -> None:
        if self.bits.ndim != 2 or self.bits.dtype != np.uint8 or (self.bits > 1).any():
            raise InputError("a via program holds bits 0 and 1, shape (rows, bit columns)")
        for name in ("weight_column", "sign", "significance"):
            if getattr(self, name).shape != (self.bit_columns,):
                raise InputError(f"via program: {name} has shape {getattr(self, name).shape}")

    @property
    def rows(self) -> int:
        """Number of rows (inputs)."""
        return int(self.bits.shape[0])

    @property
    def bit_columns(self) -> int:
        """Number of bit columns."""
        return int(self.bits.shape[1])

    @property
    def weight_columns(self) -> int:
        """Number of weight columns (outputs)."""
        return int(self.weight_column.max(initial=-1)) + 1


def via_program(weights: IntArray, bits: int) -> ViaProgram:
    """Differential sign-magnitude bit planes of integer weights.

    weights: shape (rows, cols), within +-(2^(bits-1) - 1). Each weight column becomes 2 (bits - 1) bit columns: for
    every significance from 0 up one for positive and, next to it, one for negative weights. Nothing is lost:
    `weights_of` is the exact inverse.

    Raises:
        InputError: not an integer matrix, or a weight out of range.
    """
    w = np.asarray(weights)
    if w.ndim != 2 or w.dtype.kind not in "iu":
        raise InputError(f"weights of type {w.dtype} and shape {w.shape} are not an integer matrix")
    if not 2 <= bits <= 15:
        raise InputError(f"{bits} bits per weight cannot be mapped", hint="2 to 15")
    planes, top = bits - 1, 2 ** (bits - 1) - 1
    magnitude = np.abs(w.astype(np.int64))
    if (magnitude > top).any():
        raise InputError(f"a weight of magnitude {int(magnitude.max())} does not fit {bits} bits (at most {top})")
    rows, cols = w.shape
    out = np.zeros((rows, cols, planes, 2), dtype=np.uint8)
    for k in range(planes):
        bit = ((magnitude >> k) & 1).astype(np.uint8)
        out[:, :, k, 0] = bit * (w > 0)
        out[:, :, k, 1] = bit * (w < 0)
    column, significance, negative = (x.ravel() for x in np.indices((cols, planes, 2)))
    return ViaProgram(
        out.reshape(rows, cols * planes * 2),
        column.astype(np.int64),
        (1 - 2 * negative).astype(np.int64),
        significance.astype(np.int64),
    )


def weights_of(program: ViaProgram, bits: BitArray | None = None) -> NDArray[np.int64]:
    """Integer weights, shape (rows, weight columns), of a program (or of other bits with its meaning)."""
    b = program.bits if bits is None else bits
    out = np.zeros((program.rows, program.weight_columns), dtype=np.int64)
    worth = program.sign << program.significance
    np.add.at(out.T, program.weight_column, (b * worth).T)
    return out


@dataclass(frozen=True, slots=True, kw_only=True)
class MacroShape:
    """Size of one macro (tile): cells = rows x columns x planes."""

    rows: int = parameter(256, "", "rows per plane")
    columns: int = parameter(256, "", "bit columns per plane")
    planes: int = parameter(1, "", "stacked planes")

    def __post_init__(self) -> None:
        for name in ("rows", "columns", "planes"):
            value = getattr(self, name)
            require(isinstance(value, int) and value >= 1, f"is {value!r}", where=f"macro.{name}", hint="1 or more")

    @property
    def cells(self) -> int:
        """Cells of one macro."""
        return self.rows * self.columns * self.planes


@dataclass(frozen=True, slots=True)
class Placement:
    """The part of a program that one plane of one tile holds: rows and bit columns as half-open ranges."""

    tile: int
    plane: int
    row_start: int
    row_stop: int
    column_start: int
    column_stop: int

    @property
    def rows(self) -> int:
        """Used rows of the plane."""
        return self.row_stop - self.row_start

    @property
    def columns(self) -> int:
        """Used bit columns of the plane."""
        return self.column_stop - self.column_start


@dataclass(frozen=True, slots=True)
class TileManifest:
    """Where every bit of a program sits. Tiles of one block of rows follow each other; a plane holds consecutive
    bit columns, planes fill before the next tile begins."""

    shape: MacroShape
    rows: int
    bit_columns: int

    @property
    def row_blocks(self) -> int:
        """Number of blocks that the rows are cut into."""
        return math.ceil(self.rows / self.shape.rows)

    @property
    def tiles_per_block(self) -> int:
        """Tiles side by side for all bit columns of one block of rows."""
        return math.ceil(self.bit_columns / (self.shape.columns * self.shape.planes))

    @property
    def tiles(self) -> int:
        """Number of tiles."""
        return self.row_blocks * self.tiles_per_block

    @property
    def utilisation(self) -> float:
        """Share of the tiles' cells that hold a bit of the program."""
        return self.rows * self.bit_columns / (self.tiles * self.shape.cells)

    def placements(self, tile: int | None = None) -> Iterator[Placement]:
        """Used planes of every tile (or of one), in order."""
        for t in range(self.tiles) if tile is None else (tile,):
            block, part = divmod(t, self.tiles_per_block)
            row = block * self.shape.rows
            for plane in range(self.shape.planes):
                column = (part * self.shape.planes + plane) * self.shape.columns
                if column >= self.bit_columns:
                    break
                yield Placement(
                    t,
                    plane,
                    row,
                    min(row + self.shape.rows, self.rows),
                    column,
                    min(column + self.shape.columns, self.bit_columns),
                )

    def locate(self, row: int, bit_column: int) -> tuple[int, int, int, int]:
        """(tile, plane, row in the tile, column in the plane) of a bit of the program."""
        if not (0 <= row < self.rows and 0 <= bit_column < self.bit_columns):
            raise InputError(f"bit ({row}, {bit_column}) is outside the program of {self.rows} x {self.bit_columns}")
        block, r = divmod(row, self.shape.rows)
        plane, column = divmod(bit_column, self.shape.columns)
        part, plane = divmod(plane, self.shape.planes)
        return block * self.tiles_per_block + part, plane, r, column

    def to_json(self) -> dict[str, Any]:
        """The manifest as a JSON document (ranges are half-open)."""
        return {
            "macro": {"rows": self.shape.rows, "columns": self.shape.columns, "planes": self.shape.planes},
            "rows": self.rows,
            "bit_columns": self.bit_columns,
            "tiles": self.tiles,
            "utilisation": self.utilisation,
            "placements": [
                {
                    "tile": p.tile,
                    "plane": p.plane,
                    "rows": [p.row_start, p.row_stop],
                    "bit_columns": [p.column_start, p.column_stop],
                }
                for p in self.placements()
            ],
        }


def tile(program: ViaProgram, shape: MacroShape) -> TileManifest:
    """Place a program on as few macros of `shape` as its order allows."""
    return TileManifest(shape, program.rows, program.bit_columns)
