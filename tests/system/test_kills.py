"""A small share of the benchmark of kills: what was killed ends, once it is let be, as if nothing had happened."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


def storms(*words: str) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "kills.py"), "--json", *words],
        capture_output=True, text=True, timeout=3000, check=False,
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_a_killed_layout_is_written_whole() -> None:
    pytest.importorskip("gdstk", reason="the extra `layout` is not installed")
    (found,) = storms("--only", "layout", "--kills", "2", "--seed", "3")
    assert found["defects"] == []
    assert found["identical"]
    assert found["kills"] == 2


@pytest.mark.slow
@pytest.mark.ngspice
def test_every_long_command_survives_kills() -> None:
    found = storms("--kills", "42", "--seed", "3")
    assert {storm["command"] for storm in found} >= {"run", "explore", "optimize", "fit", "export", "layout"}
    assert [defect for storm in found for defect in storm["defects"]] == []
    assert sum(storm["kills"] for storm in found) == 42
