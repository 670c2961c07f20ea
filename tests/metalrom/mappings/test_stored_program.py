"""The program that a run keeps: read back as it was, and drawn symbol by symbol for every kind of cell."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from interconnect.errors import DamagedFile
from interconnect.stackfile import load_stack
from metalrom.api import load
from metalrom.cli.main import app
from metalrom.drawing.palette import PAINT, role
from metalrom.reports.content import TileTop
from metalrom.reports.stack_view import stack_picture
from metalrom.reports.tile_view import tile_top
from metalrom.run.folder import open_run
from metalrom.run.stored_program import PROGRAM, parse_stored_program, write_stored_program
from netlists.cells import make_cell
from netlists.cells.base import Plane
from netlists.mapping import via_program

HERE = Path(__file__).resolve().parent

KINDS = {
    "cap_present": (0, 1),
    "cap_balanced": (0, 1),
    "res_via": (0, 1),
    "cap_select": (0, 1, 2, 3),
    "cap_ternary": (0, 1, -1),
    "cap_tie": (0, 1, -1),
}
"""Built-in cells with what their symbols count."""


def drawn_cells(svg: str, symbol: int, fill: str) -> int:
    """Shapes of one colour that the picture holds for one symbol."""
    paths = re.findall(rf'<path d="([^"]*)" fill="{fill}" data-symbol="{symbol}"', svg)
    return sum(path.count("M") for path in paths)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_cell_draws_its_own_symbols(kind: str) -> None:
    values = KINDS[kind]
    weights = np.random.default_rng(4).integers(-7, 8, (16, 4))
    program = via_program(weights, 4, symbol_values=values)
    cells = [make_cell(kind).geometry(load_stack("generic28"), Plane("M2", "M3"), (s,)) for s in range(len(values))]
    outputs = tuple(int(k) for k in program.weight_column)
    svg = tile_top(cells, TileTop(program.bits, outputs, 4, "tile"), values)
    assert set(np.unique(program.bits)) == set(range(len(values)))
    for symbol, (cell, value) in enumerate(zip(cells, values, strict=True)):
        held = int((program.bits == symbol).sum())
        for drawn in ("via", "via0", "resistor"):
            # one shape for every such box in every cell that holds the symbol
            boxes = sum(role(box, value) == drawn for box in cell.boxes)
            assert drawn_cells(svg, symbol, PAINT[drawn].fill) == boxes * held
    # what stores a symbol lies in another place of the cell for every symbol, or is not there
    stores = ("via", "resistor")
    where = [tuple(sorted((b.lower[0], b.lower[1]) for b in cell.boxes if b.kind in stores)) for cell in cells]
    assert len(set(where)) == len(values)


def test_vias_are_drawn_where_the_program_has_them() -> None:
    values = KINDS["cap_select"]
    cells = [
        make_cell("cap_select").geometry(load_stack("generic28"), Plane("M2", "M3"), (s,)) for s in range(len(values))
    ]
    bits = np.random.default_rng(0).integers(0, 4, (8, 24)).astype(np.uint8)
    svg = tile_top(cells, TileTop(bits, (0,) * 24, 4, "tile"), values)
    wide, deep = cells[0].period
    # the drawing's own scale: 1224 of its 1280 units hold 24 columns, from (44, 52) on
    pixel = 1224 / (24 * wide)
    back = np.full(bits.shape, -1)
    for symbol in range(1, 4):
        (via,) = (b for b in cells[symbol].boxes if role(b, symbol) == "via")
        (path,) = re.findall(rf'<path d="([^"]*)" fill="{PAINT["via"].fill}" data-symbol="{symbol}"', svg)
        for x, y in re.findall(r"M([0-9.]+) ([0-9.]+)h", path):
            column, row = (float(x) - 44) / pixel - via.lower[0], (float(y) - 52) / pixel - via.lower[1]
            back[round(row / deep), round(column / wide)] = symbol
    np.testing.assert_array_equal(back, np.where(bits > 0, bits.astype(int), -1))


def test_the_stack_names_symbols_by_what_they_count() -> None:
    values = KINDS["cap_select"]
    cells = [
        make_cell("cap_select").geometry(load_stack("generic28"), Plane("M2", "M3"), (s,)) for s in range(len(values))
    ]
    bits = np.arange(8).reshape(1, 2, 4) % 4
    svg = stack_picture(cells, bits, ("plane",), symbol_values=values)
    assert "via of 1, 2, 3" in svg
    assert "plane 0: 6 symbols other than 0 of 8" in svg


def test_a_program_reads_back_as_it_was(tmp_path: Path) -> None:
    weights = np.random.default_rng(1).integers(-8, 8, (5, 3))
    program = via_program(weights, 4, mapping="offset", symbol_values=(3, 1, 0, 2))
    first = write_stored_program(tmp_path, program).read_bytes()
    back = parse_stored_program(first, where="here")
    for name in ("bits", "weight_column", "sign", "significance"):
        np.testing.assert_array_equal(getattr(back, name), getattr(program, name))
    assert back.encoding == program.encoding
    assert back.bits.dtype == np.uint8
    assert write_stored_program(tmp_path, program).read_bytes() == first


def test_a_damaged_program_is_told(tmp_path: Path) -> None:
    path = write_stored_program(tmp_path, via_program(np.array([[1, -1]]), 2))
    content = path.read_bytes()
    for wrong in (b"", b"PK", content[: len(content) // 2], content.replace(b"symbols.npy", b"symbolx.npy")):
        with pytest.raises(DamagedFile, match="is damaged"):
            parse_stored_program(wrong, where="here")
    encoding = np.array('{"mapping": "offset", "counts": [0, 1], "radix": 2, "add_per_input": 0}')
    symbols = np.array([[2]], np.uint8)
    with path.open("wb") as file:
        np.savez(file, symbols=symbols, weight_column=[0], sign=[1], significance=[0], encoding=encoding)
    with pytest.raises(DamagedFile, match="symbols 0 to 1"):
        parse_stored_program(path.read_bytes(), where="here")


@pytest.mark.slow
@pytest.mark.ngspice
def test_the_report_of_a_run_shows_the_symbols_of_the_macro(tmp_path: Path) -> None:
    """Cells of four levels, 16 x 4 weights of 4 bits: two digits of base 4 and two signs, 16 x 16 symbols 0 to 3."""
    done = CliRunner().invoke(app, ["run", str(HERE / "several_symbols.yaml"), "-o", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    program = open_run(tmp_path / "out").program
    assert program.bits.shape == (16, 16)
    assert set(np.unique(program.bits)) == {0, 1, 2, 3}
    np.testing.assert_array_equal(program.bits, load(HERE / "several_symbols.yaml").program.bits)
    svg = (tmp_path / "out" / "figures" / "tile.svg").read_text()
    assert "first 16 rows and 16 bit columns" in svg
    for symbol in (1, 2, 3):
        assert drawn_cells(svg, symbol, PAINT["via"].fill) == (program.bits == symbol).sum()
    assert (tmp_path / "out" / PROGRAM).is_file()
