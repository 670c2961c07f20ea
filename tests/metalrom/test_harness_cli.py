"""`metalrom simulate` and `metalrom cache`, through the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from metalrom.cli.main import app
from metalrom.folders import cache_folder
from ngspice_runner import Cache, Job, run

pytestmark = pytest.mark.ngspice
RUNNER = CliRunner()
DIVIDER = "divider\nV1 a 0 dc 2 ac 1\nR1 a out 1e3\nR2 out 0 1e3\n{card}\n.end\n"


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METALROM_CACHE", str(tmp_path / "cache"))


def deck(folder: Path, card: str = ".op") -> str:
    (folder / "deck.cir").write_text(DIVIDER.format(card=card))
    return str(folder / "deck.cir")


@pytest.mark.parametrize("backend", ["process", "batch"])
def test_json_document(tmp_path: Path, backend: str) -> None:
    """2 V over two equal resistors: 1 V."""
    done = RUNNER.invoke(app, ["simulate", deck(tmp_path), "--save", "v(out),v(a,out)", "--backend", backend, "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert set(told) == {"verdict", "signals", "log", "provenance"}
    assert told["verdict"] == "ok"
    assert told["signals"]["v(out)"] == pytest.approx([1.0])
    assert told["signals"]["v(a,out)"] == pytest.approx([1.0])
    assert told["provenance"]["backend"] == "process"


def test_complex_vectors_are_pairs(tmp_path: Path) -> None:
    done = RUNNER.invoke(app, ["simulate", deck(tmp_path, ".ac lin 3 1 3"), "--save", "v(out)", "--json"])
    told = json.loads(done.stdout)
    assert told["signals"]["v(out)"] == [[0.5, 0.0]] * 3
    assert told["signals"]["frequency"] == [1.0, 2.0, 3.0]


def test_failure_is_exit_code_3_with_its_reason(tmp_path: Path) -> None:
    path = tmp_path / "deck.cir"
    path.write_text(DIVIDER.format(card="V2 a 0 1\n.op"))
    done = RUNNER.invoke(app, ["simulate", str(path), "--save", "v(out)"])
    assert done.exit_code == 3
    assert "verdict: convergence" in done.stdout
    assert "DC solution failed" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--save", "v(out)", "--backend", "nothing"], "backend 'nothing' does not exist"),
        (["--save", "v(out); shell ls"], "is not a vector name"),
        (["--save", "v(out)", "--timeout", "-1"], "timeout is -1 s"),
    ],
)
def test_bad_input_is_one_sentence(tmp_path: Path, arguments: list[str], message: str) -> None:
    done = RUNNER.invoke(app, ["simulate", deck(tmp_path), *arguments])
    assert done.exit_code == 2
    assert message in done.output


def test_missing_deck(tmp_path: Path) -> None:
    done = RUNNER.invoke(app, ["simulate", str(tmp_path / "none.cir"), "--save", "v(out)"])
    assert done.exit_code == 2
    assert "No such file" in done.output


def test_cache_commands() -> None:
    folder = cache_folder("simulations")
    with Cache(folder) as cache:
        run(Job(DIVIDER.format(card=".op"), ("v(out)",)), cache=cache)
        run(Job(DIVIDER.format(card="V2 a 0 1\n.op"), ("v(out)",)), cache=cache)
    told = json.loads(RUNNER.invoke(app, ["cache", "stats", "--json"]).stdout)
    assert told["rows"] == {"ok": 1, "convergence": 1}
    assert "1 convergence, 1 ok" in RUNNER.invoke(app, ["cache", "stats"]).stdout
    whole = RUNNER.invoke(app, ["cache", "verify"])
    assert (whole.exit_code, "2 results whole, 0 damaged" in whole.stdout) == (0, True)
    pruned = json.loads(RUNNER.invoke(app, ["cache", "prune", "--failures", "--json"]).stdout)
    assert pruned["removed"] == 1
    data = bytearray((folder / "results.sqlite").read_bytes())
    place = data.find(b'"signals"')
    data[place] ^= 1
    (folder / "results.sqlite").write_bytes(data)
    assert RUNNER.invoke(app, ["cache", "verify"]).exit_code == 1
    assert json.loads(RUNNER.invoke(app, ["cache", "stats", "--json"]).stdout)["damaged_rows"] == 1


def test_json_is_not_for_millions_of_numbers(tmp_path: Path) -> None:
    deck = tmp_path / "many.cir"
    deck.write_text("t\nV1 a 0 1\nR1 a 0 1\n.dc V1 0 1.000001 2.5e-6\n.end\n")  # sweep, voltage, current
    given = ["simulate", str(deck), "--save", "v(a),i(v1)"]
    done = RUNNER.invoke(app, [*given, "--json"])
    assert (done.exit_code, done.stdout) == (2, "")
    assert "the result holds 1200003 numbers, more than the 1000000 that JSON output is for" in done.stderr
    shown = RUNNER.invoke(app, [*given, "--export", str(tmp_path / "many.npz")])
    assert shown.exit_code == 0
    assert "v(a): 400001 points" in shown.stdout
