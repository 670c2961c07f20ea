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
from metalrom import plugins
from metalrom.cli import console
from metalrom.cli.main import app
from metalrom.exporters import EXPORTERS
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
    other = tmp_path / "interrupted.py"  # in a file of its own: Python keeps compiled ones by length and second
    other.write_text("raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):  # Ctrl-C looks the same
        load_named([str(other)])


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


@pytest.mark.parametrize(
    ("number", "code", "word"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)
def test_signals_while_the_program_starts_end_it_with_a_sentence(
    number: signal.Signals, code: int, word: str, tmp_path: Path
) -> None:
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
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (code, "")
    assert err == f"{word} before anything had begun; run the same command again\n"


def test_until_it_can_be_stopped_the_program_imports_next_to_nothing() -> None:
    """Until then Ctrl-C ends in Python's own traceback. A program that imports the package keeps its own handlers."""
    code = """
import enum, gc, importlib, signal, sys, warnings
handlers = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
before = set(sys.modules)
import metalrom.cli.start
print(*sorted(set(sys.modules) - before))
import metalrom.cli.console
assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == handlers
"""
    out, err = (process := _python(code)).communicate(timeout=60)
    assert process.returncode == 0, err
    assert out.split() == ["metalrom", "metalrom.cli", "metalrom.cli.start", "metalrom.cli.stop", "metalrom.version"]


LATE = """
import sys
from types import SimpleNamespace
from metalrom.exporters import register_format
from metalrom.exporters.exporter import Exporter
def write(source, folder):
    print('printed')
    {statement}
class Mute(Exception):
    def __str__(self): raise RuntimeError
register_format(Exporter(name="late", description="x", precision="x", tolerance={{}}, write=write,
                         read_back=lambda *a: None, validate_with_tool=None))
"""


@pytest.mark.parametrize(
    ("statement", "code", "told"),
    [
        ("sys.exit(0)", 3, "ended the program before the command was done"),
        ("raise KeyboardInterrupt", 130, "interrupted"),
        ("raise BrokenPipeError", 2, "the plugin {plugin} failed (BrokenPipeError)"),
        ("raise Mute", 2, "the plugin {plugin} failed (Mute)"),
        ("raise GeneratorExit", 2, "the plugin {plugin} failed (GeneratorExit)"),
        ("import typer; raise typer.Exit(0)", 2, "the plugin {plugin} failed (Exit: 0)"),
        ("return 5", 2, "what the plugin {plugin} registers does not fit (TypeError: "),
    ],
)
def test_plugins_that_fail_when_they_are_used(
    statement: str,
    code: int,
    told: str,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Their code is called by a command: here by one that stands for `export`."""
    monkeypatch.setattr(plugins, "_loaded", {})
    path = tmp_path / f"late_{abs(hash(statement))}.py"
    path.write_text(LATE.format(statement=statement).replace('name="late"', f'name="{path.stem}"'))
    load_named([str(path)])
    command = console.guarded(lambda: list(EXPORTERS[path.stem].write(None, tmp_path)))  # type: ignore[arg-type]
    try:
        with pytest.raises(SystemExit) as stopped, console.shielded_output():
            command()
    finally:
        EXPORTERS.unregister(path.stem)
    out, err = capfd.readouterr()
    assert stopped.value.code == code
    assert out == ""
    assert told.format(plugin=path) in err.replace("\n", "")
    assert "printed" in err
