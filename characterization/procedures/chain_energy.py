"""`chain_energy`: what one read through a readout chain costs, supply by supply, over a whole cycle.

Two reads follow each other in one transient and the second is integrated, from reset to reset, so that every control
signal has risen and fallen and every node has returned. A supply delivers V times its charge. A gate is charged from
its supply and discharged to ground: V times the charge delivered, nothing comes back. A reference is a linear
regulator: its charge comes out of the supply.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from characterization.charts import SERIES, Chart, axis_scale, height_for, label_bars
from characterization.column_testbench import ColumnTestbench, draw_pattern, stimulus_of
from characterization.procedure_result import DataclassResult, ResultRow
from characterization.procedures.adc import MIN_TIMEOUT
from characterization.procedures.registry import ProcedureResults, measured
from characterization.readout.comparator_noise import Run
from characterization.readout.testbench import integral
from characterization.testbench import Testbench, setup_chain
from interconnect.arrays import FloatArray
from interconnect.errors import InputError
from netlists.column import column_deck
from netlists.condition import Condition
from netlists.readout.chain import ReadoutChain
from netlists.readout.column_converter import ConverterSupply
from netlists.readout.conversion import conversions_deck, nominal_conversion
from netlists.technology import Technology
from ngspice_runner import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEVELS = (-0.8, -0.4, 0.0, 0.4, 0.8)
"""Differences, in shares of all rows, over whose conversions the converter's energy is averaged."""

EARLY = 0.3e-9
"""s before the rows toggle, in which currents are those of a quiet array."""


@dataclass(frozen=True, slots=True)
class ChainEnergyPoint:
    """One cycle at one condition; energies J, powers W.

    cycle: s from reset to reset, without the conversion. rows: all lines of `active` rows, with all columns on them.
    row_gates: gates of these rows' drivers. driver_leakage: of one idle line's driver. reset_driver: of one reset
    line, without the gates on it; reset_gate, reset_charge: of one bit line. line: supply of one column's bias,
    followers and row selects; line_power: the same at rest; bias, bias_power: the diode that sets the current of all
    columns. clamp: of one column, with the charge that its level delivers. mux: of the joining column and the bus.
    parking: of one column. parked: what the level of the parked bit lines delivers to one of them (0 where no column
    shares its line). converter: of one conversion, by source; conversion: s.
    """

    condition: str
    active: int
    cycle: float
    rows: float
    row_gates: float
    driver_leakage: float
    reset_driver: float
    reset_gate: float
    reset_charge: float
    line: float
    line_power: float
    bias: float
    bias_power: float
    clamp: float
    mux: float
    parking: float
    converter: Mapping[str, float]
    conversion: float
    parked: float = 0.0


@dataclass(frozen=True)
class ChainEnergy(DataclassResult):
    """Cycle and conversion at every condition; bits of the converter that was measured."""

    bits: int
    points: tuple[ChainEnergyPoint, ...]

    def at(self, label: str) -> ChainEnergyPoint:
        """The point of a condition. Raises InputError where there is none."""
        for point in self.points:
            if point.condition == label:
                return point
        raise InputError(f"the energy of the readout chain is unknown at {label}")

    def figures(self) -> Sequence[ResultRow]:
        """Every component at every condition."""
        out = []
        for p in self.points:
            out += [ResultRow(f"energy, {name}", value, "J", p.condition) for name, value in self._parts(p).items()]
            out.append(ResultRow("leakage of a row driver", p.driver_leakage, "W", p.condition))
        return out

    def charts(self) -> Sequence[Chart]:
        """The components at the nominal condition."""
        caption = "One read and one conversion at the nominal condition, from the current of every supply."
        return (Chart("parts", "Energy of a read through the chain", caption, self._draw, height_for(7)),)

    def _parts(self, p: ChainEnergyPoint) -> dict[str, float]:
        return {
            f"lines of {p.active} rows": p.rows,
            f"driver gates of {p.active} rows": p.row_gates,
            "reset of a bit line": p.reset_gate + p.reset_charge,
            "line of a column, one cycle": p.line,
            "clamp of a column": p.clamp,
            "multiplexer and bus": p.mux,
            f"conversion of {self.bits} bits": sum(p.converter.values()),
        }

    def _draw(self, axes: Axes) -> None:
        parts = self._parts(self.points[0])
        scale, unit = axis_scale(list(parts.values()), "J")
        places = np.arange(len(parts))
        axes.barh(places, [value / scale for value in parts.values()], height=0.6, color=SERIES[0])
        label_bars(axes, places, list(parts))
        axes.set(xlabel=unit, title=self.points[0].condition, xscale="log")


def measure_chain_energy(setup: Testbench, bench: ColumnTestbench, results: ProcedureResults) -> ChainEnergy:
    """One cycle with every row driven and half of them counting, one converter, at every condition."""
    chain = setup_chain(setup)
    points = tuple(_point(setup, bench, chain, condition) for condition in setup.conditions)
    return ChainEnergy(chain.converter.bits, points)


@dataclass(frozen=True, slots=True)
class SourceCharges:
    """Charges (C) out of the sources of a deck from `start` to `stop` (s)."""

    time: FloatArray
    result: Result
    start: float
    stop: float

    def current(self, source: str) -> FloatArray:
        """Out of the positive terminal, A."""
        return -np.real(self.result.signals[f"i(v_{source})"].values).astype(np.float64)

    def net(self, source: str) -> float:
        """Delivered less returned."""
        return self._integral(self.current(source))

    def delivered(self, source: str) -> float:
        """Delivered alone."""
        return self._integral(np.maximum(self.current(source), 0.0))

    def mean(self, source: str, start: float, stop: float) -> float:
        """Mean current between two times, A."""
        return float(self._between(self.current(source), start, stop)) / (stop - start)

    def _integral(self, current: FloatArray) -> float:
        return self._between(current, self.start, self.stop)

    def _between(self, current: FloatArray, start: float, stop: float) -> float:
        return integral(self.time, (start, stop), current)


def _point(setup: Testbench, bench: ColumnTestbench, chain: ReadoutChain, condition: Condition) -> ChainEnergyPoint:
    there, n, vdd = setup.at(condition), setup.rows, condition.vdd
    case = there.stimulus(stimulus_of(setup, draw_pattern(setup, "random0", n, setup.max_count // 2)))
    deck = column_deck(
        there.technology, there.model, there.periphery, there.timing, condition, case, chain=chain, periodic=True
    )
    (result,) = bench.run(f"chain_energy_{condition.label}", [deck])
    cycle = chain.timing.stop
    time = np.real(result.signals["time"].values).astype(np.float64)
    q = SourceCharges(time, result, cycle, 2 * cycle)
    complement = "i(v_falling)" in result.signals
    lines = case.rows * (2 if complement else 1)
    gate, read = chain.segment.reset_gate, chain.converter.columns
    parked = sum(chain.parks(c - case.target) for c in range(case.columns))
    pulsed = case.columns - parked
    # the source lies between the driver and the gates: its current is theirs, out of it as they are discharged
    gates = gate * q.delivered("reset_gate")
    quiet = cycle + chain.timing.rows_toggle - EARLY
    rest = cycle + chain.timing.decides - EARLY
    step = 0.9 * EARLY
    return ChainEnergyPoint(
        condition=condition.label,
        active=int(case.inputs.sum()),
        cycle=cycle,
        rows=vdd * q.net("rows"),
        row_gates=vdd * (q.delivered("active") + (q.delivered("falling") if complement else 0.0)),
        driver_leakage=vdd * q.mean("rows", quiet, quiet + step) / lines,
        reset_driver=gate * (q.net("reset") + q.delivered("reset_b")) - gates,
        reset_gate=gates / pulsed,
        reset_charge=vdd * q.delivered("reset_level") / pulsed,
        line=vdd * q.net("analog") / read,
        line_power=vdd * q.mean("analog", rest, rest + step) / read,
        bias=vdd * q.net("mirror"),
        bias_power=vdd * q.mean("mirror", rest, rest + step),
        clamp=vdd * (q.delivered("clamp") + q.delivered("common")) / read,
        mux=vdd * (q.delivered("join") + q.delivered("bus_reset")),
        parking=vdd * q.delivered("park") / read,
        converter=_converter_energy(there, bench, chain, condition),
        conversion=chain.converter.duration(setup.max_count + 1),
        parked=vdd * q.delivered("parked") / parked if parked else 0.0,
    )


def _converter_energy(
    there: Testbench, bench: ColumnTestbench, chain: ReadoutChain, condition: Condition
) -> dict[str, float]:
    """Energy of one conversion by source, J, averaged over `LEVELS`."""
    swing = there.line_swing(condition.vdd) / chain.converter.columns
    levels = [max(chain.segment.reset_level + part * swing, 0.0) for part in LEVELS]
    timeout = max(there.timeout, MIN_TIMEOUT)
    return converter_energies(
        there.technology,
        condition,
        chain,
        there.max_count + 1,
        levels,
        lambda name, decks: bench.run(name, decks, timeout=timeout),
    )


def converter_energies(
    technology: Technology, condition: Condition, chain: ReadoutChain, number: int, levels: Sequence[float], run: Run
) -> dict[str, float]:
    """Energy of one conversion by source, from the currents of the chain's converter.

    Parameters
    ----------
    technology, condition, chain
        What is simulated.
    number : int
        Levels that the converter tells apart.
    levels : sequence of float
        Of the bit line, V, over which the energy is averaged; a conversion before them is not counted.
    run : Run
        Simulates decks.

    Returns
    -------
    dict
        J by the name of the supply, shared ones by their share.
    """
    supplies = chain.converter.supplies
    one = nominal_conversion(chain.converter, number)
    further = [f"i(v_{s.source})" for s in supplies]
    every = [levels[0], *levels]
    # a minus column at the levels of opposite differences
    minus = every[:1] + list(levels[::-1]) if chain.converter.columns > 1 else ()
    deck = conversions_deck(technology, condition, chain, one, every, minus=minus, further=further)
    (result,) = run(f"chain_converter_{condition.label}", [deck])
    time = np.real(result.signals["time"].values).astype(np.float64)

    def energy(supply: ConverterSupply) -> float:
        current = -np.real(result.signals[f"i(v_{supply.source})"].values).astype(np.float64)
        if not supply.returned:
            current = np.maximum(current, 0.0)
        mean = float(np.mean([integral(time, window, current) for window in deck.windows[1:]]))
        return supply.share * condition.vdd * mean

    return {supply.name: energy(supply) for supply in supplies}


def _refuses(setup: Testbench) -> str | None:
    return None if setup.chain is not None else "its readout is ideal and has no supplies"


PROCEDURE = measured(
    "chain_energy",
    "energy of a read through the readout chain, supply by supply over a whole cycle",
    measure_chain_energy,
    refuses=_refuses,
    result=ChainEnergy,
    through_chain=True,
)
