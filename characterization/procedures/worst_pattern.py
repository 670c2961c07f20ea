"""`worst_pattern`: the weights and inputs of a column and its neighbours that mislead the converter most.

Searched on the exact linear network (ideal periphery, far end of the row lines), verified in ngspice: with ideal
periphery the level itself, with transistors its distance from other patterns of the same count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from characterization.charts import INK, SERIES, SOFT, Chart, height_for
from characterization.column_testbench import ColumnTestbench, draw_pattern, stimulus_of
from characterization.linear_column import linear_column
from characterization.pattern_search import LINE_PATTERNS, IdealLine, PatternExtreme, draw, fit_ideal_line, search
from characterization.patterns import ColumnPattern
from characterization.procedure_result import DataclassResult, ResultRow
from characterization.procedures.read_levels import ReadSampling, full_scale, read_levels, sampling_rows
from characterization.procedures.registry import ProcedureResults, measured
from characterization.testbench import Testbench
from interconnect.arrays import ByteArray
from interconnect.formatting import amount
from netlists.condition import Condition

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BUDGET = 5000
"""Levels computed in all: line and both searches; 5 % of the 100,000 drawn patterns of the benchmark."""

PEERS = 4
"""Drawn patterns of the same count with which the transistor column's level is compared."""


@dataclass(frozen=True)
class WorstPattern:
    """One extreme. deviation: LSB from the ideal line on the exact network. genes (rows, 4): input, left neighbour,
    target, right neighbour. engine_difference: ngspice with ideal periphery less the exact network, LSB.
    transistor_deviation: level with transistors less the mean of drawn patterns of the same active rows and count,
    in LSB of the transistor column; network_deviation: the same comparison on the exact network. transistor_error:
    standard error of the former by patterns whose levels are computed. sampling: their decks.
    """

    deviation: float
    active: int
    count: int
    genes: ByteArray
    engine_difference: float
    transistor_deviation: float
    network_deviation: float
    transistor_error: float = 0.0
    sampling: ReadSampling | None = None


@dataclass(frozen=True)
class WorstPatterns(DataclassResult):
    """Farthest above and below the line at the nominal condition. position: columns before the left neighbour;
    typical: rms deviation of drawn patterns, LSB; evaluations: levels computed in all. others: the same at every other
    condition, where the search was asked for there."""

    condition: str
    position: int
    line: IdealLine
    typical: float
    high: WorstPattern
    low: WorstPattern
    evaluations: int
    others: tuple[WorstPatterns, ...] = ()

    @property
    def everywhere(self) -> tuple[WorstPatterns, ...]:
        """Itself and the others."""
        return (self, *self.others)

    def to_json(self) -> Mapping[str, object]:
        """Every field as plain values; `others` only where there are any."""
        out = dict(super().to_json())
        if self.others:
            out["others"] = [o.to_json() for o in self.others]
        else:
            del out["others"]
        return out

    def figures(self) -> Sequence[ResultRow]:
        """Both extremes, on the network and with transistors, at every condition that was searched."""
        held = [w.sampling for found in self.everywhere for w in (found.high, found.low) if w.sampling]
        return [figure for found in self.everywhere for figure in found._own(bool(self.others))] + sampling_rows(held)

    def _own(self, named: bool) -> list[ResultRow]:
        out = [ResultRow("deviation of drawn patterns, rms", self.typical, "LSB", self.condition)]
        for name, worst in (("largest positive", self.high), ("largest negative", self.low)):
            at = f"count {worst.count} of {worst.active} active"
            at = f"{self.condition}, {at}" if named else at
            out.append(ResultRow(f"{name} deviation", worst.deviation, "LSB", at))
            out.append(ResultRow(f"{name} deviation, transistors", worst.transistor_deviation, "LSB", at))
            if worst.transistor_error:
                out.append(ResultRow(f"{name} deviation, standard error", worst.transistor_error, "LSB", at))
        return out

    def charts(self) -> Sequence[Chart]:
        """Both extremes bit by bit, at the nominal condition."""
        caption = (
            "Which rows are active, then what the left neighbour, the column itself and the right neighbour store; a "
            "filled square is a one. Found by search on the exact network, verified in ngspice. Drawn patterns deviate "
            f"by {amount(self.typical, 'LSB')} rms."
        )
        rows = max(len(self.high.genes), len(self.low.genes))
        height = min(height_for(rows, each=0.2), 8.0)
        return (Chart("extremes", "Worst patterns", caption, self._draw_extremes, height),)

    def _draw_extremes(self, axes: Axes) -> None:
        columns = (("active", SERIES[4]), ("left", SERIES[0]), ("column", SERIES[1]), ("right", SERIES[0]))
        names, ticks = [], []
        for start, name, worst in ((0, "highest", self.high), (5, "lowest", self.low)):
            for row, gene in enumerate(worst.genes):
                fills = [colour if bit else "#eef1f4" for bit, (_, colour) in zip(gene, columns, strict=True)]
                places = [(start + k - 0.45, 0.9) for k in range(len(columns))]
                axes.broken_barh(places, (row - 0.45, 0.9), facecolors=fills, edgecolors="#c3ccd4", linewidth=0.5)
            deviation = f"{name}: {amount(worst.deviation, 'LSB')}"
            axes.text(start - 0.45, -0.7, f"{deviation}\ncount {worst.count} of {worst.active} active", color=INK)
            names += [word for word, _ in columns]
            ticks += [start + k for k in range(len(columns))]
        axes.set_xticks(ticks, names, color=SOFT)
        rows = max(len(self.high.genes), len(self.low.genes))
        axes.set_yticks(range(0, rows, max(1, rows // 8)))
        axes.set_ylim(rows - 0.4, -0.6)
        axes.grid(visible=False)
        axes.set(ylabel="row", title=f"{self.condition}\n\n")


def find_extremes(
    setup: Testbench, budget: int = BUDGET, condition: Condition | None = None
) -> tuple[IdealLine, float, PatternExtreme, PatternExtreme, int]:
    """(ideal line, rms of drawn patterns in LSB, highest, lowest, levels computed) on the exact network, at a condition
    (default: the nominal one)."""
    column = linear_column(setup, condition or setup.conditions[0], position(setup))
    rng = np.random.default_rng(np.random.SeedSequence([setup.seed, 6]))
    patterns = draw(setup.rows, LINE_PATTERNS, setup.ones, rng)
    line = fit_ideal_line(column, patterns)
    typical = float(np.sqrt(np.mean(line.deviation(column, patterns) ** 2)))
    share = (budget - 2 * LINE_PATTERNS) // 2
    high, low = (search(lambda g: line.deviation(column, g), setup.rows, sign, share, rng) for sign in (1, -1))
    return line, typical, high, low, 2 * LINE_PATTERNS + high.evaluations + low.evaluations


def position(setup: Testbench) -> int:
    """Place of the column: the far end of the row lines."""
    return setup.columns - 3


def measure_worst_pattern(setup: Testbench, bench: ColumnTestbench, results: ProcedureResults) -> WorstPatterns:
    """Search, then run the two patterns in ngspice: at the nominal condition, or at all of them."""
    conditions = setup.conditions if setup.worst_everywhere else setup.conditions[:1]
    nominal, *others = (_at(setup, bench, results, condition) for condition in conditions)
    return replace(nominal, others=tuple(others))


def _at(setup: Testbench, bench: ColumnTestbench, results: ProcedureResults, condition: Condition) -> WorstPatterns:
    line, typical, high, low, evaluations = find_extremes(setup, condition=condition)
    bench.count("linear", evaluations)
    _, lsb = full_scale(setup, bench, results, condition, "worst_pattern")
    verified = [_verify(setup, bench, results, condition, line, found, lsb) for found in (high, low)]
    return WorstPatterns(condition.label, position(setup), line, typical, verified[0], verified[1], evaluations)


def _verify(
    setup: Testbench,
    bench: ColumnTestbench,
    results: ProcedureResults,
    condition: Condition,
    line: IdealLine,
    found: PatternExtreme,
    lsb: float,
) -> WorstPattern:
    place = position(setup)
    pattern = ColumnPattern("worst", found.genes[:, 1:], found.genes[:, 0], place)
    case = stimulus_of(setup, pattern)
    active, count = case.active, case.count
    ideal = bench.deck(condition, case, periphery=replace(setup.periphery, kind="ideal"))
    engine = bench.levels(f"worst_pattern_ideal_{condition.label}", [ideal])[0]
    exact = line.offset + line.slope * (count + found.deviation) + line.shift * active
    peers = [replace(draw_pattern(setup, "random0", active, count, i), position=place) for i in range(PEERS)]
    cases = [stimulus_of(setup, p) for p in (pattern, *peers)]
    levels = read_levels(setup, bench, results, "worst_pattern", condition, cases, simulated=(0,))
    apart, error = levels.combined([1.0, *[-1.0 / PEERS] * PEERS])
    column = linear_column(setup, condition, place)
    others = column.levels(np.array([p.bits for p in peers]), np.array([p.inputs for p in peers]))
    return WorstPattern(
        deviation=found.deviation,
        active=active,
        count=count,
        genes=found.genes,
        engine_difference=float((engine - exact) / line.slope),
        transistor_deviation=apart / lsb,
        network_deviation=float((exact - others.mean()) / line.slope),
        transistor_error=error / lsb,
        sampling=levels.sampling,
    )


def worst_pattern_refusal(setup: Testbench) -> str | None:
    """The search changes via bits; the ideal line must be one for all columns."""
    if setup.levels > 2:
        return f"the search knows two symbols, it has {setup.levels}"
    if not setup.balanced:
        return "the load of its bit line depends on the stored bits, so that no line holds for every column"
    return None


PROCEDURE = measured(
    "worst_pattern",
    "weights and inputs with the largest deviation from the ideal line",
    measure_worst_pattern,
    anchored=True,
    refuses=worst_pattern_refusal,
    result=WorstPatterns,
)
