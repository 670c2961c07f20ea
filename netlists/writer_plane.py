"""The subcircuit of a plane (or of one column of it): an instance per cell, one row in hand at a time."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from netlists.cells.base import GROUND_NODE, CellModel
from netlists.mapping import ViaProgram
from netlists.render import identifier, number
from netlists.writer_scope import GROUND_RETURN, Scope, driven_lines

_ROW, _BELOW = "\x01", "\x02"
"""Stand for the row's number and for that of the row (or segment) below while the cells of a column are prepared."""


def plane_text(model: CellModel, program: ViaProgram, scope: Scope) -> Iterator[bytes]:
    """One `.subckt`. Pins: the driven lines of every row, then, segment by segment, the end of every bit line."""
    p = scope.placement
    pins = [f"{line.letter}{r}_{scope.start}" for r in range(p.rows) for line in driven_lines(model)]
    pins += scope.ends(model)
    yield (
        f"\n* tile {p.tile} plane {p.plane}: rows {p.row_start} to {p.row_stop - 1}, bit columns "
        f"{p.column_start + scope.start} to {p.column_start + scope.stop - 1} of the program\n"
    ).encode()
    yield wrapped(f".subckt {scope.name}", pins)
    if scope.options.ground_return is not None:
        yield f"R_ground_return {GROUND_RETURN} {GROUND_NODE} {number(scope.options.ground_return)}\n".encode()
    inside, last = _prepared(model, scope, last=False), _prepared(model, scope, last=True)
    symbols, choice = scope.symbols(program), np.arange(len(scope.physical))
    for r in range(p.rows):
        segment, next_row = r // scope.group_rows, r + 1
        ends = next_row == p.rows or next_row % scope.group_rows == 0
        line = "".join((last if ends else inside)[symbols[r], choice].tolist())
        yield line.replace(_ROW, str(r)).replace(_BELOW, str(segment if ends else next_row)).encode()
    yield f".ends {scope.name}\n".encode()


def _prepared(model: CellModel, scope: Scope, *, last: bool) -> NDArray[np.object_]:
    """Instance lines per symbol and physical column with the rows left open, of a segment's `last` row or another;
    shape (symbols, columns)."""
    columns = scope.physical
    out = np.empty((model.symbols, len(columns)), dtype=object)
    for i, c in enumerate(columns):
        nodes: dict[str, str] = {}
        for line in model.lines:
            start = line.level == 0 and c == columns.start
            nodes[f"{line.prefix}_in"] = scope.ground if start else f"{line.letter}{_ROW}_{c}"
            nodes[f"{line.prefix}_out"] = f"{line.letter}{_ROW}_{c + 1}"
        for bit_line in model.bit_lines:
            end = f"{bit_line.prefix}{_BELOW}_{c}" if c in scope.readable else GROUND_NODE
            right = f"{bit_line.letter}{_ROW}_{c + 1}" if c + 1 < columns.stop else GROUND_NODE
            nodes[f"{bit_line.prefix}_in"] = f"{bit_line.letter}{_ROW}_{c}"
            nodes[f"{bit_line.prefix}_out"] = end if last else f"{bit_line.letter}{_BELOW}_{c}"
            nodes[f"{bit_line.prefix}_next"] = right
        for symbol, variant in enumerate(model.variants):
            tied = {pin: nodes[to] for pin, to in variant.ties.items()}
            words = [(nodes | tied)[pin] for pin in model.pins]
            out[symbol, i] = f"X_r{_ROW}_c{c}_p{scope.placement.plane} {' '.join(words)} {identifier(variant.subckt)}\n"
    return out


def wrapped(first: str, words: list[str], per_line: int = 12) -> bytes:
    """A long statement on continuation lines."""
    lines = [" ".join(words[i : i + per_line]) for i in range(0, len(words), per_line)]
    return (first + "".join(f"\n+ {line}" for line in lines) + "\n").encode()
