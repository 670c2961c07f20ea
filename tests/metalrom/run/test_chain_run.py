"""A group of eight rows through the readout chain, from the configuration to the report."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from characterization.procedures.adc_margin import margin_assumptions
from characterization.procedures.chain_margin import IDEAL
from characterization.tables.json import read_json
from characterization.tables.netcdf import read_netcdf, read_plane_tables
from interconnect import extraction
from metalrom.api import Project, load
from metalrom.design.readout import line_wire
from metalrom.pipeline import run_pipeline
from metalrom.run.characterize import choose_rows
from ngspice_runner import Cache

pytestmark = pytest.mark.ngspice


@pytest.fixture(autouse=True, scope="module")
def quick_extraction() -> Iterator[None]:
    """Closed formulas instead of the field solver: what is measured does not matter here."""
    patch = pytest.MonkeyPatch()
    patch.setattr(Project, "extract", lambda p, g, method="auto": extraction.extract(g, p.stack, "formula"))
    yield
    patch.undo()


CONFIG = """\
name: chain
cell: {kind: cap_balanced, planes: [{row: M2, column: M3}, {row: M4, column: M5}]}
array: {rows: 32, columns: 8, group_rows: 8, columns_per_adc: 4}
weights: {random: [16, 4], bits: 4}
inputs: {bits: 4, vectors: 4}
readout: {kind: chain}
conditions: {corners: [tt]}
characterization: {patterns: 1, samples: 30, max_levels: 9}
"""


RAMP = CONFIG.replace("columns_per_adc: 4", "columns_per_adc: 1").replace(
    "{kind: chain}", "{kind: chain, converter: {kind: ramp, ref_low: 180mV}}"
)

PAIR = CONFIG.replace("{kind: chain}", "{kind: chain, drive: single, converter: {kind: pair}}")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "converter", "drive"),
    [
        (CONFIG, "array of 8 bits", "complement"),
        (RAMP, "ramp of 6.56 mV/ns", "complement"),
        (PAIR, "array of 8 bits", "single"),
    ],
)
def test_from_the_configuration_to_the_report(tmp_path: Path, text: str, converter: str, drive: str) -> None:
    config = tmp_path / "chain.yaml"
    config.write_text(text)
    out = tmp_path / "out"
    run_pipeline(load(config), out, jobs=1)
    table = read_json(out / "lut")
    assert table.threshold is not None
    assert read_netcdf(out / "lut").threshold == pytest.approx(table.threshold, abs=0.0)
    status = {a.name: a.status for a in table.assumptions}
    assert status["readout"] == status["comparator noise"] == status["readout noise"] == "simulated"
    results = json.loads((out / "results.json").read_text())
    described = {x["name"]: x["value"] for x in results["readout_inputs"]}
    assert described["converter after the comparator"].startswith(converter)
    assert results["readout"].startswith(f"chain of transistors, {drive} drive")
    assert results["readout"] in (out / "report.html").read_text()
    label = table.conditions[0].label
    # levels lie within a tenth of a count of the middle between the fixed thresholds, whatever the active rows
    level, edges, lsb = table.level[0], table.thresholds(label), table.lsb(label)
    off = [
        (level[a, c] - (edges[a, c - 1] + edges[a, c]) / 2) / lsb for a in range(2, 9) for c in range(1, min(a, 7) + 1)
    ]
    assert np.abs(off).max() < 0.1
    assert (table.code_errors(label)[table.valid] < 0.5).all()
    # the run's table is that of the worst plane, and headline and results say which
    stack = read_plane_tables(out / "lut")
    assert stack.planes == ("M2-M3", "M4-M5")
    assert {c.position for c in stack.classes} == {"bottom", "top"}
    margins = {str(t.plane): t.worst_margin().margin for t in stack.tables}
    assert results["headline"]["margin_sigma"] == min(margins.values())
    assert results["headline"]["margin_at"]["plane"] == table.plane == min(margins, key=margins.__getitem__)
    assert [p["margin_sigma"] for p in results["planes"]] == list(margins.values())


@pytest.mark.slow
def test_an_open_group_is_chosen_by_probes_of_the_chain(tmp_path: Path) -> None:
    config = tmp_path / "chain.yaml"
    config.write_text(CONFIG.replace("group_rows: 8", "group_rows: auto, group_candidates: [5, 10]"))
    p = load(config)
    with Cache(tmp_path / "cache") as cache:
        choice = choose_rows(p, cache, jobs=1)
    assert choice is not None
    # both are simulated, from the smaller one on: a segment of the line for each group
    assert [c.rows for c in choice.candidates] == [5, 10]
    assert [p.setup(n).chain.line.segments for n in (5, 10)] == [7, 4]
    few, many = choice.candidates
    # the charge of a count is shared by fewer cells, and the line of more segments takes a little of it
    assert 1.2 < few.lsb / many.lsb < 2.0
    assert few.code_error < many.code_error
    assert choice.rows == 10
    assert choice.outcome.simulated <= 2 * 52


TIE = """\
name: tie
cell: {kind: cap_tie, planes: [{row: M2, column: M3}, {row: M4, column: M5}]}
array: {rows: 32, columns: 8, group_rows: 4, columns_per_adc: 4}
weights: {random: [16, 4], bits: ternary}
mapping: ternary
inputs: {bits: 4, vectors: 4}
conditions: {corners: [tt]}
characterization: {patterns: 1, samples: 30, max_levels: 9}
"""


@pytest.mark.slow
def test_the_ternary_tie_is_read_by_the_chain_by_default(tmp_path: Path) -> None:
    config = tmp_path / "tie.yaml"
    config.write_text(TIE)
    out = tmp_path / "out"
    run_pipeline(load(config), out, jobs=1)
    table = read_json(out / "lut")
    results = json.loads((out / "results.json").read_text())
    assert results["readout"].startswith("chain of transistors, complement drive")
    # one column per weight; a driven row adds 0, 1 or 2 to the count, untied cells 1: the level does not depend on them
    level, lsb = table.level[0], table.lsb(table.conditions[0])
    assert (table.levels, level.shape) == (3, (5, 9))
    silent = level[np.arange(5), np.arange(5)] / lsb
    assert np.ptp(silent) < 0.1
    # +-1 of one driven row lie half a swing of two driven rows apart, within the bend of the followers
    assert level[1, 2] - level[1, 0] == pytest.approx((level[2, 4] - level[2, 0]) / 2, rel=0.02)
    assert (table.code_errors(table.conditions[0])[table.valid] < 1e-4).all()


def test_the_line_is_that_of_the_stack(tmp_path: Path) -> None:
    """M6, 45 nm wide, 0.272 ohm/sq: 6.04 ohm/um; 0.1 to 0.3 fF/um, the usual range of dense metal."""
    config = tmp_path / "chain.yaml"
    config.write_text(CONFIG)
    wire = line_wire(load(config))
    assert wire.source.startswith("M6, 45 nm wide")
    assert wire.resistance == pytest.approx(0.272 / 45e-9)
    assert 0.1e-9 < wire.capacitance < 0.3e-9


def test_an_ideal_readout_says_so(tmp_path: Path) -> None:
    config = tmp_path / "ideal.yaml"
    config.write_text(CONFIG.replace("kind: chain", "kind: ideal"))
    found = margin_assumptions(load(config).setup(8))
    assert [a.value for a in found if a.name == "readout"] == [IDEAL]
