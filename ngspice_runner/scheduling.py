"""How many jobs run at once, and on which backend."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from ngspice_runner.backends import BACKENDS, Backend, OtherSimulator
from ngspice_runner.cache import Cache
from ngspice_runner.engine import Engine, find_engine
from ngspice_runner.errors import EngineError, JobError
from ngspice_runner.job import Job, Result, Verdict
from ngspice_runner.simulate import CLAIM_PAUSE, Setting, run_one


@dataclass(frozen=True, slots=True)
class Cluster:
    """A dask scheduler that jobs go to: its address (`tcp://host:8786`) or the file that it wrote (`.json`)."""

    address: str


Workers = int | Cluster | None
"""Where simulations run: so many at a time on this machine, on every core of it (None), or on a cluster."""


@dataclass(frozen=True, slots=True)
class Progress:
    """State of a batch: jobs done of total, how many came from the cache, how many have no verdict ok; seconds."""

    done: int
    total: int
    cached: int
    failed: int
    elapsed: float

    @property
    def rate(self) -> float:
        """Finished jobs per second, those from the cache not counted."""
        return (self.done - self.cached) / self.elapsed if self.elapsed > 0 else 0.0

    @property
    def remaining(self) -> float | None:
        """Seconds still to go, None when there is nothing to judge by."""
        return (self.total - self.done) / self.rate if self.rate > 0 else None


class RunInterrupted(KeyboardInterrupt):
    """A batch was interrupted; `results` holds what was finished (None elsewhere), `kept` says where it is kept."""

    def __init__(self, message: str, results: list[Result | None], kept: str) -> None:
        super().__init__(f"{message}; {kept}")
        self.results = results
        self.kept = kept


def make_backend(name: str) -> Backend:
    """The backend of a name. Raises JobError for a name that does not exist, EngineError when what it needs is not
    installed."""
    if name not in BACKENDS:
        raise JobError(f"backend {name!r} does not exist: one of {', '.join(BACKENDS)} is needed")
    return BACKENDS[name]()


def make_setting(
    backend: str | Backend,
    engine: Engine | None,
    cache: Cache | None,
    *,
    retry_failures: bool = False,
    retry: bool = False,
) -> Setting:
    """Backends and engine for a call."""
    chosen = make_backend(backend) if isinstance(backend, str) else backend
    if isinstance(chosen, OtherSimulator):
        return Setting(chosen, chosen, chosen.engine, cache, retry_failures, retry)
    found = engine or find_engine()
    alone = chosen if chosen.name == "process" else make_backend("process")
    return Setting(chosen, alone, found, cache, retry_failures, retry)


class JobBoard:
    """Results of a batch as they come in, and its progress."""

    def __init__(self, total: int, progress: Callable[[Progress], None] | None, place: str | None) -> None:
        """place: where finished results are kept, None = nowhere."""
        self.results: list[Result | None] = [None] * total
        self._progress, self._place = progress, place
        self._done = self._cached = self._failed = 0
        self._started = time.monotonic()

    def settle(self, index: int, result: Result) -> None:
        """Enter one result; reports progress."""
        self.results[index] = result
        self._done += 1
        self._failed += not result.ok
        self._cached += bool(result.provenance and result.provenance.cached)
        if self._progress is not None:
            elapsed = time.monotonic() - self._started
            self._progress(Progress(self._done, len(self.results), self._cached, self._failed, elapsed))

    def interrupted(self) -> RunInterrupted:
        """What to raise after Ctrl-C."""
        kept = (
            f"kept in {self._place}: run the same again to go on from there"
            if self._place
            else "not kept: give a cache to be able to go on"
        )
        message = f"interrupted after {self._done} of {len(self.results)} jobs"
        return RunInterrupted(message, self.results, f"finished results are {kept}")

    def finished(self) -> list[Result]:
        """All results; raises EngineError if one is missing, which must not happen."""
        found = [result for result in self.results if result is not None]
        if len(found) != len(self.results):
            raise EngineError(f"{len(self.results) - len(found)} jobs ended without a result")
        return found


def run_jobs(
    groups: Mapping[Job, Sequence[int]],
    setting: Setting,
    workers: int,
    settle: Callable[[Sequence[int], Result], None],
) -> None:
    """Run every job of `groups` once, in threads around engine processes; `settle(indices, result)` is called in the
    caller's thread. Jobs that another process is running are looked at again when nothing else is left to do."""
    queue = deque(groups.items())
    if not queue:
        return
    stop = threading.Event()
    pending: dict[Future[Result | None], tuple[Job, Sequence[int]]] = {}
    elsewhere: list[tuple[float, Job, Sequence[int]]] = []  # (when to look again, job, where its result goes)
    pool = ThreadPoolExecutor(min(workers, len(queue)), thread_name_prefix="ngspice")

    def work(job: Job) -> Result | None:
        return None if stop.is_set() else run_one(job, setting, wait=False)

    try:
        while queue or pending or elsewhere:
            now = time.monotonic()
            queue.extend((job, indices) for when, job, indices in elsewhere if when <= now)
            elsewhere = [entry for entry in elsewhere if entry[0] > now]
            while queue and len(pending) < 2 * workers:
                job, indices = queue.popleft()
                pending[pool.submit(work, job)] = (job, indices)
            if not pending:
                time.sleep(CLAIM_PAUSE)
                continue
            for future in wait(pending, CLAIM_PAUSE if elsewhere else None, FIRST_COMPLETED).done:
                job, indices = pending.pop(future)
                result = future.result()
                if result is None:
                    elsewhere.append((time.monotonic() + 5 * CLAIM_PAUSE, job, indices))
                else:
                    settle(indices, result)
    except BaseException:
        stop.set()
        setting.cancel()
        pool.shutdown(wait=True, cancel_futures=True)
        for future, (_, indices) in pending.items():
            if future.done() and not future.cancelled() and future.exception() is None:
                result = future.result()
                if result and result.verdict is not Verdict.KILLED:
                    settle(indices, result)
        raise
    pool.shutdown()


def check_workers(workers: int | None) -> None:
    """Raises JobError for a number of workers below 1."""
    if workers is not None and workers < 1:
        raise JobError(f"workers is {workers}: at least 1 is needed")


def cores() -> int:
    """Cores that this process may use."""
    try:
        return max(1, len(os.sched_getaffinity(0)))
    except AttributeError:
        return os.cpu_count() or 1
