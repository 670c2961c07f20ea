"""Which cells the lines of an array subcircuit are: place, symbol and every node they are joined to.

The nodes count, not the name. A bit line goes on from row to row within a segment and ends, after the last row of the
segment, in that segment's port.
"""

import re
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from interconnect.arrays import BoolArray, ByteArray, IntArray
from interconnect.errors import InputError
from netlists.cells.base import BitLine, CellModel
from netlists.render import number
from netlists.writer_scope import Scope

_STATEMENT = re.compile(rb"[ \t]*[^*\s]")
_NUMBER = "(?!0[0-9])[0-9]{1,9}"
"""No leading zeros: `b07_1` is another node than `b7_1`."""


@dataclass(frozen=True, slots=True)
class UnexpectedCell:
    """What fits nothing: an `unknown` cell of a subcircuit and what is wrong with it if known, or, with kind `wiring`,
    a sentence on pins or on the inside of a tile instead of a name."""

    subckt: str
    name: str
    why: str = ""
    kind: Literal["unknown", "wiring"] = "unknown"


@dataclass
class AuditedCells:
    """What the file holds: per subcircuit the symbols and how often each cell occurs; lines that fit nothing."""

    planes: dict[str, tuple[ByteArray, IntArray]] = field(default_factory=dict)
    strange: list[UnexpectedCell] = field(default_factory=list)
    cells: int = 0
    returns: dict[str, int] = field(default_factory=dict)
    """How often the ground return of a plane was found as it should be."""


def line_pattern(model: CellModel, symbol: int, scope: Scope) -> re.Pattern[bytes]:
    """An instance line of a cell with this symbol, from the line break before it on (searching for a fixed character
    is much faster than for `^`). Groups: row, column, plane, then what `take_cells` checks."""
    inputs: dict[str, str] = {}
    for line in model.lines:
        own = f"{line.letter}(?P=r)_(?P=c)"
        inputs[f"{line.prefix}_in"] = own if line.level else f"(?:{own}|(?P<near_{line.letter}>{scope.ground}))"
    outputs = {f"{line.prefix}_out": line.letter for line in model.lines}
    dummies = scope.options.dummy_columns > 0
    for bit_line in model.bit_lines:
        x, prefix = bit_line.letter, bit_line.prefix
        inputs[f"{prefix}_in"] = f"{x}(?P=r)_(?P=c)"
        below = f"{prefix}(?P<segment_{x}>{_NUMBER})|{x}(?P<below_{x}>{_NUMBER})"
        # The end of a dummy column is ground.
        inputs[f"{prefix}_out"] = (
            f"(?:(?:{below})_(?P=c)|(?P<tied_{x}>0))" if dummies else _factored(prefix, x) + "_(?P=c)"
        )
        inputs[f"{prefix}_next"] = f"(?:{x}(?P=r)_(?P<right_{x}>{_NUMBER})|0)"
    variant = model.variants[symbol]
    targets = [variant.ties.get(pin, pin) for pin in model.pins]
    words = []
    seen: set[str] = set()
    for target in targets:
        if target in outputs:
            words.append(f"{outputs[target]}(?P=r)_" + ("(?P=after)" if "after" in seen else f"(?P<after>{_NUMBER})"))
            seen.add("after")
        elif target not in inputs:
            raise InputError(f"cell {model.kind}: the audit does not know pin {target!r}")
        elif targets.count(target) == 1:
            words.append(inputs[target])
        else:  # a pin with others tied to it
            words.append(f"(?P=at_{target})" if target in seen else f"(?P<at_{target}>{inputs[target]})")
            seen.add(target)
    pattern = (
        f"\nX_r(?P<r>{_NUMBER})_c(?P<c>{_NUMBER})_p(?P<p>{_NUMBER}) "
        + " ".join(words)
        + f" {re.escape(variant.subckt)}(?: k=[0-9.e+-]+)?$"
    )
    return re.compile(pattern.encode(), re.MULTILINE | re.IGNORECASE)


def _factored(prefix: str, letter: str) -> str:
    """`bl<segment>` or `b<row>`: where the one begins with the other, the common letter is tried once only."""
    segment, below = f"(?P<segment_{letter}>{_NUMBER})", f"(?P<below_{letter}>{_NUMBER})"
    if prefix.startswith(letter):
        return f"{letter}(?:{prefix.removeprefix(letter)}{segment}|{below})"
    return f"(?:{prefix}{segment}|{letter}{below})"


def take_cells(
    body: bytes, scope: Scope, model: CellModel, patterns: list[re.Pattern[bytes]], found: AuditedCells
) -> None:
    """Enter the cells of a piece of a plane's subcircuit; the piece begins with a line break."""
    symbols, times = found.planes[scope.name]
    columns, place = scope.physical, scope.placement
    if scope.options.ground_return is not None:
        statement = f"R_ground_return {scope.ground} 0 {number(scope.options.ground_return)}"
        ground_return = re.compile(rb"\n" + re.escape(statement.encode()) + rb"(?=\n|$)", re.IGNORECASE)
        body, count = ground_return.subn(b"", body)
        found.returns[scope.name] = found.returns.get(scope.name, 0) + count
    matched = 0
    good_lines = 0
    for symbol, pattern in enumerate(patterns):
        rows = pattern.findall(body)
        if not rows:
            continue
        matched += len(rows)
        table = np.array(rows, dtype=np.bytes_)
        names = list(pattern.groupindex)
        r, c, p, after = (_integers(table, names, name) for name in ("r", "c", "p", "after"))
        inside = (r < place.rows) & (c >= columns.start) & (c < columns.stop) & (p == place.plane)
        good = inside & (after == c + 1)
        last = (r == place.rows - 1) | ((r + 1) % scope.group_rows == 0)
        readable = (c >= scope.readable.start) & (c < scope.readable.stop)
        cuts: list[tuple[BitLine, IntArray, IntArray, BoolArray]] = []
        for line in model.bit_lines:
            segment, below, right = (
                _integers(table, names, f"{name}_{line.letter}") for name in ("segment", "below", "right")
            )
            joined = (below == np.where(last, -1, r + 1)) & (
                segment == np.where(last & readable, r // scope.group_rows, -1)
            )
            cuts.append((line, segment, below, joined))
            good &= joined
            if f"right_{line.letter}" in names:
                good &= right == np.where(c == columns.stop - 1, -1, c + 1)
        for row_line in model.lines:
            if (name := f"near_{row_line.letter}") in names:
                good &= (table[:, names.index(name)] != b"") == (c == columns.start)
        np.add.at(times, (r[good], c[good] - columns.start), 1)
        symbols[r[good], c[good] - columns.start] = symbol
        good_lines += int(good.sum())
        for k in np.flatnonzero(~good):
            why = ""
            for line, segment, below, joined in cuts:
                if inside[k] and not joined[k] and readable[k] and not why:
                    why = _bit_line_fault(scope, line, int(r[k]), int(c[k]), int(segment[k]), int(below[k]))
            found.strange.append(UnexpectedCell(scope.name, f"X_r{r[k]}_c{c[k]}_p{p[k]}", why))
    found.cells += good_lines
    lines = body.strip(b"\n")
    if lines and matched != lines.count(b"\n") + 1:
        for line_text in lines.split(b"\n"):
            if _STATEMENT.match(line_text) and not any(p.match(b"\n" + line_text) for p in patterns):
                found.strange.append(UnexpectedCell(scope.name, line_text.split()[0].decode("ascii", "replace")))


def _bit_line_fault(scope: Scope, line: BitLine, row: int, column: int, segment: int, below: int) -> str:
    """How the bit line below a cell differs from the segments; `segment` or `below` is the one that was read."""
    own, after = divmod(row, scope.group_rows)
    should_end = after == scope.group_rows - 1 or row == scope.placement.rows - 1
    does = f"ends at {line.prefix}{segment}_{column}" if below < 0 else f"goes on to {line.letter}{below}_{column}"
    should = f"end at {line.prefix}{own}_{column}" if should_end else f"go on to {line.letter}{row + 1}_{column}"
    return f"its bit line {does} and should {should}"


def _integers(table: NDArray[np.bytes_], names: list[str], name: str) -> IntArray:
    """A column of the findall table as integers; an empty entry or an absent group is -1."""
    if name not in names:
        return np.full(len(table), -1)
    column = table[:, names.index(name)]
    empty = column == b""
    return np.where(empty, b"-1", column).astype(np.int64)
