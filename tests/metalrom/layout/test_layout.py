"""Layouts written, read back by gdstk and compared with the via program; moved vias and lost wires are found."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import gdstk
import numpy as np
import pytest

from interconnect.errors import InputError
from interconnect.stackfile import load_stack
from metalrom.layout.audit import audit_layout
from metalrom.layout.files import write_layout
from metalrom.layout.layers import layer_map
from metalrom.layout.plan import Plan, plan_layout
from metalrom.layout.read import Shapes, open_layout
from metalrom.layout.rules import check_rules
from netlists.array_options import ArrayOptions
from netlists.cells import make_cell
from netlists.cells.base import Plane
from netlists.mapping import MacroShape, ViaProgram, tile

Draw = Callable[..., tuple[Plan, ViaProgram]]
Tamper = Callable[..., Path]
KINDS = ["cap_present", "cap_balanced", "res_via", "cap_select", "cap_ternary", "cap_tie"]


def read(plan: Plan, path: Path) -> Shapes:
    return open_layout(path).flatten(plan.grid)


@pytest.mark.parametrize("suffix", [".gds", ".oas"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_read_back_without_a_difference(small_plan: Draw, kind: str, suffix: str, tmp_path: Path) -> None:
    plan, program = small_plan(kind)
    done = write_layout(plan, tmp_path / f"macro{suffix}")
    shapes = read(plan, done.path)
    audit = audit_layout(plan, shapes, program)
    assert (audit.differing, audit.wires, audit.strange) == (0, 0, 0), audit.sentences
    assert audit.cells == program.bits.size == done.cells
    assert check_rules(plan, shapes).count == 0


@pytest.mark.parametrize("level", ["cell", "tile", "array"])
def test_smaller_levels(small_plan: Draw, level: str, tmp_path: Path) -> None:
    options = ArrayOptions(dummy_columns=2, reference_columns=("ones", "alternating"))
    plan, program = small_plan("cap_balanced", level, options=options)
    shapes = read(plan, write_layout(plan, tmp_path / "x.gds").path)
    assert audit_layout(plan, shapes, program).ok
    assert check_rules(plan, shapes).count == 0
    # Tile 0 holds 8 rows x 9 columns per plane; 2 + 2 columns stand before and 2 behind them.
    assert plan.cells == {"cell": 2, "tile": 8 * 15, "array": 2 * 8 * 15}[level]


def test_vias_lie_where_the_geometry_puts_them(program_of: Callable[..., ViaProgram], tmp_path: Path) -> None:
    """By hand: at 200 x 300 nm pitch the tab's via is on S (50 nm) for a 1 and on G (150 nm) for a 0, at x = 150 nm."""
    nm = 1e-9
    lengths = {"row_pitch": 200 * nm, "column_pitch": 300 * nm, "row_width": 50 * nm, "column_width": 50 * nm}
    program = program_of((0, 1), 5, 20)
    manifest = tile(program, MacroShape(rows=5, columns=20, planes=1))
    cell = make_cell("cap_balanced", {**lengths, "tab_length": 150 * nm})
    plan = plan_layout(cell, load_stack("generic28"), [Plane("M2", "M3")], program, manifest, "array")
    write_layout(plan, tmp_path / "a.gds")
    top = gdstk.read_gds(tmp_path / "a.gds").top_level()[0]
    cut = layer_map(load_stack("generic28")).layers["V2"].drawing
    boxes = np.array([p.bounding_box() for p in top.get_polygons(layer=cut[0], datatype=cut[1])])
    assert len(boxes) == 100
    x, y = boxes.mean(axis=1).T * 1e3  # nm
    np.testing.assert_allclose(boxes[:, 1] - boxes[:, 0], 0.045, atol=1e-9)
    column, row = np.round((x - 150) / 300).astype(int), np.floor(y / 200).astype(int)
    np.testing.assert_allclose(x, 150 + 300 * column, atol=1e-6)
    expected = np.where(program.bits[row, column] == 1, 50, 150)
    np.testing.assert_allclose(y - 200 * row, expected, atol=1e-6)


def test_bit_lines_are_cut_as_in_the_netlist(small_plan: Draw, tmp_path: Path) -> None:
    """Segments of 4 of 8 rows: two pieces per stored column, whole dummies up to the ground strap, least space between
    the pieces and below the strap."""
    options = ArrayOptions(dummy_columns=1)
    plan, _ = small_plan("cap_balanced", "tile", options=options)
    shapes = read(plan, write_layout(plan, tmp_path / "x.oas").path)
    part, metal = plan.parts[0], plan.stack.metal("M3")
    line = next(c for c in part.pattern.columns if c.bit_line)
    for column in range(part.columns):
        left = column * part.pattern.column_pitch + line.low
        rects = shapes.of(plan.layers.layers["M3"].drawing)
        pieces = sorted((int(r[1]), int(r[3])) for r in rects if r[0] == left and r[2] == left + line.high - line.low)
        dummy = column in (0, part.columns - 1)
        assert len(pieces) == (1 if dummy else 2)
        assert part.strap is not None
        assert (part.strap[1] - part.height) * plan.grid == pytest.approx(metal.min_space)
        assert (pieces[0][0], pieces[-1][1]) == (0, part.strap[3] if dummy else part.height)
        for (_, end), (begin, _) in pairwise(pieces):
            assert (begin - end) * plan.grid == pytest.approx(metal.min_space)


def test_names_of_lines_are_those_of_the_netlist(small_plan: Draw, tmp_path: Path) -> None:
    plan, _ = small_plan("cap_ternary", "tile")
    write_layout(plan, tmp_path / "x.gds")
    texts = {label.text for label in gdstk.read_gds(tmp_path / "x.gds").top_level()[0].labels}
    assert texts == {f"{x}{r}_0" for x in "sg" for r in range(8)} | {
        f"{line}{g}_{c}" for line in ("blp", "bln") for g in range(2) for c in range(9)
    } | {"gnd"}


@pytest.mark.parametrize("suffix", [".gds", ".oas"])
def test_a_moved_via_is_found_with_its_place(small_plan: Draw, tamper: Tamper, suffix: str, tmp_path: Path) -> None:
    """One word's vias on plane 1 get a copy in which the via of column 2 stands on the other line of its row."""
    plan, program = small_plan("cap_balanced", "array")
    path = write_layout(plan, tmp_path / f"x{suffix}").path
    part = plan.parts[1]
    row, column = 5, 2
    other = part.pattern.symbols[1 - part.symbols[row, column]][0].box

    def move(library: Any, cells: dict[str, Any]) -> None:
        plane = cells["array_t0_p1"]
        word = "".join(map(str, part.symbols[row, :8]))
        for reference in [r for r in plane.references if r.cell.name == f"via_p1_{word}"]:
            reference.apply_repetition()
        y = row * part.pattern.row_pitch * plan.grid * 1e6
        moved = next(
            r for r in plane.references if r.cell.name == f"via_p1_{word}" and abs(r.origin[1] - y) < 1e-9
            and abs(r.origin[0]) < 1e-9
        )  # fmt: skip
        copy = moved.cell.copy("moved")
        step = column * part.pattern.column_pitch
        x0, y0, x1, y1 = (v * plan.grid * 1e6 for v in (other[0] + step, other[1], other[2] + step, other[3]))
        old = next(p for p in copy.polygons if abs(p.bounding_box()[0][0] - x0) < 1e-9)
        copy.remove(old)
        copy.add(gdstk.rectangle((x0, y0), (x1, y1), layer=old.layer, datatype=old.datatype))
        library.add(copy)
        plane.add(gdstk.Reference(copy, moved.origin))
        plane.remove(moved)

    audit = audit_layout(plan, read(plan, tamper(path, move)), program)
    assert audit.differing == 1
    (fault,) = audit.faults
    assert (fault.tile, fault.plane, fault.row, fault.column) == (0, 1, row, column)
    assert fault.expected == program.bits[row, 9 + column] == 1 - fault.found
    assert f"weight [{row}, {9 + column}]" in str(fault)  # plane 1 begins with bit column 9


def test_an_added_and_a_misplaced_cut(small_plan: Draw, tamper: Tamper, tmp_path: Path) -> None:
    plan, program = small_plan("cap_balanced", "array")
    path = write_layout(plan, tmp_path / "x.gds").path
    cut = plan.layers.layers["V2"].drawing

    def add(library: Any, cells: dict[str, Any]) -> None:
        del library
        for x in (0.01, 50.0):
            cells["tile_0"].add(gdstk.rectangle((x, 0.01), (x + 0.045, 0.055), layer=cut[0], datatype=cut[1]))
        cells["tile_0"].add(gdstk.rectangle((0, 0), (1, 1), layer=99))

    audit = audit_layout(plan, read(plan, tamper(path, add)), program)
    assert not audit.ok
    assert (audit.differing, audit.strange) == (0, 3)
    assert any("belongs to no symbol" in s for s in audit.sentences)
    assert any("outside of every plane" in s for s in audit.sentences)
    assert any("layer 99/0" in s for s in audit.sentences)


def test_a_lost_wire_is_found_and_a_wire_in_pieces_is_not_a_difference(
    small_plan: Draw, tamper: Tamper, tmp_path: Path
) -> None:
    plan, program = small_plan("cap_balanced", "array")
    metal = plan.layers.layers["M2"].drawing

    def in_pieces(library: Any, cells: dict[str, Any]) -> None:
        del library
        plane = cells["array_t0_p0"]
        line = next(p for p in plane.polygons if (p.layer, p.datatype) == metal)
        (x0, y0), (x1, y1) = line.bounding_box()
        plane.add(gdstk.rectangle((x0, y0), ((x0 + x1) / 2, y1), layer=metal[0], datatype=metal[1]))

    path = tamper(write_layout(plan, tmp_path / "x.gds").path, in_pieces)
    assert audit_layout(plan, read(plan, path), program).ok

    def lose(library: Any, cells: dict[str, Any]) -> None:
        del library
        plane = cells["array_t0_p0"]
        last = max((p for p in plane.polygons if (p.layer, p.datatype) == metal), key=lambda p: p.bounding_box()[1][1])
        plane.remove(last)

    audit = audit_layout(plan, read(plan, tamper(write_layout(plan, path).path, lose)), program)
    assert (audit.differing, audit.wires) == (0, 1)
    assert audit.sentences[0].startswith("M2: metal missing at (0.0, ")


def test_turned_and_mirrored_references_and_odd_outlines_are_flattened(tmp_path: Path) -> None:
    """Against gdstk's own flattening: areas and bounding boxes of every polygon."""
    library = gdstk.Library(unit=1e-6, precision=1e-9)
    child, top = library.new_cell("child"), library.new_cell("top")
    child.add(gdstk.Polygon([(0, 0), (3, 0), (3, 1), (1, 1), (1, 2), (0, 2)]))  # an L
    child.add(gdstk.FlexPath([(5, 5), (9, 5)], 0.2, layer=1))
    for k in range(4):
        top.add(gdstk.Reference(child, (20 * k, 3), rotation=k * np.pi / 2, x_reflection=k % 2 == 1))
    top.add(gdstk.Reference(child, (0, 40), columns=3, rows=2, spacing=(10, 12)))
    library.write_gds(tmp_path / "x.gds")
    shapes = open_layout(tmp_path / "x.gds").flatten(1e-9)
    for layer in (0, 1):
        own = shapes.of((layer, 0))
        polygons = top.get_polygons(layer=layer, datatype=0)
        area = ((own[:, 2] - own[:, 0]) * (own[:, 3] - own[:, 1])).sum() * 1e-6
        assert area == pytest.approx(sum(p.area() for p in polygons))
        back = [gdstk.rectangle(r[:2] * 1e-3, r[2:] * 1e-3) for r in own.astype(float)]
        assert not gdstk.boolean(back, polygons, "xor", precision=1e-6)


@pytest.mark.parametrize("stack", ["sky130", "freepdk45", "open45", "generic28"])
def test_layer_numbers(stack: str) -> None:
    found = layer_map(load_stack(stack))
    numbers = [x for layer in found.layers.values() for x in {layer.drawing, layer.plug} if x]
    assert len(set(numbers)) == len(numbers)
    # From the kits' own tables (gds_layers.csv, rtk-stream-out.map).
    known = {"sky130": {"met2": (69, 20), "via": (68, 44)}, "freepdk45": {"metal4": (17, 0), "via3": (16, 0)}}
    for name, number in known.get(stack, {}).items():
        assert found.layers[name].drawing == number
    assert found.status == ("assumption" if stack == "generic28" else "published")


def test_equal_plans_give_equal_bytes(small_plan: Draw, tmp_path: Path) -> None:
    plan, _ = small_plan("cap_select")
    for suffix in (".gds", ".oas"):
        one, two = (write_layout(plan, tmp_path / f"{name}{suffix}").path for name in "ab")
        assert one.read_bytes() == two.read_bytes()
        document = json.loads(Path(f"{one}.layers.json").read_text())
        assert document["layer_map"]["status"] == "assumption"
        assert document["database_unit_m"] == plan.grid


def test_bit_lines_that_cannot_be_cut_are_refused(small_plan: Draw) -> None:
    """open45: plugs of metal3-metal4 lie 90 nm apart at a pitch of 160 nm, metal4 asks for 140 nm."""
    with pytest.raises(
        InputError, match=r"cell\.row_pitch: bit lines cannot be segmented.*90 nm, metal4 must keep 140"
    ):
        small_plan("res_via", stack="open45", planes=(("metal3", "metal4"),), parameters={"row_pitch": 160e-9})


def test_without_gdstk_the_extra_is_named(small_plan: Draw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan, _ = small_plan("cap_balanced", "cell")
    monkeypatch.setitem(sys.modules, "gdstk", None)
    with pytest.raises(InputError, match=r"pip install 'metalrom\[layout\]'"):
        write_layout(plan, tmp_path / "x.gds")
    assert not list(tmp_path.iterdir())


def test_bad_names_and_files(small_plan: Draw, tmp_path: Path) -> None:
    plan, _ = small_plan("cap_balanced", "cell")
    with pytest.raises(InputError, match=r"end it in \.gds or \.oas"):
        write_layout(plan, tmp_path / "x.txt")
    with pytest.raises(InputError, match="no such folder"):
        write_layout(plan, tmp_path / "none" / "x.gds")
    (tmp_path / "folder.gds").mkdir()
    with pytest.raises(InputError, match="cannot be written"):
        write_layout(plan, tmp_path / "folder.gds")
    assert [p.name for p in tmp_path.iterdir()] == ["folder.gds"]
    with pytest.raises(InputError, match="cannot be read"):
        open_layout(tmp_path / "none.gds")
    for suffix, content in ((".gds", b"* netlist\n"), (".oas", b""), (".oas", b"\x00\x06\x00\x02")):
        (tmp_path / f"bad{suffix}").write_bytes(content)
        with pytest.raises(InputError, match="does not have the header"):
            open_layout(tmp_path / f"bad{suffix}")
