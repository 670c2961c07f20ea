"""Sampling by the corrected linear network: against finite differences and engines whose answer is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from characterization import corrected_sampling
from characterization.campaign import CampaignOutcome, Task
from characterization.corrected_sampling import sample_corrected
from characterization.correction import RegressorMaker, chip_normals
from characterization.dataset import Dataset, Sample, read_samples_csv
from characterization.linear_read import LinearReads
from characterization.procedures import PROCEDURES
from characterization.procedures.registry import CORRECTED
from characterization.sampling_check import CheckedRead, ConditionSampling, sampling_check, sampling_warnings
from characterization.testbench import Testbench
from netlists.case import Deviations
from netlists.condition import Condition
from netlists.reference import reference_column
from tests.builders import TT, make_testbench

SLOW = Condition("ss", 0.9, 27.0)
LEAKAGE = 2e-5
"""V; what a typical reset switch of the known engine leaks from a line."""


READS: dict[int, LinearReads] = {}


def known_level(setup: Testbench, task: Task) -> float:
    """A line whose switch takes a share of the level that bends with it, and leaks by its own threshold shift."""
    case = setup.stimulus(task.case)
    reads = READS.setdefault(id(setup.model), LinearReads(setup))
    exact = float(reads.read(task.condition, case).at(case.deviations.cell)[0][0])
    shift = 0.0 if case.deviations.reset is None else float(case.deviations.reset[1])
    share = 0.9 if task.condition == TT else 0.88
    return share * exact - 0.05 * exact**2 - LEAKAGE * float(np.exp(-shift / 0.03))


Simulate = Callable[[Sequence[Task]], CampaignOutcome]


def engine(setup: Testbench, asked: list[Task], *, bad: Callable[[Task], bool] = lambda task: False) -> Simulate:
    """An engine that gives `known_level`, notes what it was asked for, and fails where `bad`."""

    def simulate(tasks: Sequence[Task]) -> CampaignOutcome:
        asked.extend(tasks)
        samples = []
        for t in tasks:
            level, verdict = (float("nan"), "failed") if bad(t) else (known_level(setup, t), "ok")
            c = t.condition
            samples.append(
                Sample(t.procedure, c.corner, c.vdd, c.temperature, setup.rows, t.active, t.count, t.pattern, t.draw,
                       level, 1e-15 * (1 + t.active), verdict, "deck")
            )  # fmt: skip
        return CampaignOutcome(tuple(samples), len(samples), 0, {"ok": len(samples)}, 0.0, "known")

    return simulate


@pytest.fixture(scope="module")
def setup() -> Testbench:
    return make_testbench(rows=8, columns=16, conditions=(TT, SLOW), samples=30, patterns=2, max_levels=5)


@pytest.fixture(scope="module")
def tasks(setup: Testbench) -> list[Task]:
    return [*PROCEDURES["transfer"].plan(setup), *PROCEDURES["mismatch"].plan(setup)]


@pytest.mark.parametrize("kind", ["cap_balanced", "cap_ternary", "res_via"])
def test_slopes_are_finite_differences(kind: str) -> None:
    setup = make_testbench(kind, samples=10)
    task = PROCEDURES["mismatch"].plan(setup)[-1]
    case = replace(task.case, deviations=Deviations())
    read = LinearReads(setup).read(TT, case)
    signs = np.array([line.sign for line in setup.model.bit_lines])
    # reference_column solves the whole network anew
    assert read.level @ signs == pytest.approx(reference_column(setup.model, setup.periphery, TT, case).value, rel=1e-9)
    for place in ((0, 1), (2, 0)):
        factors = np.ones(case.bits.shape)
        factors[place] = 1.001
        moved = reference_column(setup.model, setup.periphery, TT, replace(case, deviations=Deviations(cell=factors)))
        assert read.at(factors)[0] @ signs == pytest.approx(moved.value, rel=1e-6)


def test_levels_of_a_known_engine_are_found_with_few_reads(setup: Testbench, tasks: list[Task]) -> None:
    asked: list[Task] = []
    found = sample_corrected(replace(setup, sampling_error=0.03), tasks, engine(setup, asked))
    assert len(asked) < len(tasks) / 2
    assert len({id(t) for t in asked}) == len(asked)  # none twice
    assert [s.draw for s in found.outcome.samples] == [t.draw for t in tasks]
    assert not sampling_warnings(found.conditions)
    away, error = [], []
    for task, sample in zip(tasks, found.outcome.samples, strict=True):
        if sample.error:
            away.append(sample.level - known_level(setup, task))
            error.append(sample.error)
    assert np.sqrt(np.mean((np.array(away) / error) ** 2)) < 1.5  # 1 if error bars are right
    largest = max(float(np.sqrt(c.spread.variance.max())) * c.unit for c in found.corrected.values())
    assert np.abs(away).max() < 0.15 * largest  # five times the error that was asked for
    second = next(c for c in found.conditions if c.condition == SLOW.label)
    first = next(c for c in found.conditions if c.condition == TT.label)
    assert second.others > 0
    assert second.decks < first.decks  # it resembles the first


def test_spread_over_chips_is_that_of_many_draws(setup: Testbench, tasks: list[Task]) -> None:
    found = sample_corrected(setup, tasks, engine(setup, []))
    many = replace(setup, conditions=(TT,), samples=400)
    chips = [t for t in PROCEDURES["mismatch"].plan(many) if (t.active, t.count) == (8, 8)]
    drawn = np.std([known_level(many, t) for t in chips], ddof=1)
    corrected = found.corrected[TT]
    k = corrected.points.index((8, 8))
    sigma = float(np.sqrt(corrected.spread.variance[k])) * corrected.unit
    assert sigma == pytest.approx(drawn, rel=0.11)  # three standard errors of 400 draws: 3 / sqrt(798)
    results = {CORRECTED: found}
    model = PROCEDURES["mismatch"].analyse(setup, Dataset(found.outcome.samples), results).models[0]
    assert model.relative_error < 1 / np.sqrt(2 * 29)  # what 30 draws would leave


def test_contradicted_conditions_are_simulated_in_full(
    setup: Testbench, tasks: list[Task], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(corrected_sampling, "DOUBTFUL", 1.1)  # no distance is near enough
    asked: list[Task] = []
    words: list[str] = []
    found = sample_corrected(setup, tasks, engine(setup, asked), words.append)
    assert sorted(map(id, asked)) == sorted(map(id, tasks))
    assert all(s.error == 0 and s.deck for s in found.outcome.samples)
    assert found.corrected == {}
    assert len(words) == 2
    assert TT.label in sampling_warnings(found.conditions)[0]


def test_the_check_of_a_run_is_that_of_its_held_out_reads() -> None:
    checks = (CheckedRead("transfer", 4, 2, 0.03, 0.01), CheckedRead("mismatch", 4, 2, -0.04, 0.02))
    one = ConditionSampling("a", 20, 100, 0.01, 0.01, 0.001, 0, checks, 0.5)
    check = sampling_check([one, ConditionSampling("b", 60, 60, 0.0, 0.0, 0.0, 0, (), 1.0, "a simulation failed")])
    assert check is not None
    assert (check.decks, check.reads, check.held_out, check.full) == (80, 160, 2, 1)
    assert check.rms == pytest.approx(0.025 * np.sqrt(2))  # sqrt((0.03^2 + 0.04^2) / 2)
    assert check.largest == pytest.approx(0.04)
    assert check.over_errors == pytest.approx(np.sqrt(6.5))  # 3 and 2 standard errors
    assert "1 of 2 conditions simulated in full" in check.text
    assert sampling_check([]) is None


def test_a_failed_simulation_is_kept(setup: Testbench, tasks: list[Task]) -> None:
    one = replace(setup, conditions=(TT,))
    mine = [t for t in tasks if t.condition == TT]
    found = sample_corrected(one, mine, engine(setup, [], bad=lambda t: t.draw < 0 and t.count == 8))
    assert found.conditions[0].full == "a simulation failed"
    assert sum(s.verdict == "failed" for s in found.outcome.samples) == sum(t.draw < 0 and t.count == 8 for t in mine)


def test_computed_samples_are_read_back(setup: Testbench, tasks: list[Task]) -> None:
    data = Dataset(sample_corrected(setup, tasks, engine(setup, [])).outcome.samples)
    assert read_samples_csv(data.to_csv()) == data


def test_chips_of_the_regressors_are_those_of_the_plan(setup: Testbench) -> None:
    one = replace(setup, conditions=(TT,), samples=400)
    chips = [t for t in PROCEDURES["mismatch"].plan(one) if (t.active, t.count) == (8, 4)]
    maker = RegressorMaker(one, chips)
    drawn = maker.of_tasks(chips)
    made = maker.of_chips(TT, replace(chips[0].case, deviations=Deviations()), chip_normals(1000, maker.dimensions, 1))
    one_sigma = [np.subtract(*np.quantile(x.design, [0.84, 0.16], axis=0)) for x in (made, drawn)]
    varies = np.abs(one_sigma[1]) > 1e-9
    assert varies.sum() > 20
    # 400 draws know a sigma to 3.5 %, the distance of these quantiles to 6 %
    assert made.linear.std() == pytest.approx(drawn.linear.std(), rel=0.12)
    assert one_sigma[0][varies] == pytest.approx(one_sigma[1][varies], rel=0.24)
