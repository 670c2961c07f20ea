"""The page on the harness alone, read from top to bottom: its deck is written, its commands and its Python are run."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ngspice_runner.commands.main import app
from tests.docs.commands import ROOT, blocks, fenced

pytestmark = pytest.mark.ngspice
PAGE = ROOT / "docs" / "how-to" / "simulate.md"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (deck,) = [body for language, body in blocks(PAGE) if language == "spice"]
    (tmp_path / "rc.cir").write_text(deck)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("command", [c.text for c in fenced(PAGE)])
def test_commands(command: str, place: Path) -> None:
    words = shlex.split(command)
    assert words[:3] == ["python", "-m", "ngspice_runner"]
    done = CliRunner().invoke(app, words[3:])
    assert done.exit_code == 0, done.output
    for option in ("--export", "-o"):
        if option in words:
            assert (place / words[words.index(option) + 1]).stat().st_size > 0


def test_python_blocks(place: Path) -> None:
    bodies = [body for language, body in blocks(PAGE) if language == "python"]
    assert len(bodies) == 3
    for body in bodies:
        exec(compile(body, str(PAGE), "exec"), {})  # noqa: S102 - the page's own code


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["run", "nowhere.cir", "--save", "v(out)"], 2, "nowhere.cir"),
        (["run", "rc.cir", "--save", "v(none)"], 3, "verdict: no_output"),
        (["run", "rc.cir", "--save", "v(out)", "--compatibility", "xx"], 2, "lt, ki, ps, hs"),
        (["sweep", "rc.cir", "--save", "v(out)", "--vary", "load"], 2, "NAME=VALUES"),
        (["conformance", "--group", "none"], 2, "no group"),
        (["conformance", "--harness", "metalrom-proces"], 2, "metalrom-process"),
    ],
)
def test_errors_are_one_sentence(words: list[str], code: int, message: str, place: Path) -> None:
    done = CliRunner().invoke(app, words)
    assert (done.exit_code, message in done.output) == (code, True), done.output
    assert "Traceback" not in done.output
