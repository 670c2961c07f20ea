"""Columns and planes of a design that meet on a line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from interconnect import extraction
from interconnect.errors import InputError
from metalrom.api import load
from metalrom.design.design import Design
from metalrom.design.readout import configured_chain
from netlists.readout.chain import ReadoutChain

CELL = {
    "kind": "cap_balanced", "row_pitch": "200nm", "column_pitch": "300nm", "row_width": "50nm", "column_width": "50nm",
    "tab_length": "150nm", "planes": [{"row": f"M{2 * k}", "column": f"M{2 * k + 1}"} for k in range(1, 5)],
}  # fmt: skip


@pytest.fixture(autouse=True)
def formulas(monkeypatch: pytest.MonkeyPatch) -> None:
    """Closed formulas instead of the field solver: what is measured does not matter here."""
    monkeypatch.setattr(Design, "extract", lambda d, g, method="auto": extraction.extract(g, d.stack, "formula"))


def chain(folder: Path, line: dict[str, Any], **array: int) -> ReadoutChain:
    path = folder / "shared.yaml"
    text = {
        "name": "shared",
        "technology": {"stack": "generic28", "devices": "open45"},
        "cell": CELL,
        "array": {"rows": 64, "columns": 64, "group_rows": 8, "columns_per_adc": 16} | array,
        "weights": {"random": [64, 16], "bits": 4},
        "readout": {"kind": "chain", "line": line},
    }
    path.write_text(yaml.safe_dump(text))
    found, _ = configured_chain(load(path), 8)
    assert found is not None
    return found


def test_a_bus_has_as_many_lines_as_its_columns_need(tmp_path: Path) -> None:
    """16 columns a converter, two on a line: eight lines, on a bus that crosses all 16 columns; a line serves all four
    planes unless they are kept apart."""
    one, two = chain(tmp_path, {}), chain(tmp_path, {"columns": 2})
    assert (one.line.planes, one.line.columns, one.line.bit_lines, one.bus.columns) == (4, 1, 4, 16)
    assert (two.line.planes, two.line.columns, two.line.bit_lines, two.bus.columns) == (4, 2, 8, 8)
    assert one.bus.wire_capacitance == pytest.approx(two.bus.wire_capacitance)
    assert one.bus_columns == two.bus_columns == 16
    assert chain(tmp_path, {"planes_shared": 1, "capacitance": "15fF", "resistance": "200ohm"}).line.bit_lines == 1


def test_lines_of_several_planes_lie_side_by_side(tmp_path: Path) -> None:
    """M1 and M10 are beside the planes: 90 + 90 nm of M10 do not fit twice into 300 nm, 45 + 45 nm of M1 do."""
    two = chain(tmp_path, {"planes_shared": 2})
    one = chain(tmp_path, {})
    assert two.line.resistance != one.line.resistance
    with pytest.raises(InputError, match="no metal beside the planes for 4 lines per column of 300 nm"):
        chain(tmp_path, {"planes_shared": 1})


@pytest.mark.parametrize(
    ("line", "array", "message"),
    [
        ({"planes_shared": 3}, {}, "line.planes_shared: 3 does not divide 4 planes"),
        ({"columns": 3}, {}, "array.columns: 3 columns are on one line"),
        ({"columns": 2}, {"columns_per_adc": 5}, "array.columns_per_adc: 2 columns are on one line"),
        ({"columns": 0}, {}, "readout.line.columns"),
    ],
)
def test_what_cannot_be_shared_is_refused(tmp_path: Path, line: Any, array: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        chain(tmp_path, line, **array)
