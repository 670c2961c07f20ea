"""Several analyses of one kind, own raw files, `.meas`: each result belongs to its card."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ngspice_runner import Cache, Job, Result, Verdict, run
from ngspice_runner.deck import read_deck
from ngspice_runner.parts import without_analyses

pytestmark = pytest.mark.ngspice
ADDER = "t\nV1 a 0 {one}\nV2 b 0 {two}\nR1 a o 1k\nR2 b o 3k\nR3 o 0 1k\n{cards}\n.end\n"


def last(result: Result, name: str) -> float:
    assert result.ok, result.log
    return float(np.abs(result.signals[name].values[-1]))


def test_analyses_of_one_kind_are_not_swapped() -> None:
    """Nodal analysis at o with G = 1 + 1/3 + 1 mS: V1 alone gives 3/7, V2 alone 1/7."""
    swept = run(Job(ADDER.format(one=0, two=0, cards=".dc v1 0 1 0.25\n.dc v2 0 1 0.25"), ("v(o)",)))
    assert (last(swept, "v(o)"), last(swept, "dc2.v(o)")) == pytest.approx((3 / 7, 1 / 7))
    transfer = run(Job(ADDER.format(one=0, two=0, cards=".tf v(o) v1\n.tf v(o) v2"), ()))
    assert (last(transfer, "v(transfer_function)"), last(transfer, "tf2.v(transfer_function)")) == pytest.approx(
        (3 / 7, 1 / 7)
    )
    deck = "t\nV1 a 0 dc 0 ac 1 pulse(0 1 0 1n 1n 5u 10u)\nR1 a b 1k\nC1 b 0 1n\n{}\n.end\n"
    small = run(Job(deck.format(".ac lin 1 159.15494k 159.15494k\n.ac lin 1 15.915494k 15.915494k"), ("v(b)",)))
    # 1/sqrt(1 + (w tau)^2) at w tau = 1 and 0.1
    assert (last(small, "v(b)"), last(small, "ac2.v(b)")) == pytest.approx((0.5**0.5, 1 / 1.01**0.5), rel=1e-6)
    stops = run(Job(deck.format(".tran 1n 1u\n.tran 1n\n+ 2u"), ("v(b)",)))
    assert (last(stops, "time"), last(stops, "tran2.time")) == pytest.approx((1e-6, 2e-6))
    noise = run(Job(deck.format(".noise v(b) v1 lin 1 1 1\n.noise v(a) v1 lin 1 1 1"), ()))
    # 4 k T R at 27 degC below the corner; nothing at the source
    assert last(noise, "onoise_spectrum") == pytest.approx((4 * 1.380649e-23 * 300.15 * 1e3) ** 0.5, rel=1e-4)
    assert last(noise, "noise2.onoise_spectrum") == pytest.approx(0.0, abs=1e-15)


def test_a_left_out_analysis_takes_its_continuation_along() -> None:
    deck = read_deck("t\nR1 a 0 1\n.tran 1n\n* between\n+ 2u\n.tran 1n 1u\n.end")
    assert without_analyses(deck.lines, deck, {0}) == ["t", "R1 a 0 1", "*", "* between", "*", ".tran 1n 1u", ".end"]


def test_raw_files_of_a_control_section() -> None:
    """Any name, all of them, in the order of the commands; ASCII as well."""
    deck = "t\nV1 a 0 1\nR1 a b 1k\nR2 b 0 1k\n{}.end\n"
    two = ".control\nop\nwrite b.raw\nalter r2=3k\nop\nwrite a.raw\n.endc\n"
    result = run(Job(deck.format(two), ("v(b)",)))
    assert (last(result, "v(b)"), last(result, "op2.v(b)")) == pytest.approx((0.5, 0.75))
    assert last(run(Job(deck.format(".control\nop\nwrite out.raw\n.endc\n"), ("v(b)",))), "v(b)") == 0.5
    assert last(run(Job(deck.format(".options filetype=ascii\n.op\n"), ("v(b)",))), "v(b)") == 0.5
    ascii_ac = run(Job(deck.format(".options filetype=ascii\n.ac lin 3 1 3\n").replace("0 1\n", "0 ac 1\n"), ("v(b)",)))
    assert last(ascii_ac, "v(b)") == 0.5
    assert list(ascii_ac.signals["frequency"].values) == [1.0, 2.0, 3.0]


def test_measures_are_results(tmp_path: Path) -> None:
    """RC of 100 ns behind a step of 1 ns: half is reached after tau ln 2 and half the rise; the engine gives six digits
    of a maximum."""
    deck = (
        "t\nV1 a 0 ac 1 pulse(0 1 0 1n 1n 5u 10u)\nR1 a b 1k\nC1 b 0 100p\n.ac lin 3 1 3\n.tran 1n 1u 0 1n\n"
        ".meas tran top max v(b)\n.meas tran half when v(b)=0.5\n.meas tran Never when v(b)=5\n"
        ".measure ac gain find vm(b) at=2\n.end\n"
    )
    with Cache(tmp_path) as cache:
        results = [run(Job(deck, ()), cache=cache) for _ in range(2)]
    for result in results:
        assert result.ok
        assert dict(result.measures) == pytest.approx(
            {"top": 1 - np.exp(-9.995), "half": 1e-7 * np.log(2) + 0.5e-9, "gain": 1.0}, rel=1e-4
        )
        assert result.provenance is not None
        assert ".meas never gives no result" in result.provenance.notes


def test_outputs_of_any_analysis_by_its_prefix() -> None:
    text = "t\nV1 a 0 1\nR1 a b 1k\nR2 b 0 3k\nC1 b 0 1n\n.op\n.tran 1n 10n\n.tran 1n 20n\n.end\n"
    result = run(Job(text, ("v(b)", "op.v(b)", "tran2.v(b)")))
    assert result.ok, result.log
    for name in ("v(b)", "op.v(b)", "tran2.v(b)"):
        assert result.signals[name].values[-1] == pytest.approx(0.75)
    missing = run(Job(text, ("tran3.v(b)",)))
    assert (missing.verdict, "tran3.v(b)" in missing.log) == (Verdict.NO_OUTPUT, True)


def test_poles_and_transfer_functions() -> None:
    """A low-pass of 1 kohm and 1 nF: pole at -1/RC = -1e6 rad/s; a divider of equal halves: 0.5."""
    low_pass = run(Job("t\nV1 a 0 ac 1\nR1 a b 1k\nC1 b 0 1n\n.pz a 0 b 0 vol pz\n.end\n", ("pole(1)",)))
    assert low_pass.ok, low_pass.log
    assert low_pass.signals["pole(1)"].values[0] == pytest.approx(-1e6)
    assert low_pass.signals["pole(1)"].unit == "rad/s"
    divider = run(Job("t\nV1 a 0 1\nR1 a b 1k\nR2 b 0 1k\n.tf v(b) v1\n.end\n", ("transfer_function",)))
    assert divider.ok, divider.log
    assert divider.signals["transfer_function"].values[0] == pytest.approx(0.5)
