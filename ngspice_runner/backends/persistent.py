"""Engine processes that take one job after another: a start-up for hundreds of jobs instead of one each.

An engine reads commands from a pipe (`ngspice -p`): source the deck, run, write the raw file, forget plots and circuit,
and open a named pipe, which says that it is done. With `-o` it writes both its streams to one file, line by line, so
that what stands there between two jobs belongs to one. An engine is replaced after `recycle` jobs, after a timeout,
and after every result that is not ok; only ok results count, everything else is run again by an engine of its own
(see `simulate`).
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import subprocess
import threading
import time
from pathlib import Path

from ngspice_runner.backends import RawOutcome
from ngspice_runner.backends.process import (
    EngineProcesses,
    confinement_of,
    cpu_seconds,
    disk_full,
    kill_engine,
    limit_cpu,
)
from ngspice_runner.backends.reuse import needs_fresh_engine
from ngspice_runner.backends.run_place import RunPlace
from ngspice_runner.backends.sandbox import Confinement, sandbox
from ngspice_runner.engine import Engine
from ngspice_runner.errors import EngineError
from ngspice_runner.prepare import Prepared
from ngspice_runner.raw import Plot, RawError, parse_raw

_DECK, _RAW, _LOG, _BELL, _MARK = "deck.cir", "points.raw", "log.txt", "bell", "ngspice_runner_job"
_END = re.compile(rb"ngspice_runner_job (\d+) status (\d+)\n")
_CYCLE = f"""source {_DECK}
run
if $sim_status = 0
write {_RAW}
end
echo {_MARK} %d status $sim_status
destroy all
remcirc
echo >> {_BELL}
"""
# An engine that is interactive asks whether to go on after an error, and takes the next command for the answer.
_START = f"unset interactive\nset filetype=binary\necho >> {_BELL}\n"
_START_SECONDS = 60.0
_NAMED_ALL = {"all", "v(all)", "i(all)"}


class PersistentBackend(EngineProcesses):
    """Runs jobs in engines that stay, one per calling thread. Safe to share between threads.

    recycle: jobs after which an engine is replaced.
    """

    name = "persistent"

    def __init__(self, recycle: int = 500) -> None:
        super().__init__()
        self._recycle = recycle
        self._idle: list[_Seat] = []
        self._places = threading.Lock()

    def engine_for(self, engine: Engine) -> Engine:
        """The executable itself."""
        return engine

    def refuses(self, prepared: Prepared) -> str:
        """See `Backend.refuses`."""
        if len(prepared.deck.analyses) != 1:
            return "not exactly one analysis card"
        if prepared.includes.hashes:
            return "the deck includes files"
        if any(output.lower().replace(" ", "") in _NAMED_ALL for output in prepared.job.outputs):
            return "a node is named all"
        return needs_fresh_engine(prepared)

    def view(self, prepared: Prepared) -> None:
        """Nothing: an engine of its own shows what it read."""

    def run(self, prepared: Prepared) -> RawOutcome:
        """Run one job; see `Backend.run`. Raises EngineError when the engine or its folder cannot be used."""
        seat = None
        try:
            seat = self._take(prepared)
            if seat is None:
                return _outcome(cancelled=True)
            outcome = seat.run(prepared)
        except OSError as error:
            if seat is not None:
                self._leave(seat)
            raise EngineError(f"the engine's folder cannot be used ({error.strerror})") from None
        except BaseException:
            if seat is not None:
                self._leave(seat)
            raise
        if outcome.plots is None or outcome.raw_problem or seat.jobs >= self._recycle or self._cancelled:
            self._leave(seat)
        else:
            with self._places:
                self._idle.append(seat)
        return RawOutcome(
            outcome.exit_code,
            outcome.timed_out,
            self._cancelled and outcome.exit_code is not None and not outcome.timed_out,
            outcome.log,
            outcome.plots,
            outcome.raw_problem,
            outcome.raw_reason,
            outcome.cpu_seconds,
            outcome.wall_seconds,
        )

    def close(self) -> None:
        """End idle engines."""
        with self._places:
            idle, self._idle = self._idle, []
        for seat in idle:
            self._leave(seat)

    def __del__(self) -> None:
        with contextlib.suppress(Exception):
            self.close()

    def _take(self, prepared: Prepared) -> _Seat | None:
        """An engine that waits, or a new one; None after `cancel`."""
        with self._places:
            while self._idle:
                seat = self._idle.pop()
                if seat.fits(prepared):
                    return seat
                self._leave(seat)
        with self._lock:
            if self._cancelled:
                return None
            confinement = confinement_of(prepared)
            place = RunPlace(confinement if sandbox().landlock else None)
            try:
                os.mkfifo(Path(place.folder, _BELL))
                theirs, ours = os.pipe()
                try:
                    child = self._start(prepared, ["-p", "-o", _LOG], place, subprocess.DEVNULL, theirs)
                except BaseException:
                    os.close(ours)
                    raise
                finally:
                    os.close(theirs)
            except BaseException:
                place.end()
                raise
        return _Seat(place, confinement, child, ours, prepared.engine)

    def _leave(self, seat: _Seat) -> None:
        if seat.owner == os.getpid():
            kill_engine(seat.child.pid)
            with self._lock:
                self._running.discard(seat.child.pid)
                seat.child.wait()
        seat.close()


class _Seat:
    """One engine, its folder and what it has done."""

    def __init__(
        self,
        place: RunPlace,
        confinement: Confinement | None,
        child: subprocess.Popen[bytes],
        commands: int,
        engine: Engine,
    ) -> None:
        self.owner = os.getpid()
        self.child, self.jobs = child, 0
        self._place, self._confinement = place, confinement
        self._folder, self._commands, self._engine = Path(place.folder), commands, engine
        self._offset, self._cpu = 0, 0.0
        # Open for both ways: it never reads as closed, and the engine's own opening never waits.
        self._bell = os.open(self._folder / _BELL, os.O_RDWR | os.O_NONBLOCK)
        self._ended = os.pidfd_open(child.pid)
        self._poll = select.poll()
        self._poll.register(self._bell, select.POLLIN)
        self._poll.register(self._ended, select.POLLIN)

    def fits(self, prepared: Prepared) -> bool:
        """True while the engine lives, belongs to this process and is the one wanted."""
        same = self._engine == prepared.engine and self._confinement == confinement_of(prepared)
        return self.owner == os.getpid() and not self._poll.poll(0) and same

    def run(self, prepared: Prepared) -> RawOutcome:
        """One job from its deck to its vectors."""
        timeout = prepared.job.timeout
        if not self.jobs:
            self._send(_START)
            self._wait(time.monotonic() + _START_SECONDS)
        started = time.monotonic()
        raw = self._folder / _RAW
        (self._folder / _DECK).write_text(prepared.run_text, "utf-8", "surrogateescape")
        limit_cpu(self.child.pid, self._cpu + timeout)
        self.jobs += 1
        self._send(_CYCLE % self.jobs)
        timed_out, alive = False, self._wait(started + timeout)
        if alive is None:
            timed_out = True
            kill_engine(self.child.pid)
        spent = cpu_seconds(self.child.pid)
        used, self._cpu = spent - self._cpu, spent
        log, status = self._read_log()
        plots: tuple[Plot, ...] | None = None
        problem = reason = ""
        if alive:
            plots, problem, reason = self._read_plots(raw, status)
        elif not timed_out:
            problem, reason = f"the engine ended with status {self._exit_code()} before the end of this job", "killed"
        return _outcome(
            exit_code=None if alive else self._exit_code(),
            timed_out=timed_out,
            log=log,
            plots=plots,
            problem=problem,
            reason=reason,
            cpu=max(0.0, used),
            wall=time.monotonic() - started,
        )

    def _send(self, commands: str) -> None:
        with contextlib.suppress(BrokenPipeError):
            os.write(self._commands, commands.encode())

    def _wait(self, deadline: float) -> bool | None:
        """True: the job is done; False: the engine has ended; None: the time is up."""
        while True:
            left = deadline - time.monotonic()
            events = dict(self._poll.poll(max(0.0, min(left, 3600.0)) * 1000))
            if self._bell in events:
                os.read(self._bell, 4096)
                return True
            if events:
                return False
            if left <= 0:
                return None

    def _exit_code(self) -> int:
        """Of the engine that ends or has ended; it is not reaped, so that its number belongs to no other process."""
        ended = os.waitid(os.P_PID, self.child.pid, os.WEXITED | os.WNOWAIT)
        if ended is None:
            return 0
        return ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status

    def _read_log(self) -> tuple[str, int | None]:
        """What the engine wrote since the last job, and the job's status; None where it wrote none of this job."""
        try:
            with (self._folder / _LOG).open("rb") as file:
                file.seek(self._offset)
                data = file.read()
        except FileNotFoundError:
            return "", None
        self._offset += len(data)
        end = _END.search(data)
        status = int(end[2]) if end and int(end[1]) == self.jobs else None
        return _END.sub(b"", data).decode("utf-8", "replace"), status

    def _read_plots(self, raw: Path, status: int | None) -> tuple[tuple[Plot, ...] | None, str, str]:
        if status is None:
            return None, "the engine does not write its messages in order", "malformed"
        try:
            plots = parse_raw(raw.read_bytes())
            raw.unlink()
        except FileNotFoundError:
            return None, "", ""
        except RawError as error:
            return error.plots, str(error), error.reason
        if disk_full(self._folder):
            return plots, f"the disk under {self._folder} is full: log and result may be cut off", "truncated"
        # `write` without names adds a vector `all` where there is only one to write.
        return (
            tuple(
                Plot(p.title, p.name, tuple(s for s in p.signals if s.name not in _NAMED_ALL), p.points) for p in plots
            ),
            "",
            "",
        )

    def close(self) -> None:
        """Give back descriptors and folder; the engine has ended."""
        for descriptor in (self._commands, self._bell, self._ended):
            with contextlib.suppress(OSError):
                os.close(descriptor)
        if self.owner == os.getpid():
            self._place.end()


def _outcome(
    *,
    exit_code: int | None = None,
    timed_out: bool = False,
    cancelled: bool = False,
    log: str = "",
    plots: tuple[Plot, ...] | None = None,
    problem: str = "",
    reason: str = "",
    cpu: float = 0.0,
    wall: float = 0.0,
) -> RawOutcome:
    return RawOutcome(exit_code, timed_out, cancelled, log, plots, problem, reason, cpu, wall)
