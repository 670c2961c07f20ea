"""Hierarchical netlists of programmed arrays, streamed to a file: cell, column, array or macro.

Memory does not grow with the array: one row of one plane is in hand at a time. Bit `1` or `0` of every cell is in the
file as an electrical fact (which node its tab is tied to, or whether its resistor is there), so that
`netlists.audit` can read it back. A bit line is cut into segments of `group_rows` rows, each with an end of its own.
"""

from __future__ import annotations

import hashlib
import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from interconnect.errors import InputError
from interconnect.files import atomic_file
from netlists.cells.base import GROUND_NODE, CellModel, plane_models
from netlists.condition import Condition
from netlists.mapping import Placement, TileManifest, ViaProgram
from netlists.periphery import Periphery
from netlists.render import identifier, render
from netlists.subckt import cell_subckts
from netlists.technology import Technology
from netlists.transistors import transistor_values

Level = Literal["cell", "column", "array", "macro"]
LEVELS: tuple[str, ...] = get_args(Level)

_ROW, _NEXT_BL = "\x01", "\x02"
"""Stand for the row's number and for the name of the node below it while the cells of a column are prepared."""


@dataclass(frozen=True, slots=True)
class WrittenNetlist:
    """What was written: file, number of cells, bytes, SHA-256 of the file, processor seconds."""

    path: Path
    level: str
    cells: int
    size: int
    sha256: str
    cpu_seconds: float


@dataclass(frozen=True, slots=True)
class Scope:
    """The part of a placement that goes into a netlist: columns `start` to `stop` of its plane.

    group_rows: rows after which every bit line is cut, from the first row of the tile on; the last segment may be
    shorter.
    """

    placement: Placement
    start: int
    stop: int
    group_rows: int

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


def scopes(
    manifest: TileManifest,
    level: str,
    *,
    group_rows: int | None = None,
    tile: int = 0,
    plane: int = 0,
    column: int = 0,
) -> list[Scope]:
    """What a netlist of `level` holds: nothing, one column, the planes of one tile, or everything.

    Raises:
        InputError: unknown level, a group of no rows, or a tile, plane or column that holds no bit of the program.
    """
    group = manifest.shape.rows if group_rows is None else group_rows
    if group < 1:
        raise InputError(f"group_rows is {group}", hint="1 or more, or None for bit lines that are not cut")
    if level not in LEVELS:
        raise InputError(f"there is no level {level!r}", hint=f"choose {', '.join(LEVELS)}")
    if level == "cell":
        return []
    if level == "macro":
        return [Scope(p, 0, p.columns, group) for p in manifest.placements()]
    if not 0 <= tile < manifest.tiles:
        raise InputError(f"there is no tile {tile}", hint=f"the weights take tiles 0 to {manifest.tiles - 1}")
    planes = list(manifest.placements(tile))
    if level == "array":
        return [Scope(p, 0, p.columns, group) for p in planes]
    if not 0 <= plane < len(planes):
        raise InputError(f"tile {tile} has no plane {plane}", hint=f"it uses planes 0 to {len(planes) - 1}")
    if not 0 <= column < planes[plane].columns:
        raise InputError(
            f"plane {plane} of tile {tile} has no column {column}",
            hint=f"it uses columns 0 to {planes[plane].columns - 1}",
        )
    return [Scope(planes[plane], column, column + 1, group)]


def write_netlist(
    path: str | Path,
    level: str,
    program: ViaProgram,
    manifest: TileManifest,
    model: CellModel | Sequence[CellModel],
    technology: Technology,
    *,
    periphery: Periphery | None = None,
    condition: Condition | None = None,
    config_hash: str = "",
    group_rows: int | None = None,
    tile: int = 0,
    plane: int = 0,
    column: int = 0,
    templates: Path | None = None,
) -> WrittenNetlist:
    """Write the netlist of a via program at a level; the file appears only when it is complete.

    model: the cell, one for all planes or one per plane (on different metals). group_rows: rows that one conversion
    sums; every bit line is cut after so many rows of its tile (None: not at all). Segment g of column c ends at the
    port `bl<g>_<c>`, also where there is only one.

    A macro also holds row drivers and, per segment, reset switches when a (transistor) periphery is given;
    `condition` chooses its cards. Elements have the values at the condition's temperature, or at the model's reference
    temperature.

    Raises:
        InputError: unknown level or place, a group of no rows, program and manifest that do not belong together, or
            a file that cannot be written.
    """
    start = time.process_time()
    path = Path(path)
    if (program.rows, program.bit_columns) != (manifest.rows, manifest.bit_columns):
        raise InputError(
            f"the program is {program.rows} x {program.bit_columns}, the manifest {manifest.rows} x "
            f"{manifest.bit_columns}"
        )
    parts = scopes(manifest, level, group_rows=group_rows, tile=tile, plane=plane, column=column)
    models = plane_models(model, manifest.shape.planes)
    if condition is not None:
        models = tuple(m.at(condition.temperature) for m in models)
    kinds = {m.variants[0].subckt: m for m in models}
    transistors = level == "macro" and periphery is not None and periphery.kind == "transistor"
    values: dict[str, Any] = {
        "level": level,
        "technology": technology.name,
        "stack_hash": technology.stack.sha256,
        "warnings": technology.warnings,
        "config_hash": config_hash or "none",
        "model": models[0],
        "manifest": manifest,
        "scopes": parts,
        "group_rows": group_rows,
        "condition": condition,
        "cells": "\n".join(cell_subckts(m, folder=templates) for m in kinds.values()),
        "transistors": transistors,
        "cards": technology.devices.cards(condition.corner if condition else "tt") if transistors else "",
    }
    if transistors and periphery:
        values |= transistor_values(technology, periphery)
    head = render("netlist_header.cir.j2", values, folder=templates)
    cells = 0
    digest = hashlib.sha256()
    with atomic_file(path) as file:
        out = _Counting(file, digest)
        out.write(head.encode("ascii"))
        for scope in parts:
            for chunk in scope_text(models[scope.placement.plane], program, scope):
                out.write(chunk)
            cells += scope.placement.rows * (scope.stop - scope.start)
        if level == "macro":
            for chunk in _macro_text(parts, transistors):
                out.write(chunk)
        out.write(b".end\n")
    return WrittenNetlist(path, level, cells, out.size, digest.hexdigest(), time.process_time() - start)


class _Counting:
    """A binary file that counts and hashes what goes through."""

    def __init__(self, file: IO[bytes], digest: Any) -> None:
        self.file, self.digest, self.size = file, digest, 0

    def write(self, data: bytes) -> None:
        self.file.write(data)
        self.digest.update(data)
        self.size += len(data)


def scope_text(model: CellModel, program: ViaProgram, scope: Scope) -> Iterator[bytes]:
    """One `.subckt` with an instance per cell. Pins: the signal line of every row, then, segment by segment, the end
    of every bit line."""
    p = scope.placement
    columns = range(scope.start, scope.stop)
    pins = [f"s{r}_{scope.start}" for r in range(p.rows)]
    pins += [f"bl{g}_{c}" for g in range(scope.segments) for c in columns]
    yield (
        f"\n* tile {p.tile} plane {p.plane}: rows {p.row_start} to {p.row_stop - 1}, bit columns "
        f"{p.column_start + scope.start} to {p.column_start + scope.stop - 1} of the program\n"
    ).encode()
    yield _wrapped(f".subckt {scope.name}", pins)
    prepared = _prepared_columns(model, scope)
    choice = np.arange(len(columns))
    bits = program.bits[p.row_start : p.row_stop, p.column_start + scope.start : p.column_start + scope.stop]
    for r in range(p.rows):
        line = "".join(prepared[bits[r], choice].tolist())
        segment, next_row = r // scope.group_rows, r + 1
        ends = next_row == p.rows or next_row % scope.group_rows == 0
        below = f"bl{segment}_" if ends else f"b{next_row}_"
        yield line.replace(_ROW, str(r)).replace(_NEXT_BL, below).encode()
    yield f".ends {scope.name}\n".encode()


def _prepared_columns(model: CellModel, scope: Scope) -> NDArray[np.object_]:
    """Instance lines per via bit and column with the row left open; shape (2, columns)."""
    p = scope.placement
    out = np.empty((2, scope.stop - scope.start), dtype=object)
    for i, c in enumerate(range(scope.start, scope.stop)):
        nodes = {
            "row_in": f"s{_ROW}_{c}",
            "row_out": f"s{_ROW}_{c + 1}",
            "gnd_in": GROUND_NODE if c == scope.start else f"g{_ROW}_{c}",
            "gnd_out": f"g{_ROW}_{c + 1}",
            "bl_in": f"b{_ROW}_{c}",
            "bl_out": f"{_NEXT_BL}{c}",
            "bl_next": GROUND_NODE if c + 1 == scope.stop else f"b{_ROW}_{c + 1}",
        }
        for bit, variant in enumerate(model.variants):
            tied = {pin: nodes[to] for pin, to in variant.ties.items()}
            words = [(nodes | tied)[pin] for pin in model.pins]
            out[bit, i] = f"X_r{_ROW}_c{c}_p{p.plane} {' '.join(words)} {identifier(variant.subckt)}\n"
    return out


def _wrapped(first: str, words: list[str], per_line: int = 12) -> bytes:
    """A long statement on continuation lines."""
    lines = [" ".join(words[i : i + per_line]) for i in range(0, len(words), per_line)]
    return (first + "".join(f"\n+ {line}" for line in lines) + "\n").encode()


def _macro_text(parts: Sequence[Scope], transistors: bool) -> Iterator[bytes]:
    """One subcircuit per tile: its planes on shared inputs, with drivers and reset switches when there are any."""
    for t, group in itertools.groupby(parts, key=lambda s: s.placement.tile):
        planes = list(group)
        rows = planes[0].placement.rows
        ends = [_tile_ends(s) for s in planes]
        ports = [f"in_{r}" for r in range(rows)] + [end for of_plane in ends for end in of_plane]
        if transistors:
            ports += ["reset_b", "vdd_rows", "vdd_reset"]
        yield b"\n" + _wrapped(f".subckt tile_{t}", ports)
        if transistors:
            yield b"X_reset_driver reset_b reset vdd_reset 0 reset_driver\n"
        for s, of_plane in zip(planes, ends, strict=True):
            plane = s.placement.plane
            line = f"s_p{plane}_" if transistors else "in_"
            if transistors:
                drivers = (f"X_drive_p{plane}_{r} in_{r} {line}{r} vdd_rows 0 row_driver\n" for r in range(rows))
                yield "".join(drivers).encode()
                # bl<g>_p<p>_<c> is reset by X_reset<g>_p<p>_<c>.
                resets = (f"X_reset{end.removeprefix('bl')} {end} reset 0 reset_switch\n" for end in of_plane)
                yield "".join(resets).encode()
            yield _wrapped(f"X_array_p{plane}", [*(f"{line}{r}" for r in range(rows)), *of_plane, s.name])
        yield f".ends tile_{t}\n".encode()


def _tile_ends(scope: Scope) -> list[str]:
    """Ports of a tile for the bit lines of a plane, segment by segment, as in the pins of its array."""
    p = scope.placement
    return [f"bl{g}_p{p.plane}_{c}" for g in range(scope.segments) for c in range(p.columns)]
