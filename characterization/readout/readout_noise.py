"""Noise of readout kinds from the engine's noise analysis, each as a voltage where its levels are stated."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from characterization.readout.chain_noise import MIDDLE, bus_reset_noise, sampled_rms, settled_gain
from characterization.readout.comparator_noise import Run
from characterization.readout.converter_noise import Aperture
from characterization.readout.testbench import ReadoutTestbench
from interconnect.arrays import FloatArray
from netlists.condition import Condition
from netlists.deck import Deck
from netlists.readout.chain import ReadoutChain
from netlists.readout.chain_noise import NoiseSample, chain_noise_deck
from netlists.readout.column_ramp import column_ramp_deck
from netlists.readout.current_sense import CurrentSense, sense_noise_deck
from netlists.readout.inverter_noise import inverter_noise_deck
from netlists.readout.local_inverter import LocalInverter
from netlists.readout.ramp import Ramp
from netlists.technology import Technology
from ngspice_runner.errors import EngineError
from ngspice_runner.executor import run_many
from ngspice_runner.job import Job, Result


def chain_sample_noise(
    bench: ReadoutTestbench, chain: ReadoutChain, *, capacitance: float, comparator: Aperture | None = None
) -> tuple[float, float]:
    """(gain, noise): of both samples of a chain and the reset of its bus, V rms at the comparator's input.

    capacitance: metal of the bit line, F, without a step. comparator: lets a part of the second sample's noise
    through. gain: from a step of the cells to the comparator's input.
    """
    t = chain.timing

    def result(sample: NoiseSample) -> Result:
        deck = chain_noise_deck(
            bench.technology,
            chain,
            bench.condition,
            sample=sample,
            capacitance=capacitance,
            bit_line=chain.segment.reset_level,
            bus_level=chain.sampler.common_mode,
        )
        return _run(bench, deck)

    first, second, line = result("first"), result("second"), result("line")
    gain = settled_gain(second)
    kept, delay = gain / settled_gain(line), t.decides - t.clamp_opens + chain.converter.wait
    bus = bus_reset_noise(chain, kept, bench.condition.kelvin)
    return gain, float(np.linalg.norm([kept * sampled_rms(first, delay), sampled_rms(second, delay, comparator), bus]))


def ramp_comparator_noise(bench: ReadoutTestbench, ramp: Ramp) -> float:
    """Comparator of a ramp at balance in mid-range, V rms at its input, in the band of its first stage."""
    deck = column_ramp_deck(bench.technology, bench.condition, ramp, [(ramp.ref_low + ramp.ref_high) / 2], noise=True)
    f, out, gain = _readout_spectra(bench, deck, 1e6)
    return float(np.sqrt(np.trapezoid(out**2, f))) / gain


def local_inverter_noise(
    technology: Technology,
    condition: Condition,
    inverter: LocalInverter,
    run: Run,
    *,
    capacitance: float,
    reference: float,
) -> tuple[float, float]:
    """Noise of a zeroed inverter on a bit line by two noise analyses.

    Parameters
    ----------
    technology, condition, inverter
        What is simulated.
    run : Run
        Simulates decks.
    capacitance, reference : float
        Of the line, F: see `local_inverter_deck`.

    Returns
    -------
    tuple of float
        The first inverter at its threshold, V rms of the ramp; the bit line while reset and inverter hold it, V rms.
    """
    decks = [
        inverter_noise_deck(
            technology, condition, inverter, capacitance=capacitance, reference=reference, zeroing=zeroing
        )
        for zeroing in (False, True)
    ]
    deciding, zeroed = run(f"local_inverter_noise_{condition.label}", decks)
    f, out, gain = _spectra(deciding, decks[0].outputs, MIDDLE)
    held = _spectra(zeroed, decks[1].outputs, MIDDLE)
    return float(np.sqrt(np.trapezoid(out**2, f))) / gain, float(np.sqrt(np.trapezoid(held[1] ** 2, held[0])))


def current_sense_noise(bench: ReadoutTestbench, sense: CurrentSense) -> float:
    """Sense and cells over one integration, V rms at the rows (all of them driven).

    The capacitor integrates: its voltage times the frequency is the current's density, which a window of the
    integration time averages.
    """
    f, out, gain = _readout_spectra(bench, sense_noise_deck(bench.technology, bench.condition, sense=sense), MIDDLE)
    rows = out * f / (gain * MIDDLE)
    window = np.sinc(f * sense.integration_time)
    return float(np.sqrt(np.trapezoid((rows * window) ** 2, f)))


def _readout_spectra(bench: ReadoutTestbench, deck: Deck, middle: float) -> tuple[FloatArray, FloatArray, float]:
    """Frequency (Hz), density of the output (V/sqrt(Hz)), gain at `middle` (Hz)."""
    return _spectra(_run(bench, deck), deck.outputs, middle)


def _spectra(result: Result, outputs: Sequence[str], middle: float) -> tuple[FloatArray, FloatArray, float]:
    f, out, back = (np.real(result.signals[name].values) for name in ("frequency", *outputs))
    return f, out, float(np.interp(middle, f, out / back))


def _run(bench: ReadoutTestbench, deck: Deck) -> Result:
    job = Job(deck.text, deck.outputs, stop=None, timeout=bench.timeout, options=bench.technology.devices.job_options)
    (result,) = run_many([job], workers=1, cache=bench.cache)
    if not result.ok:
        raise EngineError(f"readout noise: verdict {result.verdict}: {result.log[:300]}")
    return result
