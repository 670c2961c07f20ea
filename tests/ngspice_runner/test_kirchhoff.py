"""Kirchhoff's laws on saved numbers: closed forms, real runs, and decks whose numbers are not what they state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from ngspice_runner import Job, Result, Verdict, run
from ngspice_runner import reading as reading_module
from ngspice_runner import simulate as simulate_module
from ngspice_runner.deck import read_deck
from ngspice_runner.flatten import flatten
from ngspice_runner.job import Signal
from ngspice_runner.kirchhoff import check_kirchhoff

# 2 V over 1k + 1k: 1 V in the middle, 1 mA; E doubles it, H makes 5 ohm x -1 mA of the source's current.
DIVIDER = (
    "t\nV1 a 0 2\nR1 a b 1k\nR2 b 0 1k\nE1 c 0 b 0 2\nR3 c 0 1k\nH1 d 0 V1 5\nR4 d 0 1k\nG1 0 e b 0 1m\nR5 e 0 1k\n"
    "F1 0 f V1 2\nR6 f 0 1k\nI1 0 g 1m\nR7 g 0 1k\n.op\n.end\n"
)
SOLUTION = {
    "v(a)": 2.0, "v(b)": 1.0, "v(c)": 2.0, "v(d)": -5e-3, "v(e)": 1.0, "v(f)": -2.0, "v(g)": 1.0,
    "i(v1)": -1e-3, "i(e1)": -2e-3, "i(h1)": 5e-6,
}  # fmt: skip


def signals(values: Mapping[str, float]) -> dict[str, Signal]:
    return {name: Signal(name, "", np.array([value])) for name, value in values.items()}


def findings(text: str, found: Mapping[str, Signal], options: str = "") -> list[str]:
    deck = read_deck(text)
    assert deck.main is not None
    return [str(f) for f in check_kirchhoff(flatten(deck), found, deck.main, options)]


def test_the_solution_of_a_divider_passes() -> None:
    assert findings(DIVIDER, signals(SOLUTION)) == []


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("v(b)", 1.01, "the currents at node b (r1, r2) do not add up: 2e-05 A are left"),  # 10 uA more and less
        ("i(v1)", -1.1e-3, "the currents at node a (v1, r1) do not add up: 0.0001 A are left"),
        ("v(a)", 2.5, "v1 states 2 V, the result has 2.5 V across it"),
        ("v(c)", 4.0, "e1 states 2 V, the result has 4 V across it"),
        ("v(d)", -6e-3, "h1 states 0.005 V, the result has 0.006 V across it"),
        ("v(e)", 1.5, "the currents at node e (g1, r5) do not add up: 0.0005 A are left, the largest is 0.0015 A"),
        ("v(f)", -3.0, "the currents at node f (f1, r6) do not add up: 0.001 A are left"),
        ("v(g)", 1.5, "the currents at node g (i1, r7) do not add up: 0.0005 A are left"),
    ],
)
def test_a_wrong_number_is_named_with_its_size(name: str, value: float, message: str) -> None:
    assert any(message in finding for finding in findings(DIVIDER, signals({**SOLUTION, name: value})))


def test_a_residual_below_the_bound_is_rounding() -> None:
    assert findings(DIVIDER, signals({**SOLUTION, "v(b)": 1 + 1e-7})) == []
    assert findings(DIVIDER, signals({**SOLUTION, "v(b)": 1 + 1e-5})) != []


def test_what_is_not_saved_or_not_known_is_not_judged() -> None:
    wrong = {**SOLUTION, "v(b)": 1.5}
    assert findings(DIVIDER, signals({"v(b)": 1.5})) == []
    behind = DIVIDER.replace(".op", "B1 b 0 i=v(a)\n.op")
    assert not any("at node b" in found for found in findings(behind, signals(wrong)))
    shunted = findings(DIVIDER, signals(wrong), ".option rshunt=1e9")
    assert shunted == []


RC = "t\nV1 a 0 pulse(0 1 1u 1n 1n 1 2)\nR1 a b 1k\nC1 b 0 {c}\n{more}.tran 10n 5u\n.end\n"


def real(text: str) -> Result:
    result = run(Job(text, ()))
    assert result.signals, result.log
    return result


@pytest.mark.parametrize("options", ["", ".option reltol=1e-5\n", ".option maxord=1\n", ".option trtol=1\n"])
def test_every_step_of_a_transient_obeys_the_law(options: str) -> None:
    """A tenth of a percent more capacitance than the engine had is seen, and none is wrongly seen."""
    text = RC.format(c="1n", more=options)
    found = real(text).signals
    assert findings(text, found) == []
    (finding,) = findings(RC.format(c="1.001n", more=options), found)
    assert "the currents at node b (r1, c1) do not add up at " in finding


def test_another_integration_rule_is_not_judged() -> None:
    text = RC.format(c="1n", more=".option method=gear\n")
    assert findings(text.replace("1n\n", "2n\n", 1), real(text).signals, text) == []


@pytest.mark.parametrize("analysis", [".op", ".dc V1 0 1 0.25", ".ac dec 3 1e3 1e6", ".tran 10n 2u"])
def test_real_runs_with_all_elements(analysis: str) -> None:
    text = (
        "t\nV1 a 0 dc 1 ac 1\nR1 a b 1k m=2\nC1 b 0 1n\nL1 b c 1m\nR2 c 0 1k\nE1 d 0 c 0 2\nR3 d c 1k\nG1 c 0 d b 1m\n"
        "F1 b 0 V1 0.1\nH1 h 0 V1 3\nR4 h b 1k\nI1 0 b 1m\nX1 a c part m=3\n.subckt part p q\nR1 p m 1k\nR2 m q 2k\n"
        f".ends\n{analysis}\n.end\n"
    )
    result = real(text)
    assert result.ok, result.log
    assert findings(text, result.signals) == []
    other = text.replace("R2 m q 2k", "R2 m q 2.1k")
    assert any("x1.m" in finding for finding in findings(other, result.signals))


def test_a_run_whose_numbers_differ_from_the_deck_is_suspect(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second witness stands by itself: the comparison with the engine's list is silenced here."""
    monkeypatch.setattr(simulate_module, "compare_reading", lambda *_, **__: iter(()))
    monkeypatch.setattr(reading_module, "_seen", set())
    text = "t\nV1 a 0 1\nR1 a b {2^3^2}\nR2 b 0 1k\n.op\n.end\n"
    result = run(Job(text, ("v(b)",)))
    assert result.verdict is Verdict.SUSPECT
    assert "the currents at node b (r1, r2) do not add up" in result.log
    assert set(result.signals) == {"v(b)"}
    assert run(replace(Job(text, ("v(b)",)), text=text.replace("{2^3^2}", "64"))).ok
