"""Yield of the stored weights from defect densities, with check columns and writable spare columns.

The masks are the same for every chip, the defects are not: what a spare column of metal holds cannot be chosen after
test. Two things repair all the same. Check columns (`metalrom.macro.residue`) correct one count that is off by one in
each set of columns and group of rows: that is what a missing via does, a zero in place of a weight. Columns of
writable SRAM take the place of bit lines that are broken or bridged. A row line that is broken, or tied to its ground
line by a via too many or a bridge, is lost with all its weights: nothing on the chip repairs it. In a ternary tie a via
too many at a cell without one is no such tie but a wrong digit, +-1 in place of 0, which check columns correct as well.

Spot defects of density D (1/m2) whose size x has the density x0^2 / x^3 above x0 (C. H. Stapper, IBM J. Res. Dev. 27
(1983) 549) short two lines of length L at a spacing s >= x0 on average D L x0^2 / (2 s) times, and break a line of
width w >= x0 D L x0^2 / (2 w) times.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from interconnect.errors import InputError
from metalrom.macro.residue import residue_code

NOT_REPAIRED = (
    "a row line that is broken, bridged to its ground line, or tied to it by a via too many",
    "two missing vias in one set of columns and one group of rows",
    "more broken or bridged bit lines of a tile and plane than it has writable spare columns",
    "drivers, converters and logic: silicon under the array, counted by the defect density of silicon",
)
"""What makes a chip a bad one in spite of check and spare columns."""


@dataclass(frozen=True, slots=True)
class DefectRates:
    """missing_via, extra_via: probability of a via that is drawn and does not conduct, of a conducting one at a place
    that is left empty. shorts, opens: spot defects of a metal, 1/m2; smallest: their size x0, m. source: of all."""

    missing_via: float
    extra_via: float
    shorts: float
    opens: float
    smallest: float
    source: str = "estimate"

    def __post_init__(self) -> None:
        for name in ("missing_via", "extra_via"):
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"defect rates: {name} is {getattr(self, name):g}, expected 0 to below 1")
        for name in ("shorts", "opens", "smallest"):
            if not 0 <= getattr(self, name) < math.inf:
                raise InputError(f"defect rates: {name} is {getattr(self, name):g}, expected 0 or more")


STOCK_RATES = DefectRates(
    missing_via=1e-9,
    extra_via=1e-11,
    shorts=100.0,
    opens=100.0,
    smallest=40e-9,
    source="estimate: one via of 10^9; per metal a tenth of the 0.1 defects per cm2 of a whole process (0.09 to 0.11 "
    "published for N7 and N5), of at least 40 nm",
)
"""Assumed where nothing is known of a process."""


@dataclass(frozen=True, slots=True)
class WeightArray:
    """What is exposed to defects. rows, columns: of a plane of a tile; group_rows: summed by one conversion; tiles,
    planes: how many. via_share: cells with a via. row_pitch, column_pitch, spacing, width: of cells and lines, m.
    empty_places: of a cell without a via, at either of which one too many is a wrong digit (2 in a ternary tie); 0: any
    via too many loses its row."""

    rows: int
    columns: int
    group_rows: int
    tiles: int
    planes: int
    via_share: float
    row_pitch: float
    column_pitch: float
    spacing: float
    width: float
    empty_places: int = 0

    def __post_init__(self) -> None:
        for name in ("rows", "columns", "group_rows", "tiles", "planes"):
            if getattr(self, name) < 1:
                raise InputError(f"weight array: {name} is {getattr(self, name)}, expected at least 1")
        if self.empty_places < 0:
            raise InputError(f"weight array: empty places of a cell are {self.empty_places}, expected 0 or more")
        if not 0 <= self.via_share <= 1:
            raise InputError(f"weight array: share of cells with a via is {self.via_share:g}, expected 0 to 1")
        for name in ("row_pitch", "column_pitch", "spacing", "width"):
            if not getattr(self, name) > 0:
                raise InputError(f"weight array: {name} is {getattr(self, name):g}, expected more than 0")

    @property
    def cells(self) -> int:
        """All cells."""
        return self.rows * self.columns * self.tiles * self.planes

    def wrong_digit(self, rates: DefectRates) -> float:
        """Probability that a cell stores a digit that is off by one."""
        e, n = rates.extra_via, self.empty_places
        return self.via_share * rates.missing_via + (1 - self.via_share) * n * e * (1 - e) ** max(n - 1, 0)

    def tied_row(self, rates: DefectRates) -> float:
        """Probability that a cell ties its row's signal line to the ground line by a via too many."""
        e, n = rates.extra_via, self.empty_places
        if not n:
            return e
        several = -math.expm1(n * math.log1p(-e)) - n * e * (1 - e) ** (n - 1)
        return self.via_share * e + (1 - self.via_share) * max(several, 0.0)


@dataclass(frozen=True, slots=True)
class Protection:
    """check_columns: of each set of the residue code (0: none), `levels` levels per cell. spares: writable columns of
    every plane of a tile."""

    check_columns: int = 0
    levels: int = 2
    spares: int = 0

    @property
    def set_size(self) -> int:
        """Data columns that a set of check columns guards; 0 without."""
        return residue_code(self.check_columns, self.levels).size if self.check_columns else 0

    @property
    def overhead(self) -> float:
        """Check columns per data column."""
        return self.check_columns / self.set_size if self.check_columns else 0.0


UNPROTECTED = Protection()
"""Neither check nor spare columns."""


@dataclass(frozen=True, slots=True)
class YieldEstimate:
    """Yield by cause, and all together. expected: mean number of defects of a chip by cause."""

    expected: Mapping[str, float]
    missing_vias: float
    bit_lines: float
    rows: float
    protection: Protection

    @property
    def total(self) -> float:
        """Chips whose weights are all right."""
        return self.missing_vias * self.bit_lines * self.rows

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "expected_defects": dict(self.expected),
            "yield_missing_vias": self.missing_vias,
            "yield_bit_lines": self.bit_lines,
            "yield_rows": self.rows,
            "yield": self.total,
            "check_columns": self.protection.check_columns,
            "columns_of_a_set": self.protection.set_size,
            "check_overhead": self.protection.overhead,
            "writable_spare_columns": self.protection.spares,
            "not_repaired": list(NOT_REPAIRED),
        }


@dataclass(frozen=True, slots=True)
class FaultShares:
    """Probabilities of what repair leaves. opens: that a digit that is not 0 reads 0 for want of its via; extras: that
    a 0 reads 1 or -1; bit_lines, rows: that a column or a row of a tile and plane counts nothing."""

    opens: float
    extras: float
    bit_lines: float
    rows: float

    @property
    def zeroed(self) -> float:
        """Probability that a digit that is not 0 reads 0, its bit line being whole."""
        return 1 - (1 - self.opens) * (1 - self.rows)

    def wrong(self, nonzero: float) -> float:
        """Share of wrong digits in a matrix of which a share is not 0."""
        lost = 1 - (1 - self.zeroed) * (1 - self.bit_lines)
        return nonzero * lost + (1 - nonzero) * self.extras * (1 - self.rows) * (1 - self.bit_lines)


def line_defects(array: WeightArray, rates: DefectRates, rows: int, columns: int) -> tuple[float, float]:
    """Mean number of shorts and breaks of a bit line across `rows` rows, and of a row line across `columns` columns.

    A bit line runs between its neighbours along the whole column, a signal line beside its ground line along the row.
    """
    defects = rates.smallest**2 / 2 * (rates.shorts / array.spacing + rates.opens / array.width)
    return rows * array.row_pitch * defects, columns * array.column_pitch * defects


def fault_shares(array: WeightArray, rates: DefectRates, protection: Protection = UNPROTECTED) -> FaultShares:
    """What of a chip's digits stays wrong on average, in closed form; defects strike independently.

    array: as `metalrom.macro.via_faults.array_of` fills it; its cells are those of a ternary tie.
    """
    width = array.columns + _check_columns(array, protection)
    column, row = line_defects(array, rates, array.rows, width)
    struck = -math.expm1(-column)
    # Of K struck bit lines of a plane K - spares are left; the mean of that is the sum of P(K > spares + i).
    lines = math.fsum(more_than(k, width, struck) for k in range(protection.spares, width)) / width
    p = array.wrong_digit(rates)
    left = 1.0
    if protection.check_columns:
        # A wrong digit stays if another cell of its set of columns and group of rows is wrong, check columns counted.
        left = math.fsum(
            number * rows * columns * -math.expm1((rows * (columns + protection.check_columns) - 1) * math.log1p(-p))
            for rows, columns, number in _units(array, protection)
        ) / (array.rows * array.columns)
    e, n = rates.extra_via, array.empty_places
    return FaultShares(
        opens=rates.missing_via * left,
        extras=n * e * (1 - e) ** max(n - 1, 0) * left,
        bit_lines=lines,
        rows=-math.expm1(-row + width * math.log1p(-array.tied_row(rates))),
    )


def weight_yield(array: WeightArray, rates: DefectRates, protection: Protection = UNPROTECTED) -> YieldEstimate:
    """Yield of the weights of one chip, in closed form; defects strike independently.

    Missing vias, and vias too many that are wrong digits: every set of columns and group of rows survives one of them
    with check columns, none without.
    Bit lines: a tile's plane survives as many as it has spares. Rows: none.
    """
    width = array.columns + _check_columns(array, protection)
    per_plane = array.tiles * array.planes
    cells = array.rows * width * per_plane
    column, row = line_defects(array, rates, array.rows, width)
    struck = 1 - math.exp(-column)
    lost = row * array.rows * per_plane
    extra = cells * array.tied_row(rates)
    return YieldEstimate(
        expected={
            "wrong digits" if array.empty_places else "missing vias": cells * array.wrong_digit(rates),
            "bit lines": struck * width * per_plane,
            "rows by vias too many": extra,
            "rows by bridges and breaks": lost,
        },
        missing_vias=_missing(array, rates, protection, width),
        bit_lines=math.exp(per_plane * _logarithm(more_than(protection.spares, width, struck))),
        rows=math.exp(-lost - extra),
        protection=protection,
    )


def _missing(array: WeightArray, rates: DefectRates, protection: Protection, width: int) -> float:
    """Share of chips without an uncorrected missing via or other wrong digit."""
    p = array.wrong_digit(rates)
    if not protection.check_columns:
        return math.exp(array.rows * width * array.tiles * array.planes * math.log1p(-p))
    logarithm = 0.0
    for rows, columns, number in _units(array, protection):
        logarithm += number * _logarithm(more_than(1, rows * (columns + protection.check_columns), p))
    return math.exp(logarithm * array.tiles * array.planes)


def _check_columns(array: WeightArray, protection: Protection) -> int:
    """Of a plane."""
    return -(-array.columns // protection.set_size) * protection.check_columns if protection.check_columns else 0


def _units(array: WeightArray, protection: Protection) -> Iterator[tuple[int, int, int]]:
    """(rows, data columns, number) of the sets of columns and groups of rows of a plane."""
    full, rest = divmod(array.rows, array.group_rows)
    sets, left = divmod(array.columns, protection.set_size)
    for rows, groups in ((array.group_rows, full), (rest, 1 if rest else 0)):
        for columns, number in ((protection.set_size, sets), (left, 1 if left else 0)):
            if rows and columns and groups and number:
                yield rows, columns, groups * number


def more_than(allowed: int, number: int, probability: float) -> float:
    """Probability that more than `allowed` of `number` independent parts are struck; small ones keep their digits."""
    if probability <= 0 or allowed >= number:
        return 0.0
    if number * probability < 0.1:  # the terms beyond the first forty are below the last digit
        return math.fsum(_binomial(k, number, probability) for k in range(allowed + 1, min(number, allowed + 40) + 1))
    return 1 - math.fsum(_binomial(k, number, probability) for k in range(allowed + 1))


def _logarithm(struck: float) -> float:
    """Of the share that is not struck."""
    return math.log1p(-struck) if struck < 1 else -math.inf


def _binomial(k: int, number: int, probability: float) -> float:
    logarithm = math.lgamma(number + 1) - math.lgamma(k + 1) - math.lgamma(number - k + 1)
    return math.exp(logarithm + k * math.log(probability) + (number - k) * math.log1p(-probability))
