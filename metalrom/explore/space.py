"""The design space of a project: its variants of cell and periphery, built from the project's own configuration."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from interconnect.errors import InputError
from metalrom.config_runs import ExploreSection
from metalrom.project import Project


@dataclass(frozen=True, slots=True)
class ColumnVariant:
    """One kind of column: cell kind, pitches relative to the smallest that the stack allows, sampling, resistor.

    double_sampling is False for a current cell; resistance (ohm) is None for a charge cell. project: the user's with
    this cell, on its lowest plane alone; most_planes: how many the user lists.
    """

    cell: str
    row_factor: float
    column_factor: float
    double_sampling: bool
    resistance: float | None
    project: Project
    most_planes: int

    @property
    def label(self) -> str:
        """Short text for tables: kind, pitches in nm, sampling or resistor, array."""
        d = self.project.cell.lengths(self.project.stack, self.project.planes[0])  # type: ignore[attr-defined]
        row, column = (d.row_pitch, d.column_pitch) if hasattr(d, "row_pitch") else (d[0], d[1])
        extra = f", {self.resistance / 1e6:g} Mohm" if self.resistance else ""
        sampling = ", double sampling" if self.double_sampling else ""
        size = self.project.config.array
        return f"{self.cell} {row * 1e9:.0f} x {column * 1e9:.0f} nm{extra}{sampling}, {size.rows} x {size.columns}"


def column_variants(project: Project) -> Iterator[ColumnVariant]:
    """Every distinct column of the project's `explore` section. Raises InputError for one the stack does not allow."""
    section: ExploreSection = project.config.explore
    most = len(project.planes)
    for kind, array in itertools.product(section.cells, section.arrays):
        for row, column in itertools.product(section.row_pitch_factors, section.column_pitch_factors):
            base = _with_array(_with_pitch(project, kind, row, column), array)
            if base.cell.mode == "current":
                for resistance in section.resistances:
                    changed = _with_cell(base, resistance=resistance)
                    yield ColumnVariant(kind, row, column, False, resistance, _with_sampling(changed, False), most)
            else:
                for sampling in section.double_sampling:
                    yield ColumnVariant(kind, row, column, sampling, None, _with_sampling(base, sampling), most)


def _with_pitch(project: Project, kind: str, row: float, column: float) -> Project:
    """The project with a cell of `kind` whose pitches are these multiples of the smallest that the stack allows."""
    base = smallest(project, kind)
    lengths = getattr(base.cell, "lengths", None)
    if lengths is None:
        raise InputError(f"cell kind {kind} does not tell its pitches", where=f"{project.path}: explore.cells")
    d = lengths(base.stack, base.planes[0])
    rows, columns = (d.row_pitch, d.column_pitch) if hasattr(d, "row_pitch") else (d[0], d[1])
    return _with_cell(base, row_pitch=rows * row, column_pitch=columns * column)


def smallest(project: Project, kind: str) -> Project:
    """The project with a cell of `kind`, drawn as small as the stack allows, on its lowest plane alone."""
    return _with_cell(project, fresh=True, kind=kind)


def _with_cell(project: Project, *, fresh: bool = False, **changes: Any) -> Project:
    """The project with other cell parameters; fresh: forget all but the lowest plane.

    Line widths of one kind need not suit another; the planes of a stack differ little and one column stands for all.
    """
    section = project.config.cell
    if fresh:
        section = type(section)(planes=section.planes[:1])
    return Project(
        project.config.model_copy(update={"cell": section.model_copy(update=changes)}),
        project.path,
    )


def _with_array(project: Project, size: tuple[int, int]) -> Project:
    array = project.config.array.model_copy(update={"rows": size[0], "columns": size[1]})
    return Project(project.config.model_copy(update={"array": array}), project.path)


def _with_sampling(project: Project, double: bool) -> Project:
    readout = project.config.readout.model_copy(update={"double_sampling": double})
    return Project(project.config.model_copy(update={"readout": readout}), project.path)
