"""Two planes with their real lines: the field solver against independent solutions, at most 2 % apart.

    python benchmarks/two_planes.py [--json]

The project's couplings are printed before the references are solved. First, a finite structure of two planes in a
grounded room, against boundary elements (FastCap2, where it is installed). Second, the periodic cell of `cap_balanced`
on generic28 with the next plane's rows, against finite differences of a grid of its own (two grids, extrapolated).
The references are those of tests/interconnect/test_fastcap.py and tests/netlists/test_next_plane.py, which guard them.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from interconnect import fieldsolver
from interconnect.stackfile import load_stack
from tests.netlists.test_next_plane import ABOVE, CELL, PLANE, extrapolated_differences

Row = dict[str, str | float]


def finite_structure() -> Iterator[Row]:
    """Couplings of the bit line in the grounded room, by both methods."""
    from tests.interconnect.test_fastcap import STRUCTURES, by_fastcap, room

    size, k, parts = STRUCTURES["two planes"]
    solved = fieldsolver.solve_cell(room("two planes", size, k, parts)).capacitance
    nets = list(parts)
    line = nets.index("BL")
    show("finite, FastCap2", {net: -solved[line, i] for i, net in enumerate(nets) if i != line})
    other = by_fastcap(size, k, parts, panel=15.0, edge=3.0)
    for i, net in enumerate(nets):
        if i != line:
            yield row("finite, FastCap2", net, -solved[line, i], -other[line, i])


def periodic_cell() -> Iterator[Row]:
    """Couplings of the bit line of the periodic cell, by finite elements and finite differences."""
    cell = CELL.geometry(load_stack("generic28"), PLANE, (1,), ABOVE)
    solved = fieldsolver.solve_cell(cell).capacitance
    line, nets = cell.nets.index("BL0"), ("S", "G", "NEXT_S", "NEXT_G")
    found = {net: float(-solved[line, cell.nets.index(net)]) for net in nets}
    show("periodic, differences", found)
    other = extrapolated_differences(cell, "BL0")
    for net in nets:
        yield row("periodic, differences", net, found[net], other[net])


def show(name: str, values: dict[str, float]) -> None:
    """Print what the project says, before any reference is solved."""
    text = ", ".join(f"{net} {value * 1e18:.4f}" for net, value in values.items())
    print(f"{name}: bit line to {text} aF", file=sys.stderr, flush=True)


def row(name: str, net: str, value: float, reference: float) -> Row:
    """A line of the table."""
    return {
        "structure": name,
        "net": net,
        "metalrom_aF": value * 1e18,
        "reference_aF": reference * 1e18,
        "difference": value / reference - 1.0,
    }


def main() -> None:
    """Print the table; exit code 1 where the two are more than 2 % apart."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    rows = list(periodic_cell())
    try:
        import fastcap2  # noqa: F401
    except ImportError:
        print("FastCap2 is not installed: without the finite structure", file=sys.stderr)
    else:
        rows += finite_structure()
    if asked.json:
        print(json.dumps(rows, indent=1))
    else:
        for r in rows:
            print(
                "{structure:24s} BL-{net:7s} {metalrom_aF:8.4f} {reference_aF:8.4f} aF {difference:+7.2%}".format(**r)
            )
    raise SystemExit(any(abs(float(r["difference"])) > 0.02 for r in rows))


if __name__ == "__main__":
    main()
