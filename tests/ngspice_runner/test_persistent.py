"""Engines that stay: the same bits as an engine of one's own, and nothing of one job in the next."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ngspice_runner import Cache, Job, Result, Verdict, run, run_many
from ngspice_runner.backends.persistent import PersistentBackend
from ngspice_runner.engine import find_engine
from ngspice_runner.prepare import prepare

RC = "V1 a 0 dc 1 ac 1 sin(0 1 1e6)\nR1 a b {ohms}\nD1 b 0 dd\nC1 b 0 1n\n.model dd d is={current}\n"
LONG = "t\nV1 a 0 sin(0 1 1e6)\nR1 a b 1k\nD1 b 0 dd\nC1 b 0 1p\n.model dd d\n.tran 1n 1m 0 1n\n.end\n"


@pytest.fixture
def backend() -> Iterator[PersistentBackend]:
    found = PersistentBackend()
    yield found
    found.close()


def job(analysis: str, *, ohms: float = 1e3, current: float = 1e-14, options: str = "") -> Job:
    return Job(f"t\n{RC.format(ohms=ohms, current=current)}{options}{analysis}\n.end\n", ("v(b)", "i(v1)"))


def bits(result: Result) -> dict[str, bytes]:
    assert result.ok, result.log
    return {name: signal.values.tobytes() for name, signal in result.signals.items()}


def test_bits_of_unrelated_jobs_in_one_engine(backend: PersistentBackend) -> None:
    """Options, models and analyses of one job leave no trace in the next."""
    jobs = [
        job(".tran 1e-8 2e-6"),
        job(".dc V1 0 1 0.1", options=".option reltol=1e-6 temp=85 gmin=1e-10\n.temp 100\n"),
        job(".tran 1e-8 2e-6", options=".ic v(b)=0.3\n"),
        job(".ac dec 5 1e3 1e6", ohms=33.0, current=1e-12),
        job(".op"),
        replace(job(".tran 1e-8 2e-6", ohms=10.0), options=(("method", "gear"),)),
        job(".tran 1e-8 2e-6"),
        job(".tran 1e-8 2e-6", options=".param r=1\n.global a\n"),
    ]
    results = [run(one, backend=backend) for one in jobs]
    assert {r.provenance.backend for r in results if r.provenance} == {"persistent"}
    for one, result in zip(jobs, results, strict=True):
        assert bits(result) == bits(run(one))


def engines(backend: PersistentBackend) -> list[int]:
    return sorted(backend._running)


def test_one_engine_serves_until_it_is_replaced() -> None:
    backend = PersistentBackend(recycle=3)
    try:
        used = []
        for ohms in (1e3, 2e3, 3e3, 4e3):
            run(job(".op", ohms=ohms), backend=backend)
            used.append(engines(backend))
        assert used[0] == used[1]
        assert used[2] == []  # its third job was its last
        assert len(used[3]) == 1
        assert used[3] != used[0]
    finally:
        backend.close()
    assert engines(backend) == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("t\nV1 a 0 1\nR1 a 0 1\n.op\n.tran 1n 2n\n.end\n", "not exactly one analysis card"),
        ("t\nV1 a 0 1\nR1 a 0 1\n.control\nop\nwrite x.raw\n.endc\n.end\n", "control section"),
        ("t\n.include part.inc\nV1 a 0 1\nR1 a 0 1\n.op\n.end\n", "includes files"),
        ("t\nV1 a 0 1\nR1 a 0 1\n.tran 1n 2n\n.meas tran m max v(a)\n.end\n", ".meas"),
        ("t\nV1 a 0 1\nR1 a 0 {agauss(1,0.1,1)}\n.op\n.end\n", "random numbers"),
    ],
)
def test_what_takes_an_engine_of_its_own(tmp_path: Path, backend: PersistentBackend, text: str, reason: str) -> None:
    (tmp_path / "part.inc").write_text("R2 a 0 1\n")
    result = run(Job(text, (), folder=str(tmp_path)), backend=backend)
    assert result.signals
    assert result.provenance is not None
    assert result.provenance.backend == "process"
    assert any(reason in note for note in result.provenance.notes)


def test_a_deck_that_fails_is_judged_alone_and_leaves_nothing(backend: PersistentBackend) -> None:
    good = bits(run(job(".op"), backend=backend))
    for bad, verdict in (
        ("t\nV1 a 0 1\nV2 a 0 2\nR1 a 0 1\n.op\n.end\n", Verdict.CONVERGENCE),
        ("t\nV1 a 0 1\nM1 a a 0 0 nothing\nR1 a 0 1\n.op\n.end\n", Verdict.MODEL),
        ("t\nV1 a 0 1\nR1 a 0 {unknown}\n.op\n.end\n", Verdict.PARSE),
    ):
        found = run(Job(bad, ("v(a)",)), backend=backend)
        assert (found.verdict, found.provenance and found.provenance.backend) == (verdict, "process")
        assert bits(run(job(".op"), backend=backend)) == good


@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM", "SIGHUP", "SIGINT"])
def test_an_engine_that_is_ended_from_outside(backend: PersistentBackend, name: str) -> None:
    short = replace(job(".op"), text=LONG.replace("1m 0", "30u 0"), outputs=("v(b)",))
    wanted = bits(run(short))

    def strike() -> None:
        deadline = time.monotonic() + 20
        while not backend._running and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(0.02)
        for pid in list(backend._running):
            os.kill(pid, getattr(signal, name))

    thread = threading.Thread(target=strike)
    thread.start()
    found = run(short, backend=backend)
    thread.join()
    assert bits(found) == wanted


def test_a_timeout_and_a_cancelled_run(backend: PersistentBackend) -> None:
    found = run(Job(LONG.replace("1m 0", "1 0"), ("v(b)",), timeout=0.5), backend=backend)
    assert found.verdict is Verdict.TIMEOUT
    assert engines(backend) == []
    backend.cancel()
    outcome = backend.run(prepare(job(".op"), find_engine(), "persistent"))
    assert outcome.cancelled


def test_many_jobs_side_by_side_come_from_the_cache(tmp_path: Path) -> None:
    jobs = [job(".tran 1e-8 1e-6", ohms=100.0 + i) for i in range(12)]
    with Cache(tmp_path) as cache:
        first = run_many(jobs, workers=2, cache=cache, backend="persistent")
        again = run_many(jobs, workers=2, cache=cache, backend="persistent")
    assert [bits(r) for r in first] == [bits(r) for r in again]
    assert all(r.provenance and r.provenance.cached for r in again)
    peaks = [float(np.max(r.signals["v(b)"].values)) for r in first]
    assert peaks == sorted(peaks, reverse=True)  # a larger resistance, a smaller voltage
