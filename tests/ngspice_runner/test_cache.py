"""The cache never serves what is stale or damaged, and never loses what is whole."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import sqlite3
import stat
import tempfile
from pathlib import Path

import numpy as np
import pytest

from ngspice_runner import Cache, Job, JobError, Result, Verdict, find_engine, run
from ngspice_runner.cache import default_cache_folder

DECK = "t\nV1 a 0 1 ac 1\nR1 a b 1e3\nD1 b 0 dd\n.model dd d\n.dc v1 0 1 0.01\n.end\n"
JOB = Job(DECK, ("v(b)",))


def same(left: Result, right: Result) -> bool:
    """Bit-identical vectors under the same names, same verdict and log."""
    return (
        left.verdict is right.verdict
        and left.log == right.log
        and list(left.signals) == list(right.signals)
        and all(left.signals[n].values.tobytes() == right.signals[n].values.tobytes() for n in left.signals)
        and all(left.signals[n].unit == right.signals[n].unit for n in left.signals)
    )


def cached(result: Result) -> bool:
    assert result.provenance is not None
    return result.provenance.cached


@pytest.mark.parametrize("card", [".dc v1 0 1 0.01", ".ac dec 5 1 1e6", ".op", ".op\n.tran 1e-9 1e-8"])
def test_hit_is_bit_identical(tmp_path: Path, card: str) -> None:
    cache = Cache(tmp_path)
    job = Job(DECK.replace(".dc v1 0 1 0.01", card), ("v(b)", "i(v1)", "v(a,b)"), tag="x")
    first, second = run(job, cache=cache), run(job, cache=cache)
    assert first.ok
    assert (cached(first), cached(second)) == (False, True)
    assert same(first, second)
    assert second.tag == "x"
    assert first.provenance is not None
    assert second.provenance is not None
    assert first.provenance.key == second.provenance.key
    assert cache.stats().rows == {"ok": 1}


def test_default_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("METALROM_CACHE", str(tmp_path / "a"))
    assert default_cache_folder() == tmp_path / "a"
    monkeypatch.delenv("METALROM_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "b"))
    assert default_cache_folder() == tmp_path / "b" / "metalrom"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_cache_folder() == tmp_path / ".cache" / "metalrom"


def test_unusable_folder_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(JobError, match="METALROM_CACHE"):
        Cache(tmp_path / "file" / "below")


def test_changed_deck_option_output_or_stop_is_no_hit(tmp_path: Path) -> None:
    """Diode drop at another temperature (option), with other outputs, another end or another deck: always a new run."""
    cache = Cache(tmp_path)
    cold = run(JOB, cache=cache)
    variants = [
        Job(DECK, ("v(b)",), options=(("temp", "100"),)),
        Job(DECK, ("v(a)",)),
        Job(DECK, ("v(b)",), stop=1.0),
        Job(DECK.replace("R1 a b 1e3", "R1 a b 2e3"), ("v(b)",)),
        Job(DECK, ("v(b)",), options=(("ngbehavior", "hsa"),)),
    ]
    assert not any(cached(run(job, cache=cache)) for job in variants)
    assert all(cached(run(job, cache=cache)) for job in variants)
    assert run(variants[0], cache=cache).signals["v(b)"].values[-1] < cold.signals["v(b)"].values[-1] - 0.05


def test_tag_and_timeout_do_not_matter(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    run(JOB, cache=cache)
    assert cached(run(Job(DECK, ("v(b)",), timeout=7.0, tag="other"), cache=cache))


def test_changed_nested_include_is_no_hit(tmp_path: Path) -> None:
    """A library included by an include changes within the same second and with the same size."""
    cache = Cache(tmp_path / "cache")
    (tmp_path / "sub").mkdir()
    (tmp_path / "outer.inc").write_text(".lib 'sub/inner.lib' tt\n")
    job = Job("t\n.include outer.inc\nV1 a 0 2\nR1 a b 1e3\n.op\n.end\n", ("v(b)",), folder=str(tmp_path))
    for value, expected in (("1e3", 1.0), ("3e3", 1.5)):
        (tmp_path / "sub" / "inner.lib").write_text(f".lib tt\nR2 b 0 {value}\n.endl tt\n")
        result = run(job, cache=cache)
        assert result.ok, result.log
        assert not cached(result)
        assert result.signals["v(b)"].values[-1] == pytest.approx(expected)
        assert cached(run(job, cache=cache))


def test_nested_include_beside_its_includer_or_from_the_deck_folder(tmp_path: Path) -> None:
    """ngspice looks from the deck's folder first, then beside the including file; so do we."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "outer.inc").write_text(".include inner.inc\n")
    (tmp_path / "sub" / "inner.inc").write_text("R2 b 0 1e3\n")
    job = Job("t\n.include sub/outer.inc\nV1 a 0 2\nR1 a b 1e3\n.op\n.end\n", ("v(b)",), folder=str(tmp_path))
    assert run(job).signals["v(b)"].values[-1] == pytest.approx(1.0)
    (tmp_path / "inner.inc").write_text("R2 b 0 3e3\n")
    assert run(job).signals["v(b)"].values[-1] == pytest.approx(1.5)


def test_another_engine_binary_is_no_hit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same version with one byte appended to the executable counts as another engine."""
    cache = Cache(tmp_path / "cache")
    run(JOB, cache=cache)
    other = tmp_path / "bin" / "ngspice"
    other.parent.mkdir()
    shutil.copy(find_engine().path, other)
    with other.open("ab") as file:
        file.write(b"\0")
    other.chmod(other.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("METALROM_NGSPICE", str(other))
    again = run(JOB, cache=cache)
    assert again.ok
    assert not cached(again)
    assert cached(run(JOB, cache=cache))


def test_deck_that_reads_files_by_itself_is_not_cached(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    deck = "t\nV1 a 0 1\nR1 a 0 1\n.control\nop\nwrite x.raw v(a)\nload x.raw\nquit 0\n.endc\n.end\n"
    job = Job(deck, ("v(a)",))
    assert run(job, cache=cache).ok
    again = run(job, cache=cache)
    assert not cached(again)
    assert again.provenance is not None
    assert "not cached" in again.provenance.notes[-1]


def test_failures_are_kept_but_timeouts_not_served(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    loop = Job("t\nV1 a 0 1\nV2 a 0 2\nR1 a 0 1\n.op\n.end\n", ("v(a)",))
    endless = Job("t\nV1 b 0 sin(0 1 1e9)\nR1 b 0 1\n.tran 1e-12 1 0 1e-12\n.end\n", ("v(b)",), timeout=0.2)
    assert run(loop, cache=cache).verdict is Verdict.CONVERGENCE
    assert cached(run(loop, cache=cache))
    assert not cached(run(loop, cache=cache, retry_failures=True))
    slow = run(endless, cache=cache)
    assert slow.verdict is Verdict.TIMEOUT
    assert slow.signals["time"].values.size > 0  # partial data survive
    assert not cached(run(endless, cache=cache))
    assert cache.stats().rows == {"convergence": 1, "timeout": 1}
    assert cache.prune(failures=True) == 2


def test_flipped_bits_are_never_served(tmp_path: Path) -> None:
    """Every 97th byte of the file flipped in turn: the answer is the right one, from the cache or run again."""
    with Cache(tmp_path / "a") as cache:
        reference = run(JOB, cache=cache)
    original = (tmp_path / "a" / "results.sqlite").read_bytes()
    damaged_hits = 0
    for index, position in enumerate(range(0, len(original), 97)):
        folder = tmp_path / f"c{index}"
        folder.mkdir()
        data = bytearray(original)
        data[position] ^= 1 << (index % 8)
        (folder / "results.sqlite").write_bytes(data)
        assert reference.provenance is not None
        with Cache(folder) as cache:
            kept = cache.get(reference.provenance.key)
            damaged_hits += kept is None
            assert kept is None or same(kept, reference)
            assert cache.put(reference.provenance.key, reference)
            again = cache.get(reference.provenance.key)
            assert again is not None
            assert same(again, reference)
    assert damaged_hits > 10


@pytest.mark.parametrize("keep", [0, 1, 99, 100, 4096, 5000, 8191])
def test_truncated_file_is_rebuilt(tmp_path: Path, keep: int) -> None:
    cache = Cache(tmp_path)
    reference = run(JOB, cache=cache)
    cache.close()
    path = tmp_path / "results.sqlite"
    path.write_bytes(path.read_bytes()[:keep])
    again = run(JOB, cache=cache)
    assert same(reference, again)
    assert cached(run(JOB, cache=cache))
    assert cache.verify() == (1, 0)
    if keep >= 100:  # below its header size SQLite takes the file for a new one
        assert cache.stats().damaged_files
        cache.prune()
        assert not cache.stats().damaged_files


def test_damaged_row_is_set_aside_and_others_live(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    other = Job(DECK.replace("1e3", "2e3"), ("v(b)",))
    first = run(JOB, cache=cache)
    run(other, cache=cache)
    cache.close()
    assert first.provenance is not None
    with sqlite3.connect(tmp_path / "results.sqlite") as connection:
        connection.execute("UPDATE results SET verdict = 'suspect' WHERE key = ?", (first.provenance.key,))
    assert cache.verify() == (1, 1)
    assert cache.stats().damaged_rows == 1
    assert not cached(run(JOB, cache=cache))
    assert cached(run(other, cache=cache))
    assert cache.prune() == 1


def test_whole_rows_of_a_damaged_file_are_carried_over(tmp_path: Path) -> None:
    """Fifty rows, one page destroyed: most come back from the file set aside."""
    cache = Cache(tmp_path)
    result = run(JOB)
    for index in range(50):
        assert cache.put(f"{index:064x}", result)
    cache.close()
    path = tmp_path / "results.sqlite"
    data = bytearray(path.read_bytes())
    data[-4096:] = b"\xff" * 4096
    data[4096 * 3 : 4096 * 3 + 64] = b"\xff" * 64
    path.write_bytes(data)
    cache.verify()
    alive = [index for index in range(50) if cache.get(f"{index:064x}") is not None]
    assert 40 <= len(alive) < 50
    assert all(same(found, result) for index in alive if (found := cache.get(f"{index:064x}")))
    assert cache.put("f" * 64, result)


def test_read_only_file_costs_the_cache_not_the_result(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    run(JOB, cache=cache)
    cache.close()
    (tmp_path / "results.sqlite").unlink()
    (tmp_path / "results.sqlite").mkdir()
    result = run(JOB, cache=cache)
    assert result.ok
    assert result.provenance is not None
    assert "not cached" in result.provenance.notes[-1]


def _fill(folder: str, first: int) -> None:
    cache = Cache(folder)
    result = Result(Verdict.OK, log=str(os.getpid()))
    for index in range(200):
        assert cache.put(f"{(first * 50 + index) % 400:064x}", result), cache.trouble


def test_four_processes_write_one_file(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_fill, args=(str(tmp_path), i)) for i in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0] * 4
    assert Cache(tmp_path).verify() == (350, 0)


def test_fork_opens_its_own_connection(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    result = run(JOB, cache=cache)
    assert result.provenance is not None
    child = os.fork()
    if child == 0:
        kept = cache.get(result.provenance.key)
        os._exit(0 if kept is not None and same(kept, result) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert cached(run(JOB, cache=cache))


def test_vectors_from_the_cache_are_arrays_of_the_same_kind(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    job = Job("t\nV1 a 0 ac 1\nR1 a b 1e3\nC1 b 0 1e-9\n.ac dec 5 1 1e6\n.end\n", ("v(b)",))
    first, second = run(job, cache=cache), run(job, cache=cache)
    for result in (first, second):
        assert result.signals["frequency"].values.dtype == np.float64
        assert result.signals["v(b)"].values.dtype == np.complex128


def test_another_corner_is_no_hit(tmp_path: Path) -> None:
    """The section of a library is the corner: the fast one must never be answered with the typical one."""
    (tmp_path / "models.lib").write_text(
        ".lib tt\n.model dd d is=1e-14\n.endl tt\n.lib ff\n.model dd d is=1e-12\n.endl ff\n"
    )
    cache = Cache(tmp_path / "cache")
    drops = []
    for corner in ("tt", "ff"):
        text = DECK.replace(".model dd d\n", f".lib models.lib {corner}\n")
        job = Job(text, ("v(b)",), folder=str(tmp_path))
        result = run(job, cache=cache)
        assert result.ok, result.log
        assert not cached(result)
        assert cached(run(job, cache=cache))
        drops.append(result.signals["v(b)"].values[-1])
    # Both currents flow through 1 kohm from 1 V: v1 - v2 = V_T (ln(Is2 / Is1) + ln(I1 / I2)), V_T 25.865 mV at 27 degC.
    wanted = 0.025865 * (np.log(100) + np.log((1 - drops[0]) / (1 - drops[1])))
    assert drops[0] - drops[1] == pytest.approx(wanted, rel=1e-3)


def test_same_seed_same_bits_other_seed_other_bits(tmp_path: Path) -> None:
    """Jobs drawn from one SeedSequence are the same text and results twice, without and through a cache."""

    def draw(seed: int) -> list[Job]:
        values = np.random.default_rng(np.random.SeedSequence(seed)).normal(1e3, 50.0, 5)
        return [Job(DECK.replace("1e3", repr(float(value))), ("v(b)",)) for value in values]

    first, second, other = draw(1), draw(1), draw(2)
    assert [job.text for job in first] == [job.text for job in second]
    assert not {job.text for job in first} & {job.text for job in other}
    cache = Cache(tmp_path)
    runs = [
        [run(job) for job in first],
        [run(job, cache=cache) for job in second],
        [run(job, cache=cache) for job in first],
    ]
    for results in runs[1:]:
        assert all(same(a, b) for a, b in zip(runs[0], results, strict=True))
    assert not any(cached(run(job, cache=cache)) for job in other)


def test_another_library_is_no_hit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """libngspice with one byte appended counts as another engine of the shared backend."""
    pytest.importorskip("PySpice")
    from ngspice_runner.backends.shared import find_library
    from ngspice_runner.errors import EngineError

    try:
        original = find_library()
    except EngineError as error:
        pytest.skip(str(error))
    cache = Cache(tmp_path / "cache")
    assert not cached(run(JOB, cache=cache, backend="shared"))
    assert cached(run(JOB, cache=cache, backend="shared"))
    copy = tmp_path / "libngspice.so.0"
    copy.write_bytes(Path(original.path).read_bytes() + b"\0")
    monkeypatch.setenv("NGSPICE_LIBRARY_PATH", str(copy))
    again = run(JOB, cache=cache, backend="shared")
    assert again.ok
    assert not cached(again)
    assert again.provenance is not None
    assert again.provenance.backend == "shared"


@pytest.mark.skipif(os.geteuid() != 0, reason="only the administrator may become another user")
def test_a_cache_of_somebody_else_that_can_only_be_read() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "shared"
        with Cache(folder) as cache:
            assert cache.put("aa" * 32, Result(Verdict.OK))
        for path in (Path(name), folder):
            path.chmod(0o755)
        for path in folder.iterdir():
            path.chmod(0o644)
        child = os.fork()
        if child == 0:
            os.setgid(65534)
            os.setuid(65534)
            with Cache(folder) as cache:
                found = cache.get("aa" * 32)
                served = found is not None and found.ok
                os._exit(0 if served and not cache.put("bb" * 32, Result(Verdict.OK)) and cache.trouble else 1)
        assert os.waitpid(child, 0)[1] == 0
        with Cache(folder) as cache:
            assert cache.verify() == (1, 0)
