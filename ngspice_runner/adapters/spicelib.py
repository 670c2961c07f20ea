"""The harness under the call signatures of spicelib's `SimRunner`: `run`, `run_now`, `wait_completion`, iteration.

Netlists are paths or spicelib's editors (anything with `save_netlist`). Each run leaves its netlist, a raw
file that `RawRead(path, dialect="ngspice")` reads and a log with the verdict in the output folder; one that is not
ok leaves no raw file and a log that ends with `.fail`. spicelib itself is not needed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from interconnect.files import read_bytes
from ngspice_runner.cache import Cache
from ngspice_runner.engine import Engine
from ngspice_runner.errors import JobError
from ngspice_runner.executor import run
from ngspice_runner.export import export_result
from ngspice_runner.job import Job, Result, Verdict

Callback = Callable[..., Any]


@dataclass
class HarnessTask:
    """One run: its number, netlist, and, once it has ended, result, raw file (None if it is not ok) and log."""

    runno: int
    netlist_file: Path
    result: Result | None = None
    raw_file: Path | None = None
    log_file: Path | None = None
    callback_return: Any = None
    future: Future[None] | None = field(default=None, repr=False)

    @property
    def retcode(self) -> int:
        """0 for verdict ok, 1 for any other, -1 while it runs."""
        return -1 if self.result is None else int(not self.result.ok)

    def wait_results(self) -> Any:
        """Wait for the end: what the callback returned, or (raw, log); raises what the run raised."""
        if self.future is not None:
            self.future.result()
        return self.callback_return if self.callback_return is not None else (self.raw_file, self.log_file)


class SimRunner:
    """Runs netlists side by side, each judged by the harness.

    parallel_sims: engines at a time; timeout: of each, s; output_folder: where netlists, raw files and logs go (None:
    beside the netlist).
    """

    def __init__(
        self,
        *,
        simulator: object = None,
        parallel_sims: int = 4,
        timeout: float = 600.0,
        verbose: bool = False,
        output_folder: str | Path | None = None,
        cache: Cache | None = None,
        engine: Engine | None = None,
        backend: str = "process",
        trust: bool = False,
    ) -> None:
        self.output_folder = None if output_folder is None else Path(output_folder)
        if self.output_folder is not None:
            self.output_folder.mkdir(parents=True, exist_ok=True)
        self.tasks: list[HarnessTask] = []
        self._pool = ThreadPoolExecutor(parallel_sims)
        self._timeout, self._trust = timeout, trust
        self._run = {"cache": cache, "engine": engine, "backend": backend}

    def run(
        self,
        netlist: Any,
        *,
        wait_resource: bool = True,
        callback: Callback | None = None,
        callback_args: Mapping[str, Any] | tuple[Any, ...] | None = None,
        switches: object = None,
        timeout: float | None = None,
        run_filename: str | None = None,
        callback_on_error: bool = False,
        exe_log: bool = False,
    ) -> HarnessTask:
        """Start a run; `callback(raw, log, ...)` is called at its end if it is ok."""
        if switches:
            raise JobError("switches of the engine are set by the harness; use options of the deck")
        task = HarnessTask(len(self.tasks) + 1, Path())
        task.netlist_file, folder = self._prepare(netlist, run_filename, task.runno)
        self.tasks.append(task)
        args = callback_args if isinstance(callback_args, tuple) else ()
        named = callback_args if isinstance(callback_args, Mapping) else {}

        def work() -> None:
            text = read_bytes(task.netlist_file).decode("utf-8", "surrogateescape")
            job = Job(text, (), timeout=timeout or self._timeout, folder=folder, trust=self._trust)
            result = run(job, **self._run)  # type: ignore[arg-type]
            _write_files(task, result)
            if callback is not None and (result.ok or callback_on_error):
                task.callback_return = callback(task.raw_file, task.log_file, *args, **named)

        task.future = self._pool.submit(work)
        return task

    def run_now(
        self,
        netlist: Any,
        *,
        timeout: float | None = None,
        run_filename: str | None = None,
        switches: object = None,
        exe_log: bool = False,
    ) -> tuple[Path | None, Path | None]:
        """Run a netlist and wait for it: (raw file or None, log)."""
        task = self.run(netlist, timeout=timeout, run_filename=run_filename, switches=switches)
        task.wait_results()
        return task.raw_file, task.log_file

    def wait_completion(self, timeout: float | None = None, abort_all_on_timeout: bool = False) -> bool:
        """Wait for all runs, at most `timeout` s: True if all of them are ok."""
        futures = [task.future for task in self.tasks if task.future is not None]
        _, left = wait(futures, timeout)
        if abort_all_on_timeout:
            for future in left:
                future.cancel()
        return not left and self.failSim == 0

    def __iter__(self) -> Iterator[Any]:
        """(raw, log), or what the callback returned, of all ok runs as they end; it waits for those that run."""
        left = list(self.tasks)
        while left:
            ended = [task for task in left if task.future is None or task.future.done()]
            left = [task for task in left if task not in ended]
            for task in ended:
                if task.retcode == 0:
                    yield task.wait_results()
            if left and not ended:
                time.sleep(0.01)

    @property
    def runno(self) -> int:
        """Number of runs so far."""
        return len(self.tasks)

    @property
    def okSim(self) -> int:
        """Number of runs that are ok."""
        return sum(task.retcode == 0 for task in self.tasks)

    @property
    def failSim(self) -> int:
        """Number of runs that ended without verdict ok."""
        return sum(task.future is not None and task.future.done() and task.retcode != 0 for task in self.tasks)

    def cleanup_files(self) -> None:
        """Remove what the runs wrote."""
        for task in self.tasks:
            for path in (task.netlist_file, task.raw_file, task.log_file):
                if path is not None:
                    path.unlink(missing_ok=True)

    def _prepare(self, netlist: Any, run_filename: str | None, number: int) -> tuple[Path, str]:
        """(copy of the netlist that is run, folder from which its includes start)."""
        editor = hasattr(netlist, "save_netlist")
        source = Path(
            str(getattr(netlist, "netlist_file", None) or getattr(netlist, "circuit_file", "netlist.net"))
            if editor
            else netlist
        )
        folder = self.output_folder or source.parent
        target = folder / (run_filename or f"{source.stem}_{number}{source.suffix}")
        if editor:
            netlist.save_netlist(target)
        else:
            target.write_bytes(read_bytes(source))
        return target, str(source.resolve().parent)


def _write_files(task: HarnessTask, result: Result) -> None:
    lines = [f"verdict: {result.verdict.value}", *result.log.splitlines()]
    lines += [f"note: {note}" for note in (result.provenance.notes if result.provenance else ())]
    lines += [f"{name}: {value!r}" for name, value in result.measures.items()]
    task.log_file = task.netlist_file.with_suffix(".log" if result.verdict is Verdict.OK else ".fail")
    task.log_file.write_text("\n".join(lines) + "\n", encoding="utf-8", errors="replace")
    if result.ok:
        task.raw_file = task.netlist_file.with_suffix(".raw")
        export_result(result, task.raw_file)
    task.result = result
