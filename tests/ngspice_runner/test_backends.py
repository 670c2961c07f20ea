"""The fast backends against the process backend: the same corpus, the same verdicts, never a false ok."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ngspice_runner import Cache, EngineError, Job, JobError, Result, Sweep, Verdict, run, run_many, run_sweep
from ngspice_runner.backends import Backend
from ngspice_runner.backends.batch import BatchEngine
from ngspice_runner.deck import read_deck
from ngspice_runner.engine import find_engine
from ngspice_runner.points import group_jobs, plan_points
from ngspice_runner.prepare import prepare
from tests.ngspice_runner.test_corpus import BROKEN, ODD, job_of

FAST = ("batch", "shared")


def have_shared() -> bool:
    try:
        from ngspice_runner.backends.shared import SharedBackend

        SharedBackend().close()
    except EngineError:
        return False
    return True


needs_shared = pytest.mark.skipif(not have_shared(), reason="PySpice or libngspice is not installed")
# Every failing point costs a child of its own, a third of a second each.
SLOW_SHARED = [pytest.param("shared", marks=[needs_shared, pytest.mark.slow]), "batch"]
BACKENDS = [pytest.param("shared", marks=needs_shared), "batch"]


@pytest.fixture(scope="module")
def shared() -> Iterator[Backend]:
    from ngspice_runner.backends.shared import SharedBackend

    backend = SharedBackend()
    yield backend
    backend.close()


def used(result: Result) -> str:
    assert result.provenance is not None
    return result.provenance.backend


def notes(result: Result) -> str:
    assert result.provenance is not None
    return " ".join(result.provenance.notes)


@needs_shared
@pytest.mark.parametrize("name", BROKEN)
def test_broken_deck_through_the_library(name: str, shared: Backend) -> None:
    broken = BROKEN[name]
    result = run(job_of(broken), backend=shared)
    assert result.verdict == broken.verdict, result.log
    assert broken.says[0].lower() in result.log.lower()


@needs_shared
@pytest.mark.parametrize("name", ODD)
def test_odd_deck_through_the_library(name: str, shared: Backend) -> None:
    odd = ODD[name]
    result = run(job_of(odd), backend=shared)
    assert result.ok, result.log
    (expected,) = odd.expected
    value = np.real(result.signals[expected.output.lower()].values[-1])
    assert value == pytest.approx(expected.value, rel=expected.rtol)


def as_sweep(deck: str, outputs: tuple[str, ...], stop: float | None, timeout: float, count: int) -> Sweep:
    """A corpus deck with one number more, that nothing depends on."""
    lines = deck.replace("\r\n", "\n").split("\n")
    extra = "" if ".param zz_knob=0" in deck else ".param zz_knob=0"
    text = "\n".join([lines[0], extra, *lines[1:]])
    return Sweep(Job(text, outputs, stop, timeout), [{"zz_knob": float(i)} for i in range(count)])


@pytest.mark.parametrize("backend", SLOW_SHARED)
def test_broken_decks_as_sweeps(backend: str) -> None:
    """Every broken deck that takes another card: each of four points has the verdict that it has alone."""
    wrong = {}
    for name, broken in BROKEN.items():
        if "title" in name:
            continue
        sweep = as_sweep(broken.deck, broken.outputs, broken.stop, min(broken.timeout, 2.0), 4)
        results = run_sweep(sweep, backend=backend, workers=2)
        if {r.verdict for r in results} != {broken.verdict}:
            wrong[name] = [r.verdict.value for r in results]
    assert wrong == {}


@pytest.mark.parametrize("backend", SLOW_SHARED)
def test_odd_decks_as_sweeps(backend: str) -> None:
    wrong, fast = {}, 0
    for name, odd in ODD.items():
        (expected,) = odd.expected
        results = run_sweep(as_sweep(odd.deck, odd.outputs, odd.stop, 20.0, 4), backend=backend, workers=1)
        last = [float(np.real(r.signals[expected.output.lower()].values[-1])) if r.ok else np.nan for r in results]
        if not np.allclose(last, expected.value, rtol=expected.rtol, atol=0):
            wrong[name] = [(r.verdict.value, r.log) for r in results]
        fast += used(results[0]) == backend
    assert wrong == {}
    assert fast > len(ODD) // 2


MIXED = Job(
    "mixed\n.param rload=1e3\nV1 a 0 pulse(0 1 1e-9 1e-10 1e-10 5e-9 2e-8)\nR1 a b 1e3\nC1 b 0 1e-12\n"
    "D1 b c dd\nR2 c 0 {rload}\nM1 d b 0 0 nn w=1e-6 l=1e-7\nRL vdd d 1e4\nC3 d 0 1e-14\nVd vdd 0 1.0\n"
    ".model nn nmos level=1 vto=0.3 kp=3e-4 cgso=1e-10\n.model dd d cjo=1e-14\n.tran 1e-11 3e-9\n.end\n",
    ("v(d)", "v(c)", "i(vd)"),
)


def points(count: int, seed: int = 1) -> list[dict[str, float]]:
    rng = np.random.default_rng(seed)
    return [
        {"r1": r, "rload": load, "vd": v, "c3": c}
        for r, load, v, c in zip(
            rng.uniform(1e2, 1e4, count),
            rng.uniform(1e2, 1e4, count),
            rng.uniform(0.8, 1.2, count),
            rng.uniform(1e-15, 1e-13, count),
            strict=True,
        )
    ]


def bits(result: Result) -> dict[str, bytes]:
    return {name: signal.values.tobytes() for name, signal in result.signals.items()}


@pytest.mark.parametrize("backend", BACKENDS)
def test_points_agree_with_runs_alone_and_do_not_know_their_neighbours(backend: str) -> None:
    """Nonlinear transients: the same bits in any order, and the waveforms of separate processes (parameters to the
    bit, altered elements to 1e-6, since the engine's `alter` reads numbers a little differently)."""
    asked = points(12)
    forward = run_sweep(Sweep(MIXED, asked), backend=backend, workers=1)
    assert {used(r) for r in forward} == {backend}
    order = list(range(12))
    random.Random(3).shuffle(order)
    shuffled = run_sweep(Sweep(MIXED, [asked[i] for i in order]), backend=backend, workers=2)
    alone = run_sweep(Sweep(MIXED, asked), backend="process")
    for place, index in enumerate(order):
        assert bits(shuffled[place]) == bits(forward[index])
    for one, other in zip(forward, alone, strict=True):
        assert one.ok
        assert one.signals["time"].values.shape == other.signals["time"].values.shape
        for name in MIXED.outputs:
            np.testing.assert_allclose(one.signals[name].values, other.signals[name].values, rtol=1e-6, atol=1e-12)
        assert one.provenance is not None
        assert other.provenance is not None
        assert one.provenance.deck_sha256 == other.provenance.deck_sha256
        assert one.provenance.key != other.provenance.key


def test_parameters_give_the_same_bits_as_separate_processes() -> None:
    asked = [{"rload": 10.0 ** (k / 3)} for k in range(6)]
    fast, alone = (run_sweep(Sweep(MIXED, asked), backend=b, workers=1) for b in ("batch", "process"))
    assert [bits(r) for r in fast] == [bits(r) for r in alone]


@pytest.mark.parametrize("backend", BACKENDS)
def test_failing_points_have_their_own_verdicts(backend: str) -> None:
    """The engine makes 1 mohm of r = 0, but only outside `alter`; a negative argument of sqrt does not converge; the
    others are right."""
    base = Job("t\nV1 a 0 1\nR1 a b 1e3\nR2 b 0 1e3\nB1 c 0 v=sqrt(v(a))\nR3 c 0 1e3\n.op\n.end\n", ("v(b)", "v(c)"))
    asked = [{"v1": v, "r2": r} for v, r in [(1, 1e3), (1, 0.0), (4, 1e3), (-1, 1e3), (9, 3e3), (16, 1e3), (25, 1e3)]]
    results = run_sweep(Sweep(base, asked), backend=backend, workers=1)
    verdicts = [Verdict.OK, Verdict.OK, Verdict.OK, Verdict.CONVERGENCE, Verdict.OK, Verdict.OK, Verdict.OK]
    assert [r.verdict for r in results] == verdicts
    assert [used(r) == backend for r in results] == [True, False, True, False, True, True, True]
    assert "engine's own checks" in notes(results[1])
    assert "1 mohm of a resistance of 0" in notes(results[1])
    assert f"{backend} gave no ok result" in notes(results[3])
    for point, result in zip(asked, results, strict=True):
        if result.ok:
            share = max(point["r2"], 1e-3) / (1e3 + max(point["r2"], 1e-3))
            assert result.signals["v(b)"].values[-1] == pytest.approx(point["v1"] * share)
            assert result.signals["v(c)"].values[-1] == pytest.approx(point["v1"] ** 0.5)


@pytest.mark.parametrize("backend", BACKENDS)
def test_point_that_hangs_costs_only_itself(backend: str) -> None:
    base = Job(
        "t\n.param n=1e-8\nV1 b 0 sin(0 1 1e9)\nR1 b 0 1\n.tran 1e-12 {n} 0 1e-12\n.end\n", ("v(b)",), timeout=1.0
    )
    asked = [{"n": n} for n in (1e-9, 2e-9, 1.0, 3e-9, 4e-9)]
    results = run_sweep(Sweep(base, asked), backend=backend, workers=1)
    assert [r.verdict.value for r in results] == ["ok", "ok", "timeout", "ok", "ok"]
    ends = [r.signals["time"].values[-1] for r in results if r.ok]
    assert ends == pytest.approx([1e-9, 2e-9, 3e-9, 4e-9])


def test_chunk_that_disagrees_with_a_run_alone_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that ignores what it is told is found out by the comparison."""
    original = BatchEngine.run_points

    def deaf(self: BatchEngine, prepared: object, asked: object) -> object:
        return original(self, prepared, [(number, []) for number, _ in asked])  # type: ignore[attr-defined, arg-type]

    monkeypatch.setattr(BatchEngine, "run_points", deaf)
    base = Job("t\nV1 a 0 1\nR1 a b 1e3\nR2 b 0 1e3\n.op\n.end\n", ("v(b)",))
    results = run_sweep(Sweep(base, [{"r2": 1e3 * k} for k in range(1, 7)]), backend="batch", workers=1)
    assert [r.signals["v(b)"].values[-1] for r in results] == pytest.approx([k / (k + 1) for k in range(1, 7)])
    assert {used(r) for r in results} == {"process"}


def test_jobs_that_differ_in_parameters_share_an_engine(tmp_path: Path) -> None:
    texts = [f"t\n.param r={k}e3 x=1\nV1 a 0 1\nR1 a b 1e3\nR2 b 0 {{r}}\n.op\n.end\n" for k in (1, 2, 3, 4, 2)]
    other = Job("t\nV1 a 0 1\nR1 a b 1e3\nR2 b 0 9e3\n.op\n.end\n", ("v(b)",), tag="other")
    jobs = [*(Job(text, ("v(b)",), tag=str(i)) for i, text in enumerate(texts)), other]
    cache = Cache(tmp_path)
    results = run_many(jobs, backend="batch", cache=cache)
    assert [r.signals["v(b)"].values[-1] for r in results] == pytest.approx([1 / 2, 2 / 3, 3 / 4, 4 / 5, 2 / 3, 9 / 10])
    assert [used(r) for r in results] == ["batch"] * 5 + ["process"]
    assert [r.tag for r in results] == ["0", "1", "2", "3", "4", "other"]
    again = run_many(jobs, backend="batch", cache=cache)
    assert all(r.provenance and r.provenance.cached for r in again)
    assert [bits(r) for r in again] == [bits(r) for r in results]


@pytest.mark.parametrize("backend", BACKENDS)
def test_sweep_is_kept_point_by_point(tmp_path: Path, backend: str) -> None:
    cache = Cache(tmp_path)
    asked = points(8)
    first = run_sweep(Sweep(MIXED, asked), backend=backend, cache=cache, workers=1)
    wider = run_sweep(Sweep(MIXED, asked[4:] + points(6, seed=9)), backend=backend, cache=cache, workers=1)
    assert [bits(r) for r in wider[:4]] == [bits(r) for r in first[4:]]
    assert [bool(r.provenance and r.provenance.cached) for r in wider] == [True] * 4 + [False] * 6
    hot = replace(MIXED, options=(("temp", "100"),))
    assert not any(
        r.provenance and r.provenance.cached for r in run_sweep(Sweep(hot, asked), backend=backend, cache=cache)
    )


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("r9", "no .param and no top-level element"),
        ("d1", "only the value of an R, C, L, V or I"),
        ("r1 = 5; shell ls", "no .param"),
        ("rinner", "no .param"),
    ],
)
def test_what_cannot_be_swept_is_said(name: str, message: str) -> None:
    text = MIXED.text.replace(".tran", ".subckt s p\nRinner p 0 1\n.ends\n.tran")
    with pytest.raises(JobError, match=message):
        run_sweep(Sweep(replace(MIXED, text=text), [{name: 1.0}] * 5))


def test_values_must_be_finite_and_points_alike() -> None:
    with pytest.raises(JobError, match="not a finite number"):
        run_sweep(Sweep(MIXED, [{"r1": float("nan")}]))
    with pytest.raises(JobError, match="all must name the same"):
        run_sweep(Sweep(MIXED, [{"r1": 1.0}, {"c1": 1.0}]))
    with pytest.raises(JobError, match="cannot run a sweep"):
        run_sweep(Sweep(MIXED, [{"r1": 1.0}]), backend="nothing")
    assert run_sweep(Sweep(MIXED, [])) == []


def test_text_of_a_point_is_an_ordinary_deck() -> None:
    text = "t\n.param p = 1k q={2*p}\n+ w=3\nv1 a 0 dc 1 ac 1 ; c\nR1 a b {p}\n.op\n.end\n"
    base = Job(text, ("v(b)",))
    built = plan_points(Sweep(base, [{"w": 5.0, "V1": -2.0, "r1": 1e-3, "p": 7.0}]), read_deck(text))
    assert built.text(0) == "t\n.param p = 7.0 q={2*p}\n+ w=5.0\nv1 a 0 dc -2.0 ac 1 ; c\nR1 a b 0.001\n.op\n.end\n"
    assert built.commands(0) == [
        "alterparam p = 7.0",
        "alterparam w = 5.0",
        "reset",
        "alter v1 = -2.0",
        "alter r1 = 0.001",
    ]
    jobs = [Job(text.replace("w=3", f"w={k}"), ()) for k in range(5)]
    assert group_jobs(jobs, 4) == []  # continuation lines are left alone


def test_engine_that_mixes_up_its_messages_is_not_believed(tmp_path: Path) -> None:
    """Without the probe's answer in its place no point counts."""
    wrapper = tmp_path / "ngspice"
    real = find_engine().path
    # Drops `-o`: the log stays empty, as with an engine that does not know the option.
    wrapper.write_text(f'#!/bin/sh\n[ "$3" = -o ] && exec {real} -n -b\nexec {real} "$@"\n')
    wrapper.chmod(0o755)
    engine = find_engine(wrapper)
    base = Job("t\nV1 a 0 1\nR1 a b 1e3\nR2 b 0 1e3\n.op\n.end\n", ("v(b)",), timeout=5.0)
    prepared = prepare(base, engine, "batch")
    groups = list(BatchEngine().run_points(prepared, [(0, []), (1, [])]))
    assert [outcome.raw_problem != "" for group in groups for _, outcome in group] == [True]
    results = run_sweep(Sweep(base, [{"r2": 1e3 * k} for k in range(1, 6)]), backend="batch", engine=engine)
    assert [r.signals["v(b)"].values[-1] for r in results] == pytest.approx([k / (k + 1) for k in range(1, 6)])
    assert {used(r) for r in results} == {"process"}


@needs_shared
def test_child_killed_while_it_starts_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    from ngspice_runner.backends import shared as module

    killed = []

    class Fragile(subprocess.Popen[bytes]):
        def __init__(self, *arguments: object, **named: object) -> None:
            super().__init__(*arguments, **named)  # type: ignore[call-overload]
            if len(killed) < 2 and any("shared_child" in str(part) for part in arguments[0]):  # type: ignore[attr-defined]
                killed.append(self.pid)
                self.kill()

    job = Job("t\nV1 a 0 1\nR1 a b 1e3\nR2 b 0 1e3\n.op\n.end\n", ("v(b)",))
    backend = module.SharedBackend()
    monkeypatch.setattr(module.subprocess, "Popen", Fragile)
    result = run(job, backend=backend)
    backend.close()
    assert len(killed) == 2
    assert result.ok
    assert used(result) == "shared"
