"""Closed forms of one column: neighbours quiet, no wire resistance, nominal cells."""

from collections.abc import Callable
from functools import partial

import numpy as np

from interconnect.arrays import FloatArray
from netlists.cells.base import CellModel, ColumnRead


def charge_share(model: CellModel, read: ColumnRead) -> float:
    """Level (V) of a charge cell: the bit lines' voltages added up with their signs.

    One bit line is a capacitive divider with data-dependent terms,
    V = drive sum_i x_i C_drive(s_i) / (sum_i (C_load(s_i) + C_next) + C_extra); two that couple to each other are
    two such charge balances.
    """
    voltages = bit_line_voltages(model, read)
    return float(sum(line.sign * v for line, v in zip(model.bit_lines, voltages, strict=True)))


def bit_line_voltages(model: CellModel, read: ColumnRead) -> FloatArray:
    """Settled voltage of every bit line of the column, shape (bit lines,), V; see `charge_share`."""
    matrix, driven = charge_balance(model, read)
    return np.asarray(np.linalg.solve(matrix, read.drive * driven), dtype=np.float64)


def charge_balance(model: CellModel, read: ColumnRead) -> tuple[FloatArray, FloatArray]:
    """The column's bit lines as capacitors: Maxwell matrix (bit lines, bit lines), F, and the capacitance (bit lines,),
    F, through which the row voltage puts charge on each."""
    lines = model.bit_lines
    matrix = np.diag([bit_line_total(model, read, k) for k in range(len(lines))])
    for i, a in enumerate(lines):
        for j, b in enumerate(lines):
            if i != j:
                between = [model.capacitance(f"{a.prefix}_in", s, f"{b.prefix}_in") for s in range(model.symbols)]
                matrix[i, j] = -(read.stored @ np.array(between))
    driven = np.array(
        [read.driven @ per_symbol(model, partial(model.drive_with_next_plane, line=line)) for line in lines]
    )
    return matrix, driven


def bit_line_total(model: CellModel, read: ColumnRead, index: int = 0) -> float:
    """Total capacitance (F) of bit line `index` of the column, for the symbols that it stores."""
    line = model.bit_lines[index]
    own = read.stored @ per_symbol(model, partial(model.load, line=line))
    before = np.asarray(read.shares) @ per_symbol(model, partial(model.next_load, line=line))
    return float(own + (read.rows + read.extra_rows) * before + read.c_extra)


def per_symbol(model: CellModel, value: Callable[[int], float]) -> FloatArray:
    """`value(symbol)` of every symbol, shape (symbols,)."""
    return np.array([value(s) for s in range(model.symbols)], dtype=np.float64)
