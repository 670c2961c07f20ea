"""`crosstalk`: counts by which stored data of the neighbouring bit lines shift a level.

Planes above and below count as quiet grounded metal in the extraction of a cell; their lines are no nets of their own,
so patterns of other planes are not part of this procedure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from characterization.campaign import Task
from characterization.charts import MARKS, SERIES, SOFT, Chart, height_for, label_bars, legend_below
from characterization.column_testbench import draw_pattern, stimulus_of
from characterization.dataset import Dataset, Sample
from characterization.failures import ConditionError
from characterization.patterns import ColumnPattern
from characterization.procedure_result import DataclassResult, ResultRow
from characterization.procedures.read_levels import CorrectedCampaign, level_covariance
from characterization.procedures.registry import CORRECTED, Procedure, ProcedureResults
from characterization.testbench import Testbench
from netlists.condition import Condition

if TYPE_CHECKING:
    from matplotlib.axes import Axes

QUIET = "neighbours_0"
PATTERNS = (QUIET, "neighbours_1", "left_1", "right_1", "alternating", "alternating_opposed")
SCOPE = "neighbouring bit lines of the same plane; other planes are extracted as quiet grounded metal"


@dataclass(frozen=True, slots=True)
class NeighbourShift:
    """Level of a count under a neighbour pattern less that with neighbours full of zeros, in LSB of the latter; error:
    its standard error where a level is computed, 0 where both are simulated."""

    condition: str
    pattern: str
    count: int
    shift: float
    error: float = 0.0


@dataclass(frozen=True)
class Crosstalk(DataclassResult):
    """Shifts of all patterns, all rows active. scope: what is covered."""

    shifts: tuple[NeighbourShift, ...]
    scope: str = SCOPE

    @property
    def worst(self) -> NeighbourShift:
        """The largest shift of all."""
        return max(self.shifts, key=lambda s: abs(s.shift))

    def figures(self) -> Sequence[ResultRow]:
        """The largest shift of each pattern over conditions and counts."""
        names = dict.fromkeys(s.pattern for s in self.shifts)
        worst = [max((s for s in self.shifts if s.pattern == n), key=lambda s: abs(s.shift)) for n in names]
        rows = [
            ResultRow(w.pattern.replace("_", " "), w.shift, "LSB", f"{w.condition}, count {w.count}") for w in worst
        ]
        error = max((s.error for s in self.shifts), default=0.0)
        return rows + ([ResultRow("largest standard error of a shift", error, "LSB")] if error else [])

    def charts(self) -> Sequence[Chart]:
        """The largest shift of each pattern at every condition."""
        if not self.shifts:
            return ()
        caption = f"How far the neighbours' stored bits move a level, largest over the counts. Scope: {self.scope}."
        patterns = {s.pattern for s in self.shifts}
        return (Chart("shifts", "Crosstalk", caption, self._draw_shifts, height_for(len(patterns))),)

    def _draw_shifts(self, axes: Axes) -> None:
        worst: dict[str, dict[str, float]] = {}
        for s in sorted(self.shifts, key=lambda s: abs(s.shift)):
            worst.setdefault(s.condition, {})[s.pattern] = s.shift  # the largest comes last
        patterns = list(dict.fromkeys(s.pattern for s in self.shifts))
        for k, condition in enumerate(dict.fromkeys(s.condition for s in self.shifts)):
            shifts = [worst[condition].get(pattern, np.nan) for pattern in patterns]
            axes.plot(shifts, np.arange(len(patterns)), linestyle="none", label=condition,
                      color=SERIES[k % len(SERIES)], marker=MARKS[k % len(MARKS)])  # fmt: skip
        axes.axvline(0, color=SOFT, linewidth=0.8)
        label_bars(axes, range(len(patterns)), [name.replace("_", " ") for name in patterns])
        axes.grid(visible=True, axis="y")
        axes.margins(y=0.12)
        axes.set(xlabel="shift, LSB")
        legend_below(axes, len(worst))


def neighbours(pattern: ColumnPattern, name: str) -> ColumnPattern:
    """The pattern with other neighbours: full of zeros or ones, one of each, or changing from row to row; ones are
    symbols of the highest count, zeros of the lowest."""
    rows = np.arange(len(pattern.bits))
    left, right = {
        QUIET: (0 * rows, 0 * rows),
        "neighbours_1": (0 * rows + 1, 0 * rows + 1),
        "left_1": (0 * rows + 1, 0 * rows),
        "right_1": (0 * rows, 0 * rows + 1),
        "alternating": (rows % 2, rows % 2),
        "alternating_opposed": (rows % 2, 1 - rows % 2),
    }[name]
    bits = pattern.bits.copy()
    # of cells of several symbols: those of the lowest and the highest count
    symbols = np.array([np.argmin(pattern.symbol_values), np.argmax(pattern.symbol_values)])
    bits[:, 0], bits[:, 2] = symbols[left], symbols[right]
    return replace(pattern, name=name, bits=bits)


def counts(setup: Testbench) -> list[int]:
    """Counts at which the shifts are measured."""
    return sorted({0, setup.max_count // 2, setup.max_count})


def plan_crosstalk(setup: Testbench) -> list[Task]:
    """Every neighbour pattern at three counts with all rows active, the target's own pattern unchanged."""
    n = setup.rows
    return [
        Task(
            "crosstalk",
            condition,
            n,
            c,
            name,
            -1,
            stimulus_of(setup, neighbours(draw_pattern(setup, "random0", n, c), name)),
        )
        for condition in setup.conditions
        for c in counts(setup)
        for name in PATTERNS
    ]


def analyse_crosstalk(setup: Testbench, data: Dataset, results: ProcedureResults) -> Crosstalk:
    """Differences against quiet neighbours. Raises ConditionError when the quiet reads of a condition failed."""
    out = []
    for condition in setup.conditions:
        samples = data.select("crosstalk", condition).good().samples
        level = {(s.pattern, s.count): s.level for s in samples}
        apart = _errors(setup, condition, samples, results)
        quiet = [level.get((QUIET, c)) for c in (0, setup.max_count)]
        if quiet[0] is None or quiet[1] is None:
            raise ConditionError("the reads with quiet neighbours failed", condition)
        lsb = (quiet[1] - quiet[0]) / setup.max_count
        out += [
            NeighbourShift(condition.label, name, count, (value - level[QUIET, count]) / lsb, apart(name, count) / lsb)
            for (name, count), value in level.items()
            if name != QUIET and (QUIET, count) in level
        ]
    return Crosstalk(tuple(out))


def _errors(
    setup: Testbench, condition: Condition, samples: Sequence[Sample], results: ProcedureResults
) -> Callable[[str, int], float]:
    """(pattern, count) -> standard error of its level less that with quiet neighbours, V or A."""
    campaign: CorrectedCampaign | None = results.get(CORRECTED)
    if campaign is None:
        return lambda name, count: 0.0
    tasks = {(t.pattern, t.count): t for t in plan_crosstalk(replace(setup, conditions=(condition,)))}
    keys = [(s.pattern, s.count) for s in samples]
    simulated = [i for i, s in enumerate(samples) if s.deck]
    covariance = level_covariance(campaign, condition, [tasks[k] for k in keys], simulated)

    def error(name: str, count: int) -> float:
        i, j = keys.index((name, count)), keys.index((QUIET, count))
        return float(np.sqrt(covariance[i, i] + covariance[j, j] - 2.0 * covariance[i, j]))

    return error


PROCEDURE = Procedure(
    "crosstalk",
    "counts shifted by the neighbours' data",
    (),
    plan_crosstalk,
    analyse_crosstalk,
    result=Crosstalk,
)
