"""`metalrom cells`: variants of a project, group sizes, and the page of given figures."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from interconnect.errors import InputError
from metalrom.api import load
from metalrom.cli.cells import cells, group_sizes
from metalrom.studies.cells.comparison import CellComparison, CellLevels, CellReading, CellsPage
from metalrom.studies.cells.page import write_page
from metalrom.studies.cells.show import LINES, cells_document, markdown
from metalrom.studies.cells.variants import variants
from tests.builders import write_config

PLANES = [{"row": "M2", "column": "M3"}, {"row": "M4", "column": "M5"}]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    cell = {"kind": "cap_select", "levels": 3, "row_pitch": "500nm", "planes": PLANES}
    return write_config(tmp_path / "c.yaml", name="kinds", cell=cell, readout={"double_sampling": True})


def reading(letter: str, kind: str, rows: int, levels: int, unit: str) -> CellReading:
    top = rows * (levels - 1)
    lsb = 2e-3 if unit == "V" else 1e-7
    three = (1.0, 2.0, 4.0)
    fact = CellComparison(
        letter=letter, kind=kind, title="a <cell>", rows=rows, levels=levels, unit=unit, area=5e-14,
        pitch=(2e-7, 2.5e-7), columns_per_weight=14, lsb=lsb, lsb_metal=lsb, swing=lsb * top, margin_lsb=0.4,
        margin_sigma=3.2, weakest=1, cell=0.1, switch=0.05, noise=0.06, pattern=0.01, converter=0.054,
        code_error=1e-4, code_error_common=None, csnr=None if letter == "B" else 31.5, csnr_fitted=33.0,
        gain_spread=0.01 if letter == "E" else None, energy_rows=1e-15, energy_reset=1e-16,
        energy_conversion=(1e-14, 2e-14, 4e-14), energy_mac=(1e-13, 2e-13, 4e-13), read_time=1e-9, settling=5e-11,
        density_cells=80.0, density_macro=three, weight_density=three, extraction="fieldsolver, error about 0.1 %",
    )  # fmt: skip
    count = np.arange(top + 1)
    levels_ = CellLevels(count, lsb * count, np.full(top + 1, 0.1 * lsb), lsb * count)
    return CellReading(fact, levels_, ("cell mismatch: 2.5 % (estimate; a & b)",))


@pytest.fixture
def page() -> CellsPage:
    kinds = (("B", "cap_balanced", 2, "V"), ("C", "res_via", 2, "A"), ("E", "cap_ternary", 3, "V"))
    found = [reading(letter, kind, rows, n, unit) for rows in (4, 8) for letter, kind, n, unit in kinds]
    return CellsPage(
        "kinds", "tt_1.00V_27C", "generic28", "a layer", "16 x 16 x 2 planes", tuple(found),
        ("A (cap_present), 4 rows: <no> room",), ("generic28: an estimate",), ("clock",), 10, 2, 1.5,
    )  # fmt: skip


def test_every_kind_once_and_all_else_the_same(config: Path) -> None:
    project = load(config)
    found = variants(project)
    assert [(v.letter, v.kind) for v in found] == [
        ("A", "cap_present"), ("B", "cap_balanced"), ("C", "res_via"), ("D", "cap_select"), ("E", "cap_ternary"),
        ("F", "cap_tie"),
    ]  # fmt: skip
    for v in found:
        assert v.planes == 2
        assert v.design.config.array == project.config.array
        assert v.design.config.readout.double_sampling == (v.kind != "res_via")
        assert len(v.design.conditions) == 1
        assert v.design.config.cell.row_pitch is None, "lengths of one kind need not suit another"
    assert found[3].design.config.cell.levels == 3


def test_group_sizes() -> None:
    assert group_sizes("64, 16,16", 384) == (16, 64)
    for text in ("", "3", "65", "a", "16;rm", "32"):
        with pytest.raises(InputError, match="--rows"):
            group_sizes(text, 16)


def test_a_bad_row_number_leaves_no_folder(config: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="group sizes"):
        cells(config, tmp_path / "out", "128", jobs=1, json=False)
    assert not (tmp_path / "out").exists()


def test_the_page_holds_every_figure(page: CellsPage, tmp_path: Path) -> None:
    written = write_page(page, tmp_path)
    assert {p.name for p in written} == {"cells.json", "cells.html", "levels_4.svg", "levels_8.svg", "summary.svg"}
    html = (tmp_path / "cells.html").read_text(encoding="utf-8")
    for word in (
        "a &lt;cell&gt;",
        "&lt;no&gt; room",
        "a &amp; b",
        "generic28: an estimate",
        "no error seen",
        "2\u00a0mV",
    ):
        assert word in html
    assert html.count("<svg") == 3
    assert "http://" not in html.replace("http://www.w3.org/", "")
    assert "<script" not in html
    for name in ("levels_4", "summary"):
        ElementTree.parse(tmp_path / f"{name}.svg")  # noqa: S314 (our own text)
    told = json.loads((tmp_path / "cells.json").read_text())
    assert told == json.loads(json.dumps(cells_document(page)))
    assert told["cells"][1]["unit"] == "A"
    assert told["cells"][0]["margin"] == pytest.approx(0.4 * 2e-3)  # margin_lsb times lsb


def test_every_line_has_a_source(page: CellsPage) -> None:
    assert {line.source for line in LINES} == {"ngspice", "linear", "model"}
    table = markdown(page, 4)
    assert len(table) == len(LINES) + 2
    assert len({line.count("|") for line in table}) == 1
