"""Chips drawn at random at a run's worst condition: code error and CSNR of each, and the yield against the target."""

import math
from dataclasses import replace

import numpy as np

from characterization.readout.code_error import clopper_pearson
from characterization.tables.planes import PlaneTables
from characterization.tables.table import ReadoutTable
from metalrom.design.design import Design
from metalrom.macro import csnr
from metalrom.run.characterize import CharacterizationRun
from metalrom.run.evaluate import macro_of
from metalrom.run.results import ChipDistribution, DrawnChip, LayerQuality
from netlists.condition import NOMINAL_METALS, Condition

CHIPS = 24
"""Drawn chips, that of the run's own seed included."""

CORNER_SIGMAS = 3.0
"""How far the corners of the metals lie, in sigma of chips: an assumption."""


def draw_chips(design: Design, done: CharacterizationRun, first: LayerQuality) -> ChipDistribution:
    """The layer on `CHIPS` chips at the condition of `first`, which is the quality of the first one.

    Every chip has deviations of its cells, transistors and converters of its own. Where corners of the metals were
    characterized, the step of a count differs from chip to chip too, log-normal between the smallest and the largest of
    them at `CORNER_SIGMAS`; noise and offsets keep their volts, thresholds follow the step.
    """
    table, layer_table = done.table, done.layer_table
    condition = table.conditions[table.index(first.condition)]
    target = design.config.readout.code_error_target
    sigma = step_sigma(table, condition)
    varies = "cells, transistors and converter offsets of every segment"
    if sigma > 0:
        varies += f"; the metals of all of them: step of a count, sigma {100 * sigma:.2g} %, corners "
        varies += f"assumed at {CORNER_SIGMAS:g} sigma"
    chips = [DrawnChip(design.config.characterization.seed, 1.0, first.code_error_rate, first.csnr_raw)]
    x, w = design.activations.values, design.weights.values.astype(np.int64)
    for chip in range(1, CHIPS):
        seed = design.config.characterization.seed + chip
        step = math.exp(sigma * float(np.random.default_rng(np.random.SeedSequence([seed, 61])).standard_normal()))
        got = macro_of(design, _with_step(layer_table, step), condition, seed=seed).run(x, w)
        ratio = csnr(x @ w, got.y).raw
        chips.append(DrawnChip(seed, step, got.code_error_rate, ratio if math.isfinite(ratio) else None))
    errors = np.array([c.code_error for c in chips])
    ratios = np.array([math.inf if c.csnr_dB is None else c.csnr_dB for c in chips])
    good = int((errors <= target).sum())
    return ChipDistribution(
        condition=condition.label,
        target=target,
        varies=varies,
        chips=tuple(chips),
        code_error_median=float(np.median(errors)),
        code_error_worst=float(errors.max()),
        csnr_median_dB=_finite(float(np.quantile(ratios, 0.5, method="lower"))),
        csnr_worst_dB=_finite(float(ratios.min())),
        yield_share=good / CHIPS,
        yield_interval=clopper_pearson(good, CHIPS),
    )


def step_sigma(table: ReadoutTable, condition: Condition) -> float:
    """Relative sigma of a count's step over chips, from the corners of the metals at the same process, supply and
    temperature; 0 where there are none."""
    alike = [c for c in table.conditions if replace(c, beol=NOMINAL_METALS) == replace(condition, beol=NOMINAL_METALS)]
    steps = [abs(table.lsb(c)) for c in alike]
    return math.log(max(steps) / min(steps)) / (2 * CORNER_SIGMAS)


def _with_step(table: ReadoutTable | PlaneTables, factor: float) -> ReadoutTable | PlaneTables:
    """The table, or those of all planes, with `factor` times the step of a count at equal noise and offset in volts."""
    if factor == 1.0:
        return table
    if isinstance(table, PlaneTables):
        return table.replaced(lambda one: _scaled(one, factor))
    return _scaled(table, factor)


def _scaled(table: ReadoutTable, factor: float) -> ReadoutTable:
    adc = table.adc
    return table.replace(
        sigma_noise=table.sigma_noise / factor,
        adc=replace(adc, offset_sigma=adc.offset_sigma / factor, noise_sigma=adc.noise_sigma / factor),
    )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
