"""`metalrom fit` and `metalrom predict`: keys become inputs, values are those of the column, files carry a digest."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from characterization.models.box import Domain, DomainInput
from characterization.models.column_bench import COLUMN_BOX, ColumnBench
from characterization.models.form import Form
from characterization.models.group_bench import QUANTITIES, GroupBench, group_quantity
from interconnect.errors import InputError
from interconnect.extraction import extract
from metalrom.api import Project, load
from metalrom.cli import completion
from metalrom.cli.main import app
from metalrom.design.setup import group_setup
from metalrom.studies.surrogates.axes import KEYS, DesignFamily, parse_axis, parse_box
from metalrom.studies.surrogates.file import read_model
from metalrom.studies.surrogates.laws import form_of
from metalrom.studies.surrogates.predict import parse_point, predict_points, read_points
from netlists.case import ColumnStimulus
from netlists.reference import reference_column
from ngspice_runner import Cache
from tests.builders import write_config

VARY = ["--vary", "cell.resistance=500kohm:4Mohm", "--vary", "array.group_rows=4:16"]


def config(folder: Path, kind: str, sigma: str = "2.5%") -> Path:
    return write_config(
        folder / f"{kind}.yaml",
        name="fitted",
        cell={"kind": kind},
        array={"rows": 32, "columns": 32, "group_rows": 8},
        variation={"cell_sigma": sigma},
    )


def project(folder: Path, kind: str, sigma: str = "2.5%") -> Project:
    found = load(config(folder, kind, sigma))
    return Project(found.config, found.path, "formula")


def run(*words: Any) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, [str(w) for w in words])
    return done.exit_code, done.stdout, done.stderr


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, dict[str, Any]]:
    """(folder, model file, what was printed) of the level of a current column over its resistor and rows."""
    folder = tmp_path_factory.mktemp("fitted")
    patch = pytest.MonkeyPatch()
    patch.setenv("METALROM_CACHE", str(folder / "cache"))
    try:
        code, out, err = run(
            "fit", config(folder, "res_via"), "-o", folder / "level.json", *VARY, "--quantity", "level",
            "--extraction", "formula", "--check", 10, "-j", 2, "--json",
        )  # fmt: skip
    finally:
        patch.undo()
    assert code == 0, err
    return folder, folder / "level.json", json.loads(out)


def test_the_shell_completes_what_there_is() -> None:
    assert tuple(QUANTITIES) == completion.QUANTITIES


def test_ranges_are_read_with_their_units() -> None:
    assert parse_axis("cell.row_pitch=180nm:0.4um") == DomainInput("cell.row_pitch", 1.8e-7, 4e-7, "m", log=True)
    assert parse_axis("array.group_rows=8:64") == DomainInput("array.group_rows", 8, 64, "", log=True, integer=True)
    assert parse_axis("conditions.temperature=-40degC:125") == DomainInput("conditions.temperature", -40, 125, "degC")
    assert not parse_axis("periphery.sense_capacitance=0:1fF").log


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("cell.row_pich=1nm:2nm", "did you mean 'cell.row_pitch'"),
        ("cell.kind=1:2", "cannot be varied"),
        ("cell.row_pitch=200nm", "is not a range"),
        ("cell.row_pitch=100:200nm", "'100' lacks its unit"),
        ("cell.row_pitch=1V:2V", "wrong unit"),
        ("cell.row_pitch=300nm:200nm", "give low < high"),
        ("array.group_rows=8.5:16", "whole numbers"),
    ],
)
def test_other_ranges_are_refused(text: str, told: str) -> None:
    with pytest.raises(InputError, match=told) as error:
        parse_box([text])
    assert "--vary" in str(error.value)


def test_a_key_counts_once_and_there_is_a_most() -> None:
    with pytest.raises(InputError, match="twice"):
        parse_box(["conditions.vdd=0.8V:1V", "conditions.vdd=0.9V:1V"])
    with pytest.raises(InputError, match="0 keys"):
        parse_box([])


def test_every_key_reaches_the_setup(tmp_path: Path) -> None:
    """Each key alone, at a value of its own, and nothing else of the configuration changes."""
    values = {"m": 4.5e-7, "ohm": 2e6, "V": 0.77, "degC": 85.0, "F": 3e-16, "s": 3.1e-10}
    for key, unit in KEYS.items():
        kind = "res_via" if key == "cell.resistance" else "cap_balanced"
        base = project(tmp_path, kind)
        value = 16.0 if key.startswith("array.") else 0.07 if unit == "" else values[unit]
        family = DesignFamily(base, Domain((DomainInput(key, value / 2, value),)), 0, 8)
        section, _, name = key.partition(".")
        new = family.at({key: np.float64(value)})
        got = getattr(getattr(new.config, section), name)
        assert (got[0] if isinstance(got, tuple) else got) == pytest.approx(value, rel=1e-12), key
        assert family.rows_at({key: value}) == (16 if key == "array.group_rows" else 8)
        same, other = base.config.model_dump(), new.config.model_dump()
        changed = {s for s in same if same[s] != other[s]}
        assert changed - {section} <= {"conditions"}, key  # the nominal one alone
        assert new.technology is base.technology


@pytest.mark.parametrize(
    ("kind", "axis", "told"),
    [
        ("cap_balanced", "cell.row_pitch=50nm:400nm", r"row_width.*corner cell.row_pitch 50 nm"),
        ("cap_balanced", "array.group_rows=8:64", r"has 32 rows \(at the corner array.group_rows 64\)"),
        ("res_via", "cell.tab_length=100nm:200nm", "no parameter 'tab_length'"),
        ("cap_balanced", "timing.input_start=0.1ns:1ns", "before the reset is over"),
        ("cap_balanced", "conditions.vdd=-1V:1V", "greater than 0"),
    ],
)
def test_corners_that_a_rule_forbids_are_named(tmp_path: Path, kind: str, axis: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        DesignFamily(project(tmp_path, kind), parse_box([axis]), 0, 8).check()


@pytest.mark.ngspice
def test_charge_values_are_those_of_the_column_bench(tmp_path: Path) -> None:
    """`ColumnBench` builds the same column from a technology and a row pitch, without a configuration."""
    base = project(tmp_path, "cap_balanced", "auto")
    cache = Cache(tmp_path / "cache")
    box = Domain(tuple(DomainInput(f"periphery.{n}", 1e-17, 1e-6) for n in ("reset_width", "sense_capacitance")))
    box = Domain((*box.inputs, DomainInput("cell.row_pitch", 1e-7, 4e-7), DomainInput("conditions.vdd", 0.5, 1.0)))
    at = {"reset_width": 0.2e-6, "sense_capacitance": 5e-16, "row_pitch": 2.6e-7, "vdd": 0.95}
    values = {"periphery.reset_width": 0.2e-6, "periphery.sense_capacitance": 5e-16, "cell.row_pitch": 2.6e-7,
              "conditions.vdd": 0.95}  # fmt: skip
    setup = group_setup(DesignFamily(base, box, 0, 8).at(values), 8, nominal_only=True)
    setup = replace(setup, ones=0.5)  # as the bench loads the rows
    column = ColumnBench(base.technology, lambda g, s: extract(g, s, method="formula"), workers=1, cache=cache)
    told = column.run(COLUMN_BOX, COLUMN_BOX.points({**at, "rows": 8, "temperature": 27.0}))
    got = {n: GroupBench(n, cache=cache, workers=1).run([setup])[0] for n in ("lsb", "level", "sigma_static")}
    assert got["lsb"] == pytest.approx(told.lsb[0], rel=1e-9)
    assert got["level"] == pytest.approx(told.offset[0] + 8 * told.lsb[0], rel=1e-9)
    assert got["sigma_static"] == pytest.approx(told.static[0], rel=1e-9)


@pytest.mark.ngspice
def test_current_values_are_those_of_the_exact_network(tmp_path: Path) -> None:
    setup = project(tmp_path, "res_via").setup(8, nominal_only=True)
    got = {n: GroupBench(n, cache=Cache(tmp_path / "cache"), workers=2).run([setup])[0] for n in QUANTITIES}
    bits = np.zeros((8, 3), dtype=np.uint8)
    bits[:, 1] = 1
    case = ColumnStimulus(bits=bits, inputs=np.ones(8, dtype=np.uint8), columns_total=32, ones_fraction=setup.ones)
    exact = reference_column(setup.model, setup.periphery, setup.conditions[0], case).value
    # transmission gates of a few kohm stand for the network's ideal drivers of 1 kohm, before rows of 1 Mohm cells
    assert got["level"] == pytest.approx(exact, rel=0.02)
    assert got["lsb"] == pytest.approx(got["level"] / 8, rel=2e-3)
    assert got["sigma_static"] == pytest.approx(got["lsb"] * 0.025 * math.sqrt(8), rel=1e-9)
    # V I t of the rows and all their cells, over the read and the integration (5 ns)
    t = setup.timing
    cells = 8 * (1 + 31 * setup.ones) * setup.periphery.read_voltage**2 / setup.varying
    assert got["energy"] == pytest.approx(cells * (t.read_after + t.input_edge / 2 + 5e-9), rel=0.1)
    assert t.input_edge / 2 < got["settling"] < t.read_after
    with pytest.raises(InputError, match="no testbench measures 'noise'"):
        group_quantity("noise")


def test_closed_forms_by_hand(tmp_path: Path) -> None:
    p = {
         "signal": 2e-17, "line": 3e-17, "junction": 1e-9, "line cell.row_pitch": 1.0, "middle cell.row_pitch": 2e-7,
         "all": 1.0, "conditions.vdd": 0.9, "periphery.reset_width": 1e-7, "periphery.sense_capacitance": 1e-16,
    }  # fmt: skip
    at = {"array.group_rows": np.array([10.0]), "cell.row_pitch": np.array([4e-7])}
    # 0.9 V 10 x 20 aF / (10 x 60 aF + 100 aF + 100 aF) = 0.225 V
    assert Form("column_divider", p)(at) == pytest.approx(0.225)
    p = {"wire": 1.0, "series": 500.0, "all": 0.0, "periphery.sense_resistance": 99.0, "periphery.read_voltage": 0.2}
    at = {"array.group_rows": np.array([10.0]), "cell.resistance": np.array([998500.0])}
    assert Form("column_current", p)(at) == pytest.approx(0.2e-6)
    p = {"value": 3.0, "value a": 2.0, "middle a": 1.0}
    assert Form("power_law", p)({"a": np.array([1.0, 2.0]), "t": np.array([0.0, 1.0])}) == pytest.approx([3.0, 12.0])
    box = parse_box(["cell.resistance=1Mohm:4Mohm", "conditions.temperature=0:85", "cell.row_pitch=0.2um:0.3um"])
    for name in QUANTITIES:
        form, free = form_of(name, "A", box, project(tmp_path, "res_via").setup(8, nominal_only=True))
        assert set(free) <= set(form.parameters)
        assert np.isfinite(form(box.named(box.uniform(5, 1)))).all()


@pytest.mark.ngspice
def test_a_model_reaches_its_error_and_answers(fitted: tuple[Path, Path, dict[str, Any]]) -> None:
    folder, path, told = fitted
    assert told["reached"]
    assert told["error"]["reached"] <= told["error"]["asked"] == 0.01
    work = told["simulations"]
    assert work["ngspice"] == work["places"] == told["quality"]["points"]
    assert work["run_now"] == work["ngspice"] + 10
    assert set(work["extractions"]) == {"formula"}
    assert told["checked"]["largest"] < 0.01  # 10 places that no fit saw
    code, out, err = run("predict", path, "--at", "cell.resistance=1Mohm,array.group_rows=8", "--json")
    assert (code, err) == (0, "")
    (answer,) = json.loads(out)["points"]
    assert answer["low"] < answer["mean"] < answer["high"]
    found = load(folder / "res_via.yaml")
    (value,) = GroupBench("level").run([Project(found.config, found.path, "formula").setup(8, nominal_only=True)])
    assert answer["mean"] == pytest.approx(value, rel=0.01)
    code, out, _ = run("predict", path, "--at", "cell.resistance=1Mohm,array.group_rows=8")
    assert out.startswith("level ")
    assert "95 % interval" in out


@pytest.mark.ngspice
def test_the_same_command_goes_on_from_the_cache_to_the_same_bytes(
    fitted: tuple[Path, Path, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, path, told = fitted
    monkeypatch.setenv("METALROM_CACHE", str(folder / "cache"))
    same = [config(folder, "res_via"), *VARY, "--quantity", "level", "--extraction", "formula", "-j", 1]
    code, out, err = run("fit", *same, "-o", folder / "again.json", "--check", 10)
    assert code == 0, err
    assert "(0 simulations run now" in out
    assert (folder / "again.json").read_bytes() == path.read_bytes()
    # an error that nothing reaches: the bound ends it, the file is written all the same and says so
    code, out, err = run("fit", *same, "-o", folder / "short.json", "--most", 20, "--error", "1e-9")
    assert code == 1, err
    assert "NOT reached within 20 places" in out
    about = read_model(folder / "short.json").about
    assert about["error"]["stopped"] == "count"
    assert about["error"]["reached"] > 1e-9
    assert told["error"]["stopped"] == "target"


def test_the_file_says_what_it_is_a_model_of(fitted: tuple[Path, Path, dict[str, Any]]) -> None:
    folder, path, _ = fitted
    file = read_model(path)
    about = file.about
    assert about["configuration"]["file"] == "res_via.yaml"
    assert about["configuration"]["content"]["cell"]["kind"] == "res_via"
    assert about["versions"]["engine"].startswith("ngspice")
    assert about["condition"] == "tt, 1 V, 27 degC"
    assert {a["status"] for a in about["assumptions"]} >= {"assumption", "user"}
    assert all(a["source"] for a in about["assumptions"])
    assert [k["key"] for k in about["keys"]] == list(file.model.box.names)
    assert str(folder) not in path.read_text()


@pytest.mark.parametrize(
    ("at", "told"),
    [
        ("cell.resistance=10Mohm,array.group_rows=8", r"is 10 M.*, outside of the 500 k.* to 4 M"),
        ("cell.resistance=1Mohm", "array.group_rows is not given"),
        ("cell.resistance=1Mohm,array.group_rows=8.5", "whole number"),
        ("cell.resistance=1Mohm,array.rows=8", "no key 'array.rows'"),
        ("cell.resistance=1Mohm,array.group_rows", "has no value"),
        ("cell.resistance=1nm,array.group_rows=8", "wrong unit"),
    ],
)
def test_questions_outside_are_refused(fitted: tuple[Path, Path, dict[str, Any]], at: str, told: str) -> None:
    code, out, err = run("predict", fitted[1], "--at", at)
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    model = read_model(fitted[1]).model
    with pytest.raises(InputError, match=told):
        predict_points(model, parse_point(at, model.box)[None])


def test_a_table_of_points_is_answered(fitted: tuple[Path, Path, dict[str, Any]], tmp_path: Path) -> None:
    table, out = tmp_path / "p.csv", tmp_path / "a.csv"
    table.write_text("array.group_rows, cell.resistance\n8,1Mohm\n\n4,2e6\n")
    code, _, err = run("predict", fitted[1], "--points", table, "-o", out)
    assert code == 0, err
    rows = out.read_text().splitlines()
    assert rows[0] == "cell.resistance,array.group_rows,mean,low,high"
    got = np.array([[float(v) for v in row.split(",")] for row in rows[1:]])
    assert got[:, :2].tolist() == [[1e6, 8.0], [2e6, 4.0]]
    model = read_model(fitted[1]).model
    assert got[:, 2] == pytest.approx(model(got[:, :2]), rel=1e-12)
    assert run("predict", fitted[1], "--points", table)[1].count("A \N{BOX DRAWINGS LIGHT VERTICAL}") == 6
    for text, told in (("", "is empty"), ("array.group_rows,cell.resistance\n", "0 points"),
                       ("array.group_rows,cell.resistance\n8,1Mohm,3\n", "line 2: has 3 values")):  # fmt: skip
        table.write_text(text)
        with pytest.raises(InputError, match=told):
            read_points(table, model.box)
    assert run("predict", fitted[1])[0] == 2


def test_edited_and_damaged_files_are_refused(fitted: tuple[Path, Path, dict[str, Any]], tmp_path: Path) -> None:
    text, path = fitted[1].read_text(), tmp_path / "m.json"
    data = json.loads(text)
    data["model"]["inputs"][0]["high"] = 1e9
    wrong = {
        "checksum": json.dumps(data),
        "not a complete JSON document": text[: len(text) // 2],
        "not a model file": json.dumps({"format": "metalrom surrogate 1"}),
        "cannot be read": None,
    }
    for told, content in wrong.items():
        path.unlink(missing_ok=True)
        if content is not None:
            path.write_text(content)
        code, out, err = run("predict", path, "--at", "cell.resistance=1Mohm,array.group_rows=8")
        assert (code, out) == (2, "")
        assert told in err
        assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--quantity", "noise"], "no testbench measures"),
        (["--most", "10"], "20 at least"),
        (["--error", "1"], "below 1"),
        (["--error", "1mV"], "--error"),
        (["--extraction", "guess"], "not an extraction method"),
        (["-o", "nowhere/m.json"], "not a writable file path"),
    ],
)
def test_requests_are_refused_before_anything_runs(tmp_path: Path, words: list[str], told: str) -> None:
    given = ["-o", str(tmp_path / "m.json"), "--vary", "conditions.vdd=0.8V:1V", *words]
    code, out, err = run("fit", config(tmp_path, "cap_balanced"), *given)
    assert (code, out) == (2, "")
    assert told in err
    assert not (tmp_path / "m.json").exists()


@pytest.mark.parametrize("kind", ["cap_present", "cap_select", "cap_ternary"])
def test_cells_that_two_reads_do_not_tell_are_refused(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("METALROM_CACHE", str(tmp_path / "cache"))
    code, _, err = run(
        "fit", config(tmp_path, kind), "-o", tmp_path / "m.json", "--vary", "conditions.vdd=0.8V:1V",
        "--extraction", "formula",
    )  # fmt: skip
    assert code == 2
    assert "fit a cell of one bit whose load is the same for both" in err


@pytest.mark.slow
@pytest.mark.ngspice
def test_a_charge_column_over_six_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Level spacing to 1 %, judged at 150 places that no fit saw."""
    monkeypatch.setenv("METALROM_CACHE", str(tmp_path / "cache"))
    vary = ["cell.row_pitch=200nm:400nm", "array.group_rows=4:32", "conditions.vdd=0.8V:1.1V",
            "conditions.temperature=-40:125", "periphery.reset_width=0.12um:0.4um",
            "periphery.sense_capacitance=0.1fF:2fF"]  # fmt: skip
    code, out, err = run(
        "fit", config(tmp_path, "cap_balanced"), "-o", tmp_path / "m.json", *(w for v in vary for w in ("--vary", v)),
        "--extraction", "formula", "--check", 150, "-j", 2, "--json",
    )  # fmt: skip
    assert code == 0, err
    told = json.loads(out)
    assert told["reached"]
    assert told["checked"]["rms"] < 0.01
    assert told["checked"]["coverage"] > 0.85  # what models of adaptive sampling held, docs/explanation/models.md
