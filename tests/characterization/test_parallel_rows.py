"""Procedures with alike rows in parallel and computed levels, against every read of every row simulated."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from characterization import parallel_rows
from characterization.campaign import run_tasks
from characterization.column_testbench import ColumnTestbench, draw_pattern, stimulus_of
from characterization.corrected_sampling import CorrectedSampling, sample_corrected
from characterization.dataset import Dataset
from characterization.parallel_rows import check_parallel_rows
from characterization.procedures import PROCEDURES
from characterization.procedures.chain_settling import measure_chain_settling
from characterization.procedures.read_levels import CONTRADICTED, level_covariance, read_levels
from characterization.procedures.registry import CORRECTED
from characterization.testbench import Testbench
from interconnect.errors import InputError
from metalrom.run.characterize import measure_group
from netlists.condition import Condition
from netlists.readout.chain import ReadoutChain
from ngspice_runner import Cache
from tests.builders import TT, make_testbench

pytestmark = pytest.mark.ngspice

HOT = Condition("ff", 1.0, 85.0)


@pytest.fixture(scope="module")
def full() -> Testbench:
    return make_testbench(
        rows=8, columns=16, conditions=(TT, HOT), samples=30, patterns=2, max_levels=5, sampling="full"
    )


@pytest.fixture(scope="module")
def short(full: Testbench) -> Testbench:
    return replace(full, sampling="corrected", parallel_rows=True)


@pytest.fixture(scope="module")
def campaign(short: Testbench) -> CorrectedSampling:
    tasks = [t for name in ("transfer", "mismatch", "crosstalk") for t in PROCEDURES[name].plan(short)]
    return sample_corrected(short, tasks, lambda chosen: run_tasks(short, chosen))


def measured(name: str, setup: Testbench, known: dict[str, Any] | None = None) -> tuple[Any, ColumnTestbench]:
    bench, procedure = ColumnTestbench(setup), PROCEDURES[name]
    assert procedure.measure is not None
    return procedure.measure(setup, bench, known or {}), bench


def test_drawn_reads_agree_with_every_row(short: Testbench) -> None:
    bench = ColumnTestbench(short)
    checks = check_parallel_rows(short, bench)
    assert [c.condition for c in checks] == [TT.label, HOT.label]
    assert all(c.agrees for c in checks)
    assert all(c.rows == 8 and c.simulated < 8 for c in checks)
    assert bench.outcome.simulated == 4
    assert check_parallel_rows(replace(short, parallel_rows=False), bench) == ()


def test_a_run_whose_check_fails_simulates_every_row(
    short: Testbench, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setattr(parallel_rows, "TOLERANCE", -1.0)
    words: list[str] = []
    with Cache(tmp_path) as cache:
        done = measure_group(short, (PROCEDURES["leakage"],), cache, announce=words.append)
    assert not done.setup.parallel_rows
    assert len(done.row_checks) == 2
    assert any("all rows are simulated" in w for w in words)
    assert " m=" not in done.decks[f"leakage_{TT.label}.cir"]


def test_a_current_cell_has_no_parallel_rows() -> None:
    with pytest.raises(InputError, match="its bit line's wire takes part in a read"):
        make_testbench("res_via", parallel_rows=True)


@pytest.mark.parametrize("name", ["settling", "noise", "energy", "leakage", "supply", "readout_current"])
def test_results_are_those_of_every_row(name: str, full: Testbench, short: Testbench) -> None:
    found, bench = measured(name, short)
    exact, whole = measured(name, full)
    assert [(r.name, r.at) for r in found.figures()] == [(r.name, r.at) for r in exact.figures()]
    for one, other in zip(found.figures(), exact.figures(), strict=True):
        # a level within 0.001 counts, what the tolerances of the engine leave of it; a time within a tenth of the
        # deck's 5 ps step, between whose ends it is interpolated; ngspice and network agree to 1e-8; the rest 1 %
        near = {"LSB": 1e-3, "s": 5e-13}.get(one.unit, 1e-8 if one.name.startswith("ngspice") else 0.0)
        assert one.value == pytest.approx(other.value, rel=1e-2, abs=near), one
    assert any(" m=" in text for text in bench.decks.values())
    assert not any(" m=" in text for text in whole.decks.values())


def test_chain_settling_is_that_of_every_row(full: Testbench) -> None:
    model = full.model.complement_driven()
    chain = replace(full, model=model, chain=ReadoutChain(), conditions=(TT,))
    phases, whole = (
        measure_chain_settling(s, ColumnTestbench(s), {}).phases for s in (replace(chain, parallel_rows=True), chain)
    )
    for one, other in zip(phases, whole, strict=True):
        assert one.needed == pytest.approx(other.needed, rel=1e-2)
        assert one.missing == pytest.approx(other.missing, abs=1e-3)


def test_computed_shifts_are_within_their_errors(
    full: Testbench, short: Testbench, campaign: CorrectedSampling
) -> None:
    procedure = PROCEDURES["crosstalk"]
    found = procedure.analyse(short, Dataset(campaign.outcome.samples), {CORRECTED: campaign})
    exact = procedure.analyse(full, Dataset(run_tasks(full, procedure.plan(full)).samples), {})
    assert len(found.shifts) == len(exact.shifts)
    z = [(a.shift - b.shift) / a.error for a, b in zip(found.shifts, exact.shifts, strict=True) if a.error]
    assert len(z) > 20
    assert np.abs(z).max() < 3.5  # of some thirty values a Gaussian one in 70 runs
    assert max(s.error for s in found.shifts) < 0.02
    assert found.figures()[-1].name == "largest standard error of a shift"
    assert all(s.error == 0.0 for s in exact.shifts)


def test_worst_patterns_and_places_take_few_decks(
    full: Testbench, short: Testbench, campaign: CorrectedSampling
) -> None:
    found, bench = measured("worst_pattern", short, {CORRECTED: campaign})
    exact, whole = measured("worst_pattern", full)
    assert bench.outcome.simulated <= whole.outcome.simulated / 3
    for one, other in ((found.high, exact.high), (found.low, exact.low)):
        assert one.genes.tolist() == other.genes.tolist()
        assert one.transistor_error > 0.0
        assert other.transistor_error == 0.0
        assert abs(one.transistor_deviation - other.transistor_deviation) < 3.5 * one.transistor_error
    assert "simulated reads" in {row.name for row in found.figures()}
    assert type(found).from_json(found.to_json()).to_json() == found.to_json()
    found, _ = measured("readout_current", short, {CORRECTED: campaign})
    exact, _ = measured("readout_current", full)
    assert found.sampling[0].decks < found.sampling[0].reads
    for place, other in zip(found.places, exact.places, strict=True):
        assert abs(place.step - other.step) < 3.5 * place.error


def test_a_contradicted_correction_is_not_used(short: Testbench, campaign: CorrectedSampling) -> None:
    known = campaign.corrected[TT]
    wrong = replace(known.correction, theta=np.zeros_like(known.correction.theta))
    misled = replace(campaign, corrected={TT: replace(known, correction=wrong)})
    cases = [stimulus_of(short, draw_pattern(short, "random0", 8, c)) for c in (0, 4, 8)]
    found = read_levels(short, ColumnTestbench(short), {CORRECTED: misled}, "x", TT, cases, simulated=(1,))
    assert found.sampling.full == CONTRADICTED
    assert found.combined([-1.0, 0.0, 1.0])[1] == 0.0
    bench = ColumnTestbench(short)
    assert found.value == pytest.approx(bench.levels("x", [bench.deck(TT, c) for c in cases]))


def test_a_condition_without_a_correction_has_no_errors(short: Testbench, campaign: CorrectedSampling) -> None:
    none = replace(campaign, corrected={})
    tasks = PROCEDURES["crosstalk"].plan(replace(short, conditions=(TT,)))
    assert not level_covariance(none, TT, tasks).any()
