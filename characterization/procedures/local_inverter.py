"""`local_inverter`: noise, settling and supplies of inverters in the segment, over one read of a group.

Levels, and with them noise, are voltages of the ramp: what it has left at the output's edge. A supply delivers V times
its charge; a gate is charged from its supply and discharged to ground. The ramp is a current out of the supply, which
takes nothing back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from characterization.charts import SERIES, Chart, axis_scale, height_for, label_bars
from characterization.column_testbench import ColumnTestbench, draw_pattern, stimulus_of
from characterization.procedure_result import DataclassResult, ResultRow
from characterization.procedures.chain_energy import SourceCharges
from characterization.procedures.registry import ProcedureResults, measured
from characterization.readout.readout_noise import local_inverter_noise
from characterization.testbench import Testbench
from interconnect.errors import InputError
from netlists.condition import Condition
from netlists.readout.local_inverter import LocalInverter, reference_coupling, reference_load

if TYPE_CHECKING:
    from matplotlib.axes import Axes

EARLY = 0.1e-9
"""s before the end of a phase, over which a node that has settled stays where it is."""

DRIFT = 0.02
"""LSB that a settled node may still move within `EARLY`."""


@dataclass(frozen=True, slots=True)
class InverterPoint:
    """One read at one condition: noise V of the ramp, energies J of one column's share, powers W.

    active: driven rows. line_gain: V of the bit line per V of the ramp. comparator: noise of the first inverter at its
    threshold. zeroing: what reset and inverter leave on the bit line as the reset opens, k T / C included. lsb: V per
    count between none and all rows counting. zero_drift, settle_drift: LSB that the bit line moves in the last `EARLY`
    of the reset and before the ramp. rows: all lines of `active` rows, with all columns on them. row_gates: gates of
    these rows' drivers. driver_leakage: of one idle line's driver. supply: both inverters. idle_power: of one that is
    switched off. reset: gate and driver. ramp: charge of the reference rows. line: precharge, keeper and inverter of
    the column's line. gates: supply switch, select and precharge.
    """

    condition: str
    active: int
    line_gain: float
    comparator: float
    zeroing: float
    lsb: float
    zero_drift: float
    settle_drift: float
    rows: float
    row_gates: float
    driver_leakage: float
    supply: float
    idle_power: float
    reset: float
    ramp: float
    line: float
    gates: float

    def noise_beside(self, comparator: float) -> float:
        """Noise of a conversion, V of the ramp, less `comparator` (V), which the converter has already."""
        return float(np.sqrt(self.zeroing**2 + max(self.comparator**2 - comparator**2, 0.0)))

    @property
    def settled(self) -> bool:
        """Whether reset and rows had time to settle."""
        return max(self.zero_drift, self.settle_drift) <= DRIFT


@dataclass(frozen=True)
class InverterFigures(DataclassResult):
    """Noise, settling and supplies at every condition."""

    points: tuple[InverterPoint, ...]

    def at(self, label: str) -> InverterPoint:
        """The point of a condition. Raises InputError where there is none."""
        for point in self.points:
            if point.condition == label:
                return point
        raise InputError(f"noise and energy of the inverters in the segment are unknown at {label}")

    def figures(self) -> Sequence[ResultRow]:
        """Every part at every condition."""
        out = []
        for p in self.points:
            noise = {"comparator": p.comparator, "zeroing": p.zeroing}
            drift = {"reset": p.zero_drift, "rows": p.settle_drift}
            out += [ResultRow(f"noise, {name}", value, "V", p.condition) for name, value in noise.items()]
            out += [ResultRow(f"drift, {name}", value, "LSB", p.condition) for name, value in drift.items()]
            out += [ResultRow(f"energy, {name}", value, "J", p.condition) for name, value in _energies(p).items()]
        return out

    def charts(self) -> Sequence[Chart]:
        """The energies at the nominal condition."""
        caption = "One read of a column at the nominal condition, from the current of every supply."
        return (Chart("parts", "Energy of a read by inverters", caption, self._draw, height_for(6)),)

    def _draw(self, axes: Axes) -> None:
        parts = _energies(self.points[0])
        scale, unit = axis_scale(list(parts.values()), "J")
        places = np.arange(len(parts))
        axes.barh(places, [value / scale for value in parts.values()], height=0.6, color=SERIES[0])
        label_bars(axes, places, list(parts))
        axes.set(xlabel=unit, title=self.points[0].condition, xscale="log")


def _energies(p: InverterPoint) -> dict[str, float]:
    return {
        f"lines of {p.active} rows": p.rows,
        "inverters": p.supply,
        "reset": p.reset,
        "ramp": p.ramp,
        "line of the column": p.line,
        "supply switch, select, precharge": p.gates,
    }


def measure_inverter(setup: Testbench, bench: ColumnTestbench, results: ProcedureResults) -> InverterFigures:
    """Noise analyses of the first inverter, and reads of the group from reset to reset, at every condition."""
    if setup.inverter is None:
        raise InputError("the readout has no inverters in the segment", where="readout.kind", hint="kind: inverter")
    return InverterFigures(tuple(_point(setup, bench, setup.inverter, condition) for condition in setup.conditions))


def _point(setup: Testbench, bench: ColumnTestbench, inverter: LocalInverter, condition: Condition) -> InverterPoint:
    there, n, vdd, a = setup.at(condition), setup.rows, condition.vdd, inverter
    cases = [stimulus_of(setup, draw_pattern(setup, "random0", n, c)) for c in (0, setup.max_count // 2, n)]
    decks = [bench.deck(condition, case) for case in cases]
    results = bench.run(f"local_inverter_{condition.label}", decks)
    levels = [bench.read(deck, result)[0] for deck, result in zip(decks, results, strict=True)]
    lsb = (levels[2] - levels[0]) / setup.max_count
    deck, case = decks[1], there.stimulus(cases[1])
    time = np.real(results[1].signals["time"].values).astype(np.float64)
    read = SourceCharges(time, results[1], 0.0, a.stop)
    columns, bit_line = case.columns, deck.outputs[case.target]
    rise = levels[1] - vdd  # of the ramp until the edge, negative
    volts = np.real(results[1].signals[bit_line].values).astype(np.float64)

    def moved(start: float, end: float) -> float:
        return float(np.diff(np.interp((start, end), time, volts))[0])

    gain = moved(a.ramp_start, a.ramp_end - levels[1] / vdd * a.ramp_time) / -rise
    count = gain * lsb  # V of the bit line

    def drift(end: float) -> float:
        return abs(moved(end - EARLY, end)) / count

    comparator, zeroing = local_inverter_noise(
        there.technology,
        condition,
        a,
        bench.run,
        capacitance=n * there.model.bl_total + a.reference_rows * reference_load(there.model),
        reference=a.reference_rows * reference_coupling(there.model),
    )
    quiet = (a.ramp_start - EARLY, a.ramp_start)
    return InverterPoint(
        condition=condition.label,
        active=int(case.inputs.sum()),
        line_gain=gain,
        comparator=comparator,
        zeroing=zeroing / gain,
        lsb=lsb,
        zero_drift=drift(a.zero_time),
        settle_drift=drift(a.ramp_start),
        rows=vdd * read.net("rows"),
        row_gates=vdd * (read.delivered("active") + read.delivered("falling")),
        driver_leakage=vdd * read.mean("rows", *quiet) / (2 * case.rows),
        supply=vdd * read.net("local"),
        idle_power=vdd * read.net("idle_local") / a.stop,
        reset=a.reset_gate * (read.net("reset") + read.delivered("reset_b")) / columns,
        ramp=vdd * read.delivered("ramp") / columns,
        line=vdd * read.net("line"),
        gates=vdd * (read.delivered("power") + read.delivered("select")) / columns + vdd * read.delivered("precharge"),
    )


def _refuses(setup: Testbench) -> str | None:
    return None if setup.inverter is not None else "its readout has no inverters in the segment"


PROCEDURE = measured(
    "local_inverter",
    "noise, settling and supplies of inverters in the segment",
    measure_inverter,
    refuses=_refuses,
    result=InverterFigures,
    through_chain=True,
)
