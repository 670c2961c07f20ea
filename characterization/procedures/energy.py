"""`energy`: what one read costs, component by component, against active rows and count.

Row drivers: simulated, the whole row with all its columns. Of that the array's part is what the exact linear network
takes (charge cell: C V^2 of the driven lines; current cell: V I of the rows while the current is integrated), the rest
is the drivers' own. Their falling edge after the read is not simulated: the line discharges to ground. Reset: one whole
period of the reset switches and their driver, simulated with lumped bit lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from characterization.charts import SERIES, Chart, axis_scale
from characterization.column_testbench import ColumnTestbench, draw_pattern, stimulus_of
from characterization.procedure_result import DataclassResult, ResultRow
from characterization.procedures.registry import ProcedureResults, measured
from characterization.testbench import Testbench
from interconnect.arrays import FloatArray
from netlists.case import ColumnStimulus
from netlists.column_elements import level_supplies
from netlists.condition import Condition
from netlists.reference import column_network
from netlists.reset_effect import reset_effect_deck

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, slots=True)
class ReadEnergy:
    """One read of `active` rows with all their columns, J. rows: drawn by the row drivers; array: what of it the exact
    linear network takes; drivers: the rest."""

    condition: str
    active: int
    count: int
    rows: float
    array: float
    drivers: float


@dataclass(frozen=True)
class ConditionEnergy:
    """rows_fit: e0 + e1 active + e2 count, J, of the row drivers. reset: J per bit line and read (0 without a reset).
    per_conversion: J of one bit line's share in a read of all rows, half of them counting, reset included."""

    condition: str
    rows_fit: FloatArray
    fit_residual: float
    reset: float
    per_conversion: float


@dataclass(frozen=True)
class EnergyResult(DataclassResult):
    """columns: bit lines that share a row's energy. duration: s over which a current cell's rows conduct, else 0."""

    columns: int
    duration: float
    reads: tuple[ReadEnergy, ...]
    conditions: tuple[ConditionEnergy, ...]

    def figures(self) -> Sequence[ResultRow]:
        """Components of a full read and the share of one conversion, at every condition."""
        out = []
        for c in self.conditions:
            full = max((r for r in self.reads if r.condition == c.condition), key=lambda r: (r.active, r.count))
            at = f"{c.condition}, {full.active} rows, {self.columns} columns"
            out.append(ResultRow("array", full.array, "J", at))
            out.append(ResultRow("row drivers' own", full.drivers, "J", at))
            out.append(ResultRow("reset of a bit line", c.reset, "J", c.condition))
            out.append(ResultRow("conversion, without converter", c.per_conversion, "J", c.condition))
        return out

    def charts(self) -> Sequence[Chart]:
        """Array and drivers over active rows at the nominal condition."""
        if not self.reads:
            return ()
        caption = "Row drivers and array for all columns at once, by active rows; the converter is not in it."
        return (Chart("reads", "Energy of a read", caption, self._draw_reads),)

    def _draw_reads(self, axes: Axes) -> None:
        condition = self.reads[0].condition
        reads = [r for r in self.reads if r.condition == condition]
        full = {r.active: r for r in sorted(reads, key=lambda r: (r.active, r.count))}  # the largest count comes last
        array, drivers = (np.array([getattr(r, part) for r in full.values()]) for part in ("array", "drivers"))
        scale, unit = axis_scale([*array, *drivers], "J")
        places = np.arange(len(full))
        axes.bar(places, array / scale, color=SERIES[0], label="array's metal", width=0.6)
        axes.bar(places, drivers / scale, bottom=array / scale, color=SERIES[4], label="row drivers' own", width=0.6)
        axes.set_xticks(places, [str(active) for active in full])
        axes.set(xlabel=f"active rows (all store ones), {self.columns} columns", ylabel=unit, title=condition)
        axes.legend(loc="upper left")


def array_energy(setup: Testbench, condition: Condition, case: ColumnStimulus, duration: float) -> float:
    """J that the linear array takes from ideal sources: V Q of a charge cell's step, V I t of a current cell."""
    if case.active == 0:
        return 0.0
    warm = setup.at(condition).model.at(condition.temperature)
    network = column_network(warm, setup.periphery, case)
    if setup.unit == "V":
        supplies = {"source": condition.vdd}
        supplies |= {f"source_{x.letter}": x.volts for x in level_supplies(warm, condition.vdd)}
        state = network.settled(list(supplies), list(supplies.values()))
        # lines of the next plane have drivers and a supply of their own
        above = tuple(x.letter for x in warm.lines if x.above)
        own = np.array([not (above and name.startswith(above)) for name in network.names or ()])
        total = 0.0
        for volts in supplies.values():
            # Only the driven lines end at their supply; what lies on them has come through their drivers.
            driven = own & (np.abs(state.voltage - volts) < 1e-9 * condition.vdd)
            total += volts * float(state.charge[driven].sum())
        return total
    volts = setup.periphery.read_voltage
    return float(volts * network.dc(["source"], [volts]).current[0] * duration)


def measure_energy(setup: Testbench, bench: ColumnTestbench, results: ProcedureResults) -> EnergyResult:
    """Reads over active rows and counts, and one period of the reset."""
    n, most = setup.rows, setup.levels - 1
    points = [(a, c) for a in sorted({0, 1, n // 2, n}) for c in sorted({0, a * most // 2, a * most})]
    duration = 0.0
    if setup.unit == "A":
        duration = setup.timing.read_after + setup.timing.input_edge / 2 + setup.converter.integration_time
    reads, conditions = [], []
    for condition in setup.conditions:
        cases = [stimulus_of(setup, draw_pattern(setup, "random0", a, c)) for a, c in points]
        decks = [bench.deck(condition, case) for case in cases]
        runs = bench.run(f"energy_{condition.label}", decks)
        rows = np.array([bench.read(d, r)[1] for d, r in zip(decks, runs, strict=True)])
        bench.count("linear", len(cases))
        array = np.array([array_energy(setup, condition, case, duration) for case in cases])
        reads += [
            ReadEnergy(condition.label, a, c, float(e), float(x), float(e - x))
            for (a, c), e, x in zip(points, rows, array, strict=True)
        ]
        x = np.array([[1.0, a, c] for a, c in points])
        fit = np.linalg.lstsq(x, rows, rcond=None)[0]
        reset = reset_energy(setup, bench, condition, cases[-1])
        whole = float(fit @ np.array([1.0, n, n * most / 2]))
        conditions.append(
            ConditionEnergy(
                condition.label,
                fit,
                float(np.sqrt(np.mean((rows - x @ fit) ** 2))),
                reset,
                whole / setup.columns + reset,
            )
        )
    return EnergyResult(setup.columns, duration, tuple(reads), tuple(conditions))


def reset_energy(setup: Testbench, bench: ColumnTestbench, condition: Condition, case: ColumnStimulus) -> float:
    """J from the reset's supply in one period, per bit line; 0 for a cell without reset."""
    if setup.unit == "A":
        return 0.0
    s = setup.at(condition)
    deck = reset_effect_deck(s.technology, s.model, s.periphery, s.timing, condition, case, cycle=True)
    (result,) = bench.run(f"energy_reset_{condition.label}", [deck])
    time = np.asarray(result.signals["time"].values, dtype=np.float64)
    current = np.asarray(result.signals[deck.reset_supply or ""].values, dtype=np.float64)
    return float(-np.trapezoid(current, time) * deck.reset_voltage / len(deck.columns))


PROCEDURE = measured(
    "energy",
    "energy of a read by component, against active rows and count",
    measure_energy,
    result=EnergyResult,
)
