"""Inverters in the segment: edges against the linear ramp, neighbours, noise against k T / C, what has no edge."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from characterization.campaign import NO_EDGE, Task, run_tasks
from characterization.column_testbench import ColumnTestbench
from characterization.noise import BOLTZMANN
from characterization.procedures import PROCEDURES
from characterization.procedures.local_inverter import measure_inverter
from characterization.testbench import Testbench
from interconnect.errors import InputError, UnsupportedCell
from netlists.case import ColumnStimulus
from netlists.condition import Condition
from netlists.readout.local_inverter import LocalInverter, RampEdge, reference_coupling, reference_rows_of
from tests.builders import make_testbench

ROWS = 4


@pytest.fixture(scope="module")
def setup() -> Testbench:
    found = make_testbench(rows=ROWS)
    model = found.model.complement_driven()
    inverter = LocalInverter(segments=4, planes=2, reference_rows=reference_rows_of(model, ROWS))
    return replace(found, model=model, inverter=inverter)


def task(setup: Testbench, active: int, count: int) -> Task:
    bits = np.zeros((ROWS, 3), dtype=np.uint8)
    bits[:count, 1] = 1
    case = ColumnStimulus(bits=bits, inputs=(np.arange(ROWS) < active).astype(np.uint8))
    return Task("transfer", setup.conditions[0], active, count, "low", -1, case)


def test_an_edge_by_hand() -> None:
    """The line falls through 0.5 V between 2.0 and 2.1 s, at a fifth of the way: 2.02 s of a ramp from 1 to 5 s."""
    edge = RampEdge("v(line)", "v(out)", level=0.5, start=1.0, stop=5.0, swing=2.0)
    time = np.array([0.0, 1.0, 2.0, 2.1, 5.0, 6.0])
    line, low = np.array([0.0, 1.0, 0.6, 0.1, 0.0, 1.0]), np.zeros(6)
    assert edge.fall(time, line, low) == pytest.approx(2.02)
    assert edge.left(time, line, low) == pytest.approx(2.0 * (5 - 2.02) / 4)
    assert np.isnan(edge.fall(time, np.ones(6), low))  # the line never falls
    assert np.isnan(edge.fall(time, np.where(time > 5.5, 0.0, 1.0), low))  # after the ramp
    assert np.isnan(edge.fall(time, line, np.ones(6)))  # beyond the threshold before the ramp


@pytest.mark.ngspice
@pytest.mark.long
def test_edges_follow_the_linear_ramp(setup: Testbench) -> None:
    """The bit line crosses at one voltage, so its charge is that of the reference rows: a count moves the edge by
    V C_switched over C_reference of the ramp, whatever else is on the line; neighbours are a count apart."""
    inverter = setup.inverter
    assert inverter is not None
    places = [(4, 0), (4, 1), (4, 2), (4, 4), (2, 1)]
    level = [s.level for s in run_tasks(setup, [task(setup, *p) for p in places], workers=1).samples]
    count = setup.conditions[0].vdd * setup.model.switched
    count /= inverter.reference_rows * reference_coupling(setup.model)
    assert np.diff(level[:4]) / count == pytest.approx([1.0, 1.0, 2.0], abs=0.03)
    assert level[4] == pytest.approx(level[2], abs=0.03 * count)  # one of two and two of four: the same difference


@pytest.mark.ngspice
@pytest.mark.long
def test_the_line_holds_where_it_leaks_most(setup: Testbench) -> None:
    """191 ways that are off at ff, 125 degC would discharge the line within the ramp; its keeper leaves the edge to the
    cells, a count being the same part of the supply as anywhere."""
    assert setup.inverter is not None
    hot = Condition("ff", 1.1, 125.0)
    wide = replace(setup, conditions=(hot,), inverter=replace(setup.inverter, segments=48, planes=4))
    low, high = (s.level for s in run_tasks(wide, [task(wide, 4, c) for c in (0, 4)], workers=1).samples)
    count = hot.vdd * setup.model.switched / (setup.inverter.reference_rows * reference_coupling(setup.model))
    assert high - low == pytest.approx(4 * count, rel=0.02)


@pytest.mark.ngspice
@pytest.mark.long
def test_noise_of_the_zeroing_is_that_of_the_line(setup: Testbench) -> None:
    """An inverter tied to its own threshold leaves g k T / C, C being that of the whole line (C_reference over the
    line's step per volt of the ramp) and g the excess noise of its channels over their transconductance: from 2/3
    (long channels) to 3/2."""
    bench = ColumnTestbench(setup, workers=1)
    (point,) = measure_inverter(setup, bench, {}).points
    inverter = setup.inverter
    assert inverter is not None
    reference = inverter.reference_rows * reference_coupling(setup.model)
    floor = np.sqrt(BOLTZMANN * 300.15 * point.line_gain / reference) / point.line_gain
    assert 2 / 3 < (point.zeroing / floor) ** 2 < 3 / 2
    assert 0 < point.comparator < point.zeroing
    assert point.settled
    # the first inverter conducts near its threshold: a few uA at 1 V for a part of the read of 35 ns
    assert 1e-14 < point.supply < 1e-12


@pytest.mark.ngspice
@pytest.mark.long
def test_a_level_beyond_the_ramp_is_a_failed_sample(setup: Testbench) -> None:
    """A ramp that rests at its top during the reset ends where it began: nothing crosses."""
    assert setup.inverter is not None
    late = replace(setup, inverter=replace(setup.inverter, ramp_rest=1.0))
    (sample,) = run_tasks(late, [task(late, 4, 0)], workers=1).samples
    assert sample.verdict == NO_EDGE
    assert np.isnan(sample.level)


def test_what_the_readout_refuses(setup: Testbench) -> None:
    with pytest.raises(UnsupportedCell, match="settling reads the bit line itself"):
        PROCEDURES["settling"].check(setup)
    with pytest.raises(UnsupportedCell, match="has no inverters in the segment"):
        PROCEDURES["local_inverter"].check(replace(setup, inverter=None))
    with pytest.raises(InputError, match=r"readout\.inverter\.bits.*is 2"):
        LocalInverter(bits=2)
