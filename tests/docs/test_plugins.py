"""The plugins of examples/plugins run as their pages say, and nothing else leads to imported code."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.builders import write_config
from tests.scripts import metalrom_command

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = ROOT / "examples" / "plugins"


def small(folder: Path, kind: str = "res_via", **sections: Any) -> Path:
    """A configuration of the stack and devices that ship with a licence."""
    return write_config(
        folder / "small.yaml",
        technology={"stack": "open45", "devices": "open45"},
        cell={"kind": kind, "planes": [{"row": "metal2", "column": "metal3"}]},
        array={"rows": 8},
        weights={"random": [8, 2]},
        conditions={"corners": ["tt"]},
        **{"characterization": {"patterns": 2, "samples": 30, "max_levels": 5}, **sections},
    )


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Cells and simulations of this file."""
    return tmp_path_factory.mktemp("plugins_cache")


def call(folder: Path, cache: Path, *words: object, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own; path: a further place of installed packages."""
    environment = {**os.environ, "METALROM_CACHE": str(cache), "COLUMNS": "200"}
    if path is not None:
        environment["PYTHONPATH"] = str(path)
    return subprocess.run(
        metalrom_command(*words),
        cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_own_cell(tmp_path: Path, cache: Path) -> None:
    cell, config = PLUGINS / "wide_cell.py", PLUGINS / "wide.yaml"
    done = call(tmp_path, cache, "--plugin", cell, "netlist", config, "--level", "macro", "-o", "m.cir")
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "m.cir").read_text()
    assert "* Cell wide_cell on metal2-metal3" in text  # its own template wrote the cell
    assert re.search(r"^R_plug .* 2\.0e\+06", text, re.MULTILINE), "2 Mohm of wide.yaml"
    audit = call(tmp_path, cache, "--plugin", cell, "audit", "m.cir", config)
    assert audit.returncode == 0, audit.stderr
    assert "all 96 cells hold what they should" in audit.stdout  # 16 weights of 4 bits: 6 columns
    # the same configuration without the plugin names no code, so the cell is unknown
    alone = call(tmp_path, cache, "netlist", config)
    assert alone.returncode == 2
    assert "there is no cell kind 'wide_cell'" in alone.stderr


@pytest.mark.slow
@pytest.mark.ngspice
def test_own_procedure(tmp_path: Path, cache: Path) -> None:
    small(tmp_path)
    names = "transfer,mismatch,adc_margin,droop"
    droop = PLUGINS / "droop.py"
    done = call(tmp_path, cache, "--plugin", droop, "characterize", "small.yaml", "-o", "out", "--procedures", names)
    assert done.returncode == 0, done.stderr
    line = next(line for line in done.stderr.splitlines() if line.startswith("droop"))
    assert abs(float(line.split("droop in 10 ns")[1].split()[0])) < 1e-6  # a current cell does not droop: A, not V
    assert '"droop"' in (tmp_path / "out" / "procedures.json").read_text()


@pytest.mark.slow
@pytest.mark.ngspice
def test_own_procedure_reaches_the_report(tmp_path: Path, cache: Path) -> None:
    """One file with a result and its chart: a table and a picture of the report, lost without the plugin but named."""
    small(tmp_path, "cap_balanced", readout={"double_sampling": True, "code_error_target": 0.1}, characterization={
        "patterns": 2, "samples": 30, "max_levels": 5, "procedures": ["transfer", "mismatch", "adc_margin", "droop"],
    })  # fmt: skip
    droop, page = PLUGINS / "droop.py", tmp_path / "out" / "report.html"
    done = call(tmp_path, cache, "--plugin", droop, "run", "small.yaml", "-o", "out")
    assert done.returncode == 0, done.stderr
    text = page.read_text(encoding="utf-8")
    assert "<td>droop in 10 ns</td>" in text
    assert "time after the read, ns" in text  # the label of the chart's axis
    picture = (tmp_path / "out" / "figures" / "droop_levels.svg").read_text(encoding="utf-8").partition("\n")[2]
    assert picture.strip() in text
    alone = call(tmp_path, cache, "report", "out")
    assert alone.returncode == 0, alone.stderr
    text = page.read_text(encoding="utf-8")
    assert "the procedure droop is not loaded; name its file with --plugin" in text
    assert "<td>droop in 10 ns</td>" in text
    assert "time after the read, ns" not in text


def test_own_exporter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The view writes a table's levels and answers from its own file; a changed level is seen."""
    from types import SimpleNamespace

    import numpy as np

    from metalrom.exporters import EXPORTERS
    from metalrom.exporters.probes import ProbePoints
    from metalrom.plugins import load_named

    load_named([str(PLUGINS / "levels_csv.py")])
    load_named([str(PLUGINS / "levels_csv.py")])  # once is enough
    mean = np.tril(np.arange(1.0, 10.0).reshape(3, 3))[None] / 7
    table = SimpleNamespace(
        rows=2, unit="V", conditions=[SimpleNamespace(label="tt")], level=mean, sigma_noise=mean / 9
    )
    source = SimpleNamespace(table=table, results=SimpleNamespace(name="x", warnings=("an estimate",)))
    view = EXPORTERS["levels_csv"]
    (file,) = view.write(source, tmp_path)  # type: ignore[arg-type]
    assert "# an estimate\n" in file.read_text()
    points = ProbePoints(np.zeros(4, np.int64), np.array([2, 2, 2, 1]), np.array([0, 1, 2, 1]))
    got = view.read_back(tmp_path, "level", points)
    assert got is not None
    # the last row of `mean`, to the bit; one driven row of two is not in the file
    assert got[:3].tolist() == [7 / 7, 8 / 7, 9 / 7]
    assert np.isnan(got[3])
    assert view.read_back(tmp_path, "area", points) is None


@pytest.mark.slow
@pytest.mark.ngspice
def test_own_exporter_on_the_command_line(tmp_path: Path, cache: Path) -> None:
    small(tmp_path, "cap_balanced", readout={"double_sampling": True, "code_error_target": 0.1})
    done = call(tmp_path, cache, "run", "small.yaml", "-o", "out")
    assert done.returncode == 0, done.stderr
    exporter = PLUGINS / "levels_csv.py"
    done = call(tmp_path, cache, "--plugin", exporter, "export", "out", "--format", "levels_csv", "-o", "x", "--check")
    assert done.returncode == 0, done.stderr
    assert "worst relative difference: level 0.0e+00" in done.stderr


def test_pages_show_the_files() -> None:
    page = (ROOT / "docs" / "how-to" / "extend.md").read_text()
    shown = re.findall(r'^```\w+\n--8<-- "([^"]+)"\n```$', page, re.MULTILINE)
    written = ["wide_cell.py", "wide.yaml", "droop.py", "levels_csv.py"]
    assert shown == [f"examples/plugins/{name}" for name in written]
    assert all((ROOT / name).is_file() for name in shown)


def test_an_installed_package_announces_its_plugin(tmp_path: Path, cache: Path) -> None:
    info = tmp_path / "site" / "my_lab-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-lab\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[metalrom.plugins]\ngood = my_lab_good\nbad = my_lab_bad\n")
    (tmp_path / "site" / "my_lab_bad.py").write_text("raise RuntimeError('no licence server')\n")
    (tmp_path / "site" / "my_lab_good.py").write_text(
        (PLUGINS / "wide_cell.py").read_text().replace("Path(__file__).parent", f"Path({str(PLUGINS)!r})")
    )
    done = call(tmp_path, cache, "extract", PLUGINS / "wide.yaml", path=tmp_path / "site")
    assert done.returncode == 0, done.stderr
    assert "wide_cell on metal2-metal3" in done.stdout
    assert "WARNING: entry point bad of group metalrom.plugins: the plugin my_lab_bad cannot be imported" in done.stderr
    assert "no licence server" in done.stderr
    quiet = call(tmp_path, cache, "schema", path=tmp_path / "site")  # looks nothing up: plugins stay out
    assert quiet.stderr == ""


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("missing.py", "there is no file missing.py"),
        ("no_such_module", "cannot be imported (ModuleNotFoundError"),
        ("a b; import os", "neither a module nor a Python file"),
        ("broken.py", "cannot be imported (SyntaxError"),
    ],
)
def test_a_plugin_that_fails_is_one_sentence(name: str, sentence: str, tmp_path: Path, cache: Path) -> None:
    (tmp_path / "broken.py").write_text("def\n")
    done = call(tmp_path, cache, "--plugin", name, "schema")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert sentence in done.stderr


def test_a_configuration_cannot_name_code(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "trap.py").write_text("open('trapped', 'w')\n")
    small(tmp_path, plugins=["trap.py"])
    done = call(tmp_path, cache, "netlist", "small.yaml")
    assert done.returncode == 2
    assert "plugins" in done.stderr
    assert not (tmp_path / "trapped").exists()
