"""Coarse grids under the crossbar's conjugate gradients, for wires that resist as much as their cells.

Over distances at which the cells conduct better than the wires, a word line and a bit line have one voltage where
they cross: what the bit lines' own tridiagonal parts cannot correct is the smooth voltage of that one grid of wires. It
is solved for by a multigrid cycle that halves, level by level, the direction in which the grid conducts better, and
relaxes only where a grid's cells hold the two lines together. The corrections add up, so the whole stays symmetric.
"""

from typing import Any, NamedTuple

import numpy as np

from interconnect.arrays import FloatArray
from interconnect.compiled import compiled_loop

COARSEST = 96
"""Nodes of the grid that is solved by its inverse."""

TIED = 4.0
"""A grid is relaxed where its wires conduct at most this much better than its cells."""


class Grids(NamedTuple):
    """All levels, each array one after the other from `start`; level 0 has the crossbar's own nodes.

    rows, cols, along (0: the next level has half of the columns, 1: half of the rows), edge: weight of the node
    next to the exit in that direction, relaxed: whether the level is. across, down (S): wire to the left of a node and
    below it. inverse: 1 / all that a node sees. solved: inverse of the last level. voltage, current, left: work.
    """

    rows: Any
    cols: Any
    start: Any
    along: Any
    edge: Any
    relaxed: Any
    across: Any
    down: Any
    inverse: Any
    solved: Any
    voltage: Any
    current: Any
    left: Any


def coarse_grids(cells: FloatArray, row: FloatArray, column: FloatArray) -> Grids:
    """Levels for cells (rows, cols) S and the series resistances (rows, cols) ohm of the wires, all above 0."""
    ties, across, down = cells, 1.0 / row, 1.0 / column
    levels, along, edge, relaxed = [(across, down)], [], [], []
    while across.size > COARSEST:
        # Medians, so that undriven rows and single broken segments decide nothing.
        x, y = (float(np.median(part)) if part.size else 0.0 for part in (across[:, 1:], down[:-1]))
        relaxed.append(x + y <= TIED * float(ties.mean()))
        way = 0 if across.shape[1] > 1 and (x >= y or across.shape[0] == 1) else 1
        if way == 0:
            exit_share, (across, down) = _exit(across[:, 0], x), (_series(across), _pairs(down))
            ties = _pairs(ties)
        else:
            exit_share = _exit(down[-1], y)
            across, down = _pairs(across.T[:, ::-1])[:, ::-1].T, _series(down.T[:, ::-1])[:, ::-1].T
            ties = _pairs(ties.T[:, ::-1])[:, ::-1].T
        along.append(way)
        edge.append(exit_share)
        levels.append((across, down))
    sizes = [one.size for one, _ in levels]
    inverses = [1.0 / _seen(*level) for level in levels]
    total = sum(sizes)
    conductances, below = zip(*levels, strict=True)
    across, down, inverse = (np.concatenate([x.ravel() for x in parts]) for parts in (conductances, below, inverses))
    return Grids(
        rows=np.array([one.shape[0] for one in below]),
        cols=np.array([one.shape[1] for one in below]),
        start=np.concatenate([[0], np.cumsum(sizes)]),
        along=np.array([*along, 0]),
        edge=np.array([*edge, 1.0]),
        relaxed=np.array([*relaxed, False]),
        across=across,
        down=down,
        inverse=inverse,
        solved=_dense_inverse(*levels[-1]),
        voltage=np.zeros(total),
        current=np.zeros(total),
        left=np.zeros(total),
    )


def _exit(siemens: FloatArray, inner: float) -> float:
    """Weight of the node next to the exits: 3/4 where those are held, 1 where they are open."""
    held = float(np.median(siemens)) / inner if inner > 0 else 1.0
    return 1.0 - 0.25 * min(held, 1.0)


def _pairs(values: FloatArray) -> FloatArray:
    """Sums of neighbouring columns, the last one alone where their number is odd."""
    even = np.ascontiguousarray(values[:, 0::2])
    even[:, : values.shape[1] // 2] += values[:, 1::2]
    return even


def _series(siemens: FloatArray) -> FloatArray:
    """Conductances between the middles of pairs of columns; each column's own wire lies to its left."""
    with np.errstate(divide="ignore"):
        ohm = 1.0 / siemens
        half = 0.5 * ohm
        total = np.array(ohm[:, 0::2])
        total[:, : siemens.shape[1] // 2] += half[:, 1::2]
        total[:, 1:] += half[:, 1:-1:2][:, : total.shape[1] - 1]
        return np.asarray(1.0 / total)


def _seen(across: FloatArray, down: FloatArray) -> FloatArray:
    seen = across + down
    seen[:, :-1] += across[:, 1:]
    seen[1:] += down[:-1]
    return seen


def _dense_inverse(across: FloatArray, down: FloatArray) -> FloatArray:
    rows, cols = across.shape
    node = np.arange(rows * cols).reshape(rows, cols)
    matrix = np.diag(_seen(across, down).ravel())
    for a, b, value in ((node[:, :-1], node[:, 1:], across[:, 1:]), (node[:-1], node[1:], down[:-1])):
        matrix[a, b] = matrix[b, a] = -value
    return np.asarray(np.linalg.inv(matrix), dtype=np.float64)


@compiled_loop(fastmath={"reassoc", "contract", "nsz"})
def _relax(first: int, across: Any, down: Any, inverse: Any, current: Any, voltage: Any) -> None:
    """Balance every other node: those whose row and column add up to an even number if `first` is 0."""
    rows, cols = voltage.shape
    for i in range(rows):
        for j in range((i + first) % 2, cols, 2):
            total = current[i, j]
            if j > 0:
                total += across[i, j] * voltage[i, j - 1]
            if j + 1 < cols:
                total += across[i, j + 1] * voltage[i, j + 1]
            if i > 0:
                total += down[i - 1, j] * voltage[i - 1, j]
            if i + 1 < rows:
                total += down[i, j] * voltage[i + 1, j]
            voltage[i, j] = total * inverse[i, j]


@compiled_loop(fastmath={"reassoc", "contract", "nsz"})
def _remainder(across: Any, down: Any, voltage: Any, left: Any) -> None:
    """Currents left over after both halves were balanced from 0: what the second half changed at the first."""
    rows, cols = voltage.shape
    for i in range(rows):
        for j in range(1 - i % 2, cols, 2):
            left[i, j] = 0.0
        for j in range(i % 2, cols, 2):
            total = 0.0
            if j > 0:
                total += across[i, j] * voltage[i, j - 1]
            if j + 1 < cols:
                total += across[i, j + 1] * voltage[i, j + 1]
            if i > 0:
                total += down[i - 1, j] * voltage[i - 1, j]
            if i + 1 < rows:
                total += down[i, j] * voltage[i + 1, j]
            left[i, j] = total


@compiled_loop()
def _gather(along: int, edge: float, fine: Any, coarse: Any) -> None:
    """Currents of the next level: the transpose of `_spread`."""
    rows, cols = fine.shape
    if along == 0:
        last = coarse.shape[1] - 1
        for i in range(rows):
            for j in range(last + 1):
                k = 2 * j
                total = (edge if j == 0 else 0.75) * fine[i, k]
                if k > 0:
                    total += 0.25 * fine[i, k - 1]
                if k + 1 < cols:
                    total += (0.75 if j < last else 1.0) * fine[i, k + 1]
                    if k + 2 < cols:
                        total += 0.25 * fine[i, k + 2]
                coarse[i, j] = total
        return
    last = coarse.shape[0] - 1
    for i in range(last + 1):
        # Pairs are counted from the exit, which is below.
        k = rows - 1 - 2 * (last - i)
        for j in range(cols):
            total = (edge if i == last else 0.75) * fine[k, j]
            if k + 1 < rows:
                total += 0.25 * fine[k + 1, j]
            if k > 0:
                total += (0.75 if i > 0 else 1.0) * fine[k - 1, j]
                if k > 1:
                    total += 0.25 * fine[k - 2, j]
            coarse[i, j] = total


@compiled_loop()
def _spread(along: int, edge: float, coarse: Any, fine: Any, add: bool) -> None:
    """Voltages of a level from the next one, linear between the middles of pairs."""
    rows, cols = fine.shape
    if along == 0:
        last = coarse.shape[1] - 1
        for i in range(rows):
            for j in range(last + 1):
                k = 2 * j
                here = coarse[i, j]
                value = edge * here if j == 0 else 0.75 * here + 0.25 * coarse[i, j - 1]
                fine[i, k] = fine[i, k] + value if add else value
                if k + 1 < cols:
                    value = here if j == last else 0.75 * here + 0.25 * coarse[i, j + 1]
                    fine[i, k + 1] = fine[i, k + 1] + value if add else value
        return
    last = coarse.shape[0] - 1
    for i in range(last + 1):
        k = rows - 1 - 2 * (last - i)
        for j in range(cols):
            here = coarse[i, j]
            value = edge * here if i == last else 0.75 * here + 0.25 * coarse[i + 1, j]
            fine[k, j] = fine[k, j] + value if add else value
        if k > 0:
            for j in range(cols):
                here = coarse[i, j]
                value = here if i == 0 else 0.75 * here + 0.25 * coarse[i - 1, j]
                fine[k - 1, j] = fine[k - 1, j] + value if add else value


@compiled_loop()
def grid_voltages(grids: Grids, current: FloatArray) -> Any:
    """Voltages (rows, cols) of the wires' grid for currents into its nodes, by one symmetric cycle."""
    levels = len(grids.rows)
    a, z = grids.start[0], grids.start[1]
    shape = (grids.rows[0], grids.cols[0])
    grids.current[a:z].reshape(shape)[:] = current[: shape[0]]
    for level in range(levels - 1):
        a, z, end = grids.start[level], grids.start[level + 1], grids.start[level + 2]
        shape = (grids.rows[level], grids.cols[level])
        right = grids.current[a:z].reshape(shape)
        lower = grids.current[z:end].reshape((grids.rows[level + 1], grids.cols[level + 1]))
        if grids.relaxed[level]:
            across, down = grids.across[a:z].reshape(shape), grids.down[a:z].reshape(shape)
            inverse, voltage = grids.inverse[a:z].reshape(shape), grids.voltage[a:z].reshape(shape)
            left = grids.left[a:z].reshape(shape)
            voltage[:] = 0.0
            _relax(0, across, down, inverse, right, voltage)
            _relax(1, across, down, inverse, right, voltage)
            _remainder(across, down, voltage, left)
            _gather(grids.along[level], grids.edge[level], left, lower)
        else:
            _gather(grids.along[level], grids.edge[level], right, lower)
    a, z = grids.start[levels - 1], grids.start[levels]
    count = z - a
    for i in range(count):
        total = 0.0
        for j in range(count):
            total += grids.solved[i, j] * grids.current[a + j]
        grids.voltage[a + i] = total
    for level in range(levels - 2, -1, -1):
        a, z, end = grids.start[level], grids.start[level + 1], grids.start[level + 2]
        shape = (grids.rows[level], grids.cols[level])
        voltage = grids.voltage[a:z].reshape(shape)
        lower = grids.voltage[z:end].reshape((grids.rows[level + 1], grids.cols[level + 1]))
        _spread(grids.along[level], grids.edge[level], lower, voltage, grids.relaxed[level])
        if grids.relaxed[level]:
            across, down = grids.across[a:z].reshape(shape), grids.down[a:z].reshape(shape)
            inverse, right = grids.inverse[a:z].reshape(shape), grids.current[a:z].reshape(shape)
            _relax(1, across, down, inverse, right, voltage)
            _relax(0, across, down, inverse, right, voltage)
    return grids.voltage[grids.start[0] : grids.start[1]].reshape((grids.rows[0], grids.cols[0]))
