"""The last step of every extracted cell: wires, and a model that says where its values come from."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from interconnect.extraction import Extraction
from interconnect.geometry import CellGeometry
from interconnect.stack import Stack
from netlists.cells.base import BitLine, Cell, CellModel, Element, Extract, Plane, RowLine, Variant
from netlists.cells.decompose import Observation, Pair, pair_capacitances, without_floating


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was extracted for a model: the geometries of some programs and their extractions."""

    stack: Stack
    plane: Plane
    programs: Sequence[tuple[int, int]]
    geometries: Sequence[CellGeometry]
    extractions: Sequence[Extraction]

    @classmethod
    def of(
        cls, cell: Cell, stack: Stack, plane: Plane, programs: Sequence[tuple[int, int]], extract: Extract
    ) -> Evidence:
        """Extract the cell in supercells of two columns that store these programs."""
        geometries = [cell.geometry(stack, plane, program) for program in programs]
        return cls(stack, plane, programs, geometries, [extract(g, stack) for g in geometries])

    def decomposed(
        self,
        pairs: Callable[[tuple[int, int]], tuple[Pair, ...]],
        floating: Callable[[tuple[int, int]], Collection[str]],
        reference: Iterable[str],
    ) -> tuple[dict[str, float], float]:
        """Pair capacitances (F) and misfit, see `pair_capacitances`; `floating` nets of a program are eliminated."""
        observations = [
            Observation(without_floating(e, floating(program)), pairs(program))
            for program, e in zip(self.programs, self.extractions, strict=True)
        ]
        return pair_capacitances(observations, reference)

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
        misfit: float,
        *,
        lines: tuple[RowLine, ...],
        bit_lines: tuple[BitLine, ...],
        symbol_values: tuple[int, ...],
        notes: tuple[str, ...],
    ) -> CellModel:
        """The charge cell's model, its values rounded (see `CellModel.rounded`). misfit: of the decomposition."""
        period, columns = self.geometries[0].period, self.geometries[0].columns
        pitch = (period[1], period[0] / columns)
        model = CellModel(
            kind=kind,
            mode="charge",
            plane=self.plane,
            pins=pins,
            variants=variants,
            pitch=pitch,
            area=pitch[0] * pitch[1],
            reference_temperature=self.stack.reference_temperature,
            relative_error=max(e.relative_error for e in self.extractions),
            fit_residual=misfit,
            method=self.extractions[0].method,
            geometry_keys=tuple(g.key() for g in self.geometries),
            notes=(*notes, f"misfit of the pair capacitances {misfit:.1e} of C(BL)"),
            lines=lines,
            bit_lines=bit_lines,
            symbol_values=symbol_values,
        )
        return model.rounded()
