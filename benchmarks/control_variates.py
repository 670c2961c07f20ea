"""Campaigns sampled by the corrected linear network against the same campaigns simulated in full.

    python benchmarks/control_variates.py CONFIG --rows N [--places 20] [--error 0.02] [--jobs J]
    python benchmarks/control_variates.py starter

The first form samples the reads of `transfer` and `mismatch` of a configuration's group of N rows, prints what the
correction says of its errors, and only then simulates the reads that it computed: all of them, or `--places` random
ones. Printed: decks, CPU seconds of ngspice and of everything else, distances of levels (rms and largest, in counts and
in error bars), and the mismatch sigmas of both. CPU seconds of a deck are those of its run, which the cache keeps: a
deck that is found there counts as it did when it ran. The second form writes the starter of `metalrom init` and runs it
cold, again from its cache, and cold with `sampling: full`, all in folders of their own.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from characterization.campaign import CampaignOutcome, Task, deck_of, job_of, run_tasks
from characterization.corrected_sampling import CorrectedSampling, sample_corrected
from characterization.procedures import PROCEDURES
from characterization.testbench import Testbench
from interconnect.arrays import FloatArray
from metalrom.api import load
from metalrom.folders import cache_folder
from ngspice_runner import Cache, run_many

ROOT = Path(__file__).resolve().parent.parent
RUN = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from metalrom.cli.main import main; main()"


def main() -> None:
    """Sample, print what is expected, simulate, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", help="a configuration, or `starter`")
    parser.add_argument("--rows", type=int, default=8)
    parser.add_argument("--places", type=int, help="random reads to compare; default: all")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--error", type=float, help="standard error that is asked for; default: the configuration's")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        if asked.config == "starter":
            starter(Path(scratch))
            return
        setup = load(asked.config).setup(asked.rows)
        setup = replace(setup, sampling_error=asked.error or setup.sampling_error)
        with Cache(cache_folder("simulations")) as cache:
            compare(setup, cache, asked.places, asked.jobs)


def engine_seconds(setup: Testbench, tasks: Sequence[Task], cache: Cache) -> float:
    """CPU seconds that ngspice took for the decks of tasks, which the cache holds."""
    jobs = {job.text: job for job in (job_of(setup, deck_of(setup, t)) for t in tasks)}
    return sum(r.provenance.cpu_seconds for r in run_many(list(jobs.values()), cache=cache) if r.provenance)


def compare(setup: Testbench, cache: Cache, places: int | None, jobs: int) -> None:
    """Both campaigns, the corrected one first."""
    tasks = [*PROCEDURES["transfer"].plan(setup), *PROCEDURES["mismatch"].plan(setup)]

    def simulate(chosen: Sequence[Task]) -> CampaignOutcome:
        simulated.extend(chosen)
        return run_tasks(setup, chosen, cache=cache, workers=jobs)

    simulated: list[Task] = []
    begun = time.process_time()
    found = sample_corrected(setup, tasks, simulate, print)
    python = time.process_time() - begun
    engine = engine_seconds(setup, simulated, cache)
    decks = found.outcome.simulated + found.outcome.cached
    print(
        f"{setup.model.kind}, {setup.rows} rows, {len(setup.conditions)} conditions: {decks} of {len(tasks)} decks, "
        f"{engine:.1f} s of CPU in ngspice, {python:.1f} s beside it, {found.maker.reads.solved} linear networks"
    )
    shared = sum(bool(c.others) for c in found.conditions)
    full = [c.condition for c in found.conditions if c.full]
    print(f"  conditions that start from another one: {shared}; simulated in full: {', '.join(full) or 'none'}")
    for c in found.conditions:
        print(
            f"  {c.condition:24s} {c.decks:4d} of {c.reads:4d}; stated errors over the largest sigma: level "
            f"{c.level_error:.3f}, sigma {c.sigma_error:.3f}; residual {c.residual:.4f} counts; held-out chance "
            f"{c.chance:.2g}{f'; with {c.others} reads of others' if c.others else ''}"
        )
    judged = np.arange(len(tasks))
    if places is not None:
        computed = [i for i, s in enumerate(found.outcome.samples) if s.error > 0]
        judged = np.sort(np.random.default_rng(7).choice(computed, size=places, replace=False))
    begun = time.process_time()
    truth = run_tasks(setup, [tasks[i] for i in judged], cache=cache, workers=jobs)
    rest = time.process_time() - begun
    report(setup, tasks, found, judged, truth)
    if places is None:
        whole = engine_seconds(setup, tasks, cache)
        print(
            f"  in full: {len(tasks)} decks, {whole:.1f} s of CPU in ngspice ({whole / max(engine, 1e-9):.1f} times), "
            f"about {rest:.1f} s beside it"
        )


def report(
    setup: Testbench, tasks: list[Task], found: CorrectedSampling, judged: FloatArray, truth: CampaignOutcome
) -> None:
    """Distances of the judged reads, and of the sigmas where all were judged."""
    said = [found.outcome.samples[i] for i in judged]
    unit = np.array([found.maker.unit(tasks[i].condition) for i in judged])
    away = np.array([s.level - t.level for s, t in zip(said, truth.samples, strict=True)]) / unit
    error = np.array([s.error for s in said]) / unit
    computed = error > 0
    z = away[computed] / error[computed]
    print(
        f"  {computed.sum()} computed reads against ngspice: rms {np.sqrt(np.mean(away[computed] ** 2)):.4f}, largest "
        f"{np.abs(away).max():.4f} counts; over their error bars: rms {np.sqrt(np.mean(z**2)):.2f}, "
        f"{100 * np.mean(np.abs(z) < 1.96):.1f} % within 1.96"
    )
    if len(judged) < len(tasks):
        return
    for condition, corrected in found.corrected.items():
        parts = []
        for k, point in enumerate(corrected.points):
            chosen = [
                i for i, t in enumerate(tasks)
                if t.procedure == "mismatch" and t.condition == condition and (t.active, t.count) == point
            ]  # fmt: skip
            levels, same = (np.array([r[i].level for i in chosen]) for r in (truth.samples, found.outcome.samples))
            drawn = float(np.std(levels, ddof=1)) / corrected.unit
            sigma, known = float(np.sqrt(corrected.spread.variance[k])), float(corrected.spread.errors[k])
            own = drawn / np.sqrt(2 * (len(chosen) - 1))
            parts.append(
                f"{point}: {sigma:.4f} +- {known:.4f}, {len(chosen)} draws {drawn:.4f} +- {own:.4f}, same chips "
                f"{100 * (float(np.std(same, ddof=1)) / corrected.unit / drawn - 1):+.1f} %"
            )
        print(f"  sigma in counts at {condition.label}: " + "; ".join(parts))


def starter(folder: Path) -> None:
    """CPU seconds of `metalrom init` and `metalrom run`."""
    _run(folder, "cold", "init", "project")
    config = next((folder / "project").glob("*.yaml"))
    text = config.read_text(encoding="utf-8")
    full = config.with_name("full.yaml")
    full.write_text(text.replace("characterization:\n", "characterization:\n  sampling: full\n"), encoding="utf-8")
    for name, cache, path in (("cold", "cold", config), ("cached", "cold", config), ("cold, in full", "all", full)):
        seconds, words = _run(folder, cache, "run", str(path), "-o", str(folder / f"out_{name[:5]}_{path.stem}"))
        simulated = " ".join(words.split("simulated")[-1].split()[:12])
        print(f"starter, {name}: {seconds:.1f} s of CPU; {simulated}")


def _run(folder: Path, cache: str, *arguments: str) -> tuple[float, str]:
    environment = os.environ | {"METALROM_CACHE": str(folder / cache), "PYTHONPATH": str(ROOT)}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-c", RUN, *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in (0, 1):
        raise SystemExit(done.stderr)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stdout


if __name__ == "__main__":
    main()
