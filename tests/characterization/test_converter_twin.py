"""Twin of the column converter, spread of its thresholds, drawn noise: hand values and independent counts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import ndtr

from characterization.noise import BOLTZMANN
from characterization.readout.chain_transient import STEP, drawn_currents
from characterization.readout.comparator_noise import ComparatorPoint
from characterization.readout.converter_spread import converter_spread
from characterization.readout.converter_twin import ConverterTwin
from netlists.readout.chain import ReadoutChain
from netlists.readout.chain_noise import NOISY_DEVICES
from netlists.readout.column_sar import ColumnSar

KELVIN = 300.0


def twin_of(noise: float = 0.0, offset: float = 0.0) -> ConverterTwin:
    """No capacitance on the top plate but the units and the one that ends at ground."""
    converter = ColumnSar(top_capacitance=1e-30, reference=0.512)
    point = ComparatorPoint("x", 40.0, 1e-3, 2e-10, noise, 0.0, 0.0, 0.0, (0.0, 1e-11), (0.5, 0.5))
    return ConverterTwin(
        converter, 0.4, np.array([0.0, 255.0]), np.array([offset, offset]), np.array([0.4]), (point,), KELVIN
    )


def test_the_array_shares_charge() -> None:
    """0.512 V over 256 units: 2 mV a step, 0.4 V at the middle code."""
    twin = twin_of(offset=-3e-3)
    assert twin.array_level(np.array([128, 129, 28])) == pytest.approx([0.4, 0.402, 0.2])
    assert twin.threshold(np.array([129])) == pytest.approx([0.399])
    assert twin.code_at(np.array([0.3995, 0.2005])).tolist() == [129, 30]


def test_a_wrong_capacitor_moves_the_codes_that_differ_from_the_middle() -> None:
    """The largest capacitor 1 % too large: code 127 lies 1.28 units lower than it should, over 257.28 units."""
    twin, factors = twin_of(), np.ones(8)
    factors[7] = 1.01
    assert twin.array_level(np.array([128]), factors) == pytest.approx([0.4])
    assert twin.array_level(np.array([127]), factors) == pytest.approx([0.4 - 0.512 * 2.28 / 257.28])


def test_a_quiet_conversion_counts_the_thresholds_below() -> None:
    twin, codes = twin_of(), np.array([40, 60, 90, 130, 150, 200])
    for level in np.linspace(0.1, 0.7, 41):
        assert twin.convert(np.full(3, level), codes) == np.sum(twin.threshold(codes) < level)


def test_noise_makes_the_errors_that_it_should() -> None:
    """Array and comparator noise of 2.0 mV in all, thresholds 3 mV below and 5 mV above: Q(1.5) + Q(2.5)."""
    own = float(np.sqrt(BOLTZMANN * KELVIN / twin_of().converter.top_plate))
    twin = twin_of(noise=float(np.sqrt(4e-6 - own**2)))
    codes = np.array([118, 122])  # 0.380 and 0.388 V
    rng = np.random.default_rng(3)
    wrong = np.mean([twin.convert(np.full(2, 0.383), codes, rng) != 1 for _ in range(6000)])
    expected = ndtr(-1.5) + ndtr(-2.5)
    assert wrong == pytest.approx(expected, abs=4 * np.sqrt(expected / 6000))


def test_spread_of_thresholds_by_hand() -> None:
    """Steps of 2 mV: 0.577 mV; 64 reads of 0.8 mV: 0.1 mV for the middle and as much at the ends."""
    converter = replace(twin_of().converter, unit_mismatch=1e-9)
    found = converter_spread(converter, 0.8e-3, 0.0)
    assert found.rounding == pytest.approx(2e-3 / np.sqrt(12))
    assert found.calibration == pytest.approx(1e-4 * np.sqrt(4 / 3))
    assert found.total == pytest.approx(np.hypot(found.rounding, found.calibration), rel=1e-6)
    four = converter_spread(converter, 0.0, 1.2e-3)  # replicas alone: 1.2 mV / 2 at an end, root of a third on average
    assert four.calibration == pytest.approx(0.6e-3 / np.sqrt(3))


def test_capacitors_spread_as_drawn_ones_do() -> None:
    """Closed form against 3,000 drawn arrays, all codes but the outer eighths."""
    a = twin_of().converter
    codes = np.arange(a.units // 8, a.units - a.units // 8)
    rng, twin = np.random.default_rng(4), twin_of()
    sigma = a.unit_sigma / np.sqrt(2.0 ** np.arange(a.bits))
    drawn = [twin.array_level(codes, 1 + sigma * rng.standard_normal(a.bits)) for _ in range(3000)]
    found = np.sqrt(np.mean(np.var(drawn, axis=0)))
    assert converter_spread(a, 0.0, 0.0).capacitors == pytest.approx(found, rel=0.1)


def test_drawn_currents_have_the_density_and_their_windows() -> None:
    """4 k T g over two samples a period: rms^2 = 4 k T g / (2 STEP); switches are silent outside of their windows."""
    chain, g = ReadoutChain(), {d.name: 1e-4 for d in NOISY_DEVICES}
    decides = chain.timing.decides
    sources = {
        s.name: np.array(s.corners)
        for s in drawn_currents(chain, g, KELVIN, np.random.default_rng(1), decisions=[decides + 50e-9])
    }
    t, i = sources["noise_follower"].T
    assert np.std(i) == pytest.approx(np.sqrt(4 * BOLTZMANN * KELVIN * 1e-4 / (2 * STEP)), rel=0.05)
    t, i = sources["noise_clamp"].T
    assert t[-1] <= chain.timing.clamp_opens + 20e-12
    assert i[[0, 1, -1]].tolist() == [0.0, 0.0, 0.0]
    assert np.abs(i).max() > 0
