"""Caches that others could write are not believed; compiled loops find a place or do without."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numba
import pytest

from interconnect import extraction_cache
from interconnect.cachefolder import cache_folder, is_shared, private_folder
from interconnect.compiled import _place
from interconnect.errors import InputError
from ngspice_runner import JobError
from ngspice_runner.cache import Cache


def test_a_new_folder_is_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        folder = private_folder(tmp_path / "cache")
    finally:
        os.umask(before)
    assert folder.stat().st_mode & 0o777 == 0o700


def _open(folder: Path) -> None:
    folder.chmod(0o777)


def _given_away(folder: Path) -> None:
    os.chown(folder, 65534, 65534)


def _group(folder: Path) -> None:
    os.chown(folder, -1, 65534)
    folder.chmod(0o775)


def _above(folder: Path) -> None:
    folder.parent.chmod(0o777)  # whoever may rename it can put another in its place


@pytest.mark.parametrize("change", [_open, _above, _given_away, _group])
def test_a_folder_that_others_can_write_is_refused(change: Callable[[Path], None], tmp_path: Path) -> None:
    folder = private_folder(tmp_path / "above" / "cache")
    key = extraction_cache.cache_key("g", "m")
    extraction_cache.store_extraction(folder, key, {"x": 1})
    assert extraction_cache.load_extraction(folder, key) == {"x": 1}
    if change in (_given_away, _group) and os.geteuid():
        pytest.skip("only the administrator gives folders away")
    change(folder)
    assert is_shared(folder)
    assert extraction_cache.load_extraction(folder, key) is None
    to_close = folder.parent if change is _above else folder
    with pytest.raises(JobError, match=rf"cache folder.* can be written by other users; `chmod go-w {to_close}`"):
        Cache(folder)


def test_a_sticky_folder_above_is_no_danger(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    assert not is_shared(private_folder(tmp_path / "cache"))


def test_loops_are_compiled_where_nothing_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: "readonly" not in str(path))
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    monkeypatch.setenv("METALROM_CACHE", str(tmp_path / "cache"))
    source = tmp_path / "readonly"
    source.mkdir()
    assert _place(source) == str(tmp_path / "cache" / "numba")
    _place.cache_clear()
    (tmp_path / "cache" / "numba").chmod(0o777)
    assert _place(source) is None, "code that others left there would be run"
    _place.cache_clear()
    monkeypatch.delenv("METALROM_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", _homeless)
    assert _place(source) is None
    _place.cache_clear()
    with pytest.raises(InputError, match="set METALROM_CACHE"):
        cache_folder()


def _homeless() -> Path:
    raise RuntimeError("no home")
