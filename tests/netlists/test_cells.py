"""Geometry of the cells, their drawing rules, and the decomposition of extractions into pair capacitances."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from interconnect.errors import InputError
from interconnect.extraction import extract
from interconnect.stackfile import load_stack
from netlists.cells import CELLS, make_cell
from netlists.cells.base import CellModel, Plane
from netlists.cells.cap_balanced import CapBalanced, settled_voltage
from netlists.cells.res_via import ResVia
from netlists.parameters import describe_parameters

NM = 1e-9
PLANE = Plane("M2", "M3")
REFERENCE = {"row_pitch": 200 * NM, "column_pitch": 300 * NM, "row_width": 50 * NM, "column_width": 50 * NM}


@pytest.mark.parametrize("kind", CELLS)
def test_every_parameter_has_unit_and_meaning(kind: str) -> None:
    cls = CELLS[kind]
    assert [p.name for p in describe_parameters(cls)] == [f.name for f in fields(cls)]  # type: ignore[arg-type]
    assert all(p.description for p in describe_parameters(cls))


@pytest.mark.parametrize("stack", ["open45", "generic28"])
@pytest.mark.parametrize("kind", CELLS)
def test_defaults_fit_every_pair_of_metals(kind: str, stack: str) -> None:
    s = load_stack(stack)
    cell = make_cell(kind)
    for lower, upper in zip(s.metals[1:-2], s.metals[2:-1], strict=True):
        g = cell.geometry(s, Plane(lower.name, upper.name), (1, 0))
        assert g.columns == 2
        assert g.area == pytest.approx(g.period[0] * g.period[1] / 2)


def test_tab_belongs_to_the_line_its_via_ties_it_to() -> None:
    g = CapBalanced(**REFERENCE).geometry(load_stack("generic28"), PLANE, (1, 0))
    assert [b.net for b in g.boxes if b.kind == "tab"] == ["S", "G"]
    assert [b.net for b in g.boxes if b.kind == "via"] == ["S", "G"]
    assert g.nets == ("S", "G", "BL0", "BL1", "GND")
    assert g.area == pytest.approx(0.06e-12)  # 200 nm x 300 nm


def test_a_via_box_touches_its_line_and_its_tab() -> None:
    g = CapBalanced().geometry(load_stack("open45"), Plane("metal2", "metal3"), (1, 0))
    for via in (b for b in g.boxes if b.kind == "via"):
        for kind in ("line", "tab"):
            assert any(
                b.kind == kind
                and b.net == via.net
                and all(b.lower[i] <= via.lower[i] + 1e-15 and via.upper[i] <= b.upper[i] + 1e-15 for i in (0, 1))
                and (b.upper[2] == via.lower[2] or b.lower[2] == via.upper[2])
                for b in g.boxes
            )


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"row_width": 210 * NM}, "cell.row_width"),
        ({"row_width": 100 * NM}, "cell.row_width"),  # two lines of 100 nm fill the pitch of 200 nm
        ({"column_width": 120 * NM}, "cell.column_width"),
        ({"row_width": 20 * NM}, "cell.row_width"),
        ({"column_width": 20 * NM}, "cell.column_width"),
        ({"row_pitch": -200 * NM}, "cell.row_pitch"),
        ({"row_pitch": float("nan")}, "cell.row_pitch"),
        ({"row_pitch": 150 * NM}, "cell.row_pitch"),
        ({"column_pitch": 200 * NM}, "cell.column_pitch"),
        ({"tab_length": 190 * NM}, "cell.tab_length"),
        ({"tab_length": 100 * NM}, "cell.tab_length"),
    ],
)
def test_cap_geometry_refusals_name_the_key(change: dict[str, float], key: str) -> None:
    with pytest.raises(InputError) as caught:
        CapBalanced(**(REFERENCE | change)).geometry(load_stack("generic28"), PLANE, (1, 1))
    assert caught.value.where == key


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"row_width": 90 * NM, "row_pitch": 90 * NM}, "cell.row_width"),
        ({"column_width": 10 * NM}, "cell.column_width"),
        ({"row_pitch": 60 * NM}, "cell.row_pitch"),
        ({"column_pitch": -1.0}, "cell.column_pitch"),
    ],
)
def test_res_geometry_refusals_name_the_key(change: dict[str, float], key: str) -> None:
    with pytest.raises(InputError) as caught:
        ResVia(**change).geometry(load_stack("generic28"), PLANE, (1, 1))
    assert caught.value.where == key


@pytest.mark.parametrize("plane", [Plane("M2", "nosuch"), Plane("nosuch", "M3"), Plane("M2", "M4"), Plane("M3", "M2")])
def test_a_plane_the_stack_lacks_is_refused(plane: Plane) -> None:
    for kind in CELLS:
        with pytest.raises(InputError):
            make_cell(kind).geometry(load_stack("generic28"), plane, (1, 0))


@pytest.mark.parametrize("ohm", [5.0, 20.0, 99.9e3])
def test_a_plain_via_is_refused_with_the_reason(ohm: float) -> None:
    with pytest.raises(InputError, match=r"cell\.resistance.*tie their rows together.*sneak currents"):
        ResVia(resistance=ohm)


def test_unknown_kind_and_parameter_get_a_suggestion() -> None:
    with pytest.raises(InputError, match="did you mean 'cap_balanced'"):
        make_cell("cap_balance")
    with pytest.raises(InputError, match=r"cell\.row_pich.*did you mean 'row_pitch'"):
        make_cell("cap_balanced", {"row_pich": 1.0})


def test_decomposition_reproduces_the_field_solution() -> None:
    pytest.importorskip("ngsolve")
    stack = load_stack("generic28")
    cut = stack.via_between("M2", "M3")
    stack = replace(stack, vias=tuple(replace(v, size=50 * NM) if v is cut else v for v in stack.vias))
    cell = CapBalanced(**REFERENCE, tab_length=150 * NM)
    model = cell.model(stack, PLANE, extract)
    assert model.fit_residual < 1e-3
    off, neighbour = model.value("C_bl_s"), model.value("C_tab_bl")
    # 14.08 / 2.31 aF on and off, 33.3 aF in all: an independent periodic finite-element calculation (NGSolve,
    # order 4) of the same cross-section with a period of one column, where a 1 puts the neighbour's tab on the row.
    assert (off + model.switched + neighbour) * 1e18 == pytest.approx(14.08, rel=0.01)
    assert off * 1e18 == pytest.approx(2.31, rel=0.01)
    assert model.bl_total * 1e18 == pytest.approx(33.3, rel=0.01)
    # A program that the decomposition has not seen: 0 on the left, 1 on the right, by mirror symmetry of the bits.
    e = extract(cell.geometry(stack, PLANE, (0, 1)), stack)
    v = model.value
    assert e.coupling("BL1", "S") == pytest.approx(v("C_bl_s") + v("C_bl_tab"), rel=2e-3)
    assert e.coupling("BL0", "S") == pytest.approx(v("C_bl_s") + v("C_tab_bl"), rel=5e-2)
    assert e.total("BL0") == pytest.approx(model.bl_total, rel=2e-3)


def test_balanced_load_does_not_depend_on_the_bit(cap_model: CellModel) -> None:
    loads = [cap_model.capacitance("bl_in", b) for b in (0, 1)]
    assert loads[0] == pytest.approx(loads[1], rel=1e-12)
    assert cap_model.switched == pytest.approx(11.6e-18)
    # bl_s + bl_g + bl_tab + bl_gnd + 2 bl_bl + tab_bl
    assert cap_model.bl_total == pytest.approx((1.8 + 1.9 + 11.6 + 15.9 + 2 * 0.4 + 0.9) * 1e-18)


def test_resistances_follow_temperature(cap_model: CellModel) -> None:
    hot = cap_model.at(127.0)
    assert hot.value("R_bl") == pytest.approx(1.1 * (1 + 3.8e-3 * 100))
    assert hot.value("C_bl_tab") == cap_model.value("C_bl_tab")


def test_closed_form_of_a_single_cell() -> None:
    # One driven row of 10 aF against 20 aF: a third of the supply.
    assert settled_voltage(0.9, 10.0, 0.0, 10.0, 20.0, 1, 1, 1) == pytest.approx(0.3)
    assert np.isclose(settled_voltage(0.9, 10.0, 2.0, 12.0, 0.0, 2, 2, 1), 0.9 * (2 * 2 + 8) / 24)
