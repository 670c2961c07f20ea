"""Random decks: every job its own draw, repeatable by its seed, never served for another."""

from __future__ import annotations

from pathlib import Path

import pytest

from ngspice_runner import Cache, Job, Result, Sweep, run, run_many, run_sweep
from ngspice_runner.randomness import draws_numbers

pytestmark = pytest.mark.ngspice
DECK = "t\n.param d=agauss(1k,300,1) k=1\nV1 a 0 1\nR1 a b {d}\nR2 b 0 1k\n.op\n.end\n"
JOB = Job(DECK, ("v(b)",))


def drawn(result: Result) -> float:
    assert result.ok, result.log
    return float(result.signals["v(b)"].values[0])


def test_equal_jobs_draw_and_a_seed_repeats(tmp_path: Path) -> None:
    with Cache(tmp_path) as cache:
        results = run_many([JOB] * 8, cache=cache, workers=1)
        assert len({drawn(r) for r in results}) == 8
        for result in results[:2]:
            assert result.provenance is not None
            seed = result.provenance.seed
            assert seed is not None
            for kept in (cache, None):
                again = run(Job(DECK, ("v(b)",), seed=seed), cache=kept)
                assert drawn(again) == drawn(result)
        points = run_sweep(Sweep(JOB, [{"k": 1.0}] * 5), cache=cache, workers=1)
        assert len({drawn(r) for r in points}) == 5


def test_transient_noise_is_never_kept(tmp_path: Path) -> None:
    """No seed of ngspice 39 reaches it."""
    job = Job("t\nV1 b 0 dc 0 trnoise(1 1n 0 0)\nR1 b 0 1k\n.tran 1n 9n\n.end\n", ("v(b)",), seed=7)
    with Cache(tmp_path) as cache:
        results = [run(job, cache=cache) for _ in range(2)]
        assert cache.stats().rows == {}
    assert len({r.signals["v(b)"].values[-1] for r in results}) == 2
    assert all(r.provenance and any("cannot be repeated" in n for n in r.provenance.notes) for r in results)


def test_a_library_with_random_functions_has_one_seed(tmp_path: Path) -> None:
    (tmp_path / "kit.inc").write_text(".param d={agauss(1k,300,1)}\n")
    deck = DECK.replace(".param d=agauss(1k,300,1) k=1", ".include kit.inc")
    results = [run(Job(deck, ("v(b)",), folder=str(tmp_path), seed=seed)) for seed in (None, 1, 2)]
    assert drawn(results[0]) == drawn(results[1]) != drawn(results[2])
    assert results[0].provenance is not None
    assert any("follows seed 1" in note for note in results[0].provenance.notes)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("* agauss(1,2,3)\n", False),
        (".param a={limit(1, 2)}\n", True),
        ("B1 a 0 v=limit(v(b), 0, 1)\n", False),
        (".option seed=5\n.param a=gauss(1,2,3)\n", False),
        (".option seed=random\n.param a=gauss(1,2,3)\n", True),
        ("Vgauss gaussian 0 1\n", False),
        (".option seed=5\nV1 a 0 trnoise(1 1n 0 0)\n", True),
    ],
)
def test_random_decks_are_recognised(text: str, expected: bool) -> None:
    assert draws_numbers("t\n" + text) is expected
