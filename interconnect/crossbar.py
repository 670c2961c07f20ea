"""Exact DC currents of a resistive crossbar with wire, driver and sense resistance.

Word lines are eliminated exactly (each is a tridiagonal system), the bit lines solved by conjugate gradients with
their own tridiagonal part as preconditioner. All factors are kept in a form that adds and never subtracts
conductances, so resistances may range from zero upwards without loss of digits. For many drives at once all nodes are
eliminated (`crossbar_elimination`) and one drive is solved for by iterations as a check.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from interconnect import crossbar_kernels as kernels
from interconnect.arrays import FloatArray
from interconnect.crossbar_elimination import eliminated
from interconnect.crossbar_grid import coarse_grids
from interconnect.crossbar_kernels import solve_vectors
from interconnect.errors import InputError, SolverError

TOLERANCE = 1e-13
"""Iteration stops when the next correction of every bit-line voltage is below this part of the largest drive."""

RESIDUAL_LIMIT = 1e-9
"""An answer whose residual, or an eliminated matrix whose difference to iterations, is larger is refused."""

MAX_ITERATIONS = 5000
STALL_ITERATIONS = 200
"""Iterations without progress before giving up."""

GRID_ITERATIONS = 45.0
"""Predicted iterations above which coarse grids save more than they cost (measured at 256 to 1024 rows)."""

GRID_COST = 60.0
"""A vector's 16 to 25 iterations with coarse grids, in iterations without (40 to 100 measured)."""

ELIMINATION_COST = 300.0
"""Elimination of all nodes in iterations without coarse grids of one vector (250 to 400 measured at 64 to 1024 rows:
both slow down alike as arrays leave the cache)."""


@dataclass(frozen=True)
class CrossbarSolution:
    """Currents into the sense nodes and their certificate.

    `current` (cols,) or (cols, vectors) A. `residual`: bound on the error of any bit-line voltage, as a part of the
    vector's largest drive voltage, from what the voltage still changes by when the bit lines are solved anew with the
    currents that the word lines really pass (these satisfy Kirchhoff's laws by construction). `iterations`: most
    iterations any vector took. Where all nodes were eliminated, both are of one random drive solved by iterations, and
    the residual is at least the difference between its currents, as a part of the largest.
    """

    current: FloatArray
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

    Parameters
    ----------
    conductance
        Cells, shape (rows, cols), S; 0 is an open cell.
    drive
        Row voltages, shape (rows,) or (rows, vectors), V.
    r_row
        Resistance per row segment, scalar or shape (rows, cols), ohm; [i, j] lies on the driver's side of cell (i, j).
    r_col
        Resistance per column segment, scalar or shape (rows, cols), ohm; [i, j] lies on the sense node's side of cell
        (i, j).
    r_driver
        Resistance in series with each driver, scalar or shape (rows,), ohm; infinite leaves the row undriven.
    r_sense
        Resistance in series with each sense node, scalar or shape (cols,), ohm.

    Returns
    -------
    CrossbarSolution
        Currents into the sense nodes, shape (cols,) or (cols, vectors), A, with residual and iterations.

    Raises
    ------
    InputError
        Wrong shape, negative or non-finite value.
    SolverError
        No convergence to a residual of 1e-9.

    Examples
    --------
    One cell of 1 kohm behind two wire segments of 0.5 kohm, driven by 1 V: 1 V / 2 kohm.

    >>> solution = solve_crossbar([[1e-3]], [1.0], r_row=500.0, r_col=500.0)
    >>> print(f"{solution.current[0]:.6g} A")
    0.0005 A
    """
    bar = _Crossbar(conductance, r_row, r_col, r_driver, r_sense)
    volts = np.asarray(drive, dtype=float)
    if volts.ndim not in (1, 2) or volts.shape[0] != bar.rows:
        raise InputError(f"drive has shape {volts.shape}, expected ({bar.rows},) or ({bar.rows}, vectors)")
    if not np.isfinite(volts).all():
        raise InputError("a drive voltage is not finite")
    current, residual, iterations = bar.solve(np.ascontiguousarray(volts.reshape(bar.rows, -1).T))
    _accept(residual, iterations)
    return CrossbarSolution(current[0] if volts.ndim == 1 else current.T, residual, iterations)


def effective_conductance(
    conductance: ArrayLike,
    *,
    r_row: ArrayLike,
    r_col: ArrayLike,
    r_driver: ArrayLike = 0.0,
    r_sense: ArrayLike = 0.0,
) -> FloatArray:
    """Return the matrix M with `current = drive @ M` for every drive: solve once, multiply afterwards.

    Parameters
    ----------
    conductance
        Of every cell, shape (rows, cols), S.
    r_row
        Row wire per segment, as of `solve_crossbar`, ohm.
    r_col
        Column wire per segment, as of `solve_crossbar`, ohm.
    r_driver
        Resistance of the row drivers, ohm.
    r_sense
        Resistance of the column inputs, ohm.

    Returns
    -------
    ndarray
        Shape (rows, cols), S.

    Raises
    ------
    InputError, SolverError
        As `solve_crossbar`.

    Examples
    --------
    >>> print(f"{effective_conductance([[1e-3]], r_row=500.0, r_col=500.0)[0, 0]:.6g} S")
    0.0005 S
    """
    bar = _Crossbar(conductance, r_row, r_col, r_driver, r_sense)
    if bar.eliminates(min(bar.rows, bar.cols)):
        matrix, residual, iterations = bar.matrix()
        _accept(residual, iterations)
        return matrix
    cells = np.asarray(conductance, dtype=float)
    if bar.rows <= bar.cols or np.isinf(r_driver).any():
        unit = np.eye(bar.rows)
        solution = solve_crossbar(cells, unit, r_row=r_row, r_col=r_col, r_driver=r_driver, r_sense=r_sense)
        return np.ascontiguousarray(solution.current.T)
    # A resistive network is reciprocal: drive the sense nodes and read the drivers, with fewer vectors.
    solution = solve_crossbar(
        cells.T[::-1, ::-1],
        np.eye(cells.shape[1]),
        r_row=_mirrored(r_col),
        r_col=_mirrored(r_row),
        r_driver=_mirrored(r_sense),
        r_sense=_mirrored(r_driver),
    )
    return np.ascontiguousarray(solution.current[::-1, ::-1])


def _accept(residual: float, iterations: int) -> None:
    """Refuse a solution with too large a residual."""
    if not residual <= RESIDUAL_LIMIT:
        raise SolverError(
            f"the crossbar solution did not converge: residual {residual:.1e} after {iterations} iterations "
            f"(limit {RESIDUAL_LIMIT:g}); its wires are too resistive for its cells"
        )


def _mirrored(values: ArrayLike) -> FloatArray:
    """Resistances of the array seen from its sense nodes: rows and columns exchanged and counted backwards."""
    return np.flip(np.asarray(values, dtype=float).T)


class _Crossbar:
    """A crossbar's cells and the factors of its lines, rows padded with zeros to what the compiled loops want."""

    def __init__(
        self, conductance: ArrayLike, r_row: ArrayLike, r_col: ArrayLike, r_driver: ArrayLike, r_sense: ArrayLike
    ) -> None:
        cells = np.asarray(conductance, dtype=float)
        if cells.ndim != 2 or cells.size == 0:
            raise InputError(f"conductance must have shape (rows, cols), got {cells.shape}")
        _check("conductance", cells)
        self.rows, self.cols = cells.shape
        padded = (-(-self.rows // kernels.LANES) * kernels.LANES, self.cols)
        self.cells = _padded(cells, padded)
        row = _padded(_segments("r_row", r_row, cells.shape), padded)
        row[: self.rows, 0] += _ends("r_driver", r_driver, self.rows, infinite=True)
        column = _padded(_segments("r_col", r_col, cells.shape), padded)
        column[self.rows - 1] += _ends("r_sense", r_sense, self.cols, infinite=False)
        series = row[: self.rows], column[: self.rows]
        self.iterations = predicted_iterations(cells, *series)
        # Lines with segments of next to no resistance have no grid of wires: the line's own factors take these exactly.
        uneven = min(series[0].min(), series[1].min() - 1e-3 * np.median(series[1])) <= 0.0
        self.grids = None if uneven or self.iterations < GRID_ITERATIONS else coarse_grids(cells, *series)
        self.resistive = bool(min(part.min() for part in series) > 0.0 and np.isfinite(series[0]).all())
        row_link, column_link = np.zeros(padded), np.zeros(padded)
        kernels.factor_rows(self.rows, self.cells, row_link, row)
        kernels.factor_columns(self.rows, self.cells, column_link, column)
        self.factors = (row_link, row, column_link, column)

    def eliminates(self, vectors: int) -> bool:
        """Whether eliminating all nodes is predicted to take less time than so many solutions by iterations."""
        if not self.resistive:
            return False
        each = self.iterations if self.grids is None else GRID_COST
        return bool((vectors - 1) * each > ELIMINATION_COST)

    def matrix(self) -> tuple[FloatArray, float, int]:
        """Effective conductances (rows, cols) by elimination; residual and iterations of the drive that checks them."""
        lines = slice(self.rows)
        row_link, row, column_link, column = (part[lines] for part in self.factors)
        matrix = eliminated(self.cells[lines], row / row_link, column / column_link)
        probe = np.random.default_rng(0).uniform(0.5, 1.0, (1, self.rows))
        current, residual, iterations = self.iterate(probe)
        difference = np.abs(probe @ matrix - current).max() / (np.abs(current).max() or 1.0)
        return matrix, float(np.maximum(residual, difference)), iterations

    def solve(self, drives: FloatArray) -> tuple[FloatArray, float, int]:
        """Currents (vectors, cols), residual and iterations for drives (vectors, rows), the faster way."""
        if not self.eliminates(len(drives)):
            return self.iterate(drives)
        matrix, residual, iterations = self.matrix()
        return np.asarray(drives @ matrix), residual, iterations

    def iterate(self, drives: FloatArray) -> tuple[FloatArray, float, int]:
        """Currents (vectors, cols), residual and iterations for drives (vectors, rows)."""
        current = np.zeros((len(drives), self.cols))
        residual, iterations = solve_vectors(
            drives, self.cells, self.factors, self.grids, TOLERANCE, MAX_ITERATIONS, STALL_ITERATIONS, current
        )
        return current, float(residual), int(iterations)


def predicted_iterations(cells: FloatArray, row: FloatArray, column: FloatArray) -> float:
    """Conjugate gradients' iterations without coarse grids, from the smoothest voltage that a line can have.

    A line with resistance R, an exit behind r and cells of G in all divides that voltage by 1 + a with its exit,
    1 / a = G (4 / pi^2 R + r) in a line that is alike everywhere. The word line and the bit line leave the part
    1 - 1 / ((1 + a) (1 + b)) of an error. The factors of its root are measured: within 20 % from 13 to 770 iterations.

    Parameters
    ----------
    cells : FloatArray
        Shape (rows, cols), S.
    row : FloatArray
        Series resistances of the word lines, shape (rows, cols), ohm, those of the exits included.
    column : FloatArray
        The same of the bit lines.

    Returns
    -------
    float
        Iterations.
    """
    smooth = 4.0 / math.pi**2
    divide = 1.0
    for ohm, exits, siemens in ((row[:, 1:].sum(axis=1), row[:, 0], cells.sum(axis=1)),
                                (column[:-1].sum(axis=0), column[-1], cells.sum(axis=0))):  # fmt: skip
        with np.errstate(invalid="ignore"):
            seen = np.nan_to_num(siemens * (smooth * ohm + exits), nan=0.0)
        middle = float(np.sort(seen)[len(seen) // 2])  # undriven lines are infinite
        divide *= 1.0 + (1.0 / middle if middle > 0 else math.inf)
    return 4.0 + 4.25 / math.sqrt(max(1.0 - 1.0 / divide, 1e-12))


def _padded(values: FloatArray, shape: tuple[int, int]) -> FloatArray:
    array = np.zeros(shape)
    array[: len(values)] = values
    return array


def _check(name: str, values: FloatArray, infinite: bool = False) -> None:
    if np.isnan(values).any() or (values < 0).any() or (not infinite and np.isinf(values).any()):
        raise InputError(f"{name} must be {'' if infinite else 'finite and '}not negative")


def _segments(name: str, value: ArrayLike, shape: tuple[int, int]) -> FloatArray:
    array = np.asarray(value, dtype=float)
    if array.shape not in ((), shape):
        raise InputError(f"{name} has shape {array.shape}, expected a scalar or {shape}")
    _check(name, array)
    return np.broadcast_to(array, shape)


def _ends(name: str, value: ArrayLike, count: int, *, infinite: bool) -> FloatArray:
    array = np.asarray(value, dtype=float)
    if array.shape not in ((), (count,)):
        raise InputError(f"{name} has shape {array.shape}, expected a scalar or ({count},)")
    _check(name, array, infinite)
    return np.broadcast_to(array, (count,))
