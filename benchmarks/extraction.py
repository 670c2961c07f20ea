"""Extraction of unit cells: time, convergence, and the errors of formula and shipped table against finite elements.

    python benchmarks/extraction.py [--json]
    python benchmarks/extraction.py --write-table

Per cell: CPU seconds of the default solution, its estimated error, its largest difference to a solution one order
higher on a mesh of 0.6 times the element size, and the formula's (and where the table holds the cell, the table's)
largest difference to that finer solution. Differences are relative to the entry of the capacitance matrix, or to 2 % of
its nets' totals where it is smaller. Cells: line-and-tab patterns over pitch, aspect ratio and permittivity, and the
project's cell kinds on its stacks. `--write-table` solves the cells that ship with the project.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from interconnect import extraction_table, fieldsolver, formula
from interconnect.geometry import GROUND, Box, CellGeometry, Slab
from interconnect.stackfile import load_stack

Matrix = NDArray[np.float64]
NM = 1e-9

PATTERNS: tuple[tuple[float, float, float, bool, bool, bool], ...] = (
    # pitch nm, aspect ratio, permittivity, tab, via, shield
    (90, 1.9, 2.4, True, True, True),
    (90, 1.0, 2.7, False, False, False),
    (90, 2.5, 3.0, True, False, False),
    (100, 1.9, 2.7, True, True, True),
    (100, 1.9, 2.7, True, True, False),
    (140, 2.0, 3.9, True, True, True),
    (140, 1.5, 3.0, False, False, True),
    (200, 1.0, 3.9, True, True, False),
    (200, 2.5, 2.4, True, False, True),
    (280, 2.0, 4.2, True, True, True),
    (400, 1.5, 3.9, True, True, True),
    (400, 2.5, 4.2, False, False, False),
    (600, 1.0, 4.2, True, True, False),
    (600, 2.5, 3.9, True, True, True),
)
SHIPPED = (
    ("generic28", "M1", "M2"),
    ("generic28", "M2", "M3"),
    ("open45", "metal1", "metal2"),
    ("open45", "metal2", "metal3"),
    ("open45", "metal4", "metal5"),
)


def pattern(pitch: float, aspect: float, k: float, tab: bool, via: bool, shield: bool) -> CellGeometry:
    """Two row lines under a bit line, with a tab beside it (via-tied to the first row line or not) and a shield."""
    p, w = pitch * NM, 0.5 * pitch * NM
    t, h = aspect * w, 0.95 * aspect * w
    period = ((2 + shield) * p, 2 * p)
    z = (h, h + t, 2 * h + t, 2 * h + 2 * t)
    boxes = [
        Box(net, "low", "line", (0.0, y, z[0]), (period[0], y + w, z[1])) for net, y in (("S", w / 2), ("G", w / 2 + p))
    ]
    boxes.append(Box("BL", "high", "line", (w / 2, 0.0, z[2]), (1.5 * w, period[1], z[3])))
    if tab:
        net = "S" if via else "T"
        boxes.append(Box(net, "high", "tab", (w / 2 + p, w / 2, z[2]), (1.5 * w + p, 1.5 * w + p, z[3])))
    if via:
        boxes.append(Box("S", "cut", "via", (w / 2 + p, w / 2, z[1]), (1.5 * w + p, 1.5 * w, z[2])))
    if shield:
        boxes.append(Box(GROUND, "high", "shield", (w / 2 + 2 * p, 0.0, z[2]), (1.5 * w + 2 * p, period[1], z[3])))
    top = 3 * h + 2 * t
    # Every second pattern has a denser film between the metals.
    slabs = (Slab(0.0, top, k),) if shield else (Slab(0.0, z[1], k), Slab(z[1], z[2], 1.25 * k), Slab(z[2], top, k))
    words = "".join(f" {word}" for word, there in (("tab", tab), ("via", via), ("shield", shield)) if there)
    return CellGeometry(f"{pitch:g} nm, aspect {aspect:g}, k {k:g}{words}", tuple(boxes), period, 0.0, top, slabs)


SHIPPED_KINDS = ("cap_balanced", "res_via")
"""Kinds whose default cells ship solved: those that are characterized. The others ask for the field solver."""


def project_cells(programs: bool = False) -> list[CellGeometry]:
    """The project's cell kinds on its stacks: single cells, or what the models of `SHIPPED_KINDS` extract too."""
    from netlists.cells import CELLS, make_cell
    from netlists.cells.base import Plane

    cells = []
    for name, row, column in SHIPPED if programs else SHIPPED[1::2]:
        stack = load_stack(name)
        for kind in SHIPPED_KINDS if programs else CELLS:
            wanted = [(1,), (0,), (1, 1), (0, 0), (1, 0)] if programs else [(1,)]
            cells += [make_cell(kind).geometry(stack, Plane(row, column), program) for program in wanted]
    return cells


def difference(matrix: Matrix, reference: Matrix) -> float:
    """Largest difference of an entry, relative to it or to 2 % of its nets' totals."""
    total = np.sqrt(np.diag(reference))
    scale = np.maximum(np.abs(reference), fieldsolver.REFERENCE_FRACTION * np.outer(total, total))
    return float(np.max(np.abs(matrix - reference) / scale))


def measure(cell: CellGeometry) -> dict[str, Any]:
    """One row of the table."""
    start = time.process_time()
    solution = fieldsolver.solve_cell(cell)
    seconds = time.process_time() - start
    fine = fieldsolver.solve_cell(cell, order=fieldsolver.DEFAULT_ORDER + 1, level=0.6).capacitance
    shipped = extraction_table.look_up(cell)
    return {
        "cell": cell.name,
        "cpu_s": seconds,
        "unknowns": solution.unknowns,
        "estimated_error": solution.relative_error,
        "to_finer": difference(solution.capacitance, fine),
        "formula_error": difference(formula.capacitance(cell), fine),
        "table_error": difference(shipped.capacitance, fine) if shipped else None,
    }


def write_table() -> None:
    """Solve the shipped cells and write the table whole."""
    cells: dict[str, Any] = {}
    for cell in project_cells(programs=True):
        key = extraction_table.table_key(cell)
        if key not in cells:
            solution = fieldsolver.solve_cell(cell)
            cells[key] = extraction_table.entry(cell, solution.capacitance, solution.relative_error)
            print(f"{cell.name}: estimated error {solution.relative_error:.2%}", flush=True)
    source = f"NGSolve {fieldsolver.version()}, order {fieldsolver.DEFAULT_ORDER}"
    text = json.dumps({"source": source, "cells": cells}, indent=1) + "\n"
    extraction_table.PATH.parent.mkdir(exist_ok=True)
    temporary = extraction_table.PATH.with_suffix(".tmp")
    temporary.write_text(text, "utf-8")
    temporary.replace(extraction_table.PATH)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--write-table", action="store_true", help="solve and write the cells that ship")
    args = parser.parse_args()
    if args.write_table:
        write_table()
        return
    fieldsolver.solve_cell(pattern(*PATTERNS[1]), order=3)  # imports
    rows = []
    if not args.json:
        print(f"{'cell':46s} {'CPU':>6s} {'est.':>7s} {'to finer':>8s} {'formula':>8s} {'table':>8s}")
    for cell in [*(pattern(*p) for p in PATTERNS), *project_cells()]:
        row = measure(cell)
        rows.append(row)
        if not args.json:
            table = "-" if row["table_error"] is None else f"{row['table_error']:.2%}"
            print(
                f"{row['cell']:46s} {row['cpu_s']:5.1f}s {row['estimated_error']:7.2%} {row['to_finer']:8.2%} "
                f"{row['formula_error']:8.1%} {table:>8s}",
                flush=True,
            )
    if args.json:
        print(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
