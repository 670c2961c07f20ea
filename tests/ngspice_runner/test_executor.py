"""Batches: order, duplicates, progress, timeouts, interruption, resumption."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from ngspice_runner import Cache, Job, JobError, Progress, Result, Verdict, run, run_many
from ngspice_runner.backends.process import ProcessBackend
from ngspice_runner.errors import EngineError

ROOT = Path(__file__).resolve().parents[2]


def divider(ohms: float) -> Job:
    """1 V over 1 kohm and `ohms`: v(b) = ohms / (1000 + ohms)."""
    return Job(f"divider\nV1 a 0 1\nR1 a b 1e3\nR2 b 0 {ohms:e}\n.op\n.end\n", ("v(b)",), tag=f"{ohms:g}")


ENDLESS = Job("t\nV1 b 0 sin(0 1 1e9)\nR1 b 0 1\n.tran 1e-12 1 0 1e-12\n.end\n", ("v(b)",), timeout=60.0)


def value(result: Result) -> float:
    return float(result.signals["v(b)"].values[-1].real)


def test_order_duplicates_tags_and_progress(tmp_path: Path) -> None:
    ohms = [100.0, 300.0, 100.0, 900.0, 300.0, 50.0]
    jobs = [divider(r) for r in ohms]
    jobs[2] = Job(jobs[2].text, jobs[2].outputs, tag="again")
    seen: list[Progress] = []
    cache = Cache(tmp_path)
    results = run_many(jobs, workers=2, cache=cache, progress=seen.append)
    assert [value(r) for r in results] == pytest.approx([r / (1000 + r) for r in ohms])
    assert [r.tag for r in results] == [job.tag for job in jobs]
    assert results[0].provenance is results[2].provenance  # ran once
    assert [p.done for p in seen] == [1, 2, 3, 4, 5, 6]
    assert (seen[-1].total, seen[-1].cached, seen[-1].failed, seen[-1].remaining) == (6, 0, 0, 0)
    assert cache.stats().rows == {"ok": 4}
    assert all(r.provenance and r.provenance.cached for r in run_many(jobs, cache=cache))
    assert run_many([]) == []


def test_failures_do_not_stop_a_batch() -> None:
    broken = Job("t\nV1 a 0 1\nV2 a 0 2\nR1 a 0 1\n.op\n.end\n", ("v(a)",))
    results = run_many([divider(1), broken, divider(2)], workers=2)
    assert [r.verdict for r in results] == [Verdict.OK, Verdict.CONVERGENCE, Verdict.OK]


def test_provenance_is_complete() -> None:
    result = run(divider(1000))
    found = result.provenance
    assert found is not None
    assert found.engine.startswith("ngspice-")
    assert len(found.engine_sha256) == len(found.deck_sha256) == len(found.key) == 64
    assert found.backend == "process"
    assert 0.001 < found.cpu_seconds < 1.0  # a tiny .op takes about 6-10 ms CPU
    assert found.wall_seconds >= found.cpu_seconds * 0.5
    meas = run(Job("t\nV1 a 0 1\nR1 a 0 1\n.op\n.meas op x find v(a)\n.end\n", ("v(a)",)))
    assert meas.provenance is not None
    assert ".meas x gives no result" in meas.provenance.notes


def test_timeout_kills_and_keeps_partial_data() -> None:
    started = time.monotonic()
    result = run(Job(ENDLESS.text, ENDLESS.outputs, timeout=0.4))
    assert time.monotonic() - started < 5
    assert result.verdict is Verdict.TIMEOUT
    assert result.signals["v(b)"].values.size > 100
    assert not list(Path(tempfile.gettempdir()).glob(f"ngspice_runner-{os.getpid()}-*/run-*/*"))


@pytest.mark.parametrize(
    ("job", "words"),
    [
        (Job("", ("v(a)",)), "deck is empty"),
        (Job("t\0\n.op\n", ("v(a)",)), "NUL"),
        (Job("t\n.op\n.end\n", ("v(a)\n.include /etc/passwd",)), "not a vector name"),
        (Job("t\n.op\n.end\n", ("v(a) v(b)",)), "not a vector name"),
        (Job("t\n.op\n.end\n", ("v(a)",), options=(("temp", "27\n.include x"),)), "not usable"),
        (Job("t\n.op\n.end\n", ("v(a)",), options=(("a b", "1"),)), "not usable"),
        (Job("t\n.op\n.end\n", ("v(a)",), timeout=0.0), "timeout"),
        (Job("t\n.op\n.end\n", ("v(a)",), timeout=float("nan")), "timeout"),
        (Job("t\nR1 a 0 1\n.control\nshell touch x\n.endc\n.end\n", ("v(a)",)), "other programs"),
        (Job("t\nR1 a 0 1\n.control\nset x = `touch x`\n.endc\n.end\n", ("v(a)",)), "other programs"),
    ],
)
def test_unusable_jobs_are_one_sentence(job: Job, words: str) -> None:
    with pytest.raises(JobError, match=words) as caught:
        run(job)
    assert "\n" not in str(caught.value)


def test_unknown_backend_and_workers() -> None:
    with pytest.raises(JobError, match="one of process"):
        run(divider(1), backend="telepathy")
    with pytest.raises(JobError, match="workers"):
        run_many([divider(1)], workers=0)


def test_engine_that_is_missing_or_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("METALROM_NGSPICE", str(tmp_path / "none"))
    with pytest.raises(EngineError, match=r"apt install ngspice.*dnf install.*brew install.*conda install"):
        run(divider(1))
    monkeypatch.setenv("METALROM_NGSPICE", "/bin/true")
    with pytest.raises(EngineError, match="does not respond as ngspice"):
        run(divider(1))
    monkeypatch.delenv("METALROM_NGSPICE")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineError, match="not on PATH"):
        run(divider(1))


def test_engine_killed_from_outside_is_killed_not_ok() -> None:
    """SIGKILL to the engine in mid-run leaves a raw file whose header says 0 points; it is run once more."""
    backend = ProcessBackend()
    box: list[Result] = []
    thread = threading.Thread(target=lambda: box.append(run(ENDLESS, backend=backend)))
    thread.start()
    deadline = time.monotonic() + 10
    killed: set[int] = set()
    while len(killed) < 2 and time.monotonic() < deadline:
        running = set(backend._running) - killed
        time.sleep(0.3 if running else 0.01)
        for pid in running:
            os.kill(pid, signal.SIGKILL)
        killed |= running
    thread.join(20)
    assert box[0].verdict is Verdict.KILLED
    assert "signal 9" in box[0].log
    assert len(killed) == 2


def test_cancel_ends_running_jobs() -> None:
    backend = ProcessBackend()
    threading.Timer(0.5, backend.cancel).start()
    started = time.monotonic()
    result = run(ENDLESS, backend=backend)
    assert time.monotonic() - started < 10
    assert result.verdict is Verdict.KILLED


SWEEP = """
import sys
from ngspice_runner import Cache, Job, run_many
jobs = [
    Job(f"divider\\nV1 a 0 1\\nR1 a b 1e3\\nR2 b 0 {r:e}\\nC1 b 0 1e-9\\n.tran 1e-9 1e-6 0 1e-9\\n.end\\n", ("v(b)",))
    for r in range(1, 61)
]
def report(progress):
    print(progress.done, progress.cached, flush=True)
run_many(jobs, workers=2, cache=Cache(sys.argv[1]), progress=report)
"""


def _sweep(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", SWEEP, str(folder)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("which", [signal.SIGINT, signal.SIGKILL])
def test_interrupted_sweep_goes_on_where_it_ended(tmp_path: Path, which: signal.Signals) -> None:
    """Stopped after some jobs, the same sweep again runs only the rest, and results equal an undisturbed run."""
    first = _sweep(tmp_path)
    assert first.stdout is not None
    for line in first.stdout:
        if int(line.split()[0]) >= 15:
            first.send_signal(which)
            break
    _, errors = first.communicate(timeout=60)
    assert first.returncode != 0
    if which is signal.SIGINT:
        assert "run the same again to go on from there" in errors
    committed = sum(Cache(tmp_path).stats().rows.values())
    assert 15 <= committed < 60
    second = _sweep(tmp_path)
    out, _ = second.communicate(timeout=120)
    assert second.returncode == 0
    assert out.split("\n")[-2].split() == ["60", str(committed)]
    third = _sweep(tmp_path)
    assert third.communicate(timeout=120)[0].split("\n")[-2].split() == ["60", "60"]


def test_import_is_light() -> None:
    """`import ngspice_runner` loads neither numpy nor sqlite3."""
    code = "import sys, ngspice_runner; sys.exit(any(m in sys.modules for m in ('numpy', 'sqlite3', 'subprocess')))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
