"""Output folders appear whole or not at all, whatever interrupts them, and nothing foreign is ever replaced."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from interconnect.errors import InputError
from metalrom.run import bundle
from metalrom.run.bundle import new_bundle
from metalrom.run.folder import open_run
from metalrom.run.manifest import MANIFEST, file_names, write_manifest

ROOT = Path(__file__).resolve().parents[3]

REPLACE = """
import sys
from pathlib import Path
from metalrom.run import bundle
from metalrom.run.manifest import write_manifest

if sys.argv[2] == "two":
    bundle._exchange = lambda one, other: False
print("ready", flush=True)
for number in range(100_000):
    with bundle.new_bundle(Path(sys.argv[1])) as folder:
        for name in ("a", "b", f"only_{number}"):
            (folder / name).write_text(str(number))
        write_manifest(folder, {"number": number})
"""


def fill(out: Path, **files: str) -> None:
    """Make an output folder of these files."""
    with new_bundle(out) as folder:
        for name, text in files.items():
            (folder / name).write_text(text)
        write_manifest(folder, {})


def fail(out: Path, error: BaseException) -> None:
    """Begin to make an output folder, and fail."""
    with new_bundle(out) as folder:
        (folder / "a").write_text("half")
        raise error


def siblings(out: Path) -> list[str]:
    """Names of what lies beside an output folder."""
    return sorted(path.name for path in out.parent.iterdir() if path != out)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Where an output folder goes; nothing else lies beside it."""
    return tmp_path / "work" / "out"


@pytest.fixture(params=["exchange", "two renames"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways to replace a folder: in one step, and where the file system cannot do that."""
    if request.param == "two renames":
        monkeypatch.setattr(bundle, "_exchange", lambda one, other: False)
    return str(request.param)


def test_nothing_of_an_earlier_folder_is_left(out: Path, way: str) -> None:
    fill(out, a="1", b="1")
    fill(out, b="2", c="2")
    assert file_names(out) == ["b", "c", MANIFEST]
    assert open_run(out).read("b") == b"2"
    assert siblings(out) == []


def test_the_system_swaps_in_one_step(out: Path) -> None:
    """If this fails where `renameat2` exists, every replacement silently takes the two renames."""
    one, other = out / "one", out / "other"
    one.mkdir(parents=True)
    other.mkdir()
    (one / "x").write_text("")
    if not bundle._exchange(one, other):
        pytest.skip("no renameat2, or a file system without exchange")
    assert ([*one.iterdir()], [*other.iterdir()]) == ([], [other / "x"])


@pytest.mark.parametrize("error", [InputError, KeyboardInterrupt, OSError, SystemExit])
def test_a_failure_leaves_the_earlier_folder(out: Path, error: type[BaseException]) -> None:
    fill(out, a="1")
    with pytest.raises(error):
        fail(out, error("stop"))
    assert file_names(out) == ["a", MANIFEST]
    assert open_run(out).read("a") == b"1"
    assert siblings(out) == []


def test_a_failure_of_the_first_run_leaves_nothing(out: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        fail(out, KeyboardInterrupt())
    assert not out.exists()
    assert siblings(out) == []


def test_a_failed_second_rename_is_undone(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "_exchange", lambda one, other: False)
    fill(out, a="1")
    rename = Path.rename

    def failing(self: Path, target: Path) -> Path:
        if self.name == ".out.partial" and not out.exists():
            raise OSError(28, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(InputError, match=r"cannot be replaced .No space left on device."):
        fill(out, a="2")
    assert open_run(out).read("a") == b"1"
    assert siblings(out) == []


def test_a_death_between_the_two_renames_is_repaired(out: Path) -> None:
    fill(out, a="1")
    out.rename(out.with_name(".out.previous"))  # as a kill leaves it
    with pytest.raises(KeyboardInterrupt):
        fail(out, KeyboardInterrupt())
    assert open_run(out).read("a") == b"1"
    assert siblings(out) == []


def test_an_empty_folder_and_a_link_to_one_are_taken(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.mkdir()
    link.symlink_to(real)
    for text in ("1", "2"):
        fill(link, a=text)
        assert link.is_symlink()
        assert (real / "a").read_text() == text


@pytest.mark.parametrize("foreign", ["notes.txt", "lut/notes.txt", "link", "folder link"])
def test_foreign_files_are_refused_and_stay(out: Path, foreign: str) -> None:
    fill(out, a="1")
    (out / "lut").mkdir()
    path = out / foreign
    if "link" in foreign:
        path.symlink_to(ROOT if foreign == "folder link" else out / "a")
    else:
        path.write_text("mine")
    before = file_names(out)
    message = rf"out: holds '{foreign}', which its manifest\.json does not list; give another folder"
    with pytest.raises(InputError, match=message):
        fill(out, a="2")
    path.unlink()
    fill(out, a="2")
    assert foreign in before


def test_files_that_come_during_a_run_stay(out: Path) -> None:
    fill(out, a="1")
    making = new_bundle(out)
    write_manifest(making.__enter__(), {})
    (out / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"holds 'notes\.txt'"):
        making.__exit__(None, None, None)
    assert (out / "notes.txt").read_text() == "mine"
    assert siblings(out) == []


def test_other_folders_are_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(InputError, match=r"holds 'thesis\.tex' and no manifest\.json: this is not an output folder"):
        fill(tmp_path, a="1")
    for path in (tmp_path / "thesis.tex", tmp_path / "thesis.tex" / "below"):
        with pytest.raises(InputError, match="a file of that name already exists"):
            fill(path, a="1")
    with pytest.raises(InputError):
        fill(Path("/"), a="1")
    with pytest.raises(InputError, match="mount point"):
        fill(Path("/proc"), a="1")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
    (tmp_path / MANIFEST).write_text("{}")
    with pytest.raises(InputError, match=r"has a damaged manifest\.json.*; remove the folder, or give another one"):
        fill(tmp_path, a="1")


def test_a_second_process_is_refused(out: Path) -> None:
    fill(out, a="1")
    with new_bundle(out) as folder:
        (folder / "a").write_text("2")
        write_manifest(folder, {})
        with pytest.raises(InputError, match="out: another process is writing to it"):
            fill(out, a="3")
        fill(out.with_name("other"), a="4")
    assert open_run(out).read("a") == b"2"
    assert siblings(out) == ["other"]


@pytest.mark.parametrize("method", ["one", "two"])
def test_kills_never_leave_half_a_folder(out: Path, method: str) -> None:
    """A process that replaces the folder without end is killed at any moment; the folder is whole each time."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    numbers = set()
    for round_ in range(8):
        process = subprocess.Popen(
            [sys.executable, "-c", REPLACE, str(out), method], env=environment, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.05 + 0.0071 * round_)
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=30)
        process.stdout.close()
        if method == "two" and not out.exists():  # the one moment without exchange; the next run repairs it
            with pytest.raises(KeyboardInterrupt):
                fail(out, KeyboardInterrupt())
        run = open_run(out)
        run.verify()
        number = run.manifest.content["number"]
        assert file_names(out) == sorted(["a", "b", f"only_{number}", MANIFEST])
        numbers.add((run.read("a"), run.read("b"), str(number).encode()))
    assert all(a == b == c for a, b, c in numbers)
    fill(out, a="last")
    assert siblings(out) == []
