"""Cell D, `cap_select`: the tab beside the bit line is via-tied to exactly one of K driven lines of its row.

Line j is driven to j/(K-1) of the row voltage while the row's input is 1 (line 0 is ground), so symbol j counts j and
a cell holds log2 K bits. The tab reaches over all lines of its row, so the bit line's load does not depend on the
data. K = 2 is `cap_balanced`: the same drawing.

On the row's metal the fully driven line comes first and the ground line last. Nodes of the lines between them are
called t, u, v, w, y, z: one letter each, those after s without x, with which instances begin.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from interconnect.geometry import CellGeometry
from interconnect.stack import Stack
from netlists.cells.assemble import Evidence
from netlists.cells.base import (
    BIT_LINE,
    GROUND_LINE,
    SIGNAL,
    CellModel,
    ChargeCell,
    ColumnRead,
    Extract,
    Plane,
    RowLine,
    Variant,
    check_program,
)
from netlists.cells.closed_form import charge_share
from netlists.cells.tabbed import TabbedCell, decompose_tabs, tab_elements
from netlists.parameters import parameter, require_whole

MIN_LEVELS, MAX_LEVELS = 2, 8
_LETTERS = "tuvwyz"


@dataclass(frozen=True, slots=True, kw_only=True)
class CapSelect(ChargeCell):
    """Levels and drawn lengths of the selecting cell; a length of None takes the smallest value the stack allows."""

    kind: ClassVar[str] = "cap_select"
    title: ClassVar[str] = "capacitive cell, via ties the tab to one of several driven lines"
    text: ClassVar[str] = (
        "A tab beside the bit line is tied by one via to one of the row's lines, which are driven to equal steps "
        "from ground to the full level: the cell adds as many counts as its line has steps, and holds more than "
        "one bit."
    )

    levels: int = parameter(4, "", "driven lines of a row, the ground line among them: symbols that a cell can store")
    row_pitch: float | None = parameter(None, "m", "height of a row: all of its lines")
    column_pitch: float | None = parameter(None, "m", "width of a column: bit line, tab and shield")
    row_width: float | None = parameter(None, "m", "drawn width of the row's lines")
    column_width: float | None = parameter(None, "m", "drawn width of bit line, tab and shield")
    tab_length: float | None = parameter(None, "m", "length of the tab along the bit line")

    def __post_init__(self) -> None:
        require_whole(self.levels, MIN_LEVELS, MAX_LEVELS, where="cell.levels")

    @property
    def symbol_values(self) -> tuple[int, ...]:
        """0 to levels - 1."""
        return tuple(range(self.levels))

    @property
    def lines(self) -> tuple[RowLine, ...]:
        """The row's lines as they are drawn, from the full level down to ground."""
        top = self.levels - 1
        between = (RowLine(f"row{i + 1}", _LETTERS[i - 1], (top - i) / top) for i in range(1, top))
        return (SIGNAL, *between, GROUND_LINE)

    def lengths(self, stack: Stack, plane: Plane) -> TabbedCell:
        """Resolve the defaults on this plane and check the drawing rules.

        Raises:
            InputError: a missing layer, or a length that violates the stack's rules; it names the key.
        """
        return TabbedCell.of(stack, plane, self._words(), self)

    def geometry(self, stack: Stack, plane: Plane, program: Sequence[int]) -> CellGeometry:
        """One row of `len(program)` columns. Nets: S, then the other lines by letter, G, BL0, BL1, ..., GND.

        The tab of symbol j belongs to the line of level j/(K-1) because its via ties it there.
        """
        symbols = check_program(program, self.kind, self.levels)
        tied = [self._line_of(s) for s in symbols]
        return self.lengths(stack, plane).geometry(self.kind, stack, plane, symbols, self._nets(), tied)

    def model(self, stack: Stack, plane: Plane, extract: Extract) -> CellModel:
        """Extract two columns with equal symbols, for each symbol, and with the two outermost ones; decompose."""
        top = self.levels - 1
        programs = [*((s, s) for s in range(top, -1, -1)), (top, 0)]
        found = Evidence.of(self, stack, plane, programs, extract)
        tied = [(self._line_of(a), self._line_of(b)) for a, b in programs]
        letters = [line.letter for line in self.lines]
        parts, misfit = decompose_tabs(tied, found.extractions, self._nets(), letters)
        wires = [found.wire(*names) for names in zip(self.lines, self._nets(), self._words(), strict=True)]
        elements = (*tab_elements(parts, self.lines, self._words()), *wires, found.wire(BIT_LINE, "BL0", "bit line"))
        pins = [f"{line.prefix}_{end}" for line in self.lines for end in ("in", "out")]
        return found.model(
            self.kind,
            (*pins, "bl_in", "bl_out", "bl_next", "tab"),
            tuple(
                Variant(f"{self.kind}{self.levels}", elements, {"tab": f"{self.lines[self._line_of(s)].prefix}_out"})
                for s in range(self.levels)
            ),
            misfit,
            lines=self.lines,
            bit_lines=(BIT_LINE,),
            symbol_values=self.symbol_values,
            notes=("pair capacitances from two columns of every symbol, and of the outermost two",),
        )

    @staticmethod
    def closed_form(model: CellModel, read: ColumnRead) -> float:
        """V = V_DD (active C_direct + count C_tab / (K-1)) / (rows C_BL + C_extra).

        C_direct: the bit line's couplings to the row's lines past the tab, each times its level. The general charge
        balance gives the same, since every symbol loads the bit line alike.
        """
        return charge_share(model, read)

    def _line_of(self, symbol: int) -> int:
        return self.levels - 1 - symbol

    def _nets(self) -> list[str]:
        return [line.letter.upper() for line in self.lines]

    def _words(self) -> list[str]:
        top = self.levels - 1
        return ["signal line", *(f"line at {top - i}/{top}" for i in range(1, top)), "ground line"]
