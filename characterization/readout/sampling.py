"""Bit-line sampler: what double sampling removes, and what the switches inject."""

from dataclasses import dataclass

import numpy as np

from characterization.readout.testbench import ReadoutTestbench
from netlists.periphery import Periphery
from netlists.readout.cds import Sampler, sampler_deck
from netlists.readout.deck import Level

_BOLTZMANN = 1.380649e-23


@dataclass(frozen=True, slots=True)
class SamplerReadings:
    """Readings of one kind of sampling; all in V at the sampler's output except gain and residue.

    gain: output step per step of the unloaded bit line. residue: output change per offset on the line after reset, over
    the gain (1: passed on in full, 0: cancelled). injection: output without input and offset, less its ideal level.
    injection_change: how far the injection moves when the reset switch is made twice as wide.
    """

    gain: float
    residue: float
    injection: float
    injection_change: float


def sampler_readings(
    bench: ReadoutTestbench,
    *,
    correlated: bool,
    step: float = 0.3,
    offset: float = 20e-3,
    sampler: Sampler | None = None,
    periphery: Periphery | None = None,
    level: Level = "transistor",
) -> SamplerReadings:
    """Four reads: nothing, an offset after the reset, an input step, and nothing with a wider reset switch.

    step: share of the bit line's capacitance that is driven. offset: V on the unloaded line.
    """
    s, p = sampler or Sampler(), periphery or Periphery()
    wide = Periphery(reset_width=2 * p.reset_width, length=p.length, reset_driver_width=p.reset_driver_width)
    cases = [(0.0, 0.0, p), (0.0, offset, p), (step, 0.0, p), (step, offset, p), (0.0, 0.0, wide)]
    decks = [
        sampler_deck(
            bench.technology,
            bench.condition,
            step=x,
            offset=o,
            correlated=correlated,
            sampler=s,
            periphery=z,
            level=level,
        )
        for x, o, z in cases
    ]
    rest, shifted, moved, both, wider = (w.signals["v(out)"][-1] for w in bench.run(decks))
    gain = float((moved - rest) / (step * bench.condition.vdd))
    # The larger of the residues without and with signal counts.
    residue = max(abs(shifted - rest), abs(both - moved)) / offset / gain
    ideal = s.ref if correlated else 0.0
    return SamplerReadings(gain, float(residue), float(rest - ideal), float(wider - rest))


def sampling_noise(sampler: Sampler, kelvin: float) -> dict[str, float]:
    """Thermal noise that each switch leaves, rms V referred to the unloaded bit line (closed form, q^2 = k T C).

    reset: of the bit line, which double sampling removes. clamp: of the first sample, which double sampling adds; the
    clamp's node carries the sampling capacitor and, in series, the double-sampling capacitor with the line.
    second: of the sampling switch that opens last (its capacitor sees the rest of the circuit in series).
    """
    line, double, hold = sampler.line_capacitance, sampler.double_capacitance, sampler.sample_capacitance
    node = hold + line * double / (line + double)
    # Output per volt of the unloaded line: the line is loaded by double and hold in series, then divided.
    gain = line / (line + double * hold / (double + hold)) * sampler.gain
    kt = _BOLTZMANN * kelvin
    rest = line * double / (line + double)
    return {
        "reset": float(np.sqrt(kt / line)),
        "clamp": float(np.sqrt(kt / node) / gain),
        "second": float(np.sqrt(kt / hold * rest / (hold + rest)) / gain),
    }
