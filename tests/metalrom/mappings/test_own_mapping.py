"""A mapping from a plugin file through the commands: netlist, audit, layout, estimate, run and report."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from interconnect.errors import InputError
from metalrom.api import load
from metalrom.cli.main import app
from metalrom.exporters.run_data import load_source
from metalrom.plugins import load_named
from metalrom.run.evaluate import macro_geometry
from metalrom.run.folder import open_run
from netlists.mapping import MAPPINGS, weights_of

HERE = Path(__file__).resolve().parent
PLUGIN, CONFIG = HERE / "own_mapping.py", HERE / "own_mapping.yaml"


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    yield
    MAPPINGS.unregister("msb_first")
    sys.modules.pop("metalrom_plugin_own_mapping", None)


def run(*words: str) -> int:
    """Exit status of a command with the plugin."""
    return CliRunner().invoke(app, ["--plugin", str(PLUGIN), *words]).exit_code


def test_a_mapping_is_unknown_without_its_plugin() -> None:
    with pytest.raises(InputError, match=r"mapping: should be 'differential'.* got 'msb_first'"):
        load(CONFIG)


def test_the_plugin_s_columns_are_those_of_program_and_estimator() -> None:
    load_named([str(PLUGIN)])
    design = load(CONFIG)
    # 4 bits, the most significant first: 8, 4, 2, 1 in every weight
    assert design.program.place_value[:4].tolist() == [8, 4, 2, 1]
    assert macro_geometry(design, 16).bit_columns_per_weight == 4
    np.testing.assert_array_equal(weights_of(design.program), design.weights.values)


def test_netlist_audit_and_layout(tmp_path: Path) -> None:
    assert run("netlist", str(CONFIG), "-o", str(tmp_path / "netlist")) == 0
    assert run("audit", str(tmp_path / "netlist"), str(CONFIG)) == 0
    assert run("layout", str(CONFIG), "-o", str(tmp_path / "tile.gds")) == 0


@pytest.mark.slow
@pytest.mark.ngspice
def test_a_run_to_the_report(tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run("run", str(CONFIG), "-o", str(out)) == 0
    assert run("estimate", str(out)) == 0
    assert (out / "report.html").stat().st_size > 100_000
    source, program = load_source(out), open_run(out).program
    x, w = source.layer.activations, source.layer.weights
    np.testing.assert_array_equal(weights_of(program), w)
    np.testing.assert_array_equal(source.macro(effects=()).matmul(x, w), x @ w)
