"""Mask layouts of a tile of 1024 x 256 x 4 planes full of real weights: seconds, size, differing vias, rule check.

    python benchmarks/layout.py [--out DIR] [--kinds cap_balanced,...] [--macro]

The weights are the matrix 1536 x 384 of MiniLM's first feed-forward output (`metalrom fetch minilm`), 8 bits, mapped as
for netlists; tile 0 holds its first 1024 rows and 1024 bit columns, without a free cell. Each kind is written as GDSII
and as OASIS, read back by gdstk, compared via by via and wire by wire, and checked against the stack's rules. Then one
tab of the written GDSII file is widened by 10 nm and one via moved to the other line: both must be found, and nothing
else. `--macro` writes and reads back all tiles of the matrix for the first kind. Times are CPU seconds.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import gdstk

from interconnect.stackfile import load_stack
from metalrom.assets import asset_path
from metalrom.layout.audit import audit_layout
from metalrom.layout.files import write_layout
from metalrom.layout.plan import Plan, plan_layout
from metalrom.layout.read import open_layout
from metalrom.layout.rules import check_rules
from netlists.cells import make_cell
from netlists.cells.base import Plane
from netlists.mapping import MacroShape, ViaProgram, tile, via_program
from netlists.weights import load_weights, quantize

TENSOR = "encoder.layer.0.output.dense.weight"
PLANES = (("M2", "M3"), ("M4", "M5"), ("M6", "M7"), ("M8", "M9"))
COUNTS = {"cap_select": (0, 1, 2, 3), "cap_ternary": (0, 1, -1)}
KINDS = "cap_balanced,cap_present,res_via,cap_select,cap_ternary"


def planned(kind: str, level: str) -> tuple[Plan, ViaProgram]:
    """The layout of a kind of cell at its smallest pitch in generic28, groups of 16 rows."""
    weights = load_weights(asset_path("minilm", "model.safetensors"), TENSOR, transpose=True)
    program = via_program(quantize(weights, 8).values, 8, symbol_values=COUNTS.get(kind, (0, 1)))
    manifest = tile(program, MacroShape(rows=1024, columns=256, planes=4))
    planes = [Plane(*p) for p in PLANES]
    cell = make_cell(kind)
    return plan_layout(cell, load_stack("generic28"), planes, program, manifest, level, group_rows=16), program


def judged(plan: Plan, program: ViaProgram, path: Path) -> None:
    """Write a file, read and judge it: one line of the table."""
    started = time.process_time()
    write_layout(plan, path)
    begun = time.process_time()
    shapes = open_layout(path).flatten(plan.grid)
    read = time.process_time()
    audit = audit_layout(plan, shapes, program)
    compared = time.process_time()
    rules = check_rules(plan, shapes)
    checked = time.process_time()
    size = path.stat().st_size
    print(
        f"{plan.kind:12s} {path.suffix[1:]} {plan.level:5s} {audit.cells:9,d} cells {size / 1e6:6.2f} MB "
        f"write {begun - started:5.2f} s, read {read - begun:5.2f} s, compare {compared - read:5.2f} s, "
        f"rules {checked - compared:5.2f} s ({rules.rectangles:,} rectangles); differing vias {audit.differing}, "
        f"wires {audit.wires}, strange {audit.strange}; violations {rules.count}",
        flush=True,
    )


def planted(plan: Plan, program: ViaProgram, path: Path) -> None:
    """Widen the tab of one cell and move one via of another in the written file; print what is found."""
    part, um = plan.parts[2], plan.grid * 1e6
    pattern = part.pattern
    library = gdstk.read_gds(path)
    cells = {c.name: c for c in library.cells}
    plane = cells[part.name]
    metal = plan.layers.layers[pattern.plane.column].drawing
    tab = next(s.box for s in pattern.common if s.layer == pattern.plane.column)
    x, y = (137 * pattern.column_pitch + tab[2]) * um, 700 * pattern.row_pitch * um
    plane.add(gdstk.rectangle((x - 0.01, y + tab[1] * um), (x + 0.01, y + tab[3] * um), layer=metal[0]))
    # The word of 8 symbols at row 1000, columns 24 to 31: its seventh via goes to the other line.
    row, word, column = 1000, 24, 6
    name = f"via_p{part.plane}_{''.join(map(str, part.symbols[row, word : word + 8]))}"
    origin = (word * pattern.column_pitch * um, row * pattern.row_pitch * um)
    old = next(r for r in plane.references if r.cell_name == name and np.allclose(r.origin, origin, atol=1e-6))
    symbols = part.symbols[row, word : word + 8].copy()
    symbols[column] = 1 - symbols[column]
    copy = library.new_cell("moved")
    for k, symbol in enumerate(symbols):
        (shape,) = pattern.symbols[symbol]
        x0, y0, x1, y1 = (v * um for v in shape.box)
        at = k * pattern.column_pitch * um
        number = plan.layers.layers[shape.layer].drawing
        copy.add(gdstk.rectangle((x0 + at, y0), (x1 + at, y1), layer=number[0], datatype=number[1]))
    plane.add(gdstk.Reference(copy, old.origin))
    plane.remove(old)
    library.write_gds(path)
    begun = time.process_time()
    shapes = open_layout(path).flatten(plan.grid)
    audit, rules = audit_layout(plan, shapes, program), check_rules(plan, shapes)
    print(f"planted, found in {time.process_time() - begun:.2f} s:")
    found: list[Any] = [*audit.faults, *audit.sentences, *rules.violations]
    for sentence in found:
        print(f"  {sentence}")
    assert (audit.differing, rules.count) == (1, 1), "both plants and nothing else"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="keep the files in this folder")
    parser.add_argument("--kinds", default=KINDS)
    parser.add_argument("--macro", action="store_true", help="all tiles of the matrix, too")
    arguments = parser.parse_args()
    print(f"gdstk {gdstk.__version__}, {os.cpu_count()} cores; {TENSOR} of MiniLM, 8 bits, stack generic28")
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.out or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        for kind in arguments.kinds.split(","):
            plan, program = planned(kind, "array")
            for suffix in (".gds", ".oas"):
                judged(plan, program, folder / f"{kind}{suffix}")
            if kind == "cap_balanced":
                planted(plan, program, write_layout(plan, folder / "planted.gds").path)
        if arguments.macro:
            plan, program = planned(arguments.kinds.split(",")[0], "macro")
            for suffix in (".gds", ".oas"):
                judged(plan, program, folder / f"macro{suffix}")
    print(f"largest memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")


if __name__ == "__main__":
    main()
