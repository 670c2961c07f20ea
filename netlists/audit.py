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
from netlists.audit_wiring import array_pin_fault, tile_faults
from netlists.cells.base import CellModel, plane_models
from netlists.mapping import Placement, TileManifest, ViaProgram, weights_of
from netlists.subckt import subckt_pins
from netlists.writer import Scope, scopes

_BLOCK = 1 << 23
_CONTROL = re.compile(rb"^[ \t]*\.(subckt|ends|include|inc|lib)\b[^\n]*", re.MULTILINE | re.IGNORECASE)
_STATEMENT = re.compile(rb"^[ \t]*[^*\s]", re.MULTILINE)


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
    """A cell that is missing, there twice, or not one of this design. `line` is 0 for a missing one."""

    kind: str
    name: str
    line: int

    def __str__(self) -> str:
        at = f"line {self.line}: " if self.line else ""
        return f"{at}{self.kind} cell {self.name}"


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
    tile: int = 0,
    plane: int = 0,
    column: int = 0,
    limit: int = 100,
) -> AuditReport:
    """Compare a netlist with the program it should hold; `model`, `level` and place as given to `write_netlist`.

    Raises:
        InputError: the file cannot be read, is cut off, or holds none of the expected subcircuits.
    """
    path = Path(path)
    expected = {s.name: s for s in scopes(manifest, level, tile=tile, plane=plane, column=column)}
    if not expected:
        raise InputError("a netlist of level cell holds no weights to audit", where=str(path))
    found = _read(path, expected, plane_models(model, manifest.shape.planes), level)
    if not found.planes:
        raise InputError(
            f"holds none of the expected subcircuits ({next(iter(expected))}, ...)",
            where=str(path),
            hint="is it a netlist of this configuration and level?",
        )
    return _compare(path, program, expected, found, limit)


@dataclass
class _Found:
    """What the file holds: per subcircuit the bits and how often each cell occurs, and the lines that fit nothing."""

    planes: dict[str, tuple[NDArray[np.uint8], NDArray[np.int64]]]
    strange: list[tuple[str, bytes]]
    cells: int = 0


def _read(path: Path, expected: dict[str, Scope], models: tuple[CellModel, ...], level: str) -> _Found:
    found = _Found({}, [])
    patterns = [[_line_pattern(model, bit) for bit in (0, 1)] for model in models]
    inside = ""
    ended = False
    definitions: dict[str, tuple[str, ...]] = {}
    tiles: dict[str, list[bytes]] = {}
    for block in _blocks(path):
        position = 0
        for control in [*_CONTROL.finditer(block), None]:
            body = block[position : control.start() if control else len(block)]
            if inside in expected:
                _take(body, expected[inside], patterns[expected[inside].placement.plane], found)
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
            else:
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
    found: _Found,
    *,
    whole: bool,
) -> None:
    """Pins of the arrays and, in a macro, their place in the tiles; faults join the lines that fit nothing."""
    for name, scope in expected.items():
        fault = array_pin_fault(scope, definitions[name]) if name in definitions else None
        if fault:
            found.strange.append((name, fault.encode()))
    if whole:
        for tile in sorted({s.placement.tile for s in expected.values()}):
            body = b"".join(tiles.get(f"tile_{tile}", [])).decode("ascii", "replace")
            for fault in tile_faults(tile, body, expected):
                found.strange.append((f"tile_{tile}", fault.encode()))


def _blocks(path: Path) -> Iterator[bytes]:
    """The file in blocks of whole statements, continuation lines joined to their first line."""
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
                yield block.replace(b"\n+", b" ")
            yield rest.replace(b"\n+", b" ")
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", where=str(path)) from None


def _line_pattern(model: CellModel, bit: int) -> re.Pattern[bytes]:
    """An instance line of a cell with this bit. Groups: row, column, plane, then what `_take` checks."""
    pin_patterns = {
        "row_in": "s(?P=r)_(?P=c)",
        "gnd_in": "(?:g(?P=r)_(?P=c)|(?P<g0>0))",
        "bl_in": "b(?P=r)_(?P=c)",
        "bl_out": "b(?:l|(?P<below>[0-9]+))_(?P=c)",
        "bl_next": "(?:b(?P=r)_(?P<right>[0-9]+)|0)",
    }
    variant = model.variants[bit]
    words = []
    after = False
    for pin in model.pins:
        target = variant.ties.get(pin, pin)
        if target in ("row_out", "gnd_out"):
            letter = "s" if target == "row_out" else "g"
            words.append(f"{letter}(?P=r)_" + ("(?P=after)" if after else "(?P<after>[0-9]+)"))
            after = True
        elif target in pin_patterns:
            words.append(pin_patterns[target])
        else:
            raise InputError(f"cell {model.kind}: the audit does not know pin {target!r}")
    pattern = (
        "^X_r(?P<r>[0-9]+)_c(?P<c>[0-9]+)_p(?P<p>[0-9]+) "
        + " ".join(words)
        + f" {re.escape(variant.subckt)}(?: k=[0-9.e+-]+)?$"
    )
    return re.compile(pattern.encode(), re.MULTILINE | re.IGNORECASE)


def _take(body: bytes, scope: Scope, patterns: list[re.Pattern[bytes]], found: _Found) -> None:
    """Enter the cells of a piece of a plane's subcircuit."""
    lines = len(_STATEMENT.findall(body))
    bits, times = found.planes[scope.name]
    matched = 0
    good_lines = 0
    for bit, pattern in enumerate(patterns):
        rows = pattern.findall(body)
        if not rows:
            continue
        matched += len(rows)
        table = np.array(rows, dtype=np.bytes_)
        names = list(pattern.groupindex)
        r, c, p, after, below, right = (
            _integers(table, names, name) for name in ("r", "c", "p", "after", "below", "right")
        )
        place = scope.placement
        last_row, last_column = r == place.rows - 1, c == scope.stop - 1
        good = (r < place.rows) & (c >= scope.start) & (c < scope.stop) & (p == place.plane)
        good &= (after == c + 1) & (below == np.where(last_row, -1, r + 1))
        good &= right == np.where(last_column, -1, c + 1)
        if "g0" in names:
            good &= (table[:, names.index("g0")] == b"0") == (c == scope.start)
        np.add.at(times, (r[good], c[good] - scope.start), 1)
        bits[r[good], c[good] - scope.start] = bit
        good_lines += int(good.sum())
        for k in np.flatnonzero(~good):
            found.strange.append((scope.name, f"X_r{r[k]}_c{c[k]}_p{p[k]}".encode()))
    found.cells += good_lines
    if matched != lines:
        for line in body.split(b"\n"):
            if _STATEMENT.match(line) and not any(p.match(line) for p in patterns):
                found.strange.append((scope.name, line.split()[0]))


def _integers(table: NDArray[np.bytes_], names: list[str], name: str) -> NDArray[np.int64]:
    """A column of the findall table as integers; an empty entry or an absent group is -1."""
    if name not in names:
        return np.full(len(table), -1)
    column = table[:, names.index(name)]
    empty = column == b""
    return np.where(empty, b"-1", column).astype(np.int64)


def _compare(path: Path, program: ViaProgram, expected: dict[str, Scope], found: _Found, limit: int) -> AuditReport:
    rebuilt = np.zeros_like(program.bits)
    held = np.zeros(program.bits.shape, dtype=bool)
    wanted: list[tuple[Scope, int, int, int]] = []
    cell_faults: list[tuple[str, str, str]] = []
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
                cell_faults.append((kind, name, _cell_name(p, int(r), int(c) + scope.start)))
    cell_faults += [("unknown", name, text.decode("ascii", "replace")) for name, text in found.strange]
    cell_faults = cell_faults[:limit]
    lines = _find_lines(
        path,
        {(s.name, _cell_name(s.placement, r, c + s.start)) for s, r, c, _ in wanted}
        | {(name, cell) for kind, name, cell in cell_faults if kind != "missing"},
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
            CellFault(kind, f"{cell} in {name}", lines.get((name, cell), 0)) for kind, name, cell in cell_faults
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
