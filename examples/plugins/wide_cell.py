"""A cell kind of one's own: the resistive cell with its bit lines two pitches apart.

metalrom --plugin wide_cell.py netlist wide.yaml --level column -o column.cir
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from interconnect.geometry import CellGeometry
from interconnect.stack import Stack
from netlists.cells import register_cell
from netlists.cells.base import CellModel, ColumnRead, Extract, Plane
from netlists.cells.res_via import LineLengths, ResVia
from netlists.parameters import parameter


@dataclass(frozen=True, slots=True, kw_only=True)
class WideCell:
    """Parameters as `cell:` of a configuration gives them, SI; the class knows geometry and electrical model."""

    kind: ClassVar[str] = "wide_cell"
    mode: ClassVar[Literal["charge", "current"]] = "current"
    title: ClassVar[str] = "resistive cell with bit lines at twice the smallest pitch"
    text: ClassVar[str] = (
        "Bit lines two pitches apart: half the density of the resistive cell, its neighbours twice as far."
    )
    measurable: ClassVar[bool] = True
    symbol_values: ClassVar[tuple[int, ...]] = (0, 1)

    resistance: float = parameter(1.0e6, "ohm", "resistor plug at a crossing that stores 1")

    def _inner(self, stack: Stack, plane: Plane) -> ResVia:
        smallest = ResVia().lengths(stack, plane)
        return ResVia(resistance=self.resistance, column_pitch=2 * smallest.column_pitch)

    def lengths(self, stack: Stack, plane: Plane) -> LineLengths:
        """Pitches and line widths, m."""
        return self._inner(stack, plane).lengths(stack, plane)

    def geometry(self, stack: Stack, plane: Plane, program: Sequence[int]) -> CellGeometry:
        """One row of `len(program)` columns with these symbols, as boxes."""
        return self._inner(stack, plane).geometry(stack, plane, program)

    def model(self, stack: Stack, plane: Plane, extract: Extract) -> CellModel:
        """Elements and pins, from the extraction."""
        return replace(self._inner(stack, plane).model(stack, plane, extract), kind=self.kind)

    @staticmethod
    def closed_form(model: CellModel, read: ColumnRead) -> float:
        """Current (A) of the column by the simple formula."""
        return ResVia.closed_form(model, read)


register_cell(WideCell)
