"""Relative tolerance of the engine against the error that it leaves: level, settling and energy by kind of deck.

    python benchmarks/solver_tolerances.py [--rows 16] [--kinds charge,chain,current] [--part 0.001]

Decks of a charge cell (examples/minilm_layer.yaml, read ideally), of a readout chain (examples/minilm_chain.yaml) and
of a current cell (examples/res_via_column.yaml), all with transistors and at the nominal condition, run with every
tolerance. Their reference has `reltol` 1e-6 and a quarter of the largest time step, or what of `REFERENCES` the engine
ends with. Printed are the largest error of a level (as the setup samples it; `once`: of the last sample alone) and of
what is left of it behind a line through the counts (an offset and a gain are the converter's to take), in counts; of
the time to a tenth of a count of the end, ps; of the energy of the row drivers; and the engine's CPU time against that
of 1e-5. The coarsest tolerance whose level stays within `--part` of a count is what `netlists.column` takes for reads
of that kind. CPU: about two minutes. Fetch minilm first.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

import metalrom
from characterization.campaign import job_of, run_decks
from characterization.column_testbench import ColumnTestbench, draw_pattern, stimulus_of
from characterization.procedures.settling import settling_time
from characterization.testbench import Testbench
from interconnect.arrays import FloatArray
from metalrom.design.setup import group_setup
from netlists.column import ColumnDeck
from ngspice_runner import EngineError, run

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
KINDS = (("charge", "minilm_layer"), ("chain", "minilm_chain"), ("current", "res_via_column"))
TOLERANCES = (1e-3, 3e-4, 1e-4, 3e-5, 1e-5)
REFERENCES = ((1e-6, 4.0), (1e-6, 2.0), (3e-6, 4.0), (1e-6, 1.0), (3e-6, 1.0))
"""Tolerance and division of the largest time step; the first with which the engine ends all decks."""
FORMER = 1e-5
BAND = 0.1
"""Of a count, for the time to settle."""


@dataclass(frozen=True, slots=True)
class Reads:
    """What the decks of one tolerance gave. levels, single: V or A as sampled and of the last sample alone; times: s;
    energies: J; cpu: s of the engine."""

    levels: FloatArray
    single: FloatArray
    times: FloatArray
    energies: FloatArray
    cpu: float


def with_tolerance(deck: ColumnDeck, reltol: float, shorter: float = 1.0) -> ColumnDeck:
    """The deck at another tolerance, its largest time step divided by `shorter`."""
    text, found = re.subn(r"reltol=\S+", f"reltol={reltol:e}", deck.text)
    assert found == 1
    if shorter != 1.0:
        tran = re.search(r"^\.tran (\S+) (\S+) (\S+) (\S+)$", text, re.MULTILINE)
        assert tran is not None
        first, stop, start, step = (float(x) for x in tran.groups())
        text = text.replace(tran.group(0), f".tran {first / shorter:e} {stop!r} {start!r} {step / shorter:e}")
    return replace(deck, text=text)


def reads(setup: Testbench, decks: Sequence[ColumnDeck], lsb: float) -> Reads:
    """Run the decks one after the other, without a cache."""
    levels, single, times, energies, cpu = [], [], [], [], 0.0
    for deck in decks:
        result = run(job_of(setup, deck, timeout=600.0))
        if not result.ok or result.provenance is None:
            raise EngineError(f"{deck.title}: {result.verdict}: {result.log}")
        cpu += result.provenance.cpu_seconds
        level, energy = run_decks(deck, result, double_sampling=setup.double_sampling)
        time, line = (np.asarray(result.signals[n].values, dtype=np.float64) for n in ("time", deck.target))
        before = time <= (deck.read_at or 0.0)
        levels.append(level)
        single.append(run_decks(deck, result)[0])
        energies.append(energy)
        times.append(settling_time(time[before], line[before], deck.input_at or 0.0, BAND * lsb))
    return Reads(np.array(levels), np.array(single), np.array(times), np.array(energies), cpu)


def reference_reads(setup: Testbench, decks: Sequence[ColumnDeck], lsb: float) -> tuple[Reads, str]:
    """The reads that others are compared with, and how they were made."""
    for reltol, shorter in REFERENCES:
        try:
            found = reads(setup, [with_tolerance(d, reltol, shorter) for d in decks], lsb)
        except EngineError:
            continue
        return found, f"reltol {reltol:g}, steps / {shorter:g}"
    raise SystemExit("no reference ends")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=16)
    parser.add_argument("--kinds", default=",".join(kind for kind, _ in KINDS))
    parser.add_argument("--part", type=float, default=0.001, help="of a count")
    asked = parser.parse_args()
    print("predicted (notes of the rebuild): 1e-4 costs 0.001 counts and saves 1.6x of the time of 1e-5")
    names = {"level": 9, "once": 9, "beyond a line": 13, "settling, ps": 12, "energy": 8, "CPU": 6}
    print(f"{'deck':8} {'reltol':>8} " + " ".join(f"{name:>{width}}" for name, width in names.items()))
    asked_kinds = asked.kinds.split(",")
    for kind, example in (x for x in KINDS if x[0] in asked_kinds):
        setup = group_setup(metalrom.load(EXAMPLES / f"{example}.yaml"), asked.rows)
        bench, condition = ColumnTestbench(setup), setup.conditions[0]
        n = setup.rows
        points = [(n, c) for c in (0, n // 4, n // 2, 3 * n // 4, n)] + [(n // 2, n // 4)]
        decks = [bench.deck(condition, stimulus_of(setup, draw_pattern(setup, "random0", a, c))) for a, c in points]
        counts = np.array([c for _, c in points[:5]], dtype=np.float64)
        rough = reads(setup, [with_tolerance(d, FORMER) for d in decks], 1.0)
        lsb = abs(float(np.polyfit(counts, rough.levels[:5], 1)[0]))
        reference, words = reference_reads(setup, decks, lsb)
        print(f"{kind}: LSB {1e3 * lsb:.3g} m{setup.unit}, reference {words}")
        found = {r: reads(setup, [with_tolerance(d, r) for d in decks], lsb) for r in TOLERANCES}
        good = []
        for reltol, got in found.items():
            error = (got.levels - reference.levels) / lsb
            bent = error[:5] - np.polyval(np.polyfit(counts, error[:5], 1), counts)
            energy = np.abs(got.energies / reference.energies - 1.0).max()
            times = np.abs(got.times - reference.times).max() * 1e12
            good += [reltol] if np.abs(error).max() <= asked.part else []
            once = np.abs(got.single - reference.single).max() / lsb
            print(
                f"{kind:8} {reltol:8.0e} {np.abs(error).max():9.5f} {once:9.5f} {np.abs(bent).max():13.5f} "
                f"{times:12.2f} {energy:8.1e} {got.cpu / found[FORMER].cpu:6.2f}"
            )
        print(f"{kind}: coarsest within {asked.part:g} of a count: {max(good):.0e}" if good else f"{kind}: none")


if __name__ == "__main__":
    main()
