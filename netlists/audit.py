"""Read a written netlist back and rebuild every via bit and integer weight from its connections.

The bit of a cell is what the file says electrically: which node its tab is tied to, or which subcircuit (with or
without resistor) stands at the crossing. All other pins are checked too, so a cell that is wired to the wrong row or
column is found as well. Instance names alone prove nothing and are only used to name what was found. Of the cell's own
subcircuit only the pins are checked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interconnect.errors import InputError
from netlists.audit_cells import Found, Strange, line_pattern, take_cells
from netlists.audit_wiring import array_pin_fault, tile_faults
from netlists.cells.base import CellModel, plane_models
from netlists.mapping import Placement, TileManifest, ViaProgram, weights_of
from netlists.subckt import subckt_pins
from netlists.writer import Scope, scopes

_BLOCK = 1 << 23
_CONTROL = re.compile(rb"\n[ \t]*\.(subckt|ends|include|inc|lib)\b[^\n]*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ViaFault:
    """A via bit that differs from the program. `line` counts from 1."""

    tile: int
    plane: int
    row: int
    column: int
    weight_row: int
    weight_column: int
    sign: int
    significance: int
    expected: int
    found: int
    line: int

    def __str__(self) -> str:
        return (
            f"line {self.line}: via at tile {self.tile}, plane {self.plane}, row {self.row}, column {self.column} "
            f"is {self.found} and should be {self.expected} ({'+' if self.sign > 0 else '-'}2^{self.significance} "
            f"of weight [{self.weight_row}, {self.weight_column}])"
        )


@dataclass(frozen=True, slots=True)
class CellFault:
    """A cell that is missing, there twice, or not one of this design; or, with kind `wiring`, a sentence on the pins
    of an array or the inside of a tile. `line` is 0 where there is none to name; `why` is empty unless the cell's bit
    line is cut at the wrong place."""

    kind: str
    name: str
    line: int
    why: str = ""

    def __str__(self) -> str:
        if self.kind == "wiring":
            return self.name
        at = f"line {self.line}: " if self.line else ""
        return f"{at}{self.kind} cell {self.name}" + (f": {self.why}" if self.why else "")


@dataclass(frozen=True)
class AuditReport:
    """Outcome of an audit. Lists name at most `limit` faults each; the counts are complete.

    weights: integer weights rebuilt from the file, shape (rows, weight columns); bits of cells that the file does not
    hold count 0. weights_differing: how many of them differ from the program's.
    """

    path: Path
    cells: int
    wrong_bits: int
    missing: int
    duplicate: int
    unknown: int
    via_faults: tuple[ViaFault, ...]
    cell_faults: tuple[CellFault, ...]
    weights: NDArray[np.int64]
    weights_differing: int

    @property
    def ok(self) -> bool:
        """Every bit of the program is in the file, once, and nothing else."""
        return self.wrong_bits == self.missing == self.duplicate == self.unknown == 0

    def to_json(self) -> dict[str, Any]:
        """Counts and named faults as a JSON document."""
        return {
            "netlist": str(self.path),
            "ok": self.ok,
            "cells": self.cells,
            "wrong_bits": self.wrong_bits,
            "missing": self.missing,
            "duplicate": self.duplicate,
            "unknown": self.unknown,
            "weights_differing": self.weights_differing,
            "faults": [str(f) for f in (*self.via_faults, *self.cell_faults)],
        }


def audit_netlist(
    path: str | Path,
    program: ViaProgram,
    manifest: TileManifest,
    model: CellModel | Sequence[CellModel],
    *,
    level: str = "macro",
    group_rows: int | None = None,
    tile: int = 0,
    plane: int = 0,
    column: int = 0,
    limit: int = 100,
    library: str = "",
) -> AuditReport:
    """Compare a netlist with the program it should hold; all arguments as given to `write_netlist`.

    library: the device set's lines in the netlist (`DeviceSet.cards`); files that they include are taken for
    transistors alone, any other include is refused.

    Raises:
        InputError: a group of no rows, or the file cannot be read, is cut off, or holds none of the expected
            subcircuits.
    """
    path = Path(path)
    parts = scopes(manifest, level, group_rows=group_rows, tile=tile, plane=plane, column=column)
    expected = {s.name: s for s in parts}
    if not expected:
        raise InputError("a netlist of level cell holds no weights to audit", where=str(path))
    found = _read(path, expected, plane_models(model, manifest.shape.planes), level, library)
    if not found.planes:
        raise InputError(
            f"holds none of the expected subcircuits ({next(iter(expected))}, ...)",
            where=str(path),
            hint="is it a netlist of this configuration and level?",
        )
    return _compare(path, program, expected, found, limit)


def _read(path: Path, expected: dict[str, Scope], models: tuple[CellModel, ...], level: str, library: str) -> Found:
    found = Found()
    allowed = {line.strip() for line in library.encode().splitlines()}
    patterns = [[line_pattern(model, bit) for bit in (0, 1)] for model in models]
    inside = ""
    ended = False
    definitions: dict[str, tuple[str, ...]] = {}
    tiles: dict[str, list[bytes]] = {}
    for block in _blocks(path):
        position = 0
        for control in [*_CONTROL.finditer(block), None]:
            body = block[position : control.start() if control else len(block)]
            if inside in expected:
                take_cells(body, expected[inside], patterns[expected[inside].placement.plane], found)
            elif inside.startswith("tile_"):
                tiles.setdefault(inside, []).append(body)
            elif inside == "" and re.search(rb"^[ \t]*\.end[ \t]*$", body, re.MULTILINE | re.IGNORECASE):
                ended = True
            if control is None:
                break
            words = control.group(0).split()
            keyword = words[0].lower()
            position = control.end()
            if ended:
                raise InputError("goes on after its .end line", where=str(path))
            if keyword == b".subckt" and len(words) > 1:
                inside = words[1].decode("ascii", "replace").lower()
                if inside in definitions:
                    raise InputError(f".subckt {inside} is defined twice", where=str(path))
                if inside in expected:
                    s = expected[inside]
                    shape = (s.placement.rows, s.stop - s.start)
                    found.planes[inside] = (np.zeros(shape, np.uint8), np.zeros(shape, np.int64))
                definitions |= subckt_pins(control.group(0).decode("ascii", "replace"))
            elif keyword == b".ends":
                inside = ""
            elif inside or control.group(0).strip() not in allowed:
                raise InputError(
                    f"includes another file ({control.group(0).decode('ascii', 'replace').strip()[:80]})",
                    where=str(path),
                    hint="an audit needs the whole netlist in one file",
                )
    _check_wiring(expected, definitions, tiles, found, whole=level == "macro")
    if not ended:
        raise InputError("is cut off: it has no .end line", where=str(path))
    for model in models:
        for variant in model.variants:
            if definitions.get(variant.subckt.lower()) != tuple(p.lower() for p in model.pins):
                raise InputError(
                    f".subckt {variant.subckt} is missing or has other pins than {' '.join(model.pins)}",
                    where=str(path),
                )
    return found


def _check_wiring(
    expected: dict[str, Scope],
    definitions: dict[str, tuple[str, ...]],
    tiles: dict[str, list[bytes]],
    found: Found,
    *,
    whole: bool,
) -> None:
    """Pins of the arrays and, in a macro, their place in the tiles; faults join the lines that fit nothing."""
    pin_faults = (array_pin_fault(s, definitions[name]) for name, s in expected.items() if name in definitions)
    # Wrong pins explain many a wrong cell, so they are named first.
    found.strange[:0] = [Strange("", fault, kind="wiring") for fault in pin_faults if fault]
    if whole:
        for tile in sorted({s.placement.tile for s in expected.values()}):
            name = f"tile_{tile}"
            body = b"".join(tiles.get(name, [])).decode("ascii", "replace")
            faults = tile_faults(tile, definitions.get(name, ()), body, expected)
            found.strange += [Strange("", fault, kind="wiring") for fault in faults]


def _blocks(path: Path) -> Iterator[bytes]:
    """The file in blocks of whole statements, continuation lines joined to their first line, a line break before
    every statement."""
    try:
        with path.open("rb") as file:
            rest = b""
            while chunk := file.read(_BLOCK):
                rest += chunk.replace(b"\r\n", b"\n")
                cut = rest.rfind(b"\n") + 1
                # Hold the last line back: the next one may continue it.
                cut = rest.rfind(b"\n", 0, max(cut - 1, 0)) + 1
                while cut and rest[cut : cut + 1] == b"+":
                    cut = rest.rfind(b"\n", 0, cut - 1) + 1
                block, rest = rest[:cut], rest[cut:]
                yield b"\n" + block.replace(b"\n+", b" ")
            yield b"\n" + rest.replace(b"\n+", b" ")
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", where=str(path)) from None


def _compare(path: Path, program: ViaProgram, expected: dict[str, Scope], found: Found, limit: int) -> AuditReport:
    rebuilt = np.zeros_like(program.bits)
    held = np.zeros(program.bits.shape, dtype=bool)
    wanted: list[tuple[Scope, int, int, int]] = []
    cell_faults: list[tuple[str, str, str, str]] = [(s.kind, s.subckt, s.name, s.why) for s in found.strange]
    wrong = missing = duplicate = 0
    for name, scope in expected.items():
        p = scope.placement
        columns = slice(p.column_start + scope.start, p.column_start + scope.stop)
        target = program.bits[p.row_start : p.row_stop, columns]
        held[p.row_start : p.row_stop, columns] = True
        bits, times = found.planes.get(name, (np.zeros_like(target), np.zeros(target.shape, np.int64)))
        rebuilt[p.row_start : p.row_stop, columns] = bits
        bad = (bits != target) & (times > 0)
        wrong += int(bad.sum())
        missing += int((times == 0).sum())
        duplicate += int((times > 1).sum())
        for r, c in np.argwhere(bad)[: max(0, limit - len(wanted))]:
            wanted.append((scope, int(r), int(c), int(bits[r, c])))
        for kind, mask in (("missing", times == 0), ("duplicate", times > 1)):
            for r, c in np.argwhere(mask)[:limit]:
                cell_faults.append((kind, name, _cell_name(p, int(r), int(c) + scope.start), ""))
    cell_faults = cell_faults[:limit]
    lines = _find_lines(
        path,
        {(s.name, _cell_name(s.placement, r, c + s.start)) for s, r, c, _ in wanted}
        | {(name, cell) for kind, name, cell, _ in cell_faults if kind in ("unknown", "duplicate")},
    )
    via_faults = []
    for scope, r, c, bit in wanted:
        p = scope.placement
        k = p.column_start + scope.start + c
        via_faults.append(
            ViaFault(
                tile=p.tile,
                plane=p.plane,
                row=r,
                column=c + scope.start,
                weight_row=p.row_start + r,
                weight_column=int(program.weight_column[k]),
                sign=int(program.sign[k]),
                significance=int(program.significance[k]),
                expected=int(program.bits[p.row_start + r, k]),
                found=bit,
                line=lines.get((scope.name, _cell_name(p, r, c + scope.start)), 0),
            )
        )
    weights = weights_of(program, rebuilt)
    should = weights_of(program, np.where(held, program.bits, 0).astype(np.uint8))
    return AuditReport(
        path=path,
        cells=found.cells,
        wrong_bits=wrong,
        missing=missing,
        duplicate=duplicate,
        unknown=len(found.strange),
        via_faults=tuple(via_faults),
        cell_faults=tuple(
            CellFault(kind, f"{cell} in {name}" if name else cell, lines.get((name, cell), 0), why)
            for kind, name, cell, why in cell_faults
        ),
        weights=weights,
        weights_differing=int((weights != should).sum()),
    )


def _cell_name(placement: Placement, row: int, column: int) -> str:
    return f"X_r{row}_c{column}_p{placement.plane}"


def _find_lines(path: Path, wanted: set[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """Line numbers (the last occurrence) of named instances; only read again when there is something to name."""
    if not wanted:
        return {}
    out: dict[tuple[str, str], int] = {}
    inside = ""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            head = line[:8].lower()
            if head.startswith(b".subckt"):
                inside = line.split()[1].decode("ascii", "replace").lower()
            elif line[:1] not in b"*+.":
                key = (inside, line.split(None, 1)[0].decode("ascii", "replace") if line.strip() else "")
                if key in wanted:
                    out[key] = number
    return out
