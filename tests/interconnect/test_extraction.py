"""Extraction: analytic cases, the 100 nm cell, supercells, cache, refusals."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from interconnect import fieldsolver
from interconnect.errors import InputError
from interconnect.extraction import Extraction, extract
from interconnect.geometry import Box, CellGeometry, Slab
from interconnect.stack import Stack

EPSILON_0 = 8.8541878128e-12
CellMaker = Callable[..., CellGeometry]
needs_solver = pytest.mark.skipif(not fieldsolver.available(), reason="NGSolve is not installed")


def plates(slabs: tuple[Slab, ...]) -> CellGeometry:
    """A full sheet of metal halfway between two planes 1 um apart, period 0.4 x 0.3 um."""
    sheet = Box("A", "M", "line", (0.0, 0.0, 0.4e-6), (0.4e-6, 0.3e-6, 0.6e-6))
    return CellGeometry("plates", (sheet,), (0.4e-6, 0.3e-6), 0.0, 1e-6, slabs)


def test_plates_are_exact() -> None:
    # Two plate capacitors of 0.12 um^2 and 0.4 um: below k 4; above 0.1 um of k 2 and 0.3 um of k 3 in series.
    slabs = (Slab(0.0, 0.5e-6, 4.0), Slab(0.5e-6, 0.7e-6, 2.0), Slab(0.7e-6, 1e-6, 3.0))
    area = 0.12e-12
    expected = EPSILON_0 * area * (4.0 / 0.4e-6 + 1.0 / (0.1e-6 / 2.0 + 0.3e-6 / 3.0))
    solution = fieldsolver.solve_cell(plates(slabs), order=3)
    assert solution.capacitance[0, 0] == pytest.approx(expected, rel=1e-9)


def test_a_strip_between_planes_meets_the_exact_fringe() -> None:
    # S. B. Cohn, "Problems in strip transmission lines", IRE Trans. MTT 3 (1955) 119: two plates plus four fringes,
    # C_f = eps/pi (2 x ln(x + 1) - (x - 1) ln(x^2 - 1)), x = 1/(1 - t/b); exact while the edges are far apart.
    width, gap, thick = 1.0e-6, 1.0e-6, 0.1e-6
    z0 = 0.5 * (gap - thick)
    strip = Box("A", "M", "line", (2.5e-6, 0.0, z0), (2.5e-6 + width, 1.5e-6, z0 + thick))
    cell = CellGeometry("strip", (strip,), (6e-6, 1.5e-6), 0.0, gap, (Slab(0.0, gap, 1.0),))
    x = 1.0 / (1.0 - thick / gap)
    fringe = EPSILON_0 / math.pi * (2 * x * math.log(x + 1) - (x - 1) * math.log(x * x - 1))
    expected = (2 * EPSILON_0 * width / (0.5 * (gap - thick)) + 4 * fringe) * 1.5e-6
    solution = fieldsolver.solve_cell(cell)
    assert solution.capacitance[0, 0] == pytest.approx(expected, rel=2e-3)


@pytest.mark.parametrize(("tabs", "near", "far"), [("S", "S", "G"), ("G", "G", "S")])
def test_the_100_nm_cell(generic28: Stack, make_cell: CellMaker, tabs: str, near: str, far: str) -> None:
    result = extract(make_cell(generic28, tabs), generic28, method="fieldsolver")
    # Independent finite-element run of the same cell (order 4, refined mesh, no extrapolation): 14.08, 2.31, 33.3 aF.
    assert result.coupling("BL", near) == pytest.approx(14.08e-18, rel=0.01)
    assert result.coupling("BL", far) == pytest.approx(2.31e-18, rel=0.01)
    assert result.total("BL") == pytest.approx(33.3e-18, rel=0.01)
    assert result.method == "fieldsolver"
    assert result.relative_error < 3e-3
    assert_maxwell(result)


def assert_maxwell(result: Extraction) -> None:
    c = result.capacitance
    assert result.nets[-1] == "GND"
    np.testing.assert_array_equal(c, c.T)
    assert np.abs(c.sum(axis=1)).max() < 1e-12 * c.max()
    assert (c - np.diag(np.diag(c)) <= 0).all()
    assert np.linalg.eigvalsh(c)[0] > -1e-12 * c.max()


def test_default_agrees_with_a_finer_mesh_and_order(generic28: Stack, make_cell: CellMaker) -> None:
    cell = make_cell(generic28, "S")
    default = fieldsolver.solve_cell(cell)
    fine = fieldsolver.solve_cell(cell, order=5, level=0.5)
    tops = np.sqrt(np.diag(fine.capacitance))
    error = np.abs(default.capacitance - fine.capacitance) / np.maximum(
        np.abs(fine.capacitance), 0.02 * np.outer(tops, tops)
    )
    assert error.max() < 1e-3
    # The estimate must not be smaller than what a better solution shows.
    assert error.max() <= default.relative_error


def test_supercell_of_two_columns_with_mixed_vias(generic28: Stack, make_cell: CellMaker) -> None:
    result = extract(make_cell(generic28, "SG"), generic28)
    assert result.nets == ("S", "G", "BL0", "BL1", "GND")
    assert_maxwell(result)
    # The shield leaves the bit lines all but uncoupled, and each sees mostly its own tab.
    assert 0 <= result.coupling("BL0", "BL1") < 0.02e-18
    assert result.coupling("BL0", "S") == pytest.approx(result.coupling("BL1", "G"), rel=5e-3)
    assert result.coupling("BL0", "S") > 5 * result.coupling("BL0", "G")
    # Twice the period along the row: twice the squares.
    assert result.resistance["S"] == pytest.approx(0.272 * 600 / 50)
    assert result.resistance["BL0"] == pytest.approx(0.272 * 200 / 50)
    assert result.resistance["V2"] == 7.5
    assert result.tcr["S"] == 3.82e-3


def test_without_shield_the_left_neighbours_tab_couples_as_much(generic28: Stack, make_cell: CellMaker) -> None:
    result = extract(make_cell(generic28, "SG", shield=False), generic28)
    # Boundary elements on a finite 3 x 3 array: 25.3 aF with both tabs on S, 13.9 aF with the own tab on G.
    assert result.coupling("BL0", "S") == pytest.approx(13.9e-18, rel=0.05)
    assert result.coupling("BL0", "G") == pytest.approx(13.9e-18, rel=0.05)


def test_moving_the_cell_by_part_of_a_period_changes_nothing(generic28: Stack, make_cell: CellMaker) -> None:
    cell = make_cell(generic28, "S")
    shift = 0.4 * cell.period[0]
    moved = tuple(
        box
        if box.kind == "line" and box.net in "SG"
        else replace(box, lower=(box.lower[0] + shift, *box.lower[1:]), upper=(box.upper[0] + shift, *box.upper[1:]))
        for box in cell.boxes
    )
    a = extract(cell, generic28)
    b = extract(replace(cell, boxes=moved), generic28)
    np.testing.assert_allclose(b.capacitance, a.capacitance, atol=2e-3 * a.total("BL"))


def test_cache_serves_equal_numbers_and_survives_damage(
    generic28: Stack, make_cell: CellMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = make_cell(generic28, "S")
    first = extract(cell, generic28, cache_dir=tmp_path)
    (file,) = tmp_path.iterdir()

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("solved again")

    with monkeypatch.context() as patch:
        patch.setattr(fieldsolver, "solve_cell", refuse)
        again = extract(replace(cell, name="other"), generic28, cache_dir=tmp_path)
        np.testing.assert_array_equal(again.capacitance, first.capacitance)
        with pytest.raises(AssertionError, match="solved again"):
            extract(cell, generic28, cache_dir=tmp_path, order=4)
        document = json.loads(file.read_text())
        document["result"]["capacitance"][0][0] *= 2
        for damaged in (json.dumps(document), file.read_text()[:-40], "[]"):
            file.write_text(damaged)
            with pytest.raises(AssertionError, match="solved again"):
                extract(cell, generic28, cache_dir=tmp_path)
    repaired = extract(cell, generic28, cache_dir=tmp_path)
    assert repaired.total("BL") == pytest.approx(first.total("BL"), rel=1e-3)


@needs_solver
def test_cells_drawn_alike_on_other_metals_share_a_solution(
    generic28: Stack, make_cell: CellMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # M2 to M5 of generic28 have one thickness, one distance and one permittivity: their cells are the same but shifted.
    low, high = (make_cell(generic28, "S", layers=metals) for metals in (("M2", "M3"), ("M4", "M5")))
    assert low.key() != high.key()
    assert low.normalized() == high.normalized()
    first = extract(low, generic28, cache_dir=tmp_path, order=3)
    monkeypatch.setattr(fieldsolver, "solve_cell", lambda *_, **__: pytest.fail("solved again"))
    second = extract(high, generic28, cache_dir=tmp_path, order=3)
    np.testing.assert_array_equal(second.capacitance, first.capacitance)
    assert second.domain["layers"] != first.domain["layers"]


@pytest.mark.parametrize("change", ["higher", "denser", "moved"])
def test_what_decides_a_capacitance_tells_normalized_cells_apart(
    change: str, generic28: Stack, make_cell: CellMaker
) -> None:
    cell = make_cell(generic28, "S")
    bit_line = next(box for box in cell.boxes if box.net == "BL")
    moved = replace(bit_line, lower=(bit_line.lower[0] + 1e-9, *bit_line.lower[1:]))
    other = {
        "higher": replace(cell, ceiling=cell.ceiling + 1e-9),
        "denser": replace(cell, slabs=tuple(replace(s, k=1.1 * s.k) for s in cell.slabs)),
        "moved": replace(cell, boxes=tuple(moved if box is bit_line else box for box in cell.boxes)),
    }[change]
    assert other.normalized() != cell.normalized()


def test_the_solver_prints_nothing(generic28: Stack, make_cell: CellMaker, capfd: pytest.CaptureFixture[str]) -> None:
    extract(make_cell(generic28, "S"), generic28, order=3)
    assert capfd.readouterr() == ("", "")


def test_auto_falls_back_to_the_formula_and_says_so(
    generic28: Stack, make_cell: CellMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fieldsolver, "available", lambda: False)
    result = extract(make_cell(generic28, "S"), generic28)
    assert result.method == "formula"
    assert result.relative_error == 0.25
    assert any("closed formula" in warning for warning in result.warnings)
    assert_maxwell(result)
    with pytest.raises(InputError, match="not installed"):
        extract(make_cell(generic28, "S"), generic28, method="fieldsolver")


def test_refusals(generic28: Stack, make_cell: CellMaker) -> None:
    cell = make_cell(generic28, "S")
    line = cell.boxes[0]

    def with_box(box: Box) -> CellGeometry:
        return replace(cell, boxes=(*cell.boxes[1:], box))

    with pytest.raises(InputError, match="unknown extraction method 'magic'; choose one of auto, fieldsolver"):
        extract(cell, generic28, method="magic")
    with pytest.raises(InputError, match="has no metal 'M77'"):
        extract(with_box(replace(line, layer="M77")), generic28)
    with pytest.raises(InputError, match=r"box S/M3: lies at .* but stack generic28 has M3 at"):
        extract(with_box(replace(line, layer="M3")), generic28)
    with pytest.raises(InputError, match="touches a neighbouring plane"):
        extract(replace(cell, floor=line.lower[2]), generic28)
    with pytest.raises(InputError, match="there is no dielectric at or above"):
        extract(replace(cell, slabs=cell.slabs[:0]), generic28)
    with pytest.raises(InputError, match="must run through the whole period"):
        extract(with_box(replace(line, upper=(0.9 * line.upper[0], *line.upper[1:]))), generic28)


@needs_solver
def test_refusals_of_the_field_solver(generic28: Stack, make_cell: CellMaker) -> None:
    cell = make_cell(generic28, "S")
    line = cell.boxes[0]
    with pytest.raises(InputError, match="order must be 3 to 8"):
        extract(cell, generic28, order=12)
    other = replace(line, net="X", kind="tab", lower=(-0.1e-6, *line.lower[1:]), upper=(0.05e-6, *line.upper[1:]))
    rest = replace(line, kind="tab", lower=(0.06e-6, *line.lower[1:]))
    with pytest.raises(InputError, match="meet in the next period"):
        extract(replace(cell, boxes=(*cell.boxes[1:], other, rest)), generic28)
    with pytest.raises(InputError, match="no net 'BL9'; the nets are"):
        extract(cell, generic28, method="formula").coupling("BL9", "S")


def crossing(stack: Stack, rows: int, columns: int, pitch: float = 90e-9, width: float = 45e-9) -> CellGeometry:
    """Plain crossing lines, a period of `rows` x `columns`; nets R0, R1, ..., C0, C1, ..."""
    low, high = stack.metal("M2"), stack.metal("M3")
    period = (columns * pitch, rows * pitch)
    edge = 0.5 * (pitch - width)
    boxes = [
        Box(f"R{i}", "M2", "line", (0.0, y, low.bottom), (period[0], y + width, low.top))
        for i, y in enumerate(edge + pitch * np.arange(rows))
    ]
    boxes += [
        Box(f"C{i}", "M3", "line", (x, 0.0, high.bottom), (x + width, period[1], high.top))
        for i, x in enumerate(edge + pitch * np.arange(columns))
    ]
    floor, ceiling = stack.plane_floor("M2"), stack.plane_ceiling("M3")
    return CellGeometry("crossing", tuple(boxes), period, floor, ceiling, stack.slabs(floor, ceiling), rows, columns)


def test_a_short_period_is_its_supercell_repeated(generic28: Stack) -> None:
    # A period as short as its lines are high: an element that bridged it would meet its own copy.
    one = extract(crossing(generic28, 1, 1), generic28)
    four = extract(crossing(generic28, 2, 2), generic28)
    per_cell = sum(four.coupling(f"R{i}", f"C{j}") for i in range(2) for j in range(2)) / 4
    assert per_cell == pytest.approx(one.coupling("R0", "C0"), rel=2e-3)
    # Two cells long, each line between its two like neighbours: what one cell calls a line's coupling to itself.
    longer = extract(crossing(generic28, 1, 2), generic28)
    assert longer.coupling("C0", "C1") == pytest.approx(four.coupling("C0", "C1") / 2, rel=2e-3)


def test_a_resistor_plug_may_touch_what_it_joins_but_not_enter_it(generic28: Stack) -> None:
    cell = crossing(generic28, 1, 1)
    row, column = cell.boxes
    size = 45e-9
    plug = Box("P", "V2", "resistor", (*row_corner(cell, size), row.upper[2]), (67.5e-9, 67.5e-9, column.lower[2]))
    with_plug = replace(cell, boxes=(*cell.boxes, plug))
    assert with_plug.nets == cell.nets
    assert extract(with_plug, generic28, method="formula").coupling("R0", "C0") > 0
    with pytest.raises(InputError, match="touch and would be shorted"):
        replace(cell, boxes=(*cell.boxes, replace(plug, upper=(*plug.upper[:2], column.lower[2] + 1e-9))))
    with pytest.raises(InputError, match="touch and would be shorted"):
        replace(cell, boxes=(*cell.boxes, replace(plug, kind="via")))


def row_corner(cell: CellGeometry, size: float) -> tuple[float, float]:
    return (0.5 * (cell.period[0] - size), 0.5 * (cell.period[1] - size))
