"""Readout circuits measured in ngspice against hand values and behavioral twins; edge search on known converters."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from characterization.readout.codes import (
    RampCalibration,
    flash_bubbles,
    flash_codes,
    flash_thermometer,
    ramp_codes,
    ramp_times,
    sar_codes,
)
from characterization.readout.comparator import decision, offset_spread, threshold_draws
from characterization.readout.converters import adc_deck, adc_edges, conversion_cost, convert_levels, fitted_twin
from characterization.readout.linearity import find_edges
from characterization.readout.sampling import sampler_readings, sampling_noise
from characterization.readout.testbench import ReadoutTestbench, UndecidedError
from characterization.readout.virtual_ground import current_sense_readings, design_resistance
from netlists.condition import Condition
from netlists.readout.cds import Sampler
from netlists.readout.column_mux import PROBE_CURRENT, ColumnMux, mux_deck
from netlists.readout.current_sense import CurrentSense
from netlists.readout.flash import Flash
from netlists.readout.ramp import Ramp
from netlists.readout.sar import Sar
from netlists.readout.strongarm import StrongArm, offset_deck
from netlists.technology import load_technology
from ngspice_runner.errors import EngineError

BENCH = ReadoutTestbench(load_technology("open45", "open45"), Condition("tt", 1.0, 27.0), workers=1)


# ---- comparator


def test_offset_of_a_known_shift() -> None:
    """A voltage in series with an input is an offset of exactly that size: found back within the resolution."""
    deck = offset_deck(BENCH.technology, BENCH.condition, common_mode=0.25, half_range=32e-3, decisions=10)
    assert deck.text.count("X_comparator in_p in_n") == 1
    shifted = deck.text.replace("X_comparator in_p", "V_shift in_p at_p 7.0e-03\nX_comparator at_p")
    plain, found = (w.signals["v(difference)"][-1] for w in BENCH.run([deck, replace(deck, text=shifted)]))
    resolution = 32e-3 / 2**10
    assert abs(plain) <= 1.5 * resolution  # a symmetric circuit has none
    assert found == pytest.approx(7e-3, abs=2 * resolution)


def test_offset_spread_is_that_of_the_input_pair() -> None:
    spread = offset_spread(BENCH, samples=16, seed=3)
    # Pelgrom: avt_p / sqrt(W L) = 2.1e-9 / sqrt(2 um x 0.1 um) = 4.70 mV, the input pair alone
    assert spread.hand == pytest.approx(4.696e-3, rel=1e-3)
    # 16 samples know sigma to 18 %; the promise of 25 % is checked with 200 samples (slow)
    assert 0.6 < spread.sigma / spread.hand < 1.6
    assert spread.resolution < 0.01 * spread.hand


@pytest.mark.slow
def test_offset_spread_of_200_samples() -> None:
    spread = offset_spread(replace(BENCH, workers=2), samples=200, seed=1)
    assert spread.sigma == pytest.approx(spread.hand, rel=0.25)
    assert abs(spread.offsets.mean()) < 4 * spread.sigma / np.sqrt(200)


def test_threshold_draws_repeat_and_differ() -> None:
    sizes = StrongArm()
    first, again, other = (threshold_draws(BENCH, sizes, seed, 5) for seed in (1, 1, 2))
    assert first == again
    assert first.keys() == set(sizes.shifts)
    assert all(first[name] != other[name] for name in first)


@pytest.mark.parametrize(("kind", "common"), [("p", 0.25), ("n", 0.7)])
def test_decisions_of_both_polarities(kind: str, common: float) -> None:
    sizes = StrongArm(input_type=kind)  # type: ignore[arg-type]
    slow, fast = (decision(BENCH, x, sizes=sizes, common_mode=common) for x in (5e-3, 100e-3))
    negative = decision(BENCH, -5e-3, sizes=sizes, common_mode=common)
    assert negative.delay == pytest.approx(slow.delay, rel=0.03)
    assert 20e-12 < fast.delay < slow.delay < 400e-12
    # Some 20 fF to 60 fF of nodes move by 1 V in a period.
    assert 10e-15 < slow.energy < 100e-15


# ---- converters


@pytest.mark.parametrize("adc", [Sar(bits=3), Flash(bits=3)], ids=["sar", "flash"])
@pytest.mark.parametrize("level", ["transistor", "behavioral"])
def test_code_edges_of_three_bits(adc: Sar | Flash, level: str) -> None:
    """0.1 of a 6-bit step (6.25 mV) to either side of every ideal edge: 0.0125 of a 3-bit step, the codes are ideal."""
    edges = adc.ref_low + np.arange(1, 8) * (adc.ref_high - adc.ref_low) / 8
    delta = 0.15 * 6.25e-3
    levels = np.sort(np.concatenate([edges - delta, edges + delta]))
    got = convert_levels(BENCH, adc, levels, level)  # type: ignore[arg-type]
    assert got.tolist() == [0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7]


def test_ramp_edges_of_four_bits() -> None:
    adc = Ramp(bits=4, count=2e-9)
    real, twin = (adc_edges(BENCH, adc, level) for level in ("transistor", "behavioral"))
    assert real.missing == twin.missing == ()
    assert np.abs(twin.deviation).max() < 0.01  # ideal current, ideal comparator
    assert np.abs(real.inl).max() < 0.1
    assert np.abs(real.dnl).max() < 0.1
    assert np.abs(real.deviation - twin.deviation).max() < 0.1


@pytest.mark.slow
@pytest.mark.parametrize("adc", [Sar(), Flash()], ids=["sar", "flash"])
def test_linearity_of_six_bits(adc: Sar | Flash) -> None:
    bench = replace(BENCH, workers=2)
    real = adc_edges(bench, adc)
    twin = adc_edges(bench, fitted_twin(adc, real) if isinstance(adc, Sar) else adc, "behavioral")
    assert real.missing == twin.missing == ()
    assert np.abs(real.deviation).max() < 0.5
    assert np.abs(real.inl).max() <= 0.5
    assert np.abs(real.dnl).max() <= 0.5
    assert np.abs(real.deviation - twin.deviation).max() <= 0.1 + real.uncertainty / real.step


def test_twins_convert_the_whole_range() -> None:
    for adc in (Sar(bits=5), Flash(bits=5)):
        edges = adc_edges(BENCH, adc, "behavioral")
        assert edges.missing == ()
        assert np.abs(edges.deviation).max() < 0.07
    bent = Sar(bits=4, twin_offset=10e-3, twin_gain=1.02)
    edges = adc_edges(BENCH, bent, "behavioral")
    assert edges.gain == pytest.approx(1.02, abs=0.01)
    again = fitted_twin(Sar(bits=4), edges)
    assert again.twin_offset == pytest.approx(10e-3, abs=0.2 * edges.step)
    assert again.twin_gain == edges.gain


def test_output_that_is_still_rising_is_refused() -> None:
    (waves,) = BENCH.run([Flash(bits=2).deck(BENCH.technology, BENCH.condition, [0.3], level="behavioral")])
    rising = waves.crossing("v(t_1)", waves.deck.windows[0])
    with pytest.raises(UndecidedError, match=r"v\(t_1\) is at 0.5 V"):
        flash_codes(replace(waves, deck=replace(waves.deck, reads=((rising,),))))


def test_sar_read_too_early_is_refused() -> None:
    """Before the clock rises both outputs of the comparator are low: no decision."""
    adc = Sar(bits=3)
    (waves,) = BENCH.run([adc_deck(BENCH, adc, [0.3], "behavioral")])
    early = tuple(tuple(t - 0.5 * adc.cycle for t in read) for read in waves.deck.reads)
    with pytest.raises(UndecidedError, match="no decision"):
        sar_codes(replace(waves, deck=replace(waves.deck, reads=early)))


def test_sar_register_that_lost_a_bit_is_refused() -> None:
    (waves,) = BENCH.run([adc_deck(BENCH, Sar(bits=3), [0.4], "behavioral")])
    signals = {**waves.signals, "v(q_2)": np.zeros_like(waves.time)}
    with pytest.raises(EngineError, match="lost bit 2"):
        sar_codes(replace(waves, signals=signals))


def test_bubbles_are_counted_and_do_not_jump() -> None:
    (waves,) = BENCH.run([Flash(bits=3).deck(BENCH.technology, BENCH.condition, [0.32], level="behavioral")])
    assert flash_thermometer(waves).tolist() == [[True] * 5 + [False] * 2]
    swapped = {**waves.signals, "v(t_4)": waves.signals["v(n_4)"], "v(n_4)": waves.signals["v(t_4)"]}
    bubbly = replace(waves, signals=swapped)
    assert flash_codes(bubbly).tolist() == [4]
    assert flash_bubbles(bubbly).tolist() == [1]


def test_ramp_that_never_meets_its_input_is_refused() -> None:
    (waves,) = BENCH.run([adc_deck(BENCH, Ramp(bits=3, ref_high=0.2), [0.6], "behavioral")])
    with pytest.raises(UndecidedError, match="does not rise"):
        ramp_times(waves)


def test_ramp_codes_clip() -> None:
    calibration = RampCalibration.of(1e-9, 5e-9, 2)
    times = np.array([0.5e-9, 1.5e-9, 2.5e-9, 4.99e-9, 9e-9])
    assert ramp_codes(times, calibration, 2).tolist() == [0, 0, 1, 3, 3]


def test_cost_of_a_conversion() -> None:
    adc = Flash(bits=3)
    cost = conversion_cost(BENCH, adc, [0.2])
    assert cost.energy == pytest.approx(sum(cost.sources.values()))
    # Ladder: 0.4 V over 8 x 10 ohm for 4 ns = 8 pJ, delivered by both references together
    ladder = cost.sources["v_ref_high"] + cost.sources["v_ref_low"]
    assert ladder == pytest.approx(0.4**2 / 80 * 4e-9, rel=0.01)
    # 7 comparators of 54 fJ (decision at 5 mV), with large inputs somewhat less
    assert 7 * 25e-15 < cost.sources["v_dd"] < 7 * 70e-15


# ---- edge search on converters that are known


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    bits=st.integers(3, 7),
    offset=st.floats(-1.5, 1.5),
    gain=st.floats(0.97, 1.03),
    spread=st.floats(0.0, 0.4),
)
def test_edges_of_a_known_converter_are_found(seed: int, bits: int, offset: float, gain: float, spread: float) -> None:
    rng = np.random.default_rng(seed)
    n = 2**bits
    step = 0.4 / n
    true = 0.2 + step * np.sort(offset + gain * np.arange(1, n) + rng.uniform(-spread, spread, n - 1))
    edges = find_edges(lambda v: np.searchsorted(true, v), bits=bits, low=0.2, high=0.6, resolution=0.1)
    assert np.abs(edges.volts - true).max() <= edges.uncertainty * (1 + 1e-9)
    assert edges.uncertainty <= 0.051 * step
    line = np.linspace(edges.volts[0], edges.volts[-1], n - 1)
    assert edges.inl == pytest.approx((edges.volts - line) / (line[1] - line[0]), abs=1e-9)


def test_missing_code_is_named() -> None:
    true = 0.05 + 0.0125 * np.array([1, 2, 3, 4, 5, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15.0])
    edges = find_edges(lambda v: np.searchsorted(true, v), bits=4, low=0.05, high=0.25)
    assert edges.missing == (5,)
    assert edges.dnl.min() == pytest.approx(-1.0, abs=0.13)


def test_dead_converter_is_refused() -> None:
    with pytest.raises(EngineError, match="the converter does not work"):
        find_edges(lambda v: np.zeros(v.size, dtype=np.int64), bits=4, low=0.05, high=0.25)


# ---- sampling, multiplexer, current sense


def test_double_sampling_cancels_what_the_reset_leaves() -> None:
    plain, double = (sampler_readings(BENCH, correlated=c) for c in (False, True))
    assert plain.residue == pytest.approx(1.0, abs=0.02)
    assert double.residue < 0.01
    assert abs(double.injection_change) < 0.02 * abs(plain.injection_change)
    twin = sampler_readings(BENCH, correlated=True, level="behavioral")
    s = Sampler()
    series = s.double_capacitance * s.sample_capacitance / (s.double_capacitance + s.sample_capacitance)
    # the line is loaded by both capacitors in series, then divided by them
    assert twin.gain == pytest.approx(s.line_capacitance / (s.line_capacitance + series) * s.gain, rel=1e-3)
    assert 0.6 * twin.gain < double.gain < twin.gain  # junctions and gates take their part
    assert twin.residue < 1e-6


def test_sampling_noise_by_hand() -> None:
    noise = sampling_noise(Sampler(), 300.0)
    assert noise["reset"] == pytest.approx(np.sqrt(1.380649e-23 * 300 / 6e-15))  # 0.83 mV
    # clamp: node 2 fF + 6||6 fF = 5 fF; gain of the unloaded line 6/7.5 x 6/8 = 0.6
    assert noise["clamp"] == pytest.approx(np.sqrt(1.380649e-23 * 300 / 5e-15) / 0.6)


def test_multiplexer_passes_one_input() -> None:
    levels = [0.4, 0.1, 0.3, 0.2]
    for level in ("transistor", "behavioral"):
        deck = mux_deck(BENCH.technology, BENCH.condition, levels, mux=ColumnMux(inputs=4), level=level)  # type: ignore[arg-type]
        (waves,) = BENCH.run([deck])
        before, after = waves.at("v(out)", deck.reads).T
        assert before == pytest.approx(levels, abs=1e-4)
        assert np.all((before - after) / PROBE_CURRENT < 2.5e3)


def test_current_sense() -> None:
    got = current_sense_readings(BENCH)
    s = CurrentSense()
    assert got.input_resistance == pytest.approx(design_resistance(BENCH, got), rel=0.1)
    assert got.nonlinearity < 0.1
    # one row: 0.2 V / 1 Mohm = 0.2 uA, less what the input resistance takes of 31.25 kohm
    loss = 1 + got.dynamic_resistance * s.rows / s.cell_resistance
    assert np.polyfit(got.counts, got.current, 1)[0] == pytest.approx(s.count_current / loss, rel=0.01)
    assert 0 < got.offset < 20e-3
    twin = current_sense_readings(BENCH, level="behavioral")
    assert twin.input_resistance == pytest.approx(s.twin_resistance, rel=1e-3)
