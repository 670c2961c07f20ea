"""Procedures that fail at a condition: their own row is lost and told, everything else stands."""

from __future__ import annotations

import json
import os
import shlex
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from characterization.failures import FailedProcedure
from characterization.procedures import PROCEDURES, Leakage, Settling, measured
from characterization.procedures.document import procedures_document
from characterization.tables.table import ReadoutTable
from characterization.testbench import Converter, Testbench
from interconnect.errors import InputError
from metalrom.cli.specs import condensed, missed, spec_table
from metalrom.run.characterize import measure_group
from metalrom.run.folder import PROCEDURES as PROCEDURES_FILE
from metalrom.run.folder import open_run
from metalrom.run.judge import judge_specs
from metalrom.run.manifest import write_manifest
from metalrom.run.results import RunResults, parse_results, write_results
from metalrom.run.view import RunView
from metalrom.specs.grammar import parse_spec
from netlists.condition import Condition
from ngspice_runner import Cache
from tests.builders import make_testbench

NOMINAL, SLOW, DEAD = Condition("tt", 1.0, 27.0), Condition("ss", 1.0, 27.0), Condition("tt", 0.05, 27.0)


@pytest.fixture(scope="module")
def setup() -> Testbench:
    return make_testbench(conditions=(NOMINAL, DEAD), converter=Converter(0.05, 0.02, 5e-9, 20e-15))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Cache:
    return Cache(tmp_path_factory.mktemp("cache"))


@pytest.fixture
def run(make_table: Callable[..., ReadoutTable], make_results: Callable[..., RunResults]) -> RunView:
    table = make_table()
    return RunView(make_results(table), table)


@pytest.mark.ngspice
def test_a_condition_is_lost_to_one_procedure_alone(setup: Testbench, cache: Cache) -> None:
    done = measure_group(setup, [PROCEDURES[n] for n in ("settling", "leakage", "crosstalk")], cache)
    reason = "settling_scale: the level does not rise with the count"
    # crosstalk's reads at 50 mV are judged ok by ngspice: it only sees small levels there
    assert done.failed_procedures == (FailedProcedure("settling", DEAD.label, "", reason),)
    assert done.failed == ()
    assert [w.condition for w in done.results["settling"].worst] == [NOMINAL.label]
    assert {s.condition for s in done.results["leakage"].states} == {NOMINAL.label, DEAD.label}


@pytest.mark.ngspice
def test_the_nominal_condition_may_be_the_one(setup: Testbench, cache: Cache) -> None:
    turned = replace(setup, conditions=(DEAD, NOMINAL))
    done = measure_group(turned, [PROCEDURES[n] for n in ("settling", "worst_pattern")], cache)
    settling, worst = done.failed_procedures
    assert (settling.procedure, settling.condition) == ("settling", DEAD.label)
    assert [w.condition for w in done.results["settling"].worst] == [NOMINAL.label]
    # the search speaks of the nominal condition: another one is no substitute
    assert (worst.procedure, worst.condition) == ("worst_pattern", DEAD.label)
    assert "worst_pattern" not in done.results


@pytest.fixture
def slow_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine, each run a fifth of a second later: longer than a busy machine keeps a short timeout waiting."""
    real = shutil.which(os.environ.get("METALROM_NGSPICE", "ngspice"))
    script = tmp_path / "ngspice-slow"
    script.write_text(f'#!/bin/sh\n[ "$1" = --version ] || sleep 0.2\nexec {shlex.quote(str(real))} "$@"\n')
    script.chmod(0o755)
    monkeypatch.setenv("METALROM_NGSPICE", str(script))


@pytest.mark.ngspice
@pytest.mark.usefixtures("slow_engine")
def test_a_verdict_of_ngspice_is_told(setup: Testbench, cache: Cache) -> None:
    procedures = [PROCEDURES["leakage"], measured("reader", "reads leakage", lambda s, b, f: f["leakage"],
                                                     requires=("leakage",))]  # fmt: skip
    measure_group(replace(setup, conditions=(NOMINAL,)), procedures[:1], cache)
    hurried = replace(setup, conditions=(NOMINAL, SLOW), timeout=0.02)  # the nominal condition is in the cache
    said: list[str] = []
    done = measure_group(hurried, procedures, cache, announce=said.append)
    (failed,) = done.failed_procedures
    assert (failed.procedure, failed.condition, failed.verdict) == ("leakage", SLOW.label, "timeout")
    assert "ngspice gave the verdict timeout" in failed.reason
    assert {s.condition for s in done.results["leakage"].states} == {NOMINAL.label}
    assert said[-1].startswith(f"leakage failed at {SLOW.label}: ")
    lost = measure_group(replace(setup, conditions=(replace(NOMINAL, vdd=0.98),), timeout=0.02), procedures, cache)
    assert lost.results == {}
    assert [f.procedure for f in lost.failed_procedures] == ["leakage", "reader"]
    assert lost.failed_procedures[1].reason == "it reads what leakage finds, which failed"


@pytest.mark.ngspice
def test_the_worst_pattern_everywhere(setup: Testbench, cache: Cache) -> None:
    two = replace(setup, conditions=(NOMINAL, SLOW))
    alone = measure_group(two, [PROCEDURES["worst_pattern"]], cache).results["worst_pattern"]
    both = measure_group(replace(two, worst_everywhere=True), [PROCEDURES["worst_pattern"]], cache)
    found = both.results["worst_pattern"]
    assert [f.condition for f in found.everywhere] == [NOMINAL.label, SLOW.label]
    assert "others" not in alone.to_json()
    assert {k: v for k, v in found.to_json().items() if k != "others"} == alone.to_json()
    assert both.counts.linear == sum(f.evaluations for f in found.everywhere)


def test_failures_decide_and_are_told(run: RunView, tmp_path: Path) -> None:
    failed = (FailedProcedure("settling", "ss_1.00V_27C", "timeout", "ngspice gave the verdict timeout"),)
    results: RunResults = replace(run.results, failed_procedures=failed)
    assert run.results.passed
    assert not results.passed
    assert missed(results).endswith("failed procedures: settling at ss_1.00V_27C")
    assert spec_table(results).row_count == spec_table(run.results).row_count + 1
    assert parse_results(write_results(results, tmp_path).read_bytes(), where="results.json") == results


def test_quantities_of_procedures(run: RunView, tmp_path: Path) -> None:
    from characterization.procedures.leakage import StaticCurrent
    from characterization.procedures.settling import SettlingTime

    nominal = run.results.condition
    slow = SettlingTime(nominal, "far", 4, 4, (3e-11, 5e-11), 0.0, 0.0)
    quick = replace(slow, pattern="near", times=(4e-11, 4.5e-11))
    settling = Settling((0.5, 0.1), 2e-9, (slow, quick), (slow,))
    leakage = Leakage(4, (StaticCurrent(nominal, "idle", 1e-9, 0.0, None, 2e-9),))
    failed = (FailedProcedure("settling", "ss_1.00V_27C", "timeout", "it timed out"),)
    results = replace(run.results, failed_procedures=failed)
    view = RunView(results, run.table, {"settling": settling, "leakage": leakage})
    asked = ["settling < 41ps", "settling_tenth < 50ps", "leakage <= 2nW", "settling < 1ns at ss_1.00V_27C",
             "crosstalk < 0.5LSB"]  # fmt: skip
    one, two, three, lost, absent = judge_specs([parse_spec(s) for s in asked], view).specs
    # the slowest to half a count is another pattern than the slowest to a tenth
    assert (one.value, one.passed) == (4e-11, True)
    assert (two.value, two.passed) == (5e-11, False)
    assert (three.value, three.passed, three.unit) == (2e-9, True, "W")
    assert (lost.value, lost.passed) == (None, False)
    assert "has no result at ss_1.00V_27C: it timed out" in lost.reason
    assert not absent.passed
    # the same from the folder of the finished run
    document = procedures_document({"settling": settling, "leakage": leakage}, "V", 4, failed)
    (tmp_path / PROCEDURES_FILE).write_text(json.dumps(document))
    write_manifest(tmp_path, {})
    finished = RunView(results, run.table, open_run(tmp_path).procedures)
    assert judge_specs([parse_spec(s) for s in asked], finished).specs == (one, two, three, lost, absent)
    with pytest.raises(InputError, match="wrong unit"):
        parse_spec("crosstalk < 3mV")


def test_many_conditions_are_condensed(run: RunView) -> None:
    (result,) = judge_specs([parse_spec("code_error < 1e-3")], run).specs
    many = [replace(result, condition=f"c{i}", value=i * 1e-4, passed=i < 10) for i in range(30)]
    shown = condensed(many)
    assert [s.condition for s in shown[:2]] == ["c29", "c28"]
    assert len(shown) == 13
    assert shown[11].reason == "8 more conditions miss it by less"
    assert (shown[12].condition, shown[12].reason) == ("c9", "the closest of 10 conditions that pass")
    assert condensed(many[:12]) == many[:12]
