"""The shared ramp by transistors: its twin at levels that it has not seen, its slope, its noise, a read from row to
code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import ndtr

from characterization.column_testbench import ColumnTestbench, draw_pattern, stimulus_of
from characterization.noise import BOLTZMANN, charge_noise
from characterization.procedures import PROCEDURES
from characterization.readout.column_influence import column_influence
from characterization.readout.converter_noise import decision_noise, frozen_noise
from characterization.readout.converter_spread import converter_spread
from characterization.readout.ramp_twin import RampTwin, fit_ramp_twin, ramp_answers
from characterization.testbench import Testbench
from interconnect.errors import InputError, UnsupportedCell
from netlists.column import column_deck
from netlists.condition import Condition
from netlists.readout.chain import ComparatorBus, ReadoutChain
from netlists.readout.column_ramp import ColumnRamp
from netlists.readout.column_sar import ColumnSar
from netlists.readout.deck import ReadoutDeck
from netlists.readout.ramp_conversion import RampConversion
from netlists.technology import load_technology
from ngspice_runner import Job, Result
from ngspice_runner.executor import run_many

TECHNOLOGY = load_technology("generic28", "open45")
TT = Condition("tt", 1.0, 27.0)
CHAIN = ReadoutChain(converter=ColumnRamp(), bus=ComparatorBus(columns=1, wire_capacitance=0.06e-15))


def simulate(name: str, decks: Sequence[object]) -> list[Result]:
    options = TECHNOLOGY.devices.job_options
    jobs = [
        Job(d.text, d.outputs, stop=d.stop if isinstance(d, ReadoutDeck) else None, options=options)  # type: ignore[attr-defined]
        for d in decks
    ]
    found = run_many(jobs, workers=1)
    assert all(r.ok for r in found), name
    return found


def straight(noise: float = 0.0) -> RampTwin:
    """An ideal ramp over 0.2 to 0.6 V in 64 ns."""
    return RampTwin(ColumnRamp(), 0.2, 0.6, np.array([32e-9, 32e-9]), 0.0, noise)


def test_a_straight_ramp_counts_the_thresholds_below() -> None:
    """3.125 mV a step of 0.5 ns: 0.3 V after 16 ns is step 32."""
    twin = straight()
    assert twin.slope == pytest.approx(6.25e6)
    assert twin.count_at(np.array([0.3])).tolist() == [32]
    table = np.array([32, 64, 96])
    assert twin.convert(np.array([0.25, 0.35, 0.45, 0.55]), table).tolist() == [0, 1, 2, 3]


def test_noise_makes_the_errors_that_it_should() -> None:
    """2 mV around a level 3.125 mV above one threshold and 6.25 mV below the next: Q(1.5625) + Q(3.125)."""
    twin = straight(2e-3)
    level = np.full(6000, 0.3 + 3.125e-3)
    wrong = np.mean(twin.convert(level, np.array([32, 35]), np.random.default_rng(2)) != 1)
    expected = ndtr(-3.125 / 2) + ndtr(-6.25 / 2)
    assert wrong == pytest.approx(expected, abs=4 * np.sqrt(expected / 6000))


def test_spread_of_thresholds_by_hand() -> None:
    """Steps of 3.125 mV: 0.902 mV; no capacitors; 64 reads of 0.8 mV: 0.1 mV for the middle and as much at the ends."""
    found = converter_spread(ColumnRamp(), 0.8e-3, 0.0)
    assert found.rounding == pytest.approx(3.125e-3 / np.sqrt(12))
    assert found.capacitors == 0.0
    assert found.calibration == pytest.approx(1e-4 * np.sqrt(4 / 3))


@pytest.mark.ngspice
def test_twin_and_transistors() -> None:
    twin = fit_ramp_twin(TECHNOLOGY, TT, CHAIN, [0.10, 0.18, 0.26, 0.34, 0.42, 0.50, 0.58], simulate)
    # C dV/dt = I: the current that the object sets for its line; the mirror and the load are within 3 %
    assert twin.slope == pytest.approx(6.25e6, rel=0.03)
    assert twin.residual < 0.05e-9
    bus, instants = ramp_answers(TECHNOLOGY, TT, CHAIN, [0.14, 0.30, 0.46, 0.54], simulate)
    assert np.abs(twin.instant(bus) - instants).max() < 0.05e-9  # a tenth of a step
    # all other columns at one end of the range or at the other: within 0.1 count of 11 mV
    low, high = (ramp_answers(TECHNOLOGY, TT, CHAIN, [0.14, 0.34, 0.54], simulate, others=v)[1] for v in (0.26, 0.54))
    assert np.abs((low - high) * twin.slope).max() < 1.1e-3


@pytest.mark.ngspice
def test_noise_of_generator_and_comparator() -> None:
    a, wire = CHAIN.converter, CHAIN.bus.wire_capacitance
    assert isinstance(a, ColumnRamp)
    line = a.ramp_capacitance + a.shared_by * (a.gate_load + wire)
    found = frozen_noise(a, TECHNOLOGY, TT, CHAIN, 0.4, simulate)
    # k T / C of the hold, and white current of both mirror transistors, 4 k T gamma gm with gm = 10 to 20 / V times the
    # current, integrated over the 40 ns to 0.4 V: S T / 2 / C^2
    reset, current = charge_noise(line, TT.kelvin), a.line_current(wire)
    low, high = (
        np.hypot(reset, np.sqrt(2 * 4 * BOLTZMANN * TT.kelvin * 2 / 3 * gm * current * 40e-9 / 2) / line)
        for gm in (5.0, 25.0)
    )
    assert low < found < high
    own, aperture = decision_noise(a, TECHNOLOGY, TT, CHAIN, 0.4, simulate)
    # a slow step passes, what is faster than the first stage (some 100 MHz) does not
    passed = aperture.pass_band(np.array([1e5, 1e6, 1e10]))
    assert passed[:2] == pytest.approx([1.0, 1.0], abs=0.01)
    assert passed[2] < 0.01
    assert 0.2e-3 < own < 1.0e-3
    assert own > charge_noise(100e-15, TT.kelvin)


@pytest.mark.ngspice
def test_from_the_rows_to_the_instant(charge_setup: Testbench) -> None:
    """Column, chain and ramp in transistors: the instant of a read is that of the twin at the settled bus."""
    there = replace(charge_setup, rows=4, model=charge_setup.model.complement_driven())
    chain = replace(CHAIN, converter=replace(ColumnRamp(), ref_low=0.15, ref_start=0.1))
    one = RampConversion(levels=5)
    decks = [
        column_deck(
            there.technology, there.model, there.periphery, there.timing, TT,
            there.stimulus(stimulus_of(there, draw_pattern(there, "random0", 4, count))), chain=chain, conversion=one,
        )
        for count in (1, 2, 3)
    ]  # fmt: skip
    results = ColumnTestbench(there).run("row_to_code", decks)
    bus, instants = [], []
    for r in results:
        t, level, out = (np.real(r.signals[n].values) for n in ("time", "v(bus)", "v(converted)"))
        bus.append(np.interp(chain.timing.decides, t, level))
        instants.append(t[np.flatnonzero((out > 0.5) & (t > chain.timing.decides))[0]] - chain.timing.decides)
    # a count later by its step of the bus over the slope of 0.45 V in 64 ns
    assert np.diff(instants) == pytest.approx(np.diff(bus) / (0.45 / 64e-9), rel=0.04)
    twin = fit_ramp_twin(there.technology, TT, chain, [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6], simulate)
    # droop and the toggling rows are in the read alone
    assert twin.instant(np.array(bus)) == pytest.approx(instants, abs=0.4e-9)


def test_what_needs_a_clocked_comparator_is_refused(charge_setup: Testbench) -> None:
    with pytest.raises(UnsupportedCell, match="not clocked"):
        PROCEDURES["comparator_noise"].check(replace(charge_setup, chain=CHAIN))
    with pytest.raises(InputError, match="no spread is defined for object"):
        converter_spread(object(), 0.0, 0.0)


def test_influence_of_other_columns_by_hand(charge_setup: Testbench, monkeypatch: pytest.MonkeyPatch) -> None:
    """6.25 V/us; all other buses high: 0.2 ns late at one of three levels, 1.25 mV; over the roots of 3 and 12."""

    def answers(*arguments: object, others: float) -> tuple[np.ndarray, np.ndarray]:
        bus = np.array([0.25, 0.4, 0.55])
        return bus, (bus - 0.2) / 6.25e6 + (0.2e-9 if others == 0.6 else 0.0) * np.array([0.0, 1.0, 0.0])

    monkeypatch.setattr("characterization.readout.column_influence.ramp_answers", answers)
    assert column_influence(CHAIN.converter, charge_setup, CHAIN, simulate) == pytest.approx(1.25e-3 / 6)
    assert column_influence(ColumnSar(), charge_setup, CHAIN, simulate) == 0.0
    spread = replace(converter_spread(ColumnRamp(), 0.8e-3, 0.0), columns=1e-3)
    assert spread.total == pytest.approx(np.sqrt(3.125e-3**2 / 12 + 1e-8 * 4 / 3 + 1e-6))
