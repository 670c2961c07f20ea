"""Several layers on many macros, with one manifest that says where every cell of every layer is.

A layer is cut into strips of at most a macro's rows; strips are packed on shelves: horizontal bands of a plane, in
which strips follow each other column by column. A strip goes on in the next shelf that has room (first fit, tallest
strips first), so any bit column of a layer is whole within a strip, and shelves begin where bit lines are cut.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from interconnect.arrays import BoolArray, ByteArray
from interconnect.errors import InputError
from interconnect.suggestion import suggest
from netlists.mapping import Encoding, MacroShape, ViaProgram
from netlists.parameters import require

FORMAT = "metalrom tiling 1"


@dataclass(frozen=True, slots=True)
class TiledLayer:
    """A layer of a tiling: its name, size of its program, what its symbols mean."""

    name: str
    rows: int
    bit_columns: int
    encoding: Encoding


@dataclass(frozen=True, slots=True)
class Piece:
    """A rectangle of a layer in a plane of a macro: `rows` x `columns` cells from (row, column) of the plane on, which
    hold those from (row_start, column_start) of the layer's program on."""

    layer: str
    macro: int
    plane: int
    row: int
    column: int
    rows: int
    columns: int
    row_start: int
    column_start: int


@dataclass(frozen=True)
class Tiling:
    """Where the cells of several layers are. `pieces` are in order of macro, plane, row, column."""

    shape: MacroShape
    layers: tuple[TiledLayer, ...]
    pieces: tuple[Piece, ...]
    row_step: int = 1
    _strips: dict[str, dict[int, tuple[list[int], list[Piece]]]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        strips: dict[str, dict[int, tuple[list[int], list[Piece]]]] = {layer.name: {} for layer in self.layers}
        for piece in sorted(self.pieces, key=lambda p: p.column_start):
            if piece.layer not in strips:
                raise InputError(f"tiling: a piece is of the unknown layer {piece.layer!r}")
            starts, pieces = strips[piece.layer].setdefault(piece.row_start, ([], []))
            starts.append(piece.column_start)
            pieces.append(piece)
        object.__setattr__(self, "_strips", strips)
        self._check()

    @property
    def macros(self) -> int:
        """Number of macros."""
        return max((p.macro for p in self.pieces), default=-1) + 1

    @property
    def utilisation(self) -> float:
        """Share of the macros' cells that hold a symbol of a layer."""
        cells = sum(p.rows * p.columns for p in self.pieces)
        return cells / (self.macros * self.shape.cells)

    def layer(self, name: str) -> TiledLayer:
        """The layer of a name; InputError with a suggestion for an unknown one."""
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise InputError(f"there is no layer {name!r}", hint=suggest(name, [x.name for x in self.layers]))

    def locate(self, layer: str, row: int, bit_column: int) -> tuple[int, int, int, int]:
        """(macro, plane, row, column in the plane) of a symbol of a layer.

        Raises:
            InputError: no such layer, or outside its program.
        """
        size = self.layer(layer)
        if not (0 <= row < size.rows and 0 <= bit_column < size.bit_columns):
            raise InputError(f"({row}, {bit_column}) is outside layer {layer} of {size.rows} x {size.bit_columns}")
        strip = self._strips[layer]
        start = row // self.shape.rows * self.shape.rows
        starts, pieces = strip[start]
        p = pieces[bisect_right(starts, bit_column) - 1]
        return p.macro, p.plane, p.row + row - p.row_start, p.column + bit_column - p.column_start

    def stored_at(self, macro: int, plane: int, row: int, column: int) -> tuple[str, int, int] | None:
        """(layer, row, bit column) of the symbol in a cell; None for a cell that no layer uses.

        Raises:
            InputError: there is no such cell.
        """
        s = self.shape
        if not (0 <= macro < self.macros and 0 <= plane < s.planes and 0 <= row < s.rows and 0 <= column < s.columns):
            raise InputError(
                f"there is no cell ({macro}, {plane}, {row}, {column}) in {self.macros} macros of this size"
            )
        for p in self._by_plane.get((macro, plane), ()):
            if 0 <= row - p.row < p.rows and 0 <= column - p.column < p.columns:
                return p.layer, p.row_start + row - p.row, p.column_start + column - p.column
        return None

    @cached_property
    def _by_plane(self) -> dict[tuple[int, int], list[Piece]]:
        out: dict[tuple[int, int], list[Piece]] = {}
        for p in self.pieces:
            out.setdefault((p.macro, p.plane), []).append(p)
        return out

    def macro_program(self, programs: Mapping[str, ViaProgram], macro: int) -> ViaProgram:
        """The symbols of a whole macro as a program of its own: planes side by side, shape (rows, planes * columns).

        Cells that no layer uses hold count 0. Every bit column is a weight column of its own, for `write_netlist` and
        `audit_netlist` with `tile(program, shape)`, which makes one tile of it.

        Raises:
            InputError: programs that are not those of the tiling, or no such macro.
        """
        if not 0 <= macro < self.macros:
            raise InputError(f"there is no macro {macro}", hint=f"0 to {self.macros - 1}")
        self._same(programs)
        counts = self.layers[0].encoding.symbol_values
        columns = self.shape.planes * self.shape.columns
        symbols = np.full((self.shape.rows, columns), counts.index(0), dtype=np.uint8)
        for p in self.pieces:
            if p.macro == macro:
                symbols[self._cells(p)] = programs[p.layer].bits[self._source(p)]
        ones = np.ones(columns, dtype=np.int64)
        return ViaProgram(symbols, np.arange(columns), ones, 0 * ones, Encoding("stored", counts))

    def gather(self, macros: Sequence[ByteArray]) -> dict[str, ByteArray]:
        """Symbols of every layer, shape (rows, bit columns), from those of all macros (as `macro_program` has them)."""
        shape = (self.shape.rows, self.shape.planes * self.shape.columns)
        if len(macros) != self.macros or any(m.shape != shape for m in macros):
            raise InputError(f"the tiling has {self.macros} macros of symbols of shape {shape}")
        out = {x.name: np.zeros((x.rows, x.bit_columns), dtype=np.uint8) for x in self.layers}
        for p in self.pieces:
            out[p.layer][self._source(p)] = macros[p.macro][self._cells(p)]
        return out

    def to_json(self) -> dict[str, Any]:
        """The manifest as a JSON document."""
        s = self.shape
        return {
            "format": FORMAT,
            "macro": {"rows": s.rows, "columns": s.columns, "planes": s.planes},
            "row_step": self.row_step,
            "macros": self.macros,
            "utilisation": self.utilisation,
            "layers": [
                {"name": x.name, "rows": x.rows, "bit_columns": x.bit_columns, "encoding": x.encoding.to_json()}
                for x in self.layers
            ],
            "pieces": [
                {
                    "layer": p.layer,
                    "macro": p.macro,
                    "plane": p.plane,
                    "at": [p.row, p.column],
                    "size": [p.rows, p.columns],
                    "from": [p.row_start, p.column_start],
                }
                for p in self.pieces
            ],
        }

    @staticmethod
    def from_json(document: Mapping[str, Any]) -> Tiling:
        """The tiling of a document that `to_json` made.

        Raises:
            InputError: another document, or one whose pieces overlap, leave the macro or miss a cell of a layer.
        """
        if document.get("format") != FORMAT:
            raise InputError(f"is not a tiling (its format is {document.get('format')!r})", hint=f"expected {FORMAT!r}")
        try:
            macro = document["macro"]
            return Tiling(
                MacroShape(rows=macro["rows"], columns=macro["columns"], planes=macro["planes"]),
                tuple(
                    TiledLayer(str(x["name"]), int(x["rows"]), int(x["bit_columns"]), Encoding.from_json(x["encoding"]))
                    for x in document["layers"]
                ),
                tuple(
                    Piece(
                        str(p["layer"]),
                        int(p["macro"]),
                        int(p["plane"]),
                        *map(int, p["at"]),
                        *map(int, p["size"]),
                        *map(int, p["from"]),
                    )
                    for p in document["pieces"]
                ),
                int(document["row_step"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"is a damaged tiling ({type(error).__name__}: {error})") from None

    def _cells(self, p: Piece) -> tuple[slice, slice]:
        first = p.plane * self.shape.columns + p.column
        return slice(p.row, p.row + p.rows), slice(first, first + p.columns)

    def _source(self, p: Piece) -> tuple[slice, slice]:
        return slice(p.row_start, p.row_start + p.rows), slice(p.column_start, p.column_start + p.columns)

    def _same(self, programs: Mapping[str, ViaProgram]) -> None:
        for x in self.layers:
            program = programs.get(x.name)
            if program is None or (program.rows, program.bit_columns, program.encoding) != (
                x.rows, x.bit_columns, x.encoding,
            ):  # fmt: skip
                raise InputError(f"the program of layer {x.name} is missing or differs from the one that was tiled")

    def _check(self) -> None:
        """Every cell of every layer once, every cell of a macro at most once."""
        used: dict[int, BoolArray] = {}
        for p in self.pieces:
            rows, columns = self._cells(p)
            inside = p.row >= 0 and p.row + p.rows <= self.shape.rows and p.column >= 0
            inside &= p.column + p.columns <= self.shape.columns and 0 <= p.plane < self.shape.planes and p.macro >= 0
            if not inside or min(p.rows, p.columns) < 1:
                raise InputError(f"tiling: a piece of layer {p.layer} leaves its macro")
            cells = used.setdefault(p.macro, np.zeros((self.shape.rows, self.shape.planes * self.shape.columns), bool))
            if cells[rows, columns].any():
                raise InputError(f"tiling: two pieces overlap in macro {p.macro}, plane {p.plane}")
            cells[rows, columns] = True
        for x in self.layers:
            strips = self._strips[x.name]
            heights = {r: min(self.shape.rows, x.rows - r) for r in range(0, x.rows, self.shape.rows)}
            whole = set(strips) == set(heights) and all(
                p.rows == heights[p.row_start] for _, q in strips.values() for p in q
            )
            for _, pieces in strips.values():
                ends = [0, *(p.column_start + p.columns for p in pieces)]
                whole &= [p.column_start for p in pieces] == ends[:-1] and ends[-1] == x.bit_columns
            if not whole:
                raise InputError(f"tiling: the pieces of layer {x.name} do not make up its program")


@dataclass(slots=True)
class _Shelf:
    macro: int
    plane: int
    row: int
    height: int
    used: int = 0


def tile_layers(
    programs: Mapping[str, ViaProgram], shape: MacroShape, *, row_step: int = 1, macros: int | None = None
) -> Tiling:
    """Place the programs of several layers on as few macros of `shape` as first fit finds.

    programs: by layer name. row_step: rows at which shelves may begin; give the group size, so that no bit-line segment
    is shared by two layers. macros: the most that may be used.

    Raises:
        InputError: no layers, an empty one, layers for different cells, or more macros needed than allowed.
    """
    require(1 <= row_step <= shape.rows, f"is {row_step}", where="row_step", hint=f"1 to {shape.rows}")
    layers = tuple(TiledLayer(name, p.rows, p.bit_columns, p.encoding) for name, p in programs.items())
    if not layers:
        raise InputError("no layers to tile were given")
    for x in layers:
        if min(x.rows, x.bit_columns) < 1:
            raise InputError(f"layer {x.name} is empty")
        if x.encoding.symbol_values != layers[0].encoding.symbol_values:
            raise InputError(
                f"layers {layers[0].name} and {x.name} are for cells of different counts "
                f"({layers[0].encoding.symbol_values} and {x.encoding.symbol_values})"
            )
    strips = [
        (min(shape.rows, x.rows - r), x, r) for x in layers for r in range(0, x.rows, shape.rows)
    ]  # fmt: skip
    strips.sort(key=lambda s: -s[0])  # stable: layers keep their order among strips of one height
    shelves: list[_Shelf] = []
    filled = 0  # shelves before this one have no column left
    next_row: dict[tuple[int, int], int] = {}
    last = (0, -1)
    pieces: list[Piece] = []
    for height, x, row_start in strips:
        done, i = 0, filled
        while done < x.bit_columns:
            while i < len(shelves) and (shelves[i].used == shape.columns or shelves[i].height < height):
                i += 1
            if i == len(shelves):
                tall = math.ceil(height / row_step) * row_step
                place = next((k for k, row in next_row.items() if row + height <= shape.rows), None)
                if place is None:
                    macro, plane = last
                    last = place = (macro, plane + 1) if plane + 1 < shape.planes else (macro + 1, 0)
                row = next_row.get(place, 0)
                shelves.append(_Shelf(*place, row, min(tall, shape.rows - row)))
                next_row[place] = row + tall
                if next_row[place] >= shape.rows:
                    del next_row[place]
            shelf = shelves[i]
            columns = min(shape.columns - shelf.used, x.bit_columns - done)
            pieces.append(
                Piece(x.name, shelf.macro, shelf.plane, shelf.row, shelf.used, height, columns, row_start, done)
            )
            shelf.used += columns
            done += columns
        while filled < len(shelves) and shelves[filled].used == shape.columns:
            filled += 1
    needed = max(p.macro for p in pieces) + 1
    if macros is not None and needed > macros:
        raise InputError(
            f"{sum(x.rows * x.bit_columns for x in layers):,} cells of {len(layers)} layers need {needed} macros of "
            f"{shape.rows} x {shape.columns} x {shape.planes}, {macros} are allowed"
        )
    pieces.sort(key=lambda p: (p.macro, p.plane, p.row, p.column))
    return Tiling(shape, layers, tuple(pieces), row_step)
