"""Cell A, `cap_present`: the via stack between the row's signal line and a finger beside the bit line is there or not.

Per row there are a signal line S and a ground line G; per column a bit line, a finger over S beside it, and a grounded
shield. With the via (bit 1) the finger follows the row: C_on. Without it (bit 0) the finger floats, and what couples
through it and past it is C_off. A floating finger is eliminated exactly, so that no floating node enters a netlist.

Why there is a ground line. Fingers of neighbouring rows meet end to end: at the smallest space they couple with 3.3 aF
(generic28), and a floating finger hands that on to the bit line. C_on then grows by 20 % when both neighbouring rows
store 0 (13 % at a space of 90 nm without a ground line), so a cell's weight would depend on its neighbours' data. Here
a grounded post, tied to G by a via of its own, stands between the fingers: the same change is 0.3 %. The smallest row
pitch is then that of `cap_balanced`, with a shorter finger; a longer pitch buys signal.

Load and gain of a column depend on the data, but only on stored data: `column_correction` removes both exactly.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from interconnect.arrays import FloatArray
from interconnect.errors import InputError
from interconnect.geometry import GROUND, CellGeometry
from interconnect.stack import Stack
from netlists.cells.assemble import Evidence
from netlists.cells.base import (
    BIT_LINE,
    GROUND_LINE,
    SIGNAL,
    CellModel,
    ChargeCell,
    ColumnRead,
    CouplingGap,
    Element,
    Extract,
    Plane,
    Variant,
    check_program,
)
from netlists.cells.closed_form import charge_share, per_symbol
from netlists.cells.decompose import Pair
from netlists.cells.pattern import Drawing, PlaneMetals, Tracks, at_least, given, nm, reaches
from netlists.parameters import parameter

PINS = ("row_in", "row_out", "gnd_in", "gnd_out", "bl_in", "bl_out", "bl_next")
PROGRAMS = ((1, 1), (0, 0), (1, 0))


class FingerCell(Drawing):
    """Resolved lengths; `length` is the finger's, m."""

    __slots__ = ()

    @property
    def coupling(self) -> CouplingGap:
        """From the bit line to the finger beside it, over the finger's length."""
        return CouplingGap(self.columns.space, self.length)


@dataclass(frozen=True, slots=True, kw_only=True)
class CapPresent(ChargeCell):
    """Drawn lengths of the cell with a via or none; None takes the smallest value the stack allows."""

    kind: ClassVar[str] = "cap_present"
    title: ClassVar[str] = "capacitive cell, via to a finger beside the bit line or none"
    text: ClassVar[str] = (
        "A finger stands beside the bit line of every column. With a via (1) it follows the row's signal line; "
        "without one (0) it floats, and what couples past it is small. Load and gain of a column depend on its "
        "stored data, which are known."
    )
    symbol_values: ClassVar[tuple[int, ...]] = (0, 1)

    row_pitch: float | None = parameter(None, "m", "height of a row: signal line and ground line")
    column_pitch: float | None = parameter(None, "m", "width of a column: bit line, finger and shield")
    row_width: float | None = parameter(None, "m", "drawn width of the signal and ground lines")
    column_width: float | None = parameter(None, "m", "drawn width of bit line, finger, post and shield")
    finger_length: float | None = parameter(
        None, "m", "length of the finger along the bit line; the longest that fits by default"
    )

    def lengths(self, stack: Stack, plane: Plane) -> FingerCell:
        """Defaults resolved on this plane and drawing rules checked. Raises InputError that names layer or key."""
        m = PlaneMetals.of(stack, plane)
        columns = m.tracks("column", ("bit line", "finger", "shield"), self.column_pitch, self.column_width, cut_line=1)
        # Finger and post stand over S and G in one track: each with a cut and the metal's least width, and a space
        # between them.
        least = m.piece_length("column", columns.cut_width)
        post = _post_length(columns, m)
        step = max(m.via.size + m.via.space, (least + post) / 2 + m.column.min_space)
        rows = m.tracks("row", ("signal line", "ground line"), self.row_pitch, self.row_width, least_step=step)
        m.check(rows, columns, "signal line and ground line", "bit line, finger and shield")
        m.check_cuts(rows.step, "row")
        m.check_cuts(columns.pitch, "column")
        longest = rows.pitch - post - 2 * m.column.min_space
        finger = given(self.finger_length, longest, "finger_length")
        if longest < least - 1e-12:
            raise InputError(
                f"the row of {nm(rows.pitch)} cannot hold the finger it asks for: beside a post and two spaces "
                f"{nm(longest)} are left, a {m.via.name} cut needs {nm(least)}",
                where="cell.row_pitch",
            )
        reaches(finger, longest, "finger_length", f"the row of {nm(rows.pitch)} cannot hold the finger", longest=True)
        reaches(finger, m.end_length("column"), "finger_length", f"the finger cannot hold a {m.via.name} cut")
        at_least(finger, m.column.min_width, "finger_length", f"length of the finger on {m.column.name}")
        m.check_area("column", finger, columns.cut_width, "finger_length", "the finger")
        return FingerCell(m, rows, columns, finger)

    def geometry(self, stack: Stack, plane: Plane, program: Sequence[int]) -> CellGeometry:
        """One row of `len(program)` columns. Nets: S, G, BL0, BL1, ..., F0, F1, ... (floating fingers), GND."""
        bits = check_program(program, self.kind)
        d = self.lengths(stack, plane)
        width, cut_width = d.columns.width, d.columns.cut_width
        # The post keeps half a space to the side of the period; the finger stands half a row further.
        post = _post_length(d.columns, d.metals)
        y_ground = (post + d.metals.column.min_space) / 2
        y_signal = y_ground + d.rows.step
        out = d.layout(len(bits))
        out.row_line("S", y_signal, d.rows.width)
        out.row_line("G", y_ground, d.rows.width)
        for k, bit in enumerate(bits):
            x_bl, x_finger, x_shield = (d.columns.centre(i, k) for i in range(3))
            net = "S" if bit else f"F{k}"
            out.column_line(f"BL{k}", x_bl, width)
            out.patch(net, d.metals.column, "tab", (x_finger, y_signal), (cut_width, d.length))
            if bit:
                out.cut(net, x_finger, y_signal)
            out.patch("G", d.metals.column, "tab", (x_finger, y_ground), (cut_width, post))
            out.cut("G", x_finger, y_ground)
            out.shield(x_shield, width)
        return out.geometry(self.kind, stack, plane, bits)

    def model(self, stack: Stack, plane: Plane, extract: Extract) -> CellModel:
        """Extract the programs 11, 00 and 10 of two columns, let absent fingers float, decompose the rest."""
        found = Evidence.of(self, stack, plane, PROGRAMS, extract)
        # The bit line's total with bit 1, between two columns.
        total = ("bl_s_1", "bl_g_1", "bl_gnd_1", "bl_bl", "bl_bl", "next_s_1")
        parts, misfit = found.decomposed(_pairs, lambda p: [f"F{k}" for k, b in enumerate(p) if not b], total)
        wires = (
            found.wire(SIGNAL, "S", "signal line"),
            found.wire(GROUND_LINE, "G", "ground line"),
            found.wire(BIT_LINE, "BL0", "bit line"),
        )
        return found.model(
            self.kind,
            PINS,
            tuple(Variant(f"{self.kind}_{word}", (*_capacitors(parts, b), *wires)) for b, word in enumerate(_WORDS)),
            misfit,
            lines=(SIGNAL, GROUND_LINE),
            bit_lines=(BIT_LINE,),
            symbol_values=(0, 1),
            notes=("pair capacitances from the programs 11, 00, 10 of two columns; absent fingers float",),
        )

    @staticmethod
    def closed_form(model: CellModel, read: ColumnRead) -> float:
        """V = V_DD sum_i x_i C_i / (sum_i C_i,total + C_par): numerator and denominator depend on the data."""
        return charge_share(model, read)


_WORDS = ("absent", "present")


def _post_length(columns: Tracks, metals: PlaneMetals) -> float:
    """Length of the post along the bit line, m: as long as wide, or what a piece with a cut needs."""
    return max(columns.cut_width, metals.piece_length("column", columns.cut_width))


def _pairs(program: Sequence[int]) -> tuple[Pair, ...]:
    """Pairs of the reduced supercell; those that the finger takes part in are distinguished by the bit.

    What the next bit line couples to the row without a finger is counted as the own column's.
    """
    pairs = []
    for k, bit in enumerate(program):
        bl, after = f"BL{k}", f"BL{(k + 1) % len(program)}"
        pairs += [Pair(f"bl_{name}_{bit}", bl, net) for name, net in (("s", "S"), ("g", "G"), ("gnd", GROUND))]
        pairs += [Pair("bl_bl", bl, after)]
        pairs += [Pair("next_s_1", after, "S")] if bit else []
        pairs += [Pair(f"s_g_{bit}", "S", "G"), Pair(f"s_gnd_{bit}", "S", GROUND), Pair(f"g_gnd_{bit}", "G", GROUND)]
    return tuple(pairs)


def _capacitors(parts: dict[str, float], bit: int) -> tuple[Element, ...]:
    how = "through the finger" if bit else "past and through the floating finger"
    following = (Element("C_next_s", "bl_next", "row_out", parts["next_s_1"], "finger to the next bit line"),)
    return (
        Element("C_bl_s", "bl_in", "row_out", parts[f"bl_s_{bit}"], f"bit line to the signal line, {how}", varies=True),
        Element("C_bl_g", "bl_in", "gnd_out", parts[f"bl_g_{bit}"], "bit line to the ground line and its post"),
        Element("C_bl_gnd", "bl_in", "0", parts[f"bl_gnd_{bit}"], "bit line to shield and neighbouring planes"),
        Element("C_bl_bl", "bl_in", "bl_next", parts["bl_bl"], "bit line to the next bit line"),
        *(following if bit else ()),
        Element("C_s_g", "row_out", "gnd_out", parts[f"s_g_{bit}"], "signal line to ground line"),
        Element("C_s_gnd", "row_out", "0", parts[f"s_gnd_{bit}"], "signal line to shield and neighbouring planes"),
        Element("C_g_gnd", "gnd_out", "0", parts[f"g_gnd_{bit}"], "ground line to shield and neighbouring planes"),
    )


@dataclass(frozen=True, slots=True)
class ColumnCorrection:
    """How a column's level becomes a count: count = level x gain - active x offset; known once the data is stored.

    gain: counts per V, shape (columns,). offset: counts per driven row, C_off / (C_on - C_off).
    """

    gain: FloatArray
    offset: float

    def counts(self, levels: ArrayLike, active: ArrayLike) -> FloatArray:
        """MAC counts from levels, V, shape (..., columns), and the number of driven rows, shape (...)."""
        rows = np.asarray(active, dtype=np.float64)[..., None]
        return np.asarray(levels, dtype=np.float64) * self.gain - rows * self.offset


def column_correction(model: CellModel, bits: ArrayLike, drive: float, c_extra: float) -> ColumnCorrection:
    """Gain and offset of each column for these stored bits, shape (rows, columns).

    From V = drive (active C_off + count (C_on - C_off)) / C_column: drive is the row voltage, V; c_extra the bit line's
    capacitance that is not the cells', F. C_column is what the stored bits make of it; the cells of the column before
    load it too (the first column is taken to have one like itself before it).

    Raises:
        InputError: bits that are not 0 and 1 in two dimensions, or a cell that switches nothing.
    """
    stored = np.asarray(bits)
    if stored.ndim != 2 or not np.isin(stored, (0, 1)).all():
        raise InputError("the bits of a column correction must be 0 and 1, shape (rows, columns)")
    if model.switched <= 0:
        raise InputError(f"cell {model.kind} switches no capacitance: its columns have no gain")
    stored = stored.astype(np.int64)
    before = np.concatenate([stored[:, :1], stored[:, :-1]], axis=1)
    own, beside = per_symbol(model, model.load), per_symbol(model, model.next_load)
    total = own[stored].sum(axis=0) + beside[before].sum(axis=0) + c_extra
    return ColumnCorrection(total / (drive * model.switched), model.drive(0) / model.switched)
