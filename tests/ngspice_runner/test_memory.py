"""Memory stays flat over 20,000 simulations: of this process and of the engine's."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest

from ngspice_runner import Job, Progress, Sweep, run_many, run_sweep

COUNT = 20_000
BASE = Job(
    "t\n.param rload=1e3\nV1 a 0 1\nR1 a b 1e3\nR2 b 0 {rload}\nR3 b 0 1e6\nC1 b 0 1e-12\n.tran 1e-10 1e-8\n.end\n",
    ("v(b)",),
)


def resident(pid: int | None = None) -> int:
    """Resident bytes of a process (None: this one)."""
    pages = Path(f"/proc/{pid or os.getpid()}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def children() -> list[int]:
    return [int(pid) for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()]


class Watch:
    """Memory of this process and of its largest child, by progress."""

    def __init__(self) -> None:
        self.own: dict[int, int] = {}
        self.child: dict[int, int] = {}
        self._done = 0

    def __call__(self, progress: Progress) -> None:
        self._done += 1
        if self._done % 500 == 0:
            self.own[self._done] = resident()
            sizes = []
            for pid in children():
                try:
                    sizes.append(resident(pid))
                except OSError:
                    continue
            if sizes:
                self.child[self._done] = max(sizes)


def growth(sizes: dict[int, int]) -> float:
    """Share by which the last fifth exceeds the second tenth (medians)."""
    ordered = sorted(sizes)
    early = sorted(sizes[n] for n in ordered if 0.1 * COUNT <= n <= 0.2 * COUNT)
    late = sorted(sizes[n] for n in ordered if n >= 0.8 * COUNT)
    return late[len(late) // 2] / early[len(early) // 2] - 1


def sweeps(backend: str, name: str) -> Watch:
    watch = Watch()
    for part in range(10):  # a caller that does not hold on to results
        points = [{name: 1e3 + part * 2000 + k} for k in range(COUNT // 10)]
        results = run_sweep(Sweep(BASE, points), backend=backend, workers=1, progress=watch)
        assert all(r.ok and r.provenance and r.provenance.backend == backend for r in results)
        del results
    return watch


@pytest.mark.slow
@pytest.mark.parametrize("name", ["r3", "rload"])
def test_batch(name: str) -> None:
    watch = sweeps("batch", name)
    print(f"batch {name}: own {growth(watch.own):+.2%}, engine {max(watch.child.values()) / 1e6:.1f} MB")
    assert growth(watch.own) < 0.05
    # An engine process serves 1,000 points at most; its size is bounded by that.
    assert max(watch.child.values()) < 1.05 * sorted(watch.child.values())[len(watch.child) // 2]


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("PySpice") is None, reason="PySpice is not installed")
@pytest.mark.parametrize("how", ["jobs", "r3", "rload"])
def test_shared(how: str) -> None:
    """One child for all 20,000: it must not lean on being replaced."""
    from ngspice_runner.backends.shared import SharedBackend

    if how == "jobs":
        watch = Watch()
        backend = SharedBackend(recycle=10**9)
        for part in range(10):
            jobs = [
                Job(BASE.text.replace("=1e3", f"={1e3 + part * 2000 + k!r}"), BASE.outputs) for k in range(COUNT // 10)
            ]
            results = run_many(jobs, backend=backend, workers=1, progress=watch)
            assert all(r.ok and r.provenance and r.provenance.backend == "shared" for r in results)
            del results
        backend.close()
    else:
        watch = sweeps("shared", how)
    print(f"shared {how}: own {growth(watch.own):+.2%}, child {growth(watch.child):+.2%}")
    assert growth(watch.own) < 0.05
    assert growth(watch.child) < 0.05
