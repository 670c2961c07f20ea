"""Exact DC currents of a resistive crossbar with wire, driver and sense resistance.

Word lines are eliminated exactly (each is a tridiagonal system), the bit lines solved by conjugate gradients with
their own tridiagonal part as preconditioner. All factors are kept in a form that adds and never subtracts
conductances, so resistances may range from zero upwards without loss of digits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from interconnect.errors import InputError, SolverError

Array = NDArray[np.float64]

TOLERANCE = 1e-13
"""Iteration stops when the next correction of every bit-line voltage is below this part of the largest drive."""

RESIDUAL_LIMIT = 1e-9
"""An answer whose residual is larger is refused."""

MAX_ITERATIONS = 5000
STALL = 200
"""Iterations without progress before giving up."""

BLOCK_BYTES = 400e6
"""Vectors are solved together in blocks whose work arrays stay below this size."""


@dataclass(frozen=True)
class CrossbarSolution:
    """Currents into the sense nodes and their certificate.

    `current` (cols,) or (cols, vectors) A. `residual`: largest violation of Ohm's law along a bit line, as a part of
    the vector's largest drive voltage, with the currents that the cells really pass at the solved voltages (word
    lines satisfy Kirchhoff's laws by construction). `iterations`: most iterations any block of vectors took.
    """

    current: Array
    residual: float
    iterations: int


def solve_crossbar(
    conductance: ArrayLike,
    drive: ArrayLike,
    *,
    r_row: ArrayLike,
    r_col: ArrayLike,
    r_driver: ArrayLike = 0.0,
    r_sense: ArrayLike = 0.0,
) -> CrossbarSolution:
    """Column currents of a crossbar whose rows are driven at column 0 and whose columns end at 0 V past the last row.

    Args:
        conductance: cells, shape (rows, cols), S; 0 is an open cell.
        drive: row voltages, shape (rows,) or (rows, vectors), V.
        r_row: ohm per row segment, scalar or shape (rows, cols); [i, j] lies on the driver's side of cell (i, j).
        r_col: ohm per column segment, scalar or (rows, cols); [i, j] lies on the sense node's side of cell (i, j).
        r_driver: ohm in series with each driver, scalar or (rows,); infinite leaves the row undriven.
        r_sense: ohm in series with each sense node, scalar or (cols,).

    Raises:
        InputError: wrong shape, negative or non-finite value.
        SolverError: no convergence to a residual of 1e-9.
    """
    bar = _Crossbar(conductance, r_row, r_col, r_driver, r_sense)
    volts = np.asarray(drive, dtype=float)
    if volts.ndim not in (1, 2) or volts.shape[0] != bar.rows:
        raise InputError(f"drive has shape {volts.shape}, expected ({bar.rows},) or ({bar.rows}, vectors)")
    if not np.isfinite(volts).all():
        raise InputError("a drive voltage is not finite")
    vectors = volts.reshape(bar.rows, -1).T
    current = np.zeros((len(vectors), bar.cols))
    residual, iterations = 0.0, 0
    for part in bar.blocks(len(vectors)):
        current[part], worst, count = bar.solve(np.ascontiguousarray(vectors[part]))
        residual, iterations = max(residual, worst), max(iterations, count)
    if not residual <= RESIDUAL_LIMIT:
        raise SolverError(
            f"the crossbar did not converge: residual {residual:.1e} after {iterations} iterations "
            f"(limit {RESIDUAL_LIMIT:g}); its wires are too resistive for its cells"
        )
    return CrossbarSolution(current[0] if volts.ndim == 1 else current.T, residual, iterations)


def effective_conductance(
    conductance: ArrayLike,
    *,
    r_row: ArrayLike,
    r_col: ArrayLike,
    r_driver: ArrayLike = 0.0,
    r_sense: ArrayLike = 0.0,
) -> Array:
    """The matrix M, shape (rows, cols), S, with current = drive @ M for every drive: solve once, multiply ever after.

    Arguments and errors as for `solve_crossbar`.
    """
    rows = np.shape(conductance)[0] if np.ndim(conductance) == 2 else 0
    unit = np.eye(rows)
    solution = solve_crossbar(conductance, unit, r_row=r_row, r_col=r_col, r_driver=r_driver, r_sense=r_sense)
    return np.ascontiguousarray(solution.current.T)


class _Crossbar:
    """Factors of one crossbar; arrays are (rows, cols) with columns from the far end of the rows to the driver."""

    def __init__(
        self, conductance: ArrayLike, r_row: ArrayLike, r_col: ArrayLike, r_driver: ArrayLike, r_sense: ArrayLike
    ) -> None:
        cells = np.asarray(conductance, dtype=float)
        if cells.ndim != 2 or cells.size == 0:
            raise InputError(f"conductance must have shape (rows, cols), got {cells.shape}")
        _check("conductance", cells)
        self.rows, self.cols = cells.shape
        flipped = cells[:, ::-1]
        self.cells = np.ascontiguousarray(flipped)
        row = _segments("r_row", r_row, cells.shape)[:, ::-1].copy()
        row[:, -1] += _ends("r_driver", r_driver, self.rows, infinite=True)
        column = _segments("r_col", r_col, cells.shape)[:, ::-1].copy()
        column[-1] += _ends("r_sense", r_sense, self.cols, infinite=False)[::-1]
        # Row lines run along axis 1: factor them transposed, so that each step handles a contiguous vector.
        link, inverse = _factor(np.ascontiguousarray(self.cells.T), np.ascontiguousarray(row.T))
        self.row_link = np.ascontiguousarray(link.T)
        with np.errstate(divide="ignore"):
            self.row_diagonal = 1.0 / np.ascontiguousarray(inverse.T).ravel()
        self.row_off = -self.row_link.ravel()
        self.row_off[self.cols - 1 :: self.cols] = 0.0
        self.row_off = self.row_off[:-1]
        self.gain = np.ascontiguousarray(np.cumprod(self.row_link[:, ::-1], axis=1)[:, ::-1])
        self.column_resistance = column
        self.column_link, self.column_inverse = _factor(self.cells, column)

    def blocks(self, vectors: int) -> Iterator[slice]:
        size = max(1, int(BLOCK_BYTES / (80 * self.rows * self.cols)))
        for start in range(0, vectors, size):
            yield slice(start, min(start + size, vectors))

    def solve(self, drive: Array) -> tuple[Array, float, int]:
        """Currents (vectors, cols), residual and iterations for drive (vectors, rows)."""
        scale = np.abs(drive).max(axis=1)
        limit = TOLERANCE * np.where(scale > 0, scale, 1.0)
        residue = self.cells * (drive[:, :, None] * self.gain)
        volts = np.zeros_like(residue)
        correction = self._columns(residue.copy())
        step, image = correction.copy(), residue.copy()
        energy = _dot(residue, correction)
        best, stalled, count = np.inf, 0, 0
        while count < MAX_ITERATIONS:
            size = float((np.abs(correction).max(axis=(1, 2)) / limit).max())
            if size <= 1.0 or stalled >= STALL:
                break
            best, stalled = (size, 0) if size < 0.9 * best else (best, stalled + 1)
            count += 1
            applied = self._rows(self.cells * step)
            applied *= self.cells
            np.subtract(image, applied, out=applied)
            length = _ratio(energy, _dot(step, applied))
            volts += length * step
            applied *= length
            residue -= applied
            np.copyto(correction, residue)
            self._columns(correction)
            energy, old = _dot(residue, correction), energy
            ratio = _ratio(energy, old)
            step *= ratio
            step += correction
            # The column matrix times the search direction, by recurrence: the matrix itself may hold infinities.
            image *= ratio
            image += residue
        return (*self._currents(drive, volts, scale), count)

    def _currents(self, drive: Array, volts: Array, scale: Array) -> tuple[Array, float]:
        """Column currents at bit-line voltages `volts`, and how far these violate Ohm's law along the columns."""
        flow = self._rows(self.cells * volts)
        flow += drive[:, :, None] * self.gain
        flow -= volts
        flow *= self.cells
        np.cumsum(flow, axis=1, out=flow)
        total = flow[:, -1, ::-1].copy()
        flow *= self.column_resistance
        drops = np.cumsum(flow[:, ::-1], axis=1)[:, ::-1]
        drops -= volts
        error = np.abs(drops).max(axis=(1, 2)) / np.where(scale > 0, scale, 1.0)
        return total, float(error.max(initial=0.0))

    def _rows(self, right: Array) -> Array:
        """Word-line voltages (in place) for currents `right` into the word-line nodes, drivers at 0 V."""
        from scipy.linalg.lapack import dpttrs

        if self.rows * self.cols == 1:
            right /= self.row_diagonal[0]
            return right
        flat = right.reshape(len(right), -1).T
        solved, _ = dpttrs(self.row_diagonal, self.row_off, flat, overwrite_b=1)  # its code reports bad shapes only
        return np.asarray(solved.T.reshape(right.shape))

    def _columns(self, right: Array) -> Array:
        """Bit-line voltages (in place) for currents `right` into the bit-line nodes, word lines at 0 V."""
        link, inverse = self.column_link, self.column_inverse
        work = np.empty_like(right[:, 0])
        for i in range(1, self.rows):
            np.multiply(right[:, i - 1], link[i - 1], out=work)
            right[:, i] += work
        right *= inverse
        for i in range(self.rows - 2, -1, -1):
            np.multiply(right[:, i + 1], link[i], out=work)
            right[:, i] += work
        return right


def _factor(shunt: Array, series: Array) -> tuple[Array, Array]:
    """Factors of lines along axis 0: node i has `shunt[i]` (S) to 0 V and `series[i]` (ohm) to node i + 1, or to 0 V.

    Eliminating node by node, p is the conductance seen at node i away from its exit: link = 1/(1 + p r) is the voltage
    divider onto node i from its exit, inverse = r/(1 + p r) the resistance node i shows with its exit at 0 V.
    """
    link, inverse = np.empty_like(shunt), np.empty_like(shunt)
    seen = np.zeros(shunt.shape[1])
    for i in range(len(shunt)):
        seen = seen + shunt[i]
        with np.errstate(invalid="ignore", divide="ignore"):
            link[i] = 1.0 / (1.0 + seen * series[i])
            inverse[i] = np.where(np.isinf(series[i]), 1.0 / seen, series[i] * link[i])
        # A line without cells whose end is open has no current to divide: any voltage does, take 0.
        dead = np.isinf(series[i]) & (seen == 0)
        link[i][dead] = 0.0
        inverse[i][dead] = 0.0
        seen = seen * link[i]
    return link, inverse


def _dot(a: Array, b: Array) -> Array:
    return np.asarray(np.einsum("vij,vij->v", a, b))[:, None, None]


def _ratio(a: Array, b: Array) -> Array:
    """a / b, 0 where b is 0 (a vector that has converged exactly)."""
    return np.divide(a, b, out=np.zeros_like(a), where=b > 0)


def _check(name: str, values: Array, infinite: bool = False) -> None:
    if np.isnan(values).any() or (values < 0).any() or (not infinite and np.isinf(values).any()):
        raise InputError(f"{name} must be {'' if infinite else 'finite and '}not negative")


def _segments(name: str, value: ArrayLike, shape: tuple[int, int]) -> Array:
    array = np.asarray(value, dtype=float)
    if array.shape not in ((), shape):
        raise InputError(f"{name} has shape {array.shape}, expected a scalar or {shape}")
    _check(name, array)
    return np.broadcast_to(array, shape)


def _ends(name: str, value: ArrayLike, count: int, *, infinite: bool) -> Array:
    array = np.asarray(value, dtype=float)
    if array.shape not in ((), (count,)):
        raise InputError(f"{name} has shape {array.shape}, expected a scalar or ({count},)")
    _check(name, array, infinite)
    return np.broadcast_to(array, (count,))
