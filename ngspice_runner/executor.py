"""Running one job or many: look up, run, judge, keep; order kept, duplicates run once, interruption loses nothing."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace

from ngspice_runner.backends import Backend
from ngspice_runner.cache import Cache
from ngspice_runner.engine import Engine, find_engine
from ngspice_runner.errors import JobError
from ngspice_runner.job import Job, Result, RunProvenance, Verdict
from ngspice_runner.prepare import Prepared, prepare
from ngspice_runner.verdict import judge

BACKENDS = ("process",)
_NOTES = re.compile(
    r"^.*(?:Warning:|warning,|Model issue|unrecognized parameter|No \.measure possible).*$", re.MULTILINE
)


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
    """A batch was interrupted; `results` holds what was finished (None elsewhere), the cache keeps it."""

    def __init__(self, message: str, results: list[Result | None]) -> None:
        super().__init__(message)
        self.results = results


def make_backend(name: str) -> Backend:
    """The backend of a name. Raises JobError for a name that does not exist."""
    if name == "process":
        from ngspice_runner.backends.process import ProcessBackend

        return ProcessBackend()
    raise JobError(f"backend {name!r} does not exist: one of {', '.join(BACKENDS)} is needed")


def run(
    job: Job,
    *,
    cache: Cache | None = None,
    backend: str | Backend = "process",
    engine: Engine | None = None,
    retry_failures: bool = False,
) -> Result:
    """Run one job and judge it.

    cache: where to look first and to keep the result, None = nowhere. retry_failures: run again what failed before.
    Raises JobError when the job itself is unusable, EngineError when ngspice is missing or cannot be started; a
    simulation that fails is no exception but a verdict.
    """
    chosen = make_backend(backend) if isinstance(backend, str) else backend
    return _run_one(job, cache, chosen, engine or find_engine(), retry_failures)


def run_many(
    jobs: Sequence[Job],
    *,
    workers: int | None = None,
    cache: Cache | None = None,
    backend: str | Backend = "process",
    engine: Engine | None = None,
    progress: Callable[[Progress], None] | None = None,
    retry_failures: bool = False,
) -> list[Result]:
    """Run jobs with `workers` engine processes at a time (None: one per core); results in the order of the jobs.

    Equal jobs run once. Each result is committed to the cache as it ends. progress: called after each job, in the
    caller's thread. On Ctrl-C the engines are ended and RunInterrupted (a KeyboardInterrupt) tells what is done; the
    same call with the same cache then goes on from there. Raises JobError or EngineError like `run`, at the first such
    job.
    """
    if workers is not None and workers < 1:
        raise JobError(f"workers is {workers}: at least 1 is needed")
    chosen = make_backend(backend) if isinstance(backend, str) else backend
    found = engine or find_engine()
    groups: dict[Job, list[int]] = {}
    for index, job in enumerate(jobs):
        groups.setdefault(replace(job, tag="") if job.tag else job, []).append(index)
    results: list[Result | None] = [None] * len(jobs)
    count = workers or _cores()
    stop = threading.Event()
    queue = iter(groups.items())
    pending: dict[Future[Result | None], list[int]] = {}
    tally = {"done": 0, "cached": 0, "failed": 0}
    started = time.monotonic()

    def work(job: Job) -> Result | None:
        return None if stop.is_set() else _run_one(job, cache, chosen, found, retry_failures)

    def settle(future: Future[Result | None]) -> None:
        indices = pending.pop(future)
        result = future.result()
        if result is None:
            return
        for index in indices:
            results[index] = replace(result, tag=jobs[index].tag)
            tally["done"] += 1
            tally["failed"] += not result.ok
            tally["cached"] += bool(result.provenance and result.provenance.cached)
            if progress is not None:
                progress(Progress(total=len(jobs), elapsed=time.monotonic() - started, **tally))

    pool = ThreadPoolExecutor(min(count, max(1, len(groups))), thread_name_prefix="ngspice")
    try:
        for job, indices in queue:
            pending[pool.submit(work, job)] = indices
            if len(pending) >= 2 * count:
                for future in wait(pending, return_when=FIRST_COMPLETED).done:
                    settle(future)
        while pending:
            for future in wait(pending, return_when=FIRST_COMPLETED).done:
                settle(future)
    except BaseException as error:
        stop.set()
        chosen.cancel()
        pool.shutdown(wait=True, cancel_futures=True)
        for future, indices in pending.items():
            if future.done() and not future.cancelled() and future.exception() is None:
                result = future.result()
                for index in indices if result and result.verdict is not Verdict.KILLED else ():
                    results[index] = result
        if isinstance(error, KeyboardInterrupt):
            done = sum(result is not None for result in results)
            kept = (
                f"kept in {cache.path}: run the same again to go on from there"
                if cache
                else "not kept: give a cache to be able to go on"
            )
            raise RunInterrupted(
                f"interrupted after {done} of {len(jobs)} jobs; finished results are {kept}", results
            ) from None
        raise
    pool.shutdown()
    return [result for result in results if result is not None]


def _cores() -> int:
    try:
        return max(1, len(os.sched_getaffinity(0)))
    except AttributeError:
        return os.cpu_count() or 1


def _run_one(job: Job, cache: Cache | None, backend: Backend, engine: Engine, retry_failures: bool) -> Result:
    prepared = prepare(job, engine, backend.name)
    notes = [str(finding) for finding in prepared.findings if finding.verdict is None]
    if prepared.errors:
        return _refused(prepared, backend.name, notes)
    if cache is not None and prepared.cacheable:
        kept = cache.get(prepared.key)
        if kept is not None and not (retry_failures and kept.verdict not in (Verdict.OK, Verdict.SUSPECT)):
            return replace(kept, tag=job.tag)
    outcome = backend.run(prepared)
    judgement = judge(outcome, job, prepared.deck, title=prepared.title, findings=prepared.findings)
    notes += list(dict.fromkeys(line.strip()[:200] for line in _NOTES.findall(outcome.log)))[:10]
    if cache is not None and not prepared.cacheable:
        notes.append("not cached: the deck reads files that the key cannot cover")
    provenance = RunProvenance(
        key=prepared.key,
        deck_sha256=prepared.deck_sha256,
        engine=engine.version,
        engine_sha256=engine.sha256,
        backend=backend.name,
        cached=False,
        cpu_seconds=outcome.cpu_seconds,
        wall_seconds=outcome.wall_seconds,
        notes=tuple(notes),
    )
    result = Result(judgement.verdict, judgement.signals, "\n".join(judgement.lines), provenance, job.tag)
    if cache is not None and prepared.cacheable and not outcome.cancelled and not cache.put(prepared.key, result):
        result = replace(
            result, provenance=replace(provenance, notes=(*provenance.notes, f"not cached: {cache.trouble}"))
        )
    return result


def _refused(prepared: Prepared, backend: str, notes: list[str]) -> Result:
    """The result of a deck that the lint refuses; the engine was not started."""
    first = prepared.errors[0].verdict or Verdict.PARSE
    provenance = RunProvenance(
        key=prepared.key,
        deck_sha256=prepared.deck_sha256,
        engine=prepared.engine.version,
        engine_sha256=prepared.engine.sha256,
        backend=backend,
        cached=False,
        cpu_seconds=0.0,
        wall_seconds=0.0,
        notes=(*notes, "refused by the lint, not run"),
    )
    return Result(first, {}, "\n".join(str(finding) for finding in prepared.errors), provenance, prepared.job.tag)
