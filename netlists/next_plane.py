"""What the rows of the next plane do to a level, in counts: the linear network of a column with both planes' lines."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from interconnect.arrays import ByteArray, FloatArray
from interconnect.errors import UnsupportedCell
from netlists.case import ColumnStimulus
from netlists.cells.base import CellModel
from netlists.periphery import Periphery
from netlists.reference import column_network


@dataclass(frozen=True, slots=True)
class NextPlaneShift:
    """Counts by which driven rows of the next plane move a level.

    plane, above: labels of the read plane and of the plane above it. rows: on the bit line. coupling_signal,
    coupling_ground: from the bit line to the next plane's signal and ground line per row, F. single: per active row of
    the next plane, its signal lines driven and its ground lines quiet, in counts of a single-driven read. complement:
    the same with both planes' ground lines driven against the signal lines. relative_error: of the extraction.
    """

    plane: str
    above: str
    rows: int
    coupling_signal: float
    coupling_ground: float
    single: float
    complement: float
    relative_error: float

    @property
    def worst_single(self) -> float:
        """All rows of the next plane active, single drive, counts."""
        return self.rows * self.single

    @property
    def worst_complement(self) -> float:
        """All rows of the next plane active, complement drive, counts."""
        return self.rows * self.complement


def next_plane_shift(
    model: CellModel, above: str, periphery: Periphery, rows: int, *, symbols: ByteArray | None = None
) -> NextPlaneShift:
    """Solve the column's linear network with every line of both planes on a source of its own.

    Parameters
    ----------
    model : CellModel
        Charge cell with the lines of the next plane (`CapBalanced.model(..., above=...)`).
    above : str
        Label of the next plane.
    periphery : Periphery
        Sense capacitance at the bit line.
    rows : int
        Rows on the bit line.
    symbols : ByteArray, optional
        Stored symbols, shape (rows, 3); ones and zeros in turn by default.

    Returns
    -------
    NextPlaneShift
        Shifts in counts; the mean over the rows.

    Raises
    ------
    UnsupportedCell
        For a model without the next plane's lines.
    """
    if not model.has_next_plane or model.mode != "charge":
        raise UnsupportedCell(
            f"the model of the cell {model.kind} on {model.plane.label} holds no lines of the next plane",
            hint="extract a charge cell with the plane above it",
        )
    stored = np.indices((rows, 3)).sum(axis=0) % 2 if symbols is None else symbols
    # A line between ground and full drive has a source of its own in the network; which part of it does not matter.
    further = tuple(replace(line, level=0.5) for line in model.lines[1:])
    driven = replace(model, lines=(model.lines[0], *further))
    case = ColumnStimulus(bits=stored.astype(np.uint8), inputs=np.zeros(rows, np.uint8))
    # Same bit stored in all rows of the target: what one count adds is the difference of the two.
    levels = {bit: _responses(driven, periphery, _with_target(case, bit)) for bit in (0, 1)}
    own = _responses(driven, periphery, case)
    signal, ground = (next(x.prefix for x in model.lines if x.above and x.level == level) for level in (1.0, 0.0))
    mean = {prefix: float(values.mean()) for prefix, values in own.items()}
    first, rest = model.lines[0].prefix, [x.prefix for x in model.lines[1:] if not x.above]
    gain = {bit: {prefix: float(v.mean()) for prefix, v in found.items()} for bit, found in levels.items()}
    count = gain[1][first] - gain[0][first]
    count_complement = count - sum(gain[1][p] - gain[0][p] for p in rest)
    return NextPlaneShift(
        plane=model.plane.label,
        above=above,
        rows=rows,
        coupling_signal=model.capacitance("bl_in", 0, f"{signal}_out"),
        coupling_ground=model.capacitance("bl_in", 0, f"{ground}_out"),
        single=mean[signal] / count,
        complement=(mean[signal] - mean[ground]) / count_complement,
        relative_error=model.relative_error,
    )


def _with_target(case: ColumnStimulus, bit: int) -> ColumnStimulus:
    bits = case.bits.copy()
    bits[:, case.target] = bit
    return replace(case, bits=bits)


def _responses(model: CellModel, periphery: Periphery, case: ColumnStimulus) -> dict[str, FloatArray]:
    """Settled level of the target (V per V) by every line alone: prefix of the line to shape (rows,)."""
    network = column_network(model, periphery, case, apart=True)
    end = network.index([f"{model.bit_lines[0].prefix}_{case.target}"])[0]
    tails = ["", *(f"_{line.letter}" for line in model.lines[1:])]
    names = [f"input_{row}{tail}" for tail in tails for row in range(case.rows)]
    levels = network.settled(names, np.eye(len(names))).voltage[end]
    return dict(zip((x.prefix for x in model.lines), levels.reshape(len(model.lines), case.rows), strict=True))
