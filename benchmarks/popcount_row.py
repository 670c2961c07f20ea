"""A ternary count in gates beside a conversion of the readout chain: area and energy, with what either leaves out.

    python benchmarks/popcount_row.py --liberty nangate45_typ.lib --node 45nm [--run OUT] [--rows 10,64]
    python benchmarks/popcount_row.py --liberty /usr/share/qflow/tech/osu018/osu018_stdcells.lib --node 180nm

N rows are driven with bits of the inputs, N ternary digits of one column are read, and their signed count is asked for:
by full adders and gates of a standard-cell library (yosys), checked with iverilog on 1,000 random inputs as source and
as mapped netlist, its energy by OpenSTA; and by one conversion of a group, from a run of the native ternary layer
(`python benchmarks/trits.py`; `--run` its output folder, else the recorded summary that `metalrom compare` uses).
Libraries are not part of this project: OSU's 180 nm cells are in Debian's package qflow-tech-osu018, Nangate's open
45 nm cells in OpenSTA's own examples. Needs yosys, iverilog and sta.

The prediction printed first is the area of a full adder per bit that the sum loses, 2 N less the bits of the number
2 N, and of 2 N AND gates.
"""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Sequence
from pathlib import Path

from interconnect.quantity import parse_quantity
from metalrom.run.estimate import run_layer
from metalrom.run.folder import open_run
from metalrom.studies.popcount.row import ADDER_CELLS
from metalrom.studies.popcount.synthesis import CellLibrary, Synthesis, cell_library, synthesize
from metalrom.studies.systems.metal import ternary_example
from netlists.devices.area import area_at_node

AND_CELLS = ("AND2_X1", "AND2X1")

DEVICE_NODE = 45e-9
"""Of the readout's transistors (open45)."""

VDD = 1.0
NONZERO = 0.566
"""Share of the digits that are not 0: MiniLM-L6 cut to ternary digits."""

READ_PARTS = ("row_drivers", "driver_gates", "reset", "line_bias", "clamp", "column_mux", "leakage", "control_lines")
"""Of a conversion's energy: what a read of a column's line costs whoever decides about its level."""


def cell_area(text: str, names: Sequence[str]) -> float | None:
    """Area of the first cell of these names in a library, um2."""
    for name in names:
        found = re.search(rf"\bcell\s*\(\s*{name}\s*\).*?\barea\s*:\s*([0-9.]+)", text, re.DOTALL)
        if found:
            return float(found[1])
    return None


def digital(library: CellLibrary, rows: list[int]) -> dict[int, Synthesis]:
    """Print the prediction and the table of counts in gates."""
    print(f"\nCounts in gates of {library.path.name} ({library.source}), {library.vdd:g} V")
    text = library.path.read_text(encoding="utf-8", errors="replace")
    adder, gate = (cell_area(text, names) for names in ([c.name for c in ADDER_CELLS], AND_CELLS))
    for n in rows:
        adders = 2 * n - (2 * n).bit_length()
        expected = "not known" if adder is None or gate is None else f"{adders * adder + 2 * n * gate:,.1f} um2"
        print(f"expected: {n} rows: {adders} full adders and {2 * n} AND gates, {expected}")
    print(
        "| rows | cells | area, um2 | area at 45 nm, um2 | energy, fJ | at 1 V, fJ | per row at 1 V, fJ | leakage, uW "
        "| wrong of random inputs |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    found = {}
    for n in rows:
        s = found[n] = synthesize(n, library, share=NONZERO)
        scaled = s.energy * (VDD / library.vdd) ** 2
        print(
            f"| {n} | {s.cells} | {s.area:,.1f} | {area_at_node(s.area, library.node, DEVICE_NODE):,.1f} "
            f"| {s.energy * 1e15:,.1f} | {scaled * 1e15:,.1f} | {scaled * 1e15 / n:,.1f} | {s.leakage * 1e6:.3g} "
            f"| {s.wrong} of 2 x {s.vectors:,} |"
        )
    return found


def recorded() -> None:
    """The summary of the recorded run: no parts of it are known."""
    macro = ternary_example()
    groups = math.ceil(macro.shape.rows / macro.group_rows)
    conversion = macro.energy_per_mac.mid * macro.shape.rows / (groups * macro.input_bits)
    print(f"\nOne conversion of {macro.group_rows} rows by the readout chain ({macro.origin})")
    print(f"energy {conversion:,.0f} fJ, {conversion / macro.group_rows:,.0f} fJ per row, with reads, drivers, logic")


def measured(run: Path, found: dict[int, Synthesis], library: CellLibrary) -> None:
    """Print the bill of a conversion of a run, and of the same group read cell by cell and counted in gates."""
    opened = open_run(run)
    macro = run_layer(opened.results, opened.table).macro
    g, parts = macro.geometry, macro.conversion
    rows = g.group_rows
    print(f"\nOne conversion of {rows} rows by the readout chain ({opened.results.condition}, {run.name})")
    print("| part | energy, fJ | status |")
    print("|---|---|---|")
    for name, part in parts.items():
        print(f"| {name} | {part.value.mid * 1e15:,.1f} | {part.provenance.status} |")
    total = macro.energy_per_conversion.mid * 1e15
    print(f"| all | {total:,.0f} | |")
    area = {name: part.value.mid * 1e12 / (g.tiles * g.adcs) for name, part in macro.area.items()}
    silicon = {name: a for name, a in area.items() if name not in ("array", "via_towers", "capacitors")}
    shares = g.columns_per_adc * g.groups * g.planes_per_adc
    print(f"area per converter, um2: {', '.join(f'{name} {a:,.1f}' for name, a in silicon.items())}")
    print(f"a converter serves {shares:,} groups of columns")
    if rows in found:
        count = found[rows].energy * (VDD / library.vdd) ** 2 * 1e15
        read = sum(parts[name].value.mid for name in READ_PARTS if name in parts) * 1e15
        decide = parts["adc"].value.mid * 1e15
        cells = area_at_node(found[rows].area, library.node, DEVICE_NODE)
        print(f"the conversion proper (adc) {decide:,.0f} fJ, the count in gates {count:,.0f} fJ and {cells:,.0f} um2")
        print(
            f"a bit line gives one cell at a time: {rows} reads of {read:,.0f} fJ and one count are "
            f"{rows * read + count:,.0f} fJ for the chain's {total:,.0f}, without the {rows} decisions about a cell's "
            "three levels (status: assumed, the chain's own read for every row)"
        )
        print(f"counts beside all cells instead of reads: {shares:,} of them per converter, {shares * cells:,.0f} um2")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--liberty", type=Path, required=True)
    parser.add_argument("--node", required=True, help="of the library, such as 45nm")
    parser.add_argument("--source", default="given on the command line", help="where the library comes from")
    parser.add_argument("--rows", default="10,20,64,384")
    parser.add_argument("--run", type=Path, help="output folder of the native ternary layer")
    arguments = parser.parse_args()
    library = cell_library(arguments.liberty, parse_quantity(arguments.node, "m"), arguments.source)
    found = digital(library, [int(n) for n in arguments.rows.split(",")])
    if arguments.run:
        measured(arguments.run, found, library)
    else:
        recorded()
    print(
        "\nnot in the counts in gates: reading the cells' bits, wires between cells, hazards, clocking, and the shift "
        "and add of input bits, which both sides need"
    )


if __name__ == "__main__":
    main()
