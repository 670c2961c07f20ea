"""The search for the worst pattern against drawing 100,000 patterns, on the exact linear network.

    PYTHONPATH=. python benchmarks/worst_pattern.py            under a minute of CPU after the first extraction

Three populations are drawn: patterns as stored data gives them, fair coins everywhere, and coins whose bias is drawn
for every pattern and kind of bit (so that all-zero and all-one lines occur). The search must find at least as bad a
pattern as the worst of each with 5 % of the evaluations. The drawn worst of all and the found one are solved again by
the full network, node by node.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from characterization.linear_column import exact_level, linear_column
from characterization.pattern_search import draw
from characterization.procedures.worst_pattern import find_extremes, position
from characterization.testbench import Converter, Testbench, Variation
from interconnect.arrays import ByteArray
from interconnect.extraction import extract
from metalrom.folders import cache_folder
from netlists.cells import make_cell
from netlists.cells.base import Plane
from netlists.condition import Condition
from netlists.periphery import Periphery, Timing
from netlists.technology import load_technology

DRAWN = 100_000
CHUNK = 10_000


@dataclass(frozen=True)
class Group:
    """A cell kind with its parameters and the rows of its group."""

    kind: str
    given: dict[str, object]
    rows: int


GROUPS = (
    Group("cap_balanced", {}, 16),
    Group("cap_balanced", {}, 64),
    Group("res_via", {"resistance": 5e5}, 16),
    Group("res_via", {"resistance": 5e5}, 64),
)


def setup_of(group: Group, method: str) -> Testbench:
    """The group in an array of 256 columns."""
    technology = load_technology("generic28", "open45")
    model = make_cell(group.kind, group.given).model(
        technology.stack,
        Plane("M2", "M3"),
        lambda g, s: extract(g, s, method=method, cache_dir=cache_folder("extraction")),
    )
    return Testbench(
        technology=technology,
        model=model,
        periphery=Periphery(sense_capacitance=1e-16, read_voltage=0.2),
        timing=Timing(),
        rows=group.rows,
        columns=256,
        conditions=(Condition("tt", 1.0, 27.0),),
        variation=Variation(0.025, "not used here"),
        converter=Converter(0.05, 0.02, 5e-9),
        ones=0.3,
    )


def populations(rows: int, ones: float, number: int, rng: np.random.Generator) -> Iterator[tuple[str, ByteArray]]:
    """(name, patterns (number, rows, 4)) of each population."""
    yield "as stored", draw(rows, number, ones, rng)
    yield "fair coins", rng.integers(0, 2, (number, rows, 4), dtype=np.uint8)
    bias = rng.random((number, 1, 4))
    yield "biased coins", (rng.random((number, rows, 4)) < bias).astype(np.uint8)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--drawn", type=int, default=DRAWN)
    parser.add_argument("--method", default="auto", help="extraction: auto, fieldsolver or formula")
    arguments = parser.parse_args()
    print(f"largest distance from the ideal line, LSB; {arguments.drawn:,} drawn patterns of each population")
    print("cell, rows | search (evaluations, s) | as stored | fair coins | biased coins (s each) | full network")
    for group in GROUPS:
        setup = setup_of(group, arguments.method)
        condition = setup.conditions[0]
        start = time.process_time()
        line, _, high, low, evaluations = find_extremes(setup)
        searched = time.process_time() - start
        best = max((high, low), key=lambda f: abs(f.deviation))
        column = linear_column(setup, condition, position(setup))
        worst: dict[str, float] = {}
        start = time.process_time()
        rng = np.random.default_rng(11)
        for _ in range(-(-arguments.drawn // CHUNK)):
            for name, patterns in populations(group.rows, setup.ones, min(CHUNK, arguments.drawn), rng):
                worst[name] = max(worst.get(name, 0.0), float(np.abs(line.deviation(column, patterns)).max()))
        each = (time.process_time() - start) / len(worst)
        genes = best.genes
        exact = exact_level(setup, condition, position(setup), genes[:, 1:], genes[:, 0])
        mine = column.levels(genes[None, :, 1:], genes[None, :, 0])[0]
        cells = " | ".join(f"{value:.4g}" for value in worst.values())
        search = f"{abs(best.deviation):.4g} ({evaluations}, {searched:.2f})"
        print(f"{group.kind}, {group.rows} | {search} | {cells} ({each:.2f}) | {abs(mine / exact - 1.0):.1e}")


if __name__ == "__main__":
    main()
