"""Settled voltages of a capacitive array: rows step, columns float, neighbours couple; exact, all columns at once.

Charge balance of the columns is a tridiagonal system (cells tie columns to driven rows, neighbours to each other).
Floating tabs see only their own cell's nodes and are eliminated one by one (star to mesh, exact); floating rows see
all columns and are eliminated together by their Schur complement.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import cho_factor, cho_solve, solveh_banded

from interconnect.arrays import BoolArray, FloatArray
from interconnect.errors import InputError, SolverError

RESIDUAL_LIMIT = 1e-9


@dataclass(frozen=True)
class FloatingTabs:
    """Tabs without via, uncharged before the step: their capacitances (F), scalars or shape (rows, cols).

    `column`: to the own column, `next_column`: to the next one (the last column's goes to ground), `row`: to the own
    row, `ground`: to everything grounded. A tab whose capacitances are all 0 is not there.
    """

    column: ArrayLike
    next_column: ArrayLike = 0.0
    row: ArrayLike = 0.0
    ground: ArrayLike = 0.0


@dataclass(frozen=True)
class SettledArray:
    """`voltage` (cols,) or (cols, vectors) V; `row_voltage` (rows,) or (rows, vectors) V, driven and floating rows.

    `residual`: largest charge imbalance of a floating node relative to the largest charge moved.
    """

    voltage: FloatArray
    row_voltage: FloatArray
    residual: float


def settle_array(
    cell: ArrayLike,
    volts: ArrayLike,
    *,
    load: ArrayLike,
    neighbour: ArrayLike = 0.0,
    initial: ArrayLike = 0.0,
    row_initial: ArrayLike = 0.0,
    injected: ArrayLike = 0.0,
    adc_load: ArrayLike = 0.0,
    adc_initial: ArrayLike = 0.0,
    floating_rows: ArrayLike | None = None,
    row_load: ArrayLike = 0.0,
    tabs: FloatingTabs | None = None,
) -> SettledArray:
    """Column voltages after the rows have stepped from `row_initial` to `volts` and all currents have died away.

    Parameters
    ----------
    cell : ArrayLike
        Capacitance of row i to column j, shape (rows, cols), F.
    volts : ArrayLike
        Final row voltages, shape (rows,) or (rows, vectors), V; ignored for floating rows.
    load : ArrayLike
        Column to ground, scalar or (cols,), F.
    neighbour : ArrayLike
        Column j to column j + 1, scalar or (cols - 1,), F over the whole column.
    initial : ArrayLike
        Column voltages before the step, scalar, (cols,) or (cols, vectors), V.
    row_initial : ArrayLike
        Row voltages before the step, scalar, (rows,) or (rows, vectors), V.
    injected : ArrayLike
        Charge that opening switches leave on each column, scalar, (cols,) or (cols, vectors), C.
    adc_load : ArrayLike
        Converter input capacitance that joins each column, scalar or (cols,), F.
    adc_initial : ArrayLike
        Its voltage before it joins, scalar, (cols,) or (cols, vectors), V.
    floating_rows : ArrayLike, optional
        Which rows are not driven, shape (rows,), bool; they keep their charge.
    row_load : ArrayLike
        Floating rows to ground, scalar or (rows,), F.
    tabs : FloatingTabs, optional
        Floating coupling fingers of the cells.

    Returns
    -------
    SettledArray
        Voltages, shape (cols,) or (cols, vectors).

    Raises
    ------
    InputError
        For a wrong shape, a negative or non-finite value, or a column whose voltage is not determined.
    SolverError
        If the solution's residual exceeds 1e-9.
    """
    coupling = _matrix("cell", cell)
    rows, cols = coupling.shape
    drive = np.asarray(volts, dtype=float)
    if drive.ndim not in (1, 2) or len(drive) != rows:
        raise InputError(f"volts has shape {drive.shape}, expected ({rows},) or ({rows}, vectors)")
    vectors = 1 if drive.ndim == 1 else drive.shape[1]
    u1 = _levels("volts", drive, rows, vectors)
    u0 = _levels("row_initial", row_initial, rows, vectors)
    v0 = _levels("initial", initial, cols, vectors)
    a0 = _levels("adc_initial", adc_initial, cols, vectors)
    charge = _levels("injected", injected, cols, vectors)
    ground = _farads("load", load, cols)
    adc = _farads("adc_load", adc_load, cols)
    beside = _farads("neighbour", neighbour, max(cols - 1, 0))
    under = _farads("row_load", row_load, rows)
    if tabs is not None:
        coupling, ground, beside, under = _without_tabs(tabs, coupling, ground, beside, under)
    loose = np.zeros(rows, dtype=bool) if floating_rows is None else np.asarray(floating_rows)
    if loose.shape != (rows,) or loose.dtype != bool:
        raise InputError(f"floating_rows must be booleans of shape ({rows},), got shape {loose.shape}")

    # Unknown are the changes of the columns' and the floating rows' voltages.
    diagonal = coupling.sum(axis=0) + ground + adc
    diagonal[:-1] += beside
    diagonal[1:] += beside
    step = np.where(loose[:, None], 0.0, u1 - u0)
    right = coupling.T @ step + charge + adc[:, None] * (a0 - v0)
    floating = coupling[loose]
    own = floating.sum(axis=1) + under[loose]
    change, lift = _solve(diagonal, beside, right, floating, own)
    step[loose] = lift
    residual = _residual(diagonal, beside, coupling, own, loose, step, change, charge + adc[:, None] * (a0 - v0))
    if not residual <= RESIDUAL_LIMIT:
        raise SolverError(f"the capacitive array was not solved: charge imbalance {residual:.1e}")
    flat = drive.ndim == 1
    voltage, row_voltage = v0 + change, u0 + step
    return SettledArray(voltage[:, 0] if flat else voltage, row_voltage[:, 0] if flat else row_voltage, residual)


def _without_tabs(
    tabs: FloatingTabs, cell: FloatArray, ground: FloatArray, beside: FloatArray, under: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Each floating tab as the mesh of capacitors that its star of n capacitors equals: C_a C_b / sum."""
    a, b, c, d = (
        np.broadcast_to(_checked(f"tabs.{name}", getattr(tabs, name), cell.shape), cell.shape)
        for name in ("column", "next_column", "row", "ground")
    )
    d = d.copy()
    d[:, -1] += b[:, -1]
    b = b.copy()
    b[:, -1] = 0.0
    total = a + b + c + d
    share = np.divide(1.0, total, out=np.zeros_like(total), where=total > 0)
    cell = cell + a * c * share
    cell[:, 1:] += (b * c * share)[:, :-1]
    ground = ground + (a * d * share).sum(axis=0)
    ground[1:] += (b * d * share).sum(axis=0)[:-1]
    return cell, ground, beside + (a * b * share).sum(axis=0)[:-1], under + (c * d * share).sum(axis=1)


def _solve(
    diagonal: FloatArray, beside: FloatArray, right: FloatArray, floating: FloatArray, own: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Changes (cols, vectors) of the columns and (floating rows, vectors) of the floating rows."""
    scale = float(diagonal.max())
    if scale == 0.0 or (own <= 0).any():
        raise InputError("a floating column or row has no capacitance", hint="its voltage is not determined")
    bands = np.zeros((2, len(diagonal)))
    bands[0] = diagonal / scale
    bands[1, :-1] = -beside / scale
    if len(floating) > len(diagonal):
        # Many floating rows: eliminate them, each has only its own diagonal.
        dense = np.diag(bands[0]) + np.diag(bands[1, :-1], 1) + np.diag(bands[1, :-1], -1)
        dense -= floating.T @ (floating / own[:, None]) / scale
        change = _cholesky(dense, right / scale)
        return change, floating @ change / own[:, None]
    both = _banded(bands, np.hstack([right, floating.T]) / scale)
    change, reach = both[:, : right.shape[1]], both[:, right.shape[1] :]
    if len(floating) == 0:
        return change, np.zeros((0, right.shape[1]))
    schur = np.diag(own) - floating @ reach
    size = np.sqrt(own)
    lift = _cholesky(schur / np.outer(size, size), (floating @ change) / size[:, None]) / size[:, None]
    return change + reach @ lift, lift


def _banded(bands: FloatArray, right: FloatArray) -> FloatArray:
    with np.errstate(all="ignore"):
        try:
            lower = bands[: right.shape[0]]  # a single column has no second band
            return np.asarray(solveh_banded(lower, right, lower=True, check_finite=False))
        except (np.linalg.LinAlgError, ValueError):
            raise _undetermined() from None


def _cholesky(matrix: FloatArray, right: FloatArray) -> FloatArray:
    try:
        return np.asarray(cho_solve(cho_factor(matrix, check_finite=False), right, check_finite=False))
    except np.linalg.LinAlgError:
        raise _undetermined() from None


def _undetermined() -> InputError:
    return InputError(
        "columns float without capacitance to any driven row or ground", hint="their voltages are not determined"
    )


def _residual(
    diagonal: FloatArray,
    beside: FloatArray,
    cell: FloatArray,
    own: FloatArray,
    loose: BoolArray,
    step: FloatArray,
    change: FloatArray,
    put: FloatArray,
) -> float:
    """Charge imbalance of columns and floating rows relative to the largest charge moved."""
    through = cell.T @ step
    left = diagonal[:, None] * change - through - put
    left[:-1] -= beside[:, None] * change[1:]
    left[1:] -= beside[:, None] * change[:-1]
    rest = own[:, None] * step[loose] - cell[loose] @ change
    moved = max(np.abs(diagonal[:, None] * change).max(), np.abs(through).max(), np.abs(put).max())
    worst = max(np.abs(left).max(), np.abs(rest).max(initial=0.0))
    return float(worst / moved) if moved > 0 else float(worst)


def _checked(name: str, values: ArrayLike, shape: tuple[int, ...]) -> FloatArray:
    array = np.asarray(values, dtype=float)
    if array.shape not in ((), shape):
        raise InputError(f"{name} has shape {array.shape}, expected a scalar or {shape}")
    if not np.isfinite(array).all() or (array < 0).any():
        raise InputError(f"{name} must be finite and not negative")
    return array


def _matrix(name: str, values: ArrayLike) -> FloatArray:
    array = np.asarray(values, dtype=float)
    if array.ndim != 2 or array.size == 0:
        raise InputError(f"{name} must have shape (rows, cols), got {array.shape}")
    return _checked(name, array, array.shape)


def _farads(name: str, values: ArrayLike, count: int) -> FloatArray:
    return np.broadcast_to(_checked(name, values, (count,)), (count,))


def _levels(name: str, values: ArrayLike, count: int, vectors: int) -> FloatArray:
    """Voltages or charges as shape (count, vectors)."""
    array = np.asarray(values, dtype=float)
    if array.shape not in ((), (count,), (count, vectors)) or not np.isfinite(array).all():
        raise InputError(
            f"{name} must be finite, a scalar or of shape ({count},) or ({count}, {vectors}), got {array.shape}"
        )
    return np.broadcast_to(array[:, None] if array.ndim == 1 else array, (count, vectors))
