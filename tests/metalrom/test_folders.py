"""Folders are proven before work begins, and the cache lies where the user says."""

from __future__ import annotations

from pathlib import Path

import pytest

from interconnect.errors import InputError
from metalrom.folders import cache_folder, ensure_output_folder


def test_output_folder_is_made_and_stays_empty(tmp_path: Path) -> None:
    folder = ensure_output_folder(tmp_path / "x" / "y z")
    assert list(folder.iterdir()) == []
    assert ensure_output_folder(folder) == folder


def test_output_folder_refusals(tmp_path: Path) -> None:
    file = tmp_path / "out"
    file.write_text("mine")
    for path in (file, file / "deeper"):
        with pytest.raises(InputError, match="a file of that name already exists"):
            ensure_output_folder(path)
    assert file.read_text() == "mine"
    with pytest.raises(InputError, match="not writable"):
        ensure_output_folder("/proc/metalrom")  # no one, root included, can make files there


def test_cache_folder_order(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("METALROM_CACHE", str(tmp_path / "own"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder("assets") == tmp_path / "own" / "assets"
    monkeypatch.delenv("METALROM_CACHE")
    assert cache_folder("assets") == tmp_path / "xdg" / "metalrom" / "assets"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # XDG base directory rules: ignored unless absolute
    assert cache_folder() == tmp_path / ".cache" / "metalrom"
