"""What a netlist of a level holds: parts of placements, with the columns around them and the names of their ends."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from interconnect.arrays import ByteArray
from interconnect.errors import InputError
from netlists.array_options import NO_OPTIONS, ArrayOptions
from netlists.cells.base import CellModel, RowLine, plane_models
from netlists.condition import Condition
from netlists.mapping import Placement, TileManifest, ViaProgram
from netlists.readout.tile_chain import TileChain

Level = Literal["cell", "column", "array", "macro"]
LEVELS: tuple[str, ...] = get_args(Level)

GROUND_RETURN = "gret"
"""Node of a plane at which its ground lines meet before the ground return's resistance."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The part of a placement that goes into a netlist: columns `start` to `stop` of its plane.

    group_rows: rows after which every bit line is cut, from the first row of the tile on; the last segment may be
    shorter. options: columns around the stored ones (whole planes only); physical columns count from `start` on.
    """

    placement: Placement
    start: int
    stop: int
    group_rows: int
    options: ArrayOptions = NO_OPTIONS

    @property
    def name(self) -> str:
        """Name of the subcircuit."""
        p = self.placement
        base = f"array_t{p.tile}_p{p.plane}"
        return base if (self.start, self.stop) == (0, p.columns) else f"column_t{p.tile}_p{p.plane}_c{self.start}"

    @property
    def segments(self) -> int:
        """Segments of each bit line."""
        return -(-self.placement.rows // self.group_rows)

    @property
    def physical(self) -> range:
        """Numbers of all columns in the file, dummies and references included."""
        return range(self.start, self.stop + self.options.extra)

    @property
    def readable(self) -> range:
        """Columns whose bit lines have ends: references and those of the program."""
        dummies = self.options.dummy_columns
        return range(self.start + dummies, self.physical.stop - dummies)

    @property
    def stored(self) -> range:
        """Columns of the program."""
        return range(self.start + self.options.before, self.physical.stop - self.options.dummy_columns)

    @property
    def ground(self) -> str:
        """Node at which the ground lines start."""
        return "0" if self.options.ground_return is None else GROUND_RETURN

    def symbols(self, program: ViaProgram) -> ByteArray:
        """What the cells have to hold, shape (rows, physical columns)."""
        p = self.placement
        columns = slice(p.column_start + self.start, p.column_start + self.stop)
        return self.options.symbols(program.bits[p.row_start : p.row_stop, columns], program.symbol_values)

    def ends(self, model: CellModel, infix: str = "") -> Iterator[str]:
        """Ends of the bit lines, segment by segment: `bl<segment>_<infix><column>`."""
        for g in range(self.segments):
            for line in model.bit_lines:
                for c in self.readable:
                    yield f"{line.prefix}{g}_{infix}{c}"


def driven_lines(model: CellModel) -> tuple[RowLine, ...]:
    """Lines of a row that its input moves: all but those that are always grounded."""
    return tuple(line for line in model.lines if line.level != 0)


def check_model(model: CellModel, program: ViaProgram) -> None:
    """Refuse a cell that does not store this program's symbols, or whose nodes could not be distinguished."""
    if tuple(model.symbol_values) != program.symbol_values or model.symbols != len(program.symbol_values):
        raise InputError(
            f"the program has symbols of values {program.symbol_values}, cell {model.kind} stores "
            f"{tuple(model.symbol_values)}"
        )
    if model.has_next_plane:
        raise InputError("a netlist of planes takes models without the next plane's lines: each plane holds its own")
    letters = [line.letter for line in model.lines] + [line.letter for line in model.bit_lines]
    if len(set(letters)) < len(letters) or not all(x.isascii() and x.isalpha() and x.islower() for x in letters):
        raise InputError(f"cell {model.kind}: lines with letters {', '.join(letters)} cannot be distinguished")


def read_by_chain(level: str, tile_chain: TileChain | None) -> TileChain | None:
    """The readout chain of a netlist of a level: none below level array."""
    return tile_chain if level in ("array", "macro") else None


def written_models(
    model: CellModel | Sequence[CellModel],
    manifest: TileManifest,
    program: ViaProgram,
    condition: Condition | None,
    tile_chain: TileChain | None = None,
) -> tuple[CellModel, ...]:
    """The checked cell of every plane, at the condition's temperature if there is one; with a readout chain that drives
    it, the ground line is the complement."""
    models = plane_models(model, manifest.shape.planes)
    for m in models:
        check_model(m, program)
    if tile_chain is not None:
        check_chain(models, manifest, tile_chain)
        if tile_chain.chain.drive == "complement":
            models = tuple(m.complement_driven() for m in models)
    return models if condition is None else tuple(m.at(condition.temperature) for m in models)


def check_chain(models: Sequence[CellModel], manifest: TileManifest, tile_chain: TileChain) -> None:
    """Refuse a chain for cells that it does not read, or of other planes than a tile has."""
    if any(m.mode != "charge" or len(m.bit_lines) != 1 for m in models):
        raise InputError("a readout chain reads charge cells of one bit line", where="readout.kind")
    shared, planes = tile_chain.chain.line.planes, manifest.shape.planes
    if planes % shared:
        raise InputError(f"lines of {shared} planes do not divide {planes} planes", where="readout.line.planes_shared")


def scopes(
    manifest: TileManifest,
    level: str,
    *,
    group_rows: int | None = None,
    tile: int = 0,
    plane: int = 0,
    column: int = 0,
    options: ArrayOptions = NO_OPTIONS,
) -> list[Scope]:
    """What a netlist of `level` holds: nothing, one column, the planes of one tile, or everything.

    Raises:
        InputError: unknown level, a group of no rows, or a tile, plane or column that holds no bit of the program.
    """
    group = manifest.shape.rows if group_rows is None else group_rows
    if group < 1:
        raise InputError(f"group_rows is {group}", hint="1 or more, or None for uncut bit lines")
    if level not in LEVELS:
        raise InputError(f"there is no level {level!r}", hint=f"choose {', '.join(LEVELS)}")
    if level == "cell":
        return []
    if level == "macro":
        return [Scope(p, 0, p.columns, group, options) for p in manifest.placements()]
    if not 0 <= tile < manifest.tiles:
        raise InputError(f"there is no tile {tile}", hint=f"the weights take tiles 0 to {manifest.tiles - 1}")
    planes = list(manifest.placements(tile))
    if level == "array":
        return [Scope(p, 0, p.columns, group, options) for p in planes]
    if not 0 <= plane < len(planes):
        raise InputError(f"tile {tile} has no plane {plane}", hint=f"it uses planes 0 to {len(planes) - 1}")
    if not 0 <= column < planes[plane].columns:
        raise InputError(
            f"plane {plane} of tile {tile} has no column {column}",
            hint=f"it uses columns 0 to {planes[plane].columns - 1}",
        )
    return [Scope(planes[plane], column, column + 1, group)]
