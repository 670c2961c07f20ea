"""Corners of the metals among the conditions: planned, labelled, refused, simulated, exported and read back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from characterization.column_testbench import ColumnTestbench, draw_pattern, stimulus_of
from characterization.procedures import with_requirements
from characterization.tables.content import header_of
from characterization.tables.formats import FORMATS
from characterization.tables.table import ReadoutTable
from characterization.testbench import Converter, MetalCorner, Testbench
from interconnect.errors import InputError
from interconnect.variation import cell_sigma_from_ler
from metalrom.api import Project, load
from metalrom.design.variation import configured_variation
from metalrom.macro.domain import characterized
from metalrom.run.characterize import measure_group
from metalrom.studies.accuracy.chips import find_condition
from netlists.condition import Condition
from netlists.reference import reference_column
from netlists.technology import load_technology
from ngspice_runner import Cache
from tests.builders import TT, make_model, make_readout_table, make_testbench, write_config

CMAX = Condition("tt", 1.0, 27.0, "Cmax")


NARROW = Path(__file__).parent / "narrow_stack.yaml"


def project(path: Path, **sections: Any) -> Project:
    given = {
        "array": {"columns": 32},
        "inputs": {"bits": 4},
        "conditions": {"corners": ["tt"], "beol": ["nominal", "cmax"]},
        "characterization": {"patterns": 1, "samples": 30, "samples_elsewhere": 10, "max_levels": 5},
    }
    return load(write_config(path / "c.yaml", name="corners", **{**given, **sections}))


def refusal(path: Path, **sections: Any) -> str:
    with pytest.raises(InputError) as caught:
        _ = project(path, **sections).conditions
    return str(caught.value)


def test_labels_of_nominal_metals_stay() -> None:
    assert TT.label == "tt_1.00V_27C"
    assert CMAX.label == "tt_Cmax_1.00V_27C"


def test_star_and_factorial(tmp_path: Path) -> None:
    lists = {"corners": ["tt", "ss"], "beol": ["nominal", "Cmax", "cmin"], "temperature": ["27degC", "85degC"]}
    star = project(tmp_path, conditions=lists).conditions
    assert [c.label for c in star] == [
        "tt_1.00V_27C", "ss_1.00V_27C", "tt_1.00V_85C", "tt_Cmax_1.00V_27C", "tt_Cmin_1.00V_27C",
    ]  # fmt: skip
    every = project(tmp_path, conditions={**lists, "factorial": True}).conditions
    assert len(set(every)) == 12
    assert every[0] == TT
    # without metals the order is what it always was: corners, supplies, temperatures
    plain = project(tmp_path, conditions={**lists, "beol": ["nominal"], "factorial": True}).conditions
    assert [c for c in every if c.beol == "nominal"] == list(plain)


def test_operating_points_are_counted_before_they_are_made(tmp_path: Path) -> None:
    lists = {
        "vdd": [f"{0.9 + 1e-4 * k:.4f}V" for k in range(2000)],
        "temperature": [f"{k / 10}degC" for k in range(999)],
    }
    assert len(project(tmp_path, conditions={"corners": ["tt"], **lists}).conditions) == 1 + 1999 + 998
    said = refusal(tmp_path, conditions={"corners": ["tt", "ss"], **lists, "factorial": True})
    assert "conditions: 3996000 operating points are more than 4096" in said


def test_what_cannot_be_is_refused_in_a_sentence(tmp_path: Path) -> None:
    def beol(*names: str) -> dict[str, Any]:
        return {"corners": ["tt"], "beol": list(names)}

    said = refusal(tmp_path, conditions=beol("nominal", "Cmox"))
    assert "conditions.beol" in said
    assert "has no corner 'Cmox'; it has nominal, Cmax" in said
    assert "twice (case does not matter)" in refusal(tmp_path, conditions=beol("nominal", "Cmax", "cmax"))
    assert "must begin with nominal" in refusal(tmp_path, conditions=beol("Cmax"))
    said = refusal(tmp_path, technology={"beol": "Cmin"}, conditions=beol("nominal", "Cmax"))
    assert "technology.beol fixes the whole run at Cmin" in said
    specs = ["code_error < 1 at tt_Cmix_1.00V_27C"]
    with pytest.raises(InputError, match=r"is not characterized; did you mean 'tt_Cmax_1\.00V_27C'"):
        project(tmp_path, specs=specs)


def test_cell_sigma_by_the_stack(tmp_path: Path) -> None:
    shape = {"row_pitch": "200nm", "column_pitch": "300nm", "row_width": "50nm", "column_width": "50nm"}
    cell = {**shape, "tab_length": "150nm"}
    found = configured_variation(project(tmp_path, cell=cell, variation={"cell_sigma": "auto"}))
    # generic28: 1.67 nm roughness, correlation 25 nm, on the gap of 50 nm (a third of the pitch less the line)
    assert found.cell_sigma == pytest.approx(cell_sigma_from_ler(150e-9, 50e-9, 1.67e-9, 25e-9), rel=1e-9)
    assert "area law" in found.source
    resistor = {"kind": "res_via", "resistance": "1Mohm"}
    with pytest.raises(InputError, match="cell_sigma is auto, but the technology has no mismatch law for the varying"):
        configured_variation(project(tmp_path, cell=resistor, variation={"cell_sigma": "auto"}))
    with pytest.raises(InputError, match="cell_sigma is not stated, but the technology has no mismatch law"):
        configured_variation(project(tmp_path, cell=resistor, variation={}))
    stated = configured_variation(project(tmp_path, cell=resistor, variation={"cell_sigma": 0.04}))
    assert (stated.cell_sigma, "names no source" in stated.source) == (0.04, True)
    with pytest.raises(InputError, match="leave `source` out"):
        project(tmp_path, variation={"cell_sigma": "auto", "source": "mine"})


def test_mismatch_that_is_not_stated_is_that_of_the_drawn_cell(tmp_path: Path) -> None:
    shape = {"row_pitch": "80nm", "column_pitch": "120nm", "row_width": "20nm", "column_width": "20nm"}
    cell = {"kind": "cap_balanced", **shape, "planes": [{"row": "M2", "column": "M3"}]}
    found = configured_variation(project(tmp_path, cell=cell, technology={"stack": str(NARROW), "devices": "open45"}))
    # By hand: gap 120/3 - 20 = 20 nm, tab 80 - 20 = 60 nm, L/l = 2.4, averaging 2/2.4 (1 - (1 - exp(-2.4))/2.4) =
    # .5177, sqrt(2 * .5177) * 1.67 / 20 = 8.50 %.
    assert found.cell_sigma == pytest.approx(0.0850, abs=5e-5)
    assert "on a gap of 20 nm over 60 nm" in found.source
    # The area law of capacitors, extrapolated: .020 um / sqrt(.060 um * .036 um) = 43.0 %.
    assert found.text == "8.5 % per cell, 8.5 to 43 % between the roughness law and the area law"
    assert found.band == pytest.approx((0.0850, 0.4303), abs=1e-4)
    for kind, lines in (("cap_present", "300nm"), ("cap_ternary", "300nm")):
        drawn = {"kind": kind, "row_pitch": lines, "column_pitch": "360nm"}
        design = project(tmp_path, cell=drawn)
        coupling = design.cell.lengths(design.stack, design.planes[0]).coupling
        law = cell_sigma_from_ler(coupling.length, coupling.gap, 1.67e-9, 25e-9)
        assert configured_variation(design).cell_sigma == pytest.approx(law, rel=1e-9)


@pytest.mark.slow
def test_a_project_extracts_every_metal_corner(tmp_path: Path) -> None:
    setup = project(tmp_path).setup(4)
    ((name, there),) = setup.metal_corners
    assert (name, there.technology.name) == ("Cmax", "generic28 at Cmax with open45 devices")
    # wider and thicker lines, thinner dielectric, higher k: more capacitance, less resistance
    assert there.model.bl_total > 1.1 * setup.model.bl_total
    assert there.model.value("R_bl") < setup.model.value("R_bl")
    assert project(tmp_path).setup(4, nominal_only=True).metal_corners == ()


@pytest.fixture(scope="module")
def setup() -> Testbench:
    """Four rows at both corners of the metals, values by formula."""
    there = load_technology("generic28", "open45").at_metal_corner("Cmax")
    return make_testbench(
        conditions=(TT, CMAX),
        converter=Converter(0.05, 0.02, 5e-9, 20e-15),
        patterns=1,
        samples=10,
        max_levels=5,
        metal_corners=(("Cmax", MetalCorner(there, make_model("cap_balanced", there.stack))),),
    )


@pytest.mark.ngspice
def test_levels_are_those_of_the_metals_of_their_condition(setup: Testbench, tmp_path: Path) -> None:
    there = setup.at(CMAX)
    # Cmax of generic28: wider and thicker lines, thinner dielectric, higher k: more capacitance
    assert there.model.bl_total > 1.1 * setup.model.bl_total
    assert setup.at(TT) is setup
    ideal = replace(setup.periphery, kind="ideal")
    case = stimulus_of(setup, draw_pattern(setup, "random0", 4, 2))
    with Cache(tmp_path / "cache") as cache:
        bench = ColumnTestbench(setup, cache=cache)
        levels = bench.levels("x", [bench.deck(c, case, periphery=ideal) for c in (TT, CMAX)])
        # the exact network of the cell extracted at that corner, solved without ngspice
        exact = [reference_column(m, ideal, TT, case).value for m in (setup.model, there.model)]
        np.testing.assert_allclose(levels, exact, rtol=1e-6)
        assert abs(levels[1] / levels[0] - 1) > 1e-3
        with pytest.raises(InputError, match="no cell at the metal corner Rmax"):
            bench.deck(replace(TT, beol="Rmax"), case)


@pytest.mark.ngspice
def test_a_staged_campaign_over_metals(setup: Testbench, tmp_path: Path) -> None:
    setup = replace(setup, worst_conditions=1, worst_samples=12)
    procedures = with_requirements(("adc_margin", "leakage"))
    said: list[str] = []
    with Cache(tmp_path / "cache") as cache:
        done = measure_group(setup, procedures, cache, announce=said.append)
        again = measure_group(setup, procedures, cache)
        first = measure_group(replace(setup, worst_conditions=0), procedures, cache)
        alone = measure_group(replace(setup, conditions=(TT,), worst_conditions=0), procedures, cache)
    assert done.table.conditions == (TT, CMAX)
    # the second stage chose one condition: 12 draws there, ten elsewhere
    (chosen,) = done.counts.refined
    assert chosen in (TT.label, CMAX.label)
    draws = {m.condition: m.samples for m in done.mismatch.models}
    assert draws == {TT: 12 if chosen == TT.label else 10, CMAX: 12 if chosen == CMAX.label else 10}
    assert any(chosen in text and "smallest margins" in text for text in said)
    assert (again.simulated, again.cached) == (0, done.simulated + done.cached)
    assert again.data.to_csv() == done.data.to_csv()
    # the nominal condition comes out to the last bit as if no other metals had been asked for
    assert alone.simulated == 0
    for name in ("level", "sigma_static", "sigma_noise", "sigma_pattern", "row_energy"):
        np.testing.assert_array_equal(getattr(alone.table, name)[0], getattr(first.table, name)[0])
    assert {s.condition for s in done.results["leakage"].states} == {TT.label, CMAX.label}


def table_with_metals() -> ReadoutTable:
    """SYNTHETIC levels at three conditions."""
    conditions = (TT, CMAX, Condition("tt", 0.9, 85.0, "C_best"))
    return make_readout_table(
        4, conditions, step=0.02, sigma_static=1e-3, sigma_noise=1e-3, sigma_pattern=1e-3, row_energy=1.0
    )


@pytest.mark.parametrize("name", FORMATS)
def test_tables_keep_their_metals(name: str, tmp_path: Path) -> None:
    table = table_with_metals()
    FORMATS[name].write(table, tmp_path)
    assert FORMATS[name].read(tmp_path).conditions == table.conditions
    assert FORMATS[name].check(table, tmp_path).values > 0


def test_headers_without_metals_stay() -> None:
    table = table_with_metals()
    first, second, _ = header_of(table)["conditions"]
    assert first == {"corner": "tt", "vdd_V": 1.0, "temperature_C": 27.0}
    assert second == {**first, "beol": "Cmax"}


def test_conditions_are_found_by_label_and_nearness() -> None:
    table = table_with_metals()
    assert find_condition(table, CMAX.label, nearest=False)[0] == CMAX
    near, warnings = find_condition(table, "tt_Cmax_0.95V_30C", nearest=True)
    assert near == CMAX
    assert "OUTSIDE THE DOMAIN" in warnings[0]
    assert find_condition(table, "tt_C_best_1.00V_27C", nearest=True)[0].beol == "C_best"
    with pytest.raises(InputError, match="was not characterized"):
        find_condition(table, "tt_Rmax_1.00V_27C", nearest=True)
    found, told = characterized(table, replace(CMAX, vdd=1.1), outside_domain=True)
    assert found == CMAX
    assert told is not None
    with pytest.raises(InputError, match="process corner tt with metals at Rmax was not characterized"):
        characterized(table, replace(TT, beol="Rmax"), outside_domain=True)
