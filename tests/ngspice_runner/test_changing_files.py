"""An included file that is edited while jobs run: the engine reads the bytes that the key stands for."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from ngspice_runner import Cache, Job, Result, Sweep, Verdict, find_engine, run, run_many, run_sweep
from ngspice_runner.backends import RawOutcome
from ngspice_runner.backends.batch import BatchEngine
from ngspice_runner.backends.process import ProcessBackend
from ngspice_runner.prepare import Prepared, prepare

pytestmark = pytest.mark.ngspice
DECK = "t\n.param r=1k\nV1 a 0 1\nR1 a b {r}\n.include part.inc\n.op\n.end\n"


def write(folder: Path, kiloohms: int) -> None:
    """The same size, name and modification time: only the content tells."""
    path = folder / "part.inc"
    path.write_text(f"R2 b 0 {kiloohms}k\n")
    os.utime(path, (1e9, 1e9))


def divided(result: Result) -> float:
    """kohm of R2 from v(b) = R2 / (1k + R2)."""
    assert result.ok, result.log
    value = float(result.signals["v(b)"].values[0])
    return value / (1 - value)


def key_of(job: Job) -> str:
    return prepare(job, find_engine(), "process").key


class Edits(ProcessBackend):
    """Edits the file before a run starts, `times` times."""

    def __init__(self, folder: Path, times: int) -> None:
        super().__init__()
        self.folder, self.times, self.runs = folder, times, 0

    def run(self, prepared: Prepared) -> RawOutcome:
        self.runs += 1
        if self.runs <= self.times:
            write(self.folder, 1 + self.runs)
        return super().run(prepared)


def test_an_edit_between_key_and_start(tmp_path: Path) -> None:
    """The row is that of the bytes that were there when the job was prepared, under their key."""
    job = Job(DECK, ("v(b)",), folder=str(tmp_path))
    write(tmp_path, 1)
    key = key_of(job)
    with Cache(tmp_path / "cache") as cache:
        backend = Edits(tmp_path, 1)
        edited = run(job, cache=cache, backend=backend)
        assert backend.runs == 1
        assert divided(edited) == pytest.approx(1)
        assert edited.provenance is not None
        assert edited.provenance.key == key
        for kiloohms in (1, 2, 1):
            write(tmp_path, kiloohms)
            assert divided(run(job, cache=cache)) == pytest.approx(kiloohms)


def test_a_file_that_never_rests(tmp_path: Path) -> None:
    """Edited some hundred times a second while jobs run: each result belongs to the bytes whose hash it carries."""
    folder, stop = tmp_path / "deck", threading.Event()
    folder.mkdir()
    write(folder, 1)
    job = Job(DECK, ("v(b)",), folder=str(folder))

    def edit() -> None:
        count = 0
        while not stop.is_set():
            count += 1
            fresh = folder / "fresh"
            fresh.write_text(f"R2 b 0 {1 + count % 5}k\n")
            os.utime(fresh, (1e9, 1e9))
            fresh.replace(folder / "part.inc")
            time.sleep(0.002)

    editor = threading.Thread(target=edit)
    editor.start()
    try:
        with Cache(tmp_path / "cache") as cache:
            jobs = [Job(job.text, job.outputs, folder=job.folder, timeout=100.0 + i) for i in range(40)]
            results = run_many(jobs, cache=cache, workers=2)
    finally:
        stop.set()
        editor.join()
    rows: dict[str, set[int]] = {}
    for result in results:
        assert result.provenance is not None
        ((name, _, sha256),) = result.provenance.inputs
        assert name == "part.inc"
        rows.setdefault(sha256, set()).add(round(divided(result)))
    assert all(len(values) == 1 for values in rows.values()), rows
    for value in (next(iter(values)) for values in rows.values()):
        write(folder, value)
        assert round(divided(run(job, cache=None))) == value


class EditsLater(ProcessBackend):
    """Edits the file as soon as an engine runs."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def _start(self, *arguments: Any) -> Any:
        child = super()._start(*arguments)
        write(self.folder, 2)
        return child


def test_an_edit_during_a_job(tmp_path: Path) -> None:
    """The file is edited while the engine runs; the engine's own view of the deck and later rows stay right."""
    write(tmp_path, 1)
    job = Job(DECK, ("v(b)",), folder=str(tmp_path))
    with Cache(tmp_path / "cache") as cache:
        first = run(job, cache=cache, backend=EditsLater(tmp_path))
        assert divided(first) == pytest.approx(1)
        assert divided(run(job, cache=cache)) == pytest.approx(2)
        write(tmp_path, 1)
        again = run(job, cache=cache)
        assert again.provenance is not None
        assert again.provenance.cached
        assert divided(again) == pytest.approx(1)


def test_a_file_that_appears_before_the_one_taken(tmp_path: Path) -> None:
    """A nested name is looked up from the deck's folder first: a file that appears there hides the other."""
    (tmp_path / "kit").mkdir()
    (tmp_path / "kit" / "outer.inc").write_text(".include part.inc\n")
    write(tmp_path / "kit", 1)
    job = Job(DECK.replace("part.inc", "kit/outer.inc"), ("v(b)",), folder=str(tmp_path))
    with Cache(tmp_path / "cache") as cache:
        assert divided(run(job, cache=cache, backend=Edits(tmp_path, 1))) == pytest.approx(1)
        assert divided(run(job, cache=cache)) == pytest.approx(2)
        (tmp_path / "part.inc").unlink()
        assert divided(run(job, cache=cache)) == pytest.approx(1)


def test_an_edit_during_a_sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The batch engine starts after the edit, and so does the run that it is compared with: every row is that of the
    old file, under its key."""
    base = Job(DECK, ("v(b)",), folder=str(tmp_path))
    points = [{"r": 1e3 * k} for k in range(1, 6)]
    start = BatchEngine._start
    monkeypatch.setattr(BatchEngine, "_start", lambda self, *a: (write(tmp_path, 2), start(self, *a))[1])
    write(tmp_path, 1)
    with Cache(tmp_path / "cache") as cache:
        edited = run_sweep(Sweep(base, points), cache=cache, workers=1)
        monkeypatch.undo()
        after = run_sweep(Sweep(base, points), cache=cache, workers=1)
        write(tmp_path, 1)
        original = run_sweep(Sweep(base, points), cache=cache, workers=1)
    for kiloohms, results in ((1, edited), (2, after), (1, original)):
        # v(b) = R2 / (k kohm + R2) for point k
        assert [float(r.signals["v(b)"].values[0]) for r in results] == pytest.approx(
            [kiloohms / (k + kiloohms) for k in range(1, 6)]
        )


@pytest.fixture
def kit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "Kit"
    folder.mkdir()
    (folder / "models.lib").write_text('.lib tt\n.lib "models.lib" common\n.endl\n.lib common\nR2 b 0 3k\n.endl\n')
    monkeypatch.setenv("MY_KIT", str(folder))
    return folder


@pytest.mark.parametrize("name", ['"$MY_KIT/models.lib"', "$MY_KIT/models.lib", "'${MY_KIT}/models.lib'"])
def test_variables_in_names(kit: Path, name: str) -> None:
    """Resolved, and recorded; the library includes a section of itself."""
    result = run(Job(DECK.replace(".include part.inc", f".lib {name} tt"), ("v(b)",)))
    assert divided(result) == pytest.approx(3)
    assert result.provenance is not None
    assert result.provenance.variables == (("MY_KIT", str(kit)),)
    ((_, path, sha256),) = result.provenance.inputs
    assert (path, len(sha256)) == (str(kit / "models.lib"), 64)


def test_a_variable_that_is_not_set(tmp_path: Path) -> None:
    result = run(Job(DECK.replace("part.inc", "$NO_SUCH_KIT/part.inc"), ("v(b)",), folder=str(tmp_path)))
    assert result.verdict is Verdict.PARSE
    assert "the environment variable NO_SUCH_KIT is not set" in result.log


def test_messages_have_the_names_and_lines_of_the_author(kit: Path) -> None:
    (kit / "Broken.inc").write_text("* one\nR2 b 0 3k\n.include not_there.inc\n")
    result = run(Job(DECK.replace("part.inc", "$MY_KIT/Broken.inc"), ("v(b)",)))
    assert not result.ok
    assert "not_there.inc" in result.log
    assert "files-" not in result.log


def test_data_files_of_code_models_are_copied(tmp_path: Path) -> None:
    """`file=` of a filesource, relative to the deck's folder: kept under the content of the file."""
    deck = 't\na1 %v([s]) src\n.model src filesource (file="Wave.txt" amploffset=[0] amplscale=[1])\nR1 s 0 1k\n'
    job = Job(deck + ".tran 1n 5n\n.end\n", ("v(s)",), folder=str(tmp_path))
    with Cache(tmp_path / "cache") as cache:
        for volts in (1, 2, 1):
            (tmp_path / "Wave.txt").write_text(f"0 {volts}\n1 {volts}\n")
            result = run(job, cache=cache)
            assert result.ok, result.log
            assert result.signals["v(s)"].values[-1] == pytest.approx(volts)
        assert result.provenance is not None
        assert result.provenance.cached
        names = [name for name, _, _ in result.provenance.inputs]
        assert names[:2] == ["Wave.txt", "spinit"]
        assert "analog.cm" in names
