"""KLayout's rules, deck and comparison on drawn tiles: clean as drawn, and every planted fault is found and named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from interconnect.extraction import Extraction, extract
from interconnect.geometry import CellGeometry
from interconnect.stack import Stack
from metalrom.layout.audit import symbols_of
from metalrom.layout.files import write_layout
from metalrom.layout.plan import Plan
from metalrom.layout.read import open_layout
from metalrom.signoff.drawn_cell import drawn_cell
from metalrom.signoff.drc import DrcReport, check_with_klayout, open_in_klayout
from metalrom.signoff.drc_deck import deck_text, find_program, run_deck, write_deck
from metalrom.signoff.lvs import LvsReport, compare_planes
from metalrom.signoff.lvs_layout import bands_of, extract_band
from metalrom.signoff.netgen import MATCH, NetgenReport, compare_with_netgen, find_netgen
from metalrom.signoff.schematic import schematic_of
from netlists.array_options import ArrayOptions
from netlists.cells import make_cell
from netlists.mapping import ViaProgram

gdstk = pytest.importorskip("gdstk")
pytest.importorskip("klayout.db", reason="the extra signoff is not installed")

Draw = Callable[..., tuple[Plan, ViaProgram]]
Change = Callable[[Any, Plan], None]

KITS = {"sky130": (("met1", "met2"), ("met3", "met4")), "freepdk45": (("metal2", "metal3"), ("metal4", "metal5"))}
KINDS = ("cap_present", "cap_balanced", "cap_select", "cap_ternary", "cap_tie", "res_via")


@pytest.mark.parametrize("stack", KITS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_cell_is_clean_for_klayout(kind: str, stack: str, small_plan: Draw, tmp_path: Path) -> None:
    plan, _ = small_plan(kind, "array", stack=stack, planes=KITS[stack])
    path = write_layout(plan, tmp_path / "x.gds").path
    layout = open_in_klayout(path)
    drc = check_with_klayout(plan, layout)
    assert not drc.violations
    assert {rule.kind for rule in drc.rules} >= {"width", "space", "size", "covered", "end_enclosure", "grid"}
    for report in compare_planes(plan, layout):
        assert report.ok, report.differences
        # One device per side of a piece of metal, one per plug: two pieces a cell with a post, one without.
        pieces = {"cap_present": 2, "cap_ternary": 2, "res_via": 0}.get(kind, 1)
        part = next(p for p in plan.parts if p.name == report.plane)
        assert report.devices == 2 * pieces * part.symbols.size + (part.symbols.sum() if kind == "res_via" else 0)
    if (program := find_program()) is not None:
        assert run_deck(program, write_deck(tmp_path / "rules.drc", plan.stack, plan.layers), path) == {}


def test_the_deck_holds_every_rule_of_the_stack(small_plan: Draw) -> None:
    plan, _ = small_plan("cap_balanced", "array", stack="sky130", planes=KITS["sky130"])
    text = deck_text(plan.stack, plan.layers)
    # via.5a and m2.5 of sky130: 85 nm on two opposite sides.
    wanted = 'l_via.enclosed(l_met2, 0.085.um, projection, two_opposite_sides_allowed).output("via.end_enclosure.met2"'
    assert wanted in text
    assert 'l_met2.merged.with_area(0, 0.0676.um2).output("met2.area"' in text  # m2.6
    assert "l_via = input(68, 44) + input(68, 100)" in text


def checked(plan: Plan, path: Path, change: Change) -> tuple[DrcReport, LvsReport]:
    """KLayout's findings on the first plane of a flattened and changed file."""
    write_layout(plan, path)
    library = gdstk.read_gds(path)
    (top,) = library.top_level()
    top.flatten()
    change(top, plan)
    out = gdstk.Library(unit=library.unit, precision=library.precision)
    out.add(top)
    out.write_gds(path)
    layout = open_in_klayout(path)
    return check_with_klayout(plan, layout), compare_planes(plan, layout)[0]


def polygon_at(top: Any, number: tuple[int, int], x: float, y: float) -> Any:
    """The rectangle of a layer at a point, um."""
    for polygon in top.polygons:
        (x0, y0), (x1, y1) = polygon.bounding_box()
        if (polygon.layer, polygon.datatype) == number and x0 <= x <= x1 and y0 <= y <= y1:
            return polygon
    raise AssertionError((number, x, y))


def via_of(top: Any, plan: Plan, row: int, column: int) -> Any:
    p, um, number = plan.parts[0].pattern, plan.grid * 1e6, plan.layers.layers["via"].drawing
    for polygon in top.polygons:
        (x0, y0), (x1, y1) = polygon.bounding_box()
        place = ((y0 + y1) / 2 // (p.row_pitch * um), (x0 + x1) / 2 // (p.column_pitch * um))
        if (polygon.layer, polygon.datatype) == number and place == (row, column):
            return polygon
    raise AssertionError((row, column))


def box(top: Any, plan: Plan, layer: str, *corners: float) -> None:
    """A further rectangle, um."""
    number = plan.layers.layers[layer].drawing
    top.add(gdstk.rectangle(corners[:2], corners[2:], layer=number[0], datatype=number[1]))


def bit_line_x(plan: Plan, column: int) -> float:
    p = plan.parts[0].pattern
    line = next(x for x in p.columns if x.bit_line)
    return (column * p.column_pitch + (line.low + line.high) / 2) * plan.grid * 1e6


def moved_via(top: Any, plan: Plan) -> None:
    via = via_of(top, plan, 3, 5)
    half = plan.parts[0].pattern.row_pitch * plan.grid * 1e6 / 2
    (_, y0), _ = via.bounding_box()
    via.translate(0, half if y0 % (2 * half) < half else -half)


def missing_via(top: Any, plan: Plan) -> None:
    top.remove(via_of(top, plan, 3, 5))


def extra_metal(top: Any, plan: Plan) -> None:
    """A patch of met2 between the bit line and the tab of row 0, column 0."""
    box(top, plan, "met2", 0.1, 0.3, 0.6, 0.6)


def short(top: Any, plan: Plan) -> None:
    """A piece of met1 from the first line of row 1 to the next, clear of every cut."""
    p, um = plan.parts[0].pattern, plan.grid * 1e6
    low, high = sorted(p.rows, key=lambda line: line.low)[:2]
    box(top, plan, "met1", 0.0, (p.row_pitch + low.low) * um, 0.14, (p.row_pitch + high.high) * um)


def open_line(top: Any, plan: Plan) -> None:
    number = plan.layers.layers["met2"].drawing
    line = polygon_at(top, number, bit_line_x(plan, 5), 1.0)
    (x0, y0), (x1, y1) = line.bounding_box()
    top.remove(line)
    box(top, plan, "met2", x0, y0, x1, 1.2)
    box(top, plan, "met2", x0, 1.4, x1, y1)


def swapped_rows(top: Any, plan: Plan) -> None:
    number = plan.layers.layers["met1"].label
    one, two = (text for text in top.labels if text.text in ("s1_0", "s2_0") and text.layer == number[0])
    one.text, two.text = two.text, one.text


def narrowed_line(top: Any, plan: Plan) -> None:
    p, um, number = plan.parts[0].pattern, plan.grid * 1e6, plan.layers.layers["met1"].drawing
    line = polygon_at(top, number, 3.0, (p.rows[0].low + p.rows[0].high) / 2 * um)
    (x0, y0), (x1, y1) = line.bounding_box()
    top.remove(line)
    middle = (y0 + y1) / 2
    box(top, plan, "met1", x0, middle - 0.065, x1, middle + 0.065)


def enclosure(top: Any, plan: Plan) -> None:
    """The tab of row 3, column 5 loses 30 nm on its left side."""
    p, um, number = plan.parts[0].pattern, plan.grid * 1e6, plan.layers.layers["met2"].drawing
    shape = next(s.box for s in p.common if s.layer == "met2")
    x = (5 * p.column_pitch + (shape[0] + shape[2]) / 2) * um
    tab = polygon_at(top, number, x, (3 * p.row_pitch + (shape[1] + shape[3]) / 2) * um)
    (x0, y0), (x1, y1) = tab.bounding_box()
    top.remove(tab)
    box(top, plan, "met2", x0 + 0.03, y0, x1, y1)


@pytest.mark.parametrize(
    ("change", "rule", "words"),
    [
        (moved_via, "", ("r3_c5", "connected otherwise")),
        (missing_via, "", ("not in the schematic", "r3_c5")),
        (extra_metal, "", ("bl0_0", "connected otherwise")),
        (short, "", ("short: ", "1_0")),
        (open_line, "", ("bl0_5", "not in the schematic")),
        (swapped_rows, "", ("s1_0", "s2_0")),
        (narrowed_line, "met1 breaks the rule of width", ()),
        (enclosure, "via in met2 breaks the rule of enclosure", ()),
    ],
)
def test_planted_faults_are_found_and_named(
    change: Change, rule: str, words: tuple[str, ...], small_plan: Draw, tmp_path: Path
) -> None:
    plan, _ = small_plan("cap_balanced", "array", stack="sky130", planes=KITS["sky130"])
    drc, lvs = checked(plan, tmp_path / "x.gds", change)
    if rule:
        assert any(str(v).startswith(rule) for v in drc.violations), drc.violations
    for word in words:
        assert any(word in text for text in lvs.differences), (word, lvs.differences)


def by_netgen(plan: Plan, path: Path) -> tuple[NetgenReport, ...]:
    """netgen's comparison of every plane of a file."""
    program = find_netgen()
    if program is None:
        pytest.skip("netgen-lvs is not installed (apt-get install netgen-lvs)")
    schematics = [schematic_of(part, plan.kind) for part in plan.parts]
    return compare_with_netgen(program, plan, open_in_klayout(path), schematics, path.parent)


@pytest.mark.parametrize("kind", KINDS)
def test_netgen_says_that_layout_and_schematic_match(kind: str, small_plan: Draw, tmp_path: Path) -> None:
    plan, _ = small_plan(kind, "array", stack="sky130", planes=KITS["sky130"])
    for report in by_netgen(plan, write_layout(plan, tmp_path / "x.gds").path):
        assert (report.verdict, report.differences) == (MATCH, ())


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (moved_via, "3_0"),  # a tab of row 3 on its other line
        (missing_via, "3_0"),
        (extra_metal, "0_0"),
        (short, "1_0"),
        (open_line, "bl0_5"),
        (swapped_rows, "s1_0"),
    ],
)
def test_netgen_finds_planted_faults(change: Change, word: str, small_plan: Draw, tmp_path: Path) -> None:
    plan, _ = small_plan("cap_balanced", "array", stack="sky130", planes=KITS["sky130"])
    checked(plan, tmp_path / "x.gds", change)
    first, other = by_netgen(plan, tmp_path / "x.gds")
    assert first.verdict != MATCH
    assert any(word in text for text in first.differences), first.differences
    assert other.verdict == MATCH


def test_the_schematic_is_a_subcircuit_that_ngspice_reads(small_plan: Draw) -> None:
    plan, _ = small_plan("cap_balanced", "array", stack="sky130", planes=KITS["sky130"])
    text = schematic_of(plan.parts[0], plan.kind).spice()
    lines = text.splitlines()
    assert lines[1] == ".subckt array_t0_p0"
    assert lines[-1] == ".ends array_t0_p0"
    part = plan.parts[0]
    assert sum(line.startswith("C") for line in lines) == 2 * part.symbols.size


def closed(geometry: CellGeometry, stack: Stack) -> Extraction:
    return extract(geometry, stack, method="formula")


@pytest.mark.parametrize("kind", ["cap_balanced", "res_via"])
def test_the_cell_read_from_the_file_is_the_configured_one(kind: str, small_plan: Draw, tmp_path: Path) -> None:
    plan, _ = small_plan(kind, "array", stack="sky130", planes=KITS["sky130"])
    shapes = open_layout(write_layout(plan, tmp_path / "x.gds").path).flatten(plan.grid)
    cell, part = make_cell(kind, {}), plan.parts[0]
    symbols, lost = symbols_of(plan, part, shapes)
    assert not len(lost)
    np.testing.assert_array_equal(symbols, part.symbols)
    model = cell.model(plan.stack, part.pattern.plane, closed)
    drawn = drawn_cell(plan, part, shapes, symbols, cell, model, closed)
    assert max(abs(d.relative) for d in drawn.differences) < 1e-6
    # A line drawn 10 % narrower has 1/0.9 of the resistance: the file decides, not the configuration.
    number = plan.layers.layers["met1"].drawing
    rows = shapes.rects[number].copy()
    height = rows[:, 3] - rows[:, 1]
    rows[:, 3] -= height // 10
    shapes.rects[number] = rows
    narrow = drawn_cell(plan, part, shapes, symbols, cell, model, closed)
    worst = narrow.worst("R")
    assert worst is not None
    assert worst.name in ("R_row", "R_gnd")
    assert worst.drawn / worst.configured == pytest.approx(height[0] / (height[0] - height[0] // 10), rel=1e-6)


@pytest.mark.parametrize("dummies", [0, 2])
def test_shields_and_dummy_bit_lines_are_one_ground_net(dummies: int, small_plan: Draw, tmp_path: Path) -> None:
    """Every tab of a plane faces one line that is ground; beside a dummy bit line both are."""
    options = ArrayOptions(dummy_columns=dummies)
    plan, _ = small_plan("cap_balanced", "array", stack="sky130", planes=KITS["sky130"], options=options, group_rows=8)
    part = plan.parts[0]
    layout = open_in_klayout(write_layout(plan, tmp_path / "x.gds").path)
    (band,) = bands_of(part)
    found = extract_band(plan, layout, part, band)
    (ground,) = (n for n in found.circuit.each_net() if n.name == "gnd")
    tied = part.columns + 2 * dummies
    assert ground.terminal_count() == tied * part.rows  # one CMOM each beside every tab
    assert not check_with_klayout(plan, layout).count


def test_bands_of_a_plane_find_what_one_band_finds(
    small_plan: Draw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shield of column 3 is cut in row 2: below it, it is no part of ground."""

    def faults(top: Any, plan: Plan) -> None:
        p, um, number = plan.parts[0].pattern, plan.grid * 1e6, plan.layers.layers["met2"].drawing
        shield = next(line for line in p.columns if not line.bit_line)
        x = (3 * p.column_pitch + shield.low) * um
        line = polygon_at(top, number, x + 0.01, 5.0)
        (x0, y0), (x1, y1) = line.bounding_box()
        top.remove(line)
        box(top, plan, "met2", x0, y0, x1, 2 * p.row_pitch * um)
        box(top, plan, "met2", x0, 2.2 * p.row_pitch * um, x1, y1)

    plan, _ = small_plan("cap_balanced", "array", stack="sky130", planes=KITS["sky130"], group_rows=8)
    whole = checked(plan, tmp_path / "x.gds", faults)[1]
    monkeypatch.setattr("metalrom.signoff.lvs_layout.BAND_CELLS", 4 * plan.parts[0].columns)
    assert len(list(bands_of(plan.parts[0]))) > 1
    bands = checked(plan, tmp_path / "y.gds", faults)[1]
    assert whole.count
    assert bands.count
    assert any("gnd" in text for text in bands.differences)
    clean = write_layout(plan, tmp_path / "z.gds").path
    assert compare_planes(plan, open_in_klayout(clean))[0].ok
