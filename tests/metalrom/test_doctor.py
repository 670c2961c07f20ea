"""The doctor sees what is there, says how to get what is not, and never needs what it looks for."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from rich.console import Console

from metalrom.cli import doctor
from metalrom.cli.doctor import DoctorCheck, Report, diagnose

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def empty_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without programs: PATH is an empty folder."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("METALROM_NGSPICE", raising=False)
    return folder


def _named(report: Report) -> dict[str, DoctorCheck]:
    return {check.name: check for check in report.checks}


def test_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("METALROM_CACHE", str(tmp_path / "cache"))
    report = diagnose()
    checks = _named(report)
    assert report.ok
    assert report.exit_code == 0
    assert checks["numpy"].state == "ok"
    assert checks["numpy"].found == metadata.version("numpy")
    assert checks["numpy"].group == "core"
    assert checks["ngspice"].found.startswith("ngspice-")
    assert "XSPICE" in checks["ngspice"].note
    assert checks["minilm"].state == "optional"
    assert checks["minilm"].remedy == "`metalrom fetch minilm`"
    assert not (tmp_path / "cache").exists()  # looking changes nothing


def test_every_declared_requirement_is_looked_at() -> None:
    import tomllib

    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    groups = {"core": project["dependencies"], **project["optional-dependencies"]}
    found = {(check.group, canonicalize_name(check.name)) for check in diagnose().checks}
    for group, lines in groups.items():
        # some have no wheel for every Python
        wanted = [r for r in map(Requirement, lines) if r.marker is None or r.marker.evaluate()]
        assert {(group, canonicalize_name(r.name)) for r in wanted} <= found


def test_missing_ngspice_is_an_engine_failure_with_four_ways_out(empty_path: Path) -> None:
    report = diagnose()
    check = _named(report)["ngspice"]
    assert check.state == "missing"
    for word in ("apt", "dnf", "brew", "conda"):
        assert word in check.note
    assert report.exit_code == 3
    assert _named(report)["iverilog"].state == "optional"


def test_program_that_is_not_ngspice(empty_path: Path) -> None:
    fake = empty_path / "ngspice"
    fake.symlink_to("/bin/true")
    assert _named(diagnose())["ngspice"].state == "missing"


def test_absent_and_outdated_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    from packaging.requirements import Requirement

    wanted = [
        ("", Requirement("numpy>=999")),
        ("", Requirement("no-such-thing>=1")),
        ("layout", Requirement("nor-this>=2")),
    ]
    monkeypatch.setattr(doctor, "_requirements", lambda: iter(wanted))
    old, absent, extra = doctor._packages()
    assert (old.state, old.found, old.note) == ("missing", metadata.version("numpy"), "needs >=999")
    assert (absent.state, absent.remedy) == ("missing", 'pip install "no-such-thing>=1"')
    assert (extra.state, extra.note) == ("optional", "extra `layout`: GDSII and OASIS output")
    assert Report((old,)).exit_code == 1


def test_unwritable_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METALROM_CACHE", "/proc/metalrom")
    check = _named(diagnose())["cache folder"]
    assert check.state == "missing"
    assert "METALROM_CACHE" in check.remedy


def test_report_as_json_and_as_a_table() -> None:
    report = Report(
        (
            DoctorCheck("engine", "ngspice", "missing", "", "not on PATH", "install [it]"),
            DoctorCheck("core", "numpy", "ok", "2.0"),
        )
    )
    data = json.loads(json.dumps(report.as_dict()))
    assert data["ok"] is False
    assert data["checks"][1] == {
        "group": "core", "name": "numpy", "state": "ok", "found": "2.0", "note": "", "remedy": "",
    }  # fmt: skip
    console = Console(width=100, record=True, file=Path(os.devnull).open("w"))  # noqa: SIM115
    console.print(report.table())
    assert "not on PATH; install [it]" in console.export_text()


def test_looking_imports_no_heavy_package() -> None:
    code = "import sys; from metalrom.cli.doctor import diagnose; diagnose(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert {"numpy", "scipy", "ngsolve", "skrf", "sklearn", "numba", "matplotlib", "xarray"}.isdisjoint(
        done.stdout.split()
    )


def test_ngspice_named_by_the_environment(empty_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = shutil.which("ngspice", path="/usr/local/bin:/usr/bin:/opt/homebrew/bin")
    if real is None:
        pytest.skip("ngspice lies in none of the usual folders")
    monkeypatch.setenv("METALROM_NGSPICE", real)
    assert _named(diagnose())["ngspice"].state == "ok"
