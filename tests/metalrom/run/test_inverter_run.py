"""A group of six rows read by inverters in the segment, from the configuration to the report."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from characterization.tables.json import read_json
from interconnect import extraction
from metalrom.api import Project, load
from metalrom.pipeline import run_pipeline
from metalrom.run.estimate import estimate_of_run

CONFIG = """\
name: inverter
cell: {kind: cap_balanced, planes: [{row: M2, column: M3}]}
array: {rows: 18, columns: 8, group_rows: 6}
weights: {random: [8, 2], bits: 4}
inputs: {bits: 4, vectors: 4}
readout: {kind: inverter, inverter: {bits: 9, ramp_time: 8ns}}
conditions: {corners: [tt]}
characterization: {patterns: 1, samples: 30, max_levels: 7}
"""


@pytest.mark.ngspice
@pytest.mark.slow
def test_from_the_configuration_to_the_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Project, "extract", lambda p, g, method="auto": extraction.extract(g, p.stack, "formula"))
    config, out = tmp_path / "inverter.yaml", tmp_path / "out"
    config.write_text(CONFIG)
    run_pipeline(load(config), out, jobs=1)
    table, results = read_json(out / "lut"), json.loads((out / "results.json").read_text())
    status = {a.name: a.status for a in table.assumptions}
    assert status["readout"] == status["comparator noise"] == status["readout noise"] == "simulated"
    assert results["readout"].startswith("inverters in the segment, complement drive")
    assert results["readout_cost"].startswith("inverters in the segment")
    assert results["readout"] in (out / "report.html").read_text()
    described = {x["name"]: x["value"] for x in results["readout_inputs"]}
    assert described["bits"] == "9"
    # levels lie within a tenth of a count of the middle between the fixed thresholds, whatever the active rows
    label = table.conditions[0].label
    level, edges, lsb = table.level[0], table.thresholds(label), table.lsb(label)
    off = [
        (level[a, c] - (edges[a, c - 1] + edges[a, c]) / 2) / lsb for a in range(2, 7) for c in range(1, min(a, 5) + 1)
    ]
    assert np.abs(off).max() < 0.1
    # the estimate that reads the run again bills its drawn parts and measured supplies
    components = estimate_of_run(out)["components"]
    assert components["readout"]["kind"] == "inverter"
    # reset, guard, settling of the rows, ramp, recovery: 1 + 0.2 + 0.5 + 8 + 1 ns
    assert sum(x["mid"] for x in components["step_ns"].values()) == pytest.approx(10.7)
    assert components["energy_conversion_fJ"]["inverters"]["status"] == "measured"
