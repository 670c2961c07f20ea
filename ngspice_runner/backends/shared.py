"""Jobs through libngspice in a child process: no start-up per job, nothing that a crash could take along.

The child (`shared_child.py`) uses PySpice's `NgSpiceShared`. It is thrown away after any result that is not ok, after a
timeout or crash, and every `recycle` runs. Only ok results count; everything else is run again by an engine process of
its own (see `simulate`), so a verdict other than ok or timeout never rests on this backend.
"""

from __future__ import annotations

import contextlib
import ctypes.util
import functools
import hashlib
import importlib.util
import json
import os
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ngspice_runner.backends import RawOutcome
from ngspice_runner.backends.guard import start_guarded
from ngspice_runner.backends.process import environment, kill_engine
from ngspice_runner.backends.reuse import needs_fresh_engine
from ngspice_runner.backends.run_place import RunPlace
from ngspice_runner.backends.sandbox import Confinement, program_files, sandbox
from ngspice_runner.engine import Engine
from ngspice_runner.errors import EngineError
from ngspice_runner.prepare import Prepared
from ngspice_runner.raw import RawError, parse_raw
from ngspice_runner.startup import OWN_SCRIPTS

INSTALL_HINT = (
    "the shared backend needs PySpice (`pip install 'metalrom[pyspice]'`) and libngspice (`apt install libngspice0`, "
    "`dnf install libngspice`, `brew install libngspice` or `conda install -c conda-forge ngspice-lib`)"
)
_CHILD = str(Path(__file__).with_name("shared_child.py"))
_START_SECONDS = 60.0
_START_ATTEMPTS = 3


class SharedBackend:
    """Runs jobs in children that hold libngspice, one per calling thread. Safe to share between threads.

    recycle: runs after which a child is replaced. Raises EngineError when PySpice or libngspice is missing.
    """

    name = "shared"

    def __init__(self, recycle: int = 10_000) -> None:
        if importlib.util.find_spec("PySpice") is None:
            raise EngineError(f"PySpice is not installed: {INSTALL_HINT}")
        self._library = find_library()
        self._recycle = recycle
        self._lock = threading.Lock()
        self._idle: list[_Child] = []
        self._busy: set[_Child] = set()
        self._cancelled = False

    def engine_for(self, engine: Engine) -> Engine:
        """The library; the executable plays no part."""
        return self._library

    def refuses(self, prepared: Prepared) -> str:
        """See `Backend.refuses`."""
        return needs_fresh_engine(prepared)

    def view(self, prepared: Prepared) -> None:
        """Nothing: the library has no log of its own for a deck."""

    def run(self, prepared: Prepared) -> RawOutcome:
        """Run one job; see `Backend.run`. A child that dies in between is replaced once."""
        (outcome,) = list(self.run_points(prepared, prepared.run_text, None))
        if (status := outcome.exit_code) is not None and not outcome.timed_out and not self._cancelled:
            (again,) = list(self.run_points(prepared, prepared.run_text, None))
            outcome = replace(again, repeated=f"run again: the child with libngspice ended with status {status}")
        return outcome

    def run_points(self, prepared: Prepared, text: str, points: Sequence[Sequence[str]] | None) -> Iterator[RawOutcome]:
        """Outcomes of one circuit at several points (None: once, as it is), in order; each point is a list of commands
        to execute before its run. Ends early, with the outcome that shows why, when the child dies or the time of a
        point is up."""
        started = time.monotonic()
        if (child := self._take()) is None:
            yield _outcome(cancelled=True)
            return
        healthy = False
        try:
            child.send({"text": text} | ({} if points is None else {"points": points}))
            for _ in range(1 if points is None else len(points)):
                outcome = child.outcome(prepared.job.timeout, started, self)
                healthy = outcome.exit_code is None and not outcome.timed_out
                if not healthy:
                    yield outcome
                    return
                healthy = False  # until the next answer has come, or the caller asks for no more
                yield outcome
                started = time.monotonic()
            healthy = True
        except OSError as error:
            yield _outcome(exit_code=child.end(), problem=f"the child with libngspice is gone ({error})")
        finally:
            self._give_back(child, healthy)

    @property
    def cancelled(self) -> bool:
        """True after `cancel`."""
        return self._cancelled

    def cancel(self) -> None:
        """Kill every child; later runs return at once as cancelled."""
        with self._lock:
            self._cancelled = True
            for child in (*self._busy, *self._idle):
                kill_engine(child.pid)

    def close(self) -> None:
        """End idle children."""
        with self._lock:
            idle, self._idle = self._idle, []
        for child in idle:
            child.end()

    def __del__(self) -> None:
        with contextlib.suppress(Exception):
            self.close()

    def _take(self) -> _Child | None:
        with self._lock:
            if self._cancelled:
                return None
            while self._idle:
                child = self._idle.pop()
                if child.pid_of_owner == os.getpid():
                    self._busy.add(child)
                    return child
        child = self._start()
        with self._lock:
            self._busy.add(child)
            if self._cancelled:
                kill_engine(child.pid)
        return child

    def _start(self) -> _Child:
        """A new child; one that is killed while it starts says nothing about the library and is replaced."""
        for _ in range(_START_ATTEMPTS - 1):
            try:
                return _Child(self._library)
            except _KilledAtStartError:
                continue
        return _Child(self._library)

    def _give_back(self, child: _Child, healthy: bool) -> None:
        with self._lock:
            self._busy.discard(child)
            if healthy and child.runs < self._recycle and not self._cancelled:
                self._idle.append(child)
                return
        child.end()


class _KilledAtStartError(EngineError):
    """A child was killed from outside before it could say that it is ready."""


class _Child:
    """One child process and its two pipes."""

    def __init__(self, library: Engine) -> None:
        self.pid_of_owner = os.getpid()
        self.runs = 0
        files = program_files(os.path.realpath(sys.executable), os.environ.get("LD_LIBRARY_PATH", ""))
        self._place = RunPlace(Confinement(("/",), files.executable) if sandbox().landlock else None)
        theirs_in, self._out = os.pipe()
        self._in, theirs_out = os.pipe()
        try:
            self._process = start_guarded(
                [sys.executable, "-P", _CHILD, library.path, str(theirs_in), str(theirs_out)],
                folder=self._place.folder,
                environment=environment(self._place.folder, OWN_SCRIPTS) | _python_paths(),
                output=subprocess.DEVNULL,
                inherited=(theirs_in, theirs_out),
                through=self._place.start,
            )
        except OSError as error:
            raise EngineError(f"{sys.executable} cannot be started ({error.strerror})") from None
        finally:
            os.close(theirs_in)
            os.close(theirs_out)
        self.pid = self._process.pid
        try:
            hello, _ = self._receive(_START_SECONDS)
        except TimeoutError:
            self.end()
            raise EngineError(f"libngspice from {library.path} does not start within {_START_SECONDS:g} s") from None
        if "library" not in hello:
            status = self.end()
            reason = hello.get("error") or f"it ended with status {status}"
            kind = _KilledAtStartError if not hello and status == -signal.SIGKILL else EngineError
            raise kind(f"libngspice cannot be loaded from {library.path} ({reason}); {INSTALL_HINT}")
        if Path(hello["library"]).resolve() != Path(library.path).resolve():
            self.end()
            raise EngineError(
                f"{hello['library']} was loaded instead of {library.path}: set NGSPICE_LIBRARY_PATH to it"
            )
        self.version = f"libngspice-{hello['version']}"

    def send(self, request: dict[str, Any]) -> None:
        """Raises OSError when the child is gone."""
        text = json.dumps(request).encode()
        view = memoryview(struct.pack("<I", len(text)) + text)
        while view:
            view = view[os.write(self._out, view) :]

    def outcome(self, timeout: float, started: float, backend: SharedBackend) -> RawOutcome:
        """The next answer as an outcome; a child that died or took too long is killed and says so."""
        try:
            header, payload = self._receive(timeout)
        except TimeoutError:
            self.end()
            return _outcome(timed_out=True, wall=time.monotonic() - started)
        wall = time.monotonic() - started
        if not header:
            status = self.end()
            return _outcome(
                exit_code=status,
                cancelled=backend.cancelled,
                problem=f"the child with libngspice ended with status {status}",
                wall=wall,
            )
        self.runs += 1
        plots, problem, reason = None, str(header["problem"]), "malformed" if header["problem"] else ""
        try:
            plots = parse_raw(payload) or None
        except RawError as error:
            plots, problem, reason = error.plots, str(error), error.reason
        return RawOutcome(
            None, False, False, header["log"], plots, problem, reason, header["cpu"], wall, engine=self.version
        )

    def end(self) -> int:
        """Kill the child and remove its folder; its exit status (negative: signal)."""
        if self.pid_of_owner != os.getpid():
            return 0
        kill_engine(self.pid)
        status = self._process.wait()
        for descriptor in (self._in, self._out):
            with contextlib.suppress(OSError):
                os.close(descriptor)
        self._in = self._out = -1
        self._place.end()
        return status

    def _receive(self, timeout: float) -> tuple[dict[str, Any], bytes]:
        """Header and payload; ({}, b"") at the end of the pipe. Raises TimeoutError."""
        deadline = time.monotonic() + timeout
        head = self._read(4, deadline)
        text = self._read(struct.unpack("<I", head)[0], deadline) if head else None
        if not text:
            return {}, b""
        header = json.loads(text)
        payload = self._read(header.get("bytes", 0), deadline)
        return (header, payload) if payload is not None else ({}, b"")

    def _read(self, count: int, deadline: float) -> bytes | None:
        parts: list[bytes] = []
        while count:
            left = max(0.0, deadline - time.monotonic())
            poller = select.poll()
            poller.register(self._in, select.POLLIN | select.POLLHUP)
            if not poller.poll(min(left, 3600.0) * 1000):
                if deadline - time.monotonic() <= 0:
                    raise TimeoutError
                continue
            part = os.read(self._in, min(count, 1 << 20))
            if not part:
                return None
            parts.append(part)
            count -= len(part)
        return b"".join(parts)


def _outcome(
    *,
    exit_code: int | None = None,
    timed_out: bool = False,
    cancelled: bool = False,
    problem: str = "",
    wall: float = 0.0,
) -> RawOutcome:
    """An outcome without a result."""
    return RawOutcome(exit_code, timed_out, cancelled, "", None, problem, "killed" if problem else "", 0.0, wall)


def _python_paths() -> dict[str, str]:
    """Where the child finds PySpice: the same places as here."""
    return {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path and Path(path).is_dir())}


def find_library() -> Engine:
    """The libngspice to use: NGSPICE_LIBRARY_PATH (a file, or a name that the loader knows), else the loader's own.

    Raises EngineError when there is none.
    """
    wanted = os.environ.get("NGSPICE_LIBRARY_PATH") or ctypes.util.find_library("ngspice") or ""
    path = Path(wanted) if os.sep in wanted else _on_loader_path(wanted)
    if not wanted or path is None or not path.is_file():
        raise EngineError(f"libngspice is not installed{f' as {wanted}' if wanted else ''}: {INSTALL_HINT}")
    resolved = path.resolve()
    status = resolved.stat()
    return Engine(str(resolved), "libngspice", _hash(str(resolved), status.st_mtime_ns, status.st_ctime_ns))


@functools.lru_cache(maxsize=8)
def _hash(path: str, *_times: int) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def _on_loader_path(name: str) -> Path | None:
    for folder in os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep):
        if folder and (Path(folder) / name).is_file():
            return Path(folder) / name
    ldconfig = shutil.which("ldconfig") or shutil.which("ldconfig", path="/sbin:/usr/sbin")
    if ldconfig:
        listing = subprocess.run([ldconfig, "-p"], capture_output=True, text=True, check=False).stdout
        match = re.search(rf"^\s*{re.escape(name)} .*=> (\S+)$", listing, re.MULTILINE)
        if match:
            return Path(match.group(1))
    places = ("/opt/homebrew/lib", "/usr/local/lib", "/usr/lib64", "/usr/lib", f"{sys.prefix}/lib")
    return next((Path(place, name) for place in places if Path(place, name).is_file()), None)
