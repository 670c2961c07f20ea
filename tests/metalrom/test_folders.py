"""Files appear whole or not at all; folders are proven before work begins."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from interconnect.errors import InputError
from metalrom.files import atomic_write_bytes, atomic_write_text, cache_folder, ensure_output_folder


def test_text_is_written_as_utf8_with_its_line_ends(tmp_path: Path) -> None:
    path = atomic_write_text(tmp_path / "a b.txt", "20 µm\r\n")
    assert path.read_bytes() == b"20 \xc2\xb5m\r\n"
    plain = tmp_path / "plain"
    plain.write_bytes(b"")
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


def test_failure_leaves_the_old_file_and_no_rest(tmp_path: Path) -> None:
    target = tmp_path / "report"
    target.mkdir()
    (target / "kept").write_text("old")
    with pytest.raises(OSError, match="directory"):
        atomic_write_bytes(target, b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["report"]
    assert (target / "kept").read_text() == "old"


def test_output_folder_is_made_and_stays_empty(tmp_path: Path) -> None:
    folder = ensure_output_folder(tmp_path / "x" / "y z")
    assert list(folder.iterdir()) == []
    assert ensure_output_folder(folder) == folder


def test_output_folder_refusals(tmp_path: Path) -> None:
    file = tmp_path / "out"
    file.write_text("mine")
    for path in (file, file / "deeper"):
        with pytest.raises(InputError, match="a file stands in its way"):
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
