"""Hierarchical netlists of programmed arrays, streamed to a file: cell, column, array or macro.

Memory does not grow with the array: one row of one plane is in hand at a time. Bit `1` or `0` of every cell is in the
file as an electrical fact (which node its tab is tied to, or whether its resistor is there), so that
`netlists.audit` can read it back. A bit line is cut into segments of `group_rows` rows, each with an end of its own.
"""

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from interconnect.errors import InputError
from interconnect.files import atomic_file
from netlists.array_options import NO_OPTIONS, REFERENCES, ArrayOptions
from netlists.cells.base import CellModel
from netlists.condition import Condition
from netlists.mapping import TileManifest, ViaProgram
from netlists.periphery import Periphery
from netlists.readout.tile_chain import TileChain
from netlists.render import render
from netlists.subckt import cell_subckts
from netlists.technology import Technology
from netlists.transistors import transistor_values
from netlists.writer_chain import chain_text, chain_tile_text
from netlists.writer_plane import plane_text
from netlists.writer_scope import LEVELS, Level, Scope, driven_lines, read_by_chain, scopes, written_models
from netlists.writer_tile import lcc_sizes, lcc_text, tile_text

__all__ = ["LEVELS", "Level", "WrittenNetlist", "netlist_head", "write_netlist"]


@dataclass(frozen=True, slots=True)
class WrittenNetlist:
    """What was written: file, number of cells, bytes, SHA-256 of the file, processor seconds."""

    path: Path
    level: str
    cells: int
    size: int
    sha256: str
    cpu_seconds: float


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
    options: ArrayOptions = NO_OPTIONS,
    tile_chain: TileChain | None = None,
    templates: Path | None = None,
) -> WrittenNetlist:
    """Write the netlist of a via program at a level; the file appears only when it is complete.

    Segment g of column c ends at the port `bl<g>_<c>`, also where there is only one. With shared column circuits level
    array holds a subcircuit `planes_t<t>` that joins the planes in them, or, with a readout chain, in that and its
    converters, with pins for the control lines. A macro also holds row drivers and, without a chain, per segment, reset
    switches when a (transistor) periphery is given. Elements have the values at the condition's temperature, or at the
    model's reference temperature.

    Parameters
    ----------
    path : str or Path
        The file.
    level : str
        One of `LEVELS`.
    program : ViaProgram
        The stored symbols.
    manifest : TileManifest
        Their placement on tiles and planes.
    model : CellModel or Sequence[CellModel]
        The cell, one for all planes or one per plane (on different metals).
    technology : Technology
        Stack and device set.
    periphery : Periphery, optional
        Row drivers and reset of a macro.
    condition : Condition, optional
        Chooses the model cards and the temperature of the elements.
    config_hash : str
        SHA-256 of the configuration, for the head of the file.
    group_rows : int, optional
        Rows that one conversion sums; bit lines are segmented after that many rows of a tile (None: not at all).
    tile : int
        What is written at a level below the macro.
    plane : int
        See `tile`.
    column : int
        See `tile`.
    options : ArrayOptions
        What surrounds the stored columns of whole planes.
    tile_chain : TileChain, optional
        The readout of levels array and macro, in place of shared column circuits.
    templates : Path, optional
        A user's template folder.

    Returns
    -------
    WrittenNetlist
        Size, checksum and number of cells.

    Raises
    ------
    InputError
        For an unknown level or position, a group of no rows, program, manifest and cell that do not match, column
        circuits or chain without transistors, column circuits of a current cell without a select, or a file that cannot
        be written.
    """
    start = time.process_time()
    path = Path(path)
    if (program.rows, program.bit_columns) != (manifest.rows, manifest.bit_columns):
        raise InputError(
            f"the program is {program.rows} x {program.bit_columns}, the manifest {manifest.rows} x "
            f"{manifest.bit_columns}"
        )
    parts = scopes(manifest, level, group_rows=group_rows, tile=tile, plane=plane, column=column, options=options)
    tile_chain = read_by_chain(level, tile_chain)
    models = written_models(model, manifest, program, condition, tile_chain)
    head = netlist_head(
        level, parts, manifest, models, technology, periphery=periphery, condition=condition, config_hash=config_hash,
        group_rows=group_rows, options=options, tile_chain=tile_chain, templates=templates,
    )  # fmt: skip
    transistors = level == "macro" and has_transistors(periphery)
    cells = 0
    digest = hashlib.sha256()
    with atomic_file(path) as file:
        out = _Counting(file, digest)
        out.write(head.encode("ascii"))
        for scope in parts:
            for chunk in plane_text(models[scope.placement.plane], program, scope):
                out.write(chunk)
            cells += scope.placement.rows * len(scope.physical)
        if options.lcc and level in ("array", "macro"):
            for chunk in lcc_text(parts, models):
                out.write(chunk)
        if tile_chain is not None:
            for chunk in chain_text(parts, models, tile_chain):
                out.write(chunk)
        if level == "macro":
            around = chain_tile_text(parts, models, tile_chain) if tile_chain else tile_text(parts, models, transistors)
            for chunk in around:
                out.write(chunk)
        out.write(b".end\n")
    return WrittenNetlist(path, level, cells, out.size, digest.hexdigest(), time.process_time() - start)


def has_transistors(periphery: Periphery | None) -> bool:
    """Whether a macro with this periphery holds transistors."""
    return periphery is not None and periphery.kind == "transistor"


def netlist_head(
    level: str,
    parts: Sequence[Scope],
    manifest: TileManifest,
    models: Sequence[CellModel],
    technology: Technology,
    *,
    periphery: Periphery | None,
    condition: Condition | None,
    config_hash: str,
    group_rows: int | None,
    options: ArrayOptions,
    tile_chain: TileChain | None = None,
    templates: Path | None = None,
) -> str:
    """Everything before the first plane: description, cards, periphery and cell subcircuits.

    parts: the planes that are written. models: one per plane. All else as of `write_netlist`.

    Raises InputError for column circuits without transistors, or of a current cell without a select, or an error in a
    user's template.
    """
    lcc = options.lcc and level in ("array", "macro")
    if lcc and (periphery is None or not has_transistors(periphery)):
        raise InputError("column circuits (lcc) need a periphery of transistors", where="array.lcc")
    if tile_chain is not None and (lcc or periphery is None or not has_transistors(periphery)):
        raise InputError(
            "a readout chain needs a periphery of transistors and no other column circuits", where="readout.kind"
        )
    current = models[0].mode == "current"
    if lcc and current and periphery is not None:
        check_select(periphery)
    drivers = level == "macro" and has_transistors(periphery)
    kinds = {m.variants[0].subckt: m for m in models}
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
        "transistors": drivers,
        "lcc": lcc,
        "lcc_sizes": lcc_sizes(parts) if lcc else [],
        "current": current,
        "levels": [line for line in driven_lines(models[0])[1:] if line.level > 0],
        "complements": [line for line in driven_lines(models[0])[1:] if line.level < 0],
        "options": options,
        "references": REFERENCES,
        "tile_chain": tile_chain,
        "chain_circuits": tile_chain.circuits(technology, condition, templates) if tile_chain else "",
        "cards": technology.devices.cards(condition.corner if condition else "tt")
        if drivers or lcc or tile_chain
        else "",
    }
    if periphery is not None and (drivers or lcc):
        values |= transistor_values(technology, periphery)
    return render("netlist_header.cir.j2", values, folder=templates)


def check_select(periphery: Periphery) -> None:
    """Refuse column circuits of a current cell without a plane select, or with clamps, which need a level of their
    own.
    """
    select = periphery.plane_select
    if select is None or select.clamp_width > 0:
        what = "none is configured" if select is None else "its clamps are not written"
        raise InputError(
            f"column circuits (lcc) of a cell that is read by its current are selects of planes, {what}",
            where="array.lcc",
            hint="readout.plane_select: {planes_shared: 2 or more}",
        )


class _Counting:
    """A binary file that counts and hashes what goes through."""

    def __init__(self, file: IO[bytes], digest: Any) -> None:
        self.file, self.digest, self.size = file, digest, 0

    def write(self, data: bytes) -> None:
        self.file.write(data)
        self.digest.update(data)
        self.size += len(data)
