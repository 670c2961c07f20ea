"""Killed at any moment, on a damaged file or on a full disk: nothing wrong is served and nothing is run twice."""

from __future__ import annotations

import contextlib
import os
import random
import resource
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from ngspice_runner import Cache, EngineError, Result, Verdict, run, run_many
from tests.ngspice_runner import kill_storm as storm


def checked(account: storm.Account, kills: int) -> None:
    """A storm took place and did no harm."""
    assert sum(account.kills.values()) == kills
    assert account.clean, storm.table(account)


def test_short_storm(tmp_path: Path) -> None:
    checked(storm.storm(tmp_path, 40, 4, ["process"], seed=5, signals=[signal.SIGKILL], seconds=200), 4)


def test_short_storm_of_two_backends_and_four_signals(tmp_path: Path) -> None:
    checked(storm.storm(tmp_path, 40, 5, ["process", "persistent"], seed=11, seconds=200), 5)


def test_the_account_sees_what_is_wrong(tmp_path: Path) -> None:
    """A start after the commit, a job without one, and a process that lives on."""
    journal = tmp_path / "journal"
    journal.write_text("start a 1\nstart b 1\ncommit a 1\nstart a 2\n")
    starts, committed, repeated = storm.count_starts(journal)
    assert (dict(starts), committed, repeated) == ({"a": 2, "b": 1}, {"a"}, 1)
    sleeper = subprocess.Popen(["sleep", "30"])
    try:
        assert storm.orphans_of([sleeper.pid]) == 1
    finally:
        sleeper.kill()
    assert storm.orphans_of([sleeper.pid]) == 0  # ended, not yet reaped
    sleeper.wait()
    assert not storm.Account(repeated=1).clean


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 4])
def test_storm(tmp_path: Path, processes: int) -> None:
    backends = [("process", "persistent")[i % 2] for i in range(processes)]
    checked(storm.storm(tmp_path, 500, 20, backends, seed=5), 20)


@pytest.mark.slow
def test_storm_through_the_library(tmp_path: Path) -> None:
    pytest.importorskip("PySpice")
    checked(storm.storm(tmp_path, 500, 20, ["shared"], seed=5, signals=[signal.SIGKILL]), 20)


def test_processes_on_one_cache_run_nothing_twice(tmp_path: Path) -> None:
    """Four processes ask for the same 60 jobs at once: each job is started once."""
    sweeps = [storm.Sweep(tmp_path, 60, "process") for _ in range(4)]
    assert len({sweep.finish() for sweep in sweeps}) == 1
    starts, committed, repeated = storm.count_starts(tmp_path / "journal")
    assert (len(starts), len(committed), repeated) == (60, 60, 0)
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
