"""Running one job or many: look up, run, judge, keep; order kept, duplicates run once, interruption loses nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from ngspice_runner.backends import Backend
from ngspice_runner.cache import Cache
from ngspice_runner.cluster import run_cluster
from ngspice_runner.engine import Engine
from ngspice_runner.errors import EngineError, JobError
from ngspice_runner.job import Job, Result
from ngspice_runner.scheduling import Board, Cluster, Progress, Workers, check_workers, cores, make_setting, run_jobs
from ngspice_runner.simulate import run_one
from ngspice_runner.sweep import run_groups


def run(
    job: Job,
    *,
    cache: Cache | None = None,
    backend: str | Backend = "process",
    engine: Engine | None = None,
    retry_failures: bool = False,
    retry: bool = False,
) -> Result:
    """Run one job and judge it.

    cache: where to look first and to keep the result, None = nowhere; a job that another process is running on the
    same cache is waited for. backend: `process`, `batch`, `shared` or a backend made before (a `shared` one keeps its
    engine between calls). retry_failures: run again what failed before. retry: climb the ladder of `retry.py` when the
    simulation does not converge. Raises JobError when the job itself is unusable, EngineError when ngspice is missing
    or cannot be started; a simulation that fails is no exception but a verdict.
    """
    setting = make_setting(backend, engine, cache, retry_failures=retry_failures, retry=retry)
    try:
        result = run_one(job, setting)
    finally:
        if isinstance(backend, str):
            setting.backend.close()
    if result is None:
        raise EngineError("the run ended without a result")
    return result


def run_many(
    jobs: Sequence[Job],
    *,
    workers: Workers = None,
    cache: Cache | None = None,
    backend: str | Backend = "process",
    engine: Engine | None = None,
    progress: Callable[[Progress], None] | None = None,
    retry_failures: bool = False,
    retry: bool = False,
) -> list[Result]:
    """Run jobs with `workers` engine processes at a time (None: one per core), or on a cluster (see `cluster.py`: each
    worker uses its own engine and the cache's folder); results in the order of the jobs.

    Equal jobs run once; on one cache they run once even if several processes ask for them at the same time. Each
    result is committed to the cache as it ends. backend, retry_failures, retry: see `run`; with `batch`, jobs that
    differ only in numbers of `.param` cards share an engine process (see `sweep`). progress: called after each job, in
    the caller's thread. On Ctrl-C the engines are ended and RunInterrupted (a KeyboardInterrupt) tells what is done;
    the same call with the same cache then goes on from there. Raises JobError or EngineError like `run`, at the first
    such job.
    """
    if isinstance(workers, Cluster):
        if engine is not None or not isinstance(backend, str):
            raise JobError("workers of a cluster have engines of their own: name the backend and give no engine")
        folder = None if cache is None else str(cache.folder)
        return run_cluster(
            jobs,
            workers.address,
            cache=folder,
            backend=backend,
            progress=progress,
            retry_failures=retry_failures,
            retry=retry,
        )
    check_workers(workers)
    setting = make_setting(backend, engine, cache, retry_failures=retry_failures, retry=retry)
    board = Board(len(jobs), progress, None if cache is None else str(cache.path))
    groups: dict[Job, list[int]] = {}
    for index, job in enumerate(jobs):
        groups.setdefault(replace(job, tag="") if job.tag else job, []).append(index)

    def settle(indices: Sequence[int], result: Result) -> None:
        for index in indices:
            board.settle(index, replace(result, tag=jobs[index].tag))

    try:
        if backend == "batch":
            run_groups(groups, setting, workers or cores(), settle)
        run_jobs(groups, setting, workers or cores(), settle)
    except KeyboardInterrupt:
        raise board.interrupted() from None
    finally:
        if isinstance(backend, str):
            setting.backend.close()
    return board.finished()
