"""How well a readout table is known at one condition: sampling, fits, extraction, noise model, supply noise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from characterization.fit import LevelModel
from characterization.margins import decision_thresholds, sigma_interval
from characterization.procedures.chain_margin import chain_thresholds
from characterization.procedures.mismatch import Mismatch, spread_arguments
from characterization.procedures.registry import ProcedureResults
from characterization.procedures.transfer import Transfer
from characterization.readout_levels import COMPARATOR, NOISE, OFFSET, PATTERN, STATIC, ReadoutLevels
from characterization.testbench import Testbench
from interconnect.arrays import BoolArray, FloatArray
from interconnect.errors import InputError

SIGMAS = 1.959963984540054
"""Half of a Gaussian's 95 % interval, in sigma (scipy.stats.norm.ppf(0.975))."""

CLOSED_FORM_NOISE = 0.02
"""Relative error of closed forms of thermal noise: the procedure `noise` agrees with them within it."""
CHAIN_NOISE = 0.15
"""Relative error of a chain's noise: what the comparator's noise by its sensitivity may be off from noise in time."""
FORM = "form of the spread"
"""Cause: how a fitted spread goes on between and beyond its points."""
STEP = 0.01
"""Relative step of derivatives."""

Figure = Callable[[ReadoutLevels], float]
"""A figure of a readout at one condition."""


@dataclass(frozen=True)
class SpreadTerms:
    """A fitted static spread, its variance being `terms` (..., k) times `variances` (k,) of `covariance` (k, k)."""

    terms: FloatArray
    variances: FloatArray
    covariance: FloatArray


@dataclass(frozen=True)
class LevelError:
    """One standard error of the fitted levels in one of the directions of their covariance, level's unit.

    level: shape (active, count). thresholds: what the decision levels move at the same time, (active, 1, codes - 1).
    """

    level: FloatArray
    thresholds: FloatArray

    def take(self, chosen: BoolArray) -> LevelError:
        """The chosen levels alone."""
        wide = np.broadcast_to(self.thresholds, (*self.level.shape, self.thresholds.shape[-1]))
        return LevelError(self.level[chosen], wide[chosen])


@dataclass(frozen=True)
class ReadoutUncertainty:
    """What is known of the errors of a readout table at one condition.

    Parameters
    ----------
    samples : int
        Monte-Carlo draws behind the static spread.
    spread : SpreadTerms or None
        The fit through the draws' variances; None: one scale for all levels.
    levels : tuple of LevelError
        Errors of the fitted levels in independent directions.
    misfit : float
        Relative standard error of the static spread by the form of its fit.
    pattern_samples : int or None
        Reads behind the spread by stored data; None: it is known.
    extraction : float
        Relative error of the signal per count, half of a 95 % interval.
    noise : float
        Relative error of the noise, half of a 95 % interval.
    supply : float
        Rms noise of the row supply over its voltage, which nothing here simulates: between none and this.
    """

    samples: int
    spread: SpreadTerms | None = None
    levels: tuple[LevelError, ...] = ()
    misfit: float = 0.0
    pattern_samples: int | None = None
    extraction: float = 0.0
    noise: float = 0.0
    supply: float = 0.0

    def taken(self, chosen: BoolArray) -> ReadoutUncertainty:
        """That of the chosen levels alone, see `ReadoutLevels.take`."""
        spread = self.spread and replace(self.spread, terms=self.spread.terms[chosen])
        return replace(self, spread=spread, levels=tuple(e.take(chosen) for e in self.levels))


@dataclass(frozen=True)
class CauseVariants:
    """What a cause makes of a readout at both ends of its 95 % interval; pairs: of independent parts of the cause."""

    cause: str
    pairs: tuple[tuple[ReadoutLevels, ReadoutLevels], ...]


def cause_variants(levels: ReadoutLevels, uncertainty: ReadoutUncertainty, figure: Figure) -> Iterator[CauseVariants]:
    """The ends of every cause as far as they matter for a figure."""
    u = uncertainty
    draws = effective_draws(levels, u, figure)
    ends = sigma_interval(draws)
    yield CauseVariants("mismatch samples", (_scaled(levels, ends, STATIC),))
    if u.misfit:
        reach = SIGMAS * u.misfit
        yield CauseVariants(FORM, (_scaled(levels, (max(1 - reach, 0.0), 1 + reach), STATIC),))
    if u.levels:
        moved_levels = tuple((_moved(levels, e, -SIGMAS), _moved(levels, e, SIGMAS)) for e in u.levels)
        yield CauseVariants("fit of the levels", moved_levels)
    if u.pattern_samples is not None:
        yield CauseVariants("drawn patterns", (_scaled(levels, sigma_interval(u.pattern_samples), PATTERN),))
    if u.extraction:
        # volts of noise and converter weigh less where a count moves more; spreads of cells move with it
        ends = (1 / (1 + u.extraction), 1 / max(1 - u.extraction, 1e-3))
        yield CauseVariants("extraction", (_scaled(levels, ends, NOISE, COMPARATOR, OFFSET),))
    if u.noise:
        yield CauseVariants("noise", (_scaled(levels, (max(1 - u.noise, 0.0), 1 + u.noise), NOISE, COMPARATOR),))
    if u.supply:
        yield CauseVariants("supply noise", ((levels, levels.with_supply_noise(u.supply)),))


def effective_draws(levels: ReadoutLevels, uncertainty: ReadoutUncertainty, figure: Figure) -> float:
    """Draws whose chi-square interval the static spread has where a figure looks at it.

    Points of a fit share their draws only in part, so that together they tell a sigma better than one point. The
    figure's derivatives by the fitted variances give its standard error; that of one scale of all of them which has
    the same effect is 1 / sqrt(2 (draws - 1)) (F. E. Satterthwaite, Biometrics 2 (1946) 110).
    """
    s = uncertainty.spread
    if s is None or not (s.variances > 0).any():
        return float(uncertainty.samples)
    known = s.terms @ s.variances
    slope = np.zeros(len(s.variances))
    for k in np.flatnonzero(s.variances):
        factor = np.sqrt(1 + STEP * s.terms[..., k] * s.variances[k] / np.where(known > 0, known, 1.0))
        more = figure(replace(levels, static=levels.static * factor))
        slope[k] = (more - figure(levels)) / (STEP * s.variances[k])
    whole = 2.0 * float(slope @ s.variances)
    error = float(slope @ s.covariance @ slope)
    if not (np.isfinite(whole) and np.isfinite(error) and error > 0 and whole):
        return float(uncertainty.samples)
    return max(1.0 + whole**2 / (2.0 * error), 2.0)


def _scaled(levels: ReadoutLevels, ends: tuple[float, float], *spreads: str) -> tuple[ReadoutLevels, ReadoutLevels]:
    return levels.scaled(ends[0], *spreads), levels.scaled(ends[1], *spreads)


def _moved(levels: ReadoutLevels, error: LevelError, factor: float) -> ReadoutLevels:
    return replace(
        levels,
        level=levels.level + factor * error.level,
        thresholds=levels.thresholds + factor * error.thresholds,
    )


def readout_uncertainty(
    setup: Testbench, results: ProcedureResults, index: int, *, supply: float = 0.0
) -> ReadoutUncertainty:
    """What the procedures know of their own errors at the condition `index` of a setup.

    Raises
    ------
    InputError
        If `transfer` or `mismatch` is not among the results.
    """
    transfer, mismatch = results.get("transfer"), results.get("mismatch")
    if not (isinstance(transfer, Transfer) and isinstance(mismatch, Mismatch)):
        raise InputError("intervals of the readout need the results of transfer and mismatch")
    active, count = pairs(setup)
    spread = mismatch.models[index]
    driven, moving = np.zeros_like(count), np.zeros_like(count)
    inside = count <= active * (setup.levels - 1)
    driven[inside], moving[inside] = spread_arguments(setup, active[inside], count[inside])
    level = transfer.models[index]
    return ReadoutUncertainty(
        samples=spread.samples,
        spread=SpreadTerms(spread.terms(driven, moving), spread.variances, spread.covariance),
        levels=tuple(_level_errors(setup, transfer, index)),
        misfit=spread.misfit,
        pattern_samples=max(level.quality.points - len(level.coefficients) + 1, 2),
        extraction=setup.at(setup.conditions[index]).model.relative_error,
        noise=CHAIN_NOISE if setup.has_transistor_readout else CLOSED_FORM_NOISE,
        supply=supply,
    )


def pairs(setup: Testbench) -> tuple[FloatArray, FloatArray]:
    """Active rows and counts of every place of a table, shape (active, count) each; not all of them can occur."""
    active, count = np.meshgrid(np.arange(setup.rows + 1.0), np.arange(setup.max_count + 1.0), indexing="ij")
    return active, count


def _level_errors(setup: Testbench, transfer: Transfer, index: int) -> Iterator[LevelError]:
    """One standard error of the levels along every principal direction of their coefficients' covariance."""
    model = transfer.models[index]
    variance, direction = np.linalg.eigh(model.covariance)
    level, thresholds = _levels_of(setup, transfer, index, model)
    for size, way in zip(variance, direction.T, strict=True):
        if size <= 0:
            continue
        there = replace(model, coefficients=model.coefficients + np.sqrt(size) * way)
        other, edges = _levels_of(setup, transfer, index, there)
        yield LevelError(other - level, (edges - thresholds)[:, None, :])


def _levels_of(setup: Testbench, transfer: Transfer, index: int, model: LevelModel) -> tuple[FloatArray, FloatArray]:
    """Levels (active, count) and thresholds (active, codes - 1) if the condition's model were `model`."""
    active, count = pairs(setup)
    inside = count <= active * (setup.levels - 1)
    level = np.full(count.shape, np.nan)
    level[inside] = model(active[inside], count[inside])
    if setup.level_shape == "bent":
        models = (model,) if index == 0 else (transfer.models[0], model)
        return level, chain_thresholds(setup, models)[-1]
    return level, decision_thresholds(level, setup.max_count + 1, tracks_active=True)
