"""Which cells the lines of an array subcircuit are: place, via bit and every node they are joined to.

The nodes count, not the name. A bit line goes on from row to row within a segment and ends, after the last row of the
segment, in that segment's port.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from interconnect.errors import InputError
from netlists.cells.base import CellModel
from netlists.writer import Scope

_STATEMENT = re.compile(rb"[ \t]*[^*\s]")
_NUMBER = "(?!0[0-9])[0-9]{1,9}"
"""No leading zeros: `b07_1` is another node than `b7_1`."""


@dataclass(frozen=True, slots=True)
class Strange:
    """What fits nothing: an `unknown` cell of a subcircuit and what is wrong with it if known, or, with kind `wiring`,
    a sentence on pins or on the inside of a tile instead of a name."""

    subckt: str
    name: str
    why: str = ""
    kind: Literal["unknown", "wiring"] = "unknown"


@dataclass
class Found:
    """What the file holds: per subcircuit the bits and how often each cell occurs, and the lines that fit nothing."""

    planes: dict[str, tuple[NDArray[np.uint8], NDArray[np.int64]]] = field(default_factory=dict)
    strange: list[Strange] = field(default_factory=list)
    cells: int = 0


def line_pattern(model: CellModel, bit: int) -> re.Pattern[bytes]:
    """An instance line of a cell with this bit, from the line break before it on (searching for a fixed character is
    much faster than for `^`). Groups: row, column, plane, then what `take_cells` checks."""
    pin_patterns = {
        "row_in": "s(?P=r)_(?P=c)",
        "gnd_in": "(?:g(?P=r)_(?P=c)|(?P<g0>0))",
        "bl_in": "b(?P=r)_(?P=c)",
        "bl_out": f"b(?:l(?P<segment>{_NUMBER})|(?P<below>{_NUMBER}))_(?P=c)",
        "bl_next": f"(?:b(?P=r)_(?P<right>{_NUMBER})|0)",
    }
    variant = model.variants[bit]
    words = []
    after = False
    for pin in model.pins:
        target = variant.ties.get(pin, pin)
        if target in ("row_out", "gnd_out"):
            letter = "s" if target == "row_out" else "g"
            words.append(f"{letter}(?P=r)_" + ("(?P=after)" if after else f"(?P<after>{_NUMBER})"))
            after = True
        elif target in pin_patterns:
            words.append(pin_patterns[target])
        else:
            raise InputError(f"cell {model.kind}: the audit does not know pin {target!r}")
    pattern = (
        f"\nX_r(?P<r>{_NUMBER})_c(?P<c>{_NUMBER})_p(?P<p>{_NUMBER}) "
        + " ".join(words)
        + f" {re.escape(variant.subckt)}(?: k=[0-9.e+-]+)?$"
    )
    return re.compile(pattern.encode(), re.MULTILINE | re.IGNORECASE)


def take_cells(body: bytes, scope: Scope, patterns: list[re.Pattern[bytes]], found: Found) -> None:
    """Enter the cells of a piece of a plane's subcircuit; the piece begins with a line break."""
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
        r, c, p, after, segment, below, right = (
            _integers(table, names, name) for name in ("r", "c", "p", "after", "segment", "below", "right")
        )
        place = scope.placement
        ends = (r == place.rows - 1) | ((r + 1) % scope.group_rows == 0)
        joined = (below == np.where(ends, -1, r + 1)) & (segment == np.where(ends, r // scope.group_rows, -1))
        inside = (r < place.rows) & (c >= scope.start) & (c < scope.stop) & (p == place.plane)
        good = inside & joined & (after == c + 1) & (right == np.where(c == scope.stop - 1, -1, c + 1))
        if "g0" in names:
            good &= (table[:, names.index("g0")] == b"0") == (c == scope.start)
        np.add.at(times, (r[good], c[good] - scope.start), 1)
        bits[r[good], c[good] - scope.start] = bit
        good_lines += int(good.sum())
        for k in np.flatnonzero(~good):
            wrong_cut = inside[k] and not joined[k]
            why = _bit_line_fault(scope, int(r[k]), int(c[k]), int(segment[k]), int(below[k])) if wrong_cut else ""
            found.strange.append(Strange(scope.name, f"X_r{r[k]}_c{c[k]}_p{p[k]}", why))
    found.cells += good_lines
    lines = body.strip(b"\n")
    if lines and matched != lines.count(b"\n") + 1:
        for line in lines.split(b"\n"):
            if _STATEMENT.match(line) and not any(p.match(b"\n" + line) for p in patterns):
                found.strange.append(Strange(scope.name, line.split()[0].decode("ascii", "replace")))


def _bit_line_fault(scope: Scope, row: int, column: int, segment: int, below: int) -> str:
    """How the bit line below a cell differs from the segments; `segment` or `below` is the one that was read."""
    own, after = divmod(row, scope.group_rows)
    should_end = after == scope.group_rows - 1 or row == scope.placement.rows - 1
    does = f"ends at bl{segment}_{column}" if below < 0 else f"goes on to b{below}_{column}"
    should = f"end at bl{own}_{column}" if should_end else f"go on to b{row + 1}_{column}"
    return f"its bit line {does} and should {should}"


def _integers(table: NDArray[np.bytes_], names: list[str], name: str) -> NDArray[np.int64]:
    """A column of the findall table as integers; an empty entry or an absent group is -1."""
    if name not in names:
        return np.full(len(table), -1)
    column = table[:, names.index(name)]
    empty = column == b""
    return np.where(empty, b"-1", column).astype(np.int64)
