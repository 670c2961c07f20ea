"""CPU milliseconds per simulation, side by side: bare `ngspice -b -r`, and the harness's backends.

    python benchmarks/runner.py [--rounds 5] [--seconds 2] [--cases tiny_op,column_tran] [--json]

CPU time of everything that takes part (this process and its children, start-up included), over simulations of one
circuit with one number changed each time. `bare` is what a shell loop would do: the deck (with one thread set, as the
harness does) is written to a file and `ngspice -b -r out.raw deck` is run; nobody reads the result. The harness's
figures include lint, key, cache, reading, judging and, once per circuit, the second witness. `shared*` and `batch` are
sweeps; `persistent` and `shared_job` run unrelated jobs. Rounds are interleaved; the median round counts, the spread is
that of the rounds.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from ngspice_runner import Cache, EngineError, Job, Sweep, find_engine, run_many, run_sweep

ROWS = 512
VALUE = 1.0e3


def tiny(analysis: str) -> Job:
    return Job(f"tiny\nV1 a 0 1\nRx a b {VALUE!r}\nR2 b 0 1.0e3\nC1 b 0 1.0e-12\n{analysis}\n.end\n", ("v(b)",))


def column(analysis: str) -> Job:
    """A bit line of 512 cells: a source, a coupling capacitor, a wire segment and a load at every row."""
    cards = [f"Rx b{ROWS - 1} 0 {VALUE * 1e3!r}"]
    for row in range(ROWS):
        cards.append(f"Vw{row} w{row} 0 pulse(0.0 {0.9 * (row % 2):.1e} 1.0e-9 1.0e-10 1.0e-10 1.0 2.0)")
        cards.append(f"Cc{row} w{row} b{row} 2.0e-17")
        cards.append(f"Cp{row} b{row} 0 3.0e-17")
        if row:
            cards.append(f"Rb{row} b{row - 1} b{row} 2.0")
    return Job("\n".join(["column", *cards, analysis, ".end", ""]), (f"v(b{ROWS - 1})",))


def inverters(analysis: str) -> Job:
    """25 inverters in a row, 50 transistors of BSIM4."""
    from netlists.devices.device_set import load_devices

    devices = load_devices("open45")
    cards = [devices.cards("tt").rstrip(), f"Vdd vdd 0 {devices.vdd!r}", f"Rx n25 0 {VALUE * 1e6!r}"]
    cards.append(f"Vin n0 0 pulse(0.0 {devices.vdd!r} 1.0e-10 1.0e-11 1.0e-11 1.0e-9 2.0e-9)")
    for stage in range(25):
        cards.append(f"Mn{stage} n{stage + 1} n{stage} 0 0 {devices.nmos} w=5.0e-7 l=5.0e-8")
        cards.append(f"Mp{stage} n{stage + 1} n{stage} vdd vdd {devices.pmos} w=7.5e-7 l=5.0e-8")
    return Job("\n".join(["inverters", *cards, analysis, ".end", ""]), ("v(n25)",))


def campaign(_: str) -> Job:
    """One deck of `benchmarks/campaign.py`: the drivers, reset switches and cells of a column of four rows."""
    from characterization.campaign import deck_of, job_of
    from characterization.procedures import PROCEDURES
    from metalrom.api import load

    sys.path.insert(0, str(Path(__file__).resolve().parent))
    from campaign import CONFIG

    with tempfile.TemporaryDirectory() as folder:
        np.save(Path(folder, "w.npy"), np.random.default_rng(1).normal(size=(16, 8)))
        Path(folder, "campaign.yaml").write_text(CONFIG.format(samples=30), encoding="ascii")
        setup = load(Path(folder, "campaign.yaml")).setup(4)
        job = job_of(setup, deck_of(setup, PROCEDURES["mismatch"].plan(setup)[-1]))
    return replace(job, text=job.text.replace("\n.end\n", f"\nRx {job.outputs[0][2:-1]} 0 1.0e15\n.end\n"))


CASES: dict[str, Callable[[], Job]] = {
    "tiny_op": lambda: tiny(".op"),
    "tiny_tran": lambda: tiny(".tran 1.0e-11 2.0e-9"),
    "column_op": lambda: column(".op"),
    "column_tran": lambda: column(".tran 2.0e-11 6.0e-9"),
    "campaign_tran": lambda: campaign(""),
    "bsim4_tran": lambda: inverters(".tran 2.0e-12 1.6e-9"),
}


def points(job: Job, count: int, start: int) -> Sweep:
    value = next(float(line.split()[3]) for line in job.text.split("\n") if line.startswith("Rx "))
    return Sweep(job, [{"rx": value * (1 + 1e-6 * (start + i))} for i in range(count)])


def jobs_of(sweep: Sweep) -> list[Job]:
    from ngspice_runner.deck import read_deck
    from ngspice_runner.points import plan_points

    planned = plan_points(sweep, read_deck(sweep.base.text))
    return [planned.job(index) for index in range(len(planned))]


def bare(sweep: Sweep) -> None:
    environment = os.environ | {"OMP_THREAD_LIMIT": "1"}
    engine = find_engine().path
    with tempfile.TemporaryDirectory() as folder:
        for job in jobs_of(sweep):
            saved = f".option num_threads=1 noinit\n.save {job.outputs[0]}\n.end\n"
            Path(folder, "deck.cir").write_text(job.text.replace(".end\n", saved))
            subprocess.run(
                [engine, "-b", "-r", "out.raw", "deck.cir"],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                check=True,
            )


def through(backend: str) -> Callable[[Sweep], None]:
    def work(sweep: Sweep) -> None:
        with tempfile.TemporaryDirectory() as folder, Cache(folder) as cache:
            if backend == "shared_job":
                results = run_many(jobs_of(sweep), backend="shared", workers=1, cache=cache)
            elif backend in ("process", "persistent"):
                results = run_many(jobs_of(sweep), backend=backend, workers=1, cache=cache)
            else:
                results = run_sweep(sweep, backend=backend, workers=1, cache=cache)
        wanted = backend.partition("_")[0]
        assert all(r.ok and r.provenance and r.provenance.backend == wanted for r in results)

    return work


def cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def have_shared() -> bool:
    from ngspice_runner.backends.shared import SharedBackend

    if importlib.util.find_spec("PySpice") is None:
        return False
    try:
        SharedBackend().close()
    except EngineError:
        return False
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="CPU seconds to aim at per way, case and round")
    parser.add_argument("--cases", default=",".join(CASES))
    parser.add_argument("--ways", help="some of the ways, after bare; default: all")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    ways = {"bare": bare, "process": through("process"), "persistent": through("persistent"), "batch": through("batch")}
    if have_shared():
        ways |= {"shared": through("shared"), "shared_job": through("shared_job")}
    if arguments.ways:
        ways = {way: ways[way] for way in ("bare", *arguments.ways.split(","))}
    figures: dict[str, dict[str, list[float]]] = {}
    walls: dict[str, dict[str, list[float]]] = {}
    start = 0
    for case in arguments.cases.split(","):
        job = CASES[case]()
        figures[case] = {way: [] for way in ways}
        walls[case] = {way: [] for way in ways}
        counts = {}
        for way, work in ways.items():  # a first taste, to choose how many make a round; warms every file up
            started = cpu()
            work(points(job, 8, start))
            start += 8
            cost = (cpu() - started) / 8
            if way in ("batch", "shared", "shared_job"):
                cost = cost / 20 if case.startswith("tiny") else cost
            counts[way] = max(8, min(2000, int(arguments.seconds / cost)))
        for _ in range(arguments.rounds):
            for way, work in ways.items():
                sweep = points(job, counts[way], start)
                start += counts[way]
                started, begun = cpu(), time.monotonic()
                work(sweep)
                figures[case][way].append((cpu() - started) / counts[way] * 1e3)
                walls[case][way].append((time.monotonic() - begun) / counts[way] * 1e3)
    if arguments.json:
        print(json.dumps({"engine": find_engine().version, "cpu_ms": figures, "wall_ms": walls}, indent=2))
        return
    print(f"{find_engine().version}: CPU ms per simulation, median of {arguments.rounds} rounds (half spread)")
    print(f"{'':14}" + "".join(f"{way:>18}" for way in ways) + "   over bare in the same round, median, CPU (wall)")
    for case, row in figures.items():
        cells = "".join(f"{statistics.median(v):10.3f} ({(max(v) - min(v)) / 2:5.3f})" for v in row.values())
        ratios = (
            f"{way} {_over_bare(row[way], row['bare']):.3f} ({_over_bare(walls[case][way], walls[case]['bare']):.3f})"
            for way in ways
            if way != "bare"
        )
        print(f"{case:14}{cells}   {', '.join(ratios)}")


def _over_bare(values: list[float], bare: list[float]) -> float:
    return statistics.median(value / other for value, other in zip(values, bare, strict=True))


if __name__ == "__main__":
    main()
