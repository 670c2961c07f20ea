"""Noise of the comparator at three sizes: predicted from its sensitivity, then counted under transient noise.

    python benchmarks/comparator_noise.py [--decisions 800] [--workers 2]

The prediction holds no fitted factor (`characterization.readout.comparator_noise`); it is printed before a decision is
simulated. Counted: the share of ones of decisions at 1.2 predicted sigma, and the spread of the regenerating nodes.
About 50 ms of CPU a decision.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from characterization.procedures.comparator_noise import COMMON_MODE, SCALES, scaled_comparator
from characterization.readout.comparator_decisions import transient_noise
from characterization.readout.comparator_noise import sensitivity_of
from netlists.column import ColumnDeck
from netlists.condition import Condition
from netlists.readout.deck import ReadoutDeck
from netlists.readout.strongarm import StrongArm
from netlists.technology import load_technology
from ngspice_runner import Cache, Job, Result, run_many

TECHNOLOGY = load_technology("generic28", "open45")
CONDITION = Condition("tt", TECHNOLOGY.devices.vdd, 27.0)


def simulate(cache: Cache, workers: int, name: str, decks: Sequence[ColumnDeck | ReadoutDeck]) -> list[Result]:
    """Results of decks; SystemExit names the first that failed."""
    jobs = [Job(d.text, d.outputs, stop=d.stop, timeout=600, tag=d.title) for d in decks]
    results = list(run_many(jobs, workers=workers, cache=cache))
    for result in results:
        if not result.ok:
            sys.exit(f"{name}: {result.verdict.value}: {result.log[:300]}")
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--decisions", type=int, default=800)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with Cache() as cache:
        run = partial(simulate, cache, options.workers)
        for scale in SCALES:
            sizes = scaled_comparator(StrongArm(), scale)
            found = sensitivity_of(TECHNOLOGY, CONDITION, sizes, COMMON_MODE, run)
            p = found.point
            print(
                f"widths x {scale:g}: predicted {p.noise * 1e3:.3f} mV (input pair {p.input * 1e3:.3f}, precharge ",
                end="",
            )
            print(
                f"{p.precharge * 1e3:.3f}, regenerating {p.regeneration * 1e3:.3f}, series {p.series * 1e3:.3f}; ",
                end="",
            )
            print(f"gm {p.gm * 1e3:.3g} mS, aperture {p.delay * 1e12:.0f} ps after the clock)", flush=True)
            t = transient_noise(
                TECHNOLOGY, CONDITION, sizes, found, COMMON_MODE, run, decisions=options.decisions, seed=options.seed
            )
            print(
                f"  {options.decisions} decisions: {t.decided * 1e3:.3f} +- {t.decided_error * 1e3:.3f} mV, ",
                end="",
            )
            print(f"predicted {100 * (p.noise / t.decided - 1):+.1f} % off; spread of the nodes ", end="")
            print(
                f"{t.spread * 1e3:.3f} +- {t.spread_error * 1e3:.3f} mV ({100 * (p.noise / t.spread - 1):+.1f} %)",
                flush=True,
            )


if __name__ == "__main__":
    main()
