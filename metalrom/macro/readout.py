"""The readout table of one condition in the form the engine consumes: codes, thresholds and spreads in LSB."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from characterization.table import AdcModel, ReadoutTable
from interconnect.errors import InputError
from interconnect.suggestion import suggest
from netlists.condition import Condition

FloatArray = NDArray[np.float64]

Effect = Literal["levels", "static", "noise", "pattern", "adc_offset", "adc_noise"]
EFFECTS: tuple[Effect, ...] = get_args(Effect)
"""Non-idealities that can be switched off one by one: level curvature, frozen mismatch, thermal noise, pattern spread,
converter offset, converter noise. Clipping at the converter's range always stays."""

TEMPORAL_FLOOR = 1e-6
"""Least temporal sigma (LSB) in the random path: keeps the arithmetic finite where only frozen spreads act."""


@dataclass(frozen=True)
class Readout:
    """One condition of a table, all in LSB (counts).

    level (N + 1 active, N + 1 count): mean level; entries with count > active repeat count = active and are never used.
    steps (N + 1, codes - 1): thresholds. nominal (N + 1, N + 1): code of the undisturbed level.
    static, temporal (N + 1, N + 1): frozen and per-conversion sigma. offset_sigma: frozen converter offset.
    """

    rows: int
    level: FloatArray
    steps: FloatArray
    nominal: NDArray[np.int32]
    static: FloatArray
    temporal: FloatArray
    offset_sigma: float

    @property
    def deterministic(self) -> bool:
        """Whether nothing random acts: one look-up per conversion is then the whole readout."""
        return not (self.static.any() or self.temporal.any() or self.offset_sigma)


def readout_of(table: ReadoutTable, condition: Condition | str, effects: Collection[str] = EFFECTS) -> Readout:
    """The engine's view of `table` at `condition` with the chosen `effects`.

    Raises InputError for an unknown condition or effect, or thresholds that do not rise.
    """
    unknown = sorted(set(effects) - set(EFFECTS))
    if unknown:
        raise InputError(f"unknown readout effect {unknown[0]!r}", hint=suggest(unknown[0], EFFECTS))
    i = table.index(condition)
    lsb = table.lsb(condition)
    if not lsb > 0:
        raise InputError(f"readout table, condition {table.conditions[i].label}: levels do not rise with the count")
    zero = table.mean[i, :, :1]
    steps = (table.thresholds(condition) - zero) / lsb
    if steps.shape[1] > 1 and not (np.diff(steps, axis=1) > 0).all():
        raise InputError(f"readout table, condition {table.conditions[i].label}: ADC thresholds do not rise")
    shape = (table.rows + 1, table.rows + 1)
    if "levels" in effects:
        level = np.where(table.valid, (table.mean[i] - zero) / lsb, 0.0)
    else:
        level = np.broadcast_to(np.arange(table.rows + 1.0), shape)
        steps = np.broadcast_to(np.arange(table.adc.codes - 1) + 0.5, steps.shape)
    nominal = np.stack([np.searchsorted(s, row, side="left") for s, row in zip(steps, level, strict=True)])

    def spread(*parts: tuple[Effect, FloatArray | float]) -> FloatArray:
        squares = [np.broadcast_to(np.square(value), shape) for name, value in parts if name in effects]
        total = np.sqrt(np.sum(squares, axis=0)) / lsb if squares else np.zeros(shape)
        return np.where(table.valid, total, 0.0)

    adc = table.adc
    return Readout(
        rows=table.rows,
        level=np.ascontiguousarray(np.where(table.valid, level, 0.0)),
        steps=np.ascontiguousarray(steps),
        nominal=np.where(table.valid, nominal, 0).astype(np.int32),
        static=spread(("static", table.sigma_static[i])),
        temporal=spread(
            ("noise", table.sigma_noise[i]), ("pattern", table.sigma_pattern[i]), ("adc_noise", adc.noise_sigma)
        ),
        offset_sigma=adc.offset_sigma / lsb if "adc_offset" in effects else 0.0,
    )


def synthetic_table(
    rows: int,
    *,
    codes: int | None = None,
    sigma_noise: float = 0.0,
    sigma_static: float = 0.0,
    offset_sigma: float = 0.0,
) -> ReadoutTable:
    """A made-up table with exact levels of 1 V per count and Gaussian spreads given in counts.

    Without spreads it is the ideal readout. codes: converter codes, default rows + 1 (nothing clips).
    The reference for tests and noise sweeps; it describes no circuit and says so.
    """
    if rows < 1:
        raise InputError(f"readout table: rows is {rows}, expected at least 1")
    index = np.arange(rows + 1)
    valid = index[None, :] <= index[:, None]
    mean = np.where(valid, index[None, :].astype(np.float64), np.nan)[None]

    def constant(value: float) -> FloatArray:
        return np.where(valid, value, np.nan)[None]

    return ReadoutTable(
        cell="synthetic",
        unit="V",
        rows=rows,
        conditions=(Condition("ideal", 1.0, 27.0),),
        mean=mean,
        sigma_static=constant(sigma_static),
        sigma_noise=constant(sigma_noise),
        sigma_pattern=constant(0.0),
        row_energy=np.zeros((1, rows + 1)),
        read_time=0.0,
        adc=AdcModel(codes=rows + 1 if codes is None else codes, offset_sigma=offset_sigma, noise_sigma=0.0),
        provenance={"source": "synthetic table: exact levels, chosen spreads; no circuit behind it"},
    )
