"""The figures that a readout is signed off with, each with its 95 % interval, cause by cause, and what moves them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from characterization.margins import (
    Ends,
    combined_factor,
    combined_interval,
    combined_span,
    margin_of,
    weighted_mean,
)
from characterization.readout_levels import COMPARATOR, NOISE, OFFSET, PATTERN, SPREADS, STATIC, SUPPLY, ReadoutLevels
from characterization.tables.table import ReadoutTable
from characterization.uncertainty import Figure, ReadoutUncertainty, cause_variants
from interconnect.arrays import FloatArray, IntArray
from netlists.condition import Condition

PERCENT = 0.01


@dataclass(frozen=True, slots=True)
class CauseSpan:
    """What one cause alone does at both ends of its 95 % interval: code error, margin (sigma), change of CSNR (dB)."""

    cause: str
    code_error: Ends
    margin_sigma: Ends
    csnr_change_dB: Ends


@dataclass(frozen=True, slots=True)
class FigureSensitivity:
    """What one per cent more of a cause changes: the code error (factor) and the margin (sigma)."""

    cause: str
    code_error_factor: float
    margin_change: float


@dataclass(frozen=True, slots=True)
class BudgetPart:
    """Sigmas of one count, LSB, by name of the spread, at the number of active rows where its margin is smallest."""

    count: int
    active: int
    sigmas: dict[str, float]


@dataclass(frozen=True, slots=True)
class SignOff:
    """Figures of a readout at one condition with their 95 % intervals.

    code_error: of the layer's conversions. margin_sigma: of the weakest level, None where nothing spreads.
    csnr_change_dB: interval of the CSNR about its value. causes: each alone. sensitivities: per one per cent. budget:
    by count. inl, dnl: largest of the levels with all rows active, LSB; inl_from_thresholds: the largest distance from
    the middle of a level's thresholds. enob: effective bits of one conversion, see `effective_bits`.
    """

    condition: str
    code_error: float
    code_error_interval: Ends
    margin_sigma: float | None
    margin_interval_sigma: Ends | None
    csnr_change_dB: Ends
    causes: tuple[CauseSpan, ...]
    sensitivities: tuple[FigureSensitivity, ...]
    budget: tuple[BudgetPart, ...]
    inl: float
    dnl: float
    inl_from_thresholds: float
    enob: float


def sign_off(
    table: ReadoutTable,
    condition: Condition | str,
    uncertainty: ReadoutUncertainty,
    histogram: FloatArray | IntArray | None = None,
) -> SignOff:
    """Code error, margin and CSNR of a readout at a condition with their intervals.

    Causes are independent: their effects on the logarithm of the code error, on the margin and on the CSNR add as
    squares, each side by itself.

    Parameters
    ----------
    table : ReadoutTable
        The characterized readout.
    condition : Condition or str
        Condition of the table, or its label.
    uncertainty : ReadoutUncertainty
        How well the table is known there.
    histogram : array, optional
        How often each (active, count) occurs, as for `ReadoutTable.mean_code_error`.

    Returns
    -------
    SignOff
        Figures, intervals and what they are made of.

    Raises
    ------
    InputError
        For a histogram of another shape, or one that is empty.
    """
    weight = table.occurrence(histogram)
    value = table.mean_code_error(condition, weight)
    worst = table.worst_margin(condition)
    everywhere = table.at(condition)
    chosen = (weight > 0) & table.valid
    weights = weight[chosen] / weight[chosen].sum()
    used = everywhere.take(chosen)
    level = np.zeros_like(chosen)
    level[worst.active, worst.count] = True
    weakest = everywhere.take(level)

    def mean_error(r: ReadoutLevels) -> float:
        return weighted_mean(r.code_errors(), weights)

    def square(r: ReadoutLevels) -> float:
        return float(r.squared_errors() @ weights)

    spreads = np.isfinite(worst.margin)
    inside = uncertainty.taken(chosen)
    errors = _known(used, inside, mean_error, combined_interval)
    squares = _known(used, inside, square, combined_factor)
    margins = _known(weakest, uncertainty.taken(level), _margin, combined_span) if spreads else None
    reference = square(used)
    inl, dnl, residual = nonlinearity(everywhere)
    return SignOff(
        condition=worst.condition,
        code_error=value,
        code_error_interval=errors.together,
        margin_sigma=worst.margin if spreads else None,
        margin_interval_sigma=margins.together if margins else None,
        csnr_change_dB=_decibels(reference, squares.together),
        causes=tuple(
            CauseSpan(name, errors.alone[name], ends, _decibels(reference, squares.alone[name]))
            for name, ends in (margins.alone if margins else {}).items()
        ),
        sensitivities=tuple(_sensitivities(used, mean_error, weakest)) if spreads else (),
        budget=sigma_budget(everywhere),
        inl=float(np.abs(inl).max()),
        dnl=float(np.abs(dnl).max()),
        inl_from_thresholds=float(np.abs(residual).max()),
        enob=effective_bits(everywhere),
    )


def csnr_interval(figures: SignOff, csnr: float | None) -> Ends | None:
    """95 % interval of a CSNR (dB) at the condition of `figures`; None where it is unbounded."""
    if csnr is None:
        return None
    low, high = figures.csnr_change_dB
    return csnr + low, csnr + high


@dataclass(frozen=True, slots=True)
class _Known:
    """95 % intervals of a figure, of every cause alone and of all together."""

    alone: dict[str, Ends]
    together: Ends


def _known(
    levels: ReadoutLevels,
    uncertainty: ReadoutUncertainty,
    figure: Figure,
    combine: Callable[[float, Sequence[Ends]], Ends],
) -> _Known:
    """Intervals of a figure."""
    value = figure(levels)
    parts: dict[str, list[Ends]] = {}
    for v in cause_variants(levels, uncertainty, figure):
        ends = [(figure(low), figure(high)) for low, high in v.pairs]
        parts[v.cause] = [(min(e), max(e)) for e in ends]
    alone = {name: combine(value, ends) for name, ends in parts.items()}
    return _Known(alone, combine(value, [e for ends in parts.values() for e in ends]))


def _decibels(reference: float, squares: Ends) -> Ends:
    """Change of the CSNR, dB, from mean square errors of a count: its signal is that of the layer."""
    high, low = (10.0 * math.log10(reference / s) if reference > 0 and s > 0 else 0.0 for s in squares)
    return low, high


def _margin(levels: ReadoutLevels) -> float:
    return float(margin_of(*levels.tails())[0])


def _sensitivities(used: ReadoutLevels, mean_error: Figure, weakest: ReadoutLevels) -> Iterator[FigureSensitivity]:
    lsb = float(np.median(np.abs(np.diff(used.thresholds, axis=-1)))) if used.thresholds.shape[-1] > 1 else 0.0
    changes: tuple[tuple[str, Callable[[ReadoutLevels], ReadoutLevels]], ...] = (
        ("mismatch of cells and transistors, 1 % more", lambda r: r.scaled(1 + PERCENT, STATIC)),
        ("thermal noise, 1 % more", lambda r: r.scaled(1 + PERCENT, NOISE, COMPARATOR)),
        ("spread by stored data, 1 % more", lambda r: r.scaled(1 + PERCENT, PATTERN)),
        (
            "LSB, 1 % less at equal noise and offset",
            lambda r: r.scaled(1 / (1 - PERCENT), NOISE, COMPARATOR, OFFSET),
        ),
        ("noise of the row supply, 1 % rms", lambda r: r.with_supply_noise(PERCENT)),
        ("converter offset, 1 % of an LSB more", lambda r: replace(r, offset=r.offset + PERCENT * lsb)),
    )
    before, margin = mean_error(used), _margin(weakest)
    for cause, changed in changes:
        factor = mean_error(changed(used)) / before if before > 0 else 1.0
        yield FigureSensitivity(cause, factor, _margin(changed(weakest)) - margin)


def sigma_budget(levels: ReadoutLevels) -> tuple[BudgetPart, ...]:
    """Spreads of every count, LSB, at the number of active rows where its margin is smallest; shape (active, count)."""
    full = levels.level[-1]
    lsb = abs(float((full[-1] - full[0]) / (len(full) - 1)))
    with np.errstate(invalid="ignore"):
        margin = margin_of(*levels.tails())
    out = []
    for count, active in enumerate(np.nanargmin(margin, axis=0).tolist()):
        sigmas = {
            name: float(np.broadcast_to(getattr(levels, name), levels.level.shape)[active, count]) / lsb
            for name in SPREADS
            if name != SUPPLY
        }
        out.append(BudgetPart(count, active, sigmas))
    return tuple(out)


def nonlinearity(levels: ReadoutLevels) -> tuple[FloatArray, FloatArray, FloatArray]:
    """INL (counts,) and DNL (counts - 1,) of the levels with all rows active, and their distances from the middles of
    their thresholds (counts - 2,), LSB.

    The LSB is the mean step, the line that through both ends (end-point definition, IEEE 1241).
    """
    full = levels.level[-1]
    step = (full[-1] - full[0]) / (len(full) - 1)
    inl = (full - full[0]) / step - np.arange(len(full))
    edges = np.broadcast_to(levels.thresholds, (*levels.level.shape, levels.thresholds.shape[-1]))[-1, 0]
    middles = (edges[1:] + edges[:-1]) / 2
    inner = full[1:-1][: len(middles)]
    residual = (inner - middles[: len(inner)]) / np.diff(edges)[: len(inner)] if len(inner) else np.zeros(1)
    return inl, np.diff(full) / step - 1.0, residual


def effective_bits(levels: ReadoutLevels) -> float:
    """Effective number of bits of one conversion with all rows active.

    A converter of as many ideal codes errs with 1/12 LSB^2; spreads of the level and its distance from the middle of
    its thresholds come on top: log2(codes) - log2(1 + 12 mean square) / 2, mean square in LSB^2.
    """
    full = levels.level[-1]
    step = (full[-1] - full[0]) / (len(full) - 1)
    _, _, residual = nonlinearity(levels)
    square = float(np.mean((levels.sigma[-1] / step) ** 2) + np.mean(residual**2))
    return math.log2(len(full)) - math.log2(1.0 + 12.0 * square) / 2.0
