"""Coverage of the 95 % interval of the code error over independent repeats of the mismatch sampling.

    python benchmarks/code_error_coverage.py [--repeats 250] [--draws 20] [--decks] [--workers 1]

Eight rows, all driven. A repeat draws its own chips, fits the spread model to their levels as a run does, and states a
code error with its interval (`ReadoutTable.code_error_interval`). It is covered where the interval holds the code error
of the standard deviations over many other chips, taken at every count directly, without the spread model.

Levels are those of the exact linear network with drawn cells, or with --decks (fewer repeats: `--repeats 20
--draws 12`) of ngspice decks with drawn cells and transistors; their reference is the spread model of all repeats'
chips together, on the spacing of the exact network. Levels count as known: the mismatch sampling alone is tested.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from characterization.campaign import Task, run_tasks
from characterization.dataset import Dataset, Sample
from characterization.margins import CONFIDENCE, ReadoutUncertainty
from characterization.procedures.mismatch import analyse_mismatch, draw_deviations, pattern_at, plan_mismatch
from characterization.readout.code_error import clopper_pearson
from characterization.tables.table import AdcModel, ReadoutTable
from characterization.testbench import Converter, Testbench, Variation
from interconnect.arrays import FloatArray
from interconnect.extraction import extract
from metalrom.folders import cache_folder
from netlists.cells import make_cell
from netlists.cells.base import Plane
from netlists.condition import Condition
from netlists.periphery import Periphery, Timing
from netlists.reference import reference_column
from netlists.technology import load_technology
from ngspice_runner import Cache

ROWS = 8
CONDITION = Condition("tt", 1.0, 27.0)
CELL_SIGMA = 0.1
"""Wide, so that the code error is one that a layer could show (some 1e-3)."""
TRUTH_CHIPS = 2000


def bench(samples: int) -> Testbench:
    """The column, with so many chips."""
    technology = load_technology("generic28", "open45")
    model = make_cell("cap_balanced", {}).model(
        technology.stack, Plane("M2", "M3"), lambda g, s: extract(g, s, method="formula")
    )
    return Testbench(
        technology=technology,
        model=model,
        periphery=Periphery(sense_capacitance=1e-16),
        timing=Timing(),
        rows=ROWS,
        columns=16,
        conditions=(CONDITION,),
        variation=Variation(CELL_SIGMA, "benchmark"),
        converter=Converter(0.0, 0.0, 5e-9),
        samples=samples,
    )


def exact_sample(setup: Testbench, task: Task) -> Sample:
    """A task's level by the exact linear network."""
    level = reference_column(setup.model, setup.periphery, CONDITION, task.case).value
    at = (CONDITION.corner, CONDITION.vdd, CONDITION.temperature)
    point = (setup.rows, task.active, task.count, task.pattern, task.draw)
    return Sample("mismatch", *at, *point, level, 0.0, "ok", "")


def table_of(lsb: float, sigma: FloatArray) -> ReadoutTable:
    """Levels on a line, V per count, with a static spread (active, count) alone."""
    count = np.arange(ROWS + 1.0)
    valid = count[None, :] <= count[:, None]
    shape = (1, ROWS + 1, ROWS + 1)
    level = np.broadcast_to(lsb * count, shape)
    static = np.where(valid, sigma, 0.0)[None]
    none = np.zeros(shape)
    return ReadoutTable.from_arrays("cap_balanced", "V", ROWS, (CONDITION,), level, static, none, none,
                                    np.zeros(shape[:2]), 1e-9, AdcModel(ROWS + 1, 0.0, 0.0))  # fmt: skip


def estimate(setup: Testbench, samples: Iterable[Sample], lsb: float) -> tuple[float, tuple[float, float]]:
    """Code error and interval from the samples of one repeat, as a run states them."""
    model = analyse_mismatch(setup, Dataset(tuple(samples)), {}).models[0]
    active, count = np.meshgrid(np.arange(ROWS + 1.0), np.arange(ROWS + 1.0), indexing="ij")
    table = table_of(lsb, model(active, np.minimum(count, active)))
    interval = table.code_error_interval(CONDITION, ReadoutUncertainty(model.samples, 0.0))
    return table.mean_code_error(CONDITION), interval


def direct_sigmas(setup: Testbench, chips: int) -> tuple[FloatArray, float]:
    """Standard deviation (V) of every count of all rows over chips that no repeat sees, and the spacing, V."""
    sigma, mean = np.zeros(ROWS + 1), np.zeros(ROWS + 1)
    drawn = [draw_deviations(setup, np.random.SeedSequence([setup.seed, 99, i])) for i in range(chips)]
    for count in range(ROWS + 1):
        pattern = pattern_at(setup, ROWS, count)
        level = [
            reference_column(setup.model, setup.periphery, CONDITION, pattern.case(setup.columns, setup.ones, d)).value
            for d in drawn
        ]
        sigma[count], mean[count] = np.std(level, ddof=1), np.mean(level)
    return sigma, float((mean[-1] - mean[0]) / ROWS)


def main() -> None:
    """Print the coverage with its own interval."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=250)
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--decks", action="store_true")
    parser.add_argument("--workers", type=int, default=1)
    asked = parser.parse_args()
    print(f"predicted coverage: {100 * CONFIDENCE:g} %", flush=True)
    began = time.process_time()
    setup = bench(asked.repeats * asked.draws)
    tasks = plan_mismatch(setup)
    sigma, lsb = direct_sigmas(setup, 200 if asked.decks else TRUTH_CHIPS)
    if asked.decks:
        with Cache(cache_folder("simulations")) as cache:
            outcome = run_tasks(setup, tasks, cache=cache, workers=asked.workers)
        samples = Dataset(outcome.samples).good().samples
        print(f"{outcome.simulated} decks run, {outcome.cached} cached, {outcome.cpu_seconds:.0f} s CPU of ngspice")
        truth, _ = estimate(setup, samples, lsb)
    else:
        samples = tuple(exact_sample(setup, t) for t in tasks)
        truth = table_of(lsb, np.tile(sigma, (ROWS + 1, 1))).mean_code_error(CONDITION)
        print(f"spread model of all chips together: {estimate(setup, samples, lsb)[0]:.3e}")
    repeats: list[list[Sample]] = [[] for _ in range(asked.repeats)]
    for s in samples:
        repeats[s.draw // asked.draws].append(s)
    stated = [
        estimate(replace(setup, samples=asked.draws), [replace(s, draw=s.draw % asked.draws) for s in r], lsb)
        for r in repeats
    ]
    low, high = (np.array([interval[k] for _, interval in stated]) for k in (0, 1))
    covered = int(np.sum((low <= truth) & (truth <= high)))
    ends = clopper_pearson(covered, asked.repeats)
    print(f"{asked.repeats} repeats of {asked.draws} chips, {'decks' if asked.decks else 'exact network'}: true code "
          f"error {truth:.3e}, median stated {np.median([e for e, _ in stated]):.3e}")  # fmt: skip
    print(f"covered {covered} of {asked.repeats}: {100 * covered / asked.repeats:.1f} % (95 %: {100 * ends[0]:.1f} to "
          f"{100 * ends[1]:.1f} %); too low {np.sum(high < truth)}, too high {np.sum(low > truth)}; median width "
          f"{np.median(np.log10(high / low)):.2f} decades")  # fmt: skip
    print(f"{time.process_time() - began:.0f} s CPU of Python")


if __name__ == "__main__":
    main()
