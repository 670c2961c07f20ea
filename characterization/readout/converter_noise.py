"""Noise of the converter behind a readout chain's bus: functions that dispatch on the converter's class."""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatch
from typing import Protocol

import numpy as np

from characterization.noise import charge_noise
from characterization.readout.comparator_noise import Run, point_of
from interconnect.arrays import FloatArray
from interconnect.errors import InputError
from netlists.condition import Condition
from netlists.readout.chain import ReadoutChain
from netlists.readout.chain_noise import INPUT_SPECTRUM, SPECTRUM
from netlists.readout.column_pair import ColumnPair
from netlists.readout.column_ramp import ColumnRamp
from netlists.readout.column_sar import ColumnSar
from netlists.readout.ramp_noise import ramp_noise_deck
from netlists.technology import Technology
from ngspice_runner import Result

GAIN_FREQUENCY = 1e6
"""Hz, at which a comparator's gain is that of a slow ramp."""


class Aperture(Protocol):
    """What a comparator lets through of noise at its input."""

    def pass_band(self, frequency: FloatArray) -> FloatArray:
        """Share of the power at a frequency (Hz) that a decision sees."""
        ...


@dataclass(frozen=True)
class FirstStage:
    """A continuous-time comparator in the band of its first stage: gain over frequency (Hz)."""

    frequency: FloatArray
    gain: FloatArray

    def pass_band(self, frequency: FloatArray) -> FloatArray:
        """Square of the gain over that of a slow ramp."""
        log = np.log(np.maximum(self.gain, 1e-12))
        out: FloatArray = np.exp(2.0 * (np.interp(np.log(frequency), np.log(self.frequency), log) - log[0]))
        return out


@singledispatch
def decision_noise(
    converter: object, technology: Technology, condition: Condition, chain: ReadoutChain, level: float, run: Run
) -> tuple[float, Aperture]:
    """Noise of a decision at a level of the bus (V rms), new in every one.

    Parameters
    ----------
    converter : ColumnConverter
        That of the chain; the function dispatches on its class.
    technology, condition, chain
        What is simulated.
    level : float
        Of the bus, V.
    run : Run
        Simulates decks.

    Returns
    -------
    float, Aperture
        V rms at the bus; what the comparator lets through of noise there.

    Raises
    ------
    InputError
        A class without a registered function.
    """
    raise InputError(f"no noise is defined for {type(converter).__name__}", where="readout.converter.kind")


@singledispatch
def frozen_noise(
    converter: object, technology: Technology, condition: Condition, chain: ReadoutChain, level: float, run: Run
) -> float:
    """Noise that the converter adds once per conversion, V rms at the bus; parameters as of `decision_noise`."""
    raise InputError(f"no noise is defined for {type(converter).__name__}", where="readout.converter.kind")


@decision_noise.register
def _(
    converter: ColumnSar, technology: Technology, condition: Condition, chain: ReadoutChain, level: float, run: Run
) -> tuple[float, Aperture]:
    point = point_of(technology, condition, chain.comparator, level, run)
    return point.noise, point


@frozen_noise.register
def _(
    converter: ColumnSar, technology: Technology, condition: Condition, chain: ReadoutChain, level: float, run: Run
) -> float:
    """k T / C of the array as its reset opens."""
    return charge_noise(converter.top_plate, condition.kelvin)


@frozen_noise.register
def _(
    converter: ColumnPair, technology: Technology, condition: Condition, chain: ReadoutChain, level: float, run: Run
) -> float:
    """None: its arrays are reset with the buses, whose k T / C is that of both."""
    return 0.0


@decision_noise.register
def _(
    converter: ColumnRamp, technology: Technology, condition: Condition, chain: ReadoutChain, level: float, run: Run
) -> tuple[float, Aperture]:
    """The comparator in the band of its first stage: it decides as the ramp passes slowly."""
    deck = ramp_noise_deck(
        technology, condition, converter, level=level, wire=chain.bus.wire_capacitance, generator=False
    )
    (result,) = run(f"converter_noise_{condition.label}", (deck,))
    f, out, back = _spectra(result)
    gain = float(np.interp(GAIN_FREQUENCY, f, out / back))
    return float(np.sqrt(np.trapezoid(out**2, f))) / gain, FirstStage(f, out / back)


@frozen_noise.register
def _(
    converter: ColumnRamp, technology: Technology, condition: Condition, chain: ReadoutChain, level: float, run: Run
) -> float:
    """k T / C of the ramp as its hold opens, and what the generator's current has integrated until it passes `level`.

    The noise current i(f) = v(f) 2 pi f C, integrated for a time T, leaves the variance of v(f) (2 pi f T)^2 sinc^2.
    """
    wire = chain.bus.wire_capacitance
    deck = ramp_noise_deck(technology, condition, converter, level=level, wire=wire, generator=True)
    (result,) = run(f"converter_noise_{condition.label}", (deck,))
    f, out, _ = _spectra(result)
    passed = max(level - converter.ref_start, 0.0) / converter.step * converter.count
    power = np.trapezoid((out * 2.0 * np.pi * f * passed * np.sinc(f * passed)) ** 2, f)
    line = converter.ramp_capacitance + converter.shared_by * (converter.gate_load + wire)
    return float(np.hypot(np.sqrt(power), charge_noise(line, condition.kelvin)))


def _spectra(result: Result) -> tuple[FloatArray, FloatArray, FloatArray]:
    f, out, back = (np.real(result.signals[n].values) for n in ("frequency", SPECTRUM, INPUT_SPECTRUM))
    return f, out, back
