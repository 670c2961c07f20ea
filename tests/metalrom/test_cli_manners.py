"""What every command does alike: examples that are right, `--json`, completion, suggestions, colours, `init`."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from typer.testing import CliRunner

from interconnect.errors import InputError
from metalrom.cli import completion
from metalrom.cli.init import Starter, ask_starter, write_starter
from metalrom.cli.main import app
from metalrom.config.schema import load_config
from tests.scripts import metalrom_command

SHELL_WORDS = (">", "|")


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command with the words that call it."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


ALL = dict(commands(typer.main.get_command(app)))


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_every_command_shows_examples_that_it_understands(words: tuple[str, ...]) -> None:
    epilog = ALL[words].epilog or ""
    assert epilog.startswith("Examples:")
    lines = [line.strip() for line in epilog.split("\n\n")[1:]]
    assert lines
    for line in lines:
        given = shlex.split(line)
        given = given[: next((i for i, w in enumerate(given) if w in SHELL_WORDS), len(given))]
        assert given[: 1 + len(words)] == ["metalrom", *words], line
        ALL[words].make_context(words[-1], given[1 + len(words) :])  # an unknown or missing option raises


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_every_command_has_json(words: tuple[str, ...]) -> None:
    assert any("--json" in p.opts for p in ALL[words].params)


def test_completed_names_are_those_that_exist() -> None:
    from characterization.procedure_registry import PROCEDURES
    from characterization.tables.formats import FORMATS
    from interconnect.errors import InputError as Refused
    from interconnect.stackfile import load_stack
    from metalrom.assets.catalogue import ASSETS
    from metalrom.cli.accuracy import MODELS as NETWORKS
    from metalrom.cli.init import _CELLS
    from metalrom.exporters import EXPORTERS
    from metalrom.studies.systems.chip import CHIPS
    from metalrom.studies.systems.comparison import METAL
    from metalrom.studies.systems.description import SYSTEMS
    from metalrom.workloads.inventory.catalogue import MODELS
    from netlists.baselines.registry import BASELINE_CELLS

    assert set(completion.FORMATS()) == {*FORMATS, *EXPORTERS}
    assert set(completion.ASSETS) == set(ASSETS)
    assert set(completion.PROCEDURES()) == set(PROCEDURES)
    assert set(completion.WORKLOADS) == {*MODELS, "smollm2"}
    assert set(completion.SYSTEMS()) == {*SYSTEMS, *CHIPS, METAL}
    assert set(completion.STARTERS) == set(_CELLS)
    assert set(completion.MODELS) == set(NETWORKS)
    for name in completion.STACKS:
        assert load_stack(name).metals
    for kind in completion.BASELINES():
        BASELINE_CELLS[kind]
    with pytest.raises(Refused):
        BASELINE_CELLS["rom_2t"]


def shell(words: str, *, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """The program in a process of its own, not on a terminal."""
    return subprocess.run(
        metalrom_command(*shlex.split(words)),
        capture_output=True, text=True, timeout=60, check=False, env={**os.environ, "COLUMNS": "160", **(env or {})},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("metalrom export out --format ne", "netcdf neurosim"),
        ("metalrom characterize x --procedures noise,s", "noise,settling noise,supply"),
        ("metalrom fetch mini", "minilm"),
        ("metalrom netlist x --level co", "column"),
        ("metalrom estimate out --workload bert", "bert-base"),
        ("metalrom exp", "export explore"),
    ],
)
def test_the_shell_completes(typed: str, expected: str) -> None:
    count = str(len(typed.split()) - 1)
    done = shell("", env={"_METALROM_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": count})
    assert done.stdout.split() == expected.split()


@pytest.mark.parametrize(
    ("typed", "meant"), [("rnu", "'run'"), ("run --jbos 2 x", "--jobs"), ("cache stast", "'stats'")]
)
def test_a_mistyped_word_is_answered_with_the_right_one(typed: str, meant: str) -> None:
    done = CliRunner().invoke(app, shlex.split(typed))
    assert done.exit_code == 2
    assert meant in done.output


def test_no_colours_into_a_pipe(tmp_path: Path) -> None:
    for words in ("--help", "rnu", f"extract {tmp_path / 'none.yaml'}"):
        done = shell(words, env={"TERM": "xterm-256color"})
        assert "\x1b" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    "asked",
    [
        Starter(),
        Starter(cell="res_via", rows=8, bits=8),
        Starter(cell="res_via", stack="generic28", bits=2),
        Starter(stack="freepdk45", rows=4),
    ],
)
def test_what_init_writes_loads(asked: Starter, tmp_path: Path) -> None:
    path = write_starter(tmp_path / "new", asked)
    config = load_config(path)
    assert (config.cell.kind, config.array.rows, config.weights.bits) == (asked.cell, asked.rows, asked.bits)
    assert config.technology.stack == asked.stack or asked.stack is None
    assert "#" in path.read_text(encoding="utf-8")
    with pytest.raises(InputError, match="already"):
        write_starter(tmp_path / "new", asked)


def test_init_takes_a_weight_file(tmp_path: Path) -> None:
    np = pytest.importorskip("numpy")
    np.save(tmp_path / "w: #1.npy", np.ones((16, 4)))
    path = write_starter(tmp_path / "new", Starter(weights=tmp_path / "w: #1.npy", bits=8))
    assert Path(yaml.safe_load(path.read_text())["weights"]["file"]) == tmp_path / "w: #1.npy"


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (Starter(cell="cap_balancd"), "cap_balanced"),
        (Starter(stack="generic29"), "generic28"),
        (Starter(rows=2), "at least 4"),
        (Starter(bits=3), "2, 4, 6 or 8"),
        (Starter(tensor="w"), "--weights"),
        (Starter(weights=Path("none.npy")), "none.npy"),
        (Starter(stack="none.yaml"), "none.yaml"),
    ],
)
def test_init_refuses_and_leaves_nothing(asked: Starter, words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=words):
        write_starter(tmp_path / "new", asked)
    assert not (tmp_path / "new").exists()


def test_init_asks() -> None:
    answers = iter(["res_via", "open45", "32", "model.npz", "w", "8"])
    asked = ask_starter(lambda question, default: next(answers), Starter())
    assert asked == Starter("res_via", "open45", "open45", 32, Path("model.npz"), "w", 8)
    with pytest.raises(InputError, match="whole number"):
        ask_starter(lambda question, default: "x" if "rows" in question else default, Starter())


def test_init_tells_in_json_and_asks_nothing_off_a_terminal(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["init", str(tmp_path / "new"), "--json"])
    assert json.loads(done.stdout) == {"config": str(tmp_path / "new" / "metalrom.yaml")}
    assert CliRunner().invoke(app, ["init", str(tmp_path / "other")]).exit_code == 0
