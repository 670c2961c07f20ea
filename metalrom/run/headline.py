"""The few numbers that a run is judged by, at its worst condition and with their intervals."""

import math

from characterization.sign_off import csnr_interval
from characterization.tables.table import ReadoutTable
from metalrom.run.results import Headline, MarginAt, RunResults, Verdict


def headline_of(table: ReadoutTable, results: RunResults, verdict: Verdict) -> Headline:
    """The headline of a run; of `results` layer quality and intervals are read.

    Margin: the smallest over all conditions, active rows and counts. Code error and CSNR: of the layer at the condition
    of that margin; no intervals without sign-off figures. verdict: of the judged specifications.
    """
    worst = table.worst_margin()
    index = table.index(worst.condition)
    quality, known = results.quality[index], results.sign_off_at(worst.condition)
    return Headline(
        margin_sigma=worst.margin if math.isfinite(worst.margin) else None,
        margin_at=MarginAt(worst.condition, worst.active, worst.count, worst.plane or results.cell.plane),
        code_error=quality.code_error_expected,
        code_error_interval=known.code_error_interval if known else None,
        csnr_dB=quality.csnr_raw,
        csnr_interval_dB=csnr_interval(known, quality.csnr_raw) if known else None,
        verdict=verdict,
        margin_interval_sigma=known.margin_interval_sigma if known else None,
    )
