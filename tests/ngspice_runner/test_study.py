"""Corners x temperatures x parameters, and random draws with recorded seeds."""

from __future__ import annotations

from pathlib import Path

import pytest

from ngspice_runner import Job, Study, run, run_study
from ngspice_runner.errors import JobError

pytestmark = pytest.mark.ngspice
LIBRARY = ".lib tt\n.param rr=1k\n.endl\n.lib ff\n.param rr=3k\n.endl\n"
DECK = "t\n.lib corners.lib tt\n.param load=1k\n.temp 99\nV1 a 0 1\nR1 a b {rr} tc1=1m\nRl b 0 {load}\n.op\n.end\n"
RANDOM = "t\n.param d=agauss(1k,300,1)\nV1 a 0 1\nR1 a b {d}\nR2 b 0 1k\n.op\n.end\n"


def test_everything_with_everything(tmp_path: Path) -> None:
    """v(b) = load / (load + rr (1 + 1e-3 (T - 27))), for every setting."""
    (tmp_path / "corners.lib").write_text(LIBRARY)
    base = Job(DECK, ("v(b)",), folder=str(tmp_path))
    rows = run_study(Study(base, ("tt", "ff"), (27.0, 127.0), {"load": [1e3, 2e3]}), backend="batch")
    assert len(rows) == 8
    for row in rows:
        assert row.result.ok, row.result.log
        load = float(row.settings["load"])
        rr = {"tt": 1e3, "ff": 3e3}[str(row.settings["corner"])] * (
            1 + 1e-3 * (float(row.settings["temperature"]) - 27)
        )
        assert row.values()["v(b)"] == pytest.approx(load / (load + rr), rel=1e-9)


def test_samples_have_seeds_that_replay_them() -> None:
    job = Job(RANDOM, ("v(b)",))
    rows = run_study(Study(job, samples=4, seed=7))
    again = run_study(Study(job, samples=6, seed=7))
    values = [row.values()["v(b)"] for row in rows]
    assert len(set(values)) == 4
    assert [row.values()["v(b)"] for row in again[:4]] == values
    replayed = run(Job(RANDOM, ("v(b)",), seed=int(rows[2].settings["seed"])))
    assert replayed.signals["v(b)"].values[0] == values[2]


@pytest.mark.parametrize(
    ("study", "message"),
    [
        (Study(Job("t\nR1 a 0 1\n.op\n.end\n", ()), corners=("tt",)), "no section"),
        (Study(Job(DECK, ()), corners=("tt; quit",)), "not the name"),
        (Study(Job(DECK, ()), temperatures=(-300.0,)), "more than -273.15"),
        (Study(Job(DECK, ()), samples=3), "no random functions"),
        (Study(Job(DECK, ()), parameters={"nope": [1.0]}), "no .param"),
        (Study(Job(DECK, ()), parameters={"load": [1.0] * 2_000_000}), "at most"),
    ],
)
def test_what_cannot_be_varied_is_refused(study: Study, message: str) -> None:
    with pytest.raises(JobError, match=message):
        run_study(study)
