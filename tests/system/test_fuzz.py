"""A small share of the fuzz benchmark: damaged input of every kind ends in one sentence, whatever is in it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def fuzz(*words: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "fuzz.py"), "--json", *words],
        capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_damaged_input_ends_in_one_sentence(tmp_path: Path) -> None:
    """With the cases that were defects once, and a journal from which a second call has nothing left to do."""
    words = ("--cases", "60", "--seed", "7", "--jobs", "1", "--without-engine", "--journal", str(tmp_path / "journal"))
    found = fuzz(*words)
    assert found["defects"] == []
    corpus = len(list((ROOT / "benchmarks" / "fuzz_corpus").glob("*.json")))
    assert found["cases"] >= 60 + min(corpus, 1)
    refused = sum(counts.get("exit 2", 0) for counts in found["by_kind"].values())
    assert refused >= 30  # damage that nobody notices would prove nothing
    assert 0 < found["peak_megabytes"] < 1024
