"""A bit line beside a tab that a via ties to one of the row's parallel lines: shared by three cells.

Rows: the lines side by side on the lower metal. Columns, on the upper metal: bit line, tab, grounded shield.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Protocol

from interconnect.extraction import Extraction
from interconnect.geometry import GROUND, CellGeometry
from interconnect.stack import Stack
from netlists.cells.base import NEXT_GROUND, NEXT_SIGNAL, ChargeCell, CouplingGap, Element, Plane, RowLine
from netlists.cells.decompose import Observation, Pair, pair_capacitances
from netlists.cells.pattern import Drawing, DrawnLengths, PlaneMetals, at_least, given, nm, reaches
from netlists.parameters import parameter, require

LINE_WORDS = ("signal line", "ground line")
"""The lines of a row with a signal and a ground line, in words."""

NEXT_NETS = ("NEXT_S", "NEXT_G")
"""Signal and ground line of the next plane's row in geometries."""

_NEXT = (("u", NEXT_NETS[0], NEXT_SIGNAL), ("v", NEXT_NETS[1], NEXT_GROUND))


class DrawnTab(DrawnLengths, Protocol):
    """A cell's parameters with the length of its tab."""

    @property
    def tab_length(self) -> float | None: ...


class TabbedCell(Drawing):
    """Resolved lengths of the pattern on a plane, drawing rules checked; `length` is the tab's, m."""

    __slots__ = ()

    @property
    def tab_length(self) -> float:
        """Length of the tab along the bit line, m."""
        return self.length

    @property
    def coupling(self) -> CouplingGap:
        """From the bit line to the tab beside it, over the tab's length."""
        return CouplingGap(self.columns.space, self.tab_length)

    @classmethod
    def of(cls, stack: Stack, plane: Plane, lines: Sequence[str], cell: DrawnTab) -> TabbedCell:
        """Resolve the defaults of `cell` and check the rules.

        lines: the row's lines in words. Raises InputError for a missing layer, or for a length that violates the
        stack's rules; it names the key.
        """
        m = PlaneMetals.of(stack, plane)
        # The tab has to reach over the outermost lines and still keep its space to the tab of the next row.
        step = max(m.via.size + m.via.space, m.end_length("column") + m.column.min_space)
        rows = m.tracks("row", lines, cell.row_pitch, cell.row_width, least_step=step)
        columns = m.tracks("column", ("bit line", "tab", "shield"), cell.column_pitch, cell.column_width, cut_line=1)
        tab = given(cell.tab_length, rows.pitch - m.column.min_space, "tab_length")
        m.check(rows, columns, " and ".join(lines), "bit line, tab and shield")
        m.check_cuts(rows.step, "row")
        m.check_cuts(columns.pitch, "column")
        at_least(rows.pitch - tab, m.column.min_space, "tab_length", f"space between tabs on {m.column.name}")
        reach = rows.pitch - rows.step + m.end_length("column")
        short = f"the tab of {nm(tab)} does not reach over every line with a {m.via.name} cut"
        reaches(tab, reach, "tab_length", short)
        m.check_area("column", tab, columns.cut_width, "tab_length", "the tab")
        return cls(m, rows, columns, tab)

    def geometry(
        self,
        kind: str,
        stack: Stack,
        plane: Plane,
        program: Sequence[int],
        nets: Sequence[str],
        tied: Sequence[int | None],
        above: TabbedCell | None = None,
    ) -> CellGeometry:
        """One row of cells. nets: of the row's lines; tied: index of the line that each column's tab belongs to; None:
        no via, the tab of column k is a net `T<k>` of its own.

        above: the next plane, whose row lines lie straight above these as the nets `NEXT_NETS`; a grounded sheet
        stands for its columns. Without it a grounded sheet stands for its rows. Raises InputError for planes of
        different row pitch.
        """
        out = self.layout(len(tied))
        for i, net in enumerate(nets):
            out.row_line(net, self.rows.centre(i), self.rows.width)
        width = self.columns.width
        for k, line in enumerate(tied):
            x_bl, x_tab, x_shield = (self.columns.centre(i, k) for i in range(3))
            out.column_line(f"BL{k}", x_bl, width)
            tab = f"T{k}" if line is None else nets[line]
            out.patch(
                tab, self.metals.column, "tab", (x_tab, self.rows.pitch / 2), (self.columns.cut_width, self.length)
            )
            if line is not None:
                out.cut(tab, x_tab, self.rows.centre(line))
            out.shield(x_shield, width)
        if above is None:
            return out.geometry(kind, stack, plane, program)
        layer = above.metals.row
        require(
            abs(above.row_pitch - self.row_pitch) < 1e-12 and above.rows.count == len(nets),
            f"the rows of {plane.label} have a pitch of {nm(self.row_pitch)}, those above {nm(above.row_pitch)}",
            where="cell.row_pitch",
            hint="give the same pitch to both planes",
        )
        for i, net in enumerate(NEXT_NETS):
            out.row_line(net, self.rows.centre(i), above.rows.width, layer)
        return out.geometry(kind, stack, plane, program, top=layer)


def decompose_tabs(
    tied: Sequence[tuple[int, int]], extractions: Sequence[Extraction], nets: Sequence[str], letters: Sequence[str]
) -> tuple[dict[str, float], float]:
    """Pair capacitances per cell (F) that explain the extractions of supercells of two columns, and their misfit.

    tied: lines of the two tabs of every extraction. Each bit line sees its own tab on one side and its neighbour's
    beyond the shield; tabs belong to lines, so each observed coupling is a sum of pair terms. Keys: `bl_<letter>`,
    `bl_tab`, `tab_bl` (tab to the next bit line), `bl_bl`, `bl_gnd`, `<letter>_<letter>`, `<letter>_gnd`, `tab_gnd`,
    `tab_tab`, and `tab_<letter>`, the tab's coupling to a line that it is not tied to. With two lines that is part of
    the coupling of these lines, whichever of them the tab is tied to. The misfit is relative to the bit line's total.

    Extractions with the next plane's row lines have them as further letters `u` and `v`: `bl_u`, `tab_u`, `s_u`, ...
    """
    above = [(letter, net) for letter, net, _ in _NEXT if net in extractions[0].nets]
    observations = []
    views = list(zip(tied, extractions, strict=True))
    if above:
        # Mirrored, a program is that of the opposite lines. Seen both ways, the mesh cannot tell the next plane's two
        # lines apart, whose difference is all that a drive with the complement leaves over.
        last = len(nets) - 1
        swap = dict(zip((*nets, *NEXT_NETS), (*reversed(nets), *reversed(NEXT_NETS)), strict=True))
        views += [
            ((last - left, last - right), replace(e, nets=tuple(swap.get(net, net) for net in e.nets)))
            for (left, right), e in views
        ]
    for own, e in views:
        pairs = []
        for k, line in enumerate(own):
            bl, after, tab = f"BL{k}", f"BL{(k + 1) % len(own)}", nets[line]
            pairs += [Pair(f"bl_{letter}", bl, net) for letter, net in zip(letters, nets, strict=True)]
            pairs += [Pair("bl_tab", bl, tab), Pair("tab_bl", tab, after), Pair("bl_bl", bl, after)]
            pairs += [Pair("bl_gnd", bl, GROUND), Pair("tab_gnd", tab, GROUND)]
            pairs += [Pair("tab_tab", tab, nets[own[(k + 1) % len(own)]])]
            named = list(zip(letters, nets, strict=True))
            pairs += [Pair(f"{a}_{b}", x, y) for (a, x), (b, y) in combinations(named, 2)]
            pairs += [Pair(f"{letter}_gnd", net, GROUND) for letter, net in named]
            if len(nets) > 2:
                pairs += [Pair(f"tab_{letter}", tab, net) for letter, net in named]
            for letter, net in above:
                pairs += [Pair(f"bl_{letter}", bl, net), Pair(f"tab_{letter}", tab, net)]
                pairs += [Pair(f"{other}_{letter}", x, net) for other, x in named]
                pairs += [Pair(f"{letter}_gnd", net, GROUND)]
            pairs += [Pair("u_v", *NEXT_NETS)] if above else []
        observations.append(Observation(e, tuple(pairs)))
    seen = [*letters, *(letter for letter, _ in above)]
    total = [*(f"bl_{letter}" for letter in seen), "bl_tab", "tab_bl", "bl_gnd", "bl_bl", "bl_bl"]
    return pair_capacitances(observations, total)


def tab_elements(parts: dict[str, float], lines: Sequence[RowLine], words: Sequence[str]) -> tuple[Element, ...]:
    """Capacitors of the cell from pair capacitances (F, keys of `decompose_tabs`); words: what the lines are called."""
    named = list(zip(lines, words, strict=True))
    out = [Element("C_bl_tab", "bl_in", "tab", parts["bl_tab"], "bit line to its tab: the switched share", varies=True)]
    for line, word in named:
        key, meaning = f"bl_{line.letter}", f"bit line to the {word}"
        out.append(Element(f"C_{key}", "bl_in", f"{line.prefix}_out", parts[key], meaning))
    out += [
        Element("C_bl_gnd", "bl_in", "0", parts["bl_gnd"], "bit line to shield and neighbouring planes"),
        Element("C_bl_bl", "bl_in", "bl_next", parts["bl_bl"], "bit line to the next bit line"),
        Element("C_tab_bl", "tab", "bl_next", parts["tab_bl"], "tab to the next bit line"),
        Element("C_tab_gnd", "tab", "0", parts["tab_gnd"], "tab to shield and neighbouring planes"),
    ]
    if len(lines) > 2:
        for line, word in named:
            key, meaning = f"tab_{line.letter}", f"tab to the {word}"
            out.append(Element(f"C_{key}", "tab", f"{line.prefix}_out", parts[key], meaning))
    for (a, word_a), (b, word_b) in combinations(named, 2):
        key = f"{a.letter}_{b.letter}"
        out.append(Element(f"C_{key}", f"{a.prefix}_out", f"{b.prefix}_out", parts[key], f"{word_a} to {word_b}"))
    for line, word in named:
        key = f"{line.letter}_gnd"
        out.append(Element(f"C_{key}", f"{line.prefix}_out", "0", parts[key], f"{word} to neighbouring planes"))
    return tuple(out)


def next_plane_elements(parts: dict[str, float], lines: Sequence[RowLine], words: Sequence[str]) -> tuple[Element, ...]:
    """Capacitors of the cell to the next plane's row lines, from pair capacitances (F); lines, words: the row's own."""
    out = []
    for letter, _, line in _NEXT:
        word, pin = f"next plane's {'ground' if line is NEXT_GROUND else 'signal'} line", f"{line.prefix}_out"
        out += [
            Element(f"C_bl_{letter}", "bl_in", pin, parts[f"bl_{letter}"], f"bit line to the {word}"),
            Element(f"C_tab_{letter}", "tab", pin, parts[f"tab_{letter}"], f"tab to the {word}"),
            Element(f"C_{letter}_gnd", pin, "0", parts[f"{letter}_gnd"], f"{word} to shield and its columns"),
        ]
        out += [
            Element(
                f"C_{x.letter}_{letter}", f"{x.prefix}_out", pin, parts[f"{x.letter}_{letter}"], f"{own} to the {word}"
            )
            for x, own in zip(lines, words, strict=True)
        ]
    first, second = (f"{line.prefix}_out" for _, _, line in _NEXT)
    between = Element("C_u_v", first, second, parts["u_v"], "next plane's signal line to its ground line")
    return (*out, between)


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoLineCell(ChargeCell):
    """Drawn lengths of a tab beside a signal and a ground line; None takes the smallest value the stack allows."""

    row_pitch: float | None = parameter(None, "m", "height of a row: signal line and ground line")
    column_pitch: float | None = parameter(None, "m", "width of a column: bit line, tab and shield")
    row_width: float | None = parameter(None, "m", "drawn width of the signal and ground lines")
    column_width: float | None = parameter(None, "m", "drawn width of bit line, tab and shield")
    tab_length: float | None = parameter(None, "m", "length of the tab along the bit line")

    def lengths(self, stack: Stack, plane: Plane) -> TabbedCell:
        """Resolve the defaults on this plane and check the drawing rules.

        Raises:
            InputError: a missing layer, or a length that violates the stack's rules; it names the key.
        """
        return TabbedCell.of(stack, plane, LINE_WORDS, self)
