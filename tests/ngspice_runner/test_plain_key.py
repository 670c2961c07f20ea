"""A job with a kept result is answered by its text alone: under the key that a whole reading gives, or not at all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ngspice_runner import Cache, Job, Verdict, find_engine, run
from ngspice_runner import simulate as simulate_module
from ngspice_runner.cluster import bundle_size
from ngspice_runner.prepare import plain_key, prepare

DECK = "divider\nV1 a 0 1\nR1 a b 1e3\nR2 b 0 3e3\n.op\n.end\n"
JOB = Job(DECK, ("v(b)",))


@pytest.mark.parametrize(
    "job",
    [
        JOB,
        replace(JOB, outputs=("v(a)",)),
        replace(JOB, options=(("temp", "85"),)),
        replace(JOB, stop=1.0),
        replace(JOB, text=DECK.replace(".op", "E2 c 0 poly(1) a 0 0 1\n.op")),  # needs the code models
        replace(JOB, text=DECK.replace("\n", "\r\n")),
    ],
)
def test_the_key_is_that_of_the_whole_reading(job: Job) -> None:
    engine = find_engine()
    assert plain_key(job, engine, "process") == prepare(job, engine, "process").key


@pytest.mark.parametrize("line", [".include more.inc", ".LIB cards.lib tt", ".control\nrun\n.endc", "V2 c 0 FILE=x"])
def test_a_deck_that_reads_more_has_none(line: str, tmp_path: Path) -> None:
    engine = find_engine()
    assert plain_key(replace(JOB, text=DECK.replace(".op", f"{line}\n.op")), engine, "process") is None
    assert plain_key(replace(JOB, includes=("cards.lib",)), engine, "process") is None


def test_a_kept_result_needs_no_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Cache(tmp_path) as cache:
        first = run(JOB, cache=cache)
        refused = run(replace(JOB, text=DECK.replace("1e3", "")), cache=cache)  # the lint's verdict is never kept
        monkeypatch.setattr(simulate_module, "prepare", None)
        again = run(replace(JOB, tag="again"), cache=cache)
        assert first.ok
        assert refused.verdict is Verdict.PARSE
        assert again.provenance is not None
        assert (again.provenance.cached, again.tag) == (True, "again")
        assert again.signals["v(b)"].values == first.signals["v(b)"].values
        with pytest.raises(TypeError):  # nothing is kept for it, so it is read
            run(replace(JOB, text=DECK.replace("1e3", "")), cache=cache)


@pytest.mark.parametrize(
    ("jobs", "engines", "expected"), [(0, 2, 1), (15, 2, 1), (64, 2, 4), (10_000, 2, 16), (9, 0, 1)]
)
def test_bundles_leave_every_engine_some_tasks(jobs: int, engines: int, expected: int) -> None:
    assert bundle_size(jobs, engines) == expected
