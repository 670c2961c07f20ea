"""Campaigns sampled by the corrected linear network against the same campaigns simulated in full.

    python benchmarks/control_variates.py CONFIG --rows N [--places 20] [--error 0.02] [--jobs J]
    python benchmarks/control_variates.py starter
    python benchmarks/control_variates.py table [--cells NAME ...] [--write]

The first form samples the reads of `transfer` and `mismatch` of a configuration's group of N rows, prints what the
correction says of its errors, and only then simulates the reads that it computed: all of them, or `--places` random
ones. Printed: decks, CPU seconds of ngspice and of everything else, distances of levels (rms and largest, in counts and
in error bars), and the mismatch sigmas of both. CPU seconds of a deck are those of its run, which the cache keeps: a
deck that is found there counts as it did when it ran. The second form writes the starter of `metalrom init` and runs it
cold, again from its cache, and cold with `sampling: full`, all in folders of their own. The third form compares small
groups of every kind of cell and of the chain with both converters; `--write` puts the rows
into docs/how-to/campaigns.md.
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
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from characterization.campaign import CampaignOutcome, Task, deck_of, job_of, run_tasks
from characterization.corrected_sampling import CorrectedSampling, can_correct, sample_corrected
from characterization.procedures import PROCEDURES
from characterization.testbench import Testbench
from interconnect.arrays import FloatArray
from interconnect.files import atomic_file
from metalrom.api import load
from metalrom.folders import cache_folder
from ngspice_runner import Cache, run_many

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "how-to" / "campaigns.md"
BEGIN, END = "<!-- rows of control_variates.py -->", "<!-- end of rows -->"
PREDICTED = (
    "predicted: 10 to 30 % of the reads of 8 rows and 3 conditions, a third of a ternary cell's, half of a chain's; "
    "computed levels within 0.01 counts rms and 1 of their error bars"
)
CHAIN = {"kind": "chain", "drive": "complement", "segment": {"reset_level": "340mV"}}
KINDS: dict[str, dict[str, Any]] = {
    "cap_balanced": {},
    "cap_select": {"cell": {"kind": "cap_select"}},
    "cap_present": {"cell": {"kind": "cap_present"}},
    "cap_ternary": {"cell": {"kind": "cap_ternary"}},
    "cap_tie": {"cell": {"kind": "cap_tie"}},
    "res_via": {"cell": {"kind": "res_via"}},
    "chain, sar": {"readout": CHAIN | {"converter": {"kind": "sar"}}},
    "chain, ramp": {"readout": CHAIN | {"converter": {"kind": "ramp"}}},
}
"""What is compared, as changes of `configuration`."""
IN_FULL = (
    "| pair of columns | all | | in full: of 8 rows every read was needed | |",
    "| inverter, ramp | all | | in full: computed reads lay 0.011 counts rms off, three times their error bars | |",
)
RUN = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from metalrom.cli.main import main; main()"


@dataclass(frozen=True)
class Compared:
    """Computed reads of a group against ngspice. decks, reads: simulated, of the plan; seconds: CPU of ngspice,
    corrected and full; rms, largest: of distances, counts; over: rms over error bars; judged: computed reads."""

    decks: int
    reads: int
    seconds: tuple[float, float]
    rms: float
    largest: float
    over: float
    judged: int

    def row(self, name: str) -> str:
        """A line of the table."""
        one, whole = self.seconds
        seconds = f"{one:.1f} and {whole:.1f} s, {whole / max(one, 1e-9):.1f} times"
        if not self.judged:
            return f"| `{name}` | {self.decks} of {self.reads} | {seconds} | none was computed | |"
        apart = f"{self.rms:.4f} and {self.largest:.4f} counts"
        return f"| `{name}` | {self.decks} of {self.reads} | {seconds} | {apart} | {self.over:.2f} |"


def configuration(changes: dict[str, Any]) -> dict[str, Any]:
    """8 rows of random weights at the nominal condition, slow transistors and 85 degC."""
    base: dict[str, Any] = {
        "name": "small",
        "cell": {"kind": "cap_balanced"},
        "array": {"rows": 64, "columns": 64, "group_rows": 8},
        "weights": {"random": [64, 8], "bits": 4},
        "readout": {"kind": "ideal"},
        "variation": {"cell_sigma": 0.025, "source": "assumed"},
        "conditions": {"corners": ["tt", "ss"], "temperature": ["27degC", "85degC"]},
        "characterization": {"samples": 30, "samples_elsewhere": 10, "max_levels": 5, "patterns": 2, "seed": 1},
    }
    base |= {key: value for key, value in changes.items() if key != "cell"}
    base["cell"] |= {"planes": [{"row": "M2", "column": "M3"}]} | changes.get("cell", {})
    return base


def write_rows(rows: Sequence[str]) -> None:
    """Put the rows between their markers in the page."""
    head, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    tail = rest.split(END)[1]
    title = (
        "| group | decks of all | CPU in ngspice, corrected and full | computed reads against ngspice, rms and largest "
        "| over their error bars, rms |"
    )
    with atomic_file(PAGE) as target:
        target.write("\n".join([head + BEGIN, "", title, "|---|---|---|---|---|", *rows, "", END + tail]).encode())


def table(names: Sequence[str], jobs: int, *, write: bool) -> None:
    """Compare groups of several kinds."""
    print(PREDICTED)
    rows = []
    with tempfile.TemporaryDirectory() as scratch, Cache(cache_folder("simulations")) as cache:
        for name in names:
            path = Path(scratch) / "small.yaml"
            path.write_text(yaml.safe_dump(configuration(KINDS[name])), encoding="utf-8")
            rows.append(compare(load(path).setup(8), cache, None, jobs).row(name))
    rows += IN_FULL
    print("\n".join(rows))
    if write:
        write_rows(rows)


def main() -> None:
    """Sample, print what is expected, simulate, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", help="a configuration, `starter`, or `table`")
    parser.add_argument("--rows", type=int, default=8)
    parser.add_argument("--places", type=int, help="random reads to compare; default: all")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--error", type=float, help="standard error that is asked for; default: the configuration's")
    parser.add_argument("--cells", nargs="+", choices=KINDS, default=list(KINDS), help="of the table")
    parser.add_argument("--write", action="store_true", help="write the table of the page")
    asked = parser.parse_args()
    if asked.config == "table":
        table(asked.cells, asked.jobs, write=asked.write)
        return
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


def compare(setup: Testbench, cache: Cache, places: int | None, jobs: int) -> Compared:
    """Both campaigns, the corrected one first."""
    if not can_correct(setup):
        raise SystemExit("pairs of columns and inverters in the segment are sampled in full")
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
        size = min(places, len(computed))
        judged = np.sort(np.random.default_rng(7).choice(np.array(computed, dtype=np.int64), size=size, replace=False))
    begun = time.process_time()
    truth = run_tasks(setup, [tasks[i] for i in judged], cache=cache, workers=jobs)
    rest = time.process_time() - begun
    away, error = report(setup, tasks, found, judged, truth)
    whole = engine
    if places is None:
        whole = engine_seconds(setup, tasks, cache)
        print(
            f"  in full: {len(tasks)} decks, {whole:.1f} s of CPU in ngspice ({whole / max(engine, 1e-9):.1f} times), "
            f"about {rest:.1f} s beside it"
        )
    rms, over = (float(np.sqrt(np.mean(x**2))) if len(x) else 0.0 for x in (away, away / error))
    largest = float(np.abs(away).max(initial=0.0))
    return Compared(decks, len(tasks), (engine, whole), rms, largest, over, len(away))


def report(
    setup: Testbench, tasks: list[Task], found: CorrectedSampling, judged: FloatArray, truth: CampaignOutcome
) -> tuple[FloatArray, FloatArray]:
    """Print distances of the judged reads, and of the sigmas where all were judged; returns those of computed reads
    with their error bars, in counts."""
    said = [found.outcome.samples[i] for i in judged]
    unit = np.array([found.maker.unit(tasks[i].condition) for i in judged])
    away = np.array([s.level - t.level for s, t in zip(said, truth.samples, strict=True)]) / unit
    error = np.array([s.error for s in said]) / unit
    computed = error > 0
    if not computed.any():
        print("  no read was computed")
        return away[computed], error[computed]
    z = away[computed] / error[computed]
    print(
        f"  {computed.sum()} computed reads against ngspice: rms {np.sqrt(np.mean(away[computed] ** 2)):.4f}, largest "
        f"{np.abs(away).max():.4f} counts; over their error bars: rms {np.sqrt(np.mean(z**2)):.2f}, "
        f"{100 * np.mean(np.abs(z) < 1.96):.1f} % within 1.96"
    )
    if len(judged) < len(tasks):
        return away[computed], error[computed]
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
    return away[computed], error[computed]


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
