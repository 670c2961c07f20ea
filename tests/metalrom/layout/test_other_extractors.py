"""klayout-pex and Magic beside the drawn cell: blocks cut out of a file, netlists read back, and the programs where a
machine has them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from interconnect.errors import InputError, UnsupportedCell
from interconnect.extraction import Extraction, extract
from interconnect.geometry import CellGeometry
from interconnect.stack import Stack
from metalrom.layout.audit import symbols_of
from metalrom.layout.files import write_layout
from metalrom.layout.plan import Plan
from metalrom.layout.read import Shapes, open_layout
from metalrom.signoff.cell_block import CellBlock, bit_line_name, choose_block, draw_block, row_name
from metalrom.signoff.extractor import Extractor
from metalrom.signoff.kpex import extract_with_kpex, find_kpex, write_database
from metalrom.signoff.magic import find_magic
from metalrom.signoff.net_capacitances import (
    NetCapacitances,
    model_capacitances,
    per_cell,
    read_capacitances,
)
from metalrom.signoff.other_extractors import (
    CapacitanceBeside,
    ExtractorReport,
    compare_with_extractor,
    find_extractors,
)
from netlists.cells import make_cell
from netlists.cells.base import CellModel
from netlists.mapping import ViaProgram

pytest.importorskip("gdstk")
db = pytest.importorskip("klayout.db", reason="the extra signoff is not installed")

Draw = Callable[..., tuple[Plan, ViaProgram]]
KINDS = ("cap_present", "cap_balanced", "cap_select", "cap_ternary", "cap_tie", "res_via")

# Lines of netlists that klayout-pex 0.4.2 and 0.6.12 and Magic 8.3.677 wrote of blocks of `res_via` on sky130.
KPEX_042 = """.SUBCKT TOP
Cext_1 bit_bl_0 bit_bl_1 627.273a
Cext_2 bit_bl_0 gnd$1 217.98a
Cext_3 bit_bl_0 row_s_0 21.4612a
.ENDS TOP
"""
KPEX_0612 = """.SUBCKT TOP sky130_gnd
Cext_1 bit_bl_0 bit_bl_1 0.313636f
Cext_2 bit_bl_0 gnd 0.0358662f
Cext_3 bit_bl_0 gnd$1 0.182114f
Cext_4 bit_bl_0 row_s_0 0.0214612f
.ENDS
"""
MAGIC = """* NGSPICE file created from TOP.ext - technology: sky130A

C0 row_s_5 row_s_6 0.31289f
C6 gnd_uq0 bit_bl_7 0.17942f
C22 gnd bit_bl_7 0.03826f
C300 row_s_5 VSUBS 0.01f **FLOATING
"""


def closed(geometry: CellGeometry, stack: Stack) -> Extraction:
    return extract(geometry, stack, method="formula")


def drawn(kind: str, small_plan: Draw, folder: Path, **more: object) -> tuple[Plan, Shapes, CellModel]:
    """A drawn tile of sky130 with room for a block, its shapes as read back, and its cell by closed forms."""
    settings: dict[str, object] = {"rows": 20, "columns": 18, "shape": (20, 9), "group_rows": 10} | more
    planes = (("met1", "met2"), ("met3", "met4"))
    plan, _ = small_plan(kind, "array", stack="sky130", planes=planes, **settings)
    shapes = open_layout(write_layout(plan, folder / "x.gds").path).flatten(plan.grid)
    parameters = {"levels": 4} if kind == "cap_select" else {}
    model = make_cell(kind, parameters).model(plan.stack, plan.parts[0].pattern.plane, closed)
    return plan, shapes, model


def test_netlists_of_the_programs_are_read() -> None:
    old, new, magic = map(read_capacitances, (KPEX_042, KPEX_0612, MAGIC))
    assert old.pairs[("bit_bl_0", "bit_bl_1")] == pytest.approx(627.273e-18)
    assert new.pairs[("bit_bl_0", "bit_bl_1")] == pytest.approx(313.636e-18)  # half of the older version's
    for found in (old, new):
        assert found.pairs[("0", "bit_bl_0")] == pytest.approx(217.98e-18, rel=1e-4)
        assert found.pairs[("bit_bl_0", "row_s_0")] == pytest.approx(21.4612e-18)
    assert magic.pairs == pytest.approx(
        {("row_s_5", "row_s_6"): 0.31289e-15, ("0", "bit_bl_7"): 0.21768e-15, ("0", "row_s_5"): 0.01e-15}
    )
    with pytest.raises(InputError, match="no capacitors"):
        read_capacitances("* nothing\nR1 a b 1k\n")


def test_floating_pieces_are_reduced() -> None:
    # Two capacitors in series, and a chain of two floating nets: 1/(1/2 + 1/3 + 1/6) = 1 fF.
    text = "C1 bit_bl_0 a_1# 2f\nC2 a_1# row_s_0 2f\nC3 row_s_0 x 2f\nC4 x $7 3f\nC5 $7 gnd 6f\nC6 gnd row_s_0 1f\n"
    found = read_capacitances(text)
    assert found.pairs == pytest.approx({("bit_bl_0", "row_s_0"): 1e-15, ("0", "row_s_0"): 2e-15})


@pytest.mark.parametrize("kind", KINDS)
def test_a_block_holds_the_shapes_of_its_cells(kind: str, small_plan: Draw, tmp_path: Path) -> None:
    plan, shapes, _ = drawn(kind, small_plan, tmp_path)
    part = plan.parts[0]
    block = choose_block(part)
    assert (len(block.rows), len(block.columns)) == (8, 8)
    assert not any(block.rows.start <= cut < block.rows.stop for cut in part.cuts)
    layout = draw_block(plan, part, shapes, block)
    layers, p = plan.layers.layers, part.pattern
    area = 64 * p.row_pitch * p.column_pitch

    def region(name: str) -> object:
        return db.Region(layout.top_cell().begin_shapes_rec(layout.find_layer(*layers[name].drawing)))

    assert [region(name).area() for name in ("li1", "met3")] == [area, area]
    # Metal of the row lines and, per cell, of what every cell and its symbol add.
    symbols = part.symbols[block.rows.start : block.rows.stop, block.columns.start : block.columns.stop]
    for layer, lines, along, pitch in (("met1", p.rows, 8, p.column_pitch), ("met2", p.columns, 8, p.row_pitch)):
        wires = sum(line.high - line.low for line in lines) * along * 8 * pitch
        boxes = [s.box for k in symbols.ravel() for s in (*p.common, *p.symbols[k]) if s.layer == layer]
        pieces = sum((x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in boxes)
        assert region(layer).area() == wires + pieces


@pytest.mark.parametrize("kind", KINDS)
def test_the_database_has_the_lines_as_nets(kind: str, small_plan: Draw, tmp_path: Path) -> None:
    plan, shapes, model = drawn(kind, small_plan, tmp_path)
    part = plan.parts[0]
    block = choose_block(part)
    write_database(plan, draw_block(plan, part, shapes, block), tmp_path / "x.lvsdb")
    database = db.LayoutVsSchematic()
    database.read(str(tmp_path / "x.lvsdb"))
    names = [net.name for net in database.netlist().circuit_by_name("block").each_net()]
    names = [name for name in names if name and not name.startswith("$")]
    wanted = {row_name(line.letter, r) for line in model.lines for r in block.rows}
    wanted |= {bit_line_name(line.prefix, c) for line in model.bit_lines for c in block.columns}
    assert {name for name in names if name != "gnd"} == wanted
    assert len(names) - names.count("gnd") == len(wanted)


@pytest.mark.parametrize("kind", KINDS)
def test_a_cell_has_the_elements_of_its_model(kind: str, small_plan: Draw, tmp_path: Path) -> None:
    """What is counted over a block is what the elements of one cell add up to, whatever the symbols are."""
    plan, _, model = drawn(kind, small_plan, tmp_path)
    block = choose_block(plan.parts[0])
    symbols = np.ones_like(plan.parts[0].symbols)
    found = per_cell(*(model_capacitances(model, symbols, b) for b in blocks_of(block)), block, model)
    elements = model.variants[1].elements
    ties = model.variants[1].ties

    def total(prefix: str, others: tuple[str, ...], extra: str = "") -> float:
        """Elements with one end on a line (or on what is tied to it) and the other on nets that begin like others."""
        out = 0.0
        for e in elements:
            ends = [ties.get(pin, pin) for pin in (e.a, e.b)]
            for one, other in (ends, ends[::-1]):
                on = one.startswith(f"{prefix}_") and (extra in one or not one.endswith("next"))
                if e.is_capacitor and on and other.startswith(others) and not other.startswith(f"{prefix}_i"):
                    out += e.value
        return out

    bits, rows = [line.prefix for line in model.bit_lines], [line.prefix for line in model.lines]
    every = (*(f"{name}_" for name in (*bits, *rows)), "0")
    lines = tuple(f"{name}_" for name in rows)
    assert found["bit line to row lines"] == pytest.approx(np.mean([total(b, lines, "next") for b in bits]))
    assert found["bit line to ground"] == pytest.approx(np.mean([total(b, ("0",)) for b in bits]))
    assert found["row line"] == pytest.approx(np.mean([total(r, every) for r in rows]))
    bit_to_bit = found["bit line"] - found["bit line to row lines"] - found["bit line to ground"]
    assert found["bit line to bit lines"] == pytest.approx(bit_to_bit)


def blocks_of(block: CellBlock) -> tuple[CellBlock, CellBlock, CellBlock]:
    return block, block.shorter(), block.narrower()


def test_two_bit_lines_share_the_capacitance_between_them(small_plan: Draw, tmp_path: Path) -> None:
    plan, _, model = drawn("res_via", small_plan, tmp_path)
    block = choose_block(plan.parts[0])
    symbols = plan.parts[0].symbols
    found = per_cell(*(model_capacitances(model, symbols, b) for b in blocks_of(block)), block, model)
    assert found["bit line to bit lines"] == pytest.approx(2 * model.value("C_bl_bl"))
    whole = model.value("C_bl_s") + model.value("C_bl_gnd") + 2 * model.value("C_bl_bl")
    assert found["bit line"] == pytest.approx(whole)


def test_short_segments_have_no_block(small_plan: Draw, tmp_path: Path) -> None:
    plan, shapes, model = drawn("res_via", small_plan, tmp_path, group_rows=5)
    with pytest.raises(UnsupportedCell, match="6 x 6 cells"):
        choose_block(plan.parts[0])
    tool = Extractor("klayout-pex", "kpex", (0, 4, 2), False)
    report = compare_with_extractor(tool, plan, plan.parts[0], shapes, plan.parts[0].symbols, model)
    assert report.verdict.startswith("not run: no 6 x 6 cells")
    assert not report.differences


def test_only_judged_quantities_beyond_their_bound_are_differences() -> None:
    values = (
        CapacitanceBeside("bit line", 100e-18, 119e-18, 0.2),
        CapacitanceBeside("bit line to row lines", 100e-18, 69e-18, 0.3),
        CapacitanceBeside("bit line to ground", 100e-18, 300e-18, None),
    )
    report = ExtractorReport("klayout-pex 0.4.2", "array_t0_p0", values)
    (text,) = report.differences
    assert text == "bit line to row lines is 69 aF per cell, the drawn cell has 100 aF (-31 %, bound 30 %)"
    assert report.verdict.endswith("beyond a bound")
    assert ExtractorReport("x", "p", values[:1]).verdict.endswith("within bounds")


def test_machines_without_the_programs_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert find_extractors("sky130") == (
        ("kpex", "not run: klayout-pex is not on this machine"),
        ("magic", "not run: magic is not on this machine"),
    )


def stub(folder: Path, name: str, body: str) -> Path:
    """A program that runs some lines of Python."""
    path = folder / name
    path.write_text(f"#!{sys.executable} -P\nimport pathlib, sys\n{body}\n")
    path.chmod(0o755)
    return path


def test_versions_that_count_half_of_the_walls_are_not_judged(
    small_plan: Draw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program of that version whose netlist has a tenth of every capacitance: shown, and no difference."""
    plan, shapes, model = drawn("res_via", small_plan, tmp_path)
    part = plan.parts[0]
    block = choose_block(part)
    text = netlist(model_capacitances(model, part.symbols, block), 0.1)
    (tmp_path / "netlist").write_text(text)
    body = (
        "if '--version' in sys.argv: sys.exit(print('kpex', pathlib.Path(__file__).with_name('version').read_text()))\n"
        "out = pathlib.Path(sys.argv[sys.argv.index('--out_dir') + 1], 'x')\n"
        "out.mkdir()\n"
        f"text = pathlib.Path({str(tmp_path / 'netlist')!r}).read_text()\n"
        "(out / 'block_k25d_pex_netlist.spice').write_text(text)"
    )
    stub(tmp_path, "kpex", body)
    monkeypatch.setenv("PATH", str(tmp_path))
    reports = []
    for version in ("0.4.2", "0.6.12"):
        (tmp_path / "version").write_text(version)
        tool = find_kpex("sky130")
        assert isinstance(tool, Extractor)
        assert tool.label == f"klayout-pex {version}"
        reports.append(compare_with_extractor(tool, plan, part, shapes, part.symbols, model))
    judged, shown = reports
    assert judged.differences
    assert not shown.differences
    assert shown.verdict.endswith("not judged, this version counts half of the side walls")
    assert [v.beside for v in shown.values] == [v.beside for v in judged.values]


def netlist(found: NetCapacitances, scale: float) -> str:
    lines = [f"C{i} {a} {b} {c * scale:.9g}" for i, ((a, b), c) in enumerate(found.pairs.items())]
    return "\n".join(lines).replace(" 0 ", " gnd ") + "\n"


def test_a_program_that_fails_is_named(small_plan: Draw, tmp_path: Path) -> None:
    plan, shapes, _ = drawn("res_via", small_plan, tmp_path)
    part = plan.parts[0]
    program = stub(tmp_path, "kpex", "sys.exit('error: no such technology')")
    tool = Extractor("klayout-pex", str(program), (0, 4, 2), False)
    with pytest.raises(InputError, match=r"klayout-pex 0\.4\.2 failed: error: no such technology"):
        extract_with_kpex(tool, plan, draw_block(plan, part, shapes, choose_block(part)))


def test_magic_needs_a_technology_that_it_can_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stub(tmp_path, "magic", "print('8.3.105')")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("PDK_ROOT", raising=False)
    assert "needs sky130A.tech in the folder PDK_ROOT" in str(find_magic("sky130"))
    assert find_magic("freepdk45") == "not run: magic is given sky130, not freepdk45"
    folder = tmp_path / "sky130A" / "libs.tech" / "magic"
    folder.mkdir(parents=True)
    (folder / "sky130A.tech").write_text("tech\n sky130A\nend\nversion\n requires magic-8.3.411\nend\n")
    monkeypatch.setenv("PDK_ROOT", str(tmp_path))
    assert find_magic("sky130") == "not run: magic 8.3.105 is older than its technology asks for, 8.3.411"
    for version, half in (("8.3.677", False), ("8.3.680", True)):
        stub(tmp_path, "magic", f"print({version!r})")
        tool = find_magic("sky130")
        assert isinstance(tool, Extractor)
        assert tool.half_walls is half


@pytest.mark.long
@pytest.mark.parametrize("name", ["kpex", "magic"])
def test_the_program_itself_reads_the_block(name: str, small_plan: Draw, tmp_path: Path) -> None:
    """With the real program: every line is found, and its terms add up to about the field's value."""
    tool = dict(find_extractors("sky130"))[name]
    if isinstance(tool, str):
        pytest.skip(tool)
    plan, shapes, model = drawn("res_via", small_plan, tmp_path)
    part = plan.parts[0]
    symbols, _ = symbols_of(plan, part, shapes)
    # A cell of res_via on met1 and met2 as the field solver has it, at the smallest lengths.
    solved = {"C_bl_s": 25.05168e-18, "C_bl_gnd": 15.99289e-18, "C_bl_bl": 56.8805e-18, "C_s_gnd": 18.669e-18}
    variants = tuple(
        replace(v, elements=tuple(replace(e, value=solved.get(e.name, e.value)) for e in v.elements))
        for v in model.variants
    )
    report = compare_with_extractor(tool, plan, part, shapes, symbols, replace(model, variants=variants))
    assert {v.name for v in report.values} >= {"bit line", "row line"}
    assert not report.differences
    beside = {v.name: v.beside for v in report.values}
    # The technology's walls of met2: 50 aF um over the space and 0.3 um, 0.46 um long, on both sides.
    walls = 2 * 50e-18 * 0.46 / (0.14 + 0.3) * (0.5 if tool.half_walls else 1.0)
    assert beside["bit line to bit lines"] == pytest.approx(walls, rel=0.01)
    assert beside["bit line to row lines"] == pytest.approx(25e-18, rel=0.05)
