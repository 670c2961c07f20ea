"""The program at its edges: signals while it starts and works; plugins that end it, print or raise what has no text."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from interconnect.errors import InputError
from metalrom.cli import console
from metalrom.cli.main import app
from metalrom.plugins import load_named
from tests.metalrom.test_console import ROOT, _python

MUTE = """
class Mute(Exception):
    def __str__(self): raise RuntimeError
raise Mute
"""


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("import sys; sys.exit(0)", "it ends the program"),
        (MUTE, r"\(Mute: \)"),
        ("class X(BaseException): 0\nraise X", "X"),
    ],
)
def test_plugins_that_end_the_program_or_cannot_say_what_is_wrong(code: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / f"plugin_{abs(hash(code))}.py"
    path.write_text(code)
    with pytest.raises(InputError, match=f"cannot be imported .*{told}"):
        load_named([str(path)])
    path.write_text("raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):  # Ctrl-C looks the same
        load_named([str(path)])


def test_code_that_ends_the_program_later_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped, console.guard(), console.guard():
        sys.exit(0)
    assert stopped.value.code == 3
    assert "ended the program before the command was done" in capsys.readouterr().err
    with pytest.raises(typer.Exit), console.guard():
        raise typer.Exit(0)


def test_a_plugin_that_prints_leaves_the_json_whole(tmp_path: Path) -> None:
    path = tmp_path / "loud.py"
    path.write_text("import sys\nprint('hello')\nsys.stdout.write('there')\n")
    done = CliRunner().invoke(app, ["--plugin", str(path), "schema"])
    assert json.loads(done.stdout)["type"] == "object"
    assert done.stderr.startswith("hello\nthere")


def test_sigterm_is_handled_like_ctrl_c() -> None:
    code = (
        "import time\nfrom metalrom.cli.console import guard\n"
        "with guard(), guard():\n  try: print('in', flush=True); time.sleep(30)\n"
        "  finally: print('cleaned', flush=True)"
    )
    process = _python(code)
    assert process.stdout is not None
    assert process.stdout.readline() == "in\n"
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (143, "cleaned\n")
    assert err == "terminated; " + console.RESUME + "\n"


def test_ctrl_c_while_the_program_starts_leaves_no_traceback(tmp_path: Path) -> None:
    """While the first module is imported, which a module of that name holds up."""
    (tmp_path / "typer.py").write_text("print('started', flush=True)\nimport time\ntime.sleep(30)\n")
    process = subprocess.Popen(
        [sys.executable, "-c", "from metalrom.cli.start import start_program; start_program()"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (-signal.SIGINT, "", "")
