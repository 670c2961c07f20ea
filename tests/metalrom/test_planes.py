"""Planes of a design with the rows of the planes above them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from interconnect.errors import InputError
from metalrom.api import Project, load
from metalrom.design.planes import plane_shifts, stacked_planes
from tests.builders import write_config


def project(path: Path, pairs: list[tuple[str, str]], **sections: Any) -> Project:
    cell = {"kind": "cap_balanced", **sections.pop("cell", {})}
    cell["planes"] = [{"row": row, "column": column} for row, column in pairs]
    found = load(write_config(path / "config.yaml", cell=cell, **sections))
    return Project(found.config, found.path, extraction="formula", source=found.source)


def test_neighbours_are_the_planes_on_the_next_metal(tmp_path: Path) -> None:
    design = project(tmp_path, [("M2", "M3"), ("M4", "M5"), ("M8", "M9")])
    found = stacked_planes(design)
    assert [(p.label, p.above) for p in found] == [("M2-M3", "M4-M5"), ("M4-M5", ""), ("M8-M9", "")]
    assert [p.model.has_next_plane for p in found] == [True, False, False]
    assert [(s.plane, s.above) for s in plane_shifts(design, 4)] == [("M2-M3", "M4-M5")]


def test_decks_hold_the_rows_of_the_next_plane(tmp_path: Path) -> None:
    found = project(tmp_path, [("M2", "M3"), ("M4", "M5")]).setup(4)
    assert [(p.label, p.above, p.position) for p in found.stacked] == [
        ("M2-M3", "M4-M5", "bottom"),
        ("M4-M5", "", "top"),
    ]
    assert found.model.has_next_plane
    assert found.model == found.stacked[0].model
    assert found.plane_labels == ("M2-M3", "M4-M5")


def test_one_plane_is_what_it_was(tmp_path: Path) -> None:
    design = project(tmp_path, [("M2", "M3")])
    found = design.setup(4)
    assert (found.stacked, found.plane_labels) == ((), ())
    assert found.model == design.models[0]


def test_planes_that_are_drawn_alike_share_an_entry(tmp_path: Path) -> None:
    pairs = [("M2", "M3"), ("M4", "M5"), ("M6", "M7"), ("M8", "M9")]
    found = project(tmp_path, pairs).setup(4).stacked
    # M2 to M9 of generic28 are alike; M10 over the top plane is not the rows of a plane.
    assert [(p.position, p.planes) for p in found] == [
        ("bottom and inner", ("M2-M3", "M4-M5", "M6-M7")),
        ("top", ("M8-M9",)),
    ]


def test_planes_of_unequal_pitch_are_read_beside_a_sheet(tmp_path: Path) -> None:
    pairs = [("metal2", "metal3"), ("metal4", "metal5")]  # metal4 needs twice the width of metal2
    found = project(tmp_path, pairs, technology={"stack": "open45"}).setup(4)
    assert [p.above for p in found.stacked] == ["", ""]
    assert not found.model.has_next_plane


def test_corners_of_the_metals_hold_the_next_planes_rows(tmp_path: Path) -> None:
    conditions = {"corners": ["tt"], "beol": ["nominal", "Cmax"]}
    found = project(tmp_path, [("M2", "M3"), ("M4", "M5")], conditions=conditions).setup(4)
    (corner,) = (m for _, m in found.metal_corners)
    assert corner.model.lines == found.model.lines
    assert corner.model.value("C_bl_u") != found.model.value("C_bl_u")


def test_cells_without_a_next_plane_have_no_stack(tmp_path: Path) -> None:
    assert stacked_planes(project(tmp_path, [("M2", "M3"), ("M4", "M5")], cell={"kind": "cap_present"})) == ()


def test_planes_of_unequal_pitch_are_refused_by_their_key(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="pitch"):
        stacked_planes(project(tmp_path, [("M8", "M9"), ("M10", "M11")]))
