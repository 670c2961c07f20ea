"""The readout table of one condition in the form the engine consumes: codes, thresholds and spreads in LSB."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc

from characterization.margins import code_probabilities
from characterization.tables.table import AdcModel, ReadoutTable
from interconnect.arrays import BoolArray, FloatArray, IntArray
from interconnect.errors import InputError
from interconnect.suggestion import suggest
from metalrom.macro.conversions import ConversionRule
from netlists.condition import Condition

Effect = Literal["levels", "static", "noise", "pattern", "adc_offset", "adc_noise"]
EFFECTS: tuple[Effect, ...] = get_args(Effect)
"""Non-idealities that can be switched off one by one: level curvature, frozen mismatch, thermal noise, pattern spread,
converter offset, converter noise. Clipping at the converter's range always stays."""

TEMPORAL_FLOOR = 1e-6
"""Least temporal sigma (LSB) in the random path: keeps the arithmetic finite where only frozen spreads act."""


FRACTION = 4
"""Binary digits after the point of a digital value whose range was calibrated: counts in steps of 1/16."""


@dataclass(frozen=True, slots=True)
class AdcRange:
    """What the converter's codes mean: code k reads as `origin` + k `counts_per_code` counts.

    Thresholds lie midway between codes. codes: their number. Both are multiples of 1/16 count (the digital
    adder's fixed point). Digital values are held within 0..the largest count that the driven rows can give.
    """

    counts_per_code: float
    origin: float
    codes: int

    def __post_init__(self) -> None:
        if self.codes < 2:
            raise InputError(f"converter range: {self.codes} code, expected at least 2")
        for name, value in (("counts_per_code", self.counts_per_code), ("origin", self.origin)):
            if not (np.isfinite(value) and float(value * 2**FRACTION).is_integer()):
                raise InputError(f"converter range: {name} is {value:g}, expected a multiple of 1/{2**FRACTION} count")
        if not (self.counts_per_code > 0 and self.origin >= 0):
            raise InputError(
                f"converter range: {self.counts_per_code:g} counts per code from {self.origin:g} is not a rising range"
            )

    @property
    def full_scale(self) -> float:
        """Count that the last code stands for."""
        return self.origin + (self.codes - 1) * self.counts_per_code

    @property
    def plain(self) -> bool:
        """Whether every code is a whole number of counts, one apart."""
        return self.counts_per_code == 1 and float(self.origin).is_integer()


@dataclass(frozen=True)
class Readout:
    """One condition of a table, all in LSB (counts). N rows, M the greatest count.

    level (N + 1 active, M + 1 count): mean level; entries that cannot occur are 0. steps (N + 1, codes - 1):
    thresholds.
    code (N + 1, M + 1): of the undisturbed level. values (N + 1, codes): digital value of each code times `one`.
    static, temporal (N + 1, M + 1): frozen and per-conversion sigma. offset_sigma: frozen converter offset.
    levels: of a cell. valid (N + 1, M + 1): which (active, count) can occur.
    """

    rows: int
    levels: int
    level: FloatArray
    steps: FloatArray
    code: NDArray[np.int32]
    values: NDArray[np.int32]
    one: int
    static: FloatArray
    temporal: FloatArray
    offset_sigma: float
    valid: BoolArray

    @property
    def max_count(self) -> int:
        """Largest count of a conversion."""
        return self.rows * (self.levels - 1)

    @property
    def nominal(self) -> NDArray[np.int32]:
        """Digital value of the undisturbed level times `one`, by (active, count)."""
        return np.where(self.valid, np.take_along_axis(self.values, self.code.astype(np.int64), axis=1), 0)

    @property
    def deterministic(self) -> bool:
        """Whether nothing random acts: one look-up per conversion is then the whole readout."""
        return not (self.static.any() or self.temporal.any() or self.offset_sigma)

    @property
    def wrong(self) -> BoolArray:
        """Which (active, count) an undisturbed conversion reads as another count."""
        return np.asarray((self.nominal != np.arange(self.max_count + 1) * self.one) & self.valid)

    def squared_error(self, active: IntArray, count: IntArray) -> FloatArray:
        """Mean square of (digital value - count) for these pairs, counts^2; frozen and temporal spreads together."""
        sigma = np.sqrt(self.static**2 + self.temporal**2 + self.offset_sigma**2)[active, count]
        probability = code_probabilities(self.level[active, count], sigma, self.steps[active])
        error = self.values[active] / self.one - count[:, None]
        out: FloatArray = (probability * error**2).sum(axis=1)
        return out


def median_probability(p: FloatArray, reads: int) -> FloatArray:
    """Probability that the median of `reads` (odd) draws does what one draw does with probability p."""
    half = (reads + 1) / 2
    return p if reads == 1 else np.asarray(betainc(half, half, p), dtype=np.float64)


def readout_of(
    table: ReadoutTable,
    condition: Condition | str,
    effects: Collection[str] = EFFECTS,
    adc_range: AdcRange | None = None,
    rule: ConversionRule | None = None,
) -> Readout:
    """The engine's view of `table` at `condition` with the chosen `effects`.

    adc_range: what the codes mean (default: one count per code from 0, as in the table). rule: which conversions are
    made (default: all); idle groups that are skipped read 0 whatever the level. Raises InputError for an
    unknown condition or effect, levels or thresholds that do not rise, or more codes than the table's converter has.
    """
    unknown = sorted(set(effects) - set(EFFECTS))
    if unknown:
        raise InputError(f"unknown readout effect {unknown[0]!r}", hint=suggest(unknown[0], EFFECTS))
    i = table.index(condition)
    adc = table.adc
    label = table.conditions[i].label
    lsb = table.lsb(condition)
    if not lsb > 0:
        raise InputError(f"readout table, condition {label}: levels do not rise with the count")
    if adc_range is not None and adc_range.codes > adc.codes:
        raise InputError(
            f"converter range: {adc_range.codes} codes, the converter of the readout table has {adc.codes}"
        )
    zero = table.level[i, :, :1]
    shape = table.valid.shape
    index = np.arange(adc.codes if adc_range is None else adc_range.codes)
    step, origin = (1.0, 0.0) if adc_range is None else (adc_range.counts_per_code, adc_range.origin)
    thresholds = origin + (index[:-1] + 0.5) * step
    if "levels" in effects:
        level = np.where(table.valid, (table.level[i] - zero) / lsb, 0.0)
        steps = _fixed_steps(table, i, np.asarray(thresholds, dtype=np.float64))
        if steps is None:
            steps = (table.thresholds(condition)[:, :1] - zero) / lsb - 0.5 + thresholds
    else:
        level = np.broadcast_to(np.arange(table.max_count + 1.0), shape)
        steps = np.zeros((table.rows + 1, 1)) + thresholds
    if steps.shape[1] > 1 and not (np.diff(steps, axis=1) > 0).all():
        raise InputError(f"readout table, condition {label}: ADC thresholds do not rise")
    code = np.stack([np.searchsorted(s, row, side="left") for s, row in zip(steps, level, strict=True)])
    values = np.broadcast_to(index, (table.rows + 1, len(index))).astype(np.float64)
    most = np.arange(table.rows + 1)[:, None] * (table.levels - 1)
    if adc_range is not None:
        values = np.clip(origin + values * step, 0, most)
    elif rule is not None and rule.popcount_range:
        values = np.minimum(values, most)
    if rule is not None and rule.skip_idle:
        values[0] = 0
    one = 1 if adc_range is None or adc_range.plain else 2**FRACTION

    def spread(*parts: tuple[Effect, FloatArray | float]) -> FloatArray:
        squares = [np.broadcast_to(np.square(value), shape) for name, value in parts if name in effects]
        total = np.sqrt(np.sum(squares, axis=0)) / lsb if squares else np.zeros(shape)
        return np.where(table.valid, total, 0.0)

    return Readout(
        rows=table.rows,
        levels=table.levels,
        level=np.ascontiguousarray(np.where(table.valid, level, 0.0)),
        steps=np.ascontiguousarray(steps),
        code=np.where(table.valid, code, 0).astype(np.int32),
        values=np.ascontiguousarray(np.rint(values * one), dtype=np.int32),
        one=one,
        static=spread(("static", table.sigma_static[i])),
        temporal=spread(
            ("noise", table.sigma_noise[i]), ("pattern", table.sigma_pattern[i]), ("adc_noise", adc.noise_sigma)
        ),
        offset_sigma=adc.offset_sigma / lsb if "adc_offset" in effects else 0.0,
        valid=table.valid,
    )


def _fixed_steps(table: ReadoutTable, index: int, counts: FloatArray) -> FloatArray | None:
    """Decision levels (N + 1, codes - 1) in counts above count 0, of a converter that fixes them itself; those of a
    coarser or shifted range lie on the straight lines between its own. None where thresholds follow from the levels.
    """
    if table.threshold is None:
        return None
    edges = (table.threshold[index] - table.level[index, :, :1]) / table.lsb(table.conditions[index])
    at = np.arange(edges.shape[1]) + 0.5
    return np.stack([np.interp(counts, at, row) if len(at) > 1 else row for row in edges])


def synthetic_table(
    rows: int,
    *,
    codes: int | None = None,
    sigma_noise: float = 0.0,
    sigma_static: float = 0.0,
    offset_sigma: float = 0.0,
    levels: int = 2,
) -> ReadoutTable:
    """Synthetic table with exact levels of 1 V per count and Gaussian spreads in counts.

    Without spreads it is the ideal readout. It describes no circuit and says so; a reference for tests and noise
    sweeps.

    Parameters
    ----------
    rows : int
        Rows per conversion.
    codes : int, optional
        Output codes of the converter; one per count (no clipping) by default.
    sigma_noise : float
        Noise, frozen spread and converter offset, one sigma in counts.
    sigma_static : float
        See `sigma_noise`.
    offset_sigma : float
        See `sigma_noise`.
    levels : int
        Levels of a cell; 2 for one bit.

    Returns
    -------
    ReadoutTable
        A table of one condition.

    Examples
    --------
    >>> from metalrom.macro import synthetic_table
    >>> synthetic_table(4).max_count
    4
    """
    if rows < 1:
        raise InputError(f"readout table: rows is {rows}, expected at least 1")
    if levels < 2:
        raise InputError(f"readout table: a cell has {levels} levels, expected at least 2")
    count = np.arange(rows * (levels - 1) + 1)
    valid = count <= np.arange(rows + 1)[:, None] * (levels - 1)
    mean = np.where(valid, count.astype(np.float64), np.nan)[None]

    def constant(value: float) -> FloatArray:
        return np.where(valid, value, np.nan)[None]

    return ReadoutTable.from_arrays(
        cell="synthetic",
        unit="V",
        rows=rows,
        conditions=(Condition("ideal", 1.0, 27.0),),
        level=mean,
        sigma_static=constant(sigma_static),
        sigma_noise=constant(sigma_noise),
        sigma_pattern=constant(0.0),
        row_energy=np.zeros((1, rows + 1)),
        read_time=0.0,
        adc=AdcModel(codes=len(count) if codes is None else codes, offset_sigma=offset_sigma, noise_sigma=0.0),
        provenance={"source": "synthetic table: exact levels, chosen spreads; no circuit behind it"},
        levels=levels,
    )
