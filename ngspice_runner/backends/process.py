"""One engine process per job: `ngspice -n -b -r out.raw deck` in a private folder, one thread, measured CPU time."""

import contextlib
import os
import resource
import select
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ngspice_runner.backends import RawOutcome
from ngspice_runner.backends.guard import start_guarded
from ngspice_runner.backends.run_place import RunPlace, run_place
from ngspice_runner.backends.sandbox import Confinement, engine_confinement
from ngspice_runner.deck import ParsedDeck
from ngspice_runner.engine import Engine, system_spinit
from ngspice_runner.engine_view import VIEW_FILE
from ngspice_runner.errors import EngineError
from ngspice_runner.prepare import Prepared
from ngspice_runner.raw import Plot, RawError, read_raw
from ngspice_runner.startup import OWN_SCRIPTS
from ngspice_runner.workspace import workspace

DECK_FILE = "deck.cir"
_LOG_LIMIT = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class EndedProcess:
    """How an engine ended; exit_code negative = signal."""

    exit_code: int
    timed_out: bool
    cancelled: bool
    cpu_seconds: float


class EngineProcesses:
    """Engine processes that can be killed together. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[int] = set()
        self._cancelled = False

    def cancel(self) -> None:
        """Kill every running engine; what runs later ends at once as cancelled."""
        with self._lock:
            self._cancelled = True
            for pid in self._running:
                kill_engine(pid)

    def _start(
        self, prepared: Prepared, arguments: Sequence[str], place: RunPlace, output: int, source: int
    ) -> subprocess.Popen[bytes]:
        """Start ngspice in the place's folder with an input and an output (file descriptors); `_lock` is held."""
        command = [prepared.engine.path, "-n", *arguments]
        scripts = _own_scripts(Path(place.folder, "scripts"), prepared) if prepared.startup else prepared.scripts
        return self._launch(command, place, environment(place.folder, scripts), output, source)

    def _launch(
        self, command: Sequence[str], place: RunPlace, environment: Mapping[str, str], output: int, source: int
    ) -> subprocess.Popen[bytes]:
        """Start a program in the place's folder; `_lock` is held."""
        try:
            child = start_guarded(
                command,
                folder=place.folder,
                environment=environment,
                source=source,
                output=output,
                through=place.start,
            )
        except OSError as error:
            raise EngineError(f"{command[0]} cannot be started ({error.strerror})") from None
        self._running.add(child.pid)
        return child

    def _finish(self, child: subprocess.Popen[bytes], timeout: float) -> EndedProcess:
        """Wait for an engine, at most `timeout` seconds, and reap it."""
        limit_cpu(child.pid, timeout)
        timed_out = False
        try:
            if not wait_for(child.pid, timeout):
                timed_out = True
                kill_engine(child.pid)
            with self._lock:
                # Reaped under the lock: the number cannot be given to another process while `cancel` looks at it.
                self._running.discard(child.pid)
                _, status, usage = os.wait4(child.pid, 0)
        except BaseException:
            kill_engine(child.pid)
            raise
        child.returncode = code = os.waitstatus_to_exitcode(status)
        return EndedProcess(
            exit_code=code,
            timed_out=timed_out or code == -signal.SIGXCPU,
            cancelled=self._cancelled and code == -signal.SIGKILL and not timed_out,
            cpu_seconds=usage.ru_utime + usage.ru_stime,
        )


class ProcessBackend(EngineProcesses):
    """Runs each job in an engine process of its own. Safe to share between threads."""

    name = "process"

    def engine_for(self, engine: Engine) -> Engine:
        """The executable itself."""
        return engine

    def refuses(self, prepared: Prepared) -> str:
        """Nothing: any deck can have a process of its own."""
        return ""

    def run(self, prepared: Prepared) -> RawOutcome:
        """Run one job; see `Backend.run`. Raises EngineError when the engine or its folder cannot be used."""
        return self.view(prepared)

    def view(self, prepared: Prepared) -> RawOutcome:
        """Start the engine with the deck, as `run` does; the log is what it wrote of its view, where it did."""
        with run_place(confinement_of(prepared)) as place:
            try:
                return self._run_in(place, prepared)
            except OSError as error:
                raise EngineError(f"the run's folder {place.folder} cannot be used ({error.strerror})") from None

    def close(self) -> None:
        """Nothing is kept between runs."""

    def _run_in(self, place: RunPlace, prepared: Prepared) -> RawOutcome:
        folder = place.folder
        names = (DECK_FILE, "ngspice_runner.raw", "log.txt", VIEW_FILE)
        deck, raw, log, view = (Path(folder, name) for name in names)
        deck.write_text(prepared.run_text, encoding="utf-8", errors="surrogateescape")
        behaviour = ["-D", f"ngbehavior={prepared.behaviour}"] if prepared.behaviour else []
        started = time.monotonic()
        with log.open("wb") as log_file, self._lock:
            if self._cancelled:
                return RawOutcome(None, False, True, "", None, "", "", 0.0, 0.0)
            arguments = [*behaviour, "-b", *(["-r", str(raw)] if prepared.raw else [])]
            with deck.open("rb") as source:
                child = self._start(prepared, arguments, place, log_file.fileno(), source.fileno())
        ended = self._finish(child, prepared.job.timeout)
        wall = time.monotonic() - started
        plots, problem, reason = _read_plots(raw, folder, prepared.deck)
        if not problem and disk_full(folder):
            # The engine does not notice failing writes: the log may lack what would have decided the verdict.
            problem, reason = f"the disk under {folder} is full: log and result may be cut off", "truncated"
        return RawOutcome(
            exit_code=ended.exit_code,
            timed_out=ended.timed_out,
            cancelled=ended.cancelled,
            log=read_log(view if not prepared.raw and view.exists() else log),
            plots=plots,
            raw_problem=problem,
            raw_reason=reason,
            cpu_seconds=ended.cpu_seconds,
            wall_seconds=wall,
        )


def confinement_of(prepared: Prepared) -> Confinement | None:
    """What the engine of a job may do; None for a trusted one."""
    if prepared.job.trust:
        return None
    return engine_confinement(prepared.engine.path, None if prepared.reads_all else (workspace(), OWN_SCRIPTS))


def environment(folder: str, scripts: str) -> dict[str, str]:
    """A clean environment: ngspice reads several variables, and crashes without HOME. scripts: the folder with its
    start-up file, empty for that of the installation."""
    environment = {"HOME": folder, "PATH": os.environ.get("PATH", os.defpath), "LANG": "C"}
    environment |= {"OMP_THREAD_LIMIT": "1", "NGSPICE_MEAS_PRECISION": "15"}
    for name in ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"):
        if name in os.environ:
            environment[name] = os.environ[name]
    if scripts:
        environment["SPICE_SCRIPTS"] = scripts
    return environment


def _own_scripts(scripts: Path, prepared: Prepared) -> str:
    """A folder with a start-up file that also does what the job asks for."""
    usual = Path(prepared.scripts, "spinit") if prepared.scripts else system_spinit(prepared.engine)
    scripts.mkdir(exist_ok=True)
    text = usual.read_text("utf-8", "replace") if usual else ""
    (scripts / "spinit").write_text(f"{text.rstrip()}\n{prepared.startup}", encoding="utf-8")
    return str(scripts)


def wait_for(pid: int, timeout: float) -> bool:
    """Wait until the child has ended (without reaping it); False when the time is up."""
    try:
        descriptor = os.pidfd_open(pid)
    except (AttributeError, OSError):
        return _poll(pid, timeout)
    try:
        poller = select.poll()
        poller.register(descriptor, select.POLLIN)
        deadline = time.monotonic() + timeout
        while True:
            left = deadline - time.monotonic()
            if poller.poll(max(0.0, min(left, 3600.0)) * 1000):
                return True
            if left <= 0:
                return False
    finally:
        os.close(descriptor)


def _poll(pid: int, timeout: float) -> bool:
    deadline, pause = time.monotonic() + timeout, 0.001
    while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)
    return True


def kill_engine(pid: int) -> None:
    """Kill a child that has not been waited for."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)


def limit_cpu(pid: int, seconds: float) -> None:
    """Bound the CPU time of an engine, all it has used included; a later call may raise the bound."""
    with contextlib.suppress(AttributeError, OSError, ValueError):
        hard = resource.prlimit(pid, resource.RLIMIT_CPU)[1]
        soft = int(min(seconds, 1e8)) + 5
        resource.prlimit(pid, resource.RLIMIT_CPU, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


def cpu_seconds(pid: int) -> float:
    """CPU time of a running process so far; 0 where the system does not tell."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_bytes().split()[0]) * 1e-9
    except (OSError, ValueError, IndexError):
        return 0.0


def disk_full(folder: str | os.PathLike[str]) -> bool:
    """True when less than 64 kB are left where the engine writes."""
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize < 65536


def read_log(path: Path) -> str:
    """What an engine printed; of a very long log the beginning and the end."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size <= 2 * _LOG_LIMIT:
            data = file.read()
        else:
            head = file.read(_LOG_LIMIT)
            file.seek(-_LOG_LIMIT, os.SEEK_END)
            data = head + b"\n...\n" + file.read()
    return data.decode("utf-8", "replace")


def _read_plots(raw: Path, folder: str, deck: ParsedDeck) -> tuple[tuple[Plot, ...] | None, str, str]:
    """Plots, problem, reason. When the engine's own raw file has nothing, those count that a control section wrote, in
    the order in which it names them."""
    paths = [raw]
    if not raw.exists() or raw.stat().st_size == 0:
        commands = "\n".join(card for _, card in deck.control).lower()

        def place(path: Path) -> tuple[int, int]:
            at = commands.find(path.name.lower())
            return (at if at >= 0 else len(commands), path.stat().st_mtime_ns)

        paths = sorted((p for p in Path(folder).iterdir() if p != raw and _is_raw(p)), key=place)
        if not paths:
            return None, "", ""
    plots: tuple[Plot, ...] = ()
    for path in paths:
        try:
            plots += read_raw(path)
        except RawError as error:
            return plots + error.plots, str(error), error.reason
    return plots, "", ""


def _is_raw(path: Path) -> bool:
    """True for a raw file under any name."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return path.suffix == ".raw" or file.read(6) == b"Title:"
