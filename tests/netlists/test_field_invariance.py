"""Field solutions of drawn cells do not depend on where the period begins, and mirror images couple alike."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from interconnect import fieldsolver
from interconnect.geometry import CellGeometry
from interconnect.invariance import clear_shift, crosses_side, symmetric_nets, translated
from interconnect.stackfile import load_stack
from netlists.cells.base import Plane
from netlists.cells.cap_balanced import CapBalanced
from netlists.cells.cap_ternary import CapTernary

ODD_STACK = Path(__file__).parent / "odd_stack.yaml"
PLANE = Plane("M2", "M3")


@pytest.fixture(scope="module")
def mirrored() -> CellGeometry:
    """Two columns that are mirror images; a plate reaches over the period's side and ends at a dielectric's."""
    cell = CapTernary(row_pitch=330e-9, column_pitch=300e-9, row_width=40e-9, column_width=40e-9)
    return cell.geometry(load_stack(ODD_STACK), PLANE, (1, 2))


def coupling(cell: CellGeometry, solution: fieldsolver.FieldSolution, a: str, b: str) -> float:
    return float(-solution.capacitance[cell.nets.index(a), cell.nets.index(b)])


def test_mirror_images_couple_alike_within_the_stated_error(mirrored: CellGeometry) -> None:
    assert crosses_side(mirrored)
    solution = fieldsolver.solve_cell(mirrored, order=4)
    for (a, b), (c, d) in ((("S", "P0"), ("S", "N1")), (("N0", "P0"), ("N1", "P1")), (("G", "P0"), ("S", "P0"))):
        left, right = coupling(mirrored, solution, a, b), coupling(mirrored, solution, c, d)
        assert left == pytest.approx(right, rel=2e-3)
    assert solution.invariance == "symmetry"
    assert solution.certificate <= solution.relative_error < 0.01
    # 9.466 aF is the order-5 solution of the same boxes moved by 25 nm, so that none crosses the side.
    assert coupling(mirrored, solution, "S", "P0") == pytest.approx(9.466e-18, rel=3e-3)


def test_a_plate_across_the_side_is_metal_all_over(mirrored: CellGeometry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fieldsolver, "clear_shift", lambda cell, rank=0: (0.0, 0.0))
    solution = fieldsolver.solve_cell(mirrored, order=3)
    left, right = coupling(mirrored, solution, "P0", "N0"), coupling(mirrored, solution, "P1", "N1")
    # The face that no dielectric was cut by used to be left without its net: 2.1 % between these two.
    assert left == pytest.approx(right, rel=0.01)


def test_the_cut_is_chosen_in_the_widest_space(mirrored: CellGeometry) -> None:
    shift = clear_shift(mirrored)
    moved = translated(mirrored, shift)
    assert shift[0] != 0.0
    assert shift[1] == 0.0
    assert not crosses_side(moved)
    assert all(b.lower[0] > -1e-15 and b.upper[0] < moved.period[0] + 1e-15 for b in moved.boxes)
    assert clear_shift(moved) == (0.0, 0.0)


def test_symmetries_of_the_mirrored_columns(mirrored: CellGeometry) -> None:
    nets = mirrored.nets
    images = {tuple(nets[i] for i in image) for image in symmetric_nets(mirrored)}
    # By hand: the mirror between the columns, the mirror between S and G, and both.
    assert images == {
        ("S", "G", "N1", "P1", "N0", "P0"),
        ("G", "S", "P0", "N0", "P1", "N1"),
        ("G", "S", "N1", "P1", "N0", "P0"),
    }


def test_a_broken_symmetry_is_none(mirrored: CellGeometry) -> None:
    wider = [replace(b, upper=(b.upper[0] + 1e-9, *b.upper[1:])) if b.net == "P1" else b for b in mirrored.boxes]
    images = {tuple(mirrored.nets[i] for i in image) for image in symmetric_nets(replace(mirrored, boxes=tuple(wider)))}
    assert images == {("G", "S", "P0", "N0", "P1", "N1")}


def test_a_cell_without_symmetry_is_certified_by_a_moved_copy() -> None:
    stack = load_stack("generic28")
    cell = CapBalanced().geometry(stack, PLANE, (1,))
    assert symmetric_nets(cell) == ()
    solution = fieldsolver.solve_cell(cell, order=4)
    assert solution.invariance == "translation"
    assert 0.0 < solution.certificate < 0.01
    assert np.isfinite(solution.relative_error)
