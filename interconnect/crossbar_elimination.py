"""A crossbar's effective conductances by eliminating all nodes between its drivers and its sense ends.

The array is halved along its longer side again and again. A part is known by the conductances between its ports: the
left ends of its word lines, the right ends of those that go on, the top and the bottom ends of its bit lines. Two parts
become one by eliminating the nodes where they meet: conductances between ports only grow (star-mesh transform, for
many nodes at once by Cholesky factors, whose inverses have no negative entry), nothing is subtracted, so small
conductances beside large ones keep their digits (the reason is that of Alfa, Xue and Ye, Math. Comp. 71, 2002, 217).
The order is nested dissection (George, SIAM J. Numer. Anal. 10, 1973, 345): work grows with the cube of the side.
"""

from typing import Any, NamedTuple

import numpy as np
from scipy.linalg.blas import dtrsm
from scipy.linalg.lapack import dpotrf

from interconnect.arrays import FloatArray
from interconnect.blas import one_blas_thread
from interconnect.compiled import compiled_loop
from interconnect.errors import SolverError

TILE = 8
"""Rows and columns of the parts from which the halves are put together: nodes are eliminated one by one there."""


class Part(NamedTuple):
    """Conductances (ports, ports) S between the ports of a part, and how many of them are left, right, top, bottom."""

    siemens: FloatArray
    ports: tuple[int, int, int, int]


def eliminated(cells: FloatArray, row: FloatArray, column: FloatArray) -> FloatArray:
    """Current into every column's sense end per volt of every row's driver, (rows, cols) S.

    Parameters
    ----------
    cells
        Shape (rows, cols), S.
    row
        Series resistances of the word lines on the driver's side of every cell, driver included, shape (rows, cols),
        ohm, positive and finite.
    column
        The same of the bit lines on the side of the sense end.

    Returns
    -------
    ndarray
        Shape (rows, cols), S.
    """
    rows, cols = cells.shape
    with one_blas_thread():  # most blocks are small
        whole = _part(cells, 1.0 / row, 1.0 / column, (0, rows, 0, cols))
    return np.ascontiguousarray(whole.siemens[:rows, rows:])


def _part(cells: FloatArray, across: FloatArray, down: FloatArray, span: tuple[int, int, int, int]) -> Part:
    """The part of rows span[0] to span[1] and columns span[2] to span[3]."""
    top, bottom, left, right = span
    rows, cols = bottom - top, right - left
    if max(rows, cols) <= TILE:
        return _tile(cells, across, down, span)
    if cols >= rows:
        cut = left + TILE * -(-cols // (2 * TILE))
        spans = (top, bottom, left, cut), (top, bottom, cut, right)
    else:
        cut = top + TILE * -(-rows // (2 * TILE))
        spans = (top, cut, left, right), (cut, bottom, left, right)
    one, other = (_part(cells, across, down, part) for part in spans)
    return _joined(one, other, cols >= rows)


def _joined(one: Part, other: Part, beside: bool) -> Part:
    """Two parts, `other` to the right of `one` (`beside`) or below it."""
    meet, facing = (1, 0) if beside else (3, 2)  # sides count from 0: left, right, top, bottom
    ports = [0, 0, 0, 0]
    places: tuple[list[Any], list[Any]] = [], []
    count = 0
    for side in range(4):
        for part, inner, place in zip((one, other), (meet, facing), places, strict=True):
            here = 0 if side == inner else part.ports[side]
            place.append(np.arange(count, count + here))
            ports[side] += here
            count += here
    total = np.zeros((count + one.ports[meet],) * 2)
    for part, inner, place in zip((one, other), (meet, facing), places, strict=True):
        place[inner] = np.arange(count, len(total))
        _add(total, np.concatenate(place), part.siemens)
    return Part(_without(total, count), (ports[0], ports[1], ports[2], ports[3]))


@compiled_loop()
def _add(total: Any, index: Any, part: Any) -> None:
    """total[index, index] += part."""
    for p in range(len(index)):
        for q in range(len(index)):
            total[index[p], index[q]] += part[p, q]


def _without(siemens: FloatArray, count: int) -> FloatArray:
    """Conductances between the first `count` nodes after the others were eliminated."""
    push = siemens[count:, :count]
    matrix = -siemens[count:, count:]
    np.fill_diagonal(matrix, 0.0)
    np.fill_diagonal(matrix, push.sum(axis=1) - matrix.sum(axis=1))
    factor, failed = dpotrf(matrix, lower=1)
    if failed:
        raise SolverError("the crossbar's nodes cannot be eliminated: some are connected to nothing")
    half = dtrsm(1.0, factor, push, lower=1)
    return siemens[:count, :count] + half.T @ half


def _tile(cells: FloatArray, across: FloatArray, down: FloatArray, span: tuple[int, int, int, int]) -> Part:
    top, bottom, left, right = span
    rows, cols = bottom - top, right - left
    ports = (rows, rows if right < cells.shape[1] else 0, cols if top > 0 else 0, cols)
    siemens = np.empty((sum(ports),) * 2)
    here = np.s_[top:bottom, left:right]
    _star_mesh(cells[here], across[here], down[here], ports[1] > 0, ports[2] > 0, siemens)
    return Part(siemens, ports)


@compiled_loop(error_model="numpy", fastmath={"reassoc", "contract", "nsz"})
def _star_mesh(cells: Any, across: Any, down: Any, right: bool, top: bool, out: Any) -> None:
    """Conductances between a tile's ports, nodes eliminated one after the other, those of close cuts first."""
    rows, cols = cells.shape
    word, bit, size = rows + cols, rows + cols + rows * cols, rows + cols + 2 * rows * cols
    # Left ends, bottom ends, then a word-line and a bit-line node for every cell.
    net = np.zeros((size, size))
    for i in range(rows):
        for j in range(cols):
            w, b = word + i * cols + j, bit + i * cols + j
            before = w - 1 if j > 0 else i
            after = b + cols if i + 1 < rows else rows + j
            for one, other, value in ((w, b, cells[i, j]), (w, before, across[i, j]), (b, after, down[i, j])):
                net[one, other] = net[other, one] = value
    port = np.empty(len(out), dtype=np.int64)
    left = np.zeros(size, dtype=np.bool_)
    near = np.empty(size, dtype=np.int64)
    count = 0
    for i in range(rows):
        port[count] = i
        count += 1
    if right:
        for i in range(rows):
            port[count] = word + i * cols + cols - 1
            left[port[count]] = True
            count += 1
    if top:
        for j in range(cols):
            port[count] = bit + j
            left[port[count]] = True
            count += 1
    for j in range(cols):
        port[count] = rows + j
        count += 1
    left[: rows + cols] = True
    step = 1
    while step <= 2 * TILE:
        for i in range(rows):
            for j in range(cols):
                for node, place in ((word + i * cols + j, j + 1), (bit + i * cols + j, i)):
                    last = step > TILE
                    if left[node] or not (last or place % (2 * step) == step):
                        continue
                    left[node] = True
                    degree, total = 0, 0.0
                    for k in range(size):
                        if net[node, k] > 0.0:
                            near[degree] = k
                            degree += 1
                            total += net[node, k]
                    for p in range(degree):
                        a = near[p]
                        share = net[node, a] / total
                        for q in range(p):
                            b = near[q]
                            value = net[a, b] + share * net[node, b]
                            net[a, b] = net[b, a] = value
                        net[a, node] = 0.0
        step *= 2
    for p in range(count):
        for q in range(count):
            out[p, q] = net[port[p], port[q]]
