"""The retry ladder: only when asked for, only for convergence, and always visible."""

from __future__ import annotations

from pathlib import Path

import pytest

from ngspice_runner import Cache, Job, Result, Verdict, run
from ngspice_runner.retry import RETRY_STEPS, options_of

# A conductance that ripples within microvolts: 100 iterations are not enough, 1,000 are.
RIPPLED = (
    "t\nV1 a 0 1\nR1 a b 6.499e+02\n"
    "B1 b 0 i=1.774e-08*tanh(8.275e+06*(v(b)-0.5))+1.774e-08*sin(8.27e+06*v(b))\n.op\n.end\n"
)
# The same, steeper: only relaxed tolerances give an answer, 0.30 V, and it is wrong (1.00 V).
STEEP = (
    "t\nV1 a 0 1\nR1 a b 2.364e+01\n"
    "B1 b 0 i=1.325e-06*tanh(1.739e+07*(v(b)-0.5))+1.325e-06*sin(1.74e+07*v(b))\n.op\n.end\n"
)
HOPELESS = "t\nV1 a 0 1\nV2 a 0 2\nR1 a 0 1\n.op\n.end\n"
STUCK = (
    "t\nV1 a 0 pulse(0 1 2e-9 1e-12 1e-12 5e-9 2e-8)\nR1 a b 1\nC1 b 0 1e-12\n"
    "B1 b 0 i=v(b)>0.5 ? 1e12*v(b)*v(b) : (v(b)>0.4 ? -1e12 : 0)\n.tran 1e-9 1e-7\n.end\n"
)


def told(result: Result) -> tuple[str, str]:
    assert result.provenance is not None
    return result.provenance.retry, " ".join(result.provenance.notes)


def test_nothing_is_retried_unasked() -> None:
    result = run(Job(HOPELESS, ("v(a)",)))
    assert result.verdict is Verdict.CONVERGENCE
    retry, notes = told(result)
    assert retry == ""
    assert "retr" not in notes


@pytest.mark.parametrize("deck", [HOPELESS, STUCK, STEEP])
def test_hopeless_case_keeps_its_first_verdict(deck: str) -> None:
    plain, climbed = run(Job(deck, ("v(a)",))), run(Job(deck, ("v(a)",)), retry=True)
    assert climbed.verdict is plain.verdict
    assert climbed.log == plain.log
    retry, notes = told(climbed)
    assert retry == ""
    assert "retried in vain: patience, gear" in notes


def test_rung_that_worked_is_visible_and_never_served_unasked(tmp_path: Path) -> None:
    """v(b) lies within 2 R I of the 1 V source, whatever the ripple does; the answer took gmin stepping besides, so it
    is `suspect`."""
    cache = Cache(tmp_path)
    job = Job(RIPPLED, ("v(b)",), tag="mine")
    plain = run(job, cache=cache)
    assert plain.verdict is Verdict.CONVERGENCE
    climbed = run(job, cache=cache, retry=True)
    assert climbed.verdict is Verdict.SUSPECT
    assert climbed.tag == "mine"
    assert climbed.signals["v(b)"].values[-1] == pytest.approx(1.0, abs=2 * 6.499e2 * 1.774e-8 + 1e-6)
    retry, notes = told(climbed)
    assert retry.startswith("patience: itl1=1000")
    assert "without retry: convergence" in notes
    again = run(job, cache=cache, retry=True)
    assert again.provenance is not None
    assert again.provenance.cached
    assert (again.verdict, told(again)[0]) == (climbed.verdict, retry)
    assert run(job, cache=cache).verdict is plain.verdict  # the failure stays the answer to the plain job


def test_own_options_are_left_alone() -> None:
    job = Job(HOPELESS, (), options=(("ITL1", "7"), ("method", "trap")))
    assert options_of(RETRY_STEPS[1], job) == (("itl2", "500"), ("itl4", "200"))
    changed = {name for rung in RETRY_STEPS for name, _ in rung.options}
    assert changed == {"itl1", "itl2", "itl4", "method"}  # no tolerance
