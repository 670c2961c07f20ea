"""Planes of a resistive macro that share what reads them: configuration, areas, times."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from interconnect import extraction
from interconnect.errors import InputError
from metalrom.api import load
from metalrom.design.design import Design
from metalrom.macro import synthetic_table
from metalrom.macro.cost import area_components
from metalrom.macro.estimate import estimate_macro
from metalrom.run.evaluate import macro_geometry
from tests.builders import write_config

PLANES = [{"row": f"M{2 * k}", "column": f"M{2 * k + 1}"} for k in range(1, 5)]


@pytest.fixture(autouse=True)
def formulas(monkeypatch: pytest.MonkeyPatch) -> None:
    """Closed formulas instead of the field solver: what is measured does not matter here."""
    monkeypatch.setattr(Design, "extract", lambda d, g, method="auto": extraction.extract(g, d.stack, "formula"))


def design(folder: Path, cell_kind: str = "res_via", **select: Any) -> Design:
    cell = {"kind": cell_kind, "planes": PLANES}
    readout = {"plane_select": select} if select else {}
    array = {"columns_per_adc": 4}
    return load(write_config(folder / "shared.yaml", cell=cell, array=array, readout={"kind": "ideal", **readout}))


def test_what_is_shared_is_there_once(tmp_path: Path) -> None:
    """Four planes: converters, logic and drivers are a quarter, planes take turns, and every plane keeps a select."""
    apart, two, four = (macro_geometry(design(tmp_path, planes_shared=n), 4) for n in (1, 2, 4))
    a, b, c = (area_components(g) for g in (apart, two, four))
    for name in ("adc", "shift_add", "row_drivers"):
        assert a[name].value.mid == pytest.approx(4 * c[name].value.mid)
        assert b[name].value.mid == pytest.approx(2 * c[name].value.mid)
    assert b["current_sense"].value.mid == pytest.approx(2 * c["current_sense"].value.mid)
    assert "current_sense" not in a
    assert a["via_towers"].value.mid == c["via_towers"].value.mid
    # four NMOS of one finger that end on one net: two strips of two, (4 + 2) pitches x half of a row of 1.4 um
    assert c["lcc_reset"].value.mid == pytest.approx(4 * 16 * 6 * 190e-9 * 0.7e-6)
    table = synthetic_table(4, sigma_noise=0.1)
    slow, fast = (estimate_macro(g, table, table.conditions[0]).latency.mid for g in (four, apart))
    assert slow == pytest.approx(4 * fast)


def test_nothing_is_shared_by_default(tmp_path: Path) -> None:
    plain, explicit = design(tmp_path), design(tmp_path, planes_shared=1)
    assert plain.periphery.plane_select is None
    assert macro_geometry(plain, 4) == macro_geometry(explicit, 4)


def test_a_group_knows_the_segments_on_its_sense_node(tmp_path: Path) -> None:
    found = design(tmp_path, planes_shared=2, width="0.3um", kind="transmission")
    select = found.setup(8, nominal_only=True).periphery.plane_select
    assert select is not None
    assert (select.planes, select.segments, select.kind) == (2, 2, "transmission")
    assert select.width == pytest.approx(0.3e-6)


@pytest.mark.parametrize(
    ("kind", "select", "message"),
    [
        ("res_via", {"planes_shared": 3}, "plane_select.planes_shared: 3 does not divide 4 planes"),
        ("res_via", {"width": "1um"}, "plane_select.width: every plane has a sense circuit of its own"),
        ("cap_balanced", {"planes_shared": 2}, "the cell cap_balanced is read by its charge"),
        ("res_via", {"planes_shared": 2, "clamp": 1}, "unknown key 'clamp'"),
    ],
)
def test_what_cannot_be_shared_is_refused(tmp_path: Path, kind: str, select: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        _ = design(tmp_path, kind, **select).periphery
