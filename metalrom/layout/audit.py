"""A layout file against its plan: the symbol of every cell from the vias that are there, and every wire.

What a cell stores is decided by where its cuts lie, found in the flattened file; what it should store comes from the
via program by way of the netlists' scopes. The two meet only here.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from interconnect.arrays import BoolArray, IntArray
from metalrom.layout.plan import PlacedPlane, Plan, box_of, expected_rects
from metalrom.layout.read import Shapes
from metalrom.layout.slabs import Slabs
from netlists.mapping import ViaProgram

NO_SYMBOL = -1


@dataclass(frozen=True, slots=True)
class LayoutFault:
    """A cell whose cuts do not say what it should store. found: symbol, or -1 for cuts that mean none of them."""

    tile: int
    plane: int
    row: int
    column: int
    expected: int
    found: int
    at: tuple[float, float]
    meaning: str = ""

    def __str__(self) -> str:
        found = "means no symbol" if self.found == NO_SYMBOL else f"is {self.found}"
        message = f" ({self.meaning})" if self.meaning else ""
        return (
            f"via at tile {self.tile}, plane {self.plane}, row {self.row}, column {self.column} "
            f"[{self.at[0]:.9g}, {self.at[1]:.9g} um] {found} and should be {self.expected}{message}"
        )


@dataclass(frozen=True)
class LayoutAudit:
    """Outcome. Counts are complete, lists name at most `limit`. wires: pieces of metal too many or missing; strange:
    cuts outside of every cell, and shapes on numbers that the layer map does not have."""

    path: Path
    cells: int
    differing: int
    faults: tuple[LayoutFault, ...]
    wires: int
    strange: int
    sentences: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """The file holds every symbol, every wire, and nothing else."""
        return self.differing == self.wires == self.strange == 0


def audit_layout(plan: Plan, shapes: Shapes, program: ViaProgram | None = None, *, limit: int = 20) -> LayoutAudit:
    """Compare a file with its plan, cell by cell. program: to name the weight of a wrong via."""
    differing = wires = strange = cells = 0
    faults: list[LayoutFault] = []
    message: list[str] = []
    for part in plan.parts:
        found, lost = symbols_of(plan, part, shapes)
        cells += found.size
        bad = found != part.symbols
        differing += int(bad.sum())
        for r, c in np.argwhere(bad)[: max(0, limit - len(faults))]:
            faults.append(_fault(plan, part, int(r), int(c), int(found[r, c]), program))
        strange += len(lost)
        message += [f"cut of {part.name} that belongs to no symbol at {box_of(b, plan.grid)} um" for b in lost[:limit]]
    for name, layer in plan.layers.layers.items():
        if layer.plug is None:
            n, where = _wire_faults(plan, name, shapes.of(layer.drawing), limit)
            wires += n
            message += where
    known = plan.layers.names()
    for number, rects in shapes.rects.items():
        if number not in known and len(rects):
            strange += len(rects)
            message.append(f"{len(rects)} shapes on layer {number[0]}/{number[1]}, which the layer map does not have")
    outside = _outside(plan, shapes)
    strange += len(outside)
    message += [f"cut outside of every plane at {box_of(b, plan.grid)} um" for b in outside[:limit]]
    return LayoutAudit(shapes.path, cells, differing, tuple(faults), wires, strange, tuple(message[:limit]))


def symbols_of(plan: Plan, part: PlacedPlane, shapes: Shapes) -> tuple[IntArray, IntArray]:
    """Symbols that the cuts of a plane mean, shape (rows, columns), and cuts that stand where no symbol has one.

    Every place in a cell where some symbol has a cut is a bit; the set of bits that are there tells the symbol.
    """
    p = part.pattern
    places = list(dict.fromkeys([*p.common, *(s for of in p.symbols for s in of)]))
    places = [s for s in places if s.layer not in (p.plane.row, p.plane.column)]
    via = plan.layers.layers[plan.stack.via_between(p.plane.row, p.plane.column).name]
    flags = np.zeros(part.rows * part.columns, dtype=np.int64)
    lost = []
    for plug, number in ((False, via.drawing), (True, via.plug)):
        cuts = shapes.of(number) if number else np.empty((0, 4), dtype=np.int64)
        row, column, inside = _cell_of(part, cuts)
        cuts, row, column = cuts[inside], row[inside], column[inside]
        corner = np.stack([column * p.column_pitch + part.origin[0], row * p.row_pitch + part.origin[1]], axis=1)
        local = cuts - np.concatenate([corner, corner], axis=1)
        unknown = np.ones(len(cuts), dtype=bool)
        for bit, shape in enumerate(places):
            here = (local == np.array(shape.box)).all(axis=1)
            if shape.plug == plug:
                np.bitwise_or.at(flags, row[here] * part.columns + column[here], 1 << bit)
                unknown &= ~here
        lost.append(cuts[unknown])
    symbols = np.full(flags.shape, NO_SYMBOL, dtype=np.int64)
    for k, added in enumerate(p.symbols):
        wanted = sum(1 << i for i, s in enumerate(places) if s in p.common or s in added)
        symbols[flags == wanted] = k
    return symbols.reshape(part.rows, part.columns), np.concatenate(lost)


def _cell_of(part: PlacedPlane, cuts: IntArray) -> tuple[IntArray, IntArray, BoolArray]:
    """Row and column of the cell that the middle of each cut lies in, and whether it is one of the plane's."""
    x = (cuts[:, 0] + cuts[:, 2]) // 2 - part.origin[0]
    y = (cuts[:, 1] + cuts[:, 3]) // 2 - part.origin[1]
    row, column = y // part.pattern.row_pitch, x // part.pattern.column_pitch
    return row, column, (row >= 0) & (row < part.rows) & (column >= 0) & (column < part.columns)


def _outside(plan: Plan, shapes: Shapes) -> IntArray:
    """Cuts that lie in no plane of their layer."""
    out = [np.empty((0, 4), dtype=np.int64)]
    for name, layer in plan.layers.layers.items():
        if layer.plug is None:
            continue
        planes = [p.pattern.plane for p in plan.parts]
        parts = [
            part
            for part, plane in zip(plan.parts, planes, strict=True)
            if plan.stack.via_between(plane.row, plane.column).name == name
        ]
        for cuts in (shapes.of(layer.drawing), shapes.of(layer.plug)):
            held = np.zeros(len(cuts), dtype=bool)
            for part in parts:
                held |= _cell_of(part, cuts)[2]
            out.append(cuts[~held])
    return np.concatenate(out)


def _wire_faults(plan: Plan, layer: str, found: IntArray, limit: int) -> tuple[int, list[str]]:
    """Pieces of a metal that are missing or too many: the union of what is drawn against that of the plan."""
    own = [expected_rects(p, layer) for p in plan.parts if layer in (p.pattern.plane.row, p.pattern.plane.column)]
    wanted = np.concatenate(own) if own else np.empty((0, 4), dtype=np.int64)
    if found.shape == wanted.shape and bool((_sorted(found) == _sorted(wanted)).all()):
        return 0, []
    # The same metal may be cut into other pieces: compare the unions, slab by slab.
    edges = np.unique(np.concatenate([found[:, [1, 3]].ravel(), wanted[:, [1, 3]].ravel()]))
    a, b = Slabs.of(found, edges), Slabs.of(wanted, edges)
    out, total = [], 0
    for missing, (slab, low, high) in zip((False, True), _differences(a, b), strict=True):
        boxes = a.rects(slab, low, high)
        total += len(boxes)
        word = "missing" if missing else "that should not be there"
        out += [f"{layer}: metal {word} at {box_of(box, plan.grid)} um" for box in boxes[:limit]]
    return total, out


def _differences(a: Slabs, b: Slabs) -> tuple[tuple[IntArray, ...], tuple[IntArray, ...]]:
    """What only the first and what only the second of two unions on the same slabs covers: slab, low, high each."""
    slab = np.concatenate([a.slab, a.slab, b.slab, b.slab])
    x = np.concatenate([a.low, a.high, b.low, b.high])
    n, m = len(a.slab), len(b.slab)
    step = np.repeat(
        [1, -1, 2, -2], [n, n, m, m]
    )  # the running sum is 1 inside the first, 2 inside the second, 3 in both
    order = np.lexsort((x, slab))
    slab, x, inside = slab[order], x[order], np.cumsum(step[order])
    real = x[1:] > x[:-1]
    found = [np.flatnonzero(real & (inside[:-1] == which)) for which in (1, 2)]
    first, second = ((slab[i], x[i], x[i + 1]) for i in found)
    return first, second


def _sorted(rects: IntArray) -> IntArray:
    return rects[np.lexsort(rects.T)]


def _fault(plan: Plan, part: PlacedPlane, row: int, column: int, found: int, program: ViaProgram | None) -> LayoutFault:
    p = part.pattern
    at = (part.origin[0] + (column + 0.5) * p.column_pitch, part.origin[1] + (row + 0.5) * p.row_pitch)
    meaning = ""
    if program is not None and part.scope is not None:
        scope = part.scope
        meaning = scope.options.part(column, scope.stop - scope.start)
        if not meaning:
            k = scope.placement.column_start + scope.start + column - scope.options.before
            sign = "+" if program.sign[k] > 0 else "-"
            weight = f"[{scope.placement.row_start + row}, {int(program.weight_column[k])}]"
            meaning = f"{sign}{program.encoding.radix}^{int(program.significance[k])} of weight {weight}"
    x, y = (round(v * plan.grid * 1e6, 6) for v in at)
    return LayoutFault(part.tile, part.plane, row, column, int(part.symbols[row, column]), found, (x, y), meaning)
