"""The rule set as a pure function: evidence in, verdict out; and the static rules on numbers and titles."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ngspice_runner import Job, Signal, Verdict
from ngspice_runner.backends import RawOutcome
from ngspice_runner.deck import read_deck
from ngspice_runner.includes import IncludeSet
from ngspice_runner.lint import lint, nodes_without_dc_path
from ngspice_runner.raw import Plot
from ngspice_runner.spice_numbers import bad_suffix, evaluate_expression, parse_number
from ngspice_runner.verdict import judge_simulation

JOB = Job("t\nV1 b 0 1\nR1 b 0 1\n.tran 1e-9 1e-8\n.end\n", ("v(b)",))
DECK = read_deck(JOB.text)


def plot(last: float = 1e-8, title: str = "mine", value: float = 1.0) -> Plot:
    time = np.linspace(0, last, 11)
    return Plot(title, "Transient Analysis", (Signal("time", "s", time), Signal("v(b)", "V", np.full(11, value))), 11)


GOOD = RawOutcome(0, False, False, "", (plot(),), "", "", 0.01, 0.01)


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        ({}, Verdict.OK),
        ({"exit_code": None}, Verdict.OK),
        ({"exit_code": 1, "log": "no simulations run"}, Verdict.OK),
        ({"exit_code": 1}, Verdict.SUSPECT),
        ({"exit_code": -11}, Verdict.KILLED),
        ({"exit_code": -9, "timed_out": True}, Verdict.TIMEOUT),
        ({"exit_code": -9, "cancelled": True}, Verdict.KILLED),
        ({"exit_code": -9, "raw_reason": "killed", "raw_problem": "0 points above data"}, Verdict.KILLED),
        ({"raw_reason": "truncated", "raw_problem": "cut off"}, Verdict.NO_OUTPUT),
        ({"plots": None}, Verdict.NO_OUTPUT),
        ({"plots": ()}, Verdict.NO_OUTPUT),
        ({"plots": (plot(title="of another run"),)}, Verdict.STALE),
        ({"plots": (plot(last=0.9e-8),)}, Verdict.TIMESTEP),
        ({"plots": (plot(last=1.0000001e-8),)}, Verdict.TIMESTEP),
        ({"plots": (plot(value=np.nan),)}, Verdict.NONFINITE),
        ({"plots": (plot(value=-np.inf),)}, Verdict.NONFINITE),
        ({"plots": (plot(value=1e99),)}, Verdict.SUSPECT),
        ({"log": "Warning: singular matrix:  check node b"}, Verdict.SUSPECT),
        ({"log": "Note: Starting dynamic gmin stepping"}, Verdict.SUSPECT),
        ({"log": "Warning: r1: resistance to low, set to 1 mOhm"}, Verdict.PARSE),
        ({"exit_code": 1, "log": "doAnalyses: TRAN:  Timestep too small; time = 2e-09"}, Verdict.TIMESTEP),
        ({"exit_code": 1, "log": "run simulation(s) aborted"}, Verdict.NO_OUTPUT),
    ],
)
def test_evidence_to_verdict(change: dict[str, object], verdict: Verdict) -> None:
    outcome = replace(GOOD, **change)  # type: ignore[arg-type]
    judgement = judge_simulation(outcome, JOB, DECK, title="mine")
    assert judgement.verdict is verdict
    assert bool(judgement.lines) == (verdict is not Verdict.OK)


def test_declared_end_counts_when_the_deck_does_not_tell() -> None:
    text = JOB.text.replace("1e-8", "{n}")
    deck = read_deck(text)
    assert judge_simulation(GOOD, replace(JOB, text=text), deck, title="mine").verdict is Verdict.SUSPECT
    assert judge_simulation(GOOD, replace(JOB, text=text, stop=1e-8), deck, title="mine").verdict is Verdict.OK
    assert judge_simulation(GOOD, replace(JOB, text=text, stop=2e-8), deck, title="mine").verdict is Verdict.TIMESTEP


@pytest.mark.parametrize(
    ("stop", "verdict"),
    [(1e-8, Verdict.OK), (2e-8, Verdict.TIMESTEP), (0.5e-8, Verdict.TIMESTEP), (None, Verdict.SUSPECT)],
)
def test_a_sweep_that_an_include_asks_for_must_reach_the_declared_end(stop: float | None, verdict: Verdict) -> None:
    # the deck's own text holds no analysis: only the job knows where the plot has to end
    text = "t\nV1 b 0 1\nR1 b 0 1\n.include tail.inc\n.end\n"
    judgement = judge_simulation(GOOD, replace(JOB, text=text, stop=stop), read_deck(text), title="mine")
    assert judgement.verdict is verdict
    if verdict is Verdict.TIMESTEP:
        assert "ended at 1e-08 instead of" in judgement.lines[0]


def test_a_second_plot_of_an_include_is_held_to_its_own_kind() -> None:
    # an operating point has no end; a transient after the deck's own must reach the job's
    op = Plot("mine", "Operating Point", (Signal("v(b)", "V", np.ones(1)),), 1)
    outcome = replace(GOOD, plots=(plot(), op))
    assert judge_simulation(outcome, JOB, DECK, title="mine").verdict is Verdict.OK
    outcome = replace(GOOD, plots=(plot(), plot(last=0.9e-8)))
    assert judge_simulation(outcome, JOB, DECK, title="mine").verdict is Verdict.TIMESTEP


# Values as ngspice 39 prints them for `R1 a 0 <token>` (.op, 1 A source), checked against the engine in the test below.
NUMBERS = {
    "10n": 1e-8,
    "1meg": 1e6,
    "1MEG": 1e6,
    "1M": 1e-3,
    "1F": 1e-15,
    "50a": 50.0,
    "2.5k": 2500.0,
    "1e3k": 1e6,
    "3mil": 76.2e-6,
}


@pytest.mark.parametrize("token", NUMBERS)
def test_numbers_mean_what_the_engine_makes_of_them(token: str) -> None:
    """The reader's value of each token against ngspice itself: v(a) of 1 A through the resistor."""
    assert parse_number(token) == pytest.approx(NUMBERS[token])
    from ngspice_runner.backends.process import ProcessBackend
    from ngspice_runner.engine import find_engine
    from ngspice_runner.prepare import prepare

    job = Job(f"t\nI1 0 a 1e3\nR1 a 0 {token}\n.op\n.end\n", ("v(a)",))
    outcome = ProcessBackend().run(prepare(job, find_engine(), "process"))
    assert outcome.plots is not None
    voltage = outcome.plots[0].signals[0].values[0]
    assert voltage == pytest.approx(1e3 * NUMBERS[token], rel=1e-6, abs=1e-9)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_plain_floats_are_read_exactly_and_never_doubted(number: float) -> None:
    """Numbers as our own decks print them pass the lint in every place."""
    assert parse_number(repr(number)) == number
    token = repr(number)
    text = f"t\nV1 a 0 {token}\nR1 a 0 {token}\nC1 a 0 c={token}\n.param p={token}\n.op\n.end\n"
    job = Job(text, ())
    assert [finding for finding in lint(job, read_deck(text), IncludeSet()) if finding.verdict is not None] == []


@pytest.mark.parametrize("tail", ["M", "Mohm", "MHz", "F", "a", "aF", "A", "x", "z", "µ", "Fs", "E"])
def test_traps(tail: str) -> None:
    assert bad_suffix(tail)


@pytest.mark.parametrize(
    "tail", ["k", "K", "meg", "MEG", "mil", "m", "u", "uA", "nF", "fF", "pf", "kOhm", "V", "s", "GHz", "nm"]
)
def test_no_traps(tail: str) -> None:
    assert bad_suffix(tail) is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{2*a+1}", 7.0),
        ("'b'", 3e-9),
        ("{-a^2}", -9.0),
        ("max(a, 4k)", 4000.0),
        ("{a/0}", None),
        ("{loop}", None),
        ("{nothing}", None),
        ("__import__('os')", None),
        ("{a.real}", None),
        ("9**9**9**9", None),
        ("(" * 400, None),
    ],
)
def test_parameter_arithmetic(text: str, value: float | None) -> None:
    found = evaluate_expression(text, {"a": "3", "b": "{a*1n}", "loop": "{loop+1}"})
    assert found == (None if value is None else pytest.approx(value))


@given(st.text(max_size=400))
def test_any_text_can_be_read_and_linted(text: str) -> None:
    """No text makes the reader or the lint fail."""
    lint(Job(text, ()), read_deck(text), IncludeSet())


def test_nodes_without_dc_path() -> None:
    deck = read_deck(
        "t\nV1 a 0 1\nC1 a b 1\nC2 b 0 1\nR1 c d 1\nG1 c 0 a 0 1\nM1 e f 0 0 n\nX1 g h s\nL1 a k 1\n.op\n.end\n"
    )
    assert sorted(nodes_without_dc_path(deck)) == ["b", "c", "d"]
