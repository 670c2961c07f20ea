"""Cells and technologies that the tests of this room share."""

from __future__ import annotations

import pytest

from netlists.cells import cap_balanced, res_via
from netlists.cells.base import CellModel, Element, Plane
from netlists.technology import Technology, load_technology
from tests.builders import make_model


@pytest.fixture(scope="session")
def technology() -> Technology:
    return load_technology("generic28", "open45")


@pytest.fixture(scope="session")
def cap_model() -> CellModel:
    """Round numbers of the size that field solution gives a 45 nm cell; the neighbour coupled 20 times stronger."""
    parts = {
        "bl_s": 1.8e-18,
        "bl_g": 1.9e-18,
        "bl_tab": 11.6e-18,
        "tab_bl": 0.9e-18,
        "bl_bl": 0.4e-18,
        "bl_gnd": 15.9e-18,
        "s_g": 37.0e-18,
        "s_gnd": 8.0e-18,
        "g_gnd": 8.1e-18,
        "tab_gnd": 15.6e-18,
    }
    elements = cap_balanced.build_elements(parts, r_row=1.6, r_gnd=1.7, r_bl=1.1, tcr_row=3.8e-3, tcr_bl=3.8e-3)
    return cap_balanced.build_balanced_model(
        elements,
        plane=Plane("M2", "M3"),
        pitch=(180e-9, 270e-9),
        reference_temperature=27.0,
        relative_error=3e-3,
        fit_residual=4e-5,
        method="fieldsolver",
    )


@pytest.fixture(scope="session")
def res_model() -> CellModel:
    wires = (
        Element("C_bl_s", "bl_in", "row_out", 2.0e-18, "bit line to row line"),
        Element("C_bl_gnd", "bl_in", "0", 2.1e-18, "bit line to neighbouring planes"),
        Element("C_bl_bl", "bl_in", "bl_next", 4.8e-18, "bit line to the next bit line"),
        Element("C_s_gnd", "row_out", "0", 2.1e-18, "row line to neighbouring planes"),
        Element("R_row", "row_in", "row_out", 1.5, "one segment of the row line", tcr=3.8e-3),
        Element("R_bl", "bl_in", "bl_out", 0.5, "one segment of the bit line", tcr=3.8e-3),
    )
    plug = Element("R_plug", "row_out", "bl_in", 2.0e5, "resistor plug", varies=True)
    return res_via.build_res_via_model(
        wires,
        plug,
        plane=Plane("M2", "M3"),
        pitch=(90e-9, 90e-9),
        reference_temperature=27.0,
        relative_error=3e-3,
        method="fieldsolver",
    )


@pytest.fixture(scope="session")
def charge_models() -> dict[str, CellModel]:
    """Every charge cell, `cap_select` with several numbers of levels."""
    models = {kind: make_model(kind) for kind in ("cap_present", "cap_balanced", "cap_ternary", "cap_tie")}
    return models | {f"cap_select{k}": make_model("cap_select", levels=k) for k in (2, 3, 4, 8)}
