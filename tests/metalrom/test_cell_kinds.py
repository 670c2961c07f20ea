"""Every cell kind through the front door: netlist of a cell, extraction, pictures; mappings that are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from interconnect.errors import InputError
from metalrom.api import Project, load
from metalrom.cli import project as commands
from metalrom.reports.geometry_views import cross_section, top_view
from tests.builders import write_config

KINDS = ["cap_present", "cap_select", "cap_ternary", "cap_tie"]
pytestmark = pytest.mark.usefixtures("quick_extraction")  # nothing here depends on the values


def config(tmp_path: Path, kind: str, group: str | int = 4, **sections: Any) -> Path:
    return write_config(
        tmp_path / "kinds.yaml", name="kinds", cell={"kind": kind}, array={"group_rows": group}, **sections
    )


def project(tmp_path: Path, kind: str, group: str | int = 4) -> Project:
    return load(config(tmp_path, kind, group))


@pytest.mark.parametrize("kind", KINDS)
def test_netlist_of_a_cell(kind: str, tmp_path: Path) -> None:
    text = str(project(tmp_path, kind).netlist("cell"))
    assert f"* Cell {kind} on M2-M3" in text
    subckts = {"cap_present": 2, "cap_select": 1, "cap_ternary": 3, "cap_tie": 3}[kind]
    assert text.count(".subckt") == text.count(".ends") == subckts


@pytest.mark.parametrize("kind", KINDS)
def test_extraction_command(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    project(tmp_path, kind)
    commands.extract_cell(tmp_path / "kinds.yaml", "auto", json=True)
    assert '"capacitance_F"' in capsys.readouterr().out


def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = write_config(tmp_path / "kinds.yaml", cell={"kind": "cap_ternary", "levels": 4})
    with pytest.raises(InputError, match=r"cell\.levels.*cap_ternary has no parameter"):
        _ = load(path).cell


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_of_the_cell(kind: str, tmp_path: Path) -> None:
    p = project(tmp_path, kind)
    for program in ((1,), (0,), (1, 0)):
        g = p.geometry(0, program)
        for svg in (top_view(g, bit=program[0]), cross_section(g, "x"), cross_section(g, "y")):
            ElementTree.fromstring(svg)  # noqa: S314 (our own text)
