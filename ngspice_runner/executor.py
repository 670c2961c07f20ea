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
from ngspice_runner.randomness import with_seed
from ngspice_runner.scheduling import Cluster, JobBoard, Progress, Workers, check_workers, cores, make_setting, run_jobs
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
    r"""Run one job and judge its outcome.

    A simulation that fails raises nothing: it has another verdict than `ok`.

    Parameters
    ----------
    job
        Deck, required outputs and limits.
    cache
        Cache to look the job up in and to store its result; None uses none. A job that another process is running on
        the same cache is waited for.
    backend
        `process`, `batch`, `shared`, or a backend object (a `shared` one keeps its engine between calls).
    engine
        Engine to use; None looks for ngspice (`METALROM_NGSPICE`, then the search path).
    retry_failures
        Run failed jobs again instead of returning the stored failure.
    retry
        Repeat a simulation that does not converge with more iterations, then with Gear integration.

    Returns
    -------
    Result
        Verdict, signals, log and provenance.

    Raises
    ------
    JobError
        The job itself is unusable.
    EngineError
        ngspice is missing or cannot be started.

    Examples
    --------
    >>> deck = "divider\nV1 a 0 1\nR1 a out 1e3\nR2 out 0 1e3\n.op\n.end\n"
    >>> result = run(Job(text=deck, outputs=("v(out)",)))  # doctest: +SKIP
    >>> result.ok, result.signals["v(out)"].values  # doctest: +SKIP
    (True, array([0.5]))
    """
    setting = make_setting(backend, engine, cache, retry_failures=retry_failures, retry=retry)
    try:
        result = run_one(with_seed(job), setting)
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
    r"""Run many jobs side by side, each distinct job once.

    Each result is committed to the cache as it ends, so that the same call with the same cache continues an
    interrupted one. On one cache, equal jobs run once even if several processes request them at the same time.

    Parameters
    ----------
    jobs
        Jobs in any order; equal ones run once.
    workers
        Engine processes at a time, None for one per core, or a `Cluster`, whose workers use their local engines.
    cache
        As for `run`.
    backend
        As for `run`; with `batch`, jobs that differ only in numbers of `.param` cards share an engine process.
    engine
        As for `run`.
    progress
        Called after each job, in the thread of the caller.
    retry_failures
        As for `run`.
    retry
        As for `run`.

    Returns
    -------
    list of Result
        In the order of the jobs.

    Raises
    ------
    JobError, EngineError
        As for `run`, at the first such job.
    RunInterrupted
        Ctrl-C; a KeyboardInterrupt that states what is done.

    Examples
    --------
    >>> decks = [f"divider\nV1 a 0 1\nR1 a out {r}\nR2 out 0 1e3\n.op\n.end\n" for r in (1e3, 3e3)]
    >>> results = run_many([Job(text=deck, outputs=("v(out)",)) for deck in decks])  # doctest: +SKIP
    >>> [float(r.signals["v(out)"].values[0]) for r in results]  # doctest: +SKIP
    [0.5, 0.25]
    """
    if isinstance(workers, Cluster):
        if engine is not None or not isinstance(backend, str):
            raise JobError("workers of a cluster use their local engines: name a backend and pass no engine")
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
    jobs = [with_seed(job) for job in jobs]
    setting = make_setting(backend, engine, cache, retry_failures=retry_failures, retry=retry)
    board = JobBoard(len(jobs), progress, None if cache is None else str(cache.path))
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
