"""DRC and LVS of growing tiles of a kit: CPU seconds and largest memory of each, in a process of its own.

    python benchmarks/signoff.py [--stack freepdk45] [--kind cap_balanced] [--sizes 64x64x2,...,1024x256x4] [--own]

Random symbols in groups of 16 rows; the layout is written as GDSII by this package and read by KLayout. `DRC`: every
rule that the kit's stack states. `LVS`: nets and devices of all planes against their schematics. `--own`: this
package's rule check and audit, too. Memory is the peak of the process less that of one that only reads the file; every
layout must be clean. The last column but one is seconds per million cells: constant where time grows with the cells.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from interconnect.stackfile import load_stack
from metalrom.layout.audit import audit_layout
from metalrom.layout.files import write_layout
from metalrom.layout.plan import Plan, plan_layout
from metalrom.layout.read import open_layout
from metalrom.layout.rules import check_rules
from metalrom.signoff.drc import check_with_klayout, open_in_klayout
from metalrom.signoff.lvs import compare_planes
from netlists.cells import make_cell
from netlists.cells.base import Plane
from netlists.mapping import MacroShape, ViaProgram, tile
from netlists.mapping.program import Encoding

SIZES = "64x64x2,128x128x2,256x256x2,512x256x2,1024x256x2,1024x256x4"
COUNTS = {"cap_select": (0, 1, 2, 3), "cap_ternary": (0, 1, -1), "cap_tie": (0, 1, -1)}
FIRST_METAL = {"sky130": "met1", "freepdk45": "metal2"}
"""Metals of the first plane's rows; those below belong to the circuits under the array."""
SECONDS = 3000.0


def planned(stack_name: str, kind: str, size: tuple[int, int, int]) -> Plan:
    """A tile full of random symbols. size: rows, columns, planes."""
    rows, columns, number = size
    counts = COUNTS.get(kind, (0, 1))
    symbols = np.random.default_rng(1).integers(0, len(counts), (rows, columns * number)).astype(np.uint8)
    ones = np.ones(columns * number, dtype=np.int64)
    program = ViaProgram(symbols, np.arange(columns * number), ones, ones * 0, Encoding("random", counts))
    stack = load_stack(stack_name)
    metals = [m.name for m in stack.metals]
    start = metals.index(FIRST_METAL.get(stack_name, metals[1]))
    planes = [Plane(*metals[k : k + 2]) for k in range(start, start + 2 * number, 2)]
    manifest = tile(program, MacroShape(rows=rows, columns=columns, planes=number))
    return plan_layout(make_cell(kind), stack, planes, program, manifest, "array", group_rows=16)


def drc(plan: Plan, path: Path) -> int:
    """Violations that KLayout finds."""
    return check_with_klayout(plan, open_in_klayout(path)).count


def lvs(plan: Plan, path: Path) -> int:
    """Differences that KLayout finds."""
    return sum(report.count for report in compare_planes(plan, open_in_klayout(path)))


def own(plan: Plan, path: Path) -> int:
    """Violations of the rules and differences of vias and wires that this package finds."""
    shapes = open_layout(path).flatten(plan.grid)
    audit = audit_layout(plan, shapes)
    return check_rules(plan, shapes).count + audit.differing + audit.wires + audit.strange


def nothing(plan: Plan, path: Path) -> int:
    """What every other step needs."""
    del plan
    open_in_klayout(path)
    return 0


STEPS: dict[str, Callable[[Plan, Path], int]] = {"read": nothing, "DRC": drc, "LVS": lvs, "own": own}


def measured(step: str, words: list[str]) -> dict[str, Any]:
    """One step in a process of its own: differences, CPU seconds, peak of memory in MB, cells."""
    command = [sys.executable, "-P", __file__, "--step", step, *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    if done.returncode != 0:
        raise SystemExit(done.stderr)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def one_step(stack: str, kind: str, size: str, step: str) -> None:
    """What a process of its own does."""
    rows, columns, planes = map(int, size.split("x"))
    plan = planned(stack, kind, (rows, columns, planes))
    with tempfile.TemporaryDirectory() as folder:
        path = write_layout(plan, Path(folder) / "tile.gds").path
        start = time.process_time()
        count = STEPS[step](plan, path)
        seconds = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    print(json.dumps({"count": count, "seconds": seconds, "peak": peak, "cells": plan.cells}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stack", default="freepdk45")
    parser.add_argument("--kind", default="cap_balanced")
    parser.add_argument("--sizes", default=SIZES)
    parser.add_argument("--own", action="store_true", help="this package's own checks, too")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.step:
        one_step(arguments.stack, arguments.kind, arguments.sizes, arguments.step)
        return
    print(f"{arguments.kind} on {arguments.stack}, groups of 16 rows")
    print(f"{'rows x columns x planes':24s}     cells step    CPU s      MB s / 1e6 cells differences")
    for size in arguments.sizes.split(","):
        words = ["--stack", arguments.stack, "--kind", arguments.kind, "--sizes", size]
        base = measured("read", words)["peak"]
        for step in ("DRC", "LVS", *(("own",) if arguments.own else ())):
            found = measured(step, words)
            each = found["seconds"] / found["cells"] * 1e6
            print(
                f"{size:24s} {found['cells']:9,d} {step:4s} {found['seconds']:8.2f} {found['peak'] - base:7.0f} "
                f"{each:13.1f} {found['count']}",
                flush=True,
            )


if __name__ == "__main__":
    main()
