"""The few numbers that a run is judged by, at its worst condition and with their intervals."""

import math
from dataclasses import replace
from typing import Literal

from characterization.sign_off import csnr_interval
from metalrom.design.design import Design
from metalrom.run.characterize import CharacterizationRun
from metalrom.run.judge import default_specs, judge_specs
from metalrom.run.results import Headline, MarginAt, RunResults
from metalrom.run.view import RunView
from metalrom.specs.grammar import ALL


def headline_of(design: Design, done: CharacterizationRun, results: RunResults) -> Headline:
    """The headline of a run; of `results` layer quality and intervals are read.

    Margin: the smallest over all conditions, active rows and counts. Code error and CSNR: of the layer at the condition
    of that margin. Verdict: of every specification, at every condition unless it names one.
    """
    worst = done.table.worst_margin()
    index = done.table.index(worst.condition)
    quality, known = results.quality[index], results.sign_off[index]
    return Headline(
        margin_sigma=worst.margin if math.isfinite(worst.margin) else None,
        margin_at=MarginAt(worst.condition, worst.active, worst.count, worst.plane or results.cell.plane),
        code_error=quality.code_error_expected,
        code_error_interval=known.code_error_interval,
        csnr_dB=quality.csnr_raw,
        csnr_interval_dB=csnr_interval(known, quality.csnr_raw),
        verdict=_verdict(design, done, results),
        margin_interval_sigma=known.margin_interval_sigma,
    )


def _verdict(design: Design, done: CharacterizationRun, results: RunResults) -> Literal["met", "missed", "undecided"]:
    """Of every specification at every condition, or at the one that it names; missed where anything failed."""
    asked = design.specs or default_specs(results.target_error)
    everywhere = [spec if spec.at else replace(spec, at=ALL) for spec in asked]
    judged = judge_specs(everywhere, RunView(results, done.table, done.results), done.failed)
    if done.failed or done.failed_procedures or any(s.verdict == "fail" for s in judged):
        return "missed"
    return "met" if all(s.passed for s in judged) else "undecided"
