"""The command line's manners: one JSON document, one sentence per error, the promised exit codes, no traceback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import typer
from pydantic import BaseModel, Field
from typer.testing import CliRunner

from interconnect.errors import InputError
from metalrom import plugins
from metalrom.cli import console
from ngspice_runner.errors import EngineError, JobError
from ngspice_runner.job import Verdict

ROOT = Path(__file__).resolve().parents[2]


class _Bounded(BaseModel):
    rows: int = Field(gt=0)


def _validation_error() -> None:
    _Bounded(rows=-1)


def _os_error() -> None:
    Path("/proc/none/report.html").write_text("x")


def _disk_full() -> None:
    with Path("/dev/full").open("w") as file:
        file.write("x" * 100_000)


def _raiser(error: BaseException) -> Callable[[], None]:
    def act() -> None:
        raise error

    return act


@pytest.mark.parametrize(
    ("action", "code", "sentence"),
    [
        (
            _raiser(InputError("unknown key", where="a.yaml: cell", hint="did you mean pitch?")),
            2,
            "did you mean pitch?",
        ),
        (_raiser(JobError("the deck has no title")), 2, "the deck has no title"),
        (_raiser(EngineError("ngspice is missing")), 3, "ngspice is missing"),
        (_validation_error, 2, "rows: should be greater than 0, got -1"),
        (_os_error, 2, "/proc/none/report.html: No such file or directory"),
        (_disk_full, 2, "the disk is full"),
        (_raiser(MemoryError()), 3, "not enough memory"),
        (_raiser(KeyError("q")), 3, "METALROM_DEBUG=1"),
        (_raiser(KeyboardInterrupt()), 130, "run the same command again"),
    ],
)
def test_errors_become_one_sentence_and_a_code(
    action: Callable[[], None],
    code: int,
    sentence: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("METALROM_DEBUG", raising=False)
    monkeypatch.setattr(plugins, "_loaded", {})  # an earlier test's plugin would be named
    with pytest.raises(SystemExit) as stopped, console.guard():
        action()
    shown = capsys.readouterr()
    assert stopped.value.code == code
    assert shown.out == ""
    assert shown.err.count("\n") == 1
    assert sentence in shown.err
    assert "Traceback" not in shown.err


def test_debug_keeps_the_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METALROM_DEBUG", "1")
    with pytest.raises(InputError), console.guard():
        raise InputError("x")


def test_hostile_text_cannot_forge_lines_or_markup(capsys: pytest.CaptureFixture[str]) -> None:
    name = "a\nerror: all is well\x1b[2J[bold]"
    with pytest.raises(SystemExit), console.guard():
        raise InputError(f"no tensor named {name}")
    assert capsys.readouterr().err == "error: no tensor named a\\nerror: all is well\\x1b[2J[bold]\n"


def test_typer_keeps_its_own_exits_and_sees_the_signature() -> None:
    app = typer.Typer()

    @app.command()
    @console.guarded
    def act(count: int, bad: bool = False) -> None:
        if bad:
            raise InputError("bad")
        raise typer.Exit(count)

    run = CliRunner().invoke
    assert run(app, ["1"]).exit_code == 1
    assert run(app, ["0", "--bad"]).exit_code == 2
    assert run(app, ["many"]).exit_code == 2  # click's usage error


@dataclass(frozen=True)
class _Value:
    name: str
    array: object


def test_emit_writes_one_json_document(capsys: pytest.CaptureFixture[str]) -> None:
    data = {
        "value": _Value("µ", np.array([1.5, np.nan])),
        "path": Path("a/b"),
        "verdict": Verdict.OK,
        "model": _Bounded(rows=3),
        "scalar": np.float64(2.5),
        "count": np.int64(2),
        "flag": np.bool_(True),
        "set": {"b", "a"},
        "worst": float("inf"),
    }
    console.emit(data, as_json=True, human="not this")
    # JSON (RFC 8259) has no NaN or infinity: null stands for both.
    assert json.loads(capsys.readouterr().out) == {
        "value": {"name": "µ", "array": [1.5, None]},
        "path": "a/b",
        "verdict": "ok",
        "model": {"rows": 3},
        "scalar": 2.5,
        "count": 2,
        "flag": True,
        "set": ["a", "b"],
        "worst": None,
    }


def test_emit_for_people_and_refusal_of_what_json_cannot_hold(capsys: pytest.CaptureFixture[str]) -> None:
    console.emit({}, as_json=False, human="level [0] of " + "x" * 200)
    assert capsys.readouterr().out == "level [0] of " + "x" * 200 + "\n"
    with pytest.raises(TypeError, match="object cannot be written as JSON"):
        console.emit({"x": object()}, as_json=True)
    assert capsys.readouterr().out == ""


def _python(code: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ},
    )


def test_ctrl_c_in_a_real_process() -> None:
    code = (
        "import time\nfrom metalrom.cli.console import guard\nwith guard():\n  print('in', flush=True); time.sleep(30)"
    )
    process = _python(code)
    assert process.stdout is not None
    assert process.stdout.readline() == "in\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert err == "interrupted; " + console.RESUME + "\n"


def test_reader_that_leaves_early_gets_no_complaint() -> None:
    code = "from metalrom.cli.console import *\nwith guard():\n  while True: emit(['x' * 1000], as_json=True)"
    process = _python(code)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    deadline = time.monotonic() + 20
    while process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    with process.stderr:
        assert process.stderr.read() == ""
    assert process.returncode == 141  # 128 + SIGPIPE, as shells report it


def test_progress_stays_off_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    console.say("reading [layer] 1")
    with console.progress_bar("simulating") as advance:
        advance(1, 2)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "reading [layer] 1\n" in shown.err


def test_importing_the_plumbing_is_cheap() -> None:
    code = "import sys, metalrom.cli.console, metalrom.folders, metalrom.assets; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    heavy = {"rich", "typer", "pydantic", "numpy", "scipy", "quantiphy", "yaml", "jinja2"}
    assert heavy.isdisjoint(loaded)
