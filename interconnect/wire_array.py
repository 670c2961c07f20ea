"""A whole array, or a group of columns, as a linear network: word lines, bit lines, cells between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from interconnect.arrays import FloatArray
from interconnect.errors import InputError
from interconnect.network import Index, LinearNetwork


@dataclass(frozen=True)
class WireArray:
    """Network and node numbers. word, bit (rows, cols): the two ends of every cell; row_end (rows,): where drivers
    hang, before column 0; bit_end (cols,): where readout circuits hang, past the last row.
    """

    network: LinearNetwork
    word: Index
    bit: Index
    row_end: Index
    bit_end: Index


def wire_array(
    cell: ArrayLike,
    *,
    r_row: float = 0.0,
    r_col: float = 0.0,
    c_row: ArrayLike = 0.0,
    c_col: ArrayLike = 0.0,
    coupling: ArrayLike = 0.0,
    load: ArrayLike = 0.0,
    cell_conductance: ArrayLike = 0.0,
) -> WireArray:
    """Array with wires as `solve_crossbar` has them: one row segment before every cell, one column segment past it.

    Parameters
    ----------
    cell : ArrayLike
        Capacitance of every cell, (rows, cols), F.
    r_row : float
        Resistance per segment, ohm; 0 makes a line one node.
    r_col : float
        See `r_row`.
    c_row : ArrayLike
        Line to ground per cell, scalar or (rows, cols), F.
    c_col : ArrayLike
        See `c_row`.
    coupling : ArrayLike
        Neighbouring bit lines per row, scalar or (rows, cols - 1), F.
    load : ArrayLike
        Input of the readout circuit at the end of each bit line, scalar or (cols,), F.
    cell_conductance : ArrayLike
        Parallel to the capacitance, scalar or (rows, cols), S.

    Returns
    -------
    WireArray
        The network and its nodes.

    Raises
    ------
    InputError
        For a wrong shape, or a negative or non-finite value.
    """
    farad = np.asarray(cell, dtype=float)
    if farad.ndim != 2 or farad.size == 0:
        raise InputError(f"cell capacitances must have shape (rows, cols), not {farad.shape}")
    for name, ohm in (("r_row", r_row), ("r_col", r_col)):
        if not (np.isfinite(ohm) and ohm >= 0):
            raise InputError(f"{name} must be finite and not negative, not {ohm!r}")
    rows, cols = farad.shape
    across, down = r_row > 0, r_col > 0
    wires = (
        np.arange(rows * (cols + 1)).reshape(rows, cols + 1) if across else np.tile(np.arange(rows)[:, None], cols + 1)
    )
    first = int(wires.max()) + 1
    lines = np.arange((rows + 1) * cols).reshape(rows + 1, cols) if down else np.tile(np.arange(cols), (rows + 1, 1))
    lines = lines + first
    network = LinearNetwork(int(lines.max()) + 1)
    word, bit = wires[:, 1:], lines[:-1]

    def spread(name: str, values: ArrayLike, shape: tuple[int, ...]) -> FloatArray:
        try:
            return np.broadcast_to(np.asarray(values, dtype=float), shape).ravel()
        except ValueError:
            raise InputError(f"{name} has shape {np.shape(values)}, expected a number or {shape}") from None

    if across:
        network.add_resistors(wires[:, :-1].ravel(), word.ravel(), r_row)
    if down:
        network.add_resistors(bit.ravel(), lines[1:].ravel(), r_col)
    network.add_capacitors(word.ravel(), bit.ravel(), farad.ravel())
    for nodes, name, values in ((word, "c_row", c_row), (bit, "c_col", c_col)):
        network.add_capacitors(nodes.ravel(), -1, spread(name, values, (rows, cols)))
    if cols > 1:
        network.add_capacitors(bit[:, :-1].ravel(), bit[:, 1:].ravel(), spread("coupling", coupling, (rows, cols - 1)))
    network.add_capacitors(lines[-1], -1, spread("load", load, (cols,)))
    siemens = spread("cell_conductance", cell_conductance, (rows, cols))
    if siemens.any():
        network.add_conductances(word.ravel(), bit.ravel(), siemens)
    return WireArray(network, word, bit, wires[:, 0], lines[-1])
