"""Around an engine: it writes into its folder alone, starts nothing, and reads what its job names."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from ngspice_runner import Cache, Job, Verdict, run
from ngspice_runner.backends import RawOutcome
from ngspice_runner.backends.process import ProcessBackend
from ngspice_runner.backends.sandbox import SWITCH, Confinement, Starter, program_files, sandbox
from ngspice_runner.permissions import TRUST
from ngspice_runner.prepare import Prepared

pytestmark = pytest.mark.ngspice
confined = pytest.mark.skipif(not sandbox().landlock, reason=f"no sandbox here ({sandbox().text})")
JOB = Job("t\nV1 a 0 1\nR1 a 0 1k\n.op\n.end\n", ("v(a)",))


@pytest.fixture(scope="module")
def escapes() -> ModuleType:
    """benchmarks/escapes.py as a module."""
    path = Path(__file__).resolve().parents[2] / "benchmarks" / "escapes.py"
    spec = importlib.util.spec_from_file_location("escapes", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_no_attempt_succeeds(escapes: ModuleType, tmp_path: Path) -> None:
    """By default, and by the rules over the text alone where a machine has no sandbox."""
    for how in ({}, {"confined": False}):
        assert [a.name for a in escapes.attempts() if escapes.by_harness(a, tmp_path, **how)[0]] == []


@confined
def test_no_attempt_gets_out_of_the_sandbox(escapes: ModuleType, tmp_path: Path) -> None:
    """With the rules switched off."""
    assert [a.name for a in escapes.attempts() if escapes.by_harness(a, tmp_path, rules=False)[0]] == []


def test_attempts_are_real(escapes: ModuleType, tmp_path: Path) -> None:
    """Bare ngspice 39 falls for 44 of them; other versions and machines without a compiler for some fewer."""
    succeed = [a.name for a in escapes.attempts() if escapes.by_engine(a, tmp_path)]
    assert len(succeed) >= 30
    assert {"shell", "write", "wrdata", "echo >", "library section", ".spiceinit beside the deck"} <= set(succeed)


PROBE = """
import os, socket, sys
def tried(what):
    try:
        what()
    except OSError as error:
        return type(error).__name__
    return "done"
outside = sys.argv[1]
print(tried(lambda: open("inside", "w").close()), tried(lambda: os.remove("inside")))
print(*(tried(what) for what in (
    lambda: open(outside + "/new", "w").close(),
    lambda: open(outside + "/old", "a").close(),
    lambda: os.remove(outside + "/old"),
    lambda: os.mkdir(outside + "/folder"),
    lambda: os.rename(outside + "/old", "old"),
    lambda: os.symlink(outside, "link"),
    lambda: os.execv("/bin/sh", ["sh", "-c", "true"]),
    lambda: socket.socket(),
    lambda: socket.socket(socket.AF_UNIX),
)))
print(tried(lambda: os.kill(os.getppid(), 0)))
"""


@confined
def test_what_a_confined_program_may_do(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    (outside / "old").write_text("kept")
    program = os.path.realpath(sys.executable)
    files = program_files(program, os.environ.get("LD_LIBRARY_PATH", ""))
    starter = Starter(Confinement(("/",), files.executable), str(inside))
    done = starter.run(
        lambda: subprocess.run(
            [program, "-c", PROBE, str(outside)], cwd=inside, capture_output=True, text=True, check=False, timeout=60
        )
    )
    starter.end()
    wanted, refused, parent = done.stdout.splitlines()
    assert wanted == "done done"
    assert refused.split() == ["PermissionError"] * 9
    assert parent == ("PermissionError" if sandbox().landlock >= 6 else "done")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["inside", "old", "outside"]


class Appears(ProcessBackend):
    """Makes a file that was missing, before the engine starts."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    def run(self, prepared: Prepared) -> RawOutcome:
        self.path.write_text("R2 a 0 1k\n")
        return super().run(prepared)


@pytest.mark.parametrize("switch", ["on", "off"])
def test_a_missing_file_that_appears_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, switch: str) -> None:
    monkeypatch.setenv(SWITCH, switch)
    late = tmp_path / "late.inc"
    (tmp_path / "part.inc").write_text(f".include {late}\n")
    job = Job("t\nV1 a 0 1\nR1 a 0 1k\n.include part.inc\n.op\n.end\n", ("i(v1)",), folder=str(tmp_path))
    with Cache(tmp_path / "cache") as cache:
        first = run(job, cache=cache, backend=Appears(late))
        assert not first.ok
        assert str(late) in first.log
        again = run(job, cache=cache)
    # two resistors of 1 kohm at 1 V
    assert again.signals["i(v1)"].values[0] == pytest.approx(-2e-3)


@confined
def test_a_result_says_what_surrounded_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def text(job: Job) -> str:
        result = run(job)
        assert result.ok, result.log
        assert result.provenance is not None
        return result.provenance.sandbox

    assert text(JOB) == f"Landlock {sandbox().landlock} and seccomp"
    assert text(Job(JOB.text, JOB.outputs, trust=True)) == "none: the job is trusted"
    monkeypatch.setenv(SWITCH, "off")
    assert text(JOB) == f"none: switched off by {SWITCH}"


def test_trust_for_all_jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`metalrom --trust`: a library that runs a command, in a job that some command makes."""
    (tmp_path / "kit.lib").write_text(f"*# shell touch {tmp_path / 'written'}\n")
    monkeypatch.setenv(TRUST, "1")
    job = Job(JOB.text.replace(".op", ".include kit.lib\n.op"), ("v(a)",), folder=str(tmp_path))
    with Cache(tmp_path / "cache") as cache:
        result = run(job, cache=cache)
        assert cache.stats().rows == {}
    assert result.ok
    assert (tmp_path / "written").exists()


class Kills(ProcessBackend):
    """Kills the first engines, as the kernel does when memory runs out."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.left = times

    def _start(self, *arguments: Any) -> Any:
        child = super()._start(*arguments)
        if self.left:
            self.left -= 1
            os.kill(child.pid, signal.SIGKILL)
        return child


def test_an_engine_killed_from_outside_is_run_once_more() -> None:
    result = run(JOB, backend=Kills(1))
    assert result.ok
    assert result.provenance is not None
    assert "run again: the engine was ended from outside (SIGKILL)" in result.provenance.notes
    assert run(JOB, backend=Kills(2)).verdict is Verdict.KILLED


def test_another_temporary_folder_leaves_no_threads_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = Job("t\nV1 a 0 1\nR1 a 0 1\n.op\n.end\n", ("v(a)",))
    threads = []
    for name in "abcd":
        folder = tmp_path / name
        folder.mkdir()
        monkeypatch.setattr(tempfile, "tempdir", str(folder))
        assert run(job).ok
        threads.append(threading.active_count())
        shutil.rmtree(folder)
    assert max(threads[1:]) <= threads[1]
