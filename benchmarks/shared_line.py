"""Many segments on one shared line: the behavioural twin, fitted to compact decks, against the line written out flat.

    python benchmarks/shared_line.py [--segments 64] [--workers 1]

The twin's prediction is printed first; then the flat deck is simulated: every off transistor and a section of wire per
segment. The flat reads take steps that no fit saw. Bounds: level within 0.1 LSB, settling within 10 %. An LSB is two
rows of 24 that change sides under complement drive of the balanced cell of examples/minilm_chain.yaml; wire and
transistors per segment are the defaults of the chain (12 segments: 15 fF, 200 ohm).
"""

from __future__ import annotations

import argparse
import resource
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from characterization.readout.testbench import ReadoutTestbench
from characterization.readout.twin import fit_chain_twin, read_line
from interconnect.extraction import extract
from metalrom.folders import cache_folder
from netlists.cells import make_cell
from netlists.cells.base import CellModel, Plane
from netlists.condition import Condition
from netlists.readout.chain import ChainTiming, ReadoutChain, SharedLine
from netlists.technology import Technology, load_technology

ROWS = 24
FITTED = (-1.0, -0.8, -0.55, -0.25, -0.1, 0.1, 0.25, 0.55, 0.8, 1.0)
HELD_OUT = (-0.9, -0.4, 0.4, 0.9)
SHARE = 0.02


def example_cell(technology: Technology) -> CellModel:
    """The balanced cell of examples/minilm_chain.yaml on its lowest plane, by field solution."""
    sizes = {"row_pitch": 200e-9, "column_pitch": 300e-9, "row_width": 50e-9, "column_width": 50e-9}
    cell = make_cell("cap_balanced", {**sizes, "tab_length": 150e-9})
    folder = cache_folder("extraction")
    return cell.model(technology.stack, Plane("M2", "M3"), lambda g, s: extract(g, s, cache_dir=folder))


def long_line(segments: int) -> ReadoutChain:
    """The default chain with a line of so many segments, wire in proportion and a read that waits for it."""
    line, scale = SharedLine(), segments / SharedLine().segments
    wait = max(1.0, scale)
    return ReadoutChain(
        line=replace(line, segments=segments, capacitance=line.capacitance * scale, resistance=line.resistance * scale),
        timing=ChainTiming(settle_reset=5e-9 * wait, settle_rows=4e-9 * wait, settle_bus=3e-9 * wait),
    )


def main() -> int:
    """Predict, simulate, compare; 1 where a bound is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--segments", type=int, default=64)
    parser.add_argument("--workers", type=int, default=1)
    args = parser.parse_args()
    technology = load_technology("generic28", "open45")
    bench = ReadoutTestbench(technology, Condition("tt", technology.devices.vdd, 27.0), workers=args.workers)
    cell, chain = example_cell(technology), long_line(args.segments)
    capacitance = ROWS * cell.bl_total
    count = 2 * technology.devices.vdd * cell.switched / capacitance
    span = 0.5 * ROWS * count
    compact = read_line(bench, chain, capacitance=capacitance, swings=span * np.array(FITTED))
    twin = fit_chain_twin(bench.condition.label, compact)
    lsb = twin.gain * count
    print(
        f"{args.segments} segments, {chain.line.planes} planes; {count * 1e3:.2f} mV per count at the bit line's metal"
    )
    print(f"twin, fitted to {len(compact)} compact decks: gain {twin.gain:.4f}, offset {twin.offset * 1e3:+.2f} mV, ")
    print(f"  {lsb * 1e3:.2f} mV per count at the comparator; residual {twin.residual / lsb:.4f} LSB, ", end="")
    print(f"of settling {100 * twin.settling_residual:.1f} %")
    swings = span * np.array(HELD_OUT)
    levels, times = twin.levels(swings), twin.settling(swings, SHARE)
    print("predicted (steps that were not fitted):")
    for s, v, t in zip(swings, levels, times, strict=True):
        print(f"  step {s / count:+6.1f} counts: {v * 1e3:+8.3f} mV, within {100 * SHARE:g} % after {t * 1e9:.2f} ns")
    sys.stdout.flush()
    flat = read_line(bench, chain, capacitance=capacitance, swings=swings, flat=True, shares=[SHARE])
    print("flat simulation:")
    good = True
    for r, v, t in zip(flat, levels, times, strict=True):
        off, late = (r.level - v) / lsb, r.settling[0] / t - 1
        good = good and abs(off) <= 0.1 and abs(late) <= 0.1
        print(f"  step {r.swing / count:+6.1f} counts: {r.level * 1e3:+8.3f} mV ({off:+.4f} LSB), ", end="")
        print(f"{r.settling[0] * 1e9:.2f} ns ({100 * late:+.1f} %)")
    cpu = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"bounds 0.1 LSB and 10 %: {'met' if good else 'MISSED'}; CPU {cpu.ru_utime + cpu.ru_stime:.0f} s")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
