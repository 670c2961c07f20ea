"""Readouts of a stack of planes: which table reads a bit column, and all of them as one row of entries per active rows.

A bit column lies on one plane of its array, in all of its groups. The engine counts in entries: the count of a
conversion, plus where the readout of its plane begins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from characterization.tables.planes import PlaneTables
from characterization.tables.table import ReadoutTable
from interconnect.arrays import BoolArray, IntArray
from interconnect.errors import InputError
from metalrom.macro.mitigation import table_for
from metalrom.macro.readout import Readout
from netlists.mapping import MacroShape

Scalar = TypeVar("Scalar", bound=np.generic)


@dataclass(frozen=True)
class PlanePlacement:
    """Which class of planes a bit column lies on.

    entry (planes,): class of every plane of an array, lowest first. columns: bit columns of one plane.
    """

    entry: tuple[int, ...] = (0,)
    columns: int = 1

    def classes(self, bit_columns: IntArray) -> IntArray:
        """Class of planes of bit columns of a program, shape as given."""
        shape = MacroShape(rows=1, columns=self.columns, planes=len(self.entry))
        return np.asarray(np.array(self.entry)[shape.plane_of(bit_columns)])


def placement_of(table: ReadoutTable | PlaneTables, array: MacroShape | None) -> PlanePlacement:
    """The placement of bit columns on planes in arrays of a shape.

    Raises InputError for tables of several planes without the array's shape, or with another number of planes.
    """
    if not isinstance(table, PlaneTables) or len(table.classes) == 1:
        return PlanePlacement()
    if array is None:
        raise InputError(
            "macro: readout tables of several planes need the array's size", hint="array=MacroShape(columns=256, ...)"
        )
    if array.planes != len(table.planes):
        raise InputError(f"macro: an array of {array.planes} planes, readout tables of {len(table.planes)}")
    of = {plane: i for i, c in enumerate(table.classes) for plane in c.planes}
    return PlanePlacement(tuple(of[plane] for plane in table.planes), array.columns)


def tables_of(table: ReadoutTable | PlaneTables) -> tuple[ReadoutTable, ...]:
    """One table per class of planes."""
    return table.tables if isinstance(table, PlaneTables) else (table,)


def tables_for(
    rows: int,
    classes: tuple[ReadoutTable, ...],
    tables: Mapping[int, ReadoutTable | PlaneTables],
    outside_domain: bool,
) -> tuple[tuple[ReadoutTable, ...], str | None]:
    """`table_for` of every class of planes. Raises InputError for tables of other classes."""
    others = {n: tables_of(t) for n, t in tables.items()}
    if any(len(t) != len(classes) for t in others.values()):
        raise InputError("macro: the tables of another group size are of other planes")
    found = [table_for(rows, t, {n: o[i] for n, o in others.items()}, outside_domain) for i, t in enumerate(classes)]
    return tuple(t for t, _ in found), found[0][1]


@dataclass(frozen=True)
class PlaneReadouts:
    """The readouts of all classes of planes at one condition, of equal rows and converter.

    readouts: one per class. placement: of bit columns on these. Arrays of `side_by_side` have the classes side by side.
    """

    readouts: tuple[Readout, ...]
    placement: PlanePlacement = PlanePlacement()

    @property
    def one(self) -> int:
        """Digital value of a count."""
        return self.readouts[0].one

    @property
    def rows(self) -> int:
        """Rows per conversion."""
        return self.readouts[0].rows

    @property
    def levels(self) -> int:
        """Levels of a cell."""
        return self.readouts[0].levels

    @property
    def counts(self) -> int:
        """Entries of one class: every count from 0 on."""
        return self.readouts[0].max_count + 1

    @property
    def values(self) -> NDArray[np.int32]:
        """Digital value of each code times `one`, by (active, code)."""
        return self.readouts[0].values

    @property
    def nominal(self) -> NDArray[np.int32]:
        """Digital value of the undisturbed level times `one`, by (active, entry)."""
        return side_by_side([r.nominal for r in self.readouts])

    @property
    def wrong(self) -> BoolArray:
        """Which (active, entry) an undisturbed conversion reads as another count."""
        return side_by_side([r.wrong for r in self.readouts])

    @property
    def deterministic(self) -> bool:
        """Whether nothing random acts on any plane."""
        return all(r.deterministic for r in self.readouts)

    @property
    def frozen(self) -> bool:
        """Whether any plane has deviations of its chip."""
        return any(bool(r.static.any() or r.offset_sigma) for r in self.readouts)

    def first_entries(self, bit_columns: IntArray) -> NDArray[np.uint32]:
        """Entry of count 0 of every bit column, shape as given."""
        return np.asarray(self.placement.classes(bit_columns) * self.counts, np.uint32)

    def offset_sigmas(self, bit_columns: IntArray) -> NDArray[np.float32]:
        """Sigma of the converter's offset at every bit column, LSB of its plane."""
        sigmas = np.array([r.offset_sigma for r in self.readouts], np.float32)
        return np.asarray(sigmas[self.placement.classes(bit_columns)])


def side_by_side(arrays: Sequence[NDArray[Scalar]]) -> NDArray[Scalar]:
    """Arrays (active, count, ...) of all classes as one over entries."""
    return np.ascontiguousarray(np.concatenate(arrays, axis=1))
