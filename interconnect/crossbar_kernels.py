"""Compiled loops of the crossbar solver: factors of its lines, and conjugate gradients on the bit lines.

All arrays are (padded rows, cols), C order; the padding to a multiple of four rows holds zeros. An iteration passes
over memory four times: along the word lines (four at once, since one line alone is a chain of dependent operations),
down the bit lines, up the bit lines, and the update of the search direction, which the first pass takes along.
"""

from typing import Any

import numpy as np

from interconnect.arrays import FloatArray
from interconnect.compiled import compiled_loop
from interconnect.crossbar_grid import grid_voltages

LANES = 4
"""Word lines handled together."""


_compiled = compiled_loop(error_model="numpy", fastmath={"reassoc", "contract", "nsz"})


@_compiled
def _eliminate(seen: float, series: float) -> tuple[float, float]:
    """Voltage divider onto a node from its exit, and the resistance it shows with the exit at 0 V.

    `seen` (S) is what the node sees away from its exit, `series` (ohm) leads to the exit and may be infinite.
    """
    if not np.isinf(series):
        link = 1.0 / (1.0 + seen * series)
        return link, series * link
    # A line without cells whose end is open has no current to divide: any voltage does, take 0.
    return 0.0, 1.0 / seen if seen > 0.0 else 0.0


@_compiled
def factor_rows(rows: int, cells: FloatArray, link: FloatArray, inverse: FloatArray) -> None:
    """Factors of the word lines, exit at column 0; `inverse` holds the series resistances on entry."""
    cols = cells.shape[1]
    seen = np.zeros(rows)
    for first in range(0, rows, 2 * LANES):
        last = min(first + 2 * LANES, rows)
        for j in range(cols - 1, -1, -1):
            for i in range(first, last):
                total = seen[i] + cells[i, j]
                link[i, j], inverse[i, j] = _eliminate(total, inverse[i, j])
                seen[i] = total * link[i, j]


@_compiled
def factor_columns(rows: int, cells: FloatArray, link: FloatArray, inverse: FloatArray) -> None:
    """Factors of the bit lines, exit past the last row; `inverse` holds the series resistances on entry."""
    cols = cells.shape[1]
    seen = np.zeros(cols)
    for i in range(rows):
        for j in range(cols):
            total = seen[j] + cells[i, j]
            share = 1.0 / (1.0 + total * inverse[i, j])
            link[i, j] = share
            inverse[i, j] *= share
            seen[j] = total * share


@_compiled
def _word_lines(i: int, link: FloatArray, inverse: FloatArray, lines: FloatArray) -> None:
    """Voltages (in place) of `LANES` word lines from `i` for currents `lines` into their nodes, drivers at 0 V."""
    a = b = c = d = 0.0
    for j in range(lines.shape[1] - 1, -1, -1):
        a += lines[0, j]
        b += lines[1, j]
        c += lines[2, j]
        d += lines[3, j]
        lines[0, j] = a * inverse[i, j]
        lines[1, j] = b * inverse[i + 1, j]
        lines[2, j] = c * inverse[i + 2, j]
        lines[3, j] = d * inverse[i + 3, j]
        a *= link[i, j]
        b *= link[i + 1, j]
        c *= link[i + 2, j]
        d *= link[i + 3, j]
    a = b = c = d = 0.0
    for j in range(lines.shape[1]):
        a = lines[0, j] + link[i, j] * a
        b = lines[1, j] + link[i + 1, j] * b
        c = lines[2, j] + link[i + 2, j] * c
        d = lines[3, j] + link[i + 3, j] * d
        lines[0, j] = a
        lines[1, j] = b
        lines[2, j] = c
        lines[3, j] = d


@_compiled
def _apply(
    ratio: float,
    cells: FloatArray,
    link: FloatArray,
    inverse: FloatArray,
    state: tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray],
    pushed: FloatArray,
    lines: FloatArray,
    applied: FloatArray,
) -> float:
    """New search direction `correction + ratio * step`, the system applied to it, and its energy.

    `pushed` is what the bit lines alone take up at `correction`.
    """
    _, _, correction, step, image = state
    padded, cols = cells.shape
    energy = 0.0
    for first in range(0, padded, LANES):
        for lane in range(LANES):
            i = first + lane
            for j in range(cols):
                direction = correction[i, j] + ratio * step[i, j]
                step[i, j] = direction
                # The column matrix times the direction, by recurrence: the matrix itself may hold infinities.
                image[i, j] = pushed[i, j] + ratio * image[i, j]
                lines[lane, j] = cells[i, j] * direction
        _word_lines(first, link, inverse, lines)
        for lane in range(LANES):
            i = first + lane
            for j in range(cols):
                value = image[i, j] - cells[i, j] * lines[lane, j]
                applied[i, j] = value
                energy += step[i, j] * value
    return energy


@_compiled
def _advance(
    length: float,
    rows: int,
    link: FloatArray,
    inverse: FloatArray,
    state: tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray],
    applied: FloatArray,
) -> tuple[float, float]:
    """Step along the direction; the next correction by the bit lines alone, its energy and its largest entry."""
    volts, residue, correction, step, _ = state
    cols = volts.shape[1]
    carry = np.zeros(cols)
    for i in range(rows):
        for j in range(cols):
            volts[i, j] += length * step[i, j]
            left = residue[i, j] - length * applied[i, j]
            residue[i, j] = left
            total = left + carry[j]
            correction[i, j] = total * inverse[i, j]
            carry[j] = total * link[i, j]
    carry[:] = 0.0
    energy = 0.0
    largest = 0.0
    for i in range(rows - 1, -1, -1):
        for j in range(cols):
            value = correction[i, j] + link[i, j] * carry[j]
            correction[i, j] = value
            carry[j] = value
            energy += residue[i, j] * value
            largest = max(largest, abs(value))
    return energy, largest


@_compiled
def _add_grid(
    grids: Any, cells: FloatArray, residue: FloatArray, correction: FloatArray, pushed: FloatArray
) -> tuple[float, float]:
    """Add the coarse grids' part to the correction; what it adds to the energy, and the new largest entry."""
    part = grid_voltages(grids, residue)
    rows, cols = part.shape
    down = grids.down[: rows * cols].reshape((rows, cols))
    energy = 0.0
    largest = 0.0
    for i in range(rows):
        for j in range(cols):
            here = part[i, j]
            taken = cells[i, j] * here
            if i > 0:
                taken += down[i - 1, j] * (here - part[i - 1, j])
            taken += down[i, j] * (here - part[i + 1, j] if i + 1 < rows else here)
            energy += residue[i, j] * here
            pushed[i, j] = residue[i, j] + taken
            correction[i, j] += here
            largest = max(largest, abs(correction[i, j]))
    return energy, largest


@_compiled
def _currents(
    rows: int,
    drive: FloatArray,
    cells: FloatArray,
    factors: tuple[FloatArray, FloatArray, FloatArray, FloatArray],
    volts: FloatArray,
    lines: FloatArray,
    change: FloatArray,
    current: FloatArray,
) -> None:
    """Column currents at bit-line voltages `volts`, and the `change` (V) of these when every bit line is solved anew
    with its cells' other ends at the word-line voltages that they cause.

    A column's current is the sum of its cells' or that in its last segment, whichever rounding reaches less: the cells'
    are differences of voltages that may be all but equal.
    """
    row_link, row_inverse, column_link, column_inverse = factors
    padded, cols = cells.shape
    current[:] = 0.0
    seen = np.zeros(cols)
    carry = np.zeros(cols)
    for first in range(0, padded, LANES):
        for lane in range(LANES):
            for j in range(cols):
                lines[lane, j] = cells[first + lane, j] * volts[first + lane, j]
        _word_lines(first, row_link, row_inverse, lines)
        for lane in range(LANES):
            i = first + lane
            if i < rows:
                forward = drive[i]
                for j in range(cols):
                    forward *= row_link[i, j]
                    lines[lane, j] += forward
                for j in range(cols):
                    current[j] += cells[i, j] * (lines[lane, j] - volts[i, j])
                    seen[j] += cells[i, j]
                    total = cells[i, j] * lines[lane, j] + carry[j]
                    change[i, j] = total * column_inverse[i, j]
                    carry[j] = total * column_link[i, j]
    last = rows - 1
    for j in range(cols):
        series = column_inverse[last, j] / column_link[last, j]
        if series * seen[j] > 1.0:
            current[j] = change[last, j] / series
    carry[:] = 0.0
    for i in range(last, -1, -1):
        for j in range(cols):
            carry[j] = change[i, j] + column_link[i, j] * carry[j]
            change[i, j] = carry[j] - volts[i, j]


@_compiled
def _largest(values: FloatArray) -> float:
    """Largest absolute value; NaN if there is one."""
    worst = 0.0
    for value in values.flat:
        # Written so that a NaN is kept.
        worst = worst if abs(value) <= worst else abs(value)
    return worst


@_compiled
def _grid_change(grids: Any, cells: FloatArray, change: FloatArray, residue: FloatArray, pushed: FloatArray) -> None:
    """Add to a change of the bit lines' voltages what the coarse grids make of the currents that it stands for."""
    rows, cols = grids.rows[0], grids.cols[0]
    down = grids.down[: rows * cols].reshape((rows, cols))
    for i in range(rows):
        for j in range(cols):
            here = change[i, j]
            total = (cells[i, j] + down[i, j]) * here
            if i + 1 < rows:
                total -= down[i, j] * change[i + 1, j]
            if i > 0:
                total += down[i - 1, j] * (here - change[i - 1, j])
            residue[i, j] = total
    _add_grid(grids, cells, residue, change, pushed)


@_compiled
def solve_vectors(
    drives: FloatArray,
    cells: FloatArray,
    factors: tuple[FloatArray, FloatArray, FloatArray, FloatArray],
    grids: Any,
    tolerance: float,
    max_iterations: int,
    stall: int,
    currents: FloatArray,
) -> tuple[float, int]:
    """Currents (vectors, cols) for drives (vectors, rows); worst residual relative to the drive, most iterations.

    `grids`: coarse grids for the preconditioner, or None. Stops when the next correction of every voltage is below
    `tolerance` times the vector's largest drive (less where the condition is above 100), or after `stall` iterations
    without progress; the residual tells whether the answer is any good. It is a correction, computed from the currents
    and not by recurrence, times the condition that so many iterations speak of (`iterations` = sqrt(condition) / 2 *
    log(2 / tolerance)): what the correction may leave out.
    """
    row_link, row_inverse, column_link, column_inverse = factors
    rows = drives.shape[1]
    cols = cells.shape[1]
    state = (
        np.zeros_like(cells),
        np.zeros_like(cells),
        np.zeros_like(cells),
        np.zeros_like(cells),
        np.zeros_like(cells),
    )
    volts, residue, correction, step, image = state
    pushed = residue if grids is None else np.zeros_like(cells)
    applied = np.zeros_like(cells)
    lines = np.zeros((LANES, cols))
    worst = 0.0
    most = 0
    for vector in range(len(drives)):
        drive = drives[vector]
        scale = np.abs(drive).max()
        if scale == 0.0:
            currents[vector] = 0.0
            continue
        for i in range(rows):
            forward = drive[i]
            for j in range(cols):
                forward *= row_link[i, j]
                residue[i, j] = cells[i, j] * forward
        for array in (volts, step, image, applied):
            array[:] = 0.0
        energy, largest = _advance(0.0, rows, column_link, column_inverse, state, applied)
        if grids is not None:
            more, largest = _add_grid(grids, cells, residue, correction, pushed)
            energy += more
        ratio = 0.0
        best = np.inf
        stalled = 0
        count = 0
        condition = 1.0
        while count < max_iterations and largest * max(1.0, condition / 100.0) > tolerance * scale and stalled < stall:
            if largest < 0.9 * best:
                best = largest
                stalled = 0
            else:
                stalled += 1
            count += 1
            condition = (2.0 * count / np.log(2.0 / tolerance)) ** 2
            curvature = _apply(ratio, cells, row_link, row_inverse, state, pushed, lines, applied)
            length = energy / curvature if curvature > 0.0 else 0.0
            old = energy
            energy, largest = _advance(length, rows, column_link, column_inverse, state, applied)
            if grids is not None:
                more, largest = _add_grid(grids, cells, residue, correction, pushed)
                energy += more
            ratio = energy / old if old > 0.0 else 0.0
        _currents(rows, drive, cells, factors, volts, lines, applied, currents[vector])
        if grids is not None:
            _grid_change(grids, cells, applied, residue, pushed)
        error = _largest(applied[:rows]) / scale * max(1.0, condition)
        worst = worst if error <= worst else error
        most = max(most, count)
    return worst, most
