"""The accuracy page is what the recorded results say, and every result says where it comes from."""

from __future__ import annotations

import datetime
import json
import re
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

from tests.scripts import load_script

ROOT = Path(__file__).resolve().parents[2]
RESULTS = [
    (path.stem, result)
    for path in sorted((ROOT / "benchmarks" / "results").glob("*.json"))
    for result in json.loads(path.read_text(encoding="utf-8"))["results"]
]


@pytest.fixture(scope="module")
def accuracy_page() -> ModuleType:
    """benchmarks/accuracy_page.py as a module."""
    return load_script("benchmarks/accuracy_page.py")


def test_the_page_is_up_to_date(accuracy_page: ModuleType) -> None:
    assert (ROOT / "docs" / "reference" / "accuracy.md").read_text(encoding="utf-8") == accuracy_page.page()


def test_every_file_is_a_section(accuracy_page: ModuleType) -> None:
    assert {name for name, _ in RESULTS} == set(accuracy_page.SECTIONS)


def test_results_are_complete() -> None:
    # 63 claims stood on the page when it was transcribed; a claim is found by its text
    assert len(RESULTS) >= 63
    claims = [result["claim"] for _, result in RESULTS]
    assert len(set(claims)) == len(claims)
    for _, result in RESULTS:
        assert set(result) <= {"claim", "figure", "command", "note", "commit", "date"}, result["claim"]
        assert result["figure"]
        assert result.get("command") or result.get("note"), result["claim"]
        assert re.fullmatch(r"[0-9a-f]{7}", result["commit"]), result["claim"]
        datetime.date.fromisoformat(result["date"])


def test_commits_exist() -> None:
    inside = subprocess.run(["git", "rev-parse", "--is-shallow-repository"], cwd=ROOT, capture_output=True, text=True)
    if inside.returncode or inside.stdout.strip() != "false":
        pytest.skip("no complete git history here")
    for commit in {result["commit"] for _, result in RESULTS}:
        found = subprocess.run(["git", "cat-file", "-t", commit], cwd=ROOT, capture_output=True, text=True, check=False)
        assert found.stdout.strip() == "commit", commit


def test_a_new_figure_is_recorded(accuracy_page: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in accuracy_page.SECTIONS:
        (tmp_path / f"{name}.json").write_text((ROOT / "benchmarks" / "results" / f"{name}.json").read_text())
    monkeypatch.setattr(accuracy_page, "RESULTS", tmp_path)
    monkeypatch.setattr(
        accuracy_page.subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], 0, "0123abc\n", "")
    )
    claim = RESULTS[0][1]["claim"]
    changed = accuracy_page.record(claim, "42 dB")
    (entry,) = [r for r in json.loads(changed.read_text())["results"] if r["claim"] == claim]
    assert (entry["figure"], entry["commit"]) == ("42 dB", "0123abc")
    assert f"| {claim} | 42 dB |" in accuracy_page.page()
    with pytest.raises(SystemExit, match="no claim"):
        accuracy_page.record("a claim that nobody made", "1")
