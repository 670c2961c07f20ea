"""A procedure of one's own: what a held bit line loses in ten nanoseconds.

metalrom --plugin droop.py characterize metalrom.yaml -o out --procedures transfer,mismatch,adc_margin,droop
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from characterization.charts import Chart
from characterization.column_testbench import ColumnTestbench, draw_pattern, stimulus_of
from characterization.procedure_result import DataclassResult, ResultRow
from characterization.procedures import PROCEDURES, measured
from characterization.procedures.registry import ProcedureResults
from characterization.testbench import Testbench
from interconnect.arrays import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HOLDS = (0.0, 2.5e-9, 5e-9, 10e-9)
"""Times after the read, s."""


@dataclass(frozen=True)
class Droop(DataclassResult):  # writes its fields as JSON and reads them back
    """Level at the read and later, every row driven, drawn bits: times (points,), s; levels (points,), V."""

    times: FloatArray
    levels: FloatArray

    def figures(self) -> Sequence[ResultRow]:
        """Rows of the table that `metalrom characterize` prints and that the report shows."""
        return [ResultRow("droop in 10 ns", float(self.levels[0] - self.levels[-1]), "V")]

    def charts(self) -> Sequence[Chart]:
        """The report's picture."""
        return [Chart("levels", "Droop", "Level of a held bit line after the read.", self.draw)]

    def draw(self, axes: Axes) -> None:
        """The level over the time."""
        axes.plot(self.times * 1e9, self.levels * 1e3, marker="o")
        axes.set(xlabel="time after the read, ns", ylabel="level, mV")


def measure(setup: Testbench, bench: ColumnTestbench, results: ProcedureResults) -> Droop:
    """Decks of one case, read ever later; a verdict other than ok raises EngineError."""
    case = stimulus_of(setup, draw_pattern(setup, "random0", setup.rows, setup.rows))
    timings = [replace(setup.timing, read_after=setup.timing.read_after + hold) for hold in HOLDS]
    decks = [bench.deck(setup.conditions[0], case, timing=timing) for timing in timings]
    return Droop(np.array(HOLDS), bench.levels("droop", decks))


PROCEDURES.register("droop", measured("droop", "what a held level loses in 10 ns", measure, result=Droop))
