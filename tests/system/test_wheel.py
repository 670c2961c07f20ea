"""The package as it is shipped: everything that the code reads is in the wheel, nothing else is, and it runs away from
the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.builders import config_text

ROOT = Path(__file__).resolve().parents[2]
ROOMS = tuple(
    tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
)

CONFIG = config_text(
    name="away",
    technology={"stack": "open45", "devices": "open45"},
    cell={"kind": "res_via", "resistance": "1Mohm", "planes": [{"row": "metal2", "column": "metal3"}]},
    array={"rows": 8},
    weights={"random": [8, 2]},
    inputs={"bits": 4, "source": "random", "vectors": 4},
    readout={"code_error_target": 1e-1},
    conditions={"corners": ["tt"]},
    characterization={"patterns": 2, "samples": 30, "max_levels": 5},
)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with wheel and sdist, made by the build backend itself: no network, no isolation."""
    pytest.importorskip("hatchling", reason="hatchling is not installed")
    folder = tmp_path_factory.mktemp("dist")
    code = (
        "import sys; from hatchling.build import build_sdist, build_wheel; "
        "build_wheel(sys.argv[1]); build_sdist(sys.argv[1])"
    )
    subprocess.run([sys.executable, "-c", code, str(folder)], cwd=ROOT, check=True, capture_output=True, timeout=120)
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    """The wheel."""
    (found,) = built.glob("metalrom-*.whl")
    return found


def _tracked(room: str) -> set[str]:
    """Files of a room as they lie in the checkout."""
    return {
        str(path.relative_to(ROOT))
        for path in (ROOT / room).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix not in {".pyc", ".nbi", ".nbc"}
    }


def test_the_wheel_holds_every_file_of_the_rooms_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        info = [name for name in archive.namelist() if ".dist-info/" in name]
        metadata = archive.read(next(n for n in info if n.endswith("METADATA"))).decode()
        entries = archive.read(next(n for n in info if n.endswith("entry_points.txt"))).decode()
    expected = set().union(*(_tracked(room) for room in ROOMS))
    assert names == expected
    data = {Path(name).suffix for name in names} - {".py"}
    assert {".j2", ".yaml", ".json", ".typed"} <= data
    for name in ("interconnect/tables/solved_cells.json", "interconnect/stacks/open45.yaml",
                 "netlists/devices/open45.yaml", "templates/cells/cap_balanced.cir.j2",
                 "metalrom/studies/systems/data/example_macro.yaml", "ngspice_runner/scripts/spinit"):  # fmt: skip
        assert name in names
    assert any(name.endswith("licenses/LICENSE") for name in info)
    assert "License-Expression: Apache-2.0" in metadata
    assert "metalrom = metalrom.cli.start:start_program" in entries


def test_the_sdist_holds_what_builds_and_checks_it(built: Path) -> None:
    (found,) = built.glob("metalrom-*.tar.gz")
    with tarfile.open(found) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "LICENSE", "README.md", "run", "mkdocs.yml", "docs/tutorials/first-run.md",
            "tests/system/test_wheel.py", "examples/minilm_layer.yaml"} <= names  # fmt: skip
    assert not any(name.startswith((".venv", "out/", ".git/")) for name in names)


def _venv(folder: Path) -> Path:
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, timeout=120)
    return folder / "bin" / "python"


def _run_away(python: Path, place: Path, config: str) -> None:
    """`metalrom run` and a netlist with its audit, in a folder that knows nothing of the checkout."""
    (place / "away.yaml").write_text(config)
    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME", "METALROM_NGSPICE") if name in os.environ},
        "METALROM_CACHE": str(place / "cache"),
    }
    for command in (
        ["run", "away.yaml", "-o", "out", "--jobs", "2"],
        ["netlist", "away.yaml", "--level", "macro", "-o", "m.cir"],
        ["audit", "m.cir", "away.yaml"],
        ["export", "out", "--format", "json", "-o", "json", "--check"],
    ):
        done = subprocess.run(
            [str(python.parent / "metalrom"), *command],
            cwd=place, env=environment, capture_output=True, text=True, timeout=600, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    where = subprocess.run(
        [str(python), "-c", "import metalrom, netlists, templates; print(metalrom.__file__, netlists.__file__)"],
        cwd=place, env=environment, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert str(ROOT) not in where.stdout
    assert (place / "out" / "report.html").stat().st_size > 50_000


@pytest.mark.ngspice
def test_the_installed_wheel_runs_away_from_the_checkout(wheel: Path, tmp_path: Path) -> None:
    # The dependencies are those of this interpreter, by a path file; the slow test below installs them.
    python = _venv(tmp_path / "venv")
    done = subprocess.run(
        [str(python), "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", str(wheel)],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    places = [p for p in sys.path if p.endswith("-packages")]
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    (tmp_path / "venv" / "lib" / version / "site-packages" / "zz_deps.pth").write_text("\n".join(places) + "\n")
    _run_away(python, tmp_path, CONFIG)


@pytest.mark.slow
@pytest.mark.ngspice
def test_the_wheel_with_its_own_dependencies_runs_the_starter(wheel: Path, tmp_path: Path) -> None:
    python = _venv(tmp_path / "venv")
    done = subprocess.run(
        [str(python), "-m", "pip", "install", "--quiet", str(wheel)],
        capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip
    if done.returncode != 0 and "No matching distribution" in done.stderr:
        pytest.skip("the package index cannot be reached")
    assert done.returncode == 0, done.stderr
    subprocess.run([str(python.parent / "metalrom"), "init", "demo"], cwd=tmp_path, check=True, timeout=60)
    _run_away(python, tmp_path, (tmp_path / "demo" / "metalrom.yaml").read_text())
