"""`metalrom stack check`: faults, what is assumed, the picture; starters of every cell; mismatch of an own pitch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from metalrom.api import load
from metalrom.cli.init import _CELLS, write_starter
from metalrom.cli.main import app
from metalrom.design.variation import configured_variation

OWN = Path(__file__).resolve().parents[2] / "examples" / "own_kit"


def call(*words: object) -> Any:
    return CliRunner().invoke(app, [str(word) for word in words])


def test_stack_without_faults(tmp_path: Path) -> None:
    for name in ("s.svg", "s.png"):
        done = call("stack", "check", "sky130", "--picture", tmp_path / name, "--json")
        assert done.exit_code == 0, done.output
    data = json.loads(done.stdout)
    assert data["planes"] == ["li1-met1", "met1-met2", "met2-met3", "met3-met4"]
    assert "metals.met1.tcr" in next(a["values"] for a in data["assumed"] if "bulk aluminium" in a["source"])
    assert (tmp_path / "s.png").read_bytes().startswith(b"\x89PNG")
    assert "met5" in (tmp_path / "s.svg").read_text()


def test_faults_of_a_stack(tmp_path: Path) -> None:
    text = (OWN / "stack.yaml").read_text().replace("k: 2.7", "k: 0.5").replace("above: M2", "above: M9")
    file = tmp_path / "bad.yaml"
    file.write_text(text)
    done = call("stack", "check", file, "--json")
    assert done.exit_code == 2
    faults = json.loads(done.stdout)["faults"]
    assert any("permittivity" in f for f in faults)
    assert any("there is no metal 'M9'" in f for f in faults)


@pytest.mark.parametrize("cell", _CELLS)
def test_every_cell_has_a_starter(cell: str, tmp_path: Path) -> None:
    assert load(write_starter(tmp_path, cell)).config.cell.kind == cell


def test_mismatch_of_an_own_pitch_is_that_of_its_gap(tmp_path: Path) -> None:
    """Columns of 120 nm with lines of 20 nm: a gap of 20 nm over 60 nm, 8.5 % by roughness."""
    file = tmp_path / "own.yaml"
    file.write_text(f"""
name: own_pitch
technology: {{stack: {OWN / "stack.yaml"}, devices: open45}}
cell: {{kind: cap_balanced, row_pitch: 80nm, column_pitch: 120nm, row_width: 20nm, column_width: 20nm,
       planes: [{{row: M2, column: M3}}]}}
weights: {{random: [16, 4], bits: 4}}
""")
    found = configured_variation(load(file))
    assert found.cell_sigma == pytest.approx(0.085, abs=5e-4)
    assert "on a gap of 20 nm over 60 nm" in found.source
