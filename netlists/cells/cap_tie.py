"""Cell F, `cap_tie`: the tab of `cap_balanced` is via-tied to the row's signal line, to its ground line, or to none.

The row is driven with the complement: the signal line of an active row rises while its ground line falls. A tab on the
signal line then adds +1, one on the ground line -1, and an untied tab, which hangs midway between both lines, 0: three
symbols on the drawing of the binary cell.

An untied tab is eliminated exactly. It couples the bit line to both lines of its row alike, so their opposite steps
cancel; charge trapped on it is the same in both samples of a double-sampled read. It loads its bit line less than a
tied tab does (its path to ground is in series with the tab), so the step per count depends a little on how many tabs of
a column are tied, which the stored data say. A via that failed to open a tab's tie is a silent zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from interconnect.geometry import GROUND, CellGeometry
from interconnect.stack import Stack
from netlists.cells.assemble import Evidence
from netlists.cells.base import (
    BIT_LINE,
    COMPLEMENT_LINE,
    SIGNAL,
    CellModel,
    ColumnRead,
    Element,
    Extract,
    Plane,
    RowLine,
    Variant,
    check_program,
)
from netlists.cells.closed_form import charge_share
from netlists.cells.decompose import Observation, Pair, pair_capacitances, without_floating
from netlists.cells.tabbed import LINE_WORDS, TwoLineCell, tab_elements

PINS = ("row_in", "row_out", "gnd_in", "gnd_out", "bl_in", "bl_out", "bl_next")
COUNTS = (0, 1, -1)
LINES, NETS = (SIGNAL, COMPLEMENT_LINE), ("S", "G")
PROGRAMS = ((1, 1), (1, 2), (0, 0), (0, 1))
"""Supercells that separate the couplings of tied and untied tabs; mirrored, they are those with 1 and 2 exchanged."""

_NONE = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CapTie(TwoLineCell):
    """Drawn lengths of the ternary tie; None takes the smallest value the stack allows."""

    kind: ClassVar[str] = "cap_tie"
    title: ClassVar[str] = "capacitive cell, via ties the tab to the signal line, the ground line or none"
    text: ClassVar[str] = (
        "The signal line of an active row rises while its complement falls. A via ties the tab beside the bit line "
        "to the signal line (+1) or to the complement (-1); an untied tab hangs midway between them and adds "
        "nothing (0)."
    )
    symbol_values: ClassVar[tuple[int, ...]] = COUNTS

    def geometry(self, stack: Stack, plane: Plane, program: Sequence[int]) -> CellGeometry:
        """One row of `len(program)` columns of symbols 0 (none), 1 (signal line), 2 (ground line).

        Nets: S, G, BL0, BL1, ..., T0, T1, ... (untied tabs), GND. A tied tab belongs to its line.
        """
        symbols = check_program(program, self.kind, len(COUNTS))
        tied = [None if s == _NONE else s - 1 for s in symbols]
        return self.lengths(stack, plane).geometry(self.kind, stack, plane, symbols, NETS, tied)

    def model(self, stack: Stack, plane: Plane, extract: Extract) -> CellModel:
        """Extract two columns of equal and of different symbols, let untied tabs float, decompose the rest.

        Every supercell counts twice, as it is and mirrored: then signal and ground line differ by what the drawing
        makes of them and not by the mesh.
        """
        found = Evidence.of(self, stack, plane, PROGRAMS, extract)
        observations = []
        for program, e in zip(PROGRAMS, found.extractions, strict=True):
            e = without_floating(e, [f"T{k}" for k, s in enumerate(program) if s == _NONE])
            observations += [Observation(e, _pairs(program, *nets)) for nets in (NETS, NETS[::-1])]
        total = ("bl_s", "bl_g", "bl_tab", "tab_bl", "bl_gnd", "bl_bl", "bl_bl")
        parts, misfit = pair_capacitances(observations, total)
        wires = [found.wire(*names) for names in zip(LINES, NETS, LINE_WORDS, strict=True)]
        wires.append(found.wire(BIT_LINE, "BL0", "bit line"))
        variants = (
            Variant(f"{self.kind}_none", (*_untied_elements(parts), *wires)),
            Variant(f"{self.kind}_signal", (*_tied_elements(parts, SIGNAL), *wires)),
            Variant(f"{self.kind}_ground", (*_tied_elements(parts, COMPLEMENT_LINE), *wires)),
        )
        return found.model(
            self.kind,
            PINS,
            variants,
            misfit,
            lines=LINES,
            bit_lines=(BIT_LINE,),
            symbol_values=COUNTS,
            notes=("pair capacitances from the programs 11, 12, 00, 01 of two columns and their mirrors",),
        )

    @staticmethod
    def closed_form(model: CellModel, read: ColumnRead) -> float:
        """V = V_DD (n_plus - n_minus) C_tab / sum of loads: n_plus, n_minus are the driven cells tied to the signal and
        to the ground line; tied cells load the bit line with C_BL, untied ones with less."""
        return charge_share(model, read)


def _pairs(program: Sequence[int], signal: str, ground: str) -> tuple[Pair, ...]:
    """Pairs of a supercell whose untied tabs are eliminated; signal, ground: the nets that are taken for these lines,
    which of a mirrored supercell have changed places."""
    out = []
    for k, symbol in enumerate(program):
        bl, after, end = f"BL{k}", f"BL{(k + 1) % len(program)}", "" if symbol else "_none"
        out += [Pair(f"bl_s{end}", bl, signal), Pair(f"bl_g{end}", bl, ground), Pair(f"bl_gnd{end}", bl, GROUND)]
        out += [Pair(f"bl_bl{end}", bl, after), Pair(f"s_g{end}", signal, ground)]
        out += [Pair(f"s_gnd{end}", signal, GROUND), Pair(f"g_gnd{end}", ground, GROUND)]
        if symbol:
            tab = NETS[symbol - 1]
            out += [Pair("bl_tab", bl, tab), Pair("tab_bl", tab, after), Pair("tab_gnd", tab, GROUND)]
        else:
            out += [Pair("next_s_none", after, signal), Pair("next_g_none", after, ground)]
    return tuple(out)


def _tied_elements(parts: dict[str, float], line: RowLine) -> tuple[Element, ...]:
    """Capacitors of a cell whose tab is tied to `line`."""

    def at(pin: str) -> str:
        return f"{line.prefix}_out" if pin == "tab" else pin

    return tuple(replace(e, a=at(e.a), b=at(e.b)) for e in tab_elements(parts, LINES, LINE_WORDS))


def _untied_elements(parts: dict[str, float]) -> tuple[Element, ...]:
    """Capacitors of a cell whose tab floats: what the tab hands on is in the couplings between the lines."""
    named = (
        ("bl_s", "bl_in", "row_out", "bit line to the signal line, in part through the tab"),
        ("bl_g", "bl_in", "gnd_out", "bit line to the ground line, in part through the tab"),
        ("bl_gnd", "bl_in", "0", "bit line to shield and neighbouring planes"),
        ("bl_bl", "bl_in", "bl_next", "bit line to the next bit line"),
        ("next_s", "bl_next", "row_out", "signal line through the tab to the next bit line"),
        ("next_g", "bl_next", "gnd_out", "ground line through the tab to the next bit line"),
        ("s_g", "row_out", "gnd_out", "signal line to ground line"),
        ("s_gnd", "row_out", "0", "signal line to neighbouring planes"),
        ("g_gnd", "gnd_out", "0", "ground line to neighbouring planes"),
    )
    return tuple(Element(f"C_{key}", a, b, parts[f"{key}_none"], meaning) for key, a, b, meaning in named)
