"""Converters on the bench: levels to codes in chunks, code edges, energy and area of a conversion."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from characterization.readout.codes import RampCalibration, flash_codes, ramp_codes, ramp_times, sar_codes
from characterization.readout.linearity import Edges, find_edges
from characterization.readout.testbench import ReadoutTestbench, Waves
from interconnect.arrays import FloatArray, IntArray
from interconnect.errors import InputError
from netlists.readout.converter import ConverterCircuit
from netlists.readout.deck import Level, ReadoutDeck, gate_area
from netlists.readout.flash import Flash
from netlists.readout.ramp import Ramp
from netlists.readout.sar import Sar

_CHUNK = 32
_READERS: dict[type, Callable[[Waves], IntArray]] = {Sar: sar_codes, Flash: flash_codes}
"""How the codes of a converter are read; one of a plugin has a method `codes(waves)`."""


def adc_deck(
    bench: ReadoutTestbench, adc: ConverterCircuit, levels: Sequence[float], level: Level = "transistor"
) -> ReadoutDeck:
    """The deck of one conversion per level (V) of any converter."""
    return adc.deck(bench.technology, bench.condition, levels, level)


def convert_levels(
    bench: ReadoutTestbench, adc: ConverterCircuit, levels: FloatArray, level: Level = "transistor"
) -> IntArray:
    """Codes (conversions,) of `levels` (V), simulated in decks of 32 conversions.

    Raises UndecidedError where a decision had not fallen when it was read.
    """
    reader = _READERS.get(type(adc)) or getattr(adc, "codes", None)
    if reader is None:
        raise InputError(
            f"no reader is defined for the codes of the converter {adc.title}", hint="give its class a method codes"
        )
    return np.concatenate([reader(w) for w in _run_chunks(bench, adc, levels, level)])


def adc_edges(
    bench: ReadoutTestbench, adc: ConverterCircuit, level: Level = "transistor", *, resolution: float = 0.125
) -> Edges:
    """Code edges to `resolution` ideal steps.

    A ramp converter's time rises smoothly with its input, so that its edges are interpolated between conversions at
    the ideal edges; its counter is calibrated at both references.
    """
    if not isinstance(adc, Ramp):
        return find_edges(
            lambda levels: convert_levels(bench, adc, levels, level),
            bits=adc.bits,
            low=adc.ref_low,
            high=adc.ref_high,
            resolution=resolution,
        )
    inputs = np.linspace(adc.ref_low, adc.ref_high, 2**adc.bits + 1)
    times = np.concatenate([ramp_times(w) for w in _run_chunks(bench, adc, inputs, level)])
    calibration = RampCalibration.of(float(times[0]), float(times[-1]), adc.bits)
    wanted = calibration.start + calibration.count * np.arange(1, 2**adc.bits)
    codes = ramp_codes(np.interp((inputs[1:] + inputs[:-1]) / 2, inputs, times), calibration, adc.bits)
    missing = np.setdiff1d(np.arange(2**adc.bits), codes)
    return Edges(
        volts=np.interp(wanted, times, inputs),
        low=adc.ref_low,
        high=adc.ref_high,
        uncertainty=0.0,
        missing=tuple(int(c) for c in missing),
        conversions=inputs.size,
    )


def fitted_twin(adc: Sar, edges: Edges) -> Sar:
    """The converter with its behavioral twin's offset and gain set to those of measured edges (end points)."""
    offset = float(edges.volts[0]) - adc.ref_low - edges.gain * edges.step
    return replace(adc, twin_offset=offset, twin_gain=edges.gain)


@dataclass(frozen=True, slots=True)
class ConversionCost:
    """One conversion: time s, energy J in all and by source, transistor gate area m2 (a lower bound), capacitors F."""

    time: float
    energy: float
    sources: dict[str, float]
    gate_area: float
    capacitance: float


def conversion_cost(
    bench: ReadoutTestbench, adc: ConverterCircuit, levels: Sequence[float] | None = None
) -> ConversionCost:
    """Energy of a conversion, averaged over inputs (default: five across the range; the first conversion not counted).

    The phases' sources drive gates, so their energy counts; what makes the phases does not, nor does the counter or
    encoder behind a ramp or flash converter.
    """
    if levels is None:
        levels = [float(v) for v in adc.ref_low + (adc.ref_high - adc.ref_low) * np.array([0.1, 0.3, 0.5, 0.7, 0.9])]
    deck = adc_deck(bench, adc, [levels[0], *levels])
    (waves,) = bench.run([deck])
    totals = {
        name: float(np.mean([waves.energy(name, window) for window in deck.windows[1:]])) for name in deck.sources
    }
    area = sum(gate_area(deck.text, name) for name in adc.gate_subcircuits)
    return ConversionCost(adc.conversion, sum(totals.values()), totals, area, adc.capacitors)


def _run_chunks(bench: ReadoutTestbench, adc: ConverterCircuit, levels: FloatArray, level: Level) -> list[Waves]:
    chunks = [levels[i : i + _CHUNK] for i in range(0, levels.size, _CHUNK)]
    return bench.run([adc_deck(bench, adc, [float(v) for v in chunk], level) for chunk in chunks])
