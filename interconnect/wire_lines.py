"""Networks whose resistors form lines: solutions by conjugate gradients, every line solved exactly in each iteration.

A big array's factors fill in; its lines alone do not. What couples them is capacitors, and where nodes have capacitance
to ground or to driven nodes as well, the lines' tridiagonal factors leave a fixed part of the error at any step size:
with N what couples lines and M the rest, N 1 <= share M 1 bounds the eigenvalues of M^-1 (M - N) to 1 -+ share, since M
is an M-matrix. Lines that do not couple to one another (word lines) are eliminated: the others (bit lines) then see
only the square of it. Within both sets nodes are numbered by their place along their line, then by line, the longest
first, so that every recurrence runs over all lines at once.
"""

from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from interconnect.arrays import BoolArray, FloatArray
from interconnect.compiled import compiled_loop
from interconnect.network import Index
from interconnect.stamps import SparsityPattern

MAX_SHARE = 0.9
"""Largest part of a node's capacitance that couples lines; above, iterations would be too many."""

MIN_NODES = 4000
"""Smaller networks are factored faster than solved in iterations (measured)."""

MIN_PAIRS = 8
"""Pairs of coupled lines per line below which factors hardly fill in, as for columns that meet drivers only."""

TILE = 16
"""Places along lines that are coupled together: their nodes stay in the cache."""

MAX_ITERATIONS = 200
"""Ten times what the largest share and the smallest tolerance take."""


class LineFactor(NamedTuple):
    """M = L D L^T for one step size, and N.

    eliminated, kept (places + 1,): first node of every place along the lines of both sets. inverse: 1/D, lower: entry
    of L towards the previous node of the line. out, into, cross (entries of N): between an eliminated and a kept node,
    by tiles that stay in the cache; one, other, beside: between two kept ones.
    """

    eliminated: Any
    kept: Any
    inverse: Any
    lower: Any
    out: Any
    into: Any
    cross: Any
    one: Any
    other: Any
    beside: Any


def number_lines(size: int, a: Index, b: Index) -> tuple[Index, Index] | None:
    """Number of the line and place along it, both (size,), of every node; None if pairs (a, b) of connected nodes do
    not form lines. Longer lines have smaller numbers.
    """
    keep = a < b
    pairs = np.unique(a[keep] * size + b[keep])
    a, b = pairs // size, pairs % size
    degree = np.bincount(a, minlength=size) + np.bincount(b, minlength=size)
    if degree.max(initial=0) > 2:
        return None
    count, label = connected_components(sp.coo_array((np.ones(len(a)), (a, b)), shape=(size, size)), directed=False)
    if len(a) != size - count:
        return None  # a ring
    node, other = np.concatenate([a, b]), np.concatenate([b, a])
    by_node = np.argsort(node, kind="stable")
    node, other = node[by_node], other[by_node]
    beside = np.full((size, 2), -1)
    beside[node, np.arange(len(node)) - np.searchsorted(node, node)] = other
    ends = np.flatnonzero(degree <= 1)
    here = ends[np.unique(label[ends], return_index=True)[1]]
    here = here[np.argsort(-np.bincount(label)[label[here]], kind="stable")]
    line, place = np.empty(size, dtype=np.int64), np.empty(size, dtype=np.int64)
    before, step = np.full(len(here), -1), 0
    while len(here):
        line[here], place[here] = np.arange(len(here)), step
        after = np.where(beside[here, 0] != before, beside[here, 0], beside[here, 1])
        before, here, step = here[after >= 0], after[after >= 0], step + 1
    return line, place


def apart(lines: int, a: Index, b: Index) -> BoolArray:
    """Which of so many lines may be eliminated: those with few neighbours first, none coupled to another; pairs (a, b)
    of coupled lines, both ways.
    """
    by_line = np.argsort(a, kind="stable")
    other, start = b[by_line], np.searchsorted(a[by_line], np.arange(lines + 1))
    chosen, barred = np.zeros(lines, dtype=bool), np.zeros(lines, dtype=bool)
    for line in np.argsort(np.diff(start), kind="stable").tolist():
        if not barred[line]:
            chosen[line] = True
            barred[other[start[line] : start[line + 1]]] = True
    return chosen


class WireLines:
    """Nodes of a network that form lines: `order` in which they are numbered, and factors of their matrices.

    line, place: of every node, as of `number_lines`. row, column, farad: stamps of the capacitances between nodes.
    pays: whether iterations are few and a factorisation would fill in.
    """

    def __init__(self, line: Index, place: Index, row: Index, column: Index, farad: FloatArray) -> None:
        size, lines = len(line), int(line.max()) + 1
        couples = (line[row] != line[column]) & (farad != 0)
        ground = np.bincount(row, weights=farad, minlength=size)
        coupling = np.bincount(row[couples], weights=-farad[couples], minlength=size)
        share = np.divide(coupling, coupling + ground, out=np.zeros(size), where=coupling > 0)
        pairs = np.unique(line[row[couples]] * lines + line[column[couples]])
        self.pays = bool(share.max() <= MAX_SHARE and len(pairs) >= 2 * MIN_PAIRS * lines)
        if not self.pays:
            return
        rest = ~apart(lines, pairs // lines, pairs % lines)[line]
        self.order = np.lexsort((line, place, rest))
        self.offsets = []
        first = 0
        for part in (~rest, rest):
            count = np.bincount(place[part])
            self.offsets.append(np.concatenate([[first], first + np.cumsum(count)]))
            first += int(count.sum())

    def use(self, pattern: SparsityPattern, c_values: FloatArray) -> None:
        """Take the matrices' pattern and the capacitances in it, in the new order."""
        size = len(pattern.start) - 1
        previous = np.full(size, -1)
        for offset in self.offsets:
            for k in range(1, len(offset) - 1):
                count = offset[k + 1] - offset[k]
                previous[offset[k] : offset[k + 1]] = np.arange(offset[k - 1], offset[k - 1] + count)
        column, row = np.repeat(np.arange(size), np.diff(pattern.start)), pattern.rows
        self._own = np.flatnonzero(row == column)
        self._tie = np.flatnonzero(row == previous[column])
        self._tied = column[self._tie]
        along = (row == column) | (row == previous[column]) | (column == previous[row])
        split = self.offsets[1][0]
        place = np.concatenate([np.repeat(np.arange(len(o) - 1), np.diff(o)) for o in self.offsets]) // TILE
        cross = np.flatnonzero(~along & (column < split) & (c_values < 0))
        cross = cross[np.lexsort((column[cross], place[row[cross]], place[column[cross]]))]
        beside = np.flatnonzero(~along & (column >= split) & (row > column) & (c_values < 0))
        self._ends = [ends[part].astype(np.uint32) for part in (cross, beside) for ends in (column, row)]
        self._coupling = -c_values[cross], -c_values[beside]
        self._c = self._parts(c_values)

    def factor(self, g_values: FloatArray, alpha: float) -> LineFactor:
        """Factors of G + alpha C."""
        own, tie = (g + alpha * c for g, c in zip(self._parts(g_values), self._c, strict=True))
        inverse, lower = np.empty_like(own), np.empty_like(own)
        for offset in self.offsets:
            _factor(offset, own, tie, inverse, lower)
        out, into, one, other = self._ends
        cross, beside = (alpha * values for values in self._coupling)
        first, second = self.offsets
        return LineFactor(first, second, inverse, lower, out, into, cross, one, other, beside)

    def _parts(self, values: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Diagonal, and entries towards the previous node of the line."""
        tie = np.zeros(len(self._own))
        tie[self._tied] = values[self._tie]
        return values[self._own], tie


@compiled_loop()
def _factor(offset: Any, own: Any, tie: Any, inverse: Any, lower: Any) -> None:
    if len(offset) < 2:
        return
    for i in range(offset[0], offset[1]):
        inverse[i], lower[i] = 1.0 / own[i], 0.0
    for k in range(1, len(offset) - 1):
        back = offset[k] - offset[k - 1]
        for i in range(offset[k], offset[k + 1]):
            lower[i] = tie[i] * inverse[i - back]
            inverse[i] = 1.0 / (own[i] - tie[i] * lower[i])


@compiled_loop(fastmath={"reassoc", "contract", "nsz"})
def _lines_times(factor: LineFactor, x: Any, out: Any) -> None:
    """out <- M x on the kept lines."""
    offset, inverse, lower = factor.kept, factor.inverse, factor.lower
    for k in range(len(offset) - 1):
        first, end = offset[k], offset[k + 1]
        # Slices of their own let the loops be vectorised.
        here, value, pivot = x[first:end], out[first:end], inverse[first:end]
        longer = 0
        if k + 2 < len(offset):
            longer = offset[k + 2] - end
            ahead, link = x[end : end + longer], lower[end : end + longer]
            for i in range(longer):
                value[i] = (here[i] + link[i] * ahead[i]) / pivot[i]
        for i in range(longer, end - first):
            value[i] = here[i] / pivot[i]
    for k in range(len(offset) - 2, 0, -1):
        first, end = offset[k], offset[k + 1]
        value, link, back = out[first:end], lower[first:end], out[offset[k - 1] : offset[k - 1] + end - first]
        for i in range(end - first):
            value[i] += link[i] * back[i]


@compiled_loop(fastmath={"reassoc", "contract", "nsz"})
def _lines_solve(offset: Any, inverse: Any, lower: Any, right: Any, x: Any) -> tuple[float, float]:
    """x <- M^-1 right on the lines of `offset`; right times x, and the largest |x|."""
    x[offset[0] : offset[1]] = right[offset[0] : offset[1]]
    for k in range(1, len(offset) - 1):
        first, end = offset[k], offset[k + 1]
        here, link, push = x[first:end], lower[first:end], right[first:end]
        back = x[offset[k - 1] : offset[k - 1] + end - first]
        for i in range(end - first):
            here[i] = push[i] - link[i] * back[i]
    energy = largest = 0.0
    for k in range(len(offset) - 2, -1, -1):
        first, end = offset[k], offset[k + 1]
        here, share, push = x[first:end], inverse[first:end], right[first:end]
        longer = 0
        if k + 2 < len(offset):
            longer = offset[k + 2] - end
            ahead, link = x[end : end + longer], lower[end : end + longer]
            for i in range(longer):
                value = here[i] * share[i] - link[i] * ahead[i]
                here[i] = value
                energy += push[i] * value
                largest = max(largest, abs(value))
        for i in range(longer, end - first):
            value = here[i] * share[i]
            here[i] = value
            energy += push[i] * value
            largest = max(largest, abs(value))
    return energy, largest


@compiled_loop()
def _push_eliminated(factor: LineFactor, x: Any, out: Any) -> None:
    """out += N x on the eliminated lines."""
    for e in range(len(factor.cross)):
        out[factor.out[e]] += factor.cross[e] * x[factor.into[e]]


@compiled_loop()
def _push_kept(factor: LineFactor, x: Any, out: Any, sign: float) -> None:
    """out += sign N x on the kept lines."""
    for e in range(len(factor.cross)):
        out[factor.into[e]] += sign * factor.cross[e] * x[factor.out[e]]
    for e in range(len(factor.beside)):
        a, b, value = factor.one[e], factor.other[e], sign * factor.beside[e]
        out[a] += value * x[b]
        out[b] += value * x[a]


@compiled_loop(fastmath={"reassoc", "contract", "nsz"})
def solve_lines(factor: LineFactor, right: Any, x: Any, tolerance: float, space: Any) -> bool:
    """x (nodes, vectors) <- (M - N)^-1 right, started from x, until corrections are below `tolerance` V; False if
    that is not reached. space (6, nodes, vectors): room for work.
    """
    size, vectors = x.shape
    eliminated, kept, inverse, lower = factor.eliminated, factor.kept, factor.inverse, factor.lower
    split = kept[0]
    room = space.reshape((6, size * vectors))
    answer, residue, image, step, work, correction = room[0], room[1], room[2], room[3], room[4], room[5]
    fine = True
    for v in range(vectors):
        for i in range(size):
            answer[i] = x[i, v]
            work[i] = residue[i] = right[i, v]
        _push_eliminated(factor, answer, work)
        _lines_solve(eliminated, inverse, lower, work, answer)
        _lines_times(factor, answer, image)
        _push_kept(factor, answer, residue, 1.0)
        for i in range(split, size):
            residue[i] -= image[i]
            step[i] = image[i] = 0.0
        energy, largest = _lines_solve(kept, inverse, lower, residue, correction)
        ratio, count = 0.0, 0
        while largest > tolerance and count < MAX_ITERATIONS:
            count += 1
            for i in range(split, size):
                step[i] = correction[i] + ratio * step[i]
                # M times the step, by recurrence.
                image[i] = residue[i] + ratio * image[i]
                work[i] = image[i]
            work[:split] = 0.0
            _push_eliminated(factor, step, work)
            _lines_solve(eliminated, inverse, lower, work, step)
            _push_kept(factor, step, work, -1.0)
            curvature = 0.0
            for i in range(split, size):
                curvature += step[i] * work[i]
            length = energy / curvature if curvature > 0.0 else 0.0
            # The eliminated nodes' voltages are linear in the kept ones', and the step has them.
            for i in range(split):
                answer[i] += length * step[i]
            for i in range(split, size):
                answer[i] += length * step[i]
                residue[i] -= length * work[i]
            old = energy
            energy, largest = _lines_solve(kept, inverse, lower, residue, correction)
            ratio = energy / old if old > 0.0 else 0.0
        fine = fine and largest <= tolerance
        for i in range(size):
            x[i, v] = answer[i]
    return fine
