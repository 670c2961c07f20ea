"""Campaigns on a real small group: measured samples, failures that stay visible, the group-size choice."""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import replace

import numpy as np
import pytest

from characterization import campaign
from characterization.campaign import Task, deck_of, run_decks, run_tasks
from characterization.dataset import Dataset
from characterization.group_size import choose_group
from characterization.procedures import PROCEDURES, mismatch, transfer, with_requirements
from characterization.procedures.adc_margin import thermal_noise
from characterization.testbench import Converter, Testbench
from interconnect.errors import InputError
from netlists.case import ColumnStimulus, Deviations
from netlists.condition import Condition
from ngspice_runner import Cache, Job, Progress, RunInterrupted, run

TT = Condition("tt", 1.0, 27.0)


@pytest.fixture
def setup(charge_setup: Testbench) -> Testbench:
    """Four rows of the balanced cell, values by formula (the physics of the campaign does not depend on them)."""
    return charge_setup


def task(rows: int, active: int, count: int) -> Task:
    """Rows 0..active-1 driven, rows 0..count-1 of them storing a one, quiet neighbours."""
    bits = np.zeros((rows, 3), dtype=np.uint8)
    bits[:count, 1] = 1
    inputs = np.zeros(rows, dtype=np.uint8)
    inputs[:active] = 1
    return Task("test", TT, active, count, "hand", -1, ColumnStimulus(bits=bits, inputs=inputs, columns_total=32))


def test_levels_and_energy_of_a_group(setup: Testbench) -> None:
    outcome = run_tasks(setup, [task(4, 4, c) for c in (0, 2, 4)] + [task(4, 0, 0), task(4, 2, 2)])
    low, middle, high, idle, half = outcome.samples
    assert outcome.verdicts == {"ok": 5}
    assert low.level < middle.level < high.level
    # equal steps to a few per cent: the junction of the reset switch bends them a little
    assert middle.level - low.level == pytest.approx(high.level - middle.level, rel=0.03)
    # driving four rows costs twice what two cost, and C V^2 of the driven lines at least: 32 cells of some 60 aF each
    assert high.row_energy / half.row_energy == pytest.approx(2.0, rel=0.05)
    assert high.row_energy > 4 * 32 * 40e-18 * 1.0**2
    assert abs(idle.row_energy) < 0.01 * half.row_energy


def test_double_sampling_subtracts_the_level_before_the_edge(setup: Testbench) -> None:
    deck = deck_of(setup, task(4, 4, 2))
    result = run(Job(text=deck.text, outputs=deck.outputs, stop=deck.stop))
    assert deck.input_at is not None
    single, _ = run_decks(deck, result)
    double, _ = run_decks(deck, result, double_sampling=True)
    time, line = (result.signals[name].values for name in ("time", deck.target))
    assert single - double == pytest.approx(float(np.interp(deck.input_at, time, line)), abs=1e-12)
    # charge injection of the opening switch pulls the line well below ground
    assert single - double < -0.01


def test_failures_stay_as_rows(setup: Testbench, tmp_path) -> None:
    with Cache(tmp_path) as cache:
        outcome = run_tasks(replace(setup, timeout=1e-3), [task(4, 4, 1), task(4, 4, 2)], cache=cache)
    assert outcome.verdicts == {"timeout": 2}
    assert all(math.isnan(s.level) and s.verdict == "timeout" for s in outcome.samples)
    with pytest.raises(InputError, match="too few"):
        transfer.analyse_transfer(setup, Dataset(outcome.samples), {})


def test_cached_runs_are_told_apart(setup: Testbench, tmp_path) -> None:
    tasks = [task(4, 4, 1), task(4, 4, 2), task(4, 4, 1)]
    with Cache(tmp_path) as cache:
        first = run_tasks(setup, tasks, cache=cache)
        second = run_tasks(setup, tasks, cache=cache)
    assert (first.simulated, first.cached) == (2, 0)  # the third task is the first again
    assert (second.simulated, second.cached) == (0, 2)
    assert first.samples == second.samples


def test_parts_are_told_as_one_campaign(setup: Testbench, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks = [task(4, 4, c) for c in (1, 2, 1, 2, 3, 1, 3)]
    whole = run_tasks(setup, tasks)
    monkeypatch.setattr(campaign, "TASKS_PER_BATCH", 2)
    seen: list[Progress] = []
    parts = run_tasks(setup, tasks, progress=seen.append)  # no cache: a deck of an earlier part is not run again
    assert parts.samples == whole.samples
    assert (parts.simulated, parts.cached, parts.verdicts) == (3, 0, {"ok": 7})
    assert [s.done for s in seen] == [1, 2, 6]  # the second part and one each of the third and fourth were known
    assert all(s.total == 7 for s in seen)
    assert all(later.elapsed >= sooner.elapsed for sooner, later in itertools.pairwise(seen))


def test_interruption_counts_the_whole_campaign(setup: Testbench, monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    tasks = [task(4, 4, c) for c in (0, 1, 2, 3, 4)]
    monkeypatch.setattr(campaign, "TASKS_PER_BATCH", 2)

    def stop(state: Progress) -> None:
        if state.done == 3:
            raise KeyboardInterrupt

    with Cache(tmp_path) as cache:
        with pytest.raises(RunInterrupted, match=r"after [34] of 5 reads; finished results are kept") as stopped:
            run_tasks(setup, tasks, cache=cache, workers=1, progress=stop)
        done = int(re.findall("after ([0-9])", str(stopped.value))[0])
        again = run_tasks(setup, tasks, cache=cache)
    assert (again.simulated, again.cached) == (5 - done, done)


def test_cell_mismatch_spreads_levels_as_the_closed_form_says(setup: Testbench) -> None:
    quiet = replace(setup, samples=40)  # only cells vary
    tasks = [
        replace(
            t,
            case=replace(t.case, deviations=Deviations(cell=t.case.deviations.cell)),
        )
        for t in mismatch.plan_mismatch(quiet)
        if (t.active, t.count) == (4, 4)
    ]
    outcome = run_tasks(quiet, tasks)
    low, high = run_tasks(quiet, [task(4, 4, 0), task(4, 4, 4)]).samples
    found = np.array([s.level for s in outcome.samples])
    # a cell larger by d brings d C_tab (V_dd - V) more charge to the line: its share of the step, per counted cell
    excess = np.array([np.sum(t.case.factors()[:, 1] - 1.0) for t in tasks])
    share = (high.level - low.level) / 4 * quiet.mismatch_gain * (1.0 - high.level)
    assert np.std(found, ddof=1) == pytest.approx(share * np.std(excess, ddof=1), rel=0.05)
    assert np.corrcoef(found, excess)[0, 1] > 0.99


def test_group_choice_follows_the_target(setup: Testbench) -> None:
    def histogram(rows: int) -> np.ndarray:
        weight = np.zeros((rows + 1, rows + 1))
        weight[rows, : rows + 1] = 1.0
        return weight

    sampled = replace(setup, converter=Converter(0.05, 0.02, 5e-9, 20e-15))
    easy = choose_group(sampled, (4, 8, 16), histogram, 0.4)
    assert easy.rows == 16
    steps = [c.lsb for c in easy.candidates]
    assert steps == sorted(steps, reverse=True)
    hard = choose_group(sampled, (4, 8, 16), histogram, 1e-30)
    assert hard.rows == 4
    assert "no candidate" in hard.reason
    single = choose_group(setup, (4,), histogram, 0.5).candidates[0]
    # k T / C of the reset is larger than what two samples on 20 fF leave
    assert single.sigma_noise > easy.candidates[0].sigma_noise


def test_thermal_noise_of_both_samplings(setup: Testbench) -> None:
    one = np.ones((1, 1))
    lsb = 0.02
    # k T = 4.1440e-21 J at 300.15 K; C = V_dd C_switched / LSB
    capacitance = setup.model.switched / lsb
    assert thermal_noise(setup, lsb, 1.0, 300.15, one, one)[0, 0] == pytest.approx(
        math.sqrt(4.1440e-21 / capacitance), rel=1e-4
    )
    sampled = replace(setup, converter=Converter(0.05, 0.02, 5e-9, 20e-15))
    assert thermal_noise(sampled, lsb, 1.0, 300.15, one, one)[0, 0] == pytest.approx(6.437e-4, rel=1e-3)


def test_procedures_are_found_with_their_requirements() -> None:
    assert [p.name for p in with_requirements(("adc_margin",))] == ["transfer", "mismatch", "adc_margin"]
    with pytest.raises(InputError, match="did you mean 'mismatch'"):
        PROCEDURES["mismach"]
