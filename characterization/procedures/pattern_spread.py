"""`pattern_spread`: how far the stored and driven neighbours alone push a level off the ideal line, on many patterns.

Levels of `spread_patterns` drawn patterns by the exact linear network (ideal periphery, no mismatch), at both ends of
the row lines and at every condition. It is the part of an error that no calibration of the converter takes away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from characterization.charts import SERIES, SOFT, Chart, legend_below
from characterization.column_testbench import ColumnTestbench
from characterization.linear_column import linear_column
from characterization.pattern_search import LINE_PATTERNS, counts_of, draw, fit_ideal_line
from characterization.procedure_result import DataclassResult, ResultRow
from characterization.procedures.registry import ProcedureResults, measured
from characterization.procedures.worst_pattern import position as far_end
from characterization.procedures.worst_pattern import worst_pattern_refusal
from characterization.testbench import Testbench
from interconnect.arrays import FloatArray, IntArray
from netlists.condition import Condition

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PATTERNS_PER_BATCH = 10_000
"""Patterns held at a time."""

TAIL = 0.999
"""Quantile of the size of a deviation that is reported beside the rms."""


@dataclass(frozen=True)
class PatternDeviations:
    """Deviations (LSB) from the least-squares line at one condition and place. position: columns before the left
    neighbour. rms, tail, largest: of their size; wrong: share beyond half an LSB, which patterns alone read wrong.
    by_count (rows + 1, 2): mean and sigma of the patterns of every count, None where fewer than two were drawn.
    """

    condition: str
    position: int
    patterns: int
    rms: float
    tail: float
    largest: float
    wrong: float
    by_count: tuple[tuple[float, float] | None, ...]


@dataclass(frozen=True)
class PatternSpread(DataclassResult):
    """Spread of the drawn patterns at every condition, near and far end of the row lines."""

    spreads: tuple[PatternDeviations, ...]

    def figures(self) -> Sequence[ResultRow]:
        """Of every condition the end that spreads more."""
        worst: dict[str, PatternDeviations] = {}
        for spread in self.spreads:
            if spread.condition not in worst or spread.rms > worst[spread.condition].rms:
                worst[spread.condition] = spread
        out = []
        for label, spread in worst.items():
            at = f"{label}, {spread.patterns} patterns"
            out.append(ResultRow("deviation by patterns, rms", spread.rms, "LSB", at))
            out.append(ResultRow("deviation by patterns, largest", spread.largest, "LSB", at))
        return out

    def charts(self) -> Sequence[Chart]:
        """Mean and sigma of the deviation over the count, at the first condition."""
        if not self.spreads:
            return ()
        caption = "Mean deviation from the ideal line by count; the band is one sigma of the drawn patterns."
        return (Chart("deviations", "Spread by patterns", caption, self._draw_deviations),)

    def _draw_deviations(self, axes: Axes) -> None:
        nominal = [s for s in self.spreads if s.condition == self.spreads[0].condition]
        for k, spread in enumerate(nominal):
            mean, sigma = np.array([p or (np.nan, np.nan) for p in spread.by_count]).T
            count, colour = np.arange(len(mean)), SERIES[k % len(SERIES)]
            axes.fill_between(count, mean - sigma, mean + sigma, color=colour, alpha=0.2, linewidth=0)
            axes.plot(count, mean, color=colour, label=f"column {spread.position + 1}")
        axes.axhline(0, color=SOFT, linewidth=0.8)
        axes.set(xlabel="count", ylabel="deviation, LSB", title=nominal[0].condition)
        legend_below(axes, len(nominal))


def spread(setup: Testbench, condition: Condition, position: int, number: int) -> PatternDeviations:
    """Draw `number` patterns and solve their levels; the same patterns at every condition and place."""
    there = setup.at(condition)
    column = linear_column(there, condition, position)
    rng = np.random.default_rng(np.random.SeedSequence([setup.seed, 8]))
    line = fit_ideal_line(column, draw(setup.rows, LINE_PATTERNS, setup.ones, rng))
    parts, counts = [], []
    for start in range(0, number, PATTERNS_PER_BATCH):
        genes = draw(setup.rows, min(PATTERNS_PER_BATCH, number - start), setup.ones, rng)
        parts.append(line.deviation(column, genes))
        counts.append(counts_of(genes))
    found, count = np.concatenate(parts), np.concatenate(counts)
    size = np.abs(found)
    return PatternDeviations(
        condition=condition.label,
        position=position,
        patterns=number,
        rms=float(np.sqrt(np.mean(found**2))),
        tail=float(np.quantile(size, TAIL)),
        largest=float(size.max()),
        wrong=float(np.mean(size > 0.5)),
        by_count=_by_count(found, count, setup.rows),
    )


def _by_count(found: FloatArray, count: IntArray, rows: int) -> tuple[tuple[float, float] | None, ...]:
    number = np.bincount(count, minlength=rows + 1)
    least = np.maximum(number, 1)
    mean = np.bincount(count, found, rows + 1) / least
    sigma = np.sqrt(np.maximum(np.bincount(count, found**2, rows + 1) / least - mean**2, 0.0))
    return tuple((float(m), float(s)) if n > 1 else None for m, s, n in zip(mean, sigma, number, strict=True))


def measure_pattern_spread(setup: Testbench, bench: ColumnTestbench, results: ProcedureResults) -> PatternSpread:
    """Every condition, both ends; no engine runs."""
    places = sorted({0, far_end(setup)})
    spreads = tuple(spread(setup, c, place, setup.spread_patterns) for c in setup.conditions for place in places)
    bench.count("linear", sum(s.patterns + LINE_PATTERNS for s in spreads))
    return PatternSpread(spreads)


PROCEDURE = measured(
    "pattern_spread",
    "deviation from the ideal line over many drawn patterns, exact",
    measure_pattern_spread,
    refuses=worst_pattern_refusal,
    result=PatternSpread,
)
