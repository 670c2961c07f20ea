"""`metalrom netlist --baseline KIND`: a layer's column in transistor cells, read back cell by cell and run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from metalrom.api import load
from metalrom.cli.main import app
from metalrom.studies.baseline import baseline_deck
from netlists.baselines import BaselineComputing, BaselineStimulus, make_baseline_cell, measure_operation, shared_level
from ngspice_runner import Job, run
from tests.builders import write_config

RUNNER = CliRunner()
WEIGHTS = np.random.default_rng(11).integers(-7, 8, (21, 2))
# Of the selected rows: lowest digits in base 4, where positive, 3, 1, 0, 3, 2 and 1.
WEIGHTS[[0, 4, 8, 12, 16, 20], 0] = (3, 5, -2, 7, 2, 1)


def config(tmp_path: Path, rows: int = 32, **sections: Any) -> Path:
    np.savetxt(tmp_path / "w.csv", WEIGHTS, fmt="%d", delimiter=",")
    return write_config(
        tmp_path / "small.yaml",
        technology={"stack": "open45", "devices": "open45"},
        cell={"planes": [{"row": "metal2", "column": "metal3"}]},
        array={"rows": rows},
        **{"weights": {"random": None, "file": "w.csv", "integers": True}, **sections},
    )


def stored(text: str, kind: str, group: int = 4) -> list[int]:
    """Symbols of a deck by row of the layer, from the subcircuit of every cell; the selected row 0 has no suffix."""
    found: dict[int, int] = {}
    for local, row, symbol in re.findall(rf"^X_cell_(\d+)(?:_r(\d+))? .*? {kind}_(\d)$", text, re.MULTILINE):
        place = int(local) * group + int(row or 0)
        assert place not in found
        found[place] = int(symbol)
    return [found[place] for place in range(len(found))]


@pytest.mark.parametrize(("kind", "base"), [("rom_1t", 2), ("rom_1t_mlc", 4), ("sram_8t", 2), ("sram_6t", 2)])
def test_every_weight_is_in_its_cell(kind: str, base: int, tmp_path: Path) -> None:
    done = RUNNER.invoke(app, ["netlist", str(config(tmp_path)), "--baseline", kind])
    assert done.exit_code == 0, done.output
    # Differential mapping, first column: the lowest digit of positive weights. 21 rows in 6 local arrays of 4.
    column = WEIGHTS[:, 0]
    digits = np.where(column > 0, column % base, 0)
    assert stored(done.stdout, kind) == [*digits, 0, 0, 0]
    assert f"* Stored: rows 0 to 20 of column 0 of {12 if base == 2 else 8} of the layer's program" in done.stdout
    assert f"base {base}); symbol s of a cell counts s times 1 in weight column 0." in done.stdout
    assert "The last 3 rows fill up the last local array and store 0." in done.stdout


@pytest.mark.ngspice
def test_the_written_deck_runs_and_adds_the_selected_cells(tmp_path: Path) -> None:
    output = tmp_path / "column.cir"
    done = RUNNER.invoke(app, ["netlist", str(config(tmp_path)), "--baseline", "rom_1t_mlc", "-o", str(output)])
    assert (done.exit_code, done.stdout) == (0, ""), done.output
    assert "wrote" in done.stderr
    project = load(tmp_path / "small.yaml")
    deck = baseline_deck(project, "rom_1t_mlc")
    assert output.read_text() == deck.text
    result = run(Job(deck.text, deck.outputs, stop=deck.stop))
    assert result.ok, result.log
    cell = make_baseline_cell("rom_1t_mlc")
    column = np.where(WEIGHTS[:, 0] > 0, WEIGHTS[:, 0] % 4, 0)
    case = BaselineStimulus(symbols=np.append(column, [0, 0, 0]).reshape(6, 4), selected=[0] * 6, inputs=[1] * 6)  # type: ignore[arg-type]
    assert case.count == 10
    form = shared_level(project.technology, cell, BaselineComputing(), project.conditions[0], case)
    assert measure_operation(deck, result.signals).level == pytest.approx(form.level, abs=0.01 * form.full_scale)


def test_rows_beyond_the_tile_are_left_to_the_next_one(tmp_path: Path) -> None:
    deck = baseline_deck(load(config(tmp_path, rows=16)), "rom_1t")
    assert len(stored(deck.text, "rom_1t")) == 16
    assert "* Stored: rows 0 to 15 of" in deck.text
    assert "fill up" not in deck.text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--baseline", "rom_1m"], "there is no local cell kind 'rom_1m'; did you mean 'rom_1t'"),
        (
            ["--baseline", "rom_1t", "--level", "array"],
            "no baseline exists at level 'array'; a baseline is one",
        ),
        (["--baseline", "rom_1t", "-o", "no/such/folder.cir"], "no/such/folder.cir: cannot be written"),
    ],
)
def test_faults_are_one_sentence(arguments: list[str], words: str, tmp_path: Path) -> None:
    done = RUNNER.invoke(app, ["netlist", str(config(tmp_path)), *arguments])
    assert (done.exit_code, done.stdout) == (2, ""), done.output
    message = done.stderr.strip()
    assert words in message
    assert len(message.splitlines()) == 1


def test_too_many_rows_and_weights_that_do_not_fit(tmp_path: Path) -> None:
    path = config(tmp_path, rows=9000, weights={"random": [9000, 1]})
    done = RUNNER.invoke(app, ["netlist", str(path), "--baseline", "sram_6t"])
    assert done.exit_code == 2
    assert "9000 rows in local arrays of 4 make 2250 local arrays, at most 1024" in " ".join(done.stderr.split())
    path = config(tmp_path, mapping="unsigned")
    done = RUNNER.invoke(app, ["netlist", str(path), "--baseline", "rom_1t"])
    assert done.exit_code == 2
    assert "mapping: a weight of -" in done.stderr
