"""Engines end with the process that started them, however it ends, and have a CPU limit of one job."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ngspice_runner import Job, run
from ngspice_runner.backends import guard

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.ngspice
LONG = "t\nV1 a 0 sin(0 1 1e9)\nR1 a 0 {r}\n.tran 1e-12 1 0 1e-12\n.end\n"
SCRIPT = """
import signal, sys
from ngspice_runner import Job, run_many
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # which a parent in the background has it ignore
run_many([Job(sys.argv[1].replace("{r}", str(r)), ("v(a)",), timeout=60) for r in (1, 2)], workers=2)
"""


def children(pid: int) -> dict[int, str]:
    found = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # a thread or a child that has just ended
            for child in (task / "children").read_text().split():
                found[int(child)] = Path(f"/proc/{child}/comm").read_text().strip()
    return found


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("which", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_no_engine_outlives_its_parent(which: signal.Signals) -> None:
    parent = subprocess.Popen([sys.executable, "-c", SCRIPT, LONG], cwd=ROOT)
    deadline = time.monotonic() + 30
    engines: list[int] = []
    while len(engines) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
        engines = [pid for pid, name in children(parent.pid).items() if name == "ngspice"]
    assert len(engines) == 2
    # timeout of the job and 5 s
    assert {resource.prlimit(pid, resource.RLIMIT_CPU)[0] for pid in engines} <= {65, resource.RLIM_INFINITY}
    parent.send_signal(which)
    parent.wait(10)
    deadline = time.monotonic() + 2
    while any(map(alive, engines)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not any(map(alive, engines))


def test_any_other_program_dies_with_its_parent_too_and_says_what_it_printed() -> None:
    code, text = guard.run_guarded(
        ["/bin/sh", "-c", "echo out; echo bad >&2; exit 3"], folder="/", environment={}, timeout=9
    )
    assert (code, text) == (3, "out\nbad\n")
    with pytest.raises(subprocess.TimeoutExpired):
        guard.run_guarded(["/bin/sleep", "60"], folder="/", environment={}, timeout=0.1)
    call = "guard.run_guarded(['/bin/sleep', '60'], folder='/', environment={}, timeout=50)"
    parent = subprocess.Popen([sys.executable, "-c", f"from ngspice_runner.backends import guard; {call}"], cwd=ROOT)
    deadline = time.monotonic() + 30
    found: list[int] = []
    while not found and time.monotonic() < deadline:
        time.sleep(0.02)
        found = [pid for pid, name in children(parent.pid).items() if name == "sleep"]
    parent.kill()
    parent.wait(10)
    deadline = time.monotonic() + 2
    while any(map(alive, found)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert found
    assert not any(map(alive, found))


def test_a_guard_that_was_killed_is_replaced() -> None:
    job = Job("t\nV1 a 0 1\nR1 a 0 1\n.op\n.end\n", ("v(a)",))
    assert run(job).ok
    first = guard._guards[0].process
    os.kill(first.pid, signal.SIGKILL)
    first.wait(5)
    assert run(job).ok
    assert guard._guards[0].process.pid != first.pid
