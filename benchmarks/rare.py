"""Rare code errors: importance sampling and sigma extrapolation against exact tails and against counting.

    python benchmarks/rare.py [--samples 4000] [--brute 400000] [--json]

Exact: a plane at 3 to 6 sigma in 8 dimensions. Real: a column of 16 rows (balanced cell of generic28, couplings by
formula, 0.9 V), every cell's mismatch through the exact linear network, and a comparator's offset; four sizes of
mismatch and offset, the commonest two affordable by counting.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from characterization.models.rare import brute_force, gaussian_tail, importance_sampling, sigma_extrapolation
from characterization.models.settled_column import SettledColumn, code_error_experiment
from interconnect.errors import InputError
from interconnect.extraction import extract
from netlists.case import ColumnStimulus
from netlists.cells import make_cell
from netlists.cells.base import Plane
from netlists.condition import Condition
from netlists.periphery import Periphery
from netlists.technology import load_technology

SIZES = ((0.05, 1.0e-3), (0.05, 0.7e-3), (0.04, 0.5e-3), (0.03, 0.4e-3))
"""(relative sigma of a cell, sigma of the offset in V)."""


def column() -> tuple[SettledColumn, float]:
    """A drawn column and its spacing per count, V."""
    technology = load_technology("generic28", "open45")
    cell = make_cell("cap_balanced")
    model = cell.model(technology.stack, Plane("M2", "M3"), lambda g, s: extract(g, s, method="formula"))
    rng = np.random.default_rng(0)
    bits = (rng.random((16, 3)) < 0.5).astype(np.uint8)
    case = ColumnStimulus(bits=bits, inputs=(rng.random(16) < 0.7).astype(np.uint8), columns_total=8, position=2)
    condition, periphery = Condition("tt", 0.9, 27.0), Periphery(kind="ideal")
    settled = SettledColumn.of(model, periphery, condition, case)
    return settled, condition.vdd * model.switched / (16 * model.bl_total + periphery.sense_capacitance)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=4000)
    parser.add_argument("--brute", type=int, default=400_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    direction = np.full(8, 8**-0.5)
    settled, spacing = column()
    experiments = [
        (f"plane at {s:g} sigma", lambda z, s=s: s - z @ direction, 8, gaussian_tail(s), 0)
        for s in (3.0, 4.0, 5.0, 6.0)
    ]
    for k, (cell, offset) in enumerate(SIZES):
        margin, dims = code_error_experiment(settled, cell_sigma=cell, offset_sigma=offset, spacing=spacing)
        name = f"column, cells {100 * cell:g} %, offset {1e3 * offset:g} mV of {1e3 * spacing:.2f} mV"
        experiments.append((name, margin, dims, None, options.brute if k < 2 else 0))
    results = []
    for name, margin, dims, exact, brute in experiments:
        made = {}
        for method, call in (
            ("importance", lambda m=margin, d=dims: importance_sampling(m, d, options.samples, seed=1)),
            ("extrapolated", lambda m=margin, d=dims: sigma_extrapolation(m, d, 60_000, seed=2)),
            ("counted", lambda m=margin, d=dims, n=brute: brute_force(m, d, n, seed=3) if n else None),
        ):
            began = time.process_time()
            try:
                found = call()
            except InputError as error:
                made[method] = {"refused": str(error)}
                continue
            if found is not None:
                made[method] = {
                    "value": found.value,
                    "low": found.low,
                    "high": found.high,
                    "sigmas": found.sigmas,
                    "samples": found.samples,
                    "effective": found.effective,
                    "cpu_seconds": time.process_time() - began,
                }
        results.append({"experiment": name, "dims": dims, "exact": exact, **made})
    if options.json:
        print(json.dumps(results))
        return
    for r in results:
        print(r["experiment"], "" if r["exact"] is None else f"exact {r['exact']:.3e}")
        for method in ("counted", "importance", "extrapolated"):
            m = r.get(method)
            if m and "refused" in m:
                print(f"  {method:12s} refused: {m['refused']}")
            elif m:
                print(
                    f"  {method:12s} {m['value']:.3e} ({m['low']:.2e} to {m['high']:.2e}), {m['sigmas']:.2f} sigma, "
                    f"{m['samples']} samples, {m['effective']:.0f} effective, {m['cpu_seconds']:.1f} s CPU"
                )


if __name__ == "__main__":
    main()
