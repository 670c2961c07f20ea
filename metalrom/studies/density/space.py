"""The design space of a design: its variants of cell and periphery, built from the project's own configuration."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from metalrom.config.simulation import ExploreSection
from metalrom.design.design import Design
from netlists.cells.base import require_capability


@dataclass(frozen=True, slots=True)
class ColumnVariant:
    """One kind of column: cell kind, pitches relative to the smallest that the stack allows, sampling, resistor.

    double_sampling is False for a current cell; resistance (ohm) is None for a charge cell. design: the user's with
    this cell, on its lowest plane alone; max_planes: how many the user lists.
    """

    cell: str
    row_factor: float
    column_factor: float
    double_sampling: bool
    resistance: float | None
    design: Design
    max_planes: int

    @property
    def label(self) -> str:
        """Short text for tables: kind, pitches in nm, sampling or resistor, array."""
        d = self.design.cell.lengths(self.design.stack, self.design.planes[0])
        extra = f", {self.resistance / 1e6:g} Mohm" if self.resistance else ""
        sampling = ", double sampling" if self.double_sampling else ""
        size = self.design.config.array
        pitches = f"{d.row_pitch * 1e9:.0f} x {d.column_pitch * 1e9:.0f} nm"
        return f"{self.cell} {pitches}{extra}{sampling}, {size.rows} x {size.columns}"


def column_variants(design: Design) -> Iterator[ColumnVariant]:
    """Every distinct column of the project's `explore` section. Raises InputError for one the stack does not allow."""
    section: ExploreSection = design.config.explore
    most = len(design.planes)
    for kind, array in itertools.product(section.cells, section.arrays):
        for row, column in itertools.product(section.row_pitch_factors, section.column_pitch_factors):
            base = _with_array(_with_pitch(design, kind, row, column), array)
            if base.cell.mode == "current":
                for resistance in section.resistances:
                    changed = _with_cell(base, resistance=resistance)
                    yield ColumnVariant(kind, row, column, False, resistance, _with_sampling(changed, False), most)
            else:
                for sampling in section.double_sampling:
                    yield ColumnVariant(kind, row, column, sampling, None, _with_sampling(base, sampling), most)


def _with_pitch(design: Design, kind: str, row: float, column: float) -> Design:
    """The design with a cell of `kind` whose pitches are these multiples of the smallest that the stack allows."""
    base = smallest(design, kind)
    require_capability(base.cell, "lengths", "drawn at several pitches", where=f"{design.path}: explore.cells")
    d = base.cell.lengths(base.stack, base.planes[0])
    return _with_cell(base, row_pitch=d.row_pitch * row, column_pitch=d.column_pitch * column)


def smallest(design: Design, kind: str) -> Design:
    """The design with a cell of `kind`, drawn as small as the stack allows, on its lowest plane alone."""
    return _with_cell(design, fresh=True, kind=kind)


def _with_cell(design: Design, *, fresh: bool = False, **changes: Any) -> Design:
    """The design with other cell parameters; fresh: forget all but the lowest plane.

    Line widths of one kind need not suit another; the planes of a stack differ little and one column stands for all.
    """
    section = design.config.cell
    if fresh:
        section = type(section)(planes=section.planes[:1])
    return Design(
        design.config.model_copy(update={"cell": section.model_copy(update=changes)}),
        design.path,
        source=design.source,
    )


def _with_array(design: Design, size: tuple[int, int]) -> Design:
    array = design.config.array.model_copy(update={"rows": size[0], "columns": size[1]})
    return Design(design.config.model_copy(update={"array": array}), design.path, source=design.source)


def _with_sampling(design: Design, double: bool) -> Design:
    readout = design.config.readout.model_copy(update={"double_sampling": double})
    return Design(design.config.model_copy(update={"readout": readout}), design.path, source=design.source)
