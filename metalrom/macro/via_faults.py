"""Defects of stored ternary digits, drawn at random, and what check and spare columns leave of them.

The counterpart of the closed forms of `metalrom.macro.via_yield`, by the same assumptions, on the digits themselves:

- a via that does not conduct makes a digit 0; one too many beside a cell without a via makes its 0 a +-1; with check
  columns a set of columns and group of rows survives one of either, in a check column too;
- a broken or bridged bit line loses its column of a tile and plane, unless a writable spare column takes its place;
- a via too many at a cell that has one, a bridged or broken row line loses the row of a tile and plane.

A lost column or row counts nothing. Where a set has more wrong digits than its check columns correct, the digits stay
wrong; that the decoder may then change a right count as well is not in it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from characterization.readout.code_error import clopper_pearson
from interconnect.arrays import IntArray
from interconnect.errors import InputError
from metalrom.macro.residue import residue_code
from metalrom.macro.via_yield import UNPROTECTED, DefectRates, Protection, WeightArray, line_defects
from netlists.mapping import MacroShape, Placement, TileManifest

Digits = NDArray[np.int8]

LEVELS = 3
"""Of a ternary cell."""

EMPTY_PLACES = 2
"""Of a cell without a via: at the signal and at the ground line."""


@dataclass(frozen=True, slots=True)
class FaultCounts:
    """Defects of a matrix, or of several: digits that became 0, zeros that became +-1 (check columns counted), digits
    among these that are right again; bit lines and rows that are lost before and after repair."""

    opens: int = 0
    extras: int = 0
    corrected: int = 0
    bit_lines: int = 0
    spared: int = 0
    rows: int = 0

    def __add__(self, other: FaultCounts) -> FaultCounts:
        return FaultCounts(*(getattr(self, name) + getattr(other, name) for name in self.__slots__))


@dataclass(frozen=True)
class FaultyDigits:
    """A matrix as a chip reads it after repair. digits: shape (inputs, outputs), -1, 0 or 1. good: by cause, whether
    repair left nothing of it."""

    digits: Digits
    counts: FaultCounts
    good: Mapping[str, bool]

    def columns(self, right: Digits) -> IntArray:
        """Outputs in which any digit differs from the right ones."""
        return np.flatnonzero((self.digits != right).any(axis=0))


@dataclass(frozen=True)
class YieldCount:
    """Macros without a fault that repair left, of `samples` drawn ones, by cause and for all causes together."""

    samples: int
    wrong_digits: int
    bit_lines: int
    rows: int
    total: int

    def interval(self, name: str) -> tuple[float, float]:
        """95 % interval of a yield by Clopper and Pearson."""
        return clopper_pearson(getattr(self, name), self.samples)


class _Plane:
    """Cells of one plane of one tile with their check columns, by what can happen to them."""

    def __init__(self, digits: Digits, place: Placement, protection: Protection, group_rows: int) -> None:
        self.where = np.s_[place.row_start : place.row_stop, place.column_start : place.column_stop]
        data = digits[self.where]
        self.data_columns = data.shape[1]
        self.cells = data
        column_set = np.zeros(data.shape[1], np.int64)
        if protection.check_columns:
            code = residue_code(protection.check_columns, LEVELS)
            checks = code.check_levels((data + 1).astype(np.uint8)).astype(np.int8) - np.int8(1)
            self.cells = np.concatenate([data, checks], axis=1)
            sets = np.repeat(np.arange(code.sets(data.shape[1])), code.checks)
            column_set = np.concatenate([np.arange(data.shape[1]) // code.size, sets])
        self.rows, self.columns = self.cells.shape
        self.sets = int(column_set.max()) + 1
        self.column_set = column_set
        self.group_rows = group_rows
        self.tied = np.flatnonzero(self.cells)
        self.empty_places = np.repeat(np.flatnonzero(self.cells == 0), EMPTY_PLACES)

    def units(self, cells: IntArray) -> IntArray:
        """Set of columns and group of rows of cells by their flat index."""
        row, column = np.divmod(cells, self.columns)
        return np.asarray(row // self.group_rows * self.sets + self.column_set[column])


@dataclass(frozen=True)
class _Drawn:
    """What happens to a plane: cells whose digit is wrong and their new digits, lost rows, struck columns."""

    cells: IntArray
    digits: Digits
    opens: int
    rows: IntArray
    columns: IntArray

    def left(self, plane: _Plane, protection: Protection) -> NDArray[np.bool_]:
        """Which of the wrong cells stay wrong."""
        if not protection.check_columns:
            return np.ones(len(self.cells), bool)
        _, where, number = np.unique(plane.units(self.cells), return_inverse=True, return_counts=True)
        return np.asarray(number[where] > 1)


def array_of(
    matrices: Sequence[Digits], array: WeightArray, protection: Protection = UNPROTECTED, *, planes: int | None = None
) -> WeightArray:
    """The array as these matrices fill it: tiles, planes, and the share of cells with a via, check columns among them.

    array: rows, columns, group and pitches of a plane; its tiles and share are replaced. planes: of a tile; those of
    `array` by default. Every plane that a matrix uses is taken as full, which `tile` reaches for shapes that divide.
    """
    used = vias = cells = 0
    for matrix in matrices:
        for plane in _planes(_checked(matrix), array, protection, planes):
            used += 1
            vias += len(plane.tied)
            cells += plane.cells.size
    if not cells:
        raise InputError("via faults: no matrices were given")
    return replace(array, tiles=used, planes=1, via_share=vias / cells, empty_places=EMPTY_PLACES)


def inject_faults(
    digits: Digits,
    array: WeightArray,
    rates: DefectRates,
    protection: Protection = UNPROTECTED,
    *,
    generator: np.random.Generator,
) -> FaultyDigits:
    """One chip's reading of a ternary matrix.

    digits: shape (inputs, outputs). array: rows, columns and planes of a tile, rows of a group, pitches.

    Raises InputError for digits other than -1, 0 and 1.
    """
    right = _checked(digits)
    planes = _planes(right, array, protection, None)
    return _faulty(right, planes, array, rates, protection, generator)


def faulty_network(
    matrices: Mapping[str, Digits],
    array: WeightArray,
    rates: DefectRates,
    protection: Protection = UNPROTECTED,
    *,
    seed: int = 0,
) -> dict[str, FaultyDigits]:
    """One chip's reading of a network's matrices by name; the seed selects the chip. Raises as `inject_faults`."""
    return {
        name: inject_faults(
            matrix, array, rates, protection, generator=np.random.default_rng(np.random.SeedSequence([seed, k]))
        )
        for k, (name, matrix) in enumerate(matrices.items())
    }


def count_yield(
    digits: Digits,
    array: WeightArray,
    rates: DefectRates,
    protection: Protection = UNPROTECTED,
    *,
    samples: int,
    seed: int = 0,
) -> YieldCount:
    """Draw the defects of `samples` macros that store a matrix and count the good ones. Raises as `inject_faults`."""
    right = _checked(digits)
    planes = _planes(right, array, protection, None)
    generator = np.random.default_rng(seed)
    good = {"wrong_digits": 0, "bit_lines": 0, "rows": 0, "total": 0}
    for _ in range(samples):
        found = _judged([_draw(plane, array, rates, generator) for plane in planes], planes, protection)
        for name, value in found.items():
            good[name] += value
        good["total"] += all(found.values())
    return YieldCount(samples, **good)


def _checked(digits: Digits) -> Digits:
    if digits.ndim != 2 or digits.dtype.kind not in "iu" or (np.abs(digits) > 1).any():
        raise InputError("via faults: a matrix of the digits -1, 0 and 1 is expected")
    return digits.astype(np.int8)


def _planes(digits: Digits, array: WeightArray, protection: Protection, planes: int | None) -> list[_Plane]:
    if protection.check_columns and protection.levels != LEVELS:
        raise InputError(f"via faults: check columns of {protection.levels} levels, ternary cells have {LEVELS}")
    shape = MacroShape(rows=array.rows, columns=array.columns, planes=planes or array.planes)
    manifest = TileManifest(shape, *digits.shape)
    return [_Plane(digits, place, protection, array.group_rows) for place in manifest.placements()]


def _draw(plane: _Plane, array: WeightArray, rates: DefectRates, generator: np.random.Generator) -> _Drawn:
    """Defects of one plane; lengths of lines are those of the plane."""
    opened = _struck(plane.tied, rates.missing_via, generator)
    tied = _struck(plane.tied, rates.extra_via, generator)
    extra, number = np.unique(_struck(plane.empty_places, rates.extra_via, generator), return_counts=True)
    bridged = extra[number > 1]
    extra = extra[number == 1]
    sign = generator.integers(0, 2, len(extra)).astype(np.int8) * np.int8(2) - np.int8(1)
    column, row = (-math.expm1(-mean) for mean in line_defects(array, rates, plane.rows, plane.columns))
    lost = _struck(np.arange(plane.rows), row, generator)
    by_vias = np.concatenate([tied, bridged]) // plane.columns
    return _Drawn(
        np.concatenate([opened, extra]),
        np.concatenate([np.zeros(len(opened), np.int8), sign]),
        len(opened),
        np.union1d(lost, by_vias),
        _struck(np.arange(plane.columns), column, generator),
    )


def _struck(parts: IntArray, probability: float, generator: np.random.Generator) -> IntArray:
    """Those of independent parts that are struck."""
    number = int(generator.binomial(len(parts), probability)) if len(parts) and probability > 0 else 0
    return parts[generator.choice(len(parts), number, replace=False, shuffle=False)] if number else parts[:0]


def _judged(drawn: Sequence[_Drawn], planes: Sequence[_Plane], protection: Protection) -> dict[str, bool]:
    """By cause, whether repair leaves nothing."""
    return {
        "wrong_digits": not any(d.left(p, protection).any() for d, p in zip(drawn, planes, strict=True)),
        "bit_lines": all(len(d.columns) <= protection.spares for d in drawn),
        "rows": not any(len(d.rows) for d in drawn),
    }


def _faulty(
    right: Digits,
    planes: Sequence[_Plane],
    array: WeightArray,
    rates: DefectRates,
    protection: Protection,
    generator: np.random.Generator,
) -> FaultyDigits:
    out, counts = right.copy(), FaultCounts()
    drawn = [_draw(plane, array, rates, generator) for plane in planes]
    for plane, d in zip(planes, drawn, strict=True):
        left = d.left(plane, protection)
        cells = plane.cells.copy()
        cells.ravel()[d.cells[left]] = d.digits[left]
        cells[:, d.columns[protection.spares :]] = 0
        cells[d.rows] = 0
        out[plane.where] = cells[:, : plane.data_columns]
        counts += FaultCounts(
            d.opens, len(d.cells) - d.opens, int((~left).sum()), len(d.columns),
            min(len(d.columns), protection.spares), len(d.rows),
        )  # fmt: skip
    return FaultyDigits(out, counts, _judged(drawn, planes, protection))
