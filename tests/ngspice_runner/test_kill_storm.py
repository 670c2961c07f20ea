"""Killed at any moment, on a damaged file or on a full disk: nothing wrong is served and nothing is run twice."""

from __future__ import annotations

import contextlib
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from ngspice_runner import Cache, EngineError, Result, Verdict, run, run_many
from tests.ngspice_runner import kill_storm as storm

SCRIPT = Path(__file__).with_name("kill_storm.py")


class Sweep:
    """One process of `kill_storm.py`."""

    def __init__(self, folder: Path, jobs: int, backend: str) -> None:
        self.out = (folder / f"out-{time.monotonic_ns()}.txt").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, str(SCRIPT), str(folder / "cache"), str(folder / "journal"), str(jobs), backend],
            stdout=self.out,
            stderr=subprocess.STDOUT,
        )

    def lines(self) -> list[str]:
        self.out.seek(0)
        return self.out.read().splitlines()

    def finish(self) -> tuple[str, int]:
        """(digest, results that are ok) at the end of an undisturbed pass."""
        assert self.process.wait(300) == 0, self.lines()[-20:]
        word, digest, ok = self.lines()[-1].split()
        assert word == "digest"
        return digest, int(ok)

    def children(self) -> list[int]:
        """Engines; the shell that guards them is no victim."""
        try:
            tasks = Path(f"/proc/{self.process.pid}/task").iterdir()
            pids = [int(pid) for task in tasks for pid in (task / "children").read_text().split()]
            return [pid for pid in pids if Path(f"/proc/{pid}/comm").read_text().strip() != "sh"]
        except OSError:
            return []


def check_journal(folder: Path) -> Counter[str]:
    """Starts per key; fails if any job was started after it had been committed."""
    committed: set[str] = set()
    starts: Counter[str] = Counter()
    for line in (folder / "journal").read_text().splitlines():
        word, key, _ = line.split()
        if word == "commit":
            committed.add(key)
        else:
            assert key not in committed, "a committed job ran again"
            starts[key] += 1
    return starts


def kill_storm(folder: Path, jobs: int, kills: int, processes: int, backend: str = "process", seed: int = 5) -> None:
    """Kill parents and engines at random moments, start again what is gone, and compare with an undisturbed run."""
    (folder / "calm").mkdir()
    (folder / "storm").mkdir()
    started = time.monotonic()
    calm, ok = Sweep(folder / "calm", jobs, backend).finish()
    undisturbed = time.monotonic() - started
    assert ok == jobs
    rng = random.Random(seed)
    place = folder / "storm"
    running = [Sweep(place, jobs, backend) for _ in range(processes)]
    done = {"parent": 0, "child": 0}
    deadline = time.monotonic() + 300
    while sum(done.values()) < kills and time.monotonic() < deadline:
        time.sleep(rng.uniform(0.02, 1.5 * undisturbed / kills + 0.35))
        victim = rng.choice(running)
        engines = victim.children()
        if engines and rng.random() < 0.5:
            for pid in engines[:1]:
                os.kill(pid, signal.SIGKILL)
                done["child"] += 1
        elif victim.process.poll() is None:
            victim.process.kill()
            victim.process.wait()
            done["parent"] += 1
        for index, sweep in enumerate(running):
            if sweep.process.poll() is not None:
                running[index] = Sweep(place, jobs, backend)
    assert sum(done.values()) == kills
    assert done["parent"], done
    for sweep in running:
        sweep.finish()
    digest, ok = Sweep(place, jobs, backend).finish()  # engines killed in the last pass are run here
    assert ok == jobs
    assert digest == calm
    if backend == "process":
        starts = check_journal(place)
        assert len(starts) == jobs
        # A killed engine or parent costs at most the two jobs that were under way in that process.
        assert sum(starts.values()) <= jobs + 2 * kills


def test_short_storm(tmp_path: Path) -> None:
    kill_storm(tmp_path, jobs=60, kills=4, processes=1)


def test_short_storm_of_two_processes_on_one_cache(tmp_path: Path) -> None:
    kill_storm(tmp_path, jobs=60, kills=4, processes=2, seed=11)


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 4])
def test_storm(tmp_path: Path, processes: int) -> None:
    kill_storm(tmp_path, jobs=500, kills=20, processes=processes)


@pytest.mark.slow
def test_storm_through_the_library(tmp_path: Path) -> None:
    pytest.importorskip("PySpice")
    kill_storm(tmp_path, jobs=500, kills=20, processes=1, backend="shared")


def test_processes_on_one_cache_run_nothing_twice(tmp_path: Path) -> None:
    """Four processes ask for the same 60 jobs at once: each job is started once."""
    sweeps = [Sweep(tmp_path, 60, "process") for _ in range(4)]
    assert len({sweep.finish() for sweep in sweeps}) == 1
    starts = check_journal(tmp_path)
    assert len(starts) == 60
    assert set(starts.values()) == {1}


def damaged_resume(folder: Path, jobs: int, seed: int, how: str) -> None:
    """Half a sweep, damage, the whole sweep: results equal those of a run without cache."""
    rng = random.Random(seed)
    todo = storm.storm_jobs(jobs)
    wanted = storm.digest(run_many(todo, workers=2))
    with Cache(folder) as cache:
        run_many(todo[: jobs // 2], workers=2, cache=cache)
    path = folder / "results.sqlite"
    data = bytearray(path.read_bytes())
    if how == "truncated":
        path.write_bytes(data[: rng.randrange(100, len(data))])
    else:
        for _ in range(20):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        path.write_bytes(data)
    with Cache(folder) as cache:
        assert storm.digest(run_many(todo, workers=2, cache=cache)) == wanted
        again = run_many(todo, workers=2, cache=cache)
        assert storm.digest(again) == wanted
        assert all(r.provenance and r.provenance.cached for r in again)
        assert cache.verify()[0] == jobs


@pytest.mark.parametrize("how", ["truncated", "flipped"])
def test_damaged_file_is_rebuilt_in_mid_sweep(tmp_path: Path, how: str) -> None:
    damaged_resume(tmp_path, 30, 3, how)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["truncated", "flipped"])
@pytest.mark.parametrize("seed", range(5))
def test_damaged_file_is_rebuilt_500(tmp_path: Path, how: str, seed: int) -> None:
    damaged_resume(tmp_path, 500, seed, how)


def _bits(result: Result) -> list[bytes]:
    return [signal.values.tobytes() for signal in result.signals.values()]


def test_full_disk_under_the_cache(tmp_path: Path) -> None:
    """No file of this process may grow beyond 80 kB: the cache fills up, results stay right, and each says that it is
    not kept. With room again, the same cache goes on."""
    jobs = storm.storm_jobs(60)
    wanted = [_bits(r) for r in run_many(jobs, workers=2)]
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    cache = Cache(tmp_path)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (80_000, old[1]))
        results = run_many(jobs, workers=2, cache=cache)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
    assert [_bits(r) for r in results] == wanted
    unkept = [r for r in results if r.provenance and any("not cached" in note for note in r.provenance.notes)]
    assert 0 < len(unkept) < 60
    again = run_many(jobs, workers=2, cache=cache)
    assert [_bits(r) for r in again] == wanted
    assert sum(bool(r.provenance and r.provenance.cached) for r in again) == 60 - len(unkept)
    assert cache.verify() == (60, 0)


def test_full_disk_under_the_engine_is_never_ok(tmp_path: Path) -> None:
    """The engine may write 2 kB per file: whatever comes out, it is not ok."""
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, old[1]))
        results = [run(job) for job in storm.storm_jobs(2)]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
    assert all(result.verdict in (Verdict.KILLED, Verdict.NO_OUTPUT) for result in results)


def fill(folder: Path, room: int) -> None:
    """Leave about `room` bytes on the file system of `folder`."""
    filler = folder / "filler"
    filler.unlink(missing_ok=True)
    size = shutil.disk_usage(folder).free - room
    with contextlib.suppress(OSError):
        filler.write_bytes(b"\0" * max(0, size))


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system takes root")
def test_full_file_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cache and engine on a tmpfs of 300 kB that fills up (and where the engine's writes fail without a signal)."""
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(small)], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    try:
        jobs = storm.storm_jobs(60)
        wanted = [_bits(r) for r in run_many(jobs, workers=2)]
        cache = Cache(small / "cache")
        results = run_many(jobs, workers=2, cache=cache)
        assert [_bits(r) for r in results] == wanted
        assert any(r.provenance and "not cached" in " ".join(r.provenance.notes) for r in results)
        cache.close()
        monkeypatch.setattr("tempfile.tempdir", str(small))
        for room in range(0, 60_000, 4096):
            fill(small, room)
            with contextlib.suppress(EngineError):  # "the run's folder cannot be used (No space left on device)"
                result = run(jobs[0])
                assert not result.ok or _bits(result) == wanted[0]
    finally:
        subprocess.run(["umount", "-l", str(small)], check=False)
