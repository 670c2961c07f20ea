"""L D L^T of sparse symmetric positive definite matrices, for many solutions inside compiled loops.

SciPy's SuperLU gives the ordering and factors what fills in much; for lines, whose factors hold two numbers per node,
its set-up costs more than the work, so those are factored here (up-looking, row by row of L along the elimination tree:
T. A. Davis, ACM Trans. Math. Software 31, 2005, 587). Vectors are the last, contiguous index.
"""

from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.linalg import spilu, splu

from interconnect.arrays import FloatArray
from interconnect.compiled import compiled_loop
from interconnect.errors import SolverError
from interconnect.network import Index

Numbers = FloatArray | NDArray[np.complex128]


_OPTIONS = {"SymmetricMode": True, "Equil": False}

DENSE = 30.0
"""Mean entries per column of L above which SuperLU's dense kernels are the faster ones (measured)."""


class Factor(NamedTuple):
    """L D L^T by supernodes: neighbouring columns of L whose rows below them are the same, kept as one dense block.

    column: first column of each supernode (supernodes + 1,). row_start: where its rows below begin in `row`. start:
    where its values begin in `value`: the columns' own square (row by row), then one line per row below.
    inverse: 1/D, (columns,).
    """

    column: Any
    row_start: Any
    row: Any
    start: Any
    value: Any
    inverse: Any


class LDL:
    """Factorisations of matrices of one pattern: (start, index) of compressed columns, in the order of elimination.

    Values may also be complex (L D L^T, nothing conjugated): no pivoting is needed where the real and the imaginary
    part are both positive semidefinite and together regular (N. J. Higham, Math.
    Comp. 67, 1998, 1591), as in G + j omega C.
    `lower` is the number of entries of L below its diagonal.
    """

    def __init__(self, start: Index, index: Index) -> None:
        self.start, self.index = start, index
        self.size = len(start) - 1
        self._parent, self._count = _symbolic(start, index)
        self.lower = int(self._count.sum())

    def factor(self, value: Numbers) -> Factor:
        """Factor of the matrix with these values; raises SolverError if it is not positive definite."""
        if self.lower > DENSE * self.size:
            return self._superlu(value)
        lower, index, entry, diagonal = _numeric(self.start, self.index, value, self._parent, self._count)
        if len(diagonal) and not (diagonal.real + diagonal.imag).min() > 0:
            raise SolverError("the network's matrix is not positive definite: a node is not connected")
        packed: Factor = supernodes(lower, index, entry, 1.0 / diagonal)
        return packed

    def _superlu(self, value: Numbers) -> Factor:
        matrix = sp.csc_array((value, self.index, self.start), shape=(self.size, self.size))
        try:
            lu = splu(matrix, permc_spec="NATURAL", diag_pivot_thresh=0.0, options=_OPTIONS)
        except RuntimeError:
            raise SolverError("the network's matrix is singular: a node is not connected") from None
        natural = np.arange(self.size)
        pivots = lu.U.diagonal()
        if not (
            np.array_equal(lu.perm_c, natural)
            and np.array_equal(lu.perm_r, natural)
            and (pivots.real + pivots.imag).min() > 0
        ):
            raise SolverError("the network's matrix could not be factored in its order of elimination")
        lower = sp.csc_array(lu.L)
        lower.sort_indices()
        column = np.repeat(natural, np.diff(lower.indptr))
        below = lower.indices > column
        start = np.zeros(self.size + 1, dtype=np.int64)
        np.cumsum(np.bincount(column[below], minlength=self.size), out=start[1:])
        packed: Factor = supernodes(start, lower.indices[below].astype(np.int64), lower.data[below], 1.0 / pivots)
        return packed


def elimination_order(matrix: sp.csc_array) -> Index:
    """Order (nodes,) in which to eliminate a symmetric pattern with full diagonal (minimum degree)."""
    size = matrix.shape[0]
    if size == 0:
        return np.zeros(0, dtype=np.int64)
    data = np.where(matrix.indices == np.repeat(np.arange(size), np.diff(matrix.indptr)), size + 1.0, -1.0)
    pattern = sp.csc_array((data, matrix.indices, matrix.indptr), shape=matrix.shape)
    # An incomplete factorisation that drops all it can is the cheapest way to SuperLU's ordering.
    found = spilu(
        pattern, drop_tol=1.0, fill_factor=1.0, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options=_OPTIONS
    )
    order = np.empty(size, dtype=np.int64)
    order[found.perm_c] = np.arange(size)
    return order


@compiled_loop()
def _symbolic(start: Any, index: Any) -> Any:
    """Elimination tree and number of entries below the diagonal of every column of L."""
    size = len(start) - 1
    parent, count, mark = np.full(size, -1), np.zeros(size, np.int64), np.full(size, -1)
    for k in range(size):
        mark[k] = k
        for p in range(start[k], start[k + 1]):
            i = index[p]
            while i < k and mark[i] != k:
                if parent[i] < 0:
                    parent[i] = k
                count[i] += 1
                mark[i] = k
                i = parent[i]
    return parent, count


@compiled_loop()
def _numeric(start: Any, index: Any, value: Any, parent: Any, count: Any) -> Any:
    """Columns of L below the diagonal (start, rows, values) and D."""
    size = len(start) - 1
    begin = np.zeros(size + 1, np.int64)
    for k in range(size):
        begin[k + 1] = begin[k] + count[k]
    row, entry = np.empty(begin[size], np.int64), np.empty(begin[size], value.dtype)
    end, diagonal = begin[:size].copy(), np.zeros(size, value.dtype)
    work, mark = np.zeros(size, value.dtype), np.full(size, -1)
    stack, path = np.empty(size, np.int64), np.empty(size, np.int64)
    for k in range(size):
        # Row k of L: its pattern is what the tree's paths from A's entries reach, in topological order.
        top, mark[k] = size, k
        for p in range(start[k], start[k + 1]):
            i = index[p]
            if i > k:
                continue
            work[i] += value[p]
            length = 0
            while mark[i] != k:
                path[length] = i
                length += 1
                mark[i] = k
                i = parent[i]
            while length > 0:
                top -= 1
                length -= 1
                stack[top] = path[length]
        pivot = work[k]
        work[k] = 0.0
        for s in range(top, size):
            i = stack[s]
            head = work[i]
            work[i] = 0.0
            for p in range(begin[i], end[i]):
                work[row[p]] -= entry[p] * head
            scaled = head / diagonal[i]
            pivot -= scaled * head
            row[end[i]], entry[end[i]] = k, scaled
            end[i] += 1
        diagonal[k] = pivot
        if not pivot.real + pivot.imag > 0.0:
            break
    return begin, row, entry, diagonal


@compiled_loop()
def supernodes(start: Any, index: Any, value: Any, inverse: Any) -> Factor:
    """Pack the columns of a unit lower triangle (diagonal left out, rows in order) into supernodes."""
    size = len(start) - 1
    column, row_start = np.empty(size + 1, np.int64), np.empty(size + 1, np.int64)
    begins = np.empty(size + 1, np.int64)
    row, packed = np.empty(len(index), np.uint32), np.zeros(2 * len(index) + size, value.dtype)
    count, rows, filled, j = 0, 0, 0, 0
    while j < size:
        last = j
        while last + 1 < size:
            p, q, length = start[last], start[last + 1], start[last + 2] - start[last + 1]
            if q - p != length + 1 or index[p] != last + 1:
                break
            same = True
            for k in range(length):
                same = same and index[p + 1 + k] == index[q + k]
            if not same:
                break
            last += 1
        width, below = last - j + 1, start[last + 1] - start[last]
        column[count], row_start[count], begins[count] = j, rows, filled
        for k in range(below):
            row[rows + k] = index[start[last] + k]
        for c in range(width):
            p = start[j + c]
            for r in range(c + 1, width):
                packed[filled + r * width + c] = value[p + r - c - 1]
            for k in range(below):
                packed[filled + (width + k) * width + c] = value[p + width - c - 1 + k]
        count, rows, filled, j = count + 1, rows + below, filled + (width + below) * width, last + 1
    column[count], row_start[count], begins[count] = size, rows, filled
    return Factor(
        column[: count + 1].copy(), row_start[: count + 1].copy(), row[:rows].copy(), begins[: count + 1].copy(),
        packed[:filled].copy(), inverse,
    )  # fmt: skip


@compiled_loop(fastmath=True)
def _solve_one(factor: Factor, x: Any) -> None:
    """x <- (L D L^T)^-1 x for one vector, in place."""
    zero = np.zeros(1, x.dtype)[0]
    count = len(factor.column) - 1
    for s in range(count):
        a = factor.column[s]
        width = factor.column[s + 1] - a
        p, first, last = factor.start[s], factor.row_start[s], factor.row_start[s + 1]
        if width == 1:
            head = x[a]
            for k in range(last - first):
                x[factor.row[first + k]] -= factor.value[p + 1 + k] * head
            continue
        mine = x[a : a + width]
        for r in range(1, width):
            line = factor.value[p + r * width : p + r * width + r]
            total = zero
            for c in range(r):
                total += line[c] * mine[c]
            mine[r] -= total
        for k in range(last - first):
            q = p + (width + k) * width
            line = factor.value[q : q + width]
            total = zero
            for c in range(width):
                total += line[c] * mine[c]
            x[factor.row[first + k]] -= total
    for j in range(len(x)):
        x[j] *= factor.inverse[j]
    for s in range(count - 1, -1, -1):
        a = factor.column[s]
        width = factor.column[s + 1] - a
        p, first, last = factor.start[s], factor.row_start[s], factor.row_start[s + 1]
        if width == 1:
            total = x[a]
            for k in range(last - first):
                total -= factor.value[p + 1 + k] * x[factor.row[first + k]]
            x[a] = total
            continue
        mine = x[a : a + width]
        for k in range(last - first):
            q = p + (width + k) * width
            line = factor.value[q : q + width]
            head = x[factor.row[first + k]]
            for c in range(width):
                mine[c] -= line[c] * head
        for r in range(width - 1, 0, -1):
            line = factor.value[p + r * width : p + r * width + r]
            head = mine[r]
            for c in range(r):
                mine[c] -= line[c] * head


@compiled_loop(fastmath=True)
def solve_factored(factor: Factor, x: Any) -> None:
    """x <- (L D L^T)^-1 x, in place; x (nodes, vectors)."""
    vectors = x.shape[1]
    if vectors == 1:
        _solve_one(factor, x[:, 0])
        return
    count = len(factor.column) - 1
    for s in range(count):
        a = factor.column[s]
        width, below = factor.column[s + 1] - a, factor.row_start[s + 1] - factor.row_start[s]
        for r in range(1, width + below):
            target = x[a + r] if r < width else x[factor.row[factor.row_start[s] + r - width]]
            line = factor.value[factor.start[s] + r * width :]
            for c in range(min(r, width)):
                entry, other = line[c], x[a + c]
                for v in range(vectors):
                    target[v] -= entry * other[v]
    for j in range(len(x)):
        for v in range(vectors):
            x[j, v] *= factor.inverse[j]
    for s in range(count - 1, -1, -1):
        a = factor.column[s]
        width, below = factor.column[s + 1] - a, factor.row_start[s + 1] - factor.row_start[s]
        for r in range(width + below - 1, 0, -1):
            other = x[a + r] if r < width else x[factor.row[factor.row_start[s] + r - width]]
            line = factor.value[factor.start[s] + r * width :]
            for c in range(min(r, width)):
                entry, target = line[c], x[a + c]
                for v in range(vectors):
                    target[v] -= entry * other[v]
