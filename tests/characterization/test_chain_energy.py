"""Energy and settling of a readout chain against hand values."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from characterization.column_testbench import ColumnTestbench
from characterization.procedures import PROCEDURES
from characterization.procedures.chain_energy import measure_chain_energy
from characterization.procedures.chain_settling import BAND, ChainSettling, PhaseSettling, settled_phase, settling_at
from characterization.testbench import Testbench
from interconnect.errors import UnsupportedCell
from netlists.readout.chain import ReadoutChain


@pytest.fixture
def setup(charge_setup: Testbench) -> Testbench:
    return replace(
        charge_setup,
        rows=4,
        chain=ReadoutChain(),
        model=charge_setup.model.complement_driven(),
        conditions=charge_setup.conditions[:1],
    )


@pytest.mark.ngspice
def test_supplies_of_a_cycle_meet_hand_values(setup: Testbench) -> None:
    """Bias: V I T. A gate of 0.24 x 0.05 um takes at most C_ox W L = 0.24 fF (toxe 1.75 nm: 19.7 fF/um2) and overlaps
    of 0.15 fF at 1 V. Leakage: 10 nA/um of a device of 1 or 1.5 um."""
    chain, vdd = setup.chain, setup.conditions[0].vdd
    assert chain is not None
    point = measure_chain_energy(setup, ColumnTestbench(setup), {}).points[0]
    cycle = chain.timing.stop
    assert point.cycle == cycle
    assert point.bias == pytest.approx(vdd * chain.line.bias_current * cycle, rel=1e-3)
    assert point.bias_power == pytest.approx(vdd * chain.line.bias_current, rel=1e-3)
    assert point.line == pytest.approx(point.bias, rel=0.15)  # the mirror's ratio is 1, its drain is elsewhere
    assert 0.2e-15 < point.mux < 0.8e-15  # two gates of 0.24 um
    assert 0.08e-15 < point.reset_gate < 0.25e-15  # 0.12 um at 1.1 V
    assert 5e-9 < point.driver_leakage < 3e-8
    # two inverters per row, gates of 1.0 + 1.5 um: 2 x 2.5 um x (0.98 + 0.62 + 0.3) fF/um
    assert point.row_gates / point.active == pytest.approx(9e-15, rel=0.25)
    assert point.conversion == pytest.approx((3 + 1) * 1.4e-9)  # 5 levels: three decisions and a first clock
    assert 0.5e-13 < sum(point.converter.values()) < 6e-13


@pytest.mark.ngspice
def test_the_capacitor_loads_the_line_while_the_clamp_is_on(setup: Testbench) -> None:
    """After the reset its far side is held: three times the capacitor are three times the load. Once the clamp has
    opened it floats, and the line settles after the rows as before."""
    setup = replace(setup, rows=24)  # a count's step as small as in use: 0.1 mV of the line matter
    chain = setup.chain
    assert chain is not None
    bench, condition = ColumnTestbench(setup), setup.conditions[0]
    big = replace(chain, sampler=replace(chain.sampler, capacitance=100e-15))
    small, large = (settling_at(setup, bench, c, condition) for c in (chain, big))
    assert large[0].needed > 1.5 * small[0].needed
    assert not large[0].settled
    assert large[1].needed == pytest.approx(small[1].needed, rel=0.1)


def test_settled_phase_of_an_exponential_on_a_drift() -> None:
    """exp(-t / tau) + slope t stays within the band from tau ln(1 / band) on; 0.1 tau before, 1.105 bands are left."""
    tau, slope, band = 1e-9, 0.02e9, 0.01
    t = np.linspace(0.0, 20e-9, 4001)
    level = np.exp(-t / tau) + slope * t
    hand = tau * np.log(1 / band)
    needed, missing, drift = settled_phase(t, level, 0.0, 20e-9, hand - 0.1 * tau, band)
    assert needed == pytest.approx(hand, rel=0.01)
    assert missing == pytest.approx(band * np.exp(0.1), rel=0.02)
    assert drift == pytest.approx(slope * (hand - 0.1 * tau), rel=0.01)
    assert settled_phase(t, level, 0.0, 20e-9, 2 * hand, band)[1] == 0.0


def test_late_phases_are_told_apart() -> None:
    late = PhaseSettling("tt", "bus after joining", 2.1e-9, 2.0e-9, 0.06, 0.0)
    early = replace(late, needed=1.9e-9)
    assert ChainSettling(BAND, (early, late)).late == (late,)


@pytest.mark.parametrize("name", ["chain_energy", "chain_settling"])
def test_an_ideal_readout_is_refused(charge_setup: Testbench, name: str) -> None:
    with pytest.raises(UnsupportedCell, match="ideal"):
        PROCEDURES[name].check(charge_setup)
