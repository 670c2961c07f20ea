"""The procedures beside the readout table, against closed forms."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure

from characterization.column_testbench import ColumnTestbench, draw_pattern, stimulus_of
from characterization.dataset import Dataset, Sample
from characterization.loss_map import charge_map, current_loss, spread_indices, thinned
from characterization.procedure_result import ProcedureResult
from characterization.procedures import PROCEDURES, crosstalk, energy, leakage, noise, readout_current, settling, supply
from characterization.testbench import Testbench
from interconnect.errors import InputError
from netlists.column import column_deck
from netlists.loads import mean_capacitance

pytestmark = pytest.mark.ngspice


def written(result: ProcedureResult) -> str:
    """JSON of a result; also: it is one, has finite rows and a chart, and comes back from its JSON."""
    assert isinstance(result, ProcedureResult)
    assert all(math.isfinite(f.value) for f in result.figures())
    text = json.dumps(result.to_json(), allow_nan=False)
    read = type(result).from_json(json.loads(text))
    assert json.dumps(read.to_json(), allow_nan=False) == text
    assert list(read.figures()) == list(result.figures())
    for chart in read.charts():
        axes = Figure(layout="constrained").subplots()
        chart.draw(axes)
        assert axes.has_data()
        assert axes.get_xlabel() or axes.get_xticks().size
    assert read.charts()
    return text


def test_all_procedures_are_known() -> None:
    extra = {"readout_current", "settling", "noise", "crosstalk", "worst_pattern", "energy", "leakage", "supply"}
    extra |= {"pattern_spread"}
    assert extra < set(PROCEDURES)


def test_noise_of_the_reset_is_kt_over_c(charge_setup: Testbench) -> None:
    found = noise.measure_noise(charge_setup, ColumnTestbench(charge_setup), {})
    ideal, real = found.points
    assert ideal.ratio == pytest.approx(1.0, abs=0.02)
    # hand value of the closed form: C = rows (C of a bit line's row) + sense input
    c = 4 * charge_setup.model.bl_total + 1e-16
    assert ideal.closed_form == pytest.approx(math.sqrt(1.380649e-23 * 300.15 / c), rel=1e-3)
    # the transistor's junction and gate add capacitance, so its noise is lower
    assert 0.3 < real.ratio < 0.98
    written(found)


def test_noise_of_resistors_is_4kt_over_r(current_setup: Testbench) -> None:
    found = noise.measure_noise(current_setup, ColumnTestbench(current_setup), {})
    assert [p.count for p in found.points] == [1, 2, 4]
    for p in found.points:
        # 4 k T n / R with R = 1 Mohm: 1.2875e-13 A/sqrt(Hz) for one
        assert p.simulated == pytest.approx(1.2875e-13 * math.sqrt(p.count), rel=0.02)


def test_settling_time_of_an_exponential() -> None:
    tau, start = 1e-10, 2e-10
    time = np.linspace(0.0, 5e-9, 20001)
    level = np.where(time < start, 0.0, 1.0 - np.exp(-(time - start) / tau))
    for band in (0.5, 0.1, 0.01):
        assert settling.settling_time(time, level, start, band) == pytest.approx(tau * math.log(1 / band), rel=1e-3)
    assert settling.settling_time(time, np.ones_like(time), start, 0.1) == 0.0


def test_settling_of_a_slow_sense(charge_setup: Testbench) -> None:
    found = settling.measure_settling(charge_setup, ColumnTestbench(charge_setup), {})
    assert len(found.worst) == 1
    assert found.worst[0].times[1] == max(p.times[1] for p in found.patterns)
    for p in found.patterns:
        assert 0.0 <= p.times[0] <= p.times[1] < found.window
    written(found)


def test_currents_follow_ohms_law(current_setup: Testbench) -> None:
    found = readout_current.measure_readout_current(current_setup, ColumnTestbench(current_setup), {})
    (curve,) = found.curves
    # count x 0.1 V / 1 Mohm, less than 5 % lost in transmission gates, wires and sense
    np.testing.assert_allclose(curve.ideal, 1e-7 * np.array(curve.counts), rtol=1e-12)
    lost = 1.0 - np.diff(curve.level) / np.diff(curve.ideal)
    assert (lost > 0).all()
    assert (lost < 0.05).all()
    assert found.checked < 1e-6
    assert found.map_difference is not None
    assert found.map_difference < 1e-3
    # at 0 s, before the edge, nothing flows
    assert np.abs(curve.wave[:, 0]).max() < 1e-3 * curve.level[-1]
    written(found)


def test_loss_of_an_array_without_wires(current_setup: Testbench) -> None:
    wires = {"R_row": 1e-6, "R_bl": 1e-6}
    variants = tuple(
        replace(v, elements=tuple(replace(e, value=wires.get(e.name, e.value)) for e in v.elements))
        for v in current_setup.model.variants
    )
    loss = current_loss(
        replace(current_setup, model=replace(current_setup.model, variants=variants)), current_setup.conditions[0]
    )
    # all rows driven: I = V / (R_sense + R / n + R_driver columns / n) by symmetry; n = 4, 32 columns
    whole = 1.0 / (100.0 + 1e6 / 4 + 1e3 * 32 / 4)
    np.testing.assert_allclose((1.0 - loss).sum(axis=0) / 1e6, whole, rtol=1e-6)
    shown = thinned(loss)
    assert shown.columns == tuple(range(32))
    assert shown.loss.shape == (4, 32)
    assert spread_indices(1000, 5) == (0, 250, 500, 749, 999)


def test_charge_loss_is_what_has_not_settled(charge_setup: Testbench) -> None:
    condition = charge_setup.conditions[0]
    late = charge_map(charge_setup, condition, (0,))
    assert np.abs(late.loss).max() < 1e-6
    # a driver of 1 Mohm into the row line: the level follows 1 - exp(-t / R C) with C of the whole line
    slow = replace(charge_setup, periphery=replace(charge_setup.periphery, driver_resistance=1e6))
    early = charge_map(slow, condition, (0,))
    line = 32 * mean_capacitance(charge_setup.model, "row_out", None, (0.5, 0.5))
    t = charge_setup.timing.read_after + charge_setup.timing.input_edge / 2
    assert early.worst[0] == pytest.approx(math.exp(-t / (1e6 * line)), rel=0.1)


def test_crosstalk_is_the_difference_of_reads(charge_setup: Testbench) -> None:
    tasks = crosstalk.plan_crosstalk(charge_setup)
    assert len(tasks) == len(crosstalk.PATTERNS) * 3
    assert {t.case.bits[:, 0].sum() for t in tasks if t.pattern == "neighbours_1"} == {4}
    same = [t.case.bits[:, 1].tolist() for t in tasks if t.count == 2]
    assert same == [same[0]] * len(crosstalk.PATTERNS)
    shifts = {"neighbours_1": 3e-3, "left_1": 2e-3, "right_1": 1e-3, "alternating": -1e-3, "alternating_opposed": 0.0}
    samples = tuple(
        Sample("crosstalk", "tt", 1.0, 27.0, 4, 4, t.count, t.pattern, -1, 0.1 + 0.02 * t.count
               + shifts.get(t.pattern, 0.0), 0.0, "ok", "x")
        for t in tasks
    )  # fmt: skip
    found = crosstalk.analyse_crosstalk(charge_setup, Dataset(samples), {})
    # 3 mV over a spacing of 20 mV
    assert found.worst.pattern == "neighbours_1"
    assert found.worst.shift == pytest.approx(0.15)
    assert len(found.figures()) == 5
    written(found)
    with pytest.raises(InputError, match="quiet neighbours failed"):
        crosstalk.analyse_crosstalk(charge_setup, Dataset(samples[1:]), {})


def test_energy_of_charge_and_current(charge_setup: Testbench, current_setup: Testbench) -> None:
    found = energy.measure_energy(charge_setup, ColumnTestbench(charge_setup), {})
    full = next(r for r in found.reads if r.active == 4 and r.count == 4)
    # C V^2 of four row lines of 32 cells; the three modelled bit lines float, which takes a few per cent
    line = 32 * mean_capacitance(charge_setup.model, "row_out", None, (0.5, 0.5))
    assert full.array == pytest.approx(4 * line, rel=0.1)
    assert full.rows == pytest.approx(full.array + full.drivers, rel=1e-12)
    assert full.drivers > 0
    # at least C V^2 of the gate of a 0.12 um x 50 nm switch, some 0.1 fF, and less than ten times that
    assert 1e-16 < found.conditions[0].reset < 1e-15
    assert next(r for r in found.reads if r.active == 0).array == 0.0
    written(found)
    n = current_setup.rows
    case = stimulus_of(current_setup, draw_pattern(current_setup, "random0", n, n))
    # V^2 / R of half of 32 x 4 cells for 1 ns, the drawn ones counted
    ones = case.bits.sum() + 0.5 * 29 * n
    exact = energy.array_energy(current_setup, current_setup.conditions[0], case, 1e-9)
    assert exact == pytest.approx(ones * 0.1**2 / 1e6 * 1e-9, rel=0.05)


def test_static_currents(charge_setup: Testbench, current_setup: Testbench) -> None:
    found = leakage.measure_leakage(charge_setup, ColumnTestbench(charge_setup), {})
    states = {s.state: s for s in found.states}
    assert set(states) == {"idle", "active", "reset"}
    # off-currents of micrometre transistors of this class: between 0.1 and 100 nA each
    assert 4e-10 < states["idle"].drivers < 4e-7
    assert states["idle"].power == pytest.approx(states["idle"].drivers + states["idle"].reset)
    written(found)
    read = {s.state: s for s in leakage.measure_leakage(current_setup, ColumnTestbench(current_setup), {}).states}
    case = stimulus_of(current_setup, draw_pattern(current_setup, "random0", 4, 4))
    ones = case.bits.sum() + 0.5 * 29 * 4
    # the active state is the read itself: V / R of all ones in the rows
    assert read["active"].drivers == pytest.approx(ones * 0.1 / 1e6, rel=0.05)
    assert read["active"].array == pytest.approx(4e-7, rel=0.05)
    assert abs(read["idle"].array or 0.0) < 1e-3 * 4e-7


def test_supply_resistance_takes_its_share(current_setup: Testbench) -> None:
    setup = replace(current_setup, supply_resistance=1e3)
    found = supply.measure_supply(setup, ColumnTestbench(setup), {})
    full = found.levels[-1]
    case = stimulus_of(setup, draw_pattern(setup, "random0", 4, 4))
    total = (case.bits.sum() + 0.5 * 29 * 4) / 1e6  # S, all rows' ones
    # divider of the supply's resistance and the rows: level falls by R G / (1 + R G) of its four counts
    assert full.change == pytest.approx(-4 * 1e3 * total / (1 + 1e3 * total), rel=0.1)
    assert full.peak_drop == pytest.approx(full.peak_current * 1e3)
    written(found)


def test_impossible_states_are_refused(charge_setup: Testbench, current_setup: Testbench) -> None:
    def deck(setup: Testbench, **options: object) -> None:
        case = stimulus_of(setup, draw_pattern(setup, "random0", 4, 2))
        periphery = replace(setup.periphery, kind=str(options.pop("kind", "transistor")))
        column_deck(
            setup.technology,
            setup.model,
            periphery,
            setup.timing,
            setup.conditions[0],
            case,
            **options,  # type: ignore[arg-type]
        )

    with pytest.raises(InputError, match="no reset to hold"):
        deck(current_setup, static="reset")
    with pytest.raises(InputError, match="need transistor drivers"):
        deck(charge_setup, static="idle", kind="ideal")
    with pytest.raises(InputError, match="zero or more"):
        deck(charge_setup, supply_resistance=-1.0)
