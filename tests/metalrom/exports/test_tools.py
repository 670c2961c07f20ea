"""The real consumers of the tool views, each where it is installed (METALROM_CONSUMERS, docs/how-to/export.md)."""

from __future__ import annotations

import ast
import configparser
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from interconnect.errors import InputError
from metalrom import exporters as exports
from metalrom.exporters import python_tools as consumers
from metalrom.exporters.estimator import crosssim
from metalrom.exporters.estimator.headline import headline, technology_node
from metalrom.exporters.estimator.noise import SampledLayer, code_moments, node_weights
from metalrom.exporters.exporter import ToolMissing, ToolReading, check_export
from metalrom.macro import Macro
from metalrom.macro.readout import readout_of, synthetic_table
from metalrom.run.layer import StoredLayer
from tests.scripts import load_script

MODULES = {"accelergy": "accelergy", "crosssim": "simulator.algorithms", "aihwkit": "aihwkit", "mnsim": "MNSIM",
           "zigzag": "zigzag", "hwcomponents": "hwcomponents"}  # fmt: skip


@pytest.mark.parametrize("name", MODULES)
def test_the_real_consumer_takes_it(run, run_written, name):
    if consumers.python_with(MODULES[name], os.environ.get(consumers.VARIABLE, "")) is None:
        pytest.skip(f"no Python with {MODULES[name]}; name one in {consumers.VARIABLE}")
    report = check_export(exports.EXPORTERS[name], run, run_written[name], require_consumer=True)
    assert report.reading is not None
    assert report.reading.problem is None
    print(f"\n{report.reading.consumer}: " + "; ".join(report.reading.observations))


@pytest.mark.parametrize("name", MODULES)
def test_a_missing_consumer_is_said_with_its_remedy(run, run_written, name, monkeypatch):
    monkeypatch.setattr(consumers, "python_with", lambda module, listed: None)
    with pytest.raises(ToolMissing, match="is not installed"):
        exports.EXPORTERS[name].validate_with_tool(run, run_written[name])
    report = check_export(exports.EXPORTERS[name], run, run_written[name])
    assert report.reading is None
    assert "METALROM_CONSUMERS" in report.unverified


def test_a_consumer_that_fails_is_a_problem(tmp_path):
    """Whatever its child does, the caller gets one sentence."""
    for script in ("import sys; sys.exit('no good')", "print('no json')", "print('[1]')", "raise ValueError('bad')"):
        got = consumers.run_probe("tool", "json", "", script, tmp_path)
        assert isinstance(got, ToolReading)
        assert got.problem
        assert "\n" not in got.problem
    script = "import json, sys; print(json.dumps({'got': json.load(sys.stdin)}))"
    assert consumers.run_probe("tool", "json", "", script, tmp_path, [1, 2]) == {"got": [1, 2]}
    assert consumers.python_with("json", "/nowhere/python") == sys.executable
    assert consumers.python_with("no_such_module_here", "/nowhere/python") is None


def test_modules_stand_alone(run_written):
    """Exported Python imports neither this package nor pickle, and parses; its data is JSON beside it."""
    for name, allowed in {
        "crosssim": {"hashlib", "json", "pathlib", "numpy", "simulator"},
        "aihwkit": {"hashlib", "json", "pathlib", "torch", "aihwkit"},
        "hwcomponents": {"hwcomponents"},
    }.items():
        for path in run_written[name].glob("*.py"):
            tree = ast.parse(path.read_text())
            found = set()
            for node in ast.walk(tree):
                if isinstance(node, ast.Import):
                    found |= {alias.name.split(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom):
                    found.add(str(node.module).split(".")[0])
                assert not (isinstance(node, ast.Call) and getattr(node.func, "id", "") in {"eval", "exec", "open"})
            assert found == allowed, path


def test_csnr_of_the_mapping_is_that_of_the_macro(run):
    """Independent reference: the macro's own simulation, mean error power over 300 chips.

    One chip scatters by 2.5 dB, the mean by 0.15 dB; tolerance 0.5 dB. The mapping gives every segment a converter
    offset of its own, as the macro does without sharing; sharing eight columns costs 0.1 dB more here.
    """
    g, layer = run.results.macro_geometry, run.layer
    sampled = SampledLayer.of(layer, run.table.rows, g.weight_bits, g.input_bits)
    ideal = layer.activations @ layer.weights
    for condition in run.table.conditions[::2]:
        expected = sampled.noise(readout_of(run.table, condition)).csnr
        for sharing in (1, 8):
            power = []
            for seed in range(300):
                macro = Macro(
                    run.table, condition, weight_bits=g.weight_bits, input_bits=g.input_bits, seed=seed,
                    columns_per_adc=sharing, groups_per_adc=1 if sharing == 1 else g.groups, threads=1,
                )  # fmt: skip
                power.append(float(np.mean((macro.matmul(layer.activations, layer.weights) - ideal) ** 2.0)))
            simulated = 10 * np.log10(ideal.var() / np.mean(power))
            assert expected == pytest.approx(simulated, abs=0.5), (condition.label, sharing)


def test_csnr_in_crosssim_is_that_of_the_mapping(run, run_written):
    """CrossSim with the whole table, 30 chips: mean error power within 1 dB of the expected one (scatter 0.2 dB)."""
    if consumers.python_with("simulator.algorithms", os.environ.get(consumers.VARIABLE, "")) is None:
        pytest.skip(f"no Python with CrossSim; name one in {consumers.VARIABLE}")
    g, layer, last = run.results.macro_geometry, run.layer, run.table.conditions[-1]
    data = {"x": layer.activations.tolist(), "w": layer.weights.tolist(), "condition": last.label}
    got = consumers.run_probe("CrossSim", "simulator.algorithms", "", _CROSSSIM, run_written["crosssim"], data)
    assert isinstance(got, dict), got
    ideal = layer.activations @ layer.weights
    simulated = 10 * np.log10(ideal.var() / np.mean(got["power"]))
    expected = SampledLayer.of(layer, run.table.rows, g.weight_bits, g.input_bits).noise(readout_of(run.table, last))
    print(f"\nCSNR at {last.label}: {simulated:.2f} dB in CrossSim, expected {expected.csnr:.2f} dB")
    assert simulated == pytest.approx(expected.csnr, abs=1.0)


_CROSSSIM = """
import json, sys
import numpy as np
sys.path.insert(0, sys.argv[1])
import metalrom_crosssim as model
data = json.load(sys.stdin)
x, w = np.array(data["x"], float), np.array(data["w"])
cores = (model.core(w.T, data["condition"], seed=chip) for chip in range(30))
print(json.dumps({"power": [float(np.mean(((core @ x.T).T - x @ w) ** 2)) for core in cores]}))
"""


def test_error_power_by_hand():
    """One row, one bit of everything that matters: temporal error of a Gaussian between two thresholds.

    1 row, count 1 always, level 1, thresholds at 0.5: code 0 with p = Q(0.5 / 0.25) = 0.02275, so variance p (1 - p).
    Weight 1 (bit 0, positive), activation 1 (bit 0): the other bits drive no row and are read at count 0, driven 0,
    where code 1 comes with the same p. Power = sum over 2 signs and bits k of 4^k p (1 - p), plus the mean error.
    """
    table = synthetic_table(1, sigma_noise=0.25)
    layer = StoredLayer(np.array([[1]]), np.array([[1], [0]]))
    noise = SampledLayer.of(layer, 1, 2, 2).noise(readout_of(table, table.conditions[0]))
    p = 0.0227501319
    assert noise.temporal == pytest.approx(2 * (1 + 4) * p * (1 - p), rel=1e-6)
    assert noise.frozen == pytest.approx(0.0, abs=1e-12)
    # mean code errors: +p at count 0, alike in both signs, cancels; at count 1 the positive column has -p instead
    assert noise.systematic == pytest.approx(((-p - p) ** 2 + 0.0) / 2, rel=1e-6)
    assert noise.signal == pytest.approx(0.25)


def test_frozen_and_temporal_share_the_total():
    """Law of total variance: what a chip repeats and what it draws anew add up to the whole spread."""
    table = synthetic_table(8, sigma_noise=0.2, sigma_static=0.25, offset_sigma=0.1)
    readout = readout_of(table, table.conditions[0])
    mean, variance = code_moments(readout, np.flatnonzero(table.valid))
    weight = node_weights()
    total = weight @ (mean - weight @ mean) ** 2 + weight @ variance
    probability = np.nan_to_num(table.code_probability(table.conditions[0]))
    codes = np.arange(9)
    direct = (probability * codes**2).sum(axis=2) - (probability * codes).sum(axis=2) ** 2
    np.testing.assert_allclose(total, direct[table.valid], atol=1e-6)
    assert weight.sum() == pytest.approx(1.0)


def test_mnsim_sections_are_those_of_its_reader(run_written, run):
    ini = configparser.ConfigParser()
    ini.read(run_written["mnsim"] / "SimConfig.ini")
    levels = {
        f"{name} level" for name in ("Device", "Crossbar", "Interface", "Process element", "Tile", "Architecture")
    }
    assert set(ini.sections()) == {*levels, "Digital module", "Algorithm Configuration", "metalrom"}
    bits, rate = ini.getint("Interface level", "ADC_Precision"), ini.getfloat("Interface level", "ADC_Sample_Rate")
    h = headline(run)
    assert (bits + 2) / rate * 1e-9 == pytest.approx(h.adc_time)
    assert (bits + 2) / rate * 1e-9 * ini.getfloat("Interface level", "ADC_Power") == pytest.approx(h.adc_energy)
    assert ini.get("Interface level", "ADC_Interval_Thres") == "-1"


def test_crosssim_sum_carries_count_and_driven_rows():
    """All rows driven add less than half a count, for every group size that a table may have."""
    for rows in (1, 2, 7, 8, 63, 64, 65, 1024):
        assert rows * 2.0 ** -crosssim.off_bits(rows) < 0.5


def test_a_technology_without_number_is_refused():
    assert technology_node("open45") == 45
    assert technology_node("sky130") == 130
    with pytest.raises(InputError, match="no node number"):
        technology_node("mine")


def test_parquet_without_pyarrow_is_one_sentence(run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InputError, match="Parquet files need the package pyarrow") as caught:
        exports.write_table(run.table, "parquet", tmp_path)
    assert "metalrom[parquet]" in str(caught.value)
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr("interconnect.registry.has_library", lambda name: False)
    assert "parquet" not in list(exports.FORMATS)
    assert "parquet" in exports.FORMATS


def test_parquet_speaks_for_itself(run, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    exports.write_table(run.table, "parquet", tmp_path)
    whole = parquet.read_table(tmp_path / "readout.parquet")
    assert whole.schema.field("level_V").metadata[b"unit"] == b"V"
    assert whole.schema.field("row_energy_J").metadata[b"unit"] == b"J"
    at = {name: whole.column(name).to_numpy() for name in ("condition", "active", "count", "level_V")}
    row = (at["condition"] == "ss_0.90V_-40C") & (at["active"] == 6) & (at["count"] == 4)
    assert at["level_V"][row].tolist() == [run.table.level[1, 6, 4]]


def test_a_user_without_the_package_reads_the_same_numbers(run, tmp_path):
    module = load_script("examples/read_lut.py")
    text = Path(module.__file__).read_text()
    assert len(text.splitlines()) <= 30
    assert "import metalrom" not in text
    exports.write_table(run.table, "netcdf", tmp_path)
    lut = module.read_lut(tmp_path / "readout.nc")
    for name in ("level", "sigma_static", "sigma_noise", "sigma_pattern", "row_energy"):
        ours = np.asarray(getattr(run.table, name))
        np.testing.assert_array_equal(lut[name].values, ours)
    np.testing.assert_array_equal(lut["code_error_probability"][2], run.table.code_errors(run.table.conditions[2]))


def test_that_reader_refuses_damage_in_one_sentence(run, tmp_path):
    import h5py

    module = load_script("examples/read_lut.py")
    path = exports.write_table(run.table, "netcdf", tmp_path)[0]
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match="truncated or edited") as caught:
        module.read_lut(path)
    assert "\n" not in str(caught.value)
    path.write_bytes(content)
    with h5py.File(path, "r+") as file:
        file["level"][0, 3, 2] *= 1.001
    with pytest.raises(ValueError, match="does not match its checksum"):
        module.read_lut(path)
