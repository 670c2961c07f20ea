"""Fast rating of design points against their full characterization: the prediction is printed before it is tested.

    python benchmarks/fast_rating.py CONFIG -o OUT --points 8

takes points evenly from the frontier of the configuration's `explore.vary`; both are kept in OUT, so that the command
goes on where it was stopped.
"""

import argparse
from pathlib import Path

import numpy as np

from metalrom.api import load
from metalrom.folders import cache_folder, ensure_output_folder
from metalrom.studies.density.fast import FastRating
from metalrom.studies.density.frontier import frontier
from metalrom.studies.density.kept import KeptResults
from metalrom.studies.density.run import KEPT, rate_blocks, space_digest, verified_point
from metalrom.studies.density.space import DesignSpace, design_blocks
from metalrom.studies.density.verify import rating_error
from ngspice_runner import Cache


def main() -> None:
    """Rate, choose, characterize, compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--points", type=int, default=8)
    parser.add_argument("--transistors", action="store_true", help="points of an ideal readout aside")
    parser.add_argument("--extract", action="store_true", help="cells of the full characterization by a run's method")
    asked = parser.parse_args()
    design = load(asked.config)
    space = DesignSpace(design)
    out = ensure_output_folder(asked.output)
    with Cache(cache_folder("simulations")) as cache, KeptResults(out / KEPT, space_digest(design)) as kept:
        rating = FastRating(space, cache)
        points, _ = rate_blocks(design_blocks(design.config.explore.vary), rating, kept, lambda done, total: None)
        points = [p for p in points if 1e-9 < p.code_error < 0.1 and not (asked.transistors and p.readout == "ideal")]
        best = frontier(points)
        chosen = {best[round(i)].key: best[round(i)] for i in np.linspace(0, len(best) - 1, asked.points)}
        verified = []
        for p in chosen.values():
            print(f"{p.label}\n  predicted: code error {p.code_error:.3g}, spacing {p.lsb:.4g} {p.unit}", flush=True)
            v = verified_point(space, p, cache, kept, jobs=None, announce=lambda text: None, extract=asked.extract)
            print(
                f"  in full:   code error {v.full.code_error:.3g}, spacing {v.full.lsb:.4g}: x{v.code_error_factor:.2f}"
            )
            verified.append(v)
    error = rating_error(verified)
    print(error.sentence if error else "no point")


if __name__ == "__main__":
    main()
