"""Many points of one circuit in one engine process: a `.control` section that alters, runs and writes, point by point.

With `-o` the engine writes both its streams to one file, line by line, in order; an `echo` after each point says whose
messages these were and what `$sim_status` was. A probe at the start of each process makes sure of the order (standard
error before standard output would lay a point's failure at another's door). Each plot carries the circuit's title and
the point's number. The engine rebuilds matrix and state for every run, so results do not depend on the order of the
points.
"""

import re
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from ngspice_runner.backends import RawOutcome
from ngspice_runner.backends.process import (
    DECK_FILE,
    EngineProcesses,
    confinement_of,
    cpu_seconds,
    disk_full,
    kill_engine,
    limit_cpu,
    wait_for,
)
from ngspice_runner.backends.run_place import RunPlace, run_place
from ngspice_runner.errors import EngineError
from ngspice_runner.prepare import Prepared
from ngspice_runner.raw import Plot, RawError, next_plot

_MARK, _ORDER_NAME = "ngspice_runner_point", "ngspice_runner_order"
_END = re.compile(rb"ngspice_runner_point (\d+) status (\d+)\n")
_ORDER = re.compile(
    rb"ngspice_runner_order 1\n\s*ngspice_runner_order: no such command available[^\n]*\n\s*ngspice_runner_order 2\n"
)
_POLL = 0.05


class BatchEngine(EngineProcesses):
    """Runs chunks of points, each chunk in an engine process. Safe to share between threads."""

    name = "batch"

    def run_points(
        self, prepared: Prepared, points: Sequence[tuple[int, Sequence[str]]]
    ) -> Iterator[list[tuple[int, RawOutcome]]]:
        """Outcomes of (number, commands) points in order, in groups as they come in.

        Points whose engine died or hung under them have an outcome that says so; those after them are left out.
        Raises EngineError when the engine or its folder cannot be used.
        """
        with run_place(confinement_of(prepared)) as place:
            try:
                yield from self._run_in(place, prepared, points)
            except OSError as error:
                raise EngineError(f"the run's folder {place.folder} cannot be used ({error.strerror})") from None

    def _run_in(
        self, place: RunPlace, prepared: Prepared, points: Sequence[tuple[int, Sequence[str]]]
    ) -> Iterator[list[tuple[int, RawOutcome]]]:
        folder = Path(place.folder)
        (folder / DECK_FILE).write_text(script(prepared.run_text, points), "utf-8", "surrogateescape")
        (folder / "log.txt").touch()
        with self._lock, (folder / DECK_FILE).open("rb") as deck:
            if self._cancelled:
                return
            child = self._start(prepared, ["-b", "-o", "log.txt"], place, subprocess.DEVNULL, deck.fileno())
        limit_cpu(child.pid, prepared.job.timeout)
        try:
            yield from self._follow(folder, prepared, points, child)
        finally:
            kill_engine(child.pid)
            with self._lock:
                self._running.discard(child.pid)
                child.wait()

    def _follow(
        self,
        folder: Path,
        prepared: Prepared,
        points: Sequence[tuple[int, Sequence[str]]],
        child: subprocess.Popen[bytes],
    ) -> Iterator[list[tuple[int, RawOutcome]]]:
        reader = _Reader(folder, prepared.title)
        left = list(points)[::-1]
        grown, seen = time.monotonic(), -1
        bound = prepared.job.timeout
        timed_out = ended = False
        while left:
            if not ended:
                ended = wait_for(child.pid, _POLL)
            size = reader.size()
            now = time.monotonic()
            if size != seen:
                grown, seen = now, size
            elif not ended and now - grown > prepared.job.timeout:
                timed_out = ended = True
                kill_engine(child.pid)
            cpu = cpu_seconds(child.pid)
            if grown == now and cpu > bound - prepared.job.timeout / 2:
                bound = cpu + prepared.job.timeout
                limit_cpu(child.pid, bound)
            finished = reader.finished([number for number, _ in reversed(left)])
            if finished and disk_full(folder):
                finished = [(n, log, plot, problem or "the disk is full") for n, log, plot, problem in finished]
            if finished:
                spent, wall = (cpu - reader.cpu) / len(finished), (now - reader.wall) / len(finished)
                reader.cpu, reader.wall = cpu, now
                del left[-len(finished) :]
                yield [(n, _outcome(log, plot, problem, spent, wall)) for n, log, plot, problem in finished]
            if ended:
                break
        if left and not self._cancelled:
            status = child.wait()
            log = reader.tail()
            yield [
                (
                    left[-1][0],
                    RawOutcome(
                        status if status < 0 else None,
                        timed_out,
                        False,
                        log,
                        None,
                        "" if timed_out else f"the engine ended with status {status} before the end of this point",
                        "killed",
                        0.0,
                        time.monotonic() - reader.wall,
                    ),
                )
            ]


def script(text: str, points: Sequence[tuple[int, Sequence[str]]]) -> str:
    """A deck with the control section that runs the points; what the base's analysis cards ask for is run."""
    lines = text.rstrip("\n").split("\n")
    end = max(i for i, line in enumerate(lines) if line.strip().lower() == ".end")
    control = [".control", "set filetype=binary", "set appendwrite"]
    control += [f"echo {_ORDER_NAME} 1", _ORDER_NAME, f"echo {_ORDER_NAME} 2"]
    for number, commands in points:
        control += [
            *commands,
            "run",
            "if $sim_status = 0",
            f'set curplottitle = "$curplottitle point {number}"',
            "write points.raw",
            "end",
            f"echo {_MARK} {number} status $sim_status",
            "destroy all",
        ]
    return "\n".join([*lines[:end], *control, "quit 0", ".endc", ".end"]) + "\n"


class _Reader:
    """Follows the log and the raw file of a running chunk."""

    def __init__(self, folder: Path, title: str) -> None:
        self._log, self._raw, self._title = folder / "log.txt", folder / "points.raw", title
        self._offset = self._position = 0
        self._pending = b""
        self._ordered = False
        self.cpu, self.wall = 0.0, time.monotonic()

    def size(self) -> int:
        """Bytes in both files so far."""
        return self._log.stat().st_size + (self._raw.stat().st_size if self._raw.exists() else 0)

    def finished(self, expected: Sequence[int]) -> list[tuple[int, str, Plot | None, str]]:
        """(number, log, plot, problem) of points that have ended since the last call, in order."""
        with self._log.open("rb") as file:
            file.seek(self._offset)
            new = file.read()
        self._offset += len(new)
        self._pending += new
        ends = list(_END.finditer(self._pending)) if new else []
        data = b""
        if ends and self._raw.exists():
            with self._raw.open("rb") as file:
                file.seek(self._position)
                data = file.read()
        found: list[tuple[int, str, Plot | None, str]] = []
        start = at = 0
        for number, match in zip(expected, ends, strict=False):
            log = self._pending[start : match.start()]
            start = match.end()
            plot, problem = None, ""
            if not self._ordered:
                self._ordered = _ORDER.search(log) is not None
                log = _ORDER.sub(b"", log)
            if not self._ordered:
                problem = "the engine does not write its messages in order"
            elif int(match[1]) != number:
                problem = f"point {number} was expected, the engine is at {int(match[1])}"
            elif match[2] == b"0":
                plot, at, problem = self._plot(data, at, f"{self._title} point {number}")
            found.append((number, log.decode("utf-8", "replace"), plot, problem))
        self._position += at
        self._pending = self._pending[start:]
        return found

    def _plot(self, data: bytes, at: int, title: str) -> tuple[Plot | None, int, str]:
        try:
            plot, end = next_plot(data, at)
        except RawError as error:
            return None, at, str(error)
        if plot.title != title:
            return None, end, f"the result carries the title {plot.title!r} instead of {title!r}"
        # `write` without names adds a vector `all` where there is only one to write.
        signals = tuple(signal for signal in plot.signals if signal.name not in ("v(all)", "i(all)", "all"))
        return Plot(self._title, plot.name, signals, plot.points), end, ""

    def tail(self) -> str:
        """What the log holds after the last finished point."""
        return self._pending.decode("utf-8", "replace")


def _outcome(log: str, plot: Plot | None, problem: str, cpu: float, wall: float) -> RawOutcome:
    return RawOutcome(
        None,
        False,
        False,
        log,
        None if plot is None else (plot,),
        problem,
        "malformed" if problem else "",
        cpu,
        wall,
    )
