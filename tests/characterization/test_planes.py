"""Tables of all planes: levels by the charge balance, errors of one plane's table on another by the normal law."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from characterization.column_testbench import ColumnTestbench, draw_pattern, stimulus_of
from characterization.plane_levels import (
    FOLLOW,
    REST,
    PlaneSteps,
    calibrated_steps,
    plane_read_deck,
    plane_steps,
    table_of_plane,
)
from characterization.procedures.energy import array_energy
from characterization.procedures.planes import PROCEDURE, Planes, compare_planes, with_thresholds_of
from characterization.tables.formats import FORMATS
from characterization.tables.table import ReadoutTable
from characterization.testbench import StackedPlane, Testbench
from interconnect import extract
from interconnect.errors import UnsupportedCell
from interconnect.stackfile import load_stack
from netlists.cells.base import Plane
from netlists.cells.cap_balanced import CapBalanced
from netlists.condition import Condition
from netlists.loads import mean_capacitance
from netlists.readout.chain import ReadoutChain
from tests.builders import TT, make_readout_table, make_testbench

STEP, SIGMA = 20e-3, 2e-3


@pytest.fixture(scope="module")
def setup() -> Testbench:
    stack, formula = load_stack("generic28"), partial(extract, method="formula")
    cell = CapBalanced(row_pitch=200e-9, column_pitch=300e-9, row_width=50e-9, column_width=50e-9, tab_length=150e-9)
    low, middle, top = (Plane(f"M{k}", f"M{k + 1}") for k in (2, 4, 6))
    stacked = (
        StackedPlane(low.label, middle.label, cell.model(stack, low, formula, middle)),
        StackedPlane(middle.label, top.label, cell.model(stack, middle, formula, top)),
        StackedPlane(top.label, "", cell.model(stack, top, formula)),
    )
    return make_testbench(model=cell.model(stack, low, formula), stacked=stacked)


def measured(setup: Testbench, table: ReadoutTable | None = None) -> Planes:
    base = table or make_readout_table(4, step=STEP, sigma_noise=SIGMA)
    return compare_planes(setup, base, plane_steps(setup))


def test_the_next_planes_lines_are_no_energy_of_the_array(setup: Testbench) -> None:
    below = replace(setup, model=setup.stacked[0].model)
    case = stimulus_of(below, draw_pattern(below, "random0", 4, 4))
    # C V^2 of four row lines of 16 cells, without what couples them to the lines above, which rise with them
    own = mean_capacitance(below.model, "row_out", None, (0.5, 0.5))
    own -= mean_capacitance(below.model, "row_out", "next_row_out", (0.5, 0.5))
    # the three modelled bit lines float, which takes up to a fifth of 16 columns
    assert array_energy(below, TT, case, 0.0) == pytest.approx(4 * 16 * own, rel=0.15)


def complement(setup: Testbench) -> Testbench:
    stacked = tuple(replace(p, model=p.model.complement_driven()) for p in setup.stacked)
    return replace(setup, model=setup.model.complement_driven(), stacked=stacked)


def test_the_next_planes_rows_shift_by_the_ratio_of_the_couplings(setup: Testbench) -> None:
    found = plane_steps(setup)
    for steps, plane in zip(found, setup.stacked, strict=True):
        if not plane.above:
            assert steps.next_plane == 0.0  # the top plane has none above it
            continue
        # An active row above puts C(BL, U) V on the bit line, a count C(BL, tab) V.
        expected = plane.model.value("C_bl_u") / plane.model.value("C_bl_tab")
        assert steps.next_plane / steps.scale == pytest.approx(expected, rel=1e-6)
    assert found[2].scale != found[0].scale  # a sheet or lines above: another load


def test_the_complement_takes_the_shift_back(setup: Testbench) -> None:
    for steps in plane_steps(complement(setup)):
        assert abs(steps.next_plane) < 1e-9


def test_levels_of_a_plane_are_those_of_its_charge_balance(setup: Testbench) -> None:
    result = measured(setup)
    low = result.tables(make_readout_table(4, step=STEP, sigma_noise=SIGMA))[0]
    model, reference = setup.stacked[0].model, setup.model
    volts = STEP / (reference.switched / (4 * reference.bl_total + setup.periphery.sense_capacitance))
    load = 4 * model.bl_total + setup.periphery.sense_capacitance
    # The simulated plane's straight levels have no shift of their own; its charge balance has.
    own = reference.drive(0) / (4 * reference.bl_total + setup.periphery.sense_capacitance)
    for active, count in ((4, 0), (4, 4), (2, 1)):
        charge = active * (model.drive(0) + model.value("C_bl_u")) + count * model.switched
        assert low.level[0, active, count] == pytest.approx(volts * (charge / load - active * own), rel=1e-9)


def test_a_table_that_serves_another_plane_errs_by_the_normal_law(setup: Testbench) -> None:
    result = measured(setup)
    low, _, top = result.tables(make_readout_table(4, step=STEP, sigma_noise=SIGMA))
    served = next(f for f in result.foreign if (f.plane, f.thresholds_of) == (low.plane, top.plane))
    edges, levels = top.thresholds(TT)[-1], low.level[0, -1]
    inside = norm.cdf(np.append(edges, np.inf), levels, SIGMA) - norm.cdf(np.append(-np.inf, edges), levels, SIGMA)
    assert served.code_error == pytest.approx(1.0 - inside.mean(), rel=1e-9)
    # 4 rows times 0.3 counts is beyond the threshold half a count away: the table of another plane must not serve.
    assert served.code_error > 0.5
    assert max(p.code_error for p in result.points) < 1e-5
    assert result.difference > 0.5


def test_planes_of_one_table_serve_each_other(setup: Testbench) -> None:
    one = setup.stacked[0]
    twins = (one, replace(one, label="twin"))
    result = measured(replace(setup, stacked=twins))
    assert result.difference == 0.0
    points = {p.plane: p.code_error for p in result.points}
    assert [f.code_error for f in result.foreign] == pytest.approx([points[f.plane] for f in result.foreign])


def test_rows_above_that_do_not_follow_the_inputs(setup: Testbench) -> None:
    result = measured(setup)
    low = result.points[0]
    # All four rows above driven while none of the plane's rows is, or the reverse.
    shift = setup.stacked[0].model.value("C_bl_u") / setup.stacked[0].model.value("C_bl_tab")
    assert abs(low.pattern_shift) == pytest.approx(4 * shift, rel=1e-6)
    assert low.pattern_error > low.code_error_worst
    assert (result.points[-1].pattern_shift, result.points[-1].pattern_error) == (
        0.0,
        result.points[-1].code_error_worst,
    )
    quiet = measured(complement(setup)).points[0]
    assert quiet.pattern_error == pytest.approx(quiet.code_error_worst, rel=1e-6)


def test_results_are_read_back_and_tables_name_their_plane(setup: Testbench, tmp_path: Path) -> None:
    base = make_readout_table(
        4, (Condition("tt", 1.0, 27.0, "Cmax"), TT), step=STEP, sigma_noise=SIGMA, sigma_static=1e-3
    )
    result = measured(setup, base)
    assert Planes.from_json(result.to_json()) == result
    assert {p.condition for p in result.points} == {TT.label}  # planes are extracted with nominal metals
    for table, plane in zip(result.tables(base), setup.stacked, strict=True):
        for name in FORMATS:
            FORMATS[name].write(table, tmp_path / name)
            assert FORMATS[name].read(tmp_path / name).plane == plane.label
    assert any(row.at.startswith("M4-M5") for row in result.figures())


def test_thresholds_of_another_table_stay(setup: Testbench) -> None:
    low, *_, top = measured(setup).tables(make_readout_table(4, step=STEP))
    np.testing.assert_array_equal(with_thresholds_of(low, top).thresholds(TT), top.thresholds(TT))


@pytest.mark.parametrize("cut", [lambda stacked: (), lambda stacked: stacked[:1]])
def test_one_plane_is_refused(setup: Testbench, cut: Callable[[Any], Any]) -> None:
    with pytest.raises(UnsupportedCell, match="compares two planes or more"):
        PROCEDURE.check(replace(setup, stacked=cut(setup.stacked)))


def test_thresholds_of_a_circuit_follow_each_plane(setup: Testbench) -> None:
    tracked = make_readout_table(4, step=STEP, sigma_noise=SIGMA)
    fixed = with_thresholds_of(tracked, tracked)
    for steps, moved, of_levels in zip(
        plane_steps(setup), measured(setup, fixed).tables(fixed), measured(setup, tracked).tables(tracked), strict=True
    ):
        np.testing.assert_allclose(moved.thresholds(TT), of_levels.thresholds(TT), rtol=1e-12, err_msg=steps.plane)
    assert measured(setup, fixed).foreign[1].code_error > 0.5


@pytest.mark.ngspice
@pytest.mark.parametrize("drive", ["single", "complement"])
def test_reads_by_transistors_meet_the_charge_balance(setup: Testbench, drive: str) -> None:
    low, _, top = setup.stacked
    there = replace(setup, stacked=(low, top), model=low.model)
    if drive == "complement":
        there = replace(complement(there), chain=ReadoutChain())
    table = make_readout_table(4, step=_step(there))
    steps, checks = calibrated_steps(there, ColumnTestbench(there), table)
    own = [c for c in checks if c.plane == low.label]
    assert [c.simulated for c in own if c.rows_above == FOLLOW] == [0.0] * 4  # the simulated plane
    for c in checks:
        # The balance knows no device at the bit line: junctions and the sense input load both planes alike, and the
        # transistors move a level by parts of a count.
        assert c.simulated == pytest.approx(c.linear, rel=0.1, abs=0.02)
        if c.rows_above == FOLLOW:
            assert c.calibrated == pytest.approx(c.simulated, abs=0.01)
    if drive == "single":
        # The top plane lacks what the rows above add: -C(BL, U) / C(BL, tab) counts per active row, first of all.
        assert steps[1].active < -0.1
    (rest,) = (c for c in checks if c.rows_above == REST)
    expected = -4 * low.model.value("C_bl_u") / low.model.value("C_bl_tab") if drive == "single" else 0.0
    assert rest.simulated == pytest.approx(expected, rel=0.05, abs=1e-3)


def _step(setup: Testbench) -> float:
    """Volts of a count with all rows active, from two reads."""
    n = setup.rows
    cases = [stimulus_of(setup, draw_pattern(setup, "random0", n, c)) for c in (0, n)]
    low, high = ColumnTestbench(setup).levels("step", [plane_read_deck(setup, setup.model, TT, case) for case in cases])
    return float(high - low) / n


def test_a_bent_curve_moves_by_its_local_step(setup: Testbench) -> None:
    # Levels 20 mV c - 1 mV c^2 with all rows active: a plane whose counts are one tenth larger moves a level by a
    # tenth of a count times the local step, which is 20 mV - 2 mV c.
    count = np.arange(5.0)
    table = make_readout_table(4, level=STEP * count - 1e-3 * count**2)
    steps = PlaneSteps("M4-M5", "", 0.1, 0.0, 0.0, 1.1)
    moved = (table_of_plane(table, steps).level - table.level)[0, 4]
    np.testing.assert_allclose(moved[1:4], 0.1 * count[1:4] * (STEP - 2e-3 * count[1:4]), rtol=1e-12)


def test_every_condition_has_steps_of_its_own() -> None:
    hot = Condition("tt", 1.0, 85.0)
    table = make_readout_table(4, conditions=(TT, hot), step=STEP, sigma_static=SIGMA)
    steps = PlaneSteps("M4-M5", "", 0.1, -0.2, 0.0, 1.1, elsewhere={hot.label: (0.05, -0.1)})
    moved = table_of_plane(table, steps)
    # all rows active at all counts: 4 x 0.1 - 4 x 0.2 and 4 x 0.05 - 4 x 0.1 counts of 20 mV
    np.testing.assert_allclose((moved.level - table.level)[:, 4, 4], [-0.4 * STEP, -0.2 * STEP], rtol=1e-9)
    np.testing.assert_allclose(moved.sigma_static[:, 4, 4], [1.1 * SIGMA, 1.05 * SIGMA], rtol=1e-12)
