"""The last step of every extracted cell: wires, and a model that says where its values come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from interconnect.geometry import CellGeometry
from interconnect.stack import Stack
from netlists.cells.base import BitLine, CellModel, Element, Plane, RowLine, Variant

if TYPE_CHECKING:
    from interconnect.extraction import Extraction


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was extracted for a model: geometries and their extractions, and the misfit of the decomposition."""

    stack: Stack
    plane: Plane
    pitch: tuple[float, float]
    geometries: Sequence[CellGeometry]
    extractions: Sequence[Extraction]
    misfit: float

    def wire(self, line: RowLine | BitLine, net: str, word: str) -> Element:
        """Resistance of one segment (one cell) of a line that is `net` in the geometries."""
        first, geometry = self.extractions[0], self.geometries[0]
        along_row = isinstance(line, RowLine)
        layer = self.stack.metal(self.plane.row if along_row else self.plane.column)
        # The extraction gives the resistance of one period, which along a row is as many cells as it has columns.
        value = first.resistance[net] / (geometry.columns if along_row else 1)
        ends = (f"{line.prefix}_in", f"{line.prefix}_out")
        return Element(f"R_{line.prefix}", *ends, value, f"one segment of the {word}", tcr=layer.tcr)

    def model(
        self,
        kind: str,
        pins: tuple[str, ...],
        variants: tuple[Variant, ...],
        *,
        lines: tuple[RowLine, ...],
        bit_lines: tuple[BitLine, ...],
        counts: tuple[int, ...],
        notes: tuple[str, ...],
    ) -> CellModel:
        """The charge cell's model, its values rounded (see `CellModel.rounded`)."""
        model = CellModel(
            kind=kind,
            mode="charge",
            plane=self.plane,
            pins=pins,
            variants=variants,
            pitch=self.pitch,
            area=self.pitch[0] * self.pitch[1],
            reference_temperature=self.stack.reference_temperature,
            relative_error=max(e.relative_error for e in self.extractions),
            fit_residual=self.misfit,
            method=self.extractions[0].method,
            geometry_keys=tuple(g.key() for g in self.geometries),
            notes=(*notes, f"misfit of the pair capacitances {self.misfit:.1e} of C(BL)"),
            lines=lines,
            bit_lines=bit_lines,
            counts=counts,
        )
        return model.rounded()
