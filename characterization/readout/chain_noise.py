"""Noise of a readout chain referred to the comparator's input: line, kT/C of every sample, comparator."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING

import numpy as np

from characterization.charts import SERIES, Chart, axis_scale, height_for, label_bars
from characterization.column_testbench import ColumnTestbench
from characterization.noise import BOLTZMANN
from characterization.procedure_result import DataclassResult, ResultRow
from characterization.readout.column_influence import column_influence
from characterization.readout.comparator_noise import ComparatorPoint
from characterization.readout.converter_noise import Aperture, decision_noise, frozen_noise
from characterization.readout.hold_spread import PARTS, hold_spread
from characterization.testbench import Testbench, setup_chain
from interconnect.arrays import FloatArray
from interconnect.errors import InputError
from netlists.condition import Condition
from netlists.readout.chain import ReadoutChain
from netlists.readout.chain_noise import INPUT_SPECTRUM, SPECTRUM, NoiseSample, chain_noise_deck
from ngspice_runner import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MIDDLE = 1e7
"""Hz: above what the inductors of the decks hold, below every pole, so that the gain there is the settled one."""


@dataclass(frozen=True, slots=True)
class ChainNoisePoint:
    """Noise at one condition, V rms at the comparator's input.

    gain: from a step of the bit line's cells to the comparator's input. first: kept by the series capacitor as the
    clamp opens (follower, select, bias, line, clamp's kT/C). second: at the comparator once the column has joined, with
    the bit line at the level of difference -1, 0 and 1 of the group's rows, as far as the comparator's aperture lets it
    through. bus: kT/C of the bus as its reset opens. comparator: the comparator's own at difference 0; ends: at -1 and
    1 (as at 0 if not given). array: what the converter adds once per conversion (kT/C of its capacitor array as its
    reset opens; the ramp's own). hold: spread of a level by its line's turn at the converter, at `hold_spread.PARTS`;
    empty where every conversion has a read of its own. kept: share of a step of the line that the series capacitor
    keeps as the bus joins.
    """

    condition: str
    gain: float
    first: float
    second: tuple[float, float, float]
    bus: float
    comparator: float
    ends: tuple[float, float] | None = None
    array: float = 0.0
    hold: tuple[float, ...] = ()
    kept: float = 1.0

    @property
    def quietest(self) -> float:
        """The comparator's noise where it is least, V rms."""
        return float(min((self.comparator, *(self.ends or ()))))

    def deciding(self, difference: FloatArray) -> FloatArray:
        """The comparator's noise, V, for (2 counted - driven) / rows between -1 and 1."""
        low, high = self.ends or (self.comparator, self.comparator)
        out: FloatArray = np.sqrt(np.interp(difference, (-1.0, 0.0, 1.0), np.square([low, self.comparator, high])))
        return out

    def line(self, difference: FloatArray) -> FloatArray:
        """All but the comparator's, V, for (2 counted - driven) / rows between -1 and 1."""
        variance = np.interp(difference, (-1.0, 0.0, 1.0), np.square(self.second))
        if self.hold:
            variance = variance + np.interp(difference, PARTS, np.square(self.hold))
        out: FloatArray = np.sqrt(variance + self.first**2 + self.bus**2 + self.array**2)
        return out


@dataclass(frozen=True)
class ChainNoise(DataclassResult):
    """Noise of the chain at every condition; the operating points behind the comparator's, where it is clocked.

    columns: sigma of a threshold by the levels of the other columns, V at the bus, at the nominal condition.
    """

    points: tuple[ChainNoisePoint, ...]
    comparators: tuple[ComparatorPoint, ...]
    columns: float = 0.0

    def at(self, condition: Condition) -> ChainNoisePoint:
        """The noise at a condition. Raises InputError where it has none."""
        for point in self.points:
            if point.condition == condition.label:
                return point
        raise InputError(f"the noise of the readout chain is unknown at {condition.label}")

    def figures(self) -> Sequence[ResultRow]:
        """Every part at every condition."""
        out = []
        for p in self.points:
            parts = {
                "first sample": p.first,
                "second sample": p.second[1],
                "reset of the bus": p.bus,
                "reset of the converter's array": p.array,
                "comparator": p.comparator,
                "all together": float(np.hypot(p.line(np.zeros(1))[0], p.comparator)),
            }
            out += [ResultRow(f"noise, {name}", value, "V", p.condition) for name, value in parts.items()]
            turns = zip(PARTS, p.hold, strict=False)
            out += [ResultRow(f"turn at the converter, {d:+g}", value, "V", p.condition) for d, value in turns]
        if self.columns:
            out.append(ResultRow("threshold by levels of other columns", self.columns, "V", self.points[0].condition))
        return out

    def charts(self) -> Sequence[Chart]:
        """The parts at every condition."""
        caption = "Noise at the comparator's input: both samples, the reset of the bus and the comparator itself."
        return (Chart("parts", "Noise of the chain", caption, self._draw, height_for(4 * len(self.points))),)

    def _draw(self, axes: Axes) -> None:
        parts = [
            (f"{p.condition}, {name}", value)
            for p in self.points
            for name, value in (("first", p.first), ("second", p.second[1]), ("bus", p.bus), ("own", p.comparator))
        ]
        scale, unit = axis_scale([value for _, value in parts], "V")
        places = np.arange(len(parts))
        axes.barh(places, [value / scale for _, value in parts], height=0.6, color=SERIES[0])
        label_bars(axes, places, [name for name, _ in parts])
        axes.set(xlabel=f"rms, {unit}")


def measure_chain_noise(setup: Testbench, bench: ColumnTestbench) -> ChainNoise:
    """Noise of both samples by the engine's noise analysis, of the comparator from its operating point."""
    chain = setup_chain(setup)
    comparators = []
    points = []
    for condition in setup.conditions:
        decide = cache(partial(simulated_decision, setup, bench, condition))
        _, middle = decide(chain.sampler.common_mode)
        comparators += [middle] if isinstance(middle, ComparatorPoint) else []
        points.append(noise_point(setup, bench, condition, decide))
    influence = column_influence(chain.converter, setup, chain, bench.run)
    return ChainNoise(tuple(points), tuple(comparators), influence)


Decide = Callable[[float], tuple[float, Aperture]]
"""Noise of a decision (V rms) at a level of the bus (V), and the comparator's aperture there."""


def simulated_decision(
    setup: Testbench, bench: ColumnTestbench, condition: Condition, level: float
) -> tuple[float, Aperture]:
    """Noise of a decision of the setup's converter at a level of the bus, and its aperture."""
    chain, technology = setup_chain(setup), setup.at(condition).technology
    return decision_noise(chain.converter, technology, condition, chain, level, bench.run)


def noise_point(setup: Testbench, bench: ColumnTestbench, condition: Condition, decide: Decide) -> ChainNoisePoint:
    """Noise of the setup's chain at a condition; `decide`: of its comparator, simulated or known."""
    chain = setup_chain(setup)
    deciding, comparator = decide(chain.sampler.common_mode)
    there = setup.at(condition)
    capacitance = there.rows * there.model.bl_total
    # of all rows, the transistors' load aside
    swing = there.line_swing(condition.vdd)
    if chain.drive == "complement":
        swing /= 2  # from falling to rising; the reset level is midway
    reset, common = chain.segment.reset_level, chain.sampler.common_mode
    one = chain.one_column

    def run(samples: Sequence[tuple[NoiseSample, float, float]]) -> list[Result]:
        decks = [
            chain_noise_deck(
                there.technology,
                one,
                condition,
                sample=sample,
                capacitance=capacitance,
                bit_line=max(reset + swing * part, 0.0),
                bus_level=common + gain * swing * part,
            )
            for sample, part, gain in samples
        ]
        return bench.run(f"chain_noise_{condition.label}", decks)

    first, middle, line = run([("first", 0.0, 0.0), ("second", 0.0, 0.0), ("line", 0.0, 0.0)])
    gain, kept = settled_gain(middle), settled_gain(middle) / settled_gain(line)
    low, high = run([("second", -1.0, gain), ("second", 1.0, gain)])
    parts = (-1.0, 1.0)
    if there.pair:  # both inputs of the comparator lie midway between the two buses
        parts = (0.0, 0.0) if chain.drive == "complement" else (0.5, 0.5)
    ends = tuple(decide(common + gain * swing * part)[0] for part in parts)
    delay = chain.timing.decides - chain.timing.clamp_opens + chain.converter.wait
    lines = math.sqrt(chain.converter.columns)
    below, between, above = (sampled_rms(x, delay, comparator) for x in (low, middle, high))
    if there.pair:  # plus and minus line at opposite ends, or one of them at rest
        below = above = math.hypot(below if chain.drive == "complement" else between, above)
    return ChainNoisePoint(
        condition=condition.label,
        gain=gain,
        first=lines * kept * sampled_rms(first, delay),
        second=(below, lines * between, above),
        bus=lines * bus_reset_noise(chain, kept, condition.kelvin),
        comparator=deciding,
        ends=(ends[0], ends[1]),
        kept=kept,
        array=frozen_noise(chain.converter, there.technology, condition, chain, common, bench.run),
        hold=hold_spread(setup, bench, chain, condition),
    )


def bus_reset_noise(chain: ReadoutChain, kept: float, kelvin: float) -> float:
    """k T / C of the bus as its reset opens, V rms at the comparator's input; kept: share of a step that the series
    capacitor keeps as the bus joins."""
    c = chain.sampler.capacitance
    load = c * (1.0 / kept - 1.0)  # of bus and sampled node: what attenuates the capacitor
    return float(np.sqrt(BOLTZMANN * kelvin * load)) / (c + load)


def _spectra(result: Result) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Frequency (Hz), output and input density (V/sqrt(Hz))."""
    f, out, back = (np.real(result.signals[n].values) for n in ("frequency", SPECTRUM, INPUT_SPECTRUM))
    return f, out, back


def settled_gain(result: Result) -> float:
    """Output of a noise deck over a step of the bit line's cells, above what its inductors hold."""
    f, out, back = _spectra(result)
    return float(np.interp(MIDDLE, f, out / back))


def sampled_rms(result: Result, delay: float, comparator: Aperture | None = None) -> float:
    """V rms that one of two samples `delay` (s) apart adds to their difference: slower noise is in both. comparator:
    whose aperture averages the sample."""
    f, out, _ = _spectra(result)
    corner = 1.0 / (4.0 * delay)
    weight = np.where(f < corner, 2.0 * np.sin(np.pi * np.minimum(f, corner) * delay) ** 2, 1.0)
    weight = weight if comparator is None else weight * comparator.pass_band(f)
    return float(np.sqrt(np.trapezoid(out**2 * weight, f)))
