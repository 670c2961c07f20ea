"""The next plane's rows over a bit line: extraction against finite differences, decks against the linear network."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from scipy.sparse import coo_matrix, diags
from scipy.sparse.linalg import cg

from interconnect import extract, fieldsolver
from interconnect.errors import InputError, UnsupportedCell
from interconnect.geometry import CellGeometry
from interconnect.stack import Stack
from interconnect.stackfile import load_stack
from netlists.case import ColumnStimulus
from netlists.cells.base import GROUND_LINE, SIGNAL, CellModel, Plane
from netlists.cells.cap_balanced import CapBalanced
from netlists.column import column_deck
from netlists.column_elements import drivers
from netlists.condition import Condition
from netlists.equivalent import equivalent_case
from netlists.next_plane import next_plane_shift
from netlists.periphery import Periphery, Timing
from netlists.readout.chain import ReadoutChain
from netlists.reference import reference_column
from netlists.technology import Technology
from ngspice_runner import Job, run

PLANE, ABOVE = Plane("M2", "M3"), Plane("M4", "M5")
CELL = CapBalanced(row_pitch=200e-9, column_pitch=300e-9, row_width=50e-9, column_width=50e-9, tab_length=150e-9)


@pytest.fixture(scope="module")
def stack() -> Stack:
    return load_stack("generic28")


@pytest.fixture(scope="module")
def model(stack: Stack) -> CellModel:
    return CELL.model(stack, PLANE, partial(extract, method="formula"), ABOVE)


def finite_differences(cell: CellGeometry, net: str, cells: int) -> dict[str, float]:
    """Couplings (F) of a net by seven-point differences, `cells` to 50 nm; one permittivity, periodic in x and y."""
    step = 50e-9 / cells
    edges = sorted({cell.floor, cell.ceiling, *(v for b in cell.boxes for v in (b.lower[2], b.upper[2]))})
    z = np.concatenate(
        [[cell.floor]] + [np.linspace(a, b, max(1, round((b - a) / step)) + 1)[1:] for a, b in pairwise(edges)]
    )
    x, y = (np.arange(round(length / step)) * step for length in cell.period)
    shape = (len(x), len(y), len(z))
    owner = np.full(shape, -1)
    owner[:, :, [0, -1]] = cell.nets.index("GND")
    for box in cell.boxes:
        on = [(a > lo - 1e-12) & (a < hi + 1e-12) for a, lo, hi in zip((x, y, z), box.lower, box.upper, strict=True)]
        owner[np.ix_(*on)] = cell.nets.index(box.net)
    k = cell.slabs[0].k * fieldsolver.EPSILON_0
    index, height = np.arange(owner.size).reshape(shape), np.diff(z)
    share = np.append(height, 0.0) / 2 + np.insert(height, 0, 0.0) / 2
    side = np.broadcast_to(k * share, shape).ravel()
    a = np.concatenate([index.ravel(), index.ravel(), index[:, :, :-1].ravel()])
    b = np.concatenate([np.roll(index, -1, 0).ravel(), np.roll(index, -1, 1).ravel(), index[:, :, 1:].ravel()])
    up = np.broadcast_to(k * step**2 / height, (*shape[:2], len(height))).ravel()
    g = np.concatenate([side, side, up])
    rows, columns = np.concatenate([a, b, a, b]), np.concatenate([a, b, b, a])
    stiffness: Any = coo_matrix((np.concatenate([g, g, -g, -g]), (rows, columns))).tocsr()
    flat = owner.ravel()
    free, potential = np.flatnonzero(flat < 0), (flat == cell.nets.index(net)).astype(float)
    inner = stiffness[free][:, free]
    solved, failed = cg(inner, -(stiffness @ potential)[free], rtol=1e-9, M=diags(1.0 / inner.diagonal()))
    assert failed == 0
    potential[free] = solved
    charge = stiffness @ potential
    return {name: float(-charge[flat == i].sum()) for i, name in enumerate(cell.nets)}


def extrapolated_differences(cell: CellGeometry, net: str) -> dict[str, float]:
    """`finite_differences` of two grids, extrapolated: at 90 degree edges they converge as h^(4/3)."""
    coarse, fine = (finite_differences(cell, net, n) for n in (4, 8))
    ratio = 2.0 ** (-4.0 / 3.0)
    return {name: (fine[name] - ratio * coarse[name]) / (1.0 - ratio) for name in fine}


def test_two_planes_meet_finite_differences_within_two_percent(stack: Stack) -> None:
    cell = CELL.geometry(stack, PLANE, (1,), ABOVE)
    assert cell.nets == ("S", "G", "BL0", "NEXT_S", "NEXT_G", "GND")
    assert {s.k for s in cell.slabs} == {2.7}
    solution = fieldsolver.solve_cell(cell, order=4)
    expected = extrapolated_differences(cell, "BL0")
    for net in ("S", "G", "NEXT_S", "NEXT_G"):
        ours = -solution.capacitance[cell.nets.index("BL0"), cell.nets.index(net)]
        assert ours == pytest.approx(expected[net], rel=0.02)
    # An independent solution of two planes found 2.4900 aF to the signal and 2.4908 aF to the ground line.
    assert -solution.capacitance[2, 3] == pytest.approx(2.490e-18, rel=0.02)
    # What tells the two lines apart is the cut under the tab, on the far side of the tab.
    assert expected["NEXT_S"] == pytest.approx(expected["NEXT_G"], rel=1e-4)


def test_the_shift_is_the_ratio_of_the_couplings(model: CellModel) -> None:
    found = next_plane_shift(model, ABOVE.label, Periphery(kind="ideal"), 6)
    # Charge balance: a row of the next plane puts C(BL, U) V on the line, a count C(BL, tab) V.
    assert found.single == pytest.approx(model.value("C_bl_u") / model.value("C_bl_tab"), rel=2e-3)
    assert found.coupling_signal == model.value("C_bl_u")
    assert found.worst_single == pytest.approx(6 * found.single)
    # Lines of one width lie alike over the bit line: the complement takes back what the signal gives.
    assert abs(found.worst_complement) < 1e-9
    assert model.value("C_bl_u") == model.value("C_bl_v")


def test_driven_rows_of_the_next_plane_move_the_level(model: CellModel) -> None:
    rows, above = 4, np.array([1, 0, 1, 1], dtype=np.uint8)
    condition, periphery = Condition("tt", 1.0, 27.0), Periphery(kind="ideal", sense_capacitance=0.0)
    case = ColumnStimulus(bits=np.zeros((rows, 3), np.uint8), inputs=np.zeros(rows, np.uint8))
    driven = ColumnStimulus(bits=case.bits, inputs=case.inputs, next_plane=above)
    quiet, moved = (reference_column(model, periphery, condition, c).value for c in (case, driven))
    # Neighbouring bit lines float along, which the closed divider leaves out: 1e-3.
    expected = 3 * model.value("C_bl_u") / (rows * model.bl_total)
    assert quiet == 0.0
    assert moved == pytest.approx(expected, rel=5e-3)
    active = [d.active for d in drivers(model, driven) if d.name.endswith("_u")]
    assert active == [True, False, True, True]
    assert not any(d.active for d in drivers(model, driven) if not d.name.endswith("_u"))


def test_the_deck_drives_both_planes(model: CellModel, technology: Technology) -> None:
    rng = np.random.default_rng(4)
    bits, inputs, above = rng.integers(0, 2, (5, 3)), rng.integers(0, 2, 5), rng.integers(0, 2, 5)
    case = ColumnStimulus(bits=bits, inputs=inputs, next_plane=above, position=2, columns_total=7)
    condition, periphery = Condition("tt", 1.0, 27.0), Periphery(kind="ideal")
    deck = column_deck(technology, model, periphery, Timing(), condition, case)
    result = run(Job(text=deck.text, outputs=deck.outputs, stop=deck.stop))
    assert result.ok, result.log
    found = deck.levels({name: result.signals[name].values for name in deck.columns})[:, -1]
    exact = reference_column(model, periphery, condition, case).columns
    np.testing.assert_allclose(found, exact, rtol=0, atol=1e-6)  # V, of 1 V


def test_the_model_without_the_next_plane_is_what_it_was(stack: Stack) -> None:
    alone = CELL.model(stack, PLANE, partial(extract, method="formula"))
    assert alone.lines == (SIGNAL, GROUND_LINE)
    assert not alone.has_next_plane
    with pytest.raises(UnsupportedCell, match="no lines of the next plane"):
        next_plane_shift(alone, ABOVE.label, Periphery(kind="ideal"), 4)
    case = ColumnStimulus(
        bits=np.zeros((1, 1), np.uint8), inputs=np.zeros(1, np.uint8), next_plane=np.ones(1, np.uint8)
    )
    with pytest.raises(InputError, match="does not hold"):
        reference_column(alone, Periphery(kind="ideal"), Condition("tt", 1.0, 27.0), case)


def test_planes_of_different_pitch_are_refused(stack: Stack) -> None:
    with pytest.raises(InputError, match="pitch"):
        CapBalanced().geometry(stack, Plane("M8", "M9"), (1,), Plane("M10", "M11"))


@pytest.mark.parametrize("complement", [False, True])
def test_rows_of_the_next_plane_follow_the_inputs_unless_said_otherwise(model: CellModel, complement: bool) -> None:
    rng = np.random.default_rng(8)
    driven = model.complement_driven() if complement else model
    condition, periphery = Condition("tt", 1.0, 27.0), Periphery(kind="ideal")
    case = ColumnStimulus(bits=rng.integers(0, 2, (6, 3)), inputs=np.array([1, 1, 0, 1, 0, 1]))
    same = replace(case, next_plane=case.inputs)
    rest = replace(case, next_plane=np.zeros(6, np.uint8))
    values = [reference_column(driven, periphery, condition, c).value for c in (case, same, rest)]
    assert values[0] == values[1]
    # Charge balance: each of the four rows above adds C(BL, U) V, and with the complement takes back C(BL, V) V.
    shift = 0.0 if complement else 4 * model.value("C_bl_u") / (6 * model.bl_total + periphery.sense_capacitance)
    assert values[0] - values[2] == pytest.approx(shift, rel=5e-3, abs=1e-6)
    closed = reference_column(driven, periphery, condition, case).closed_form
    assert closed == pytest.approx(values[0], rel=5e-3)


@pytest.mark.parametrize("follow", [True, False])
def test_idle_rows_of_both_planes_are_merged(model: CellModel, follow: bool) -> None:
    rng = np.random.default_rng(9)
    inputs = (np.arange(24) % 4 == 0).astype(np.uint8)
    above = None if follow else (np.arange(24) % 6 == 0).astype(np.uint8)
    case = ColumnStimulus(bits=rng.integers(0, 2, (24, 3)), inputs=inputs, next_plane=above)
    short_model, short = equivalent_case(model, case, where="merged")
    assert short.rows == int((inputs | (inputs if above is None else above)).sum()) + 1
    condition, periphery = Condition("tt", 1.0, 27.0), Periphery(kind="ideal")
    whole = reference_column(model, periphery, condition, case).columns
    found = reference_column(short_model, periphery, condition, short).columns
    np.testing.assert_allclose(found, whole, rtol=1e-9)  # idle lines end at 0 V: lumping is exact


def driver_calls(technology: Technology, model: CellModel, case: ColumnStimulus) -> dict[str, list[str]]:
    chain = ReadoutChain() if any(line.level < 0 for line in model.lines) else None
    condition, periphery = Condition("tt", 1.0, 27.0), Periphery(sense_capacitance=1e-16)
    text = column_deck(technology, model, periphery, Timing(), condition, case, chain=chain).text
    lines = [line.split() for line in text.splitlines() if line[:8] in ("X_drive_", "E_drive_")]
    return {words[0]: words[1:] for words in lines}


def test_lines_of_the_next_plane_copy_the_planes_own(model: CellModel, technology: Technology) -> None:
    case = ColumnStimulus(bits=np.ones((4, 3), np.uint8), inputs=np.array([0, 1, 0, 1], np.uint8))
    single = driver_calls(technology, model, case)
    # One node for the rows of each input: rows 0 and 2 rest at 0 V, rows 1 and 3 follow the first driven signal line.
    assert {name: words for name, words in single.items() if name.endswith("_u")} == {
        "E_drive_0_u": ["u0", "0", "vdd_next", "0", "0.0e+00"],
        "E_drive_1_u": ["u1", "0", "s1_0", "0", "1.0e+00"],
    }
    complement = driver_calls(technology, model.complement_driven(), case)
    # A complement line is high while its input is 0, and falls as the plane's own one does.
    assert {name: words for name, words in complement.items() if name.endswith("_v")} == {
        "E_drive_0_v": ["v0", "0", "vdd_next", "0", "1.0e+00"],
        "E_drive_1_v": ["v1", "0", "g1_0", "0", "1.0e+00"],
    }


def test_rows_above_that_move_alone_have_a_driver_and_a_supply(model: CellModel, technology: Technology) -> None:
    case = ColumnStimulus(
        bits=np.ones((2, 3), np.uint8), inputs=np.zeros(2, np.uint8), next_plane=np.array([1, 0], np.uint8)
    )
    found = driver_calls(technology, model, case)
    assert found["X_drive_0_u"] == ["active_next", "u0", "vdd_next", "0", "row_driver"]
    assert found["X_drive_0"][:3] == ["idle", "s0_0", "vdd_rows"]
