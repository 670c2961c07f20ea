"""What an audit found: cells with a wrong symbol, missing or strange ones, the weights that the file really holds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from interconnect.arrays import IntArray
from interconnect.files import open_regular
from netlists.audit_cells import AuditedCells
from netlists.audit_chain import ReadoutCount
from netlists.mapping import Placement, ViaProgram, weights_of
from netlists.writer_scope import Scope


@dataclass(frozen=True, slots=True)
class ViaFault:
    """A cell whose symbol differs from the one it should hold. `line` counts from 1.

    column: physical column of the plane. part: what that column is if it holds nothing of the program; the numbers of
    the weight are -1 then. radix: base of the significance.
    """

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
    part: str = ""
    radix: int = 2

    def __str__(self) -> str:
        sign = "+" if self.sign > 0 else "-"
        meaning = f"{sign}{self.radix}^{self.significance} of weight [{self.weight_row}, {self.weight_column}]"
        return (
            f"line {self.line}: via at tile {self.tile}, plane {self.plane}, row {self.row}, column {self.column} "
            f"is {self.found} and should be {self.expected} ({self.part or meaning})"
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

    weights: integer weights rebuilt from the file, shape (rows, weight columns); cells that the file does not hold
    count 0. weights_differing: how many of them differ from the program's. readout: parts of a readout chain, counted
    and billed; differences are among the faults.
    """

    path: Path
    cells: int
    wrong_bits: int
    missing: int
    duplicate: int
    unknown: int
    via_faults: tuple[ViaFault, ...]
    cell_faults: tuple[CellFault, ...]
    weights: IntArray
    weights_differing: int
    readout: ReadoutCount = field(default_factory=ReadoutCount)

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
            "readout": self.readout.to_json(),
            "faults": [str(f) for f in (*self.via_faults, *self.cell_faults)],
        }


def audit_report(
    path: Path, program: ViaProgram, expected: Mapping[str, Scope], found: AuditedCells, limit: int
) -> AuditReport:
    """The report on what was found in a file against what should be there."""
    zero = program.symbol_values.index(0)
    rebuilt = np.full_like(program.bits, zero)
    held = np.zeros(program.bits.shape, dtype=bool)
    wanted: list[tuple[Scope, int, int, int, int]] = []
    cell_faults: list[tuple[str, str, str, str]] = [(s.kind, s.subckt, s.name, s.why) for s in found.strange]
    wrong = missing = duplicate = 0
    for name, scope in expected.items():
        p = scope.placement
        columns = slice(p.column_start + scope.start, p.column_start + scope.stop)
        target = scope.symbols(program)
        held[p.row_start : p.row_stop, columns] = True
        symbols, times = found.planes.get(name, (np.full_like(target, zero), np.zeros(target.shape, np.int64)))
        inner = scope.options.before
        rebuilt[p.row_start : p.row_stop, columns] = symbols[:, inner : inner + scope.stop - scope.start]
        bad = (symbols != target) & (times > 0)
        wrong += int(bad.sum())
        missing += int((times == 0).sum())
        duplicate += int((times > 1).sum())
        for r, c in np.argwhere(bad)[: max(0, limit - len(wanted))]:
            wanted.append((scope, int(r), int(c), int(symbols[r, c]), int(target[r, c])))
        for kind, mask in (("missing", times == 0), ("duplicate", times > 1)):
            for r, c in np.argwhere(mask)[:limit]:
                cell_faults.append((kind, name, cell_name(p, int(r), int(c) + scope.start), ""))
    cell_faults = cell_faults[:limit]
    lines = _find_lines(
        path,
        {(s.name, cell_name(s.placement, r, c + s.start)) for s, r, c, _, _ in wanted}
        | {(name, cell) for kind, name, cell, _ in cell_faults if kind in ("unknown", "duplicate")},
    )
    via_faults = [
        _via_fault(program, fault, lines.get((s.name, cell_name(s.placement, r, c + s.start)), 0))
        for fault in wanted
        for s, r, c, _, _ in (fault,)
    ]
    weights = weights_of(program, rebuilt)
    should = weights_of(program, np.where(held, program.bits, zero).astype(np.uint8))
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


def _via_fault(program: ViaProgram, fault: tuple[Scope, int, int, int, int], line: int) -> ViaFault:
    scope, r, c, symbol, should = fault
    p = scope.placement
    part = scope.options.part(c, scope.stop - scope.start)
    k = p.column_start + scope.start + c - scope.options.before
    return ViaFault(
        tile=p.tile,
        plane=p.plane,
        row=r,
        column=c + scope.start,
        weight_row=-1 if part else p.row_start + r,
        weight_column=-1 if part else int(program.weight_column[k]),
        sign=0 if part else int(program.sign[k]),
        significance=-1 if part else int(program.significance[k]),
        expected=should,
        found=symbol,
        line=line,
        part=part,
        radix=program.encoding.radix,
    )


def cell_name(placement: Placement, row: int, column: int) -> str:
    """Instance name of a cell; `column` counts all physical columns."""
    return f"X_r{row}_c{column}_p{placement.plane}"


def _find_lines(path: Path, wanted: set[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """Line numbers (the last occurrence) of named instances; only read again when there is something to name."""
    if not wanted:
        return {}
    out: dict[tuple[str, str], int] = {}
    inside = ""
    with open_regular(path) as file:
        for number, line in enumerate(file, 1):
            head = line[:8].lower()
            if head.startswith(b".subckt"):
                inside = line.split()[1].decode("ascii", "replace").lower()
            elif line[:1] not in b"*+.":
                key = (inside, line.split(None, 1)[0].decode("ascii", "replace") if line.strip() else "")
                if key in wanted:
                    out[key] = number
    return out
