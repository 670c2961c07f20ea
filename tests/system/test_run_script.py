"""The `run` script on machines that lack something: one sentence, exit code 3, nothing half made."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ("bash", "env", "dirname", "cat", "head", "tail", "mktemp", "rm", "id")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A copy of the script in a folder with a blank in its name, beside a `bin` folder that is the whole PATH."""
    folder = tmp_path / "my clone"
    folder.mkdir()
    shutil.copy(ROOT / "run", folder)
    shutil.copy(ROOT / "pyproject.toml", folder)
    (tmp_path / "bin").mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found
        (tmp_path / "bin" / tool).symlink_to(found)
    return folder


def _run(clone: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    path = clone.parent / "bin"
    return subprocess.run(
        [path / "bash", clone / "run", *arguments],
        cwd=clone.parent,
        env={"PATH": str(path), "HOME": str(clone.parent)},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize("job", ["demo", "test", "setup"])
def test_no_ngspice_and_no_apt(clone: Path, job: str) -> None:
    done = _run(clone, job)
    assert done.returncode == 3
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    for way in (
        "apt-get install ngspice",
        "dnf install ngspice",
        "brew install ngspice",
        "conda install -c conda-forge ngspice",
    ):
        assert way in done.stderr
    assert not (clone / ".venv").exists()


def test_no_python(clone: Path) -> None:
    (clone.parent / "bin" / "ngspice").symlink_to("/bin/true")
    done = _run(clone, "demo")
    assert done.returncode == 3
    assert done.stderr.startswith("run: Python 3.11 or newer is missing; install it (Debian 12")
    assert done.stderr.count("\n") == 1


def test_python_without_its_venv_module(clone: Path, tmp_path: Path) -> None:
    # Debian's python3 without python3-venv: ensurepip cannot be imported.
    launcher = clone.parent / "bin" / "python3"
    launcher.write_text(f'#!/bin/sh\ncase "$2" in *ensurepip*) exit 1;; esac\nexec "{sys.executable}" "$@"\n')
    launcher.chmod(0o755)
    done = _run(clone, "metalrom", "doctor")
    assert done.returncode == 3
    assert "install its venv module" in done.stderr
    assert not (clone / ".venv").exists()


@pytest.mark.parametrize(("arguments", "code"), [((), 2), (("dance",), 2), (("help",), 0)])
def test_usage(clone: Path, arguments: tuple[str, ...], code: int) -> None:
    done = _run(clone, *arguments)
    assert done.returncode == code
    assert "./run demo" in (done.stderr if code else done.stdout)


def test_script_is_valid_and_executable() -> None:
    for script in (ROOT / "run", ROOT / ".ci" / "run"):
        subprocess.run(["bash", "-n", script], check=True, timeout=20)
        assert script.stat().st_mode & 0o111
