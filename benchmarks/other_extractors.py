"""Capacitances of cells on sky130 by the field solver beside those of klayout-pex and Magic, per cell of a large array.

    PDK_ROOT=FOLDER python benchmarks/other_extractors.py [--cells cap_balanced,res_via] [--planes 2]

Each cell at the smallest lengths of its planes, drawn as a tile of 64 x 64 random symbols and read back from the file;
a block of 8 x 8 cells goes to every extractor that this machine has. Rows of a table in Markdown.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.signoff import planned
from interconnect.extraction import extract
from interconnect.geometry import CellGeometry
from interconnect.stack import Stack
from metalrom.layout.audit import symbols_of
from metalrom.layout.files import write_layout
from metalrom.layout.read import open_layout
from metalrom.signoff.extractor import Extractor
from metalrom.signoff.other_extractors import compare_with_extractor, find_extractors
from netlists.cells import make_cell


def solved(geometry: CellGeometry, stack: Stack) -> object:
    return extract(geometry, stack, method="fieldsolver")


def measure(kind: str, planes: int, tools: list[Extractor]) -> None:
    plan = planned("sky130", kind, (64, 64, planes))
    with tempfile.TemporaryDirectory() as folder:
        shapes = open_layout(write_layout(plan, Path(folder, "tile.gds")).path).flatten(plan.grid)
    for part in plan.parts:
        symbols, _ = symbols_of(plan, part, shapes)
        model = make_cell(kind).model(plan.stack, part.pattern.plane, solved)  # type: ignore[arg-type]
        reports = [compare_with_extractor(tool, plan, part, shapes, symbols, model) for tool in tools]
        for values in zip(*(report.values for report in reports), strict=True):
            beside = " | ".join(f"{v.beside * 1e18:.1f} ({100 * v.relative:+.1f} %)" for v in values)
            where = f"{kind} | {part.pattern.plane.label}"
            print(f"| {where} | {values[0].name} | {values[0].cell * 1e18:.1f} | {beside} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", default="cap_balanced,res_via")
    parser.add_argument("--planes", type=int, default=2)
    arguments = parser.parse_args()
    found = [tool for _, tool in find_extractors("sky130")]
    tools = [tool for tool in found if not isinstance(tool, str)]
    for reason in (tool for tool in found if isinstance(tool, str)):
        print(reason)
    print(f"| cell | plane | aF per cell | field solver | {' | '.join(tool.label for tool in tools)} |")
    print("|---" * (4 + len(tools)) + "|")
    for kind in arguments.cells.split(","):
        measure(kind, arguments.planes, tools)


if __name__ == "__main__":
    main()
