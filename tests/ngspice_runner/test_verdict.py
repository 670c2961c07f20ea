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
from ngspice_runner.lint_finding import LintFinding
from ngspice_runner.raw import Plot
from ngspice_runner.spice_numbers import bad_suffix, evaluate_expression, parse_number
from ngspice_runner.verdict import collect_signals, judge_simulation

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


EMPTY = Plot("mine", "Transient Analysis", (Signal("time", "s", np.empty(0)), Signal("v(b)", "V", np.empty(0))), 0)
SMALL_STEP = "doAnalyses: TRAN:  Timestep too small; time = 2e-09"


@pytest.mark.parametrize(
    ("change", "verdict", "line"),
    [
        ({"log": SMALL_STEP, "plots": ()}, Verdict.CONVERGENCE, SMALL_STEP),  # it never got going
        ({"log": SMALL_STEP, "plots": (EMPTY,)}, Verdict.CONVERGENCE, SMALL_STEP),
        ({"log": SMALL_STEP}, Verdict.TIMESTEP, SMALL_STEP),
        ({"log": "unknown model type x", "plots": ()}, Verdict.MODEL, "unknown model type x"),
        ({"log": "first\n  Undefined parameter [x]  \nlast", "plots": ()}, Verdict.PARSE, "Undefined parameter [x]"),
        ({"log": "No convergence " + "x" * 400}, Verdict.CONVERGENCE, "No convergence " + "x" * 285),  # 300 characters
        ({"plots": None}, Verdict.NO_OUTPUT, "the engine wrote no raw file"),
        ({"plots": ()}, Verdict.NO_OUTPUT, "the engine wrote no raw file"),
        ({"plots": (EMPTY,)}, Verdict.NO_OUTPUT, "the engine wrote no points"),
        ({"plots": (plot(), EMPTY)}, Verdict.NO_OUTPUT, "the engine wrote no points"),
        ({"exit_code": -11, "log": "unknown model type x"}, Verdict.KILLED, "ended by signal 11"),
        ({"raw_reason": "killed", "raw_problem": "cut"}, Verdict.KILLED, "cut"),
        ({"exit_code": 3}, Verdict.SUSPECT, "exit code 3 without a reason in the log"),
        ({"plots": (plot(value=1e30),)}, Verdict.SUSPECT, "stands for infinity (above 1e+30): v(b)"),
        ({"plots": (plot(value=-1e30),)}, Verdict.SUSPECT, "stands for infinity (above 1e+30): v(b)"),
        ({"plots": (plot(value=0.999e30),)}, Verdict.OK, None),
        ({"plots": (plot(title=" MINE "),)}, Verdict.OK, None),
        ({"plots": (plot(last=1e-8 * (1 + 0.9e-9)),)}, Verdict.OK, None),
        ({"plots": (plot(last=1e-8 * (1 - 0.9e-9)),)}, Verdict.OK, None),
        ({"plots": (plot(last=1e-8 * (1 - 1.1e-9)),)}, Verdict.TIMESTEP, None),
    ],
)
def test_what_decided_is_the_first_line(change: dict[str, object], verdict: Verdict, line: str | None) -> None:
    judgement = judge_simulation(replace(GOOD, **change), JOB, DECK, title="mine")  # type: ignore[arg-type]
    assert judgement.verdict is verdict
    if line is not None:
        assert judgement.lines[0] == line


def test_the_exit_code_is_said_where_there_is_one() -> None:
    for code, said in ((1, True), (0, False), (None, False)):
        judgement = judge_simulation(replace(GOOD, plots=(), exit_code=code), JOB, DECK, title="mine")
        assert any("exit code" in line for line in judgement.lines) is said


def test_the_worst_rule_of_a_log_decides_and_says_its_lines_first() -> None:
    log = "No convergence here\nunknown model type x\nunknown model type x\nsingular matrix"
    judgement = judge_simulation(replace(GOOD, log=log), JOB, DECK, title="mine")
    assert judgement.verdict is Verdict.MODEL
    assert judgement.lines == ("unknown model type x", "No convergence here")


def test_a_finding_is_a_doubt_only_where_it_says_so() -> None:
    doubt, other = LintFinding(1, "a node floats", Verdict.SUSPECT), LintFinding(1, "odd", None)
    judgement = judge_simulation(GOOD, JOB, DECK, title="mine", findings=(other, doubt))
    assert judgement.verdict is Verdict.SUSPECT
    assert judgement.lines == (str(doubt),)
    assert judge_simulation(GOOD, JOB, DECK, title="mine", findings=(other,)).verdict is Verdict.OK


@pytest.mark.parametrize(
    ("card", "last", "fine"),
    [
        # .dc ends at the last multiple of its step: anything nearer than one step is an end
        ("dc v1 0 1 0.25", 1.0, True), ("dc v1 0 1 0.25", 0.76, True), ("dc v1 0 1 0.25", 0.75, False),
        ("dc v1 0 1 0.25", 1.24, True), ("dc v1 0 1 0.25", 1.26, False),
        # .ac oct 3: neighbouring points are 2^(1/3) = 1.26 apart, the last lies within 10/1.26 = 7.937 to 10
        ("ac oct 3 1 10", 10.0, True), ("ac oct 3 1 10", 8.0, True), ("ac oct 3 1 10", 7.9, False),
        ("ac oct 3 1 10", 10.1, False),
        # decades end at their stop, within 1e-6 of it
        ("ac dec 3 1 10", 10.0, True), ("ac dec 3 1 10", 9.99999, True), ("ac dec 3 1 10", 9.9999, False),
        ("ac dec 3 1 10", 10.0001, False),
    ],
)  # fmt: skip
def test_the_end_of_a_sweep_by_its_kind(card: str, last: float, fine: bool) -> None:
    text = f"t\nV1 b 0 1\nR1 b 0 1\n.{card}\n.end\n"
    name = "DC transfer characteristic" if card.startswith("dc") else "AC Analysis"
    swept = Plot("mine", name, (Signal("x", "", np.array([0.0, last])), Signal("v(b)", "V", np.ones(2))), 2)
    judgement = judge_simulation(replace(GOOD, plots=(swept,)), replace(JOB, text=text), read_deck(text), title="mine")
    assert judgement.verdict is (Verdict.OK if fine else Verdict.NO_OUTPUT)


def test_outputs_are_found_under_the_name_that_was_asked_for() -> None:
    values = {"v(a)": 3.0, "v(b)": 1.0, "@r1[i]": 0.5}
    wide = Plot(
        "mine", "Transient Analysis",
        (Signal("time", "s", np.linspace(0, 1e-8, 2)), *(Signal(n, "V", np.full(2, v)) for n, v in values.items())), 2,
    )  # fmt: skip
    noise = Plot("mine", "Integrated Noise", (Signal("v(onoise_total)", "V", np.array([7.0])),), 1)
    asked = {"v(a,b)": 2.0, "v(a,0)": 3.0, "v(a, gnd)": 3.0, "a": 3.0, "i(r1)": 0.5, "onoise_total": 7.0}
    job = replace(JOB, outputs=tuple(asked))
    signals = collect_signals((wide, noise), job, DECK)
    assert {name: float(signals[name.replace(" ", "")].values[-1]) for name in asked} == asked
    assert signals["i(r1)"].unit == "A"
    assert "v(a,c)" not in collect_signals((wide,), replace(JOB, outputs=("v(a,c)",)), DECK)
    assert "i(r2)" not in collect_signals((wide,), replace(JOB, outputs=("i(r2)",)), DECK)
    twice = collect_signals((wide, replace(wide), replace(wide)), JOB, DECK)
    assert {"tran2.v(a)", "tran3.v(a)"} <= set(twice)
    assert collect_signals((), JOB, DECK) == {}


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
