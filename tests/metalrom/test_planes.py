"""Planes of a design with the rows of the planes above them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from interconnect.errors import InputError
from metalrom.api import Project, load
from metalrom.design.planes import plane_shifts, stacked_planes
from tests.builders import write_config

PROCEDURES = ["transfer", "mismatch", "adc_margin", "planes"]


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


def test_planes_are_extracted_only_where_the_procedure_is_asked_for(tmp_path: Path) -> None:
    pairs = [("M2", "M3"), ("M4", "M5")]
    assert project(tmp_path, pairs).setup(4).stacked == ()
    asked = project(tmp_path, pairs, characterization={"procedures": PROCEDURES}).setup(4)
    assert [p.label for p in asked.stacked] == ["M2-M3", "M4-M5"]


def test_cells_without_a_next_plane_have_no_stack(tmp_path: Path) -> None:
    assert stacked_planes(project(tmp_path, [("M2", "M3"), ("M4", "M5")], cell={"kind": "cap_present"})) == ()


def test_planes_of_unequal_pitch_are_refused_by_their_key(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="pitch"):
        stacked_planes(project(tmp_path, [("M8", "M9"), ("M10", "M11")]))
