"""The whole chain on a small project: every output is there, true, repeatable, and read back."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import metalrom as package
from characterization.dataset import read_samples_csv
from characterization.tables.formats import FORMATS
from metalrom.macro import Macro, csnr
from metalrom.run.folder import open_run
from metalrom.studies.systems.metal import macro_of_run
from netlists.mapping import weights_of
from ngspice_runner import find_engine

OUTPUTS = ("manifest.json", "samples.csv", "models.json", "results.json", "report.html", "netlists", "lut", "figures")
TABLES = ("samples.csv", "models.json", "results.json", "lut/readout.nc", "lut/readout.csv", "lut/readout.json")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Filled by the first test of the module: (config, output folder)."""
    return {}


@pytest.fixture
def out(finished, tmp_path_factory, metalrom, request):
    """Output folder of a finished run of the small project."""
    if not finished:
        folder = tmp_path_factory.mktemp("chain")
        config = folder / "small.yaml"
        from_conftest = Path(request.config.rootpath) / "tests" / "system" / "conftest.py"
        text = re.search(r'SMALL = """\\\n(.*?)"""', from_conftest.read_text(), re.DOTALL)
        config.write_text(text[1].format(seed=1))
        done = metalrom("run", config, "-o", folder / "out", "--json")
        assert done.returncode == 0, done.stderr
        finished.update(config=config, out=folder / "out", summary=json.loads(done.stdout))
    return finished["out"]


def test_every_output_is_there(out, finished):
    for name in OUTPUTS:
        assert (out / name).exists(), name
    assert finished["summary"]["meets_target"] is True
    assert finished["summary"]["failed_simulations"] == 0
    assert any("estimate" in text for text in finished["summary"]["warnings"])


def test_a_second_run_simulates_nothing_and_writes_the_same_bytes(out, finished, metalrom, tmp_path):
    done = metalrom("run", finished["config"], "-o", tmp_path / "again")
    assert done.returncode == 0, done.stderr
    counts = json.loads((tmp_path / "again" / "manifest.json").read_text())["simulations"]
    assert counts["run"] == 0
    assert counts["cached"] > 0
    for name in TABLES:
        assert (tmp_path / "again" / name).read_bytes() == (out / name).read_bytes(), name


@pytest.mark.skipif(importlib.util.find_spec("distributed") is None, reason="dask.distributed is not installed")
def test_a_cluster_gives_the_same_bytes(out, finished, metalrom, tmp_path):
    done = metalrom("run", finished["config"], "-o", tmp_path / "there", "--cluster", "local", "--jobs", 2, "--seed", 1)
    assert done.returncode == 0, done.stderr
    assert all((tmp_path / "there" / name).read_bytes() == (out / name).read_bytes() for name in TABLES)


def test_another_seed_gives_other_decks(out, finished, metalrom, tmp_path):
    done = metalrom("characterize", finished["config"], "-o", tmp_path / "other", "--seed", 2)
    assert done.returncode == 0, done.stderr
    ours = read_samples_csv((out / "samples.csv").read_text())
    theirs = read_samples_csv((tmp_path / "other" / "samples.csv").read_text())
    drawn, others = ({s.deck for s in d.select("mismatch").samples if s.deck} for d in (ours, theirs))
    assert drawn
    assert not drawn & others


def test_netlists_run_alone_and_print_levels_of_the_table(out, tmp_path):
    run = open_run(out)
    condition, table = run.results.condition, run.table
    worst, rows = table.worst_margin(condition), table.rows
    places = {"mid_scale": (rows, rows // 2), "full_scale": (rows, rows), "weakest": (worst.active, worst.count)}
    assert {path.name for path in (out / "netlists").iterdir()} >= {f"{name}_{condition}.cir" for name in places}
    models = json.loads((out / "models.json").read_text())["levels"]
    fit = models[table.index(condition)]["quality"]["held_out_max"]
    for name, (active, count) in places.items():
        text = (out / "netlists" / f"{name}_{condition}.cir").read_text()
        assert f"{active} of {rows} rows active, count {count}." in text
        (tmp_path / name).mkdir()
        (tmp_path / name / "read.cir").write_text(text)
        done = subprocess.run(
            [find_engine().path, "-b", "read.cir"], cwd=tmp_path / name, env={"HOME": str(tmp_path / name)},
            capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
        level = float(re.search(r"^level += +(\S+)$", done.stdout, re.MULTILINE)[1])
        i = table.index(condition)
        spread = np.hypot(table.sigma_pattern[i, active, count], fit)
        assert level == pytest.approx(table.level[i, active, count], abs=3 * spread)
        assert spread < 0.1 * table.lsb(condition)


def test_manifest_hashes_are_those_of_the_files(out):
    files = json.loads((out / "manifest.json").read_text())["files"]
    assert "samples.csv" in files
    for name, digest in files.items():
        assert hashlib.sha256((out / name).read_bytes()).hexdigest() == digest, name


def test_every_sample_is_there_with_its_verdict(out):
    data = read_samples_csv((out / "samples.csv").read_text())
    assert len(data) == len(data.good())
    # 15 (active, count) pairs x 2 patterns + 6 extremes; 5 distinct mismatch points of 4 rows x 30 draws, and (2, 0)
    assert len(data.select("transfer")) == 15 * 2 + 6
    assert len(data.select("mismatch")) == 6 * 30


def test_levels_follow_the_closed_form(out):
    # One more count lifts the line by V_dd C_switched / C_total. C_total: extracted line, 100 aF of readout input and
    # the reset transistor (0.12 um wide, drain 0.105 um long) by hand from the card: overlap 0.278 fF/um, junction
    # 3 fF/um2, side walls 0.45 fF/um on three sides and 0.25 fF/um at the gate, all at zero bias.
    run = open_run(out)
    results, table = run.results, run.table
    reset = 0.278e-15 * 0.12 + 3e-15 * 0.12 * 0.105 + 0.45e-15 * (0.12 + 2 * 0.105) + 0.25e-15 * 0.12
    total = table.rows * results.cell.bl_total + 100e-18 + reset
    assert table.lsb(results.condition) == pytest.approx(1.0 * results.cell.switched / total, rel=0.05)


def test_the_ideal_macro_is_exact_and_the_real_one_is_judged(out):
    run = open_run(out)
    results, table = run.results, run.table
    rng = np.random.default_rng(5)
    x, w = rng.integers(-8, 8, (20, 16)), rng.integers(-7, 8, (16, 6))
    assert_array_equal(Macro.ideal(rows=4, weight_bits=4, input_bits=4).matmul(x, w), x @ w)
    got = Macro(table, results.condition, weight_bits=4, input_bits=4).matmul(x, w)
    q = csnr(x @ w, got)
    assert q.fitted >= q.raw - 1e-9 or np.isinf(q.raw)
    assert results.quality[0].csnr_raw is None or results.quality[0].csnr_raw > 20


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_exports_are_read_back(out, name, metalrom, tmp_path):
    done = metalrom("export", out, "--format", name, "-o", tmp_path / name, "--check")
    assert done.returncode == 0, done.stderr
    back = FORMATS[name].read(tmp_path / name)
    assert_array_equal(back.level, open_run(out).table.level)


def test_estimate_tells_figures_sources_and_budget(out, metalrom):
    done = metalrom("estimate", out, "--json")
    assert done.returncode == 0, done.stderr
    data = json.loads(done.stdout)
    figures = {row["figure"]: row for row in data["figures"]}
    # 1 / (0.2 um x 0.3 um) on one plane
    assert figures["density of the cells alone"]["mid"] == pytest.approx(16.667, rel=1e-3)
    assert figures["energy per MAC"]["low"] < figures["energy per MAC"]["high"]
    assert {"fit", "monte_carlo", "extraction", "technology_assumption"} <= set(data["error_budget"]["energy"])
    assert data["assumptions"]


def test_estimate_of_a_network_chains_its_layers(out, metalrom, tmp_path):
    """Three matrices of the run's own size, the first two side by side: twice its time, three times its energy."""
    (tmp_path / "layers.csv").write_text("name,rows,columns,parallel\na,16,4,p\nb,16,4,p\nc,16,4,\n")
    own = json.loads(metalrom("estimate", out, "--json").stdout)
    done = metalrom("estimate", out, "--workload", tmp_path / "layers.csv", "--json")
    assert done.returncode == 0, done.stderr
    data = json.loads(done.stdout)
    one = {row["figure"]: row["mid"] for row in own["figures"]}
    all_ = {row["figure"]: row["mid"] for row in data["figures"]}
    assert all_["latency per input"] * 1e3 == pytest.approx(2 * one["latency"])
    assert all_["energy per input"] * 1e3 == pytest.approx(3 * one["energy"])
    for name in ("area, periphery under the array", "area, periphery beside the array"):
        assert all_[name] == pytest.approx(3 * one[name])
    network = data["network"]
    assert network["longest_chain"] in (["a", "c"], ["b", "c"])
    assert network["items_per_second_sequential"]["mid"] == pytest.approx(1e6 / (2 * one["latency"]))
    assert data["condition"] == "tt_1.00V_27C"
    assert data["readout"] == own["readout"]
    shown = metalrom("estimate", out, "--workload", tmp_path / "layers.csv").stdout
    assert "longest chain: 2 matrices" in shown
    assert "not included" in shown


def test_report_is_written_again_the_same(out, metalrom):
    before = (out / "report.html").read_bytes()
    done = metalrom("report", out)
    assert done.returncode == 0, done.stderr
    assert (out / "report.html").read_bytes() == before


def test_audit_finds_every_bit_and_a_flipped_via(out, finished, metalrom, tmp_path):
    netlist = tmp_path / "macro.cir"
    assert metalrom("netlist", finished["config"], "--level", "macro", "-o", netlist).returncode == 0
    done = metalrom("audit", netlist, finished["config"], "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["cells"] == 16 * 4 * 6  # rows x weights x 2 signs x 3 magnitude bits
    lines = netlist.read_text().splitlines(keepends=True)
    at = next(i for i, line in enumerate(lines) if line.startswith("X_r3_c5_"))
    words = lines[at].split()
    words[-2] = words[2] if words[-2] != words[2] else words[4]  # tab: to the row, or to the ground line
    lines[at] = " ".join(words) + "\n"
    netlist.write_text("".join(lines))
    done = metalrom("audit", netlist, finished["config"], "--json")
    assert done.returncode == 1
    report = json.loads(done.stdout)
    assert report["wrong_bits"] == 1
    assert f"line {at + 1}" in report["faults"][0]
    assert "row 3, column 5" in report["faults"][0]


def test_extract_gives_a_maxwell_matrix(finished, out, metalrom):
    done = metalrom("extract", finished["config"], "--json")
    assert done.returncode == 0, done.stderr
    data = json.loads(done.stdout)
    matrix = np.array(data["capacitance_F"])
    assert data["nets"][-1] == "GND"
    np.testing.assert_allclose(matrix.sum(axis=1), 0.0, atol=1e-6 * matrix.max())
    assert set(data) >= {"nets", "capacitance_F", "resistance_ohm", "method", "domain"}


def test_python_surface(finished, out):
    project = package.load(finished["config"])
    text = project.netlist("column")
    assert ".subckt" in text
    assert_array_equal(weights_of(project.program), project.weights.values)


def test_specifications_and_a_dead_corner_decide_the_exit_code_and_diff_tells_them(out, finished, metalrom, tmp_path):
    config = tmp_path / "asked.yaml"
    text = finished["config"].read_text().replace("corners: [tt]", "corners: [tt], vdd: [1.0V, 0.05V]")
    config.write_text(text + "specs: [csnr > 20 at all, density > 10, energy_per_conversion < 1fJ]\n")
    done = metalrom("run", config, "-o", tmp_path / "out", "--json")
    assert done.returncode == 1, done.stderr
    data = json.loads(done.stdout)
    verdicts = [(s["quantity"], s["condition"], s["passed"]) for s in data["specs"]]
    assert verdicts == [
        ("csnr", "tt_1.00V_27C", True),
        ("csnr", "tt_0.05V_27C", False),  # at 50 mV no transistor drives anything
        ("density", "", True),
        ("energy_per_conversion", "tt_1.00V_27C", False),
    ]
    assert [f["condition"] for f in data["failed_conditions"]] == ["tt_0.05V_27C"]
    assert open_run(tmp_path / "out").table.provenance == open_run(out).table.provenance
    assert (tmp_path / "out" / "netlists" / "full_scale_tt_0.05V_27C.cir").is_file()
    assert not (tmp_path / "out" / "netlists" / "weakest_tt_0.05V_27C.cir").exists()  # there are no margins
    for name in ("lut/readout.csv", "models.json"):  # the good condition is as it was
        assert (tmp_path / "out" / name).read_bytes() == (out / name).read_bytes(), name
    told = json.loads(metalrom("diff", out, tmp_path / "out", "--json").stdout)
    assert {c["name"] for c in told["causes"]} == {"conditions.vdd", "specs"}
    assert [(c["condition"], c["old"]) for c in told["conditions"]] == [("tt_0.05V_27C", "not asked")]
    assert told["figures"] == []
    done = metalrom("diff", out, out)
    assert (done.returncode, done.stdout.strip()) == (0, "no difference")
    assert metalrom("diff", out, tmp_path).returncode == 2


def test_compare_takes_the_run(out, metalrom):
    done = metalrom("compare", "--macro", out, "--workloads", "bert-base", "--sizes", "S", "--json")
    assert done.returncode == 0, done.stderr
    data = json.loads(done.stdout)
    ours = data["systems"]["metal-rom"]
    assert ours["example"] is False
    assert (data["rules"]["input_bits"], data["rules"]["weight_bits"]) == (4, 4)
    # the run's own layer of 16 x 4 weights, 6 bit columns each, fills 24 of the 64 columns of one tile
    told = json.loads(metalrom("estimate", out, "--json").stdout)
    figures = {row["figure"]: row for row in told["figures"]}
    drawn = macro_of_run(Path(out))
    assert drawn.tile_area.mid == pytest.approx(figures["area, periphery under the array"]["mid"], rel=1e-4)
    assert drawn.at_node(28.0).tile_area.mid == ours["tile_area"]["mid"] < drawn.tile_area.mid
    assert ours["energy_per_mac"]["mid"] == pytest.approx(figures["energy per MAC"]["mid"], rel=1e-4)
    case = data["cases"][0]["systems"]["metal-rom"]
    spent = case["energy"]["mid"]["computing_J"] - case["energy"]["mid"]["of_which_attention_J"]
    assert spent == pytest.approx(1_019_805_696 * ours["energy_per_mac"]["mid"] * 1e-15)
