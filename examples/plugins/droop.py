"""A procedure of one's own: what a held bit line loses in ten nanoseconds.

metalrom --plugin droop.py characterize metalrom.yaml -o out --procedures transfer,mismatch,adc_margin,droop
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from characterization.column_testbench import ColumnTestbench, draw_pattern, stimulus_of
from characterization.procedure_result import Plain, ResultRow
from characterization.procedures import PROCEDURES, measured
from characterization.procedures.registry import ProcedureResults
from characterization.testbench import Testbench

HOLD = 10e-9
"""Between the two reads, s."""


@dataclass(frozen=True)
class Droop(Plain):  # Plain writes the fields as JSON
    """volts: level at the read less the level HOLD later, every row driven, drawn bits."""

    volts: float

    def figures(self) -> Sequence[ResultRow]:
        """What the table of `metalrom characterize` shows."""
        return [ResultRow("droop in 10 ns", self.volts, "V")]


def measure(setup: Testbench, bench: ColumnTestbench, findings: ProcedureResults) -> Droop:
    """Two decks of the same case, read early and late; a verdict other than ok raises EngineError."""
    case = stimulus_of(setup, draw_pattern(setup, "random0", setup.rows, setup.rows))
    late = replace(setup.timing, read_after=setup.timing.read_after + HOLD)
    decks = [bench.deck(setup.conditions[0], case, timing=timing) for timing in (setup.timing, late)]
    early, after = bench.levels("droop", decks)
    return Droop(float(early - after))


PROCEDURES.register("droop", measured("droop", "what a held level loses in 10 ns", measure))
