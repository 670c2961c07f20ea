"""The place of a program's symbols on macros of one size: tiles, their planes, rows and columns."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from interconnect.arrays import IntArray
from interconnect.errors import InputError
from netlists.mapping.program import Encoding, ViaProgram
from netlists.parameters import parameter, require


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

    def plane_of(self, bit_columns: IntArray) -> IntArray:
        """Plane, counted from the lowest, of bit columns of a program; its rows do not matter."""
        return np.asarray(bit_columns // self.columns % self.planes)


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
    encoding: Encoding = field(default_factory=Encoding)
    """What the symbols mean: the reader of the macro's results needs it."""

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
            "encoding": self.encoding.to_json(),
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
    return TileManifest(shape, program.rows, program.bit_columns, program.encoding)
