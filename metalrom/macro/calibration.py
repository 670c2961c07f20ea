"""Calibration on data: what the converters' codes should mean, and a digital gain and offset per output column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from interconnect.arrays import FloatArray, IntArray
from interconnect.errors import InputError
from metalrom.macro.adc_ranges import OutputCorrection, RangeCalibration
from metalrom.macro.engine import Macro
from metalrom.macro.readout import FRACTION, AdcRange, readout_of
from metalrom.macro.stored import StoredWeights

STEPS = 24
ORIGINS = 8
"""Candidates of the search: counts per code and origins."""


def calibrate_ranges(
    macro: Macro,
    samples: Sequence[tuple[NDArray[Any], NDArray[Any]]],
    *,
    codes: int | None = None,
    per: Literal["plane", "layer"] = "plane",
    objective: Literal["mean_square", "clip"] = "mean_square",
    clip_probability: float = 1e-4,
) -> RangeCalibration:
    """Choose counts per code and origin from the counts that occur in sample products.

    Parameters
    ----------
    macro : Macro
        Without mitigations, of the readout, scheme and input bits in question.
    samples : Sequence[tuple[NDArray, NDArray]]
        Activations (batch, rows) and integer weights (rows, columns), one pair per layer.
    codes : int, optional
        Output codes of the converter; those of the table by default.
    per : {"plane", "layer"}
        One range per significance, or one for all, weighted with the squared place value of the planes.
    objective : {"mean_square", "clip"}
        Smallest mean square error with the table's levels and spreads, or the narrowest range that clips no more than
        `clip_probability` of the counts (half at either end).
    clip_probability : float
        For the objective "clip".

    Returns
    -------
    RangeCalibration
        Ranges for `Macro(calibration=...)`.

    Raises
    ------
    InputError
        For options out of range.
    """
    codes = macro.table.adc.codes if codes is None else codes
    if not 0 <= clip_probability < 1:
        raise InputError(f"calibration: clip_probability is {clip_probability:g}, expected 0 up to 1")
    if not samples:
        raise InputError("calibration: no sample products")
    scheme = macro.scheme
    histogram = np.sum([macro.count_histogram(x, w, by_significance=True) for x, w in samples], axis=0)
    magnitude = np.array(scheme.magnitudes, np.float64)
    active, count = np.nonzero(histogram.sum(axis=0))
    weight = histogram[:, active, count].astype(np.float64)
    weight /= weight.sum(axis=1, keepdims=True)

    def mean_square(adc_range: AdcRange) -> FloatArray:
        readout = readout_of(macro.table, macro.condition, macro.effects, adc_range)
        return np.asarray(weight @ readout.squared_error(active, count))

    def whole(values: FloatArray) -> FloatArray:
        return (magnitude**2 @ values) * np.ones_like(values) if per == "layer" else values

    before = mean_square(AdcRange(1.0, 0.0, codes))
    if objective == "clip":
        shares = np.broadcast_to(weight.mean(axis=0), weight.shape) if per == "layer" else weight
        ranges = [_clipping_range(count, share, codes, clip_probability) for share in shares]
    else:
        best, ranges = whole(before), [AdcRange(1.0, 0.0, codes)] * len(magnitude)
        for adc_range in _candidates(count, weight, codes):
            score = whole(mean_square(adc_range))
            for rank in np.nonzero(score < best * (1 - 1e-9))[0]:
                best[rank], ranges[rank] = score[rank], adc_range
    after = [float(mean_square(r)[rank]) for rank, r in enumerate(ranges)]
    clipped = [_clipped(count, weight[rank], r) for rank, r in enumerate(ranges)]
    return RangeCalibration(
        scheme.encoding.mapping,
        scheme.bits,
        scheme.encoding.symbol_values,
        macro.rows,
        tuple(ranges),
        tuple(after),
        tuple(before.tolist()),
        tuple(clipped),
    )


@dataclass(frozen=True, slots=True)
class CorrectionReport:
    """Mean square error of the outputs on vectors the fit did not see, before and after; negative `removed` harms."""

    before: float
    after: float
    vectors: int

    @property
    def removed(self) -> float:
        """Share of the squared error that the correction removes."""
        return 1 - self.after / self.before if self.before else 0.0


def calibrate_columns(
    macro: Macro, w: NDArray[Any], x: NDArray[Any], *, layer: int = 0, gain: bool = True
) -> tuple[StoredWeights, CorrectionReport]:
    """Store w with a digital correction per column, fitted once on known test vectors.

    Even vectors fit, odd ones validate. Frozen errors of the chip (mismatch, converter offsets, curved levels) are
    removed as far as a straight line per output column describes them; noise is not.

    Parameters
    ----------
    macro : Macro
        The macro that stores the weights.
    w : NDArray
        Integer weights, shape (rows, columns).
    x : NDArray
        Test vectors, shape (batch, rows), at least 8.
    layer : int
        Number of the layer on the chip.
    gain : bool
        Fit gain and offset, or offsets only.

    Returns
    -------
    tuple[StoredWeights, CorrectionReport]
        The corrected weights, and the mean square error before and after.

    Raises
    ------
    InputError
        For fewer than 8 vectors.
    """
    if len(x) < 8:
        raise InputError(f"column calibration: {len(x)} test vectors, expected at least 8")
    stored = macro.store(w, layer=layer)
    ideal = np.asarray(x, np.float64) @ np.asarray(w, np.float64)
    real = np.asarray(macro.matmul(x, stored), np.float64)
    fit_ideal, fit_real = ideal[::2], real[::2]
    slope = np.ones(ideal.shape[1])
    if gain:
        spread = fit_ideal.var(axis=0)
        covariance = ((fit_ideal - fit_ideal.mean(0)) * (fit_real - fit_real.mean(0))).mean(0)
        usable = (spread > 0) & (covariance > 0)
        slope[usable] = covariance[usable] / spread[usable]
    correction = OutputCorrection(slope, fit_real.mean(0) - slope * fit_ideal.mean(0))
    before = float(((real - ideal)[1::2] ** 2).mean())
    after = float(((correction.apply(real) - ideal)[1::2] ** 2).mean())
    return replace(stored, correction=correction), CorrectionReport(before, after, len(fit_ideal))


def _candidates(count: IntArray, weight: FloatArray, codes: int) -> list[AdcRange]:
    """Counts per code from 1/2 to what spans all counts, with origins among the counts that occur."""
    widest = max(1.0, (count.max() + 1) / (codes - 1))
    steps = {_grid(s) for s in np.geomspace(0.5, widest, STEPS)} | {float(k) for k in range(1, int(widest) + 2)}
    order = np.argsort(count)
    total = np.cumsum(weight.mean(axis=0)[order])
    quantiles = np.concatenate([[0.0], np.geomspace(1e-6, 0.3, ORIGINS - 1)])
    at = np.minimum(np.searchsorted(total, quantiles), len(order) - 1)
    origins = {0.0, *(float(c) for c in count[order][at])}
    return [AdcRange(s, o, codes) for s in sorted(steps) for o in sorted(origins)]


def _clipping_range(count: IntArray, share: FloatArray, codes: int, probability: float) -> AdcRange:
    """Narrowest range, at least one count per code, with at most probability / 2 of the counts beyond either end."""
    order = np.argsort(count)
    total, counts = np.cumsum(share[order]), count[order]
    low = counts[min(int(np.searchsorted(total, probability / 2 + 1e-12)), len(counts) - 1)]
    high = counts[min(int(np.searchsorted(total, 1 - probability / 2 - 1e-12)), len(counts) - 1)]
    step = max(1.0, np.ceil((high - low) / (codes - 1) * 2**FRACTION) / 2**FRACTION)
    origin = float(low) if high > codes - 1 else 0.0
    return AdcRange(float(step) if origin or step > 1 else 1.0, origin, codes)


def _clipped(count: IntArray, share: FloatArray, r: AdcRange) -> float:
    half = r.counts_per_code / 2
    return float(share[(count < r.origin - half) | (count > r.full_scale + half)].sum())


def _grid(value: float) -> float:
    one = 1 << FRACTION
    return max(1, round(value * one)) / one
