"""Files of a run that were changed afterwards are refused."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from interconnect.errors import InputError
from metalrom.run.manifest import check_intact


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A folder with one file and its manifest."""
    (tmp_path / "lut").mkdir()
    (tmp_path / "lut" / "t.json").write_text("{}")
    files = {"lut/t.json": hashlib.sha256(b"{}").hexdigest()}
    (tmp_path / "manifest.json").write_text(json.dumps({"files": files}))
    return tmp_path


def test_whole_unlisted_and_missing_pass(run: Path) -> None:
    check_intact(run, "lut/t.json")
    (run / "other").write_text("x")
    check_intact(run, "other")
    check_intact(run, "lut/none.json")
    (run / "manifest.json").unlink()
    (run / "lut" / "t.json").write_text("{ }")
    check_intact(run, "lut/t.json")


def test_an_edited_file_is_refused(run: Path) -> None:
    (run / "lut" / "t.json").write_text("{ }")
    with pytest.raises(InputError, match=r"t\.json.*was changed after the run"):
        check_intact(run, "lut/t.json")


@pytest.mark.parametrize("text", ["", "[1]", '{"files": 3}', "{}", '{"files": {"lut/t.json": 1}}', "[" * 100_000])
def test_a_damaged_manifest_is_told(run: Path, text: str) -> None:
    (run / "manifest.json").write_text(text)
    with pytest.raises(InputError):
        check_intact(run, "lut/t.json")
