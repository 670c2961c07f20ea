"""The conformance suite: this harness answers it without an error, and the scoring sees what it should."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from ngspice_runner.backends.shared import SharedBackend
from ngspice_runner.conformance.cases import Case, Expected, load_cases
from ngspice_runner.conformance.harness import Answer, Question
from ngspice_runner.conformance.own import by_batch, by_process, by_shared
from ngspice_runner.conformance.score import Outcome, counts, judge_answer, score_harness
from ngspice_runner.errors import EngineError

pytestmark = pytest.mark.ngspice
GOOD = load_cases("good")
MISLEADING = load_cases("misleading")


def ask(case: Case, folder: Path, harness: object) -> tuple[Outcome, Answer]:
    at = {expected.output: expected.at for expected in case.expected}
    question = Question(
        case.write(folder), tuple((name, at.get(name)) for name in case.outputs), case.stop, case.timeout
    )
    answer = harness(question)  # type: ignore[operator]
    second = harness(question) if case.draws else None  # type: ignore[operator]
    return judge_answer(case, answer, second), answer


def needs_library() -> None:
    try:
        SharedBackend()
    except EngineError as error:
        pytest.skip(str(error))


def test_the_suite_is_large_enough() -> None:
    assert {group: len(load_cases(group)) >= least for group, least in (("misleading", 40), ("good", 40))} == {
        "misleading": True,
        "good": True,
    }
    assert (len(load_cases("broken")), len(load_cases("odd"))) >= (47, 38)
    for case in load_cases():
        assert case.outputs, case.name
        assert case.good <= bool(case.expected), case.name
        assert case.group in ("broken", "odd") or case.source, case.name


@pytest.mark.parametrize("case", GOOD, ids=lambda case: case.name)
def test_good_decks_are_right(case: Case, tmp_path: Path) -> None:
    outcome, answer = ask(case, tmp_path, by_process)
    assert outcome is Outcome.RIGHT, answer


@pytest.mark.parametrize("case", MISLEADING, ids=lambda case: case.name)
def test_misleading_decks_are_never_wrong_in_silence(case: Case, tmp_path: Path) -> None:
    outcome, answer = ask(case, tmp_path, by_process)
    assert outcome in (Outcome.RIGHT, Outcome.HONEST, Outcome.NOTED), answer


@pytest.mark.parametrize("case", MISLEADING, ids=lambda case: case.name)
def test_misleading_decks_through_the_library(case: Case, tmp_path: Path) -> None:
    needs_library()
    outcome, answer = ask(case, tmp_path, by_shared)
    assert outcome in (Outcome.RIGHT, Outcome.HONEST, Outcome.NOTED), answer


@pytest.mark.parametrize("case", MISLEADING, ids=lambda case: case.name)
def test_misleading_decks_in_a_batch(case: Case, tmp_path: Path) -> None:
    outcome, answer = ask(case, tmp_path, by_batch)
    assert outcome in (Outcome.RIGHT, Outcome.HONEST, Outcome.NOTED), answer


def test_outcomes() -> None:
    good = Case("a", "good", "", expected=(Expected("v(o)", 1.0),), outputs=("v(o)",))
    misleading = Case("a", "misleading", "", expected=good.expected, outputs=("v(o)",), says=("4k7",))
    broken = Case("a", "broken", "", outputs=("v(o)",), says=("singular",))
    random = Case("a", "misleading", "", outputs=("v(o)",), draws=True)
    right, wrong, refusal = Answer(True, {"v(o)": 1.0}), Answer(True, {"v(o)": 1.1}), Answer(False, {"v(o)": 1.0})
    noted = Answer(True, {"v(o)": 1.1}, "line 3: 4K7 is read as 4k")
    assert [judge_answer(good, answer) for answer in (right, wrong, refusal, Answer(True))] == [
        Outcome.RIGHT,
        Outcome.WRONG,
        Outcome.REFUSED,
        Outcome.REFUSED,
    ]
    assert [judge_answer(misleading, answer) for answer in (right, wrong, refusal, noted)] == [
        Outcome.RIGHT,
        Outcome.WRONG,
        Outcome.HONEST,
        Outcome.NOTED,
    ]
    assert judge_answer(broken, right) is Outcome.WRONG
    assert judge_answer(broken, Answer(True, {"v(o)": 1.0}, "singular matrix")) is Outcome.NOTED
    assert judge_answer(broken, Answer(True, {"v(o)": float("nan")})) is Outcome.HONEST
    assert judge_answer(random, right, right) is Outcome.WRONG
    assert judge_answer(random, right, wrong) is Outcome.RIGHT


def test_bare_ngspice_is_wrong_in_silence() -> None:
    """The suite finds what the engine alone does: 4k7 taken for 4k, cards of one kind swapped; the rest is right."""
    names = ("resistor notation", "two sweeps of one kind", "subcircuit defined twice")
    cases = [case for case in MISLEADING if case.name in names] + list(GOOD[:2])
    scores = score_harness("ngspice", cases)
    assert {score.case.name: score.outcome.value for score in scores} == {
        "resistor notation": "wrong",
        "two sweeps of one kind": "wrong",
        "subcircuit defined twice": "noted",
        GOOD[0].name: "right",
        GOOD[1].name: "right",
    }
    assert counts(scores)["wrong"] == 2


def test_a_harness_that_is_not_installed_says_so() -> None:
    if importlib.util.find_spec("InSpice") is not None:
        pytest.skip("InSpice is installed")
    with pytest.raises(EngineError, match="InSpice"):
        score_harness("inspice", GOOD[:1], python=sys.executable)


@pytest.mark.parametrize("name", ["spicelib", "spiceguard", "pyspice", "inspice"])
def test_other_harnesses_answer(name: str) -> None:
    """A divider, right in every harness."""
    try:
        (score,) = score_harness(name, [case for case in GOOD if case.name == "output cards"])
    except EngineError as error:
        pytest.skip(f"{name}: {error}")
    assert score.outcome is Outcome.RIGHT, score.answer
