"""Readout kinds by transistors: linear codes, closed forms of their noise."""

from __future__ import annotations

import numpy as np
import pytest

from characterization.noise import BOLTZMANN
from characterization.readout.readout_noise import (
    chain_sample_noise,
    current_sense_noise,
    local_inverter_noise,
    ramp_comparator_noise,
)
from characterization.readout.testbench import ReadoutTestbench
from netlists.condition import Condition
from netlists.readout.chain import DoubleSampler, ReadoutChain
from netlists.readout.column_ramp import column_ramp_deck
from netlists.readout.current_sense import CurrentSense
from netlists.readout.local_inverter import LocalInverter, local_inverter_deck
from netlists.readout.ramp import Ramp
from netlists.technology import load_technology
from ngspice_runner import Job, run

pytestmark = pytest.mark.ngspice
METAL = 24 * 33.2e-18
REFERENCE = 660e-18  # of rows that carry the ramp
COUNT = 28.8e-3  # V per count at the metal: 2 * 11.5 aF * 1 V / METAL


@pytest.fixture(scope="module")
def bench() -> ReadoutTestbench:
    technology = load_technology("generic28", "open45")
    return ReadoutTestbench(technology, Condition("tt", technology.devices.vdd, 27.0), workers=1)


def test_the_local_inverter_counts_linearly(bench: ReadoutTestbench) -> None:
    """The ramp crosses one count of the cells' step later per count: within 0.1 count over +-12."""
    a, counts = LocalInverter(), np.array([-12.0, -6.0, 0.0, 6.0, 12.0])
    decks = [
        local_inverter_deck(
            bench.technology, bench.condition, a, capacitance=METAL, reference=REFERENCE, swing=float(k * COUNT)
        )
        for k in counts
    ]
    times = np.array([w.crossing("v(out)", (a.ramp_start, a.stop)) for w in bench.run(decks)])
    slope, offset = np.polyfit(counts, times, 1)
    # the ramp of 1 V on 660 aF takes 32 ns; a count moves METAL * COUNT = 23 aC: 1.11 ns
    assert slope == pytest.approx(-32e-9 * METAL * COUNT / REFERENCE, rel=0.1)
    assert np.abs(times - offset - slope * counts).max() < 0.1 * abs(slope)


def test_noise_of_the_local_inverter(bench: ReadoutTestbench) -> None:
    own, zeroing = local_inverter_noise(
        bench.technology,
        bench.condition,
        LocalInverter(),
        lambda _, decks: [run(Job(d.text, d.outputs, stop=None)) for d in decks],
        capacitance=METAL,
        reference=REFERENCE,
    )
    # k T / C of metal, reference rows and a gate of below twice their size
    metal = np.sqrt(BOLTZMANN * 300.15 / (METAL + REFERENCE))
    assert metal / np.sqrt(3) < zeroing < metal
    volts = COUNT * METAL / REFERENCE  # of the ramp
    assert 0.1 * volts > own > 0.001 * volts


def test_columns_share_a_ramp(bench: ReadoutTestbench) -> None:
    """Equal levels cross at the same time, different ones in proportion."""
    ramp = Ramp(bits=4, ref_low=0.3, ref_high=0.5, ref_start=0.25)
    levels = [0.32, 0.40, 0.48, 0.40]
    deck = column_ramp_deck(bench.technology, bench.condition, ramp, levels)
    (waves,) = bench.run([deck])
    times = [waves.crossing(f"v(out_{k})", deck.windows[0]) for k in range(4)]
    assert times[1] == pytest.approx(times[3], abs=1e-12)
    assert (times[2] - times[1]) / (times[1] - times[0]) == pytest.approx(1.0, abs=0.05)
    assert ramp_comparator_noise(bench, ramp) < 0.1 * ramp.step


def test_noise_of_a_small_sampling_capacitor_is_larger(bench: ReadoutTestbench) -> None:
    """Referred to the cells: the clamp alone leaves sqrt(k T / C) on the capacitor, behind the follower's gain."""
    noise = {}
    for c in (5e-15, 60e-15):
        chain = ReadoutChain(sampler=DoubleSampler(capacitance=c))
        gain, rms = chain_sample_noise(bench, chain, capacitance=METAL)
        noise[c] = rms / gain
        assert 0 < gain < 1
    assert noise[5e-15] > np.sqrt(BOLTZMANN * 300.15 / 5e-15)
    assert noise[60e-15] < noise[5e-15]


def test_the_current_sense_has_more_noise_than_its_cells(bench: ReadoutTestbench) -> None:
    """Cells alone: 4 k T R / N in the band 1 / (2 t) of the integration (Johnson-Nyquist)."""
    sense = CurrentSense(rows=24, cell_resistance=500e3)
    cells = np.sqrt(4 * BOLTZMANN * 300.15 * 500e3 / 24 / (2 * sense.integration_time))
    assert cells < current_sense_noise(bench, sense) < 4 * cells
