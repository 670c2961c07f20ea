"""`leakage`: static currents of row drivers, reset and array, by operating points at every condition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from characterization.charts import SERIES, Chart, axis_scale, height_for, label_bars, legend_below
from characterization.column_testbench import ColumnTestbench, draw_pattern, stimulus_of
from characterization.procedure_result import DataclassResult, ResultRow
from characterization.procedures.registry import ProcedureResults, measured
from characterization.testbench import Testbench
from netlists.column import Static, column_deck

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, slots=True)
class StaticCurrent:
    """One state: `idle` (inputs low, reset over), `active` (all inputs high, reset over) or `reset` (inputs low).

    drivers: A that the row drivers of the group draw; of a current cell's active state this is the read current itself.
    reset: A of the driver of the modelled bit lines' reset. array: A into the target's sense (current cells), None for
    charge cells, whose metal has no path for it. power: W of all supplies.
    """

    condition: str
    state: Static
    drivers: float
    reset: float
    array: float | None
    power: float


@dataclass(frozen=True)
class Leakage(DataclassResult):
    """All states at all conditions. rows: drivers in the group."""

    rows: int
    states: tuple[StaticCurrent, ...]

    def figures(self) -> Sequence[ResultRow]:
        """Currents of the idle state, per row driver and per reset, at every condition."""
        out = []
        for s in (s for s in self.states if s.state == "idle"):
            out.append(ResultRow("idle row driver", s.drivers / self.rows, "A", s.condition))
            if s.array is None:
                out.append(ResultRow("driver of the reset, off", s.reset, "A", s.condition))
            else:
                out.append(ResultRow("idle array into a sense", s.array, "A", s.condition))
        return out

    def charts(self) -> Sequence[Chart]:
        """Power of every state at every condition."""
        if not self.states:
            return ()
        caption = "Static power of one group's drivers and reset in each state."
        conditions = {s.condition for s in self.states}
        return (Chart("power", "Leakage", caption, self._draw_power, height_for(len(conditions), each=0.5)),)

    def _draw_power(self, axes: Axes) -> None:
        states = list(dict.fromkeys(s.state for s in self.states))
        conditions = list(dict.fromkeys(s.condition for s in self.states))
        scale, unit = axis_scale((s.power for s in self.states), "W")
        places, share = np.arange(len(conditions)), 0.8 / len(states)
        for k, state in enumerate(states):
            power = {s.condition: s.power / scale for s in self.states if s.state == state}
            at = places + (k - (len(states) - 1) / 2) * share
            axes.barh(at, [power.get(c, np.nan) for c in conditions], height=share * 0.9, label=state,
                      color=SERIES[k % len(SERIES)])  # fmt: skip
        label_bars(axes, places, conditions)
        axes.set(xlabel=unit)
        legend_below(axes, len(states))


def measure_leakage(setup: Testbench, bench: ColumnTestbench, results: ProcedureResults) -> Leakage:
    """One operating point per state and condition, all cells of the target storing ones."""
    n = setup.rows
    charge = setup.unit == "V"
    states: tuple[Static, ...] = ("idle", "active", "reset") if charge else ("idle", "active")
    case = stimulus_of(setup, draw_pattern(setup, "random0", n, setup.max_count))
    out = []
    for condition in setup.conditions:
        here = setup.at(condition)
        decks = [
            column_deck(
                here.technology,
                here.model,
                here.periphery,
                here.timing,
                condition,
                here.simulated_case(case),
                static=state,
            )
            for state in states
        ]
        for state, deck, result in zip(states, decks, bench.run(f"leakage_{condition.label}", decks), strict=True):

            def last(name: str, signals: Any = result.signals) -> float:
                return float(np.real(signals[name].values[-1]))

            drivers = -last(deck.row_supply)
            reset = -last(deck.reset_supply) if deck.reset_supply else 0.0
            power = drivers * deck.row_voltage + reset * deck.reset_voltage
            array = None if charge else last(deck.target)
            out.append(StaticCurrent(condition.label, state, drivers, reset, array, power))
    return Leakage(n, tuple(out))


def leakage_refusal(setup: Testbench) -> str | None:
    """Lines between ground and the full level have drivers that this procedure's decks do not hold."""
    if any(0.0 < line.level < 1.0 for line in setup.model.lines):
        return "its lines at part of the row voltage have drivers without a static deck"
    return None


PROCEDURE = measured(
    "leakage",
    "static currents of drivers, reset and array",
    measure_leakage,
    refuses=leakage_refusal,
    result=Leakage,
)
