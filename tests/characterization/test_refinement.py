"""The second stage of a campaign: which conditions it chooses, what it still has to simulate, in which order."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from characterization.campaign import Task
from characterization.dataset import Dataset, Sample, read_samples_csv
from characterization.procedures import mismatch, transfer
from characterization.refinement import merged, missing, refined
from characterization.tables.table import ReadoutTable
from characterization.testbench import Testbench
from netlists.condition import Condition
from tests.builders import TT, make_readout_table

SS = Condition("ss", 1.0, 27.0)
CMAX, HOT = replace(TT, beol="Cmax"), replace(SS, temperature=85.0)


def planned(setup: Testbench, **changes: object) -> Testbench:
    return replace(setup, conditions=(TT, SS, CMAX, HOT), **changes)  # type: ignore[arg-type]


def table_of(setup: Testbench) -> ReadoutTable:
    """Some levels; the margins of the test are given beside it."""
    return make_readout_table(setup.rows, setup.conditions, step=1.0)


def sample_of(task: Task) -> Sample:
    c = task.condition
    return Sample(task.procedure, c.corner, c.vdd, c.temperature, 4, task.active, task.count, task.pattern, task.draw,
                  1.0, 0.0, "ok", "x", c.beol)  # fmt: skip


def test_samples_are_all_a_third_or_as_told(charge_setup: Testbench) -> None:
    setup = planned(charge_setup, samples=90)
    assert [setup.samples_of(c) for c in setup.conditions] == [90, 30, 30, 30]
    # a third of 12 would be 4: never fewer than the ten draws that a variance needs
    assert planned(charge_setup, samples=12).samples_of(SS) == 10
    told = planned(charge_setup, samples=90, samples_elsewhere=20, more_samples=((CMAX, 100), (HOT, 15)))
    assert [told.samples_of(c) for c in told.conditions] == [90, 20, 100, 20]


def test_the_smallest_margins_get_more(charge_setup: Testbench) -> None:
    setup = planned(charge_setup, samples=60, worst_conditions=2, worst_samples=100)
    margin = {TT.label: 5.0, SS.label: 3.0, CMAX.label: 4.0, HOT.label: float("-inf")}
    more = refined(setup, table_of(setup), margin.__getitem__)
    assert set(more.more_samples) == {(HOT, 100), (SS, 100)}
    assert refined(setup, table_of(setup), margin.__getitem__) == more
    # equal margins: the first of the plan
    tied = refined(replace(setup, worst_conditions=1), table_of(setup), lambda label: 1.0)
    assert tied.more_samples == ((TT, 100),)


def test_only_what_is_new_is_simulated_and_stands_in_the_order_of_the_plan(charge_setup: Testbench) -> None:
    setup = planned(charge_setup, samples=30)
    first = Dataset(tuple(map(sample_of, mismatch.plan_mismatch(setup))))
    more = replace(setup, more_samples=((CMAX, 14),))
    tasks = mismatch.plan_mismatch(more)
    new = missing(tasks, first)
    points = len(mismatch.points(setup.rows))
    assert len(new) == 4 * points  # draws 10 to 13
    assert {t.condition for t in new} == {CMAX}
    assert {t.draw for t in new} == {10, 11, 12, 13}
    whole = merged(tasks, first, Dataset(tuple(map(sample_of, new))))
    assert [(s.condition, s.active, s.count, s.draw) for s in whole.samples] == [
        (t.condition, t.active, t.count, t.draw) for t in tasks
    ]
    # the same chip has the same deviations at every condition and in both stages
    cases = {(t.condition, t.active, t.count, t.draw): t.case for t in tasks}
    for point in mismatch.points(setup.rows):
        a, b = (cases[c, *point, 12].deviations for c in (TT, CMAX))
        np.testing.assert_array_equal(a.cell, b.cell)


def test_draws_are_local(charge_setup: Testbench) -> None:
    """What a chip shares is the condition's: the mean over a chip's own devices has no variance beyond theirs."""
    seeds = [np.random.SeedSequence([1, 2, i]) for i in range(600)]
    chips = [mismatch.draw_deviations(charge_setup, seed) for seed in seeds]
    devices, p = charge_setup.technology.devices, charge_setup.periphery
    driver = devices.sigma_vth("nmos", p.driver_nmos_width, p.length)
    means = {"cell": (0.03, [c.cell.mean() for c in chips], 4 * 3),
             "driver": (driver, [np.mean(c.driver_nmos) for c in chips], 4)}  # fmt: skip
    for sigma, values, number in means.values():
        # sigma^2 / n for n independent deviations; the variance of 600 draws is known to 6 %
        assert abs(np.var(values) / (sigma**2 / number) - 1) < 0.25
    both = np.corrcoef(means["cell"][1], means["driver"][1])[0, 1]
    assert abs(both) < 4 / np.sqrt(600)


def test_samples_tell_the_metals_only_where_they_differ(charge_setup: Testbench) -> None:
    tasks = mismatch.plan_mismatch(planned(charge_setup))
    data = Dataset(tuple(map(sample_of, tasks)))
    assert data.to_csv().splitlines()[0].endswith(",deck,beol")
    assert read_samples_csv(data.to_csv()) == data
    plain = data.select("mismatch", TT)
    assert plain.to_csv().splitlines()[0].endswith(",deck")
    assert read_samples_csv(plain.to_csv()) == plain
    assert len(data.select("mismatch", CMAX)) == 10 * len(mismatch.points(4))


def test_energy_of_drivers_that_do_not_leak_is_not_negative() -> None:
    active = np.array([0.0, 1.0, 2.0, 4.0])
    # a line above zero is the plain least-squares one, to the last bit
    up = 2e-17 + 3e-14 * active
    x = np.stack([np.ones(4), active], axis=1)
    np.testing.assert_array_equal(transfer.energy_line(active, up), np.linalg.lstsq(x, up, rcond=None)[0])
    # below zero at no active row: the best line through the origin has the slope sum(a e) / sum(a^2)
    bent = 3e-14 * active + np.array([0.0, -2e-16, 0.0, 1e-16])
    assert np.linalg.lstsq(x, bent, rcond=None)[0][0] < 0
    expected = [0.0, float(active @ bent / (active @ active))]
    np.testing.assert_allclose(transfer.energy_line(active, bent), expected, rtol=1e-9, atol=1e-30)
