"""A campaign of ngspice runs by `metalrom characterize`, interrupted twice and resumed; then bare ngspice.

    python benchmarks/campaign.py [--runs 2000 | --whole] [--cluster local]

Monte-Carlo draws of a four-row column with transistors; `--whole` is 20,004 runs. Every deck that an engine gets is
logged by the process that hands it over, so that a run lost or done twice shows. Bare ngspice runs decks of the same
campaign, one process a deck, as many at a time, in rounds between those of the harness.
"""

from __future__ import annotations

import argparse
import csv
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from metalrom.cli.main import main as main_command
from ngspice_runner.backends import RawOutcome
from ngspice_runner.backends.persistent import PersistentBackend
from ngspice_runner.backends.process import ProcessBackend
from ngspice_runner.prepare import Prepared

HERE = Path(__file__).resolve().parent
POINTS = 6
"""(active, count) pairs of the procedure `mismatch`."""
WHOLE = 20_000
CLEAN, ROUNDS = 6000, 3
"""Runs of each campaign that is timed without the log of starts, and how many of them."""
BARE = 300
"""Bare runs before each."""
CONFIG = """\
name: campaign
technology: {{stack: generic28, devices: open45}}
cell:
  kind: cap_balanced
  row_pitch: 200nm
  column_pitch: 300nm
  row_width: 50nm
  column_width: 50nm
  tab_length: 150nm
  planes: [{{row: M2, column: M3}}]
array: {{rows: 16, columns: 64, group_rows: 4}}
readout: {{kind: ideal}}
weights: {{file: w.npy, transpose: false, bits: 4}}
inputs: {{bits: 4}}
variation: {{cell_sigma: 2.5%}}
conditions: {{corners: [tt], vdd: [1.0V], temperature: [27degC]}}
characterization: {{procedures: [mismatch], samples: {samples}, sampling: full}}
"""


def main() -> None:
    """Run the campaign and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=2000, help="simulations in all")
    parser.add_argument("--whole", action="store_true", help=f"{WHOLE} simulations")
    parser.add_argument("--cluster", help="as in `metalrom characterize`")
    asked = parser.parse_args()
    # A shell's background job ignores Ctrl-C, and so would the command started here.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if not shutil.which("ngspice"):
        parser.error("ngspice is missing")
    with tempfile.TemporaryDirectory() as scratch:
        measure(Path(scratch), WHOLE if asked.whole else asked.runs, asked.cluster)


def measure(folder: Path, runs: int, cluster: str | None) -> None:
    """The campaign in parts, its accounts, bare ngspice."""
    samples = -(-runs // POINTS)
    runs = samples * POINTS
    np.save(folder / "w.npy", np.random.default_rng(1).normal(size=(16, 8)))
    Path(folder, "campaign.yaml").write_text(CONFIG.format(samples=samples), encoding="ascii")
    wall, before = time.monotonic(), _child_seconds()
    for part, until in enumerate((runs // 3, 2 * runs // 3, None), 1):
        begun, had = time.monotonic(), _committed(folder)
        code, words = _run(folder, until, cluster)
        now = _committed(folder)
        print(
            f"part {part}: exit code {code}, {now - had} committed in {time.monotonic() - begun:.0f} s, {now} in all\n"
            f"  {words}",
            flush=True,
        )
    wall, cpu = time.monotonic() - wall, _child_seconds() - before
    _account(folder, runs)
    print(f"campaign: {wall / runs * 1e3:.1f} ms wall and {cpu / runs * 1e3:.1f} ms CPU per run, everything included")
    begun = time.monotonic()
    _run(folder, None, cluster)
    print(f"all of it again from the cache: {time.monotonic() - begun:.0f} s")
    clean = min(CLEAN, runs) // POINTS * POINTS
    Path(folder, "campaign.yaml").write_text(CONFIG.format(samples=clean // POINTS), encoding="ascii")
    decks = _decks(folder, min(BARE, runs))
    walls, cpus = [], []
    for number in range(ROUNDS):
        bare_wall, bare_cpu = _bare(folder, decks)
        wall, before = time.monotonic(), _child_seconds()
        _run(folder, None, cluster, cache=f"clean{number}", logged=False)
        wall, cpu = (time.monotonic() - wall) / clean, (_child_seconds() - before) / clean
        walls.append(bare_wall / wall)
        cpus.append(bare_cpu / cpu)
        print(
            f"round {number + 1}: bare {bare_wall * 1e3:.1f} ms wall, {bare_cpu * 1e3:.1f} ms CPU a run; campaign of "
            f"{clean} at one go {wall * 1e3:.1f} ms wall, {cpu * 1e3:.1f} ms CPU a run, everything included",
            flush=True,
        )
    print(f"throughput over bare, median: {median(walls):.2f} by wall, {median(cpus):.2f} by CPU")


def _run(
    folder: Path, until: int | None, cluster: str | None, *, cache: str = "cache", logged: bool = True
) -> tuple[int, str]:
    """(exit code, last words) of the command; it gets Ctrl-C as soon as `until` results are committed."""
    start = "campaign import logged" if logged else "metalrom.cli.main import main"
    command = f"import sys; sys.path[:0] = [{str(HERE.parent)!r}, {str(HERE)!r}]; from {start} as start; start()"
    more = ["--cluster", cluster] if cluster else []
    environment = os.environ | {
        "METALROM_CACHE": str(folder / cache),
        "PYTHONPATH": str(HERE.parent),
    }
    with Path(folder, "words").open("w+", encoding="utf-8") as words:
        process = subprocess.Popen(
            [sys.executable, "-c", command, "characterize", "campaign.yaml", "-o", "out", *more],
            cwd=folder, env=environment, stdout=words, stderr=words,
        )  # fmt: skip
        while process.poll() is None:
            time.sleep(0.5)
            if until is not None and _committed(folder) >= until:
                process.send_signal(signal.SIGINT)
                process.wait(60)
        words.seek(0)
        return process.returncode, words.read().strip().replace("\n", "\n  ")


def logged() -> None:
    """The command `metalrom`, which notes the time and the title (it carries the key) of every deck that an engine gets
    in `starts`."""
    for backend in (ProcessBackend, PersistentBackend):
        _log_runs(backend)
    main_command()


def _log_runs(backend: type[ProcessBackend] | type[PersistentBackend]) -> None:
    run = backend.run

    def noted(self: Any, prepared: Prepared) -> RawOutcome:
        with open("starts", "a", encoding="ascii") as file:  # noqa: PTH123 - one write, appended whole
            file.write(f"{time.time()} {prepared.title}\n")
        return run(self, prepared)

    backend.run = noted  # type: ignore[method-assign]


def _rows(folder: Path) -> list[tuple[str, float]]:
    """(key, time of commit) of every result kept."""
    path = folder / "cache" / "simulations" / "results.sqlite"
    if not path.exists():
        return []
    try:
        with closing(sqlite3.connect(path, timeout=30.0)) as connection:
            return list(connection.execute("SELECT key, created FROM results"))
    except sqlite3.OperationalError:  # being made
        return []


def _committed(folder: Path) -> int:
    return len(_rows(folder))


def _account(folder: Path, runs: int) -> None:
    """Nothing lost, nothing done twice: from the log of starts, the cache and the samples."""
    committed = {key[:24]: when for key, when in _rows(folder)}
    starts: dict[str, list[float]] = {}
    for line in Path(folder, "starts").read_text(encoding="utf-8").splitlines():
        when, kind, key = line.split()
        if kind == "ngspice_runner":  # and not a look at what the engine read, or at what it computes besides
            starts.setdefault(key, []).append(float(when))
    late = sum(max(times) > committed[key] for key, times in starts.items() if key in committed)
    with Path(folder, "out", "samples.csv").open(encoding="utf-8", newline="") as file:
        verdicts = Counter(row["verdict"] for row in csv.DictReader(line for line in file if not line.startswith("#")))
    twice = sum(len(times) > 1 for times in starts.values())
    print(
        f"{runs} asked: {len(committed)} committed, {sum(verdicts.values())} samples {dict(verdicts)}; "
        f"started again after their commit: {late}; under way at an interruption, started again: {twice}"
    )


def _decks(folder: Path, number: int) -> list[Path]:
    """Decks of the campaign."""
    from characterization.campaign import deck_of
    from characterization.procedures import PROCEDURES
    from metalrom.api import load

    setup = load(folder / "campaign.yaml").setup(4)
    decks = []
    for index, task in enumerate(PROCEDURES["mismatch"].plan(setup)[:number]):
        deck = deck_of(setup, task)
        path = folder / f"bare{index}.cir"
        saved = deck.text.replace("\n.end", f"\n.save {' '.join(deck.outputs)}\n.end")
        path.write_text(saved, encoding="ascii")
        decks.append(path)
    return decks


def _bare(folder: Path, decks: Sequence[Path]) -> tuple[float, float]:
    """Seconds of wall and CPU time per deck of `ngspice -b`, two or more at a time."""

    def one(path: Path) -> None:
        command = ["ngspice", "-b", "-r", f"{path}.raw", str(path)]
        subprocess.run(command, cwd=folder, check=True, capture_output=True, stdin=subprocess.DEVNULL)

    wall, cpu = time.monotonic(), _child_seconds()
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        list(pool.map(one, decks))
    return (time.monotonic() - wall) / len(decks), (_child_seconds() - cpu) / len(decks)


def _child_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
