"""The readout table: what characterization hands to lookup tables, the macro estimator and the report.

One conversion sums `rows` cells of one bit line. Its ideal result is the MAC count (0..active) while `active`
rows are driven. Both are known to matter: the count sets the level, the number of active rows shifts it
(the off-state coupling of the cells), and the digital side knows `active` exactly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from scipy.special import ndtr

from interconnect.arrays import BoolArray, FloatArray
from interconnect.errors import InputError
from interconnect.suggestion import suggest
from netlists.condition import Condition


@dataclass(frozen=True, slots=True)
class Assumption:
    """An input that was not measured here: its name, value in words, status and source."""

    name: str
    value: str
    status: str
    source: str


@dataclass(frozen=True)
class AdcModel:
    """Behavioral ADC of one conversion: a threshold between every two neighbouring counts.

    codes: number of output codes (0..codes-1), one count per code. offset_sigma: static input-referred offset
    of a converter instance, volts or amperes like the table's unit. noise_sigma: its input noise, same unit.
    tracks_active: thresholds follow the known number of active rows (a digital offset per conversion).
    """

    codes: int
    offset_sigma: float
    noise_sigma: float
    tracks_active: bool = True


@dataclass(frozen=True)
class ReadoutTable:
    """Levels and their spread for every condition, number of active rows and MAC count.

    unit: `V` (capacitive) or `A` (resistive). rows: rows summed by one conversion (N).
    mean, sigma_static, sigma_noise, sigma_pattern: shape (conditions, N + 1 active, N + 1 count), `unit`; entries with
    count > active are NaN. sigma_static: device and cell mismatch (frozen per chip); sigma_noise: thermal, new at every
    conversion; sigma_pattern: spread over row position, column position and neighbour data at equal count.
    row_energy: (conditions, N + 1 active), J per conversion drawn by the row drivers per column.
    read_time: duration of one read, s. levels: what a cell of a driven row adds to the count is 0..levels - 1 (2: one
    bit); with more levels counts run to N (levels - 1) and the last axis of the spreads has that many entries plus one.
    """

    cell: str
    unit: Literal["V", "A"]
    rows: int
    conditions: tuple[Condition, ...]
    mean: FloatArray
    sigma_static: FloatArray
    sigma_noise: FloatArray
    sigma_pattern: FloatArray
    row_energy: FloatArray
    read_time: float
    adc: AdcModel
    assumptions: tuple[Assumption, ...] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)
    levels: int = 2

    def __post_init__(self) -> None:
        if self.levels < 2:
            raise InputError(f"readout table: a cell has {self.levels} levels, expected at least 2")
        want = (len(self.conditions), self.rows + 1, self.max_count + 1)
        for name in ("mean", "sigma_static", "sigma_noise", "sigma_pattern"):
            if getattr(self, name).shape != want:
                raise InputError(f"readout table: {name} has shape {getattr(self, name).shape}, expected {want}")
        if self.row_energy.shape != want[:2]:
            raise InputError(f"readout table: row_energy has shape {self.row_energy.shape}, expected {want[:2]}")
        if self.unit not in ("V", "A"):
            raise InputError(f"readout table: unit is {self.unit!r}, expected V or A")
        if len({c.label for c in self.conditions}) != len(self.conditions):
            raise InputError("readout table: two conditions share a label")
        if self.adc.codes < 2:
            raise InputError(f"readout table: the ADC has {self.adc.codes} code, expected at least 2")
        valid = self.valid
        if not np.isfinite(self.mean[:, valid]).all():
            raise InputError("readout table: a level is missing (not finite)")
        spreads = [getattr(self, name)[:, valid] for name in ("sigma_static", "sigma_noise", "sigma_pattern")]
        for values in (*spreads, self.row_energy, self.read_time, self.adc.offset_sigma, self.adc.noise_sigma):
            if not (np.isfinite(values).all() and np.min(values, initial=0.0) >= 0):
                raise InputError("readout table: a spread, energy or time is missing or negative")

    @property
    def max_count(self) -> int:
        """Largest count of a conversion: N (levels - 1)."""
        return self.rows * (self.levels - 1)

    @property
    def valid(self) -> BoolArray:
        """Which (active, count) pairs exist: shape (N + 1, counts), true where count <= active (levels - 1)."""
        return np.arange(self.max_count + 1)[None, :] <= np.arange(self.rows + 1)[:, None] * (self.levels - 1)

    def index(self, condition: Condition | str) -> int:
        """Row of a condition (or its label). Raises InputError for one that was not characterized."""
        labels = [c.label for c in self.conditions]
        label = condition if isinstance(condition, str) else condition.label
        if label not in labels:
            raise InputError(f"condition {label} was not characterized", hint=suggest(label, labels))
        return labels.index(label)

    def lsb(self, condition: Condition | str) -> float:
        """Mean spacing of neighbouring counts with all rows active, `unit` per count."""
        levels = self.mean[self.index(condition), self.rows]
        return float((levels[-1] - levels[0]) / self.max_count)

    def thresholds(self, condition: Condition | str) -> FloatArray:
        """Decision levels of the ADC: shape (N + 1 active, codes - 1), `unit`.

        Threshold k lies midway between the nominal levels of counts k and k + 1 on the straight line through the
        levels (gain and offset calibrated per number of active rows if the ADC tracks it, else at N / 2 active).
        """
        i = self.index(condition)
        lsb = self.lsb(condition)
        steps = (np.arange(self.adc.codes - 1) + 0.5) * lsb
        zero = self.mean[i, :, 0]
        if not self.adc.tracks_active:
            zero = np.full_like(zero, zero[self.rows // 2])
        out: FloatArray = zero[:, None] + steps[None, :]
        return out

    def code_probability(self, condition: Condition | str, *, sigma_scale: float = 1.0) -> FloatArray:
        """P(code | active, count): shape (N + 1, N + 1, codes); Gaussian level against the thresholds.

        All spreads are taken together (static, pattern, noise, ADC); rows with count > active are NaN.
        """
        i = self.index(condition)
        sigma = self.total_sigma(condition) * sigma_scale
        edges = self.thresholds(condition)[:, None, :]
        mean = self.mean[i][:, :, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            certain = np.where(edges >= mean, np.inf, -np.inf)
            z = np.where(sigma[:, :, None] > 0, (edges - mean) / sigma[:, :, None], certain)
        below = ndtr(z)
        below = np.concatenate([np.zeros((*below.shape[:2], 1)), below, np.ones((*below.shape[:2], 1))], axis=2)
        out: FloatArray = np.diff(below, axis=2)
        out[~self.valid] = np.nan
        return out

    def code_error(self, condition: Condition | str) -> FloatArray:
        """P(code is not the count | active, count): shape (N + 1, N + 1); NaN where count > active.

        Summed over the wrong codes, so that rare errors keep their digits.
        """
        probability = self.code_probability(condition)
        right = np.arange(self.adc.codes) == np.arange(self.max_count + 1)[:, None]
        out: FloatArray = np.where(right, 0.0, probability).sum(axis=2)
        return np.where(self.valid, out, np.nan)

    def total_sigma(self, condition: Condition | str) -> FloatArray:
        """Root sum of squares of every spread incl. the ADC's: shape (N + 1, N + 1), `unit`."""
        i = self.index(condition)
        adc = self.adc.offset_sigma**2 + self.adc.noise_sigma**2
        out: FloatArray = np.sqrt(
            self.sigma_static[i] ** 2 + self.sigma_noise[i] ** 2 + self.sigma_pattern[i] ** 2 + adc
        )
        return out
