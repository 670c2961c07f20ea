"""An included file that is edited while jobs run: every row belongs to the bytes that the engine read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ngspice_runner import Cache, Job, Result, Sweep, Verdict, run, run_sweep
from ngspice_runner.backends import RawOutcome
from ngspice_runner.backends.batch import BatchEngine
from ngspice_runner.backends.process import ProcessBackend
from ngspice_runner.prepare import Prepared

pytestmark = pytest.mark.ngspice
DECK = "t\n.param r=1k\nV1 a 0 1\nR1 a b {r}\n.include part.inc\n.op\n.end\n"


def write(folder: Path, kiloohms: int) -> None:
    """The same size, name and modification time: only the content tells."""
    path = folder / "part.inc"
    path.write_text(f"R2 b 0 {kiloohms}k\n")
    os.utime(path, (1e9, 1e9))


def divided(result: Result) -> float:
    """kohm of R2 from v(b) = R2 / (1k + R2)."""
    value = float(result.signals["v(b)"].values[0])
    return value / (1 - value)


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
    job = Job(DECK, ("v(b)",), folder=str(tmp_path))
    write(tmp_path, 1)
    with Cache(tmp_path / "cache") as cache:
        backend = Edits(tmp_path, 1)
        edited = run(job, cache=cache, backend=backend)
        assert (edited.verdict, backend.runs) == (Verdict.OK, 2)
        for kiloohms in (1, 2, 1):
            write(tmp_path, kiloohms)
            assert divided(run(job, cache=cache)) == pytest.approx(kiloohms)
    assert divided(edited) == pytest.approx(2)


def test_a_file_that_never_rests_is_suspect_and_not_kept(tmp_path: Path) -> None:
    write(tmp_path, 1)
    with Cache(tmp_path / "cache") as cache:
        result = run(Job(DECK, ("v(b)",), folder=str(tmp_path)), cache=cache, backend=Edits(tmp_path, 9))
        assert (result.verdict, cache.stats().rows) == (Verdict.SUSPECT, {})
    assert "part.inc" in result.log


def test_a_file_that_appears_before_the_one_taken(tmp_path: Path) -> None:
    """A nested name is looked up from the deck's folder first: a file that appears there hides the other."""
    (tmp_path / "kit").mkdir()
    (tmp_path / "kit" / "outer.inc").write_text(".include part.inc\n")
    write(tmp_path / "kit", 1)
    job = Job(DECK.replace("part.inc", "kit/outer.inc"), ("v(b)",), folder=str(tmp_path))
    with Cache(tmp_path / "cache") as cache:
        assert divided(run(job, cache=cache, backend=Edits(tmp_path, 1))) == pytest.approx(2)
        (tmp_path / "part.inc").unlink()
        assert divided(run(job, cache=cache)) == pytest.approx(1)


def test_an_edit_during_a_sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The batch engine starts after the edit: its rows would lie under the keys of the old file."""
    base = Job(DECK, ("v(b)",), folder=str(tmp_path))
    points = [{"r": 1e3 * k} for k in range(1, 6)]
    start = BatchEngine._start
    monkeypatch.setattr(BatchEngine, "_start", lambda self, *a: (write(tmp_path, 2), start(self, *a))[1])
    write(tmp_path, 1)
    with Cache(tmp_path / "cache") as cache:
        edited = run_sweep(Sweep(base, points), cache=cache, workers=1)
        monkeypatch.undo()
        write(tmp_path, 1)
        original = run_sweep(Sweep(base, points), cache=cache, workers=1)
    for kiloohms, results in ((2, edited), (1, original)):
        # v(b) = R2 / (k kohm + R2) for point k
        assert [float(r.signals["v(b)"].values[0]) for r in results] == pytest.approx(
            [kiloohms / (k + kiloohms) for k in range(1, 6)]
        )
    assert edited[0].provenance is not None
    assert any("files changed while the sweep ran" in note for note in edited[0].provenance.notes)
