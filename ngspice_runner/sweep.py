"""Sweeps: many points of one circuit in few engine processes, judged, kept and repeatable point by point.

Backends `batch` and `shared` alter the loaded circuit instead of starting anew. Only ok results of theirs count: every
other point is run again alone, by an engine process, and judged there. In each chunk one ok point is run alone as well
and compared; if they differ, nothing of the chunk counts.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from queue import SimpleQueue
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ngspice_runner.backends import RawOutcome
from ngspice_runner.backends.batch import BatchEngine
from ngspice_runner.backends.shared import SharedBackend
from ngspice_runner.cache import Cache
from ngspice_runner.engine import Engine
from ngspice_runner.errors import JobError
from ngspice_runner.job import Job, Result, Verdict
from ngspice_runner.points import Sweep, SweepPoints, group_jobs, plan_points
from ngspice_runner.prepare import Prepared, point_key, prepare
from ngspice_runner.randomness import draws_numbers, with_seed
from ngspice_runner.scheduling import JobBoard, Progress, check_workers, cores, make_setting, run_jobs
from ngspice_runner.simulate import CLAIM_PAUSE, Setting, finished_result, lookup, run_one

CHUNK = 1000
"""Points per engine process at most."""
MIN_GROUP_SIZE = 4
"""Fewer points than this are run alone: a chunk costs one run for its comparison."""
_GROUP = 64

Settle = Callable[[Sequence[int], Result], None]
Numbered = Sequence[tuple[int, Sequence[str]]]


class PointEngine(Protocol):
    """What can run many points of one circuit."""

    def run_points(self, prepared: Prepared, points: Numbered) -> Iterator[list[tuple[int, RawOutcome]]]:
        """Outcomes in order, in groups; it may end early, after the outcome of a point under which it died."""
        ...

    def cancel(self) -> None:
        """End everything that is running."""
        ...


def run_sweep(
    sweep: Sweep,
    *,
    workers: int | None = None,
    cache: Cache | None = None,
    backend: str = "batch",
    engine: Engine | None = None,
    progress: Callable[[Progress], None] | None = None,
    retry_failures: bool = False,
    retry: bool = False,
) -> list[Result]:
    """Run all points of a sweep; results in their order.

    backend: `batch` (an engine process per chunk of points), `shared` (libngspice in a child process), `process` or
    `vacask` (each point alone). A deck that has not exactly one analysis, has a control section or is refused by the
    lint is run point by point as well. Other arguments and what is raised: see `run_many`; JobError also for a point
    that names what the deck has not.
    """
    check_workers(workers)
    if backend not in _POINTWISE:
        raise JobError(f"backend {backend!r} cannot run a sweep: one of {', '.join(_POINTWISE)} is needed")
    name = "process" if backend == "batch" else backend
    setting = make_setting(name, engine, cache, retry_failures=retry_failures, retry=retry)
    board = JobBoard(len(sweep.points), progress, None if cache is None else str(cache.path))
    try:
        prepared = prepare(sweep.base, setting.backend.engine_for(setting.engine), backend)
        points = plan_points(sweep, prepared.deck)

        def settle(indices: Sequence[int], result: Result) -> None:
            for index in indices:
                board.settle(index, replace(result, tag=sweep.base.tag))

        runner = _Runner(setting, backend, workers or cores(), settle)
        runner.run(prepared, points, [[i] for i in range(len(points))])
    except KeyboardInterrupt:
        raise board.interrupted() from None
    finally:
        setting.backend.close()
    return board.finished()


def run_groups(groups: dict[Job, list[int]], setting: Setting, workers: int, settle: Settle) -> None:
    """Run those of `groups` (job -> where its results go) in batches that differ only in `.param` numbers, and remove
    them from it."""
    runner = _Runner(setting, "batch", workers, settle)
    for jobs, base, knobs, values in group_jobs(list(groups), MIN_GROUP_SIZE):
        prepared = prepare(base, setting.engine, "batch")
        runner.run(prepared, SweepPoints(base, prepared.deck, knobs, values), [groups.pop(job) for job in jobs])


@dataclass(frozen=True, slots=True)
class _Event:
    """What a chunk's thread tells the caller's: results, points to run alone, points that are run elsewhere."""

    results: Sequence[tuple[int, Result]] = ()
    alone: Sequence[int] = ()
    reason: str = ""
    elsewhere: Sequence[int] = ()
    error: BaseException | None = None
    end: bool = False


_POINTWISE = ("batch", "shared", "process", "vacask")


class _Runner:
    def __init__(self, setting: Setting, backend: str, workers: int, settle: Settle) -> None:
        self._setting, self._backend, self._workers, self._settle = setting, backend, workers, settle
        self._engine: PointEngine | None = None
        if backend == "batch":
            self._engine = BatchEngine()
        elif backend == "shared":
            self._engine = _SharedPoints(setting)

    def run(self, prepared: Prepared, points: SweepPoints, places: Sequence[Sequence[int]]) -> None:
        """Run all points; `places[i]` is where the result of point i goes."""
        todo: dict[str, list[int]] = {}
        random = prepared.job.seed is None and draws_numbers(prepared.job.text)
        for index in range(len(points)):
            todo.setdefault(f"{index if random else ''}\n{points.text(index)}", []).append(index)
        where = {indices[0]: [place for i in indices for place in places[i]] for indices in todo.values()}
        left = list(where)
        alone: dict[int, str] = {}
        reason = self._refusal(prepared, len(left))
        if reason or self._engine is None:
            alone, left = dict.fromkeys(left, reason), []
        for index in [i for i in left if points.doubtful(i)]:
            alone[index] = "a value that needs the engine's own checks"
            left.remove(index)
        while left:
            left, failed = self._round(prepared, points, left, where)
            alone |= failed
            if left:
                time.sleep(5 * CLAIM_PAUSE)
        self._run_alone(prepared, points, alone, where)

    def _refusal(self, prepared: Prepared, count: int) -> str:
        """Why the points must be run alone, empty if they need not."""
        if self._engine is None:
            return ""
        if count < MIN_GROUP_SIZE:
            return f"fewer than {MIN_GROUP_SIZE} points"
        if prepared.errors:
            return "the lint refuses the deck"
        if len(prepared.deck.analyses) != 1 or prepared.deck.control or prepared.includes.analysis:
            return "not exactly one analysis card"
        if prepared.measuring or prepared.job.seed is not None or draws_numbers(prepared.job.text):
            return "the deck has .meas or random numbers"
        if prepared.job.told("simulator"):
            return "it is for another simulator"
        if not prepared.cacheable or prepared.behaviour or prepared.startup:
            return "the deck needs an engine that starts anew"
        if any(output.lower().replace(" ", "") in ("all", "v(all)", "i(all)") for output in prepared.job.outputs):
            return "a node is named all"
        deck = prepared.deck
        if deck.end_line is not None and any(line.strip() for line in deck.lines[deck.end_line :]):
            return "there is text after .end"
        return self._setting.backend.refuses(prepared) if self._backend == "shared" else ""

    def _run_alone(
        self,
        prepared: Prepared,
        points: SweepPoints,
        alone: Mapping[int, str],
        where: Mapping[int, Sequence[int]],
    ) -> None:
        notes = {
            with_seed(points.job(index)): (index, f"run alone: {reason}" if reason else "")
            for index, reason in alone.items()
        }
        jobs = {job: [index] for job, (index, _) in notes.items()}
        why = dict(notes.values())

        def settle(indices: Sequence[int], result: Result) -> None:
            for index in indices:
                if why[index] and result.provenance is not None:
                    noted = (*result.provenance.notes, why[index])
                    result = replace(result, provenance=replace(result.provenance, notes=noted))
                self._settle(where[index], result)

        setting = replace(self._setting, backend=self._setting.alone, includes=prepared.includes)
        run_jobs(jobs, setting, self._workers, settle)

    def _round(
        self, prepared: Prepared, points: SweepPoints, left: Sequence[int], where: Mapping[int, Sequence[int]]
    ) -> tuple[list[int], dict[int, str]]:
        """Run what can be claimed; (points that run elsewhere, points to run alone and why)."""
        size = max(MIN_GROUP_SIZE, min(CHUNK, -(-len(left) // self._workers)))
        chunks = [left[i : i + size] for i in range(0, len(left), size)]
        events: SimpleQueue[_Event] = SimpleQueue()
        stop = threading.Event()
        pool = ThreadPoolExecutor(min(self._workers, len(chunks)), thread_name_prefix="ngspice")
        elsewhere: list[int] = []
        alone: dict[int, str] = {}
        running = len(chunks)

        def take(event: _Event) -> None:
            nonlocal running
            for index, result in event.results:
                self._settle(where[index], result)
            elsewhere.extend(event.elsewhere)
            alone.update(dict.fromkeys(event.alone, event.reason))
            running -= event.end
            if event.error is not None:
                raise event.error

        try:
            for chunk in chunks:
                pool.submit(_Chunk(self, prepared, points, events.put, stop).work, chunk)
            while running:
                take(events.get())
        except BaseException:
            stop.set()
            if self._engine is not None:
                self._engine.cancel()
            self._setting.cancel()
            pool.shutdown(wait=True, cancel_futures=True)
            while not events.empty():
                for index, result in events.get().results:
                    self._settle(where[index], result)
            raise
        pool.shutdown()
        return elsewhere, alone


class _Chunk:
    """The work of one thread: look up, claim, run, judge, compare, keep."""

    def __init__(
        self,
        runner: _Runner,
        prepared: Prepared,
        points: SweepPoints,
        tell: Callable[[_Event], None],
        stop: threading.Event,
    ) -> None:
        self._runner, self._prepared, self._points, self._tell, self._stop = runner, prepared, points, tell, stop
        self._setting = runner._setting
        self._keys: dict[int, tuple[str, str]] = {}
        self._compared = False
        self._waiting: list[int] = []
        self._reason = f"{runner._backend} gave no ok result"

    def work(self, chunk: Sequence[int]) -> None:
        """Run a chunk to its end; errors travel to the caller's thread."""
        error: BaseException | None = None
        claimed: list[int] = []
        try:
            if not self._stop.is_set():
                self._run(self._claim(chunk, claimed))
        except BaseException as caught:
            error = caught
        finally:
            if self._setting.cache is not None:
                for index in claimed:
                    self._setting.cache.claims.release(self._keys[index][1])
        self._tell(_Event(error=error, end=True))

    def _claim(self, chunk: Sequence[int], claimed: list[int]) -> list[int]:
        """Points that are this thread's to run; kept results are handed out at once."""
        cache = self._setting.cache
        kept: list[tuple[int, Result]] = []
        elsewhere: list[int] = []
        for index in chunk:
            digest, key = self._keys[index] = point_key(self._prepared, self._points.text(index), self._runner._backend)
            if cache is None:
                claimed.append(index)
                continue
            # The claim comes first: whoever held it until now may have kept a result meanwhile.
            if not cache.claims.take(key):
                elsewhere.append(index)
                continue
            found = lookup(replace(self._prepared, key=key, deck_sha256=digest), self._setting)
            if found is None:
                claimed.append(index)
            else:
                cache.claims.release(key)
                kept.append((index, found))
        self._tell(_Event(results=kept, elsewhere=elsewhere))
        return list(claimed)

    def _run(self, left: list[int]) -> None:
        engine = self._runner._engine
        if engine is None:
            return
        while left and not self._stop.is_set():
            numbered = [(index, self._points.commands(index)) for index in left]
            done = 0
            for group in engine.run_points(self._prepared, numbered):
                done += len(group)
                if not self._take(group):
                    self._tell(_Event(alone=self._waiting + left[done:], reason=self._reason))
                    return
            if not done and not self._stop.is_set():
                self._tell(_Event(alone=left, reason=self._reason))
                return
            left = left[done:]

    def _take(self, group: Sequence[tuple[int, RawOutcome]]) -> bool:
        """Judge and keep a group; False when the comparison failed and nothing of the chunk may count."""
        good, bad = [], []
        for index, outcome in group:
            digest, key = self._keys[index]
            prepared = replace(self._prepared, deck=self._points.deck(index), key=key, deck_sha256=digest)
            result = finished_result(prepared, outcome, self._runner._backend)
            if result.ok:
                good.append((index, result))
            elif result.verdict is Verdict.TIMEOUT:
                self._keep([(index, result)])
            else:
                bad.append(index)
        if good and not self._compared:
            index, result = good[-1]
            setting = replace(self._setting, backend=self._setting.alone, includes=prepared.includes)
            alone = run_one(self._points.job(index), setting)
            if alone is None or not agree(result, alone):
                self._waiting = [i for i, _ in good] + bad
                return False
            self._compared = True
        self._keep(good)
        if bad:
            self._tell(_Event(alone=bad, reason=self._reason))
        return True

    def _keep(self, results: Sequence[tuple[int, Result]]) -> None:
        cache = self._setting.cache
        if cache is not None and results and not cache.put_many([(self._keys[i][1], r) for i, r in results]):
            trouble = f"not cached: {cache.trouble}"
            results = [
                (i, replace(r, provenance=replace(r.provenance, notes=(*r.provenance.notes, trouble))))
                for i, r in results
                if r.provenance is not None
            ]
        self._tell(_Event(results=results))


class _SharedPoints:
    """Points through libngspice, several answers to a group."""

    def __init__(self, setting: Setting) -> None:
        if not isinstance(setting.backend, SharedBackend):
            raise JobError("a sweep through libngspice needs the shared backend")
        self._shared = setting.backend

    def run_points(self, prepared: Prepared, points: Numbered) -> Iterator[list[tuple[int, RawOutcome]]]:
        """See `PointEngine`."""
        group: list[tuple[int, RawOutcome]] = []
        outcomes = self._shared.run_points(prepared, prepared.run_text, [commands for _, commands in points])
        for (number, _), outcome in zip(points, outcomes, strict=False):
            group.append((number, outcome))
            if len(group) == _GROUP:
                yield group
                group = []
        if group:
            yield group

    def cancel(self) -> None:
        """Kill the children."""
        self._shared.cancel()


def agree(fast: Result, alone: Result) -> bool:
    """True when a point gives the same alone: vectors equal to 1e-6 of their peak, or, when the engine chose other
    time steps, to 1 %."""
    if not alone.ok or set(fast.signals) != set(alone.signals):
        return False
    names = list(alone.signals)
    if len(fast.signals[names[0]].values) == len(alone.signals[names[0]].values):
        return all(_close(fast.signals[n].values, alone.signals[n].values, 1e-6) for n in names)
    axis, other = (np.asarray(np.real(r.signals[names[0]].values)) for r in (alone, fast))
    return all(
        _close(np.asarray(np.interp(axis, other, fast.signals[n].values)), alone.signals[n].values, 1e-2) for n in names
    )


def _close(left: NDArray[Any], right: NDArray[Any], rtol: float) -> bool:
    peak = float(np.max(np.abs(right), initial=0.0))
    return left.shape == right.shape and bool(np.max(np.abs(left - right), initial=0.0) <= rtol * peak + 1e-18)
