"""The closed formula against the published single-line formula and against the field solver."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from interconnect import fieldsolver, formula
from interconnect.geometry import Box, CellGeometry, Slab
from interconnect.stack import Stack
from interconnect.stackfile import load_stack

CellMaker = Callable[..., CellGeometry]
NM = 1e-9


def test_an_isolated_line_over_a_plane_is_sakurai_tamaru() -> None:
    width, height, thickness = 100e-9, 200e-9, 150e-9
    line = Box("A", "M", "line", (5e-6, 0.0, height), (5e-6 + width, 1e-6, height + thickness))
    cell = CellGeometry("line", (line,), (10e-6, 1e-6), 0.0, 100e-6, (Slab(0.0, 100e-6, 3.9),))
    # Sakurai and Tamaru 1983: C/L = k eps (1.15 w/h + 2.80 (t/h)^0.222); the ceiling is far away (0.5 % of the whole).
    expected = 3.9 * 8.8541878128e-12 * (1.15 * 0.5 + 2.80 * 0.75**0.222) * 1e-6
    assert formula.capacitance(cell)[0, 0] == pytest.approx(expected, rel=0.01)


def cases(make_cell: CellMaker) -> list[CellGeometry]:
    generic, freepdk = load_stack("generic28"), load_stack("open45")
    cells = [
        make_cell(generic, tabs, width=width * NM, space=space * NM, shield=shield)
        for width, space in ((50, 50), (45, 45), (60, 100), (100, 100))
        for tabs in ("S", "-")
        for shield in (True, False)
    ]
    cells.append(make_cell(freepdk, "S", width=70 * NM, space=70 * NM, layers=("metal2", "metal3")))
    cells.append(make_cell(freepdk, "G", width=140 * NM, space=140 * NM, layers=("metal4", "metal5")))
    return cells


def test_the_stated_error_covers_the_field_solver(make_cell: CellMaker) -> None:
    worst = 0.0
    for cell in cases(make_cell):
        exact = fieldsolver.solve_cell(cell, order=4).capacitance
        totals = np.sqrt(np.diag(exact))
        scale = np.maximum(np.abs(exact), fieldsolver.REFERENCE_FRACTION * np.outer(totals, totals))
        worst = max(worst, float(np.max(np.abs(formula.capacitance(cell) - exact) / scale)))
    # Measured: 0.16. The stated error leaves room for cells between these.
    assert 0.05 < worst < 0.8 * formula.RELATIVE_ERROR


def test_two_columns_alike_are_the_column_repeated(generic28: Stack, make_cell: CellMaker) -> None:
    one = formula.capacitance(make_cell(generic28, "S"))
    two = formula.capacitance(make_cell(generic28, "SS"))
    # S and G double with the period; each bit line stays what it was.
    assert two[0, 0] == pytest.approx(2 * one[0, 0])
    assert two[2, 2] == pytest.approx(one[2, 2])
    assert two[2, 0] == pytest.approx(one[2, 0])
