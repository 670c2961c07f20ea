"""Compiled time steps of a linear R-C network: many TR-BDF2 steps of one size with one factorisation.

The factorisation comes from SuperLU; only the march is implemented here, because one call per step from Python costs
more than a step of a line (its matrix is tridiagonal and its factors have two numbers per node). Vectors are the last,
contiguous index.
"""

from typing import Any, NamedTuple

import numpy as np

from interconnect.arrays import FloatArray
from interconnect.compiled import compiled_loop
from interconnect.ldl import Factor, solve_factored
from interconnect.wire_lines import LineFactor, solve_lines

GAMMA = 2.0 - 2.0**0.5
"""Place of the trapezoidal stage in a step: both stages then share one matrix."""

WEIGHT = (1.0 - GAMMA) ** 2 / (GAMMA * (2.0 - GAMMA))
"""Weight of the first stage's charge in the second (BDF2 on the points 0, gamma, 1)."""

ERROR = (-3.0 * GAMMA**2 + 4.0 * GAMMA - 2.0) / (12.0 * (2.0 - GAMMA)) * 4.0 / GAMMA
"""Constant of the step's leading error term."""


SMALL = 0.05
"""A step whose error is below this part of the tolerance may be doubled: its error then grows eightfold."""


SMALL_SHARE = 0.4 * SMALL
"""Accuracy of an iterated error estimate relative to the tolerance."""


class Sparse(NamedTuple):
    """Compressed sparse rows: start of each, indices, values."""

    start: Any
    index: Any
    value: Any


class Forcing(NamedTuple):
    """What sources push into free nodes: entry e adds conductive[e] * w and capacitive[e] * w of waveform `wave[e]` to
    node `node[e]`; (entries, vectors)."""

    node: Any
    wave: Any
    conductive: Any
    capacitive: Any


@compiled_loop()
def _multiply(matrix: Sparse, x: FloatArray, out: FloatArray, sign: float) -> None:
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


@compiled_loop()
def _force(
    forcing: Forcing, old: FloatArray, new: FloatArray, alpha: float, out: FloatArray, resistive: bool, capacitive: bool
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


@compiled_loop()
def _solve(
    factor: Factor | None, lines: LineFactor | None, exact: float, x: FloatArray, length: float, work: FloatArray
) -> bool:
    """x <- solution for the right-hand side x, of a stage of `length` s; 0: not a stage.

    Iterations start from what the last two stages say, which lie half a step apart: work[0] and work[1] (nodes,
    vectors), V/s.
    """
    fine = True
    # Numba leaves out a branch only where an argument that must not be None is None.
    if factor is not None:
        solve_factored(factor, x)
    if lines is not None:
        total = x.size
        last, before, guess = work[0].reshape(total), work[1].reshape(total), work[2].reshape(total)
        for i in range(total):
            guess[i] = length * (2.0 * last[i] - before[i])
        fine = solve_lines(lines, x, work[2], exact, work[3:])
        answer = x.reshape(total)
        for i in range(total):
            answer[i] = guess[i]
        if length > 0.0:
            for i in range(total):
                before[i] = last[i]
                last[i] = guess[i] / length
    return fine


@compiled_loop()
def march(
    factor: Factor | None,
    lines: LineFactor | None,
    exact: float,
    work_space: FloatArray,
    conductance: Sparse,
    forcing: Forcing,
    alpha: float,
    waves: FloatArray,
    state: FloatArray,
    taps: Sparse,
    ends: FloatArray,
    stages: FloatArray,
    tolerance: float,
    grow: bool,
) -> tuple[int, float]:
    """Take steps of one size until the waves are used up, an error is too large or (if `grow`) two in a row are tiny.

    One of `factor` and `lines` is None; `exact`: error of iterated solutions, V; work_space (9, nodes,
    vectors): theirs.
    waves: (2 * steps + 1, waveforms), values at the start and at the stage and end of every step. state: (free nodes,
    vectors) V, updated. ends, stages: (steps, taps, vectors), filled with `taps @ state`. tolerance: largest error of a
    step, V; 0 takes every step. Returns the steps taken and the last error relative to the tolerance.
    """
    size, vectors = state.shape
    steps = (len(waves) - 1) // 2
    nothing = np.zeros(waves.shape[1])
    first, middle = np.empty((size, vectors)), np.empty((size, vectors))
    trial, work = np.empty((size, vectors)), np.empty((size, vectors))
    # The same numbers as flat lines, for loops over all of them.
    total = size * vectors
    now, start = state.reshape(total), first.reshape(total)
    half, new, aid = middle.reshape(total), trial.reshape(total), work.reshape(total)
    error, small = 0.0, 0
    h = 2.0 / (GAMMA * alpha)
    # Resistive current into the capacitors at the start.
    _multiply(conductance, state, first, -1.0)
    _force(forcing, nothing, waves[0], alpha, first, True, False)
    for k in range(steps):
        begin, stage, end = waves[2 * k], waves[2 * k + 1], waves[2 * k + 2]
        # Trapezoidal stage, for the change of the state: A d = 2 i_n + dg - alpha dc.
        for i in range(total):
            new[i] = 2.0 * start[i]
        _force(forcing, begin, stage, alpha, trial, True, True)
        fine = _solve(factor, lines, exact, trial, GAMMA * h, work_space)
        for i in range(total):
            new[i] += now[i]
        _multiply(taps, trial, stages[k], 1.0)
        _multiply(conductance, trial, middle, -1.0)
        _force(forcing, nothing, stage, alpha, middle, True, False)
        # BDF2 stage: A d = i_stage + dg + b (i_n + i_stage) - alpha dc.
        for i in range(total):
            aid[i] = half[i] + WEIGHT * (start[i] + half[i])
        _force(forcing, stage, end, alpha, work, True, True)
        fine &= _solve(factor, lines, exact, work, (1.0 - GAMMA) * h, work_space)
        for i in range(total):
            new[i] += aid[i]
        _multiply(conductance, trial, work, -1.0)
        _force(forcing, nothing, end, alpha, work, True, False)
        if tolerance > 0.0:
            for i in range(total):
                half[i] = ERROR * (start[i] / GAMMA - half[i] / (GAMMA * (1.0 - GAMMA)) + aid[i] / (1.0 - GAMMA))
            fine &= _solve(factor, lines, max(exact, SMALL_SHARE * tolerance), middle, 0.0, work_space)
            error = 0.0
            for i in range(total):
                error = max(error, abs(half[i]))
            error /= tolerance
            if not error <= 1.0:
                return k, error
        if not fine:
            return k, np.inf
        _multiply(taps, trial, ends[k], 1.0)
        for i in range(total):
            now[i] = new[i]
            start[i] = aid[i]
        small = small + 1 if error < SMALL else 0
        if grow and small >= 2:
            return k + 1, error
    return steps, error
