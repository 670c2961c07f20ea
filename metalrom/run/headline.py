"""The few numbers that a run is judged by, at its worst condition and with their intervals."""

import math
from dataclasses import replace

import numpy as np
from scipy.stats import t

from characterization.margins import CONFIDENCE, ReadoutUncertainty
from metalrom.design.design import Design
from metalrom.macro import csnr
from metalrom.run.characterize import CharacterizationRun, histogram
from metalrom.run.evaluate import macro_of
from metalrom.run.judge import default_specs, judge_specs
from metalrom.run.results import Headline, MarginAt, RunResults
from metalrom.run.view import RunView
from metalrom.specs.grammar import ALL
from netlists.condition import Condition

CHIPS = 8
"""Further chips whose CSNR says how much chips differ."""


def headline_of(design: Design, done: CharacterizationRun, results: RunResults) -> Headline:
    """The headline of a run; of `results` the layer quality is read.

    Margin: the smallest over all conditions, active rows and counts. Code error and CSNR: of the layer at the condition
    of that margin. Verdict: of every specification, at every condition unless it names one.
    """
    worst = done.table.worst_margin()
    index = done.table.index(worst.condition)
    condition = done.table.conditions[index]
    uncertainty = ReadoutUncertainty(
        samples=done.mismatch.models[index].samples, level_rms=done.transfer.models[index].quality.held_out_rms
    )
    quality = results.quality[index]
    used = histogram(design, done.table.rows)
    return Headline(
        margin_sigma=worst.margin if math.isfinite(worst.margin) else None,
        margin_at=MarginAt(worst.condition, worst.active, worst.count, worst.plane or results.cell.plane),
        code_error=quality.code_error_expected,
        code_error_interval=done.table.code_error_interval(condition, uncertainty, used),
        csnr_dB=quality.csnr_raw,
        csnr_interval_dB=_csnr_interval(design, done, condition, quality.csnr_raw),
        verdict="met" if _is_met(design, done, results) else "missed",
    )


def _csnr_interval(
    design: Design, done: CharacterizationRun, condition: Condition, nominal: float | None
) -> tuple[float, float] | None:
    """95 % interval of the CSNR (dB) of one more chip, from the run's chip and `CHIPS` further ones by Student's t.

    None where a chip shows no error: its CSNR is unbounded.
    """
    if nominal is None:
        return None
    x, w = design.activations.values, design.weights.values.astype(np.int64)
    found = [nominal]
    for chip in range(CHIPS):
        seed = design.config.characterization.seed + 1 + chip
        value = csnr(x @ w, macro_of(design, done.table, condition, seed=seed).run(x, w).y).raw
        if not math.isfinite(value):
            return None
        found.append(value)
    half = float(t.ppf((1 + CONFIDENCE) / 2, CHIPS) * np.std(found, ddof=1) * math.sqrt(1 + 1 / len(found)))
    mean = float(np.mean(found))
    return mean - half, mean + half


def _is_met(design: Design, done: CharacterizationRun, results: RunResults) -> bool:
    """Whether every specification holds at every condition, or at the one that it names, and nothing failed."""
    asked = design.specs or default_specs(results.target_error)
    everywhere = [spec if spec.at else replace(spec, at=ALL) for spec in asked]
    judged = judge_specs(everywhere, RunView(results, done.table, done.results), done.failed)
    return not (done.failed or done.failed_procedures) and all(s.passed for s in judged)
