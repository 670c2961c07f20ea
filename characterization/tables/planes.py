"""Readout tables of a stack of planes in one dataset: a dimension `plane`, and which table serves which plane.

Planes whose cells and neighbours are equal share an entry. Thresholds, margins and code errors of an entry are those of
`ReadoutTable`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import xarray
from numpy.typing import NDArray

from characterization.margins import WorstLevel
from characterization.tables.table import PLANE, ReadoutTable
from interconnect.errors import InputError, UnknownName
from interconnect.suggestion import suggest
from netlists.condition import Condition

STACKED = "stacked_plane"
ENTRY = "plane_entry"
POSITION = "position"


@dataclass(frozen=True, slots=True)
class PlaneClass:
    """Planes of equal cells and neighbours.

    entry: label of the table, that of the lowest of them. planes: labels, lowest first. position: `bottom`, `inner` or
    `top`, joined by `and` where the planes are several of these.
    """

    entry: str
    planes: tuple[str, ...]
    position: str

    @property
    def text(self) -> str:
        """Position and planes in words."""
        return f"{self.position}: {', '.join(self.planes)}"


@xarray.register_dataset_accessor("planes")  # type: ignore[no-untyped-call]
class PlaneTables:
    """One readout table per class of planes: a view of a dataset.

    Parameters
    ----------
    dataset : xarray.Dataset
        That of a `ReadoutTable` with a dimension `plane` before the others: the labels of the entries; coordinate
        `position` (plane): bottom, inner, top; `plane_entry` (stacked_plane): the entry that serves each plane of the
        stack, lowest first.

    Attributes
    ----------
    classes : tuple[PlaneClass, ...]
        Every entry with the planes that it serves, in the order of the dataset.

    Raises
    ------
    InputError
        For a dataset without these, or a plane without an entry.
    """

    def __init__(self, dataset: xarray.Dataset) -> None:
        self.dataset = dataset
        try:
            entries = [str(v) for v in dataset[PLANE].values]
            stacked = [str(v) for v in dataset[STACKED].values]
            serving = [str(v) for v in dataset[ENTRY].values]
            positions = [str(v) for v in dataset[POSITION].values]
        except (KeyError, TypeError) as error:
            raise InputError(f"plane tables: the dataset is not of several planes ({error})") from None
        if len(set(entries)) != len(entries) or set(serving) != set(entries) or len(set(stacked)) != len(stacked):
            raise InputError("plane tables: every plane needs one entry, and every entry a plane")
        self.classes = tuple(
            PlaneClass(entry, tuple(p for p, e in zip(stacked, serving, strict=True) if e == entry), position)
            for entry, position in zip(entries, positions, strict=True)
        )
        self.planes = tuple(stacked)
        self.tables = tuple(self._table(i) for i in range(len(entries)))

    @classmethod
    def from_tables(
        cls, tables: Sequence[ReadoutTable], classes: Sequence[PlaneClass], planes: Sequence[str]
    ) -> PlaneTables:
        """One dataset of the tables of all classes.

        Parameters
        ----------
        tables : Sequence[ReadoutTable]
            One per class, of equal rows, conditions and converter.
        classes : Sequence[PlaneClass]
            In the same order.
        planes : Sequence[str]
            Labels of all planes, lowest first.

        Returns
        -------
        PlaneTables
            Their view.

        Raises
        ------
        InputError
            For tables of different attributes, or names that are not unique.
        """
        if any(t.dataset.attrs != tables[0].dataset.attrs for t in tables):
            raise InputError("plane tables: the planes' tables differ in more than levels and spreads")
        return cls(stacked_datasets([t.dataset for t in tables], classes, planes))

    @property
    def rows(self) -> int:
        """Rows per conversion."""
        return self.tables[0].rows

    def _table(self, i: int) -> ReadoutTable:
        return ReadoutTable(self.dataset.isel({PLANE: i}).drop_vars([STACKED, ENTRY, POSITION]))

    def table(self, plane: str) -> ReadoutTable:
        """The table that serves a plane of the stack. Raises UnknownName for another label."""
        for table, found in zip(self.tables, self.classes, strict=True):
            if plane in found.planes:
                return table
        raise UnknownName(f"the stack has no plane {plane}", hint=suggest(plane, list(self.planes)))

    def replaced(self, change: Callable[[ReadoutTable], ReadoutTable]) -> PlaneTables:
        """The same planes with every table changed alike."""
        return PlaneTables.from_tables([change(t) for t in self.tables], self.classes, self.planes)

    def worst(self) -> ReadoutTable:
        """The table with the smallest margin of all planes and conditions."""
        return min(self.tables, key=lambda t: t.worst_margin().margin)

    def worst_margin(self, condition: Condition | str | None = None) -> WorstLevel:
        """The level with the smallest margin on any plane, at one condition or at all of them."""
        return min((t.worst_margin(condition) for t in self.tables), key=lambda w: w.margin)

    def worst_code_error(self, condition: Condition | str | None = None) -> WorstLevel:
        """The level with the largest code error on any plane, at one condition or at all of them."""
        return max((t.worst_code_error(condition) for t in self.tables), key=lambda w: w.code_error)


def stacked_datasets(
    datasets: Sequence[xarray.Dataset], classes: Sequence[PlaneClass], planes: Sequence[str]
) -> xarray.Dataset:
    """Datasets of one class each, one above the other along `plane`, with the entry that serves each of `planes`."""
    along = xarray.DataArray(
        _labels([c.entry for c in classes]), dims=PLANE, name=PLANE, attrs={"long_name": "table of a class of planes"}
    )
    plain = [d.drop_vars(PLANE, errors="ignore") for d in datasets]
    stacked = xarray.concat(plain, dim=along, data_vars="all", combine_attrs="drop_conflicts")
    serving = {plane: c.entry for c in classes for plane in c.planes}
    coordinates = {
        POSITION: (PLANE, _labels([c.position for c in classes]), {"long_name": "in the stack"}),
        STACKED: (STACKED, _labels(planes), {"long_name": "planes of the stack, lowest first"}),
    }
    entry = (STACKED, _labels([serving[p] for p in planes]), {"long_name": "table that serves the plane"})
    return stacked.assign_coords(coordinates).assign({ENTRY: entry})


def _labels(values: Sequence[str]) -> NDArray[np.object_]:
    return np.array(list(values), dtype=object)
