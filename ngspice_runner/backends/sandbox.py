"""A sandbox around an engine: Landlock and seccomp, asked of the kernel for the thread that starts it.

Both bind a thread and what it starts: a thread takes the rules, stays, and starts one engine after another. This
process stays free, and no helper program is needed. The engine writes into its run's folder alone, executes itself
alone, has no sockets, and reads its own libraries and the files of its job (or everything, where a deck's commands read
files). Where the kernel has no Landlock (before Linux 5.13, other systems) there is no sandbox, and `sandbox` says so.

ngspice begins with `tmpfile()`, an open of `/tmp` with O_TMPFILE, which Landlock can only allow together with all files
there. The filter hands that one call over to `temporary_files`.
"""

from __future__ import annotations

import ctypes
import functools
import os
import platform
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import TypeVar

from ngspice_runner.backends.temporary_files import serve

SWITCH = "METALROM_SANDBOX"
"""Environment variable; `off` runs engines without a sandbox."""
_T = TypeVar("_T")
_CREATE, _ADD, _RESTRICT = 444, 445, 446
"""System calls of Landlock, the same on all architectures (include/uapi/asm-generic/unistd.h)."""
# Rights of include/uapi/linux/landlock.h.
_EXECUTE, _WRITE, _READ, _LIST = 1, 2, 4, 8
_MAKE_DIR, _MAKE_FILE, _REMOVE, _TRUNCATE = 1 << 7, 1 << 8, 1 << 4 | 1 << 5, 1 << 14
_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
"""Version of Landlock -> number of file rights that it knows; 16 from then on."""
_OF_FILES = _EXECUTE | _WRITE | _READ | _TRUNCATE
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full")
_SYSTEM = ("/etc/ld.so.cache", "/etc/ld.so.preload", "/etc/localtime", "/proc", "/sys/devices/system", "/dev/urandom")
_NO_NEW_PRIVILEGES, _SET_FILTER, _NEW_LISTENER, _TMPFILE = 38, 1, 8, 0x400000


@dataclass(frozen=True, slots=True)
class _Calls:
    """A machine's number in seccomp (linux/audit.h), and its numbers of system calls."""

    machine: int
    seccomp: int
    openat: int
    socket: int
    io_uring: int = 425


_CALLS = {"x86_64": _Calls(0xC000003E, 317, 257, 41), "aarch64": _Calls(0xC00000B7, 277, 56, 198)}


@dataclass(frozen=True, slots=True)
class Sandbox:
    """What the kernel offers. landlock: its version, 0 without a sandbox; text: of a result's provenance, what there is
    or why there is nothing."""

    landlock: int
    text: str


@dataclass(frozen=True, slots=True)
class ProgramFiles:
    """What a program needs to start. executable: itself and its loader; readable: its libraries; whole: False for a
    script, which needs other programs."""

    executable: tuple[str, ...]
    readable: tuple[str, ...]
    whole: bool


@dataclass(frozen=True, slots=True)
class Confinement:
    """What a program may read and execute. Folders count with everything below them."""

    readable: tuple[str, ...]
    executable: tuple[str, ...]


@functools.cache
def _library() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _call(function: str, *arguments: object) -> int:
    result = int(getattr(_library(), function)(*arguments))
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def sandbox() -> Sandbox:
    """The sandbox of this machine, tried once in a thread of its own."""
    if os.environ.get(SWITCH, "").lower() == "off":
        return Sandbox(0, f"none: switched off by {SWITCH}")
    return _tried()


@functools.cache
def _tried() -> Sandbox:
    if sys.platform != "linux":
        return Sandbox(0, "none: Landlock is a part of Linux")
    if platform.machine() not in _CALLS or sys.maxsize < 2**32:
        return Sandbox(0, f"none: the numbers of system calls on {platform.machine()} are not known")
    try:
        version = _landlock()
    except OSError as error:
        return Sandbox(0, f"none: this kernel has no Landlock ({error.strerror}); Linux 5.13 or newer has it")
    found = Sandbox(version, f"Landlock {version} and seccomp")
    trial = Starter(Confinement(("/",), ()), tempfile.gettempdir())
    trial.end()
    if trial.trouble:
        return Sandbox(0, f"none: the kernel refuses Landlock or seccomp ({trial.trouble})")
    return found


def _landlock() -> int:
    """Its version. Raises OSError where there is none."""
    return _call("syscall", _CREATE, None, ctypes.c_size_t(0), 1)


class Starter:
    """A thread under the rules of a confinement that may write into one folder. trouble: why it could not take them."""

    def __init__(self, confinement: Confinement, folder: str) -> None:
        self._tasks: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self.trouble = ""
        ready: SimpleQueue[int] = SimpleQueue()

        def work() -> None:
            try:
                version = _landlock()
                _restrict_reading(confinement, version)
                _restrict_writing(folder, version)
                listener = _filter_calls()
            except OSError as error:
                self.trouble = error.strerror or str(error)
                listener = -1
            ready.put(listener)
            while listener >= 0 and (task := self._tasks.get()) is not None:
                task()

        threading.Thread(target=work, name="sandbox", daemon=True).start()
        if (listener := ready.get()) >= 0:
            serve(listener, folder)

    def run(self, start: Callable[[], _T]) -> _T:
        """What `start` returns or raises, run in that thread. Raises OSError too where the rules could not be taken."""
        if self.trouble:
            raise OSError(0, self.trouble)
        done: list[_T] = []
        failed: list[BaseException] = []
        ended = threading.Lock()
        ended.acquire()

        def task() -> None:
            try:
                done.append(start())
            except BaseException as error:
                failed.append(error)
            finally:
                ended.release()

        self._tasks.put(task)
        ended.acquire()
        if failed:
            raise failed[0]
        return done[0]

    def end(self) -> None:
        """End the thread."""
        self._tasks.put(None)


def _restrict_reading(confinement: Confinement, version: int) -> None:
    """What this thread, and what it starts, may read and execute; no TCP, no signals to others."""
    network = 3 if version >= 4 else 0
    scopes = 3 if version >= 6 else 0  # no signals and abstract sockets to processes outside
    size = 8 if version < 4 else 16 if version < 6 else 24
    attributes = struct.pack("=QQQ", _EXECUTE | _READ | _LIST, network, scopes)[:size]
    _restrict(
        attributes,
        (
            (_READ | _LIST, confinement.readable),
            (_READ, _DEVICES),
            (_READ | _EXECUTE, confinement.executable),
        ),
    )


def _restrict_writing(folder: str, version: int) -> None:
    handled = (1 << _RIGHTS.get(version, 16)) - 1 & ~(_EXECUTE | _READ | _LIST)
    rights = _WRITE | _MAKE_DIR | _MAKE_FILE | _REMOVE | _TRUNCATE
    _restrict(struct.pack("=Q", handled), ((rights & handled, (folder,)), (_WRITE, ("/dev/null",))))


def _restrict(attributes: bytes, rules: Iterable[tuple[int, Iterable[str]]]) -> None:
    """Bind this thread, and what it starts, to rules besides those that it has. Raises OSError."""
    ruleset = _call("syscall", _CREATE, attributes, ctypes.c_size_t(len(attributes)), 0)
    try:
        for rights, paths in rules:
            _allow(ruleset, rights, paths)
        _call("prctl", _NO_NEW_PRIVILEGES, 1, 0, 0, 0)
        _call("syscall", _RESTRICT, ruleset, 0)
    finally:
        os.close(ruleset)


def _allow(ruleset: int, rights: int, paths: Iterable[str]) -> None:
    for path in paths:
        try:
            descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            continue  # what is not there needs no right
        try:
            mask = rights if Path(path).is_dir() else rights & _OF_FILES
            _call("syscall", _ADD, ruleset, 1, struct.pack("=Qi", mask, descriptor), 0)
        finally:
            os.close(descriptor)


def _filter_calls() -> int:
    """Put a seccomp filter (linux/filter.h) on this thread: no sockets, no calls of a foreign architecture, temporary
    files from the listener that is returned."""
    calls = _CALLS[platform.machine()]
    load, equal, above, bits, give = 0x20, 0x15, 0x35, 0x45, 0x06
    program = [
        (load, 0, 0, 4),
        (equal, 1, 0, calls.machine),
        (give, 0, 0, 0x80000000),  # the process ends
        (load, 0, 0, 0),
        (above, 6, 0, 0x40000000),  # the x32 interface
        (equal, 5, 0, calls.socket),
        (equal, 4, 0, calls.io_uring),
        (equal, 0, 2, calls.openat),
        (load, 0, 0, 16 + 2 * 8),  # its flags
        (bits, 2, 0, _TMPFILE),
        (give, 0, 0, 0x7FFF0000),  # allowed
        (give, 0, 0, 0x00050001),  # EPERM
        (give, 0, 0, 0x7FC00000),  # asks the listener
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in program))
    header = struct.pack("@HP", len(program), ctypes.addressof(code))
    return _call("syscall", calls.seccomp, _SET_FILTER, _NEW_LISTENER, header)


@functools.lru_cache(maxsize=8)
def program_files(path: str, libraries: str = "") -> ProgramFiles:
    """What the program at `path` needs; libraries: value of LD_LIBRARY_PATH.

    The loader itself is asked. A script is not looked into, nor is what names no library.
    """
    everything = ("/",)
    try:
        with Path(path).open("rb") as file:
            if file.read(4) != b"\x7fELF":
                return ProgramFiles(everything, everything, False)
        answer = subprocess.run(
            [path, "--version"],
            env={"LD_TRACE_LOADED_OBJECTS": "1"} | ({"LD_LIBRARY_PATH": libraries} if libraries else {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=20,
            check=False,
            text=True,
            errors="replace",
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ProgramFiles(everything, everything, False)
    words = [line.split() for line in answer.splitlines()]
    loaders = tuple(line[0] for line in words if len(line) == 2 and line[0].startswith("/"))
    found = [line[2] for line in words if len(line) > 2 and line[1] == "=>" and line[2].startswith("/")]
    folders = dict.fromkeys(str(Path(library).parent) for library in found)
    if not loaders or not folders:
        return ProgramFiles(everything, everything, False)
    return ProgramFiles((path, *loaders), tuple(folders), True)


def engine_confinement(path: str, inputs: tuple[str, ...] | None) -> Confinement:
    """For the engine at `path`. inputs: what it may read besides its own files; None is everything."""
    return _engine_confinement(path, inputs, os.environ.get("LD_LIBRARY_PATH", ""))


@functools.lru_cache(maxsize=64)
def _engine_confinement(path: str, inputs: tuple[str, ...] | None, libraries: str) -> Confinement:
    files = program_files(path, libraries)
    if inputs is None or not files.whole:
        return Confinement(("/",), files.executable)
    prefix = Path(path).parent.parent
    installed = (str(prefix / "share" / "ngspice"), str(prefix / "lib" / "ngspice"))
    return Confinement((*_SYSTEM, *installed, *files.readable, *inputs), files.executable)


def describe_sandbox(engine: str, *, trusted: bool, reads_all: bool) -> str:
    """What surrounds the engine at that path, for a result's provenance."""
    if trusted:
        return "none: the job is trusted"
    found = sandbox()
    if not found.landlock:
        return found.text
    text = found.text + (", reads all files" if reads_all else "")
    return text if program_files(engine, os.environ.get("LD_LIBRARY_PATH", "")).whole else f"{text}, starts programs"
