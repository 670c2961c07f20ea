"""One run whose weakest level lies beyond its threshold: every output states the same negative margin."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
import xarray

import characterization.tables.table  # noqa: F401 - registers the accessor `readout`
from characterization.tables.formats import read_table

PROJECT = """\
# the levels of many active rows bend: count 29 of 64 active rows lies beyond its threshold
name: margin_sign
technology: {stack: generic28, devices: open45}
cell: {kind: res_via, resistance: 1Mohm, planes: [{row: M2, column: M3}]}
array: {rows: 64, columns: 64, group_rows: 64}
weights: {random: [64, 8], bits: 4}
inputs: {bits: 4, source: random, vectors: 8}
periphery: {sense_resistance: 928ohm}
variation: {cell_sigma: 2.5%}
conditions: {corners: [tt], vdd: [1.0V], temperature: [27degC]}
characterization: {samples: 30}
specs: [margin > 3, code_error < 1e-4]
"""


@pytest.mark.slow
def test_the_same_negative_margin_in_terminal_results_report_specifications_and_tables(metalrom, tmp_path: Path):
    config, out = tmp_path / "margin_sign.yaml", tmp_path / "out"
    config.write_text(PROJECT)
    done = metalrom("run", config, "-o", out)
    assert done.returncode == 1, done.stderr  # specifications missed
    results = json.loads((out / "results.json").read_text())
    headline = results["headline"]
    margin = headline["margin_sigma"]
    # -2.88 (95 %: -3.06 to -2.69) by 400 simulated chips (samples: 400, sampling: full); 30 of them say -3.3
    assert -3.0 < margin < -2.76
    assert headline["margin_at"] == {"condition": "tt_1.00V_27C", "active": 64, "count": 29, "plane": "M2-M3"}
    assert headline["verdict"] == "missed"
    low, high = headline["code_error_interval"]
    assert 0 < low < headline["code_error"] < high <= 1
    assert headline["csnr_interval_dB"][0] < headline["csnr_interval_dB"][1]
    assert min(m["margin_sigma"] for m in results["margins"]) == margin
    # one implementation of the intervals: headline, sign-off of the condition, specifications
    (signed,) = results["sign_off"]
    assert signed["margin_sigma"] == margin
    low, high = headline["margin_interval_sigma"]
    assert low < margin < high
    for name in ("code_error", "code_error_interval", "margin_interval_sigma"):
        assert signed[name] == headline[name]
    ends = {s["quantity"]: [s["low"], s["high"]] for s in results["specs"]}
    assert ends == {"margin": [low, high], "code_error": headline["code_error_interval"]}
    assert f"95 %: {low:.2f} to {high:.2f} sigma" in " ".join(done.stdout.split())
    # chips and the read in time
    chips = results["chips"]
    assert (len(chips["chips"]), chips["yield_share"]) == (24, 0.0)
    assert chips["code_error_worst"] == max(c["code_error"] for c in chips["chips"])
    names = [(t["name"], t["unit"]) for t in results["waveform"]["traces"]]
    assert names == [("row line at its driver", "V"), ("sensed current", "A")]
    assert [i["name"] for i in results["waveform"]["instants"]] == ["inputs rise", "integration begins"]
    # terminal
    shown = re.search(r"^margin\s+(-?[\d.]+) sigma \(worst level: count 29 of 64 active", done.stdout, re.MULTILINE)
    assert shown is not None, done.stdout
    assert shown[1] == f"{margin:.2f}"
    # specifications
    assert next(s["value"] for s in results["specs"] if s["quantity"] == "margin") == margin
    # report
    assert f"{low:.2f} to {high:.2f} σ" in (out / "report.html").read_text()
    page = (out / "report.html").read_text()
    card = re.search(r'<b>Margin</b>.*?<div class="value">([^<]*)</div>', page, re.DOTALL)
    assert card is not None
    assert float(card[1].replace("\u2212", "-").split()[0].rstrip("σ\u00a0")) == float(f"{margin:.3g}")
    # tables: their values and what follows from them
    with xarray.open_dataset(out / "lut" / "readout.nc", engine="h5netcdf") as dataset:
        assert float(dataset["margin"].min()) == margin
        assert dataset.readout.worst_margin().margin == margin
    with (out / "lut" / "readout.csv").open() as file:
        worst = min(csv.DictReader(file), key=lambda row: float(row["margin_sigma"]))
    assert (float(worst["margin_sigma"]), worst["active"], worst["count"]) == (margin, "64", "29")
    assert float(worst["code_error_probability"]) > 0.997  # Phi(2.76)
    table = read_table("json", out / "lut")
    assert table.worst_margin().margin == margin
    assert np.nanmin(table.margins("tt_1.00V_27C")) == margin
    # the machine's copy of the terminal
    again = metalrom("run", config, "-o", tmp_path / "again", "--json")
    assert json.loads(again.stdout)["headline"] == headline
