"""Files appear whole or not at all, are read with a limit, and what goes wrong is told in one sentence."""

from __future__ import annotations

import os
import stat
import tracemalloc
from pathlib import Path

import pytest

from interconnect.errors import InputError
from interconnect.files import (
    atomic_file,
    atomic_write_bytes,
    atomic_write_files,
    atomic_write_text,
    read_bytes,
    read_text,
)


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
    with pytest.raises(InputError, match=r"report: cannot be written \(a folder or device of that name already exists"):
        atomic_write_bytes(target, b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["report"]
    assert (target / "kept").read_text() == "old"


def _half_written(path: Path, error: Exception) -> None:
    with atomic_file(path) as file:
        file.write(b"half")
        raise error


def test_a_block_that_fails_leaves_the_old_content(tmp_path: Path) -> None:
    path = atomic_write_text(tmp_path / "deck.sp", "old")
    with pytest.raises(ZeroDivisionError):
        _half_written(path, ZeroDivisionError())
    with pytest.raises(InputError, match=r"deck\.sp: cannot be written \(No space left"):
        _half_written(path, OSError(28, "No space left on device"))
    assert path.read_text() == "old"
    with atomic_file(path) as file:
        file.write(b"new")
        assert path.read_text() == "old"  # a reader meets the old content until the last byte is there
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_files_that_cannot_be_written(tmp_path: Path) -> None:
    for path in (tmp_path / "missing" / "x", Path("/proc/metalrom.txt")):  # no one can make files in /proc
        with pytest.raises(InputError, match=f"^{path}: cannot be written"):
            atomic_write_text(path, "x")
    assert list(tmp_path.iterdir()) == []


def test_a_device_is_never_replaced_by_a_file(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(InputError, match="of that name already exists"):
        atomic_write_text(pipe, "x")
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_mode_follows_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        path = atomic_write_bytes(tmp_path / "x", b"")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640  # 0666 & ~027


def test_files_that_belong_together_appear_together(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    paths = atomic_write_files(folder, {"x": b"1", "y": b"2"})
    assert [path.read_bytes() for path in paths] == [b"1", b"2"]
    (folder / "z").mkdir()
    with pytest.raises(InputError, match="z: cannot be written"):
        atomic_write_files(folder, {"x": b"3", "y": b"4", "z": b"5"})
    assert [path.read_bytes() for path in paths] == [b"1", b"2"]
    assert sorted(path.name for path in folder.iterdir()) == ["x", "y", "z"]
    with pytest.raises(InputError, match="cannot be made"):
        atomic_write_files(folder / "x" / "deeper", {"x": b""})


def test_reading(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"20 \xc2\xb5m")
    assert read_text(path) == "20 µm"
    assert read_bytes(path, limit=6) == b"20 \xc2\xb5m"
    with pytest.raises(InputError, match="x: is larger than 5 bytes"):
        read_bytes(path, limit=5)
    with pytest.raises(InputError, match="zero: is no regular file"):
        read_bytes("/dev/zero", limit=5)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(InputError, match="pipe: is no regular file"):
        read_bytes(pipe)  # opening it would wait for a writer
    sparse = tmp_path / "sparse"
    with sparse.open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(InputError, match="sparse: is larger than 2147483648 bytes"):
        read_bytes(sparse)
    with pytest.raises(InputError, match=r"cannot be read \(No such file"):
        read_bytes(tmp_path / "none")
    with pytest.raises(InputError, match=r"cannot be read \(Is a directory"):
        read_bytes(tmp_path)
    with pytest.raises(InputError, match=r"cannot be read \((stat: )?embedded null"):
        read_bytes("a\0b")
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="x: is not UTF-8 text"):
        read_text(path)


def test_reading_takes_the_memory_of_the_file_and_not_of_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"1" * 1000)
    tracemalloc.start()
    try:
        assert len(read_bytes(path)) == 1000
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()
    # the system says that this one is empty
    assert b"MemTotal" in read_bytes("/proc/meminfo")
    with pytest.raises(InputError, match="is larger than 10 bytes"):
        read_bytes("/proc/meminfo", limit=10)
