"""Cell E, `cap_ternary`: a via ties the cell's plate to the column's plus line, to its minus line, or to none.

Per row, on the lower metal: a signal line S, a plate beside it, and a ground line G that keeps the plate off the next
row's signal line. Per column, on the upper metal: BL+, BL- and a grounded shield, crossing over the plate. The plate
couples to S along its whole length; a via hands that coupling to BL+ (+1) or to BL- (-1). Without a via (0) the plate
floats; it is eliminated exactly. The read-out takes the difference of the two lines.

Why there is a post. Plates of neighbouring columns meet end to end: as long as the column allows, two tied plates
couple with 7.3 aF (generic28), 7 % of a bit line's load, from one column's line to whichever line the next column's
plate is tied to. A grounded post under the shield, tied to it by a via, cuts that to 0.2 aF; the plate then just spans
both bit lines.

What remains of imperfection is all known from the stored data: S couples to both lines past the plate (a common mode
of `drive(0)` per driven row), and a tied plate adds its own load to its line, so that BL+ and BL- differ in load by
(number of +1) - (number of -1) times `load_imbalance`. `bit_line_voltages` gives both lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from interconnect.geometry import GROUND, CellGeometry
from interconnect.stack import Stack
from netlists.cells.assemble import Evidence
from netlists.cells.base import (
    GROUND_LINE,
    SIGNAL,
    BitLine,
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
from netlists.cells.closed_form import charge_share
from netlists.cells.decompose import Pair
from netlists.cells.pattern import Drawing, PlaneMetals, at_least, given, nm, reaches
from netlists.parameters import parameter

PLUS, MINUS = BitLine("blp", "p", 1), BitLine("bln", "n", -1)
PINS = ("row_in", "row_out", "gnd_in", "gnd_out", "blp_in", "blp_out", "bln_in", "bln_out", "blp_next")
COUNTS = (0, 1, -1)
PROGRAMS = ((0, 0), (1, 1), (2, 2), (1, 2))
_WORDS = ("none", "plus", "minus")


class PlateCell(Drawing):
    """Resolved lengths; `length` is the plate's, m."""

    __slots__ = ()

    @property
    def coupling(self) -> CouplingGap:
        """From the signal line to the plate beside it, over the plate's length."""
        return CouplingGap(self.rows.space, self.length)


@dataclass(frozen=True, slots=True, kw_only=True)
class CapTernary(ChargeCell):
    """Drawn lengths of the ternary cell; None takes the smallest value the stack allows."""

    kind: ClassVar[str] = "cap_ternary"
    title: ClassVar[str] = "capacitive cell, via ties the plate to the plus line, the minus line or none"
    text: ClassVar[str] = (
        "A plate lies along the row's signal line. A via ties it to the column's plus line (+1), to its minus line "
        "(-1) or to none (0); the difference of the two lines is read."
    )
    symbol_values: ClassVar[tuple[int, ...]] = COUNTS

    plate_length: float | None = parameter(
        None, "m", "length of the plate along the row; the longest that fits by default"
    )
    row_pitch: float | None = parameter(None, "m", "height of a row: signal line, plate and ground line")
    column_pitch: float | None = parameter(None, "m", "width of a column: two bit lines and a shield")
    row_width: float | None = parameter(None, "m", "drawn width of signal line, plate, post and ground line")
    column_width: float | None = parameter(None, "m", "drawn width of bit lines and shield")

    def lengths(self, stack: Stack, plane: Plane) -> PlateCell:
        """Lengths on this plane, rules checked; InputError names the layer that is missing or the key at fault."""
        m = PlaneMetals.of(stack, plane)
        row_lines, column_lines = ("signal line", "plate", "ground line"), ("plus line", "minus line", "shield")
        # Cuts stand under neighbouring column lines, on plate and post, which need a space between them.
        rows = m.tracks("row", row_lines, self.row_pitch, self.row_width, cut_line=1)
        post = m.piece_length("row", rows.cut_width)
        step = max(m.via.size + m.via.space, (m.end_length("row") + post) / 2 + m.row.min_space)
        columns = m.tracks("column", column_lines, self.column_pitch, self.column_width, least_step=step)
        m.check(rows, columns, ", ".join(row_lines), ", ".join(column_lines))
        m.check_cuts(rows.pitch, "row")
        m.check_cuts(columns.step, "column")
        at_least(
            columns.step - (m.end_length("row") + post) / 2,
            m.row.min_space,
            "column_pitch",
            f"space between plates on {m.row.name}",
        )
        # Symmetric about the middle between the bit lines, as far as the post's spaces allow.
        longest = 2 * (1.5 * columns.step - post / 2 - m.row.min_space)
        least = columns.step + m.end_length("row")
        plate = given(self.plate_length, longest, "plate_length")
        reaches(
            plate, longest, "plate_length", f"the column of {nm(columns.pitch)} cannot hold the plate", longest=True
        )
        reaches(plate, least, "plate_length", f"the plate does not reach under both bit lines with a {m.via.name} cut")
        m.check_area("row", plate, rows.cut_width, "plate_length", "the plate")
        return PlateCell(m, rows, columns, plate)

    def geometry(self, stack: Stack, plane: Plane, program: Sequence[int]) -> CellGeometry:
        """One row of `len(program)` columns of symbols 0 (none), 1 (plus), 2 (minus).

        Nets: S, G, P0, N0, P1, N1, ... (bit lines), T0, T1, ... (floating plates), GND.
        """
        symbols = check_program(program, self.kind, len(COUNTS))
        d = self.lengths(stack, plane)
        post = d.metals.piece_length("row", d.rows.cut_width)
        y_signal, y_plate, y_ground = (d.rows.centre(i) for i in range(3))
        out = d.layout(len(symbols))
        out.row_line("S", y_signal, d.rows.width)
        out.row_line("G", y_ground, d.rows.width)
        for k, symbol in enumerate(symbols):
            x_plus, x_minus, x_shield = (d.columns.centre(i, k) for i in range(3))
            net = _plate_net(k, symbol)
            out.column_line(f"P{k}", x_plus, d.columns.width)
            out.column_line(f"N{k}", x_minus, d.columns.width)
            out.patch(net, d.metals.row, "tab", ((x_plus + x_minus) / 2, y_plate), (d.length, d.rows.cut_width))
            if symbol:
                out.cut(net, x_plus if symbol == 1 else x_minus, y_plate)
            out.shield(x_shield, d.columns.width)
            out.patch(GROUND, d.metals.row, "shield", (x_shield, y_plate), (post, d.rows.cut_width))
            out.cut(GROUND, x_shield, y_plate)
        return out.geometry(self.kind, stack, plane, symbols)

    def model(self, stack: Stack, plane: Plane, extract: Extract) -> CellModel:
        """Extract two columns of every symbol and one of each sign, let untied plates float, decompose the rest."""
        found = Evidence.of(self, stack, plane, PROGRAMS, extract)
        total = ("p_s_1", "p_g_1", "p_gnd_1", "p_n_1", "n_next")  # of a plus line whose plate is tied to it
        parts, misfit = found.decomposed(_pairs, lambda p: [_plate_net(k, 0) for k, s in enumerate(p) if s == 0], total)
        rows = ((SIGNAL, "S", "signal line"), (GROUND_LINE, "G", "ground line"))
        columns = ((PLUS, "P0", "plus line"), (MINUS, "N0", "minus line"))
        wires = [found.wire(*names) for names in (*rows, *columns)]
        variants = [Variant(f"{self.kind}_{word}", (*_capacitors(parts, s), *wires)) for s, word in enumerate(_WORDS)]
        return found.model(
            self.kind,
            PINS,
            tuple(variants),
            misfit,
            lines=(SIGNAL, GROUND_LINE),
            bit_lines=(PLUS, MINUS),
            symbol_values=COUNTS,
            notes=("pair capacitances from the programs 00, ++, --, +- of two columns; untied plates float",),
        )

    @staticmethod
    def closed_form(model: CellModel, read: ColumnRead) -> float:
        """V+ - V- from the two lines' charge balances; with C_k the load of line k and C_pn between them,

        C_+ V+ - C_pn V- = V_DD sum_i x_i C_drive,+(s_i) and likewise for V-; every sum depends on the stored data.
        """
        return charge_share(model, read)


def load_imbalance(model: CellModel) -> float:
    """By how much more a cell of +1 loads BL+ than BL- (F); a cell of -1 does the opposite to extraction error."""
    return model.load(1, PLUS) - model.load(1, MINUS)


def _plate_net(column: int, symbol: int) -> str:
    return f"{'TPN'[symbol]}{column}"


def _pairs(program: Sequence[int]) -> tuple[Pair, ...]:
    """Pairs of the reduced supercell, distinguished by the symbol; columns meet across the shield only."""
    pairs = []
    for k, symbol in enumerate(program):
        after = (k + 1) % len(program)
        nets = {"p": f"P{k}", "n": f"N{k}", "s": "S", "g": "G", "gnd": GROUND}
        own = ("p_s", "n_s", "p_g", "n_g", "p_gnd", "n_gnd", "p_n", "s_g", "s_gnd", "g_gnd")
        for name in own:
            a, b = name.split("_")
            pairs.append(Pair(f"{name}_{symbol}", nets[a], nets[b]))
        pairs.append(Pair("n_next", f"N{k}", f"P{after}"))
    return tuple(pairs)


def _capacitors(parts: dict[str, float], symbol: int) -> tuple[Element, ...]:
    def part(name: str, a: str, b: str, meaning: str, *, varies: bool = False) -> Element:
        value = parts[name if name in parts else f"{name}_{symbol}"]
        return Element(f"C_{name}", a, b, value, meaning, varies=varies)

    plus = "plus line with the plate" if symbol == 1 else "plus line"
    minus = "minus line with the plate" if symbol == 2 else "minus line"
    return (
        part("p_s", "blp_in", "row_out", f"{plus} to the signal line", varies=symbol == 1),
        part("n_s", "bln_in", "row_out", f"{minus} to the signal line", varies=symbol == 2),
        part("p_g", "blp_in", "gnd_out", f"{plus} to the ground line"),
        part("n_g", "bln_in", "gnd_out", f"{minus} to the ground line"),
        part("p_n", "blp_in", "bln_in", "plus line to minus line"),
        part("p_gnd", "blp_in", "0", f"{plus} to shield, post and neighbouring planes"),
        part("n_gnd", "bln_in", "0", f"{minus} to shield, post and neighbouring planes"),
        part("n_next", "bln_in", "blp_next", "minus line to the plus line of the next column"),
        part("s_g", "row_out", "gnd_out", "signal line to ground line"),
        part("s_gnd", "row_out", "0", "signal line to posts and neighbouring planes"),
        part("g_gnd", "gnd_out", "0", "ground line to posts and neighbouring planes"),
    )
