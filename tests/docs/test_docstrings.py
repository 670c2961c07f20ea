"""Docstrings of the modules that hold the public entry points: parameters complete and in order, returns stated."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

pytest.importorskip("pydoclint")

ROOT = Path(__file__).resolve().parents[2]
# unreadable sections; missing, surplus or reordered parameters; a missing or surplus Returns section. Other codes
# compare the text of types, which mypy checks in the signature.
CODES = ("DOC001", "DOC101", "DOC102", "DOC103", "DOC104", "DOC201", "DOC202")


def entry_points() -> list[str]:
    """The modules whose docstrings ruff holds to the numpy convention."""
    ignores = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]["per-file-ignores"]
    (pattern,) = (key for key, codes in ignores.items() if key.startswith("!") and codes == ["D"])
    return pattern.removeprefix("!{").removesuffix("}").split(",")


def complaints(*files: str | Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-m", "pydoclint.main", "--config", str(ROOT / "pyproject.toml"), *map(str, files)],
        cwd=ROOT, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stderr
    return re.findall(rf"^ +(\d+: (?:{'|'.join(CODES)}): .*)$", done.stdout + done.stderr, re.MULTILINE)


@pytest.mark.long
def test_parameters_and_returns_are_documented() -> None:
    assert complaints(*entry_points()) == []


@pytest.mark.long
def test_a_missing_parameter_is_noticed(tmp_path: Path) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text(
        'def f(a: int, b: int) -> int:\n    """Add.\n\n    Parameters\n    ----------\n    a : int\n        First.\n\n'
        '    Returns\n    -------\n    int\n        Sum.\n    """\n    return a + b\n'
    )
    assert any("DOC101" in line for line in complaints(bad))
