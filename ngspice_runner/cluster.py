"""Jobs on an existing dask.distributed scheduler (extra `cluster`).

Workers need this package, an ngspice and, for the promise that nothing is run twice, one cache folder that all of them
see (locks included: NFS 4 or a local disk). A worker that is lost takes only what it had under way along: dask gives
those jobs to another worker, which finds committed results in the cache and claims free (locks die with their process).
Jobs and results travel as plain dictionaries and bytes, never as pickled objects of ours.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from interconnect.errors import MissingLibrary
from interconnect.optional import optional_library
from ngspice_runner.cache import Cache, Row, decode_row, encode_row
from ngspice_runner.errors import EngineError, JobError
from ngspice_runner.job import Job, Result
from ngspice_runner.randomness import with_seed
from ngspice_runner.scheduling import Cluster, JobBoard, Progress, check_workers, cores, make_setting
from ngspice_runner.simulate import run_one

INSTALL_HINT = "install dask with `pip install 'metalrom[cluster]'`"
_RETRIES = 5
_CONNECT_SECONDS = 20
_AHEAD = 200
"""Bundles handed to the scheduler beyond those that have come back: it need not hold a million."""
_BUNDLE = 16
"""Most jobs of one task: the scheduler's part of a task costs as much as a small simulation."""
_SHARES = 8
"""Fewest tasks per engine, so that all of them end at about the same time."""

_local = threading.local()


def run_cluster(
    jobs: Sequence[Job],
    scheduler: str,
    *,
    cache: str | None,
    backend: str = "process",
    progress: Callable[[Progress], None] | None = None,
    retry_failures: bool = False,
    retry: bool = False,
) -> list[Result]:
    """Run jobs on the workers of a scheduler; results in their order.

    scheduler: its address (`tcp://host:8786`), or the path of the file that it wrote (`--scheduler-file`, .json).

    cache: folder as the workers see it, None = none (then a lost worker's jobs run again). Equal jobs run once; other
    arguments, progress and Ctrl-C as in `run_many`. Raises EngineError when dask is missing, the scheduler cannot be
    reached, or one job has lost several workers in a row; JobError as `run`.
    """
    distributed = _distributed()
    board = JobBoard(len(jobs), progress, cache)
    groups: dict[Job, list[int]] = {}
    for index, job in enumerate(jobs):
        groups.setdefault(replace(with_seed(job), tag=""), []).append(index)
    options: dict[str, Any] = {
        "cache": cache,
        "backend": backend,
        "retry_failures": retry_failures,
        "retry": retry,
    }
    try:
        client = _connect(distributed.Client, scheduler)
    except (OSError, TimeoutError, ValueError) as error:
        raise EngineError(f"no dask scheduler answers at {scheduler} ({error})") from None
    places: dict[str, list[list[int]]] = {}
    size = bundle_size(len(groups), sum(client.nthreads().values()))

    def submitted() -> Iterator[Any]:
        left = iter(groups.items())
        number = 0
        while bundle := list(islice(left, size)):
            fields = [fields_of(job) for job, _ in bundle]
            future = client.submit(run_remote, fields, options, key=f"ngspice-{id(board):x}-{number}", retries=_RETRIES)
            places[future.key] = [indices for _, indices in bundle]
            number += 1
            yield future

    try:
        waiting = submitted()
        running = distributed.as_completed(list(islice(waiting, _AHEAD)), loop=client.loop)
        for future in running:
            for indices, answer in zip(places.pop(future.key), _answers_of(future), strict=False):
                result = _result_of(answer)
                for index in indices:
                    board.settle(index, replace(result, tag=jobs[index].tag))
            future.release()
            following = next(waiting, None)
            if following is not None:
                running.add(following)
    except KeyboardInterrupt:
        raise board.interrupted() from None
    finally:
        client.close()
    return board.finished()


def _distributed() -> Any:
    try:
        return optional_library("distributed", extra="cluster", purpose="Clusters")
    except MissingLibrary:
        raise EngineError(f"dask.distributed is not installed: {INSTALL_HINT}") from None


def _connect(client: Any, scheduler: str) -> Any:
    if scheduler.endswith(".json"):
        if not Path(scheduler).is_file():  # dask would wait for it to appear
            raise EngineError(f"there is no scheduler file {scheduler}")
        return client(scheduler_file=scheduler, timeout=_CONNECT_SECONDS, set_as_default=False)
    return client(scheduler, timeout=_CONNECT_SECONDS, set_as_default=False)


@contextmanager
def local_cluster(workers: int | None = None) -> Iterator[Cluster]:
    """A dask cluster on this machine's loopback interface, ended with the block: `workers` processes (None: one per
    core), each with one engine at a time. Raises EngineError when dask is missing."""
    distributed = _distributed()
    check_workers(workers)
    count = workers or cores()
    with distributed.LocalCluster(
        n_workers=count, threads_per_worker=1, host="127.0.0.1", dashboard_address=None, silence_logs=logging.ERROR
    ) as cluster:
        yield Cluster(cluster.scheduler_address)


def bundle_size(jobs: int, engines: int) -> int:
    """Jobs of one task."""
    return max(1, min(_BUNDLE, jobs // (_SHARES * max(1, engines))))


def _answers_of(future: Any) -> list[dict[str, Any]]:
    try:
        answers: list[dict[str, Any]] = future.result()
    except Exception as error:
        raise EngineError(f"the cluster lost a job permanently ({type(error).__name__}: {error})") from None
    return answers


def _result_of(answer: dict[str, Any]) -> Result:
    if "error" in answer:
        raise (JobError if answer["kind"] == "job" else EngineError)(answer["error"])
    row: Row = answer["row"]
    result = decode_row(row, row[0])
    if result is None or result.provenance is None:
        raise EngineError("a result from a worker is damaged")
    return replace(result, provenance=replace(result.provenance, cached=answer["cached"]))


def fields_of(job: Job) -> dict[str, Any]:
    """A job as plain values."""
    return {name: getattr(job, name) for name in Job.__dataclass_fields__}


def run_remote(bundle: list[dict[str, Any]], options: dict[str, Any]) -> list[dict[str, Any]]:
    """Run jobs on a worker, up to the first that is unusable: {"row", "cached"} or {"error", "kind"} of each.

    Each is committed as it ends: where the worker is lost, the next one finds it in the cache.
    """
    answers: list[dict[str, Any]] = []
    for fields in bundle:
        answers.append(_run_fields(fields, options))
        if "error" in answers[-1]:
            break
    return answers


def _run_fields(fields: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    plain: dict[str, Any] = dict(fields)
    plain |= {name: tuple(fields[name]) for name in ("outputs", "includes")}
    job = Job(**plain | {"options": tuple(map(tuple, fields["options"]))})
    try:
        folder = options["cache"]
        kept = getattr(_local, "cache", None)
        if folder is not None and (kept is None or str(kept.folder) != folder):
            kept = _local.cache = Cache(folder)
        setting = make_setting(
            options["backend"],
            None,
            kept if folder is not None else None,
            retry_failures=options["retry_failures"],
            retry=options["retry"],
        )
        try:
            result = run_one(job, setting)
        finally:
            setting.backend.close()
    except JobError as error:
        return {"error": str(error), "kind": "job"}
    except EngineError as error:
        return {"error": str(error), "kind": "engine"}
    if result is None or result.provenance is None:
        return {"error": "the run ended without a result", "kind": "engine"}
    return {"row": encode_row(result.provenance.key, result), "cached": result.provenance.cached}
