"""Workers of the fuzz benchmark: one case is one call of the command's `main`, with its time, memory and leftovers."""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import functools
import gc
import io
import json
import multiprocessing
import os
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from multiprocessing.connection import Connection, wait
from pathlib import Path

import typer.main

from benchmarks.fuzz_cases import Case
from metalrom.cli.console import guard
from metalrom.cli.main import main
from metalrom.cli.start import GARBAGE_THRESHOLD

LIMIT = 20.0
"""Seconds of processor time, or of wall time in which none was used."""
LARGEST = 2**30
"""Bytes of resident memory, the interpreter and every library included."""
_DATA = 2**30 + 2**29
"""Bytes of private memory that a worker may have: more than is allowed, so that an excess is measured, not refused."""
ALLOWED = frozenset({0, 1, 2, 3})
_TEMPORARY = re.compile(r"\.(tmp|partial|previous|lock)$")
_PR_SET_PDEATHSIG = 1
_CLEAR = Path("/proc/self/clear_refs")
_FAST = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 - a memory disk: a case is many small files
_RESUMED = {"points.jsonl"}
"""What an interrupted command goes on from; its lines are checked when it does."""


@dataclass(frozen=True)
class Ended:
    """How a case ended: exit code, both outputs' ends, CPU and wall seconds, peak bytes, files left by an error."""

    case: str
    command: str
    code: int
    said: str
    output: str = ""
    cpu: float = 0.0
    wall: float = 0.0
    memory: int = 0
    left: tuple[str, ...] = ()
    allowed: tuple[int, ...] = ()

    @property
    def defect(self) -> str:
        """What is wrong, empty if nothing is."""
        said = self.said
        if "Traceback" in said or "Traceback" in self.output:
            return "traceback"
        if "internal error of metalrom" in said:
            return "internal error"
        if self.code == 98:
            return "hang"
        if self.code not in ALLOWED and self.code not in self.allowed:
            return f"exit code {self.code}"
        if self.cpu > LIMIT:
            return "hang"
        if self.memory > LARGEST or ("not enough memory" in said and self.case != "plugin"):  # one raises MemoryError
            return "memory"
        if self.left:
            return "partial file"
        if self.code in (2, 3) and not said.strip() and not self.output.strip():
            return "no sentence"
        return "two documents" if self.output.startswith("!json") else ""


def run_case(case: Case) -> Ended:
    """Write the case's files, call the command line, look at what it left."""
    with tempfile.TemporaryDirectory(prefix="fuzz", dir=_FAST) as name:
        folder = Path(name)
        (folder / "tmp").mkdir()
        if case.copy is not None:
            shutil.copytree(case.copy, folder / "run")
        for path, data in case.files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(data)
        before = {p: p.lstat().st_mtime_ns for p in folder.rglob("*")}
        os.environ["TMPDIR"] = tempfile.tempdir = str(folder / "tmp")
        os.environ["METALROM_CACHE"] = str(folder / "cache") if case.own_cache else _cache()
        os.chdir(folder)
        words = [word.replace("@", name) for word in case.words]
        started, cpu = time.monotonic(), _cpu()
        _reset_peak()
        try:
            code, out, err = _apart(words) if case.apart else _call(words)
        finally:
            os.chdir("/")
            tempfile.tempdir = None
        wall, cpu = time.monotonic() - started, _cpu() - cpu
        after = [p for p in folder.rglob("*") if p.is_file() or p.is_symlink()]
        failed = code not in (0, 1)
        cached = folder / "cache"
        left = [
            p
            for p in after
            if not p.is_relative_to(cached)
            and (
                _TEMPORARY.search(p.name)
                or p.is_relative_to(folder / "tmp")
                or (failed and before.get(p) != p.lstat().st_mtime_ns and p.name not in _RESUMED and not case.own_files)
            )
        ]
        own = f"tmp/ngspice_runner-{os.getpid()}-"  # of this process: goes when the program ends
        names = tuple(name for p in left if not (name := str(p.relative_to(folder))).startswith(own))
        shown = _checked(out, words, code)[-2000:].replace(name, "@")
        said = err[-3000:].replace(name, "@")
        command = _command(case.words)
        return Ended(case.kind, command, code, said, shown, cpu, wall, _peak(), names, case.allowed)


def _checked(out: str, words: list[str], code: int) -> str:
    """The output, marked if it should have been one JSON document and is not."""
    if "--json" not in words or code not in (0, 1):
        return out
    try:
        json.loads(out)
    except (ValueError, RecursionError):
        return "!json " + out
    return out


def _command(words: tuple[str, ...]) -> str:
    rest = iter(words)
    for word in rest:
        if word == "--plugin":
            next(rest, "")
        else:
            return word
    return ""


def _call(words: list[str]) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of one command, in this process."""
    out, err = io.StringIO(), io.StringIO()
    old, sys.argv = sys.argv, ["metalrom", *words]
    code = 0
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            _entry(words)
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 0 if stop.code is None else 1
    except BaseException as error:
        return 99, out.getvalue(), f"Traceback: {type(error).__name__}: {error}"
    finally:
        sys.argv = old
    return code, out.getvalue(), err.getvalue()


def _entry(words: list[str]) -> None:
    """The command line; after `read:NAME` a reader of the libraries, whose errors end as the command line's do."""
    if words and words[0].startswith("read:"):
        with guard():
            import_module("benchmarks.fuzz_readers").READERS[words[0].removeprefix("read:")](Path(words[1]))
    else:
        main()


def _apart(words: list[str]) -> tuple[int, str, str]:
    """The same in a child process: what a plugin registers must not stay."""
    read, write = multiprocessing.Pipe(duplex=False)

    def call() -> None:
        write.send(_call(words))
        atexit._run_exitfuncs()  # as at the end of the program; a forked process leaves without

    child = multiprocessing.get_context("fork").Process(target=call)
    child.start()
    write.close()
    try:
        ended: tuple[int, str, str] = read.recv()
    except EOFError:
        ended = 97, "", "the process died"
    child.join()
    return ended


def _cpu() -> float:
    parts = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(p.ru_utime + p.ru_stime for p in parts)


def _reset_peak() -> None:
    with contextlib.suppress(OSError):
        _CLEAR.write_text("5")


def _peak() -> int:
    """Bytes: the largest resident memory since `_reset_peak`, or of any child."""
    status = Path("/proc/self/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return max(int(found[1]) if found else 0, children) * 1024


def _cache() -> str:
    return os.environ["FUZZ_CACHE"]


def work(pipe: Connection, cache: str) -> None:
    """A worker: cases in, endings out; it dies with the process that started it."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
    os.environ |= {"FUZZ_CACHE": cache, "NO_COLOR": "1", "COLUMNS": "200", "PYTHONWARNINGS": "ignore"}
    for name in ("METALROM_DEBUG", "METALROM_NGSPICE"):
        os.environ.pop(name, None)
    gc.freeze()  # the libraries' objects are not searched again for every case
    gc.set_threshold(GARBAGE_THRESHOLD)
    typer.main.get_command = functools.cache(typer.main.get_command)
    resource.setrlimit(resource.RLIMIT_DATA, (_DATA, _DATA))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    while (case := pipe.recv()) is not None:
        os.environ["PATH"] = case.path
        pipe.send(run_case(case))


def _tree_seconds(pid: int | None) -> float:
    """CPU seconds of a process, of what it has waited for, and of its living children."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK") + sum(_tree_seconds(int(c)) for c in children)


def load_libraries() -> None:
    """Import what the commands do, once for all workers: neither a case's time nor its memory."""
    sys.modules["ngsolve"] = None  # type: ignore[assignment]
    os.environ["ARROW_DEFAULT_MEMORY_POOL"] = "system"  # its own one reserves 1 GiB, which counts against `_DATA`
    for name in ("numba", "xarray", "metalrom.api", "metalrom.cli.main", "benchmarks.fuzz_readers"):
        import_module(name)


class Worker:
    """One process that is replaced when it hangs or dies."""

    def __init__(self, cache: str) -> None:
        self._cache = cache
        self.case: Case | None = None
        self._start()

    def _start(self) -> None:
        self.pipe, other = multiprocessing.Pipe()
        self._process = multiprocessing.get_context("fork").Process(target=work, args=(other, self._cache))
        self._process.start()
        other.close()

    def begin(self, case: Case) -> None:
        """Hand a case over."""
        self.case, self._since, self._used = case, time.monotonic(), self._spent()
        self._last = self._since, self._used
        self.pipe.send(case)

    def ended(self) -> Ended | None:
        """The case's ending once it has one, also if it never ends."""
        case = self.case
        assert case is not None
        reason, code = "", 0
        try:
            if self.pipe.poll():
                found: Ended = self.pipe.recv()
                self.case = None
                return found
        except (EOFError, ConnectionError):
            reason, code = "the worker died", 97
        if not reason and self._hangs():
            reason, code = "hang", 98
        if not reason:
            return None
        self._process.kill()
        self._process.join()
        self._start()
        self.case = None
        return Ended(case.kind, _command(case.words), code, reason, wall=time.monotonic() - self._since)

    def _hangs(self) -> bool:
        now, used = time.monotonic(), self._spent()
        if used - self._used > LIMIT + 2:
            return True
        if abs(used - self._last[1]) > 0.03:  # a busy machine: it goes on, slowly
            self._last = now, used
        return now - self._last[0] > LIMIT

    def _spent(self) -> float:
        """CPU seconds of the worker and of every process below it."""
        return _tree_seconds(self._process.pid)

    def stop(self) -> None:
        """End the process."""
        with contextlib.suppress(OSError):
            self.pipe.send(None)
        self._process.join(5)
        if self._process.is_alive():
            self._process.kill()


def endings(cases: Iterator[tuple[int, Case]], cache: str, jobs: int) -> Iterator[tuple[int, Case, Ended]]:
    """Every case with its number and ending, in the order in which they end."""
    load_libraries()
    workers = [Worker(cache) for _ in range(jobs)]
    numbers: dict[int, int] = {}
    try:
        while True:
            for worker in workers:
                if worker.case is None and (following := next(cases, None)) is not None:
                    numbers[id(worker)] = following[0]
                    worker.begin(following[1])
            busy = [worker for worker in workers if worker.case is not None]
            if not busy:
                return
            wait([worker.pipe for worker in busy], timeout=1.0)
            for worker in busy:
                case = worker.case
                ended = worker.ended()
                if ended is not None and case is not None:
                    yield numbers[id(worker)], case, ended
    finally:
        for worker in workers:
            worker.stop()
