"""Whole runs: two into one folder, a configuration edited on the way, a report drawn again."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from interconnect.errors import DamagedFile, InputError
from interconnect.files import unchanged_file
from metalrom.api import load
from metalrom.cli.project import characterize_only
from metalrom.design import design
from metalrom.pipeline import run_pipeline
from metalrom.reports.assemble import rewrite_report
from metalrom.run.folder import open_run
from metalrom.run.manifest import CHARACTERIZATION, MANIFEST, file_names, read_manifest
from tests.builders import write_config

pytestmark = pytest.mark.usefixtures("quick_extraction")  # what is measured does not matter here
FIRST, SECOND = (
    {
        "name": name,
        "inputs": {"bits": 4, "vectors": 8},
        "readout": {"double_sampling": True, "code_error_target": 1e-2},
        "conditions": {"corners": ["tt"], "vdd": [vdd]},
        "characterization": {
            "patterns": 2,
            "samples": 30,
            "max_levels": 5,
            "procedures": ["transfer", "mismatch", "adc_margin", *more],
        },
    }
    for name, vdd, more in (("first", "1.0V", ("noise", "energy")), ("second", "0.9V", ()))
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two configurations and the output folder `out` of runs of both, one after the other."""
    folder = tmp_path_factory.mktemp("twice")
    for values in (FIRST, SECOND):
        config = write_config(folder / f"{values['name']}.yaml", **values)
        run_pipeline(load(config), folder / "out", jobs=1)
        if values is FIRST:
            text = (folder / "out" / "report.html").read_text()
            # what the second one must not show is shown by the first
            assert all(word in text for word in ("Thermal noise", "Energy of a read", "tt_1.00V_27C"))
            assert set(open_run(folder / "out").procedures) >= {"noise", "energy"}
    return folder


def test_the_second_run_shows_nothing_of_the_first(place: Path) -> None:
    out = place / "out"
    run = open_run(out)
    run.verify()
    assert file_names(out) == sorted([*run.manifest.files, MANIFEST])
    assert run.results.name == "second"
    assert not run.procedures
    assert not run.holds("procedures.json")
    for name in run.manifest.files:
        content = run.read(name)
        assert "1.00V" not in name
        for word in (b"Thermal noise", b"Energy of a read", b"tt_1.00V_27C"):
            assert word not in content, name
    assert sorted(path.name for path in place.iterdir()) == ["first.yaml", "out", "second.yaml"]


def test_everything_is_listed_and_the_configuration_is_kept(place: Path) -> None:
    run = open_run(place / "out")
    assert {"report.html", "figures/levels.svg", "config.yaml", "config.json", "results.json"} <= set(
        run.manifest.files
    )
    source = (place / "second.yaml").read_bytes()
    assert run.read("config.yaml") == source
    digest = hashlib.sha256(source).hexdigest()
    assert run.manifest.content["inputs"]["configuration"] == f"sha256 {digest}"
    assert run.results.provenance["configuration"] == f"sha256 {digest}"
    effective = json.loads(run.read("config.json"))
    assert effective["conditions"]["vdd"] == ["0.9V"]
    assert float(effective["readout"]["code_error_target"]) == 1e-2
    # a default of the schema that the file does not give
    assert "columns_per_adc" in effective["array"]


def test_the_report_is_drawn_again_in_one_step(place: Path) -> None:
    out = place / "out"
    before = {name: (out / name).read_bytes() for name in file_names(out)}
    (out / "figures" / "levels.svg").write_text("an old picture")  # drawn again, thus not read
    assert rewrite_report(out) == out / "report.html"
    assert {name: (out / name).read_bytes() for name in file_names(out)} == before
    (out / "samples.csv").write_bytes(before["samples.csv"] + b"\n")
    with pytest.raises(DamagedFile, match=r"samples\.csv: was changed after the run"):
        rewrite_report(out)
    (out / "samples.csv").write_bytes(before["samples.csv"])
    open_run(out).verify()


@pytest.mark.parametrize("moment", ["before the simulations", "after the simulations"])
def test_an_edit_during_the_run_leaves_the_hash_of_what_ran(place: Path, tmp_path: Path, moment: str) -> None:
    config = write_config(tmp_path / "edited.yaml", **SECOND)
    source = config.read_bytes()
    project = load(config)

    def edit(text: str = "") -> None:
        if moment.startswith("before") or text.startswith("writing"):
            write_config(config, **FIRST)

    edit()
    run_pipeline(project, tmp_path / "out", jobs=1, announce=edit)
    assert config.read_bytes() != source  # it was edited
    run = open_run(tmp_path / "out")
    assert run.results.provenance["configuration"] == f"sha256 {hashlib.sha256(source).hexdigest()}"
    assert run.read("config.yaml") == source
    assert run.results.config["conditions"]["vdd"] == ["0.9V"]
    for name in ("samples.csv", "lut/readout.json", "results.json"):
        assert run.read(name) == open_run(place / "out").read(name), name


def test_the_weight_file_is_hashed_as_it_was_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    weights = tmp_path / "w.npy"
    np.save(weights, rng.integers(-7, 8, (16, 4)).astype(np.float64))
    stored = {"random": None, "file": "w.npy", "integers": True}
    config = write_config(tmp_path / "c.yaml", **SECOND, weights=stored)
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    project = load(config)
    assert project.weights.values.shape == (16, 4)
    np.save(weights, rng.integers(-7, 8, (16, 4)).astype(np.float64))
    assert project.input_files["weights"] == digest

    real = design.load_layer

    def slow(path: Path, *args: object, **options: object) -> object:
        found = real(path, *args, **options)  # type: ignore[arg-type]
        np.save(weights, np.zeros((16, 4)))
        return found

    monkeypatch.setattr(design, "load_layer", slow)
    with pytest.raises(InputError, match=r"w\.npy: was changed while it was read"):
        _ = load(config).weights


@pytest.mark.parametrize("how", ["written", "replaced", "removed"])
def test_a_file_that_changes_under_the_reader_is_refused(tmp_path: Path, how: str) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"one")
    with unchanged_file(path) as digest:
        assert digest == hashlib.sha256(b"one").hexdigest()

    def change() -> None:
        if how == "written":
            path.write_bytes(b"two")
        elif how == "replaced":
            (tmp_path / "g").write_bytes(b"one")
            (tmp_path / "g").rename(path)
        else:
            path.unlink()

    with pytest.raises(InputError, match=r"/f: (was changed while it was read|cannot be read)"), unchanged_file(path):
        change()


def test_a_library_that_changes_during_the_run_is_refused(tmp_path: Path) -> None:
    library = tmp_path / "kit.lib"
    library.write_text("* cards\n")
    project = load(write_config(tmp_path / "c.yaml", **SECOND))
    technology = project.technology
    digest = hashlib.sha256(library.read_bytes()).hexdigest()
    devices = replace(technology.devices, included=((library, digest),))
    vars(project)["technology"] = replace(technology, devices=devices)
    project.check_unchanged()
    library.write_text("* other cards\n")
    with pytest.raises(InputError, match=r"kit\.lib: was changed during the run"):
        project.check_unchanged()


def test_a_characterization_has_a_manifest_and_replaces_whole(tmp_path: Path) -> None:
    config, out = write_config(tmp_path / "c.yaml", **SECOND), tmp_path / "out"
    characterize_only(config, out, "transfer,mismatch,adc_margin,noise", jobs=1)
    manifest = read_manifest(out)
    assert manifest.kind == CHARACTERIZATION
    assert file_names(out) == sorted([*manifest.files, MANIFEST])
    assert {"procedures.json", "lut/readout.json", "samples.csv", "models.json", "config.yaml"} <= set(manifest.files)
    characterize_only(config, out, "transfer", jobs=1)
    files = read_manifest(out).files
    assert file_names(out) == sorted([*files, MANIFEST])
    assert set(files) == {"samples.csv", "models.json", "config.yaml", "config.json"}
    (out / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"holds 'notes\.txt'"):
        characterize_only(config, out, "transfer", jobs=1)
