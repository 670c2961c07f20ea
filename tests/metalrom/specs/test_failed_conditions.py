"""Corners that fail in ngspice: told with their reason, left out of every fit, never papered over."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from characterization.failures import ConditionError
from characterization.procedures import with_requirements
from characterization.testbench import Converter, Testbench
from metalrom.run.characterize import CharacterizationRun, measure_group
from netlists.condition import Condition
from ngspice_runner import Cache, EngineError
from tests.builders import make_testbench

pytestmark = pytest.mark.ngspice

NOMINAL, SLOW, DEAD = Condition("tt", 1.0, 27.0), Condition("ss", 1.0, 27.0), Condition("tt", 0.05, 27.0)
"""At 50 mV the transistors conduct nothing in half a nanosecond: the level cannot follow the count."""
PROCEDURES = with_requirements(("adc_margin",))


@pytest.fixture(scope="module")
def setup() -> Testbench:
    return make_testbench(
        columns=32,
        conditions=(NOMINAL, DEAD),
        converter=Converter(0.05, 0.02, 5e-9, 20e-15),
        patterns=1,
        samples=12,
        max_levels=5,
    )


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Cache:
    return Cache(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def dead(setup: Testbench, cache: Cache) -> CharacterizationRun:
    return measure_group(setup, PROCEDURES, cache)


def test_a_supply_at_which_nothing_moves_is_a_failed_condition(setup: Testbench, dead: CharacterizationRun) -> None:
    (failed,) = dead.failed
    assert failed.condition == "tt_0.05V_27C"
    assert failed.reason == "the level does not rise with the count"
    assert failed.verdicts == (("ok", sum(s.condition == DEAD for s in dead.data.samples)),)
    assert dead.table.conditions == dead.setup.conditions == (NOMINAL,)
    assert dead.planned.conditions == (NOMINAL, DEAD)
    assert len(dead.transfer.models) == len(dead.mismatch.models) == 1


def test_the_good_conditions_come_out_as_if_the_failed_one_had_not_been_asked(
    setup: Testbench, cache: Cache, dead: CharacterizationRun
) -> None:
    alone = measure_group(replace(setup, conditions=(NOMINAL,)), PROCEDURES, cache)
    assert alone.failed == ()
    assert alone.simulated == 0
    for name in ("level", "sigma_static", "sigma_noise", "row_energy"):
        np.testing.assert_array_equal(getattr(alone.table, name), getattr(dead.table, name))


def test_simulations_that_run_out_of_time_fail_their_condition(
    setup: Testbench, cache: Cache, dead: CharacterizationRun
) -> None:
    # the nominal condition comes from the cache; hardly an ngspice ends within a millisecond (on a busy machine the
    # clock may be looked at late, so one or the other does)
    hurried = replace(setup, conditions=(NOMINAL, SLOW), timeout=1e-3, samples=10)
    said: list[str] = []
    done = measure_group(hurried, PROCEDURES, cache, announce=said.append)
    (failed,) = done.failed
    number = sum(s.condition == SLOW for s in done.data.samples)
    late = dict(failed.verdicts)["timeout"]
    assert late > number / 2
    assert sum(count for _, count in failed.verdicts) == number
    assert failed.reason == f"{late} of {number} simulations failed (verdict timeout first)"
    assert done.table.conditions == (NOMINAL,)
    assert said[-1] == f"ss_1.00V_27C failed and is left out: {failed.reason}"


def test_a_failed_nominal_condition_ends_the_run(setup: Testbench, cache: Cache, dead: CharacterizationRun) -> None:
    with pytest.raises(ConditionError, match=r"condition tt_0\.05V_27C: the level does not rise with the count"):
        measure_group(replace(setup, conditions=(DEAD,)), PROCEDURES, cache)
    hurried = replace(setup, conditions=(replace(NOMINAL, vdd=0.99),), timeout=1e-3, samples=10)
    with pytest.raises(
        EngineError, match=r"verdict timeout first\) at the nominal condition tt_0\.99V_27C; nothing is"
    ):
        measure_group(hurried, PROCEDURES, cache)
