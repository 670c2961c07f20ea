"""A small share of the fuzz benchmark: damaged configurations and files end in one sentence, whatever is in them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def fuzz(*words: str) -> dict[str, object]:
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "fuzz.py"), "--json", *words],
        capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


def test_damaged_input_ends_in_one_sentence() -> None:
    found = fuzz("--configs", "40", "--files", "20", "--seed", "7")
    assert found["defects"] == []
    assert found["cases"] == 60
    kinds = found["by_kind"]
    assert isinstance(kinds, dict)
    refused = sum(counts.get("exit 2", 0) for counts in kinds.values())
    assert refused >= 20  # damage that nobody notices would prove nothing
