"""A process group that dies with this process, however this process ends.

Engines are started in the group of a shell that waits for the end of a pipe. The writing end belongs to this process
alone: when it is gone, killed or not, the shell kills its group. It works from the first instruction of an engine on,
whichever thread started it, and costs a start of `/bin/sh` per process.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import subprocess
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

_SCRIPT = "trap '' HUP INT TERM QUIT; read -r line; kill -KILL 0"
_lock = threading.Lock()
_Begin = Callable[[], subprocess.Popen[bytes]]


@dataclass(slots=True)
class _Guard:
    process: subprocess.Popen[bytes]
    pipe: int


_guards: list[_Guard] = []


def start_guarded(
    arguments: Sequence[str],
    *,
    folder: str,
    environment: Mapping[str, str],
    output: int,
    source: int = subprocess.DEVNULL,
    inherited: Sequence[int] = (),
    through: Callable[[_Begin], subprocess.Popen[bytes]] = lambda begin: begin(),
) -> subprocess.Popen[bytes]:
    """Start a program that ends when this process ends. Raises OSError when it cannot be started.

    source, output: its standard input, and output with errors; through: what calls the start (a sandbox).
    """
    for attempt in (0, 1):
        group = _group()

        def begin(group: int = group) -> subprocess.Popen[bytes]:
            return subprocess.Popen(
                arguments,
                cwd=folder,
                env=environment,
                stdin=source,
                stdout=output,
                stderr=output,
                pass_fds=inherited,
                process_group=group,
            )

        try:
            return through(begin)
        except PermissionError:
            # The group is gone when its shell was killed in this moment: the next attempt has a new one.
            if attempt or not _guards or _guards[0].process.poll() is None:
                raise
    raise AssertionError("unreachable")


def run_guarded(
    arguments: Sequence[str], *, folder: str, environment: Mapping[str, str], timeout: float
) -> tuple[int, str]:
    """(exit code, everything printed) of a program that ends when this process ends. timeout: s.

    Raises OSError when it cannot be started, `subprocess.TimeoutExpired` when it does not end in time.
    """
    with tempfile.TemporaryFile() as output:
        child = start_guarded(arguments, folder=folder, environment=environment, output=output.fileno())
        try:
            code = child.wait(timeout)
        except BaseException:
            child.kill()
            child.wait()
            raise
        output.seek(0)
        return code, output.read().decode("utf-8", "replace")


def _group() -> int:
    with _lock:
        if _guards and _guards[0].process.poll() is not None:
            _forget()
        if not _guards:
            reading, writing = os.pipe()
            try:
                process = subprocess.Popen(
                    ["/bin/sh", "-c", _SCRIPT],
                    stdin=reading,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    cwd="/",
                    process_group=0,
                )
            except OSError:
                os.close(writing)
                raise
            finally:
                os.close(reading)
            _guards.append(_Guard(process, writing))
        return _guards[0].process.pid


def _forget() -> None:
    """Let go of the guard; its group ends unless another process holds the pipe."""
    while _guards:
        guard = _guards.pop()
        with contextlib.suppress(OSError):
            os.close(guard.pipe)


def _end() -> None:
    processes = [guard.process for guard in _guards]
    _forget()
    for process in processes:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(1.0)


def _forget_parents() -> None:
    """In a forked child: the guard belongs to the parent, and its pipe must not be held open here."""
    global _lock
    _lock = threading.Lock()
    for guard in _guards:
        guard.process.returncode = 0  # not a child of this process: nothing to wait for
    _forget()


atexit.register(_end)
os.register_at_fork(after_in_child=_forget_parents)
