"""Broken decks that must never be called right, and odd decks that are right, each run through the real engine.

The broken ones reproduce every signature of ngspice's failures: wrong exit codes, raw files that look valid, silence.
"""

from __future__ import annotations

import numpy as np
import pytest

from ngspice_runner import Job, Verdict, run
from ngspice_runner.conformance.cases import Case, load_cases

BROKEN = {case.name: case for case in load_cases("broken")}
ODD = {case.name: case for case in load_cases("odd")}


def job_of(case: Case) -> Job:
    return Job(case.deck, case.outputs, case.stop, case.timeout)


def test_corpus_is_large_enough() -> None:
    """At least 25 broken decks over the verdicts that decks can cause, at least 12 odd but right ones."""
    assert len(BROKEN) >= 25
    assert len(ODD) >= 12
    reachable = set(Verdict) - {Verdict.OK, Verdict.STALE, Verdict.KILLED}  # those two need a broken engine, not a deck
    assert {broken.verdict for broken in BROKEN.values()} == reachable


@pytest.mark.parametrize("name", BROKEN)
def test_broken_deck(name: str) -> None:
    broken = BROKEN[name]
    result = run(job_of(broken))
    assert not result.ok
    assert (result.verdict, broken.says[0].lower() in result.log.lower()) == (broken.verdict, True), result.log


@pytest.mark.parametrize("name", ODD)
def test_odd_but_right_deck(name: str) -> None:
    odd = ODD[name]
    result = run(job_of(odd))
    assert result.ok, result.log
    (expected,) = odd.expected
    value = np.real(result.signals[expected.output.lower()].values[-1])
    assert value == pytest.approx(expected.value, rel=expected.rtol)
