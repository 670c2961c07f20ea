"""Noise and thresholds of a readout chain: hand values, limits, and a converter that must be the ideal one."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from characterization.fit import LevelModel, bent_features, even_pair, fit_levels, fit_spread
from characterization.noise import BOLTZMANN
from characterization.procedures.chain_margin import chain_assumptions, chain_noise, chain_thresholds
from characterization.procedures.comparator_noise import scaled_comparator
from characterization.readout.chain_noise import ChainNoisePoint
from characterization.readout.comparator_decisions import linear_noise, linear_sigma, transient_noise
from characterization.readout.comparator_noise import (
    DIFFERENCE,
    GAMMA,
    ComparatorPoint,
    ComparatorSensitivity,
    sensitivity_of,
)
from characterization.testbench import Testbench
from netlists.condition import Condition
from netlists.readout.chain import ReadoutChain
from netlists.readout.chain_noise import chain_noise_deck
from netlists.readout.strongarm import StrongArm
from ngspice_runner import Job, Result, run

TT, HOT = Condition("tt", 1.0, 27.0), Condition("tt", 1.0, 85.0)


def chain_setup(charge_setup: Testbench, rows: int) -> Testbench:
    return replace(charge_setup, rows=rows, chain=ReadoutChain(), model=charge_setup.model.complement_driven())


def model_of(condition: Condition, rows: int, slope: float, bend: float = 0.0) -> LevelModel:
    """level = slope d / rows + bend (d / rows)^3."""
    coefficients = np.zeros(10)
    coefficients[[1, 3]] = slope, bend
    blank = fit_levels(condition, rows, *_grid(rows), np.zeros(len(_grid(rows)[0])), seed=1, shape="bent")
    return replace(blank, coefficients=coefficients)


def _grid(rows: int) -> tuple[np.ndarray, np.ndarray]:
    pairs = np.array([(a, c) for a in range(rows + 1) for c in range(a + 1)], dtype=float)
    return pairs[:, 0], pairs[:, 1]


def test_even_pair_by_hand() -> None:
    """5 active, 2 counted: a counted dummy row makes 6 and 3, d = 0; 4 and 2 stay as they are."""
    driven, counted = even_pair(np.array([5.0, 4.0]), np.array([2.0, 2.0]))
    assert driven.tolist() == [6, 4]
    assert counted.tolist() == [3, 2]


@pytest.mark.parametrize("rows", [8, 9])
def test_a_bent_level_is_fitted_exactly(rows: int) -> None:
    active, count = _grid(rows)
    driven, counted = even_pair(active, count)
    d = (2 * counted - driven) / rows
    level = 0.11 * d - 0.012 * d**3 + 1e-3 * driven / rows
    model = fit_levels(TT, rows, active, count, level, seed=1, shape="bent")
    assert model(active, count) == pytest.approx(level, abs=1e-12)
    assert model.quality.held_out_max < 1e-12
    assert bent_features(np.zeros(3), np.zeros(3)).shape == (3, 10)


def test_spreads_of_cells_gain_and_leakage_are_separated() -> None:
    """sigma^2 = 1 + 0.1 driven + 0.04 d^2 + 0.001 min(d, 0)^4 + 0.0005 max(d, 0)^4, exact."""
    points = np.array([(0, 0), (4, 0), (4, 4), (8, 0), (8, 4), (8, 8)], dtype=float)
    a, c = points.T
    d = 2 * c - a
    variance = 1.0 + 0.1 * a + 0.04 * d**2 + 1e-3 * np.minimum(d, 0) ** 4 + 5e-4 * np.maximum(d, 0) ** 4
    model = fit_spread(TT, a, c, variance, np.full(6, 100.0), gain=True)
    assert model.variances == pytest.approx([1.0, 0.1, 0.04, 1e-3, 5e-4], rel=1e-6)
    # 5 active and 5 counted are read with a dummy row, as 6 and 6
    assert model(np.array([5.0]), np.array([5.0]))[0] ** 2 == pytest.approx(1.0 + 0.6 + 0.04 * 36 + 5e-4 * 6**4)


@pytest.mark.parametrize("rows", [8, 9])
@pytest.mark.parametrize("bend", [0.0, -0.01])
def test_thresholds_lie_midway_between_levels_of_every_number_of_active_rows(
    charge_setup: Testbench, rows: int, bend: float
) -> None:
    """Levels that depend on d alone: one set of fixed steps, shifted digitally, serves every number of active rows."""
    setup = chain_setup(charge_setup, rows)
    model = model_of(TT, rows, 0.1, bend)
    (thresholds,) = chain_thresholds(setup, (model,))
    for a in range(rows + 1):
        for c in range(a):
            low, high = model(np.array([a, a], dtype=float), np.array([c, c + 1], dtype=float))
            assert thresholds[a, c] == pytest.approx((low + high) / 2, abs=1e-12)
    assert (np.diff(thresholds, axis=1) > 0).all()


def test_the_ladder_follows_the_ends_and_not_the_shape(charge_setup: Testbench) -> None:
    """Nominal straight, hot with 10 % less gain and a bend: ends right, the middle off by what the bend leaves."""
    setup = replace(chain_setup(charge_setup, 8), conditions=(TT, HOT))
    nominal, hot = model_of(TT, 8, 0.1), model_of(HOT, 8, 0.1, -0.01)
    first, second = chain_thresholds(setup, (nominal, hot))
    ends = hot.of_difference(8.0, np.array([-8.0, 8.0]))
    assert second[8] == pytest.approx(ends[0] + (first[8] + 0.1) / 0.2 * (ends[1] - ends[0]))


def test_noise_adds_by_power(charge_setup: Testbench) -> None:
    """3, 4 and 12 mV make 13 mV; a comparator of 5 mV of which the converter has 3 adds 4 mV."""
    setup = chain_setup(charge_setup, 8)
    point = ChainNoisePoint("x", 0.4, 3e-3, (4e-3, 4e-3, 4e-3), 12e-3, 5e-3)
    a, c = np.array([8.0]), np.array([4.0])
    assert chain_noise(setup, point, 5e-3, a, c)[0] == pytest.approx(13e-3)
    assert chain_noise(setup, point, 3e-3, a, c)[0] == pytest.approx(np.hypot(13e-3, 4e-3))


def test_every_input_says_whether_it_is_simulated(charge_setup: Testbench) -> None:
    found = {a.name: a.status for a in chain_assumptions(chain_setup(charge_setup, 8))}
    assert found["readout"] == found["readout noise"] == found["comparator noise"] == "simulated"
    assert found["converter after the comparator"] == "fitted twin"
    assert [n for n, s in found.items() if s == "assumption"] == []


@pytest.mark.ngspice
def test_the_first_sample_is_at_least_its_capacitor(charge_setup: Testbench) -> None:
    """k T / C of the series capacitor alone is below what it keeps: line and follower add to it."""
    s, chain = charge_setup, ReadoutChain()
    deck = chain_noise_deck(s.technology, chain, TT, sample="first", capacitance=1e-15, bit_line=0.28, bus_level=0.4)
    result = run(Job(deck.text, deck.outputs, options=s.technology.devices.job_options))
    assert result.ok, result.log
    f, out = (np.real(result.signals[n].values) for n in ("frequency", "onoise_spectrum"))
    found = float(np.sqrt(np.trapezoid(out**2, f)))
    alone = float(np.sqrt(BOLTZMANN * TT.kelvin / chain.sampler.capacitance))
    assert alone < found < 2 * alone


def _engine(setup: Testbench) -> Callable[[str, Sequence[Any]], list[Result]]:
    def go(name: str, decks: Sequence[Any]) -> list[Result]:
        options = setup.technology.devices.job_options
        results = [run(Job(d.text, d.outputs, stop=d.stop, options=options)) for d in decks]
        assert all(r.ok for r in results), [r.log for r in results]
        return results

    return go


@pytest.mark.ngspice
def test_comparator_noise_falls_with_its_size(charge_setup: Testbench) -> None:
    """Every width twice: the same waveforms, all conductances twice, so half of the noise power. The input pair alone
    is 4 k T 2/3 gm over gm^2 t, t the time over which it integrates: a hand value."""
    s, usual = charge_setup, StrongArm()
    double = scaled_comparator(usual, 2.0)
    one, two = (sensitivity_of(s.technology, TT, size, 0.4, _engine(s)).point for size in (usual, double))
    assert two.gm == pytest.approx(2 * one.gm, rel=0.02)
    assert two.noise == pytest.approx(one.noise / np.sqrt(2), rel=0.03)
    window = 1 / (np.max(one.weights / np.gradient(one.delays)))  # s: of a flat aperture of the same height
    by_hand = np.sqrt(4 * BOLTZMANN * TT.kelvin * GAMMA / (one.gm * window))
    assert one.input == pytest.approx(by_hand, rel=0.15)


@pytest.mark.ngspice
def test_charges_through_the_input_pair_are_the_gain(charge_setup: Testbench) -> None:
    """A difference of the inputs acts through gm alone: the integral of gm Gamma is G, measured apart from it."""
    s = charge_setup
    found = sensitivity_of(s.technology, TT, StrongArm(), 0.4, _engine(s))
    point = found.point
    gm = (found.conductances["in"] / GAMMA)[None]  # gds is part of g; a tenth of gm while the pair is saturated
    integral = np.trapezoid(np.interp(found.times, found.clock, gm[0]) * found.x, found.times)
    assert integral == pytest.approx(point.gain, rel=0.25)
    assert np.sum(point.weights) == pytest.approx(1.0)
    assert point.pass_band(np.array([1e6]))[0] == pytest.approx(1.0, abs=1e-6)
    assert point.pass_band(np.array([2e10]))[0] < 0.1
    assert DIFFERENCE * point.gain < 0.1  # V: still linear


@pytest.mark.ngspice
def test_decisions_under_transient_noise_have_the_predicted_noise(charge_setup: Testbench) -> None:
    """100 decisions know the spread of the nodes to 7 %; 15 % are asked for, at two standard errors."""
    s = charge_setup
    found = sensitivity_of(s.technology, TT, StrongArm(), 0.4, _engine(s))
    seen = transient_noise(s.technology, TT, StrongArm(), found, 0.4, _engine(s), decisions=100)
    assert seen.spread == pytest.approx(found.point.noise, abs=0.15 * found.point.noise + 2 * seen.spread_error)
    assert seen.decided == pytest.approx(found.point.noise, abs=2.5 * seen.decided_error)


@pytest.mark.ngspice
def test_the_sensitivity_is_a_control_variate_of_decisions(charge_setup: Testbench) -> None:
    s = charge_setup
    found = sensitivity_of(s.technology, TT, StrongArm(), 0.4, _engine(s))
    few, many = (
        transient_noise(s.technology, TT, StrongArm(), found, 0.4, _engine(s), decisions=120, error=error)
        for error in (0.12, None)
    )
    assert few.decisions < many.decisions == 120
    assert few.decided_error <= 0.12 * few.decided
    assert few.spread_error < many.spread_error / 2
    for a, b, c, d in (
        (few.spread, few.spread_error, many.spread, many.spread_error),
        (few.decided, few.decided_error, many.decided, many.decided_error),
    ):
        assert abs(a - c) < 3.0 * math.hypot(b, d)


def test_drawn_linear_noise_has_its_sigma_and_that_of_the_prediction() -> None:
    """A made-up sensitivity: the input pair alone, 1 mS from the first probe on, 1 V per fC for 100 ps. Both sides put
    2 x 4 k T g / 2 Gamma^2 t onto the nodes: 4 k T g is one-sided, its half the density over all frequencies."""
    times, clock = np.arange(-40e-12, 61e-12, 1e-12), np.arange(-800e-12, 800e-12, 1e-12)
    flat, none = np.full(times.size, 1e15), np.zeros(clock.size)
    conductances = dict.fromkeys(("same", "other", "pre_x", "pre_z"), none) | {"in": none + 1e-3}
    point = ComparatorPoint(TT.label, 40.0, 1e-3, 60e-12, 0.0, 0.0, 0.0, 0.0, tuple(times), tuple(flat / flat.sum()))
    found = ComparatorSensitivity(point, times, flat, 0.0 * flat, clock, conductances)
    # 25 of 26 independent values of 4 ps, the first being zero
    hand = math.sqrt(4 * 1.380649e-23 * TT.kelvin * 1e-3 * 1e30 * 100e-12)
    assert linear_sigma(found, TT.kelvin) == pytest.approx(hand, rel=0.03)
    drawn = linear_noise(found, TT.kelvin, 4000, np.random.default_rng(1))
    assert float(np.std(drawn)) == pytest.approx(linear_sigma(found, TT.kelvin), rel=0.035)  # three of 1 / sqrt(8000)
