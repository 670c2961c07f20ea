"""`adc`: a converter by transistors: code edges, cost of a conversion, offset and speed of its comparator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, cast

import numpy as np

from characterization.charts import MARKS, SERIES, SOFT, Chart, legend_below
from characterization.column_testbench import ColumnTestbench
from characterization.procedure_result import DataclassResult, ResultRow
from characterization.procedures.registry import ProcedureResults, measured
from characterization.readout.comparator import decision, offset_spread
from characterization.readout.converters import adc_edges, conversion_cost
from characterization.readout.testbench import ReadoutTestbench as ReadoutBench
from characterization.testbench import AdcRequest, Testbench
from interconnect.errors import InputError
from netlists.condition import Condition
from netlists.devices.device_set import DeviceSet
from netlists.readout import READOUTS
from netlists.readout.converter import ConverterCircuit

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MIN_TIMEOUT = 600.0
"""s; a deck holds 32 conversions, many times the work of a column's read."""


@dataclass(frozen=True, slots=True)
class ComparatorFigures:
    """The converter's StrongARM. offset_sigma, offset_error (its standard error), by_hand (of the input pair alone),
    resolution: V; samples: drawn comparators. difference: V of the input, half a code, at which it takes decision_time
    (s) and decision_energy (J per clock period)."""

    samples: int
    offset_sigma: float
    offset_error: float
    by_hand: float
    resolution: float
    difference: float
    decision_time: float
    decision_energy: float


@dataclass(frozen=True)
class AdcReading:
    """A converter without mismatch at one condition. LSB: the ideal code, (ref_high - ref_low) / 2^bits.

    offset (of the first edge, LSB), gain (mean code over the ideal one); dnl, inl: of the inner codes and edges, LSB,
    by end points; edge_error: how well edges are known, LSB (0: interpolated). missing: codes that never came. time
    (s) and energy (J) of a conversion; sources: J by source; gate_area (m2): a lower bound; capacitance: of its
    capacitors, F. comparator: None for a ramp, whose comparator is another circuit.
    """

    condition: str
    step: float
    offset: float
    gain: float
    dnl: tuple[float, ...]
    inl: tuple[float, ...]
    edge_error: float
    missing: tuple[int, ...]
    conversions: int
    time: float
    energy: float
    sources: dict[str, float]
    gate_area: float
    capacitance: float
    comparator: ComparatorFigures | None


@dataclass(frozen=True)
class AdcFigures(DataclassResult):
    """The converter that was simulated and its readings; not_included: what the simulation leaves out."""

    kind: str
    bits: int
    ref_low: float
    ref_high: float
    not_included: str
    readings: tuple[AdcReading, ...]

    def figures(self) -> Sequence[ResultRow]:
        """Linearity, cost and comparator at every condition."""
        out = []
        for r in self.readings:
            at = r.condition
            known = f"{at}, edges {f'known to {r.edge_error:.2g} LSB' if r.edge_error else 'interpolated'}"
            out += [
                ResultRow(f"offset of the {self.bits}-bit {self.kind}", r.offset, "LSB", at),
                ResultRow("gain", r.gain, "", at),
                ResultRow("largest DNL", float(np.abs(r.dnl).max()), "LSB", known),
                ResultRow("largest INL", float(np.abs(r.inl).max()), "LSB", known),
                ResultRow("missing codes", float(len(r.missing)), "", at),
                ResultRow("energy of a conversion", r.energy, "J", at),
                ResultRow("time of a conversion", r.time, "s", at),
            ]
            if c := r.comparator:
                out += [
                    ResultRow("comparator offset sigma", c.offset_sigma, "V", f"{at}, {c.samples} samples"),
                    ResultRow("comparator decision time", c.decision_time, "s", f"{at}, {c.difference * 1e3:.3g} mV"),
                ]
        return out

    def charts(self) -> Sequence[Chart]:
        """Integral nonlinearity over the code edges."""
        if not self.readings:
            return ()
        caption = (
            f"Distance of the {self.bits}-bit {self.kind}'s code edges from the line through their ends, without "
            f"mismatch. Not included: {self.not_included}."
        )
        return (Chart("linearity", "Converter linearity", caption, self._draw_linearity),)

    def _draw_linearity(self, axes: Axes) -> None:
        for k, reading in enumerate(self.readings):
            axes.plot(np.arange(1, len(reading.inl) + 1), reading.inl, label=reading.condition,
                      color=SERIES[k % len(SERIES)], marker=MARKS[k % len(MARKS)], markersize=3)  # fmt: skip
        axes.axhline(0, color=SOFT, linewidth=0.8)
        axes.set(xlabel="code edge", ylabel="INL, LSB")
        legend_below(axes, len(self.readings))


def make_adc(request: AdcRequest, devices: DeviceSet) -> ConverterCircuit:
    """The converter that is asked for, its references by default at 5 and 45 % of the nominal supply.

    Raises InputError for bits or references that its kind does not allow.
    """
    if request.bits < 3:
        raise InputError(
            f"is {request.bits}", where="readout.adc.bits", hint="3 at least: edges are found by their slope"
        )
    low = 0.05 * devices.vdd if request.low is None else request.low
    high = 0.45 * devices.vdd if request.high is None else request.high
    circuit = READOUTS[request.kind]
    if circuit.role != "converter":
        raise InputError(f"{request.kind} is a {circuit.role}, no converter", where="readout.adc.kind")
    return cast("type[ConverterCircuit]", circuit).sized(request.bits, low, high, devices.default_length)


def measure_adc(setup: Testbench, bench: ColumnTestbench, results: ProcedureResults) -> AdcFigures:
    """Edges, cost and comparator at the nominal condition, or at all. Raises InputError without a converter to measure,
    EngineError where it does not convert."""
    request = setup.adc
    if request is None:
        raise InputError(
            "the procedure adc has no converter to measure",
            where="readout.adc",
            hint="e.g. adc: {kind: sar, bits: 6}",
        )
    adc = make_adc(request, setup.technology.devices)
    conditions = setup.conditions if request.every_condition else setup.conditions[:1]
    readings = tuple(_reading(setup, bench, request, adc, condition) for condition in conditions)
    return AdcFigures(request.kind, adc.bits, adc.ref_low, adc.ref_high, adc.not_included, readings)


def _bench(setup: Testbench, bench: ColumnTestbench, condition: Condition, name: str) -> ReadoutBench:
    """The readout's measurements on the procedure's bench, where they are cached, counted and kept."""
    timeout = max(setup.timeout, MIN_TIMEOUT)
    runner = partial(bench.run, f"{name}_{condition.label}", timeout=timeout)
    return ReadoutBench(setup.technology, condition, runner=runner)


def _reading(
    setup: Testbench, bench: ColumnTestbench, request: AdcRequest, adc: ConverterCircuit, condition: Condition
) -> AdcReading:
    own = _bench(setup, bench, condition, "adc")
    edges = adc_edges(own, adc)
    cost = conversion_cost(own, adc)
    return AdcReading(
        condition=condition.label,
        step=edges.step,
        offset=edges.offset,
        gain=edges.gain,
        dnl=tuple(map(float, edges.dnl)),
        inl=tuple(map(float, edges.inl)),
        edge_error=edges.uncertainty / edges.step,
        missing=edges.missing,
        conversions=edges.conversions,
        time=cost.time,
        energy=cost.energy,
        sources=cost.sources,
        gate_area=cost.gate_area,
        capacitance=cost.capacitance,
        comparator=comparator_figures(setup, bench, request, adc, condition),
    )


def comparator_figures(
    setup: Testbench, bench: ColumnTestbench, request: AdcRequest, adc: ConverterCircuit, condition: Condition
) -> ComparatorFigures | None:
    """Offset spread and one decision at half a code, in the middle of the range; None without a clocked comparator."""
    sizes = getattr(adc, "comparator", None)
    if sizes is None:
        return None
    own = _bench(setup, bench, condition, "comparator")
    middle = (adc.ref_low + adc.ref_high) / 2
    half = (adc.ref_high - adc.ref_low) / 2 ** (adc.bits + 1)
    spread = offset_spread(own, samples=request.comparators, seed=setup.seed, sizes=sizes, common_mode=middle)
    one = decision(own, half, sizes=sizes, common_mode=middle)
    return ComparatorFigures(
        request.comparators,
        spread.sigma,
        spread.sigma_error,
        spread.hand,
        spread.resolution,
        half,
        one.delay,
        one.energy,
    )


PROCEDURE = measured(
    "adc",
    "a converter by transistors: linearity, cost, comparator",
    measure_adc,
    result=AdcFigures,
    through_chain=True,
)
