"""`metalrom testbench` and `metalrom netlist --testbench`: one code, and what they refuse."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from metalrom.cli.main import app
from tests.builders import write_config

RUNNER = CliRunner()


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_config(
        tmp_path_factory.mktemp("testbench") / "small.yaml",
        cell={"planes": [{"row": "M2", "column": "M3"}, {"row": "M4", "column": "M5"}]},
        conditions={"temperature": [27, 85]},
    )


def test_both_commands_write_the_same_file(config: Path, tmp_path: Path) -> None:
    read = ["--active", "3", "--count", "2", "--at", "tt_1.00V_85C", "--plane", "M2-M3"]
    done = RUNNER.invoke(app, ["testbench", str(config), *read, "-o", str(tmp_path / "a.cir"), "--json"])
    assert done.exit_code == 0, done.output
    text = (tmp_path / "a.cir").read_text()
    told = json.loads(done.stdout)
    assert (told["unit"], told["sha256"]) == ("V", hashlib.sha256(text.encode()).hexdigest())
    other = RUNNER.invoke(app, ["netlist", str(config), "--testbench", *read, "-o", str(tmp_path / "b.cir")])
    assert other.exit_code == 0, other.output
    assert (tmp_path / "b.cir").read_text() == text
    assert "tt_1.00V_85C, plane M2-M3, 3 of 4 rows active, count 2." in text
    assert " temp=8.5e+01 " in text
    assert text.rstrip().endswith(".end")
    assert ".meas tran level " in text


def test_the_largest_count_of_the_nominal_condition_by_default(config: Path) -> None:
    done = RUNNER.invoke(app, ["testbench", str(config), "--plane", "1"])
    assert done.exit_code == 0, done.output
    assert "tt_1.00V_27C, plane M4-M5, 4 of 4 rows active, count 4." in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["testbench", "--at", "tt_1.00V_86C"], "no condition 'tt_1.00V_86C'; did you mean 'tt_1.00V_85C'"),
        (["testbench", "--active", "9"], "9 active rows: a group has 0 to 4"),
        (["testbench", "--plane", "2"], "plane 2: the configuration has planes 0 to 1"),
        (["testbench", "--plane", "M3"], "no table is characterized of a plane 'M3'"),
        (["testbench", "--json"], "--json describes a written file"),
        (["netlist", "--count", "2"], "--count: describes a read of a column; add --testbench"),
        (["netlist", "--testbench", "--level", "macro"], "a testbench is of one column"),
    ],
)
def test_refusals(config: Path, arguments: list[str], message: str) -> None:
    command, *options = arguments
    done = RUNNER.invoke(app, [command, str(config), *options])
    assert done.exit_code == 2
    assert message in " ".join(done.stderr.split())
