"""Simulations that a column model needs for 1 %: sampling where the fit is least sure, against a Latin hypercube.

    python benchmarks/adaptive.py [--quantity lsb|static] [--target 0.01] [--seeds 0 1 2] [--sizes 100 200 300]
                                  [--most 156] [--test 400] [--json]

The quantity is simulated by ngspice as a function of rows, supply, temperature, width of the reset switch, input
capacitance of the readout and row pitch (balanced cell of generic28, open45 transistors, couplings by formula: the
extraction does not matter to the comparison, and a field solution per row pitch would take most of the time). Both ways
fit the same model (charge divider with fitted parameters, then a Gaussian process); both are judged on the same
independent points, which no fit sees.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from characterization.models.adaptive import adaptive_fit
from characterization.models.column_bench import COLUMN_BOX, ColumnBench
from characterization.models.form import Form, fit_form
from characterization.models.surrogate import fit_surrogate
from interconnect.extraction import extract
from netlists.technology import load_technology
from ngspice_runner import Cache

START = {"signal": 1e-18, "signal_per_pitch": 6e-11, "line": 5e-18, "line_per_pitch": 1.6e-10, "junction": 8e-10}
FORM = Form("charge_divider", START)
FREE = tuple(START)
FIGURES = ("rms", "p95", "p99", "largest")


def bench() -> ColumnBench:
    """The column that all benchmarks of models simulate."""
    technology = load_technology("generic28", "open45")
    return ColumnBench(technology, lambda g, s: extract(g, s, method="formula"), cache=Cache())


def errors(model, points, values) -> dict[str, float]:
    """Relative errors on points that the model has not seen, and the coverage of its intervals."""
    p = model.predict(points)
    e = np.abs(p.mean - values) / np.abs(values)
    found = (np.sqrt(np.mean(e**2)), np.quantile(e, 0.95), np.quantile(e, 0.99), e.max())
    inside = (p.low <= values) & (values <= p.high)
    return {**dict(zip(FIGURES, map(float, found), strict=True)), "coverage": float(np.mean(inside))}


def needed(history: list[dict[str, float]], figure: str, target: float) -> int | None:
    """Points from which on the error stays below the target; None if it never does."""
    above = [i for i, h in enumerate(history) if h[figure] > target]
    rest = history[above[-1] + 1 :] if above else history
    return int(rest[0]["points"]) if rest else None


def own_stop(history: list[dict[str, float]], target: float) -> dict[str, float] | None:
    """The round at which the sampling by itself says that the target is reached: two estimates in a row below it."""
    for before, now in itertools.pairwise(history):
        if max(before["estimate"], now["estimate"]) <= target:
            return now
    return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quantity", choices=("lsb", "static"), default="lsb")
    parser.add_argument("--target", type=float, default=0.01)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 200, 300])
    parser.add_argument("--most", type=int, default=156)
    parser.add_argument("--test", type=int, default=400)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    column, box, began = bench(), COLUMN_BOX, time.process_time()
    simulate = column.quantity(box, options.quantity)
    test = box.uniform(450, 901)[: options.test]
    truth = simulate(test)
    adaptive, cubes = {}, {}
    for seed in options.seeds:
        history: list[dict[str, float]] = []

        def watch(model, state, history=history):
            history.append({"points": state.points, "estimate": state.estimate, **errors(model, test, truth)})
            print(f"adaptive {history[-1]}", file=sys.stderr)

        # Beyond the target, so that the true error can be followed to where it stays below; the stop is noted.
        adaptive_fit(
            options.quantity, "V", box, simulate, form=FORM, free=FREE, target=options.target / 3, quantile=0.99,
            most=options.most, seconds=1800.0, seed=seed, folds=0, watch=watch,
        )  # fmt: skip
        adaptive[seed] = history
        cubes[seed] = []
        for size in options.sizes:
            x = box.latin_hypercube(size, 1000 + seed)
            y = simulate(x)
            law = fit_form(FORM, box.named(x), y, FREE)
            model = fit_surrogate(options.quantity, "V", box, x, y, form=law, folds=0, restarts=2, seed=seed)
            cubes[seed].append({"points": size, **errors(model, test, truth)})
            print(f"cube {seed} {cubes[seed][-1]}", file=sys.stderr)
    summary = {
        figure: {
            "adaptive": [needed(adaptive[s], figure, options.target) for s in options.seeds],
            "latin_hypercube": [needed(cubes[s], figure, options.target) for s in options.seeds],
        }
        for figure in FIGURES
    }
    stops = [own_stop(adaptive[s], options.target) for s in options.seeds]
    report = {
        "quantity": options.quantity,
        "target": options.target,
        "points_needed": summary,
        "own_stop": stops,
        "adaptive": adaptive,
        "latin_hypercube": cubes,
        "python_cpu_seconds": time.process_time() - began,
    }
    if options.json:
        print(json.dumps(report))
        return
    print(
        f"{options.quantity}: relative errors on {len(test)} points that no fit saw, mean of {len(options.seeds)} seeds"
    )
    for name, runs in (("adaptive", adaptive), ("Latin hypercube", cubes)):
        for size in sorted({h["points"] for h in runs[options.seeds[0]]}):
            rows = [h for s in options.seeds for h in runs[s] if h["points"] == size]
            if name == "adaptive" and size % 24 and size not in options.sizes:
                continue
            text = "  ".join(f"{f} {100 * np.mean([r[f] for r in rows]):6.2f} %" for f in FIGURES)
            print(f"{name:16s} {size:4d} points  {text}")
    for seed, stop in zip(options.seeds, stops, strict=True):
        text = "not within its bound" if stop is None else f"at {stop['points']}: 99 % below {100 * stop['p99']:.2f} %"
        print(f"seed {seed}: adaptive says that 99 % of the box are within the target {text}")
    for figure in FIGURES:
        print(f"points for {figure} below {100 * options.target:g} %: {summary[figure]}")


if __name__ == "__main__":
    main()
