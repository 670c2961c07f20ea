"""Compiled time steps of a linear R-C network: many TR-BDF2 steps of one size with one factorisation.

The factorisation comes from SuperLU; only the march is ours, because one call per step from Python costs more than a
step of a line (its matrix is tridiagonal and its factors have two numbers per node). Vectors are the last, contiguous
index.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float64]

GAMMA = 2.0 - 2.0**0.5
"""Place of the trapezoidal stage in a step: both stages then share one matrix."""

WEIGHT = (1.0 - GAMMA) ** 2 / (GAMMA * (2.0 - GAMMA))
"""Weight of the first stage's charge in the second (BDF2 on the points 0, gamma, 1)."""

ERROR = (-3.0 * GAMMA**2 + 4.0 * GAMMA - 2.0) / (12.0 * (2.0 - GAMMA)) * 4.0 / GAMMA
"""Constant of the step's leading error term."""


class Sparse(NamedTuple):
    """Compressed sparse rows: start of each, indices, values."""

    start: Any
    index: Any
    value: Any


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


class Forcing(NamedTuple):
    """What sources push into free nodes: entry e adds conductive[e] * w and capacitive[e] * w of waveform `wave[e]` to
    node `node[e]`; (entries, vectors)."""

    node: Any
    wave: Any
    conductive: Any
    capacitive: Any


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def supernodes(start: Any, index: Any, value: Any, inverse: Any) -> Factor:
    """Pack the columns of a unit lower triangle (diagonal left out, rows in order) into supernodes."""
    size = len(start) - 1
    column, row_start = np.empty(size + 1, np.int64), np.empty(size + 1, np.int64)
    begins = np.empty(size + 1, np.int64)
    row, packed = np.empty(len(index), np.uint32), np.zeros(2 * len(index) + size)
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


@njit(cache=True, nogil=True, fastmath=True)  # type: ignore[untyped-decorator]
def _solve_one(factor: Factor, x: Array) -> None:
    """x <- (L D L^T)^-1 x for one vector, in place."""
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
            total = 0.0
            for c in range(r):
                total += line[c] * mine[c]
            mine[r] -= total
        for k in range(last - first):
            q = p + (width + k) * width
            line = factor.value[q : q + width]
            total = 0.0
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


@njit(cache=True, nogil=True, fastmath=True)  # type: ignore[untyped-decorator]
def _solve(factor: Factor, x: Array) -> None:
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


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _multiply(matrix: Sparse, x: Array, out: Array, sign: float) -> None:
    """out <- sign * matrix @ x."""
    start, index, value = matrix
    vectors = x.shape[1]
    if vectors == 1:
        for i in range(len(start) - 1):
            total = 0.0
            for p in range(start[i], start[i + 1]):
                total += value[p] * x[index[p], 0]
            out[i, 0] = sign * total
        return
    for i in range(len(start) - 1):
        for v in range(vectors):
            out[i, v] = 0.0
        for p in range(start[i], start[i + 1]):
            j, entry = index[p], sign * value[p]
            for v in range(vectors):
                out[i, v] += entry * x[j, v]


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _force(
    forcing: Forcing, old: Array, new: Array, alpha: float, out: Array, resistive: bool, capacitive: bool
) -> None:
    """out += conductive * (new - old) [if resistive] - alpha * capacitive * (new - old) [if capacitive]."""
    vectors = out.shape[1]
    for e in range(len(forcing.node)):
        change = new[forcing.wave[e]] - old[forcing.wave[e]]
        if change == 0.0:
            continue
        i = forcing.node[e]
        for v in range(vectors):
            if resistive:
                out[i, v] += change * forcing.conductive[e, v]
            if capacitive:
                out[i, v] -= alpha * change * forcing.capacitive[e, v]


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def march(
    factor: Factor,
    conductance: Sparse,
    forcing: Forcing,
    alpha: float,
    waves: Array,
    state: Array,
    taps: Sparse,
    ends: Array,
    stages: Array,
    tolerance: float,
    grow: bool,
) -> tuple[int, float]:
    """Take steps of one size until the waves are used up, an error is too large or (if `grow`) two in a row are tiny.

    waves: (2 * steps + 1, waveforms), values at the start and at the stage and end of every step. state: (free nodes,
    vectors) V, updated. ends, stages: (steps, taps, vectors), filled with `taps @ state`. tolerance: largest error of a
    step, V; 0 takes every step. Returns the steps taken and the last error relative to the tolerance.
    """
    size, vectors = state.shape
    steps = (len(waves) - 1) // 2
    nothing = np.zeros(waves.shape[1])
    first = np.empty((size, vectors))
    middle = np.empty((size, vectors))
    trial = np.empty((size, vectors))
    work = np.empty((size, vectors))
    error, small = 0.0, 0
    # Resistive current into the capacitors at the start.
    _multiply(conductance, state, first, -1.0)
    _force(forcing, nothing, waves[0], alpha, first, True, False)
    for k in range(steps):
        begin, stage, end = waves[2 * k], waves[2 * k + 1], waves[2 * k + 2]
        # Trapezoidal stage, for the change of the state: A d = 2 i_n + dg - alpha dc.
        for i in range(size):
            for v in range(vectors):
                trial[i, v] = 2.0 * first[i, v]
        _force(forcing, begin, stage, alpha, trial, True, True)
        _solve(factor, trial)
        for i in range(size):
            for v in range(vectors):
                trial[i, v] += state[i, v]
        _multiply(taps, trial, stages[k], 1.0)
        _multiply(conductance, trial, middle, -1.0)
        _force(forcing, nothing, stage, alpha, middle, True, False)
        # BDF2 stage: A d = i_stage + dg + b (i_n + i_stage) - alpha dc.
        for i in range(size):
            for v in range(vectors):
                work[i, v] = middle[i, v] + WEIGHT * (first[i, v] + middle[i, v])
        _force(forcing, stage, end, alpha, work, True, True)
        _solve(factor, work)
        for i in range(size):
            for v in range(vectors):
                trial[i, v] += work[i, v]
        _multiply(conductance, trial, work, -1.0)
        _force(forcing, nothing, end, alpha, work, True, False)
        if tolerance > 0.0:
            for i in range(size):
                for v in range(vectors):
                    middle[i, v] = ERROR * (
                        first[i, v] / GAMMA - middle[i, v] / (GAMMA * (1.0 - GAMMA)) + work[i, v] / (1.0 - GAMMA)
                    )
            _solve(factor, middle)
            error = 0.0
            for i in range(size):
                for v in range(vectors):
                    error = max(error, abs(middle[i, v]))
            error /= tolerance
            if not error <= 1.0:
                return k, error
        _multiply(taps, trial, ends[k], 1.0)
        for i in range(size):
            for v in range(vectors):
                state[i, v] = trial[i, v]
                first[i, v] = work[i, v]
        small = small + 1 if error < 0.05 else 0
        if grow and small >= 2:
            return k + 1, error
    return steps, error
