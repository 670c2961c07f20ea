"""`supply`: what a resistance in the row drivers' supply and ground takes from a level.

The simulated group is the only one that draws current through it: `supply_resistance` is the path's resistance as this
group sees it, an assumption of the configuration (no power grid is extracted).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from characterization.charts import MARKS, SERIES, SOFT, Chart, legend_below
from characterization.column_testbench import ColumnTestbench, draw_pattern, stimulus_of
from characterization.procedure_result import DataclassResult, ResultRow
from characterization.procedures.read_levels import full_scale
from characterization.procedures.registry import ProcedureResults, measured
from characterization.testbench import Testbench
from interconnect.formatting import amount

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, slots=True)
class SupplyShift:
    """One level. change: with the resistance less without it at the read, LSB; peak_current: largest current that the
    row drivers draw, A; peak_drop: that current times the resistance, V."""

    condition: str
    count: int
    change: float
    peak_current: float
    peak_drop: float


@dataclass(frozen=True)
class SupplyBounce(DataclassResult):
    """Levels with all rows active. resistance: ohm in the supply and as much in the ground."""

    resistance: float
    levels: tuple[SupplyShift, ...]

    def figures(self) -> Sequence[ResultRow]:
        """Largest change and largest drop."""
        worst = max(self.levels, key=lambda b: abs(b.change))
        drop = max(self.levels, key=lambda b: b.peak_drop)
        at = f"{self.resistance:g} ohm"
        return [
            ResultRow("change of a level", worst.change, "LSB", f"{worst.condition}, count {worst.count}, {at}"),
            ResultRow("peak drop of the supply", drop.peak_drop, "V", f"{drop.condition}, count {drop.count}, {at}"),
        ]

    def charts(self) -> Sequence[Chart]:
        """Change over the count at every condition."""
        if not self.levels:
            return ()
        caption = (
            f"Change of a level by {amount(self.resistance, 'ohm')} in the drivers' supply and ground (an assumption: "
            "no power grid is extracted)."
        )
        return (Chart("changes", "Supply", caption, self._draw_changes),)

    def _draw_changes(self, axes: Axes) -> None:
        conditions = list(dict.fromkeys(s.condition for s in self.levels))
        for k, condition in enumerate(conditions):
            points = sorted((s.count, s.change) for s in self.levels if s.condition == condition)
            axes.plot([c for c, _ in points], [v for _, v in points], label=condition, color=SERIES[k % len(SERIES)],
                      marker=MARKS[k % len(MARKS)])  # fmt: skip
        axes.axhline(0, color=SOFT, linewidth=0.8)
        axes.set(xlabel="count", ylabel="change, LSB")
        legend_below(axes, len(conditions))


def measure_supply(setup: Testbench, bench: ColumnTestbench, results: ProcedureResults) -> SupplyBounce:
    """Read the same patterns with and without the resistance."""
    n, ohm = setup.rows, setup.supply_resistance
    counts = sorted({0, setup.max_count // 2, setup.max_count})
    out = []
    for condition in setup.conditions:
        _, lsb = full_scale(setup, bench, results, condition, "supply_scale")
        cases = [stimulus_of(setup, draw_pattern(setup, "random0", n, c)) for c in counts]
        stiff = [bench.deck(condition, case) for case in cases]
        soft = [bench.deck(condition, case, supply_resistance=ohm) for case in cases]
        before = bench.levels(f"supply_stiff_{condition.label}", stiff)
        runs = bench.run(f"supply_{condition.label}", soft)
        for count, deck, result, level in zip(counts, soft, runs, before, strict=True):
            change = bench.read(deck, result)[0] - level
            current = np.asarray(result.signals[deck.row_supply].values, dtype=np.float64)
            time = np.asarray(result.signals["time"].values, dtype=np.float64)
            peak = float(np.abs(current[time >= (deck.input_at or 0.0)]).max())
            out.append(SupplyShift(condition.label, count, float(change / lsb), peak, peak * ohm))
    return SupplyBounce(ohm, tuple(out))


def supply_refusal(setup: Testbench) -> str | None:
    """The resistance stands in the supply of the full level alone."""
    if any(0.0 < line.level < 1.0 for line in setup.model.lines):
        return "the supplies of its lines at part of the row voltage have no resistance in the deck"
    return None


PROCEDURE = measured(
    "supply",
    "change of a level by resistance in the row drivers' supply and ground",
    measure_supply,
    refuses=supply_refusal,
    result=SupplyBounce,
)
