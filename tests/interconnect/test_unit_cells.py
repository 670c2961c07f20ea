"""Convergence and cost of the field solver on the benchmark's unit cells, and the shipped table of solved cells."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from interconnect import extraction_table, fieldsolver
from interconnect.errors import InputError
from interconnect.extraction import extract
from interconnect.geometry import Box, CellGeometry, Slab
from interconnect.stackfile import load_stack
from netlists.cells import CELLS as KINDS
from netlists.cells import make_cell
from netlists.cells.base import Plane
from tests.scripts import load_script

BENCH = load_script("benchmarks/extraction.py")
CELLS = {cell.name: cell for cell in [*(BENCH.pattern(*p) for p in BENCH.PATTERNS), *BENCH.project_cells()]}


def test_the_cells_cover_what_is_claimed() -> None:
    assert len(CELLS) >= 15
    pitches, aspects, permittivities, *flags = (set(column) for column in zip(*BENCH.PATTERNS, strict=True))
    assert (min(pitches), max(pitches)) == (90, 600)
    assert (min(aspects), max(aspects)) == (1.0, 2.5)
    assert (min(permittivities), max(permittivities)) == (2.4, 4.2)
    assert all(flag == {True, False} for flag in flags)
    assert {name.split()[0] for name in CELLS} >= set(KINDS)


MOST_UNKNOWNS = 25_000
"""What a unit cell of order 4 may take: about a second of CPU time."""


@pytest.mark.parametrize("name", ["100 nm, aspect 1.9, k 2.7 tab via shield", "90 nm, aspect 1, k 2.7"])
def test_a_unit_cell_converges_with_few_unknowns(name: str) -> None:
    solution = fieldsolver.solve_cell(CELLS[name])
    assert solution.unknowns <= MOST_UNKNOWNS
    fine = fieldsolver.solve_cell(CELLS[name], order=6, level=0.8)
    assert BENCH.difference(solution.capacitance, fine.capacitance) <= 5e-3


@pytest.mark.slow
@pytest.mark.parametrize("name", CELLS)
def test_every_unit_cell_converges(name: str) -> None:
    row = BENCH.measure(CELLS[name])
    assert row["to_finer"] <= 5e-3
    # What `auto` says of its results must hold.
    assert row["to_finer"] <= max(row["estimated_error"], 1e-3)
    if row["table_error"] is not None:
        assert row["table_error"] <= 5e-3


def default_cell(kind: str, plane: Plane, stack_name: str) -> CellGeometry:
    return make_cell(kind).geometry(load_stack(stack_name), plane, (1,))


@pytest.mark.parametrize("kind", ["cap_balanced", "res_via"])
def test_default_cells_need_no_field_solver(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fieldsolver, "available", lambda: False)
    stack = load_stack("generic28")
    # M6-M7 is M2-M3 higher up.
    cell = default_cell(kind, Plane("M6", "M7"), "generic28")
    result = extract(cell, stack)
    assert result.method == "table"
    assert result.relative_error < 5e-3
    assert not any("formula" in warning for warning in result.warnings)
    np.testing.assert_array_equal(result.capacitance, extract(cell, stack, "table").capacitance)
    coarse = fieldsolver.solve_cell(cell, order=3).capacitance
    assert BENCH.difference(result.capacitance[:-1, :-1], coarse) <= 1e-2
    # Twice the permittivity everywhere: exactly twice the capacitance.
    doubled = replace(cell, slabs=tuple(Slab(s.bottom, s.top, 2 * s.k) for s in cell.slabs))
    np.testing.assert_allclose(extract(doubled, stack).capacitance, 2 * result.capacitance, rtol=1e-12)


def test_a_cell_that_differs_is_not_found() -> None:
    stack = load_stack("generic28")
    cell = default_cell("cap_balanced", Plane("M2", "M3"), "generic28")
    assert extraction_table.look_up(cell) is not None
    line = cell.boxes[0]
    wider: Box = replace(line, upper=(line.upper[0], line.upper[1] + 1e-9, line.upper[2]))
    changes = (
        {"boxes": (wider, *cell.boxes[1:])},
        {"ceiling": cell.ceiling - 1e-9, "slabs": (Slab(cell.floor, cell.ceiling - 1e-9, 2.7),)},
        {"slabs": (Slab(cell.floor, line.upper[2], 2.7), Slab(line.upper[2], cell.ceiling, 3.0))},
        {"boxes": (*cell.boxes[:-1], replace(cell.boxes[-1], net="X", kind="line"))},
        {"boxes": cell.boxes[:-1]},
    )
    for change in changes:
        other = replace(cell, **change)
        assert extraction_table.look_up(other) is None
    with pytest.raises(InputError, match="is not in the shipped table; use method fieldsolver"):
        extract(replace(cell, boxes=cell.boxes[:-1]), stack, "table")


def test_the_shipped_table_is_whole() -> None:
    document = json.loads(extraction_table.PATH.read_text())
    assert document["source"].startswith("NGSolve")
    for cell in BENCH.project_cells(programs=True):
        record = document["cells"][extraction_table.table_key(cell)]
        matrix = np.array(record["capacitance_per_k_F"])
        np.testing.assert_array_equal(matrix, matrix.T)
        assert np.linalg.eigvalsh(matrix)[0] > 0
        assert record["relative_error"] <= 5e-3
