"""Shortened procedures against the same ones with every read and row simulated: decks, CPU, distances.

    python benchmarks/procedure_decks.py CONFIG --rows N [--procedures settling,energy] [--jobs J] [--alone]

Every procedure runs twice, with the configuration's sampling and with `sampling: full`; its decks are counted by
themselves, CPU seconds are those of ngspice (a deck that the cache holds counts as it did when it ran). The campaign
of `transfer`, `mismatch` and `crosstalk`, on whose correction some build, is sampled before and not counted; `--alone`
leaves it out. Distances: of every number of the short result from the full one, in the result's unit.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from characterization.campaign import run_tasks
from characterization.column_testbench import ColumnTestbench
from characterization.corrected_sampling import sample_corrected
from characterization.dataset import Dataset
from characterization.parallel_rows import check_parallel_rows
from characterization.procedures import PROCEDURES
from characterization.procedures.registry import CORRECTED
from characterization.testbench import Testbench
from metalrom.api import load
from metalrom.folders import cache_folder
from ngspice_runner import Cache

NAMES = "readout_current,settling,noise,crosstalk,worst_pattern,energy,leakage,supply"
CHAIN = "chain_noise,chain_energy,chain_settling"
STATED = ("step", "shift")
"""Fields that a result's `error` is of."""


def main() -> None:
    """Both runs of every procedure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config")
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--procedures", help=f"default: {NAMES}; of a readout chain {CHAIN}")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--alone", action="store_true")
    asked = parser.parse_args()
    setup = load(asked.config).setup(asked.rows)
    full = replace(setup, sampling="full", parallel_rows=False)
    print(f"{setup.model.kind}, {setup.rows} rows, {len(setup.conditions)} conditions")
    with Cache(cache_folder("simulations")) as cache:
        results: dict[str, Any] = {}
        tasks = [t for n in ("transfer", "mismatch", "crosstalk") for t in PROCEDURES[n].plan(setup)]
        if not asked.alone:
            found = sample_corrected(setup, tasks, lambda chosen: run_tasks(setup, chosen, cache=cache, workers=2))
            results[CORRECTED] = found
        checker = ColumnTestbench(setup, cache=cache)
        for check in check_parallel_rows(setup, checker):
            print(f"  {check}")
        for name in (asked.procedures or (CHAIN if setup.chain else NAMES)).split(","):
            parts = []
            for testbench, known in ((full, {}), (setup, results)):
                bench = CountedBench(testbench, cache=cache, workers=asked.jobs)
                parts.append((measured(name, testbench, bench, known, cache), bench))
            (whole, before), (short, after) = parts
            print(f"{name:16s} {len(before.seconds):4d} decks {sum(before.seconds.values()):6.1f} s", end="   ")
            print(f"{len(after.seconds):4d} decks {sum(after.seconds.values()):6.1f} s", flush=True)
            for line in distances(whole, short):
                print("    " + line)


class CountedBench(ColumnTestbench):
    """Notes the CPU seconds of every distinct deck."""

    @property
    def seconds(self) -> dict[str, float]:
        """By the deck's key."""
        return {key: p.cpu_seconds for key, p in self._seen.items()}


def measured(name: str, setup: Testbench, bench: CountedBench, known: dict[str, Any], cache: Cache) -> Any:
    """Result of a procedure; of one that plans reads, from the campaign's samples where they hold them."""
    procedure = PROCEDURES[name]
    if procedure.measure is not None:
        return procedure.measure(setup, bench, known)
    tasks = procedure.plan(setup)
    if CORRECTED in known:
        return procedure.analyse(setup, Dataset(known[CORRECTED].outcome.samples), known)
    bench.run(name, [bench.deck(t.condition, t.case) for t in tasks])
    return procedure.analyse(setup, Dataset(run_tasks(setup, tasks, cache=cache).samples), known)


def distances(whole: Any, short: Any) -> Iterator[str]:
    """What the numbers are off, list by list and field by field of the result's document."""
    a, b = whole.to_json(), short.to_json()
    for key, rows in a.items():
        if key == "sampling" or not (isinstance(rows, list) and rows and isinstance(rows[0], dict)):
            continue
        for field in rows[0]:
            one, other = ([np.atleast_1d(r[field]) for r in x[key]] for x in (a, b))
            if one[0].dtype.kind not in "fi" or field == "error":
                continue
            away = np.array([np.abs(y - x).max(initial=0.0) for x, y in zip(one, other, strict=True)])
            scale = max(np.abs(x).max(initial=0.0) for x in one)
            if away.max() == 0.0:
                continue
            line = f"{key}.{field}: largest {away.max():.2g} of {scale:.3g}"
            error = np.array([r.get("error", 0.0) for r in b[key]])
            if field in STATED and error.any():
                z = away[error > 0] / error[error > 0]
                line += f"; over the stated errors: rms {np.sqrt(np.mean(z**2)):.2f}, largest {z.max():.2f}"
            yield line
    for row in short.figures():
        if row.name.startswith(("simulated", "largest standard error")):
            yield f"{row.name}: {row.value:.3g} {row.unit} {row.at}"


if __name__ == "__main__":
    main()
