"""Margins and code errors of a readout table, with exact tails (no 1 - p), for plots and headline numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from characterization.tables.table import ReadoutTable
from interconnect.arrays import FloatArray


@dataclass(frozen=True, slots=True)
class WorstCase:
    """The weakest count of a set of conditions: its margin (sigma) and its code-error probability."""

    condition: str
    active: int
    count: int
    margin: float
    code_error: float


def _distances(table: ReadoutTable, condition: str) -> tuple[FloatArray, FloatArray]:
    """Distance (unit of the table, positive = on the right side) of each level to its lower and upper threshold.

    Shapes (N + 1 active, N + 1 count). The first code has no lower, the last no upper threshold (+inf); a count beyond
    the last code has no code at all (-inf below): it is always wrong.
    """
    i = table.index(condition)
    n, codes = table.max_count + 1, table.adc.codes
    sign = np.sign(table.lsb(condition)) or 1.0
    level = sign * table.mean[i]
    edges = sign * table.thresholds(condition)
    known = min(n, codes)
    below = np.full((table.rows + 1, n), -np.inf)
    above = np.full((table.rows + 1, n), np.inf)
    below[:, 0] = np.inf
    below[:, 1:known] = level[:, 1:known] - edges[:, : known - 1]
    inner = min(n, codes - 1)
    above[:, :inner] = edges[:, :inner] - level[:, :inner]
    for distance in (below, above):
        distance[~table.valid] = np.nan
    return below, above


def _per_sigma(distance: FloatArray, sigma: FloatArray) -> FloatArray:
    """distance / sigma; without any spread the sign alone decides (+-inf)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        out: FloatArray = np.where(sigma > 0, distance / sigma, np.copysign(np.inf, distance))
    out[np.isnan(distance) | np.isnan(sigma)] = np.nan
    return out


def margins(table: ReadoutTable, condition: str) -> FloatArray:
    """Distance of every level to its nearest decision threshold, in sigma: shape (N + 1 active, N + 1 count).

    Negative where the level itself lies on the wrong side; NaN where count > active or the spread is unknown.
    """
    below, above = _distances(table, condition)
    return _per_sigma(np.minimum(below, above), table.total_sigma(condition))


def code_errors(table: ReadoutTable, condition: str) -> FloatArray:
    """P(code differs from count): shape (N + 1 active, N + 1 count); Gaussian tails beyond both thresholds."""
    sigma = table.total_sigma(condition)
    below, above = _distances(table, condition)
    out: FloatArray = np.minimum(ndtr(-_per_sigma(below, sigma)) + ndtr(-_per_sigma(above, sigma)), 1.0)
    return out


def worst(table: ReadoutTable, condition: str | None = None) -> WorstCase | None:
    """The count with the largest code-error probability in one condition (or in all); None if nothing is known."""
    found: WorstCase | None = None
    labels = [condition] if condition is not None else [c.label for c in table.conditions]
    for label in labels:
        error, margin = code_errors(table, label), margins(table, label)
        if np.isnan(error).all():
            continue
        active, count = np.unravel_index(int(np.nanargmax(error)), error.shape)
        here = WorstCase(label, int(active), int(count), float(margin[active, count]), float(error[active, count]))
        if found is None or here.code_error > found.code_error:
            found = here
    return found


def sigma_needed(code_error: float) -> float:
    """Margin in sigma at which both tails together reach `code_error`: Q^-1(code_error / 2)."""
    return float(-ndtri(code_error / 2))
