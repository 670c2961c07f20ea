"""A dask cluster on the loopback interface whose workers are killed: all results, none run twice."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from ngspice_runner import Cache, EngineError, Job, JobError, Progress, Verdict, find_engine
from ngspice_runner.backends.sandbox import SWITCH

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("distributed") is None, reason="dask.distributed is not installed"
)


class Cluster:
    """A scheduler and two workers of one thread each, as processes of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.starts = folder / "starts"
        # Every start of the engine is told: time and title, which carries the job's key.
        wrapper = folder / "ngspice"
        wrapper.write_text(
            "#!/bin/sh\n[ -f deck.cir ] && "
            f'echo "$(date +%s.%N) $(head -n 1 deck.cir)" >> "{self.starts}"\nexec {find_engine().path} "$@"\n'
        )
        wrapper.chmod(0o755)
        # In a sandbox the wrapper could not write there.
        self.environment = os.environ | {"METALROM_NGSPICE": str(wrapper), "PYTHONPATH": str(ROOT), SWITCH: "off"}
        port_file = folder / "scheduler.json"
        self._processes = [
            self._start("distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard",
                        "--scheduler-file", str(port_file))
        ]  # fmt: skip
        deadline = time.monotonic() + 30
        while not port_file.exists() or '"address"' not in port_file.read_text():
            assert time.monotonic() < deadline
            time.sleep(0.1)
        import json

        self.address = json.loads(port_file.read_text())["address"]
        self.workers = [self.worker() for _ in range(2)]

    def worker(self) -> subprocess.Popen[bytes]:
        return self._start(
            "distributed.cli.dask_worker", self.address, "--nthreads", "1", "--no-nanny", "--no-dashboard",
            "--host", "127.0.0.1", "--death-timeout", "60", "--local-directory", str(self.folder / "work"),
        )  # fmt: skip

    def _start(self, module: str, *arguments: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            env=self.environment,
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=(self.folder / f"{module}-{time.monotonic_ns()}.log").open("wb"),
        )
        if hasattr(self, "_processes"):
            self._processes.append(process)
        return process

    def close(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    made = Cluster(tmp_path)
    yield made
    made.close()


def divider(index: int) -> Job:
    return Job(
        f"divider\nV1 a 0 1\nR1 a b 1e3\nR2 b 0 {index + 1:e}\nC1 b 0 1e-12\n.tran 1e-11 1e-8\n.end\n",
        ("v(b)",),
        tag=str(index),
    )


def check_lost_worker(cluster: Cluster, count: int) -> None:
    """Kill one worker by its id when a third is done; every result is there, and what was committed ran once."""
    from ngspice_runner.cluster import run_cluster

    victim = cluster.workers[0]
    seen: list[Progress] = []

    def report(state: Progress) -> None:
        seen.append(state)
        if state.done == count // 3:
            os.kill(victim.pid, signal.SIGKILL)

    folder = cluster.folder / "cache"
    results = run_cluster([divider(i) for i in range(count)], cluster.address, cache=str(folder), progress=report)
    assert victim.wait(10) == -signal.SIGKILL
    assert [r.tag for r in results] == [str(i) for i in range(count)]
    assert all(r.verdict is Verdict.OK for r in results)
    for index, result in enumerate(results):
        assert result.signals["v(b)"].values[-1] == pytest.approx((index + 1) / (index + 1001), rel=1e-3)
    assert [state.done for state in seen] == list(range(1, count + 1))
    starts: dict[str, list[float]] = {}
    for line in cluster.starts.read_text().splitlines():
        when, name, key = line.split()
        if name in ("ngspice_view", "ngspice_witness"):
            continue  # loaded to be compared with its text, or once more with everything saved
        assert name == "ngspice_runner"
        starts.setdefault(key, []).append(float(when))
    assert len(starts) == count
    with Cache(folder) as cache:
        assert cache.verify() == (count, 0)
        rows = cache._guarded(lambda c: c.execute("SELECT key, created FROM results").fetchall())
    late = [key for key, created in rows if starts[key[:24]][-1] > created]
    assert late == []  # no start after the commit
    twice = Counter(len(times) for times in starts.values())
    assert set(twice) <= {1, 2}
    assert twice[2] <= 1  # the one job that the killed worker had under way


def test_lost_worker(cluster: Cluster) -> None:
    check_lost_worker(cluster, 60)


@pytest.mark.slow
def test_lost_worker_1000(cluster: Cluster) -> None:
    check_lost_worker(cluster, 1000)


def test_bad_job_and_missing_scheduler(cluster: Cluster) -> None:
    from ngspice_runner.cluster import run_cluster

    with pytest.raises(JobError, match="the deck is empty"):
        run_cluster([Job("", ())], cluster.address, cache=None)
    broken = Job("t\nV1 a 0 1\nV2 a 0 2\nR1 a 0 1\n.op\n.end\n", ("v(a)",))
    (result,) = run_cluster([broken], cluster.address, cache=None)
    assert result.verdict is Verdict.CONVERGENCE


def test_no_scheduler(monkeypatch: pytest.MonkeyPatch) -> None:
    from ngspice_runner import cluster
    from ngspice_runner.cluster import run_cluster

    monkeypatch.setattr(cluster, "_CONNECT_SECONDS", 1)
    with pytest.raises(EngineError, match="no dask scheduler"):
        run_cluster([divider(1)], "tcp://127.0.0.1:9", cache=None)


def test_run_many_on_a_cluster(cluster: Cluster) -> None:
    from ngspice_runner import Cluster as Place
    from ngspice_runner import run_many

    jobs = [divider(i) for i in range(6)]
    with Cache(cluster.folder / "cache") as cache:
        there = run_many(jobs, workers=Place(str(cluster.folder / "scheduler.json")), cache=cache)
        again = run_many(jobs, workers=Place(cluster.address), cache=cache)
        here = run_many(jobs, cache=cache)
    assert all(r.ok for r in there)
    assert not any(r.provenance.cached for r in there if r.provenance)
    assert all(r.provenance.cached for r in again if r.provenance)
    assert [r.signals["v(b)"].values.tolist() for r in here] == [r.signals["v(b)"].values.tolist() for r in there]
    with pytest.raises(JobError, match="their local engines"):
        run_many(jobs, workers=Place(cluster.address), engine=find_engine())
    with pytest.raises(EngineError, match="no scheduler file"):
        run_many(jobs, workers=Place("elsewhere.json"))


def test_local_cluster(tmp_path: Path) -> None:
    from ngspice_runner import run_many
    from ngspice_runner.cluster import local_cluster

    with local_cluster(2) as place, Cache(tmp_path) as cache:
        results = run_many([divider(i) for i in range(4)], workers=place, cache=cache)
    assert [r.verdict for r in results] == [Verdict.OK] * 4
