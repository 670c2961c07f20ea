"""A campaign over process, metals, supply and temperature by corrected sampling against the same one in full.

    python benchmarks/pvt_campaign.py [CONFIG] [--full FOLDER] [--corrected FOLDER] [--jobs J] [--places 20]

Both are runs of `metalrom run`, each with a cache of its own, so that every deck is simulated. `--full` and
`--corrected` name finished runs instead: the full campaign of the default, examples/minilm_pvt.yaml (81 conditions),
takes about 11,150 decks. Printed are a prediction; decks and CPU seconds of ngspice by the manifests; exit codes, the
verdict of every specification and condition; levels at random places (condition, level) and everywhere, in counts, with
the rms of their distances over the stated errors, the largest of any condition too. Fetch minilm first. Ends with 1
where a verdict differs or a level at the random places is further off than `LIMIT`.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from characterization.dataset import Sample, read_samples_csv
from characterization.sampling_check import sampling_check
from metalrom.folders import cache_folder
from metalrom.run.folder import Run, open_run
from netlists.condition import Condition

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "examples" / "minilm_pvt.yaml"
LIMIT = 0.02
"""Counts."""
COMMAND = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from metalrom.cli.main import main; main()"
PREDICTED = "predicted: 1,000 decks of 9,288, a tenth of the CPU seconds, the same verdicts, levels within 0.01 counts"


def run(config: Path, out: Path, jobs: int) -> Path:
    """A run of a configuration with a new cache that shares the fetched assets alone."""
    cache = out.with_suffix(".cache")
    cache.mkdir()
    (cache / "assets").symlink_to(cache_folder("assets"))
    environment = os.environ | {"METALROM_CACHE": str(cache), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", COMMAND, "run", str(config), "-o", str(out), "--jobs", str(jobs)]
    done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    if done.returncode not in (0, 1):
        raise SystemExit(done.stderr)
    return out


def condition_of(sample: Sample) -> str:
    """Label of a sample's condition."""
    return Condition(sample.corner, sample.vdd, sample.temperature, sample.beol).label


def levels_of(found: Run) -> dict[tuple[object, ...], Sample]:
    """Samples by condition and place."""
    data = read_samples_csv(found.read("samples.csv").decode())
    return {(condition_of(s), s.procedure, s.active, s.count, s.pattern, s.draw): s for s in data.samples}


def verdicts(found: Run) -> dict[str, bool]:
    """Exit code 0, every specification, and the target of the code error at every condition."""
    results = found.results
    out = {"exit code 0": results.passed}
    out |= {f"{s.quantity} {s.comparison} {s.limit:g} at {s.condition}": s.passed for s in results.specs}
    target = results.target_error
    return out | {f"expected code error at {q.condition}": q.code_error_expected <= target for q in results.quality}


def compare_levels(corrected: Run, full: Run, places: int) -> float:
    """Print distances of levels in counts; returns the largest one of the random places."""
    said, truth = levels_of(corrected), levels_of(full)
    table = full.table
    lsb = {c.label: table.lsb(c) for c in table.conditions}
    pairs = [(key, s, truth[key]) for key, s in said.items() if s.error > 0 and key in truth]
    away = np.array([(s.level - t.level) / lsb[str(key[0])] for key, s, t in pairs])
    error = np.array([s.error / lsb[str(key[0])] for key, s, _ in pairs])
    nominal = np.flatnonzero([s.draw < 0 for _, s, _ in pairs])
    chosen = np.sort(np.random.default_rng(20).choice(nominal, size=min(places, len(nominal)), replace=False))
    for i in chosen:
        label, _, active, count, pattern, _ = pairs[i][0]
        place = f"{label!s:24s} {active} active, count {count}, {pattern}"
        print(f"  {place:56s} {away[i]:+.4f} +- {error[i]:.4f} counts")
    largest = float(np.abs(away[chosen]).max())
    by_condition: dict[object, list[float]] = defaultdict(list)
    for (key, _, _), z in zip(pairs, away / error, strict=True):
        by_condition[key[0]].append(float(z))
    worst = {c: float(np.sqrt(np.mean(np.square(z)))) for c, z in by_condition.items()}
    widest = max(worst, key=lambda c: worst[c])
    print(f"levels at {len(chosen)} random places: at most {largest:.4f} counts off")
    print(
        f"all {len(pairs)} computed levels: rms {np.sqrt(np.mean(away**2)):.4f}, largest {np.abs(away).max():.4f} "
        f"counts; over their standard errors rms {np.sqrt(np.mean((away / error) ** 2)):.2f}, of a condition at most "
        f"{worst[widest]:.2f} ({widest})"
    )
    return largest


def main() -> None:
    """Run, compare, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", nargs="?", type=Path, default=EXAMPLE)
    parser.add_argument("--full", type=Path, help="a finished run with `sampling: full`")
    parser.add_argument("--corrected", type=Path, help="a finished run with `sampling: corrected`")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--places", type=int, default=20)
    asked = parser.parse_args()
    print(PREDICTED)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        corrected = open_run(asked.corrected or run(asked.config, folder / "corrected", asked.jobs))
        full_config = folder / "full.yaml"
        text = asked.config.read_text(encoding="utf-8")
        text = text.replace("characterization:\n", "characterization:\n  sampling: full\n")
        full_config.write_text(text, encoding="utf-8")
        full = open_run(asked.full or run(full_config, folder / "full", asked.jobs))
        for name, found in (("corrected", corrected), ("full", full)):
            work = found.simulations
            seconds, decks = work["cpu_seconds"], work["run"]
            print(f"{name}: {decks} decks now, {work['cached']} cached, {seconds:.1f} s of CPU in ngspice now")
        check = sampling_check(corrected.results.sampling)
        print(f"corrected: {check.text if check else 'nothing was computed'}")
        one, other = verdicts(corrected), verdicts(full)
        different = [name for name in one.keys() | other.keys() if one.get(name) != other.get(name)]
        print(f"{len(one)} verdicts, {sum(one.values())} met; different: {', '.join(sorted(different)) or 'none'}")
        largest = compare_levels(corrected, full, asked.places)
    if different or largest > LIMIT:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
