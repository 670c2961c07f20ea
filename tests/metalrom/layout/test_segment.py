"""Transistors of a readout's segment as drawn: rules, connectivity, planted faults, areas and wires."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from interconnect import extraction
from interconnect.errors import InputError, UnsupportedCell
from interconnect.stackfile import load_stack
from metalrom.api import load
from metalrom.design.design import Design
from metalrom.layout.canvas import Canvas
from metalrom.layout.check import plan_of
from metalrom.layout.files import write_layout
from metalrom.layout.front_end import FrontEnd, front_end_of
from metalrom.layout.layers import layer_map
from metalrom.layout.plan import Plan
from metalrom.layout.read import open_layout
from metalrom.layout.rules import check_rules
from metalrom.layout.segment import draw_segment
from metalrom.layout.segment_drawing import BitLine, SegmentDrawing, SegmentSite
from metalrom.layout.segment_rows import segment_rows, write_segments
from metalrom.layout.segment_tile import segment_places, segment_site, tile_with_segments
from metalrom.signoff.drc import DrcReport, check_with_klayout, open_in_klayout
from metalrom.signoff.drc_deck import find_program, run_deck, write_deck
from metalrom.signoff.report import sign_off_text
from metalrom.signoff.segment_extract import extract_circuit
from metalrom.signoff.segment_lvs import SegmentLvsReport, compare_segments, extract_segments
from metalrom.signoff.segment_schematic import rows_schematic
from metalrom.signoff.segment_signoff import sign_off_segments
from metalrom.signoff.signoff import sign_off_layout
from netlists.readout.chain import ReadoutChain, SegmentCircuit, SharedLine
from netlists.readout.segment_devices import SegmentNetlist, segment_netlist
from tests.builders import write_config

pytest.importorskip("gdstk")
pytest.importorskip("klayout.db", reason="the extra signoff is not installed")

COLUMNS = 3
STACK = load_stack("sky130")
LAYERS = layer_map(STACK)

# Lines of the rule-clean cells: bit line, then tab and shield, of which the shield passes (nm).
LOWER, WIDER, UPPER = (
    BitLine("met2", 70, 210, ((750, 890),)),
    BitLine("met2", 215, 355, ((1475, 1615),)),
    BitLine("met4", 150, 450, ((1380, 1680),)),
)
SITES = {
    "met1/met2": SegmentSite((LOWER,), 960, "met3"),
    "met3/met4": SegmentSite((UPPER,), 1830, "met2"),
    "both": SegmentSite((WIDER, UPPER), 1830, "li1"),
}
LEAST = (0.42e-6, 0.42e-6, 0.42e-6)


@pytest.fixture(scope="module")
def front() -> FrontEnd:
    found = front_end_of("sky130")
    assert found is not None
    return found


def netlist(planes: int, widths: tuple[float, float, float] = LEAST, length: float = 0.15e-6) -> SegmentNetlist:
    reset, follower, select = widths
    circuit = SegmentCircuit(reset_width=reset, follower_width=follower, follower_length=length, select_width=select)
    return segment_netlist(ReadoutChain(length=0.15e-6, segment=circuit, line=SharedLine(planes=planes)))


def drawing(front: FrontEnd, site: str = "met1/met2", **sizes: Any) -> SegmentDrawing:
    where = SITES[site]
    return draw_segment(front, STACK, netlist(len(where.bit_lines), **sizes), where)


def checked(
    front: FrontEnd, path: Path, site: str = "met1/met2", change: Callable[[Canvas], None] | None = None, **sizes: Any
) -> tuple[DrcReport, SegmentLvsReport]:
    """KLayout's findings on a row of segments, with something done to its shapes."""
    canvas = segment_rows(STACK, drawing(front, site, **sizes), COLUMNS, stub=1000)
    if change is not None:
        change(canvas)
    write_segments(path, canvas, front, LAYERS, 1e-9)
    layout = open_in_klayout(path)
    schematic = rows_schematic(netlist(len(SITES[site].bit_lines), **sizes), COLUMNS, 1, "segments")
    lvs = compare_segments(extract_segments(front, STACK, LAYERS, layout), schematic)
    return check_with_klayout(PLAN, layout, front), lvs


PLAN = Plan("segments", "segments", (), LAYERS, STACK, 1e-9, 0.0, "cap_balanced")


@pytest.mark.parametrize(
    "sizes", [{}, {"widths": (1.0e-6, 0.84e-6, 1.26e-6), "length": 0.18e-6}], ids=["least", "wide"]
)
@pytest.mark.parametrize("site", SITES)
def test_segments_keep_the_rules_and_are_the_netlist(
    site: str, sizes: dict[str, Any], front: FrontEnd, tmp_path: Path
) -> None:
    path = tmp_path / "x.gds"
    if site == "met1/met2" and sizes:  # three contacts and two gates of 180 nm, and a space: more than 960 nm
        sizes = sizes | {"length": 0.15e-6}
    drc, lvs = checked(front, path, site, **sizes)
    assert not drc.violations
    assert {r.kit for r in drc.rules} >= {r.kit for r in front.rules}
    assert lvs.ok, lvs.differences
    planes = len(SITES[site].bit_lines)
    assert lvs.devices == COLUMNS * (2 * planes + 1)
    own = check_rules(PLAN, open_layout(path).flatten(1e-9))
    assert not own.violations
    assert {"mcon lies on met1", "met1 reaches 30 nm beyond mcon on every side"} <= set(own.checked)  # met1.4


@pytest.mark.skipif(find_program() is None, reason="the KLayout program is not installed")
def test_the_written_deck_finds_nothing_and_then_a_narrow_gate(front: FrontEnd, tmp_path: Path) -> None:
    path, deck = tmp_path / "x.gds", write_deck(tmp_path / "x.drc", STACK, LAYERS, front)
    checked(front, path, "both")
    program = find_program()
    assert program is not None
    assert run_deck(program, deck, path) == {}
    checked(front, path, "both", narrowed_gate)
    assert "poly.1a poly.width" in run_deck(program, deck, path)


def test_every_rule_below_the_metals_can_be_broken(front: FrontEnd, tmp_path: Path) -> None:
    """No rule is idle: with values that no drawing keeps every one of them finds something. There is one well."""
    path = tmp_path / "x.gds"
    checked(front, path)
    larger = tuple(replace(r, value=20 * r.value) for r in front.rules)
    strict = replace(front, rules=larger)
    found = {(v.kit, v.layer, v.rule) for v in check_with_klayout(PLAN, open_in_klayout(path), strict).violations}
    idle = {r.name for r in front.rules if r.kind != "covered" and (r.kit, r.layer, r.kind) not in found}
    assert idle == {"nwell.2a nwell.space"}


# ---- planted faults ------------------------------------------------------------------------------------------------


def at(canvas: Canvas, layer: str, x: float, y: float) -> tuple[int, int, int, int]:
    """The rectangle of a layer at a point, nm."""
    return next(r for r in canvas.rects[layer] if r[0] <= x <= r[2] and r[1] <= y <= r[3])


def gates(canvas: Canvas) -> list[tuple[int, int, int, int]]:
    """Channels of the first column that lies inside, lowest first."""
    found = [
        (max(p[0], d[0]), max(p[1], d[1]), min(p[2], d[2]), min(p[3], d[3]))
        for p in canvas.rects["poly"]
        for d in canvas.rects["diff"]
        if p[0] < d[2] and d[0] < p[2] and p[1] < d[1] and d[3] < p[3]
    ]
    return sorted(found, key=lambda g: (g[1], g[0]))


def exchanged_gates(canvas: Canvas) -> None:
    """The reset line of one plane carries the other's name: every reset has the wrong gate."""
    for i, text in enumerate(canvas.texts):
        if text.net in ("reset0_p0", "reset0_p1"):
            canvas.texts[i] = replace(text, net=f"reset0_p{1 - int(text.net[-1])}")


def missing_contact(canvas: Canvas) -> None:
    """Drain of the second column's follower: no contact under its li1."""
    x0, y0, _, y1 = gates(canvas)[COLUMNS + 1]
    canvas.rects["licon"].remove(at(canvas, "licon", x0 - 140, (y0 + y1) / 2))


def shorted_transistor(canvas: Canvas) -> None:
    """li1 from the drain to the source of the first reset."""
    x0, y0, x1, y1 = gates(canvas)[0]
    canvas.box("li1", x0 - 140, y0 + 125, x1 + 140, y1 - 125)


def narrowed_gate(canvas: Canvas) -> None:
    """The first reset's poly is 130 nm wide."""
    x0, y0, x1, y1 = gates(canvas)[0]
    poly = next(p for p in canvas.rects["poly"] if p[0] == x0 and p[2] == x1 and p[1] < y0 and y1 < p[3])
    canvas.rects["poly"].remove(poly)
    canvas.box("poly", poly[0] + 10, poly[1], poly[2] - 10, poly[3])


def narrowed_channel(canvas: Canvas) -> None:
    """The first reset's diffusion loses 30 nm on either side."""
    x0, y0, _, y1 = gates(canvas)[0]
    diff = at(canvas, "diff", x0, (y0 + y1) / 2)
    canvas.rects["diff"].remove(diff)
    canvas.box("diff", diff[0], diff[1] + 30, diff[2], diff[3] - 30)


def no_well_tap(canvas: Canvas) -> None:
    """No contact on the well's tap: the bulk of every PMOS floats."""
    _, bottom, _, top = max(canvas.rects["tap"], key=lambda r: r[1])
    canvas.rects["licon"] = [r for r in canvas.rects["licon"] if not bottom <= r[1] <= top]


def missing_cut(canvas: Canvas) -> None:
    """The first tower of a bit line lacks a cut."""
    canvas.rects["via"].remove(min(canvas.rects["via"], key=lambda r: (r[1], abs(r[0]))))


def implant(canvas: Canvas) -> None:
    """The implant of the followers ends 30 nm too early."""
    box = max(canvas.rects["psdm"], key=lambda r: r[1])
    canvas.rects["psdm"].remove(box)
    canvas.box("psdm", box[0], box[1] + 30, box[2], box[3])


@pytest.mark.parametrize(
    ("change", "rules", "words"),
    [
        (exchanged_gates, (), ("reset0_p0", "reset0_p1", "connected otherwise")),
        (missing_contact, (), ("M_follower_0_r0_c1", "between")),
        (shorted_transistor, (), ("short: bl0_p0_0 and level_p0",)),
        (narrowed_gate, ("poly.1a",), ("M_reset_0_r0_c0", "W/L 0.42 / 0.13", "another size")),
        (narrowed_channel, ("difftap.2",), ("M_reset_0_r0_c0", "W/L 0.36 / 0.15", "another size")),
        (no_well_tap, (), ("M_follower_0_r0_c0", "vdd")),
        (missing_cut, (), ("net bl0_p0_0 against bl0_p0_0: connected otherwise",)),
        (implant, ("psd.5a",), ()),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_planted_faults_are_found_and_named(
    change: Callable[[Canvas], None], rules: tuple[str, ...], words: tuple[str, ...], front: FrontEnd, tmp_path: Path
) -> None:
    site = "both" if change is exchanged_gates else "met1/met2"
    drc, lvs = checked(front, tmp_path / "x.gds", site, change)
    said = " | ".join(lvs.differences)
    assert lvs.ok == (not words), said
    for word in words:
        assert word in said
    assert {v.kit for v in drc.violations} >= set(rules)
    assert bool(drc.violations) or not rules
    for rule in rules:
        assert any(f"rule {rule}," in str(v) for v in drc.violations)


# ---- sizes ---------------------------------------------------------------------------------------------------------


def test_the_height_is_the_sum_of_the_rules(front: FrontEnd) -> None:
    """One plane, every channel 420 nm wide, from the lower side (um, sky130 periphery rules)."""
    tower = 0.14 + 0.26  # met1 space; via 150 + 2 x 55
    tap = 0.14 + 0.23  # met1 space; a line with mcon: 170 + 2 x 30
    pad = (
        0.17 / 2 + 0.17 + 0.33 / 2 - 0.23 / 2
    )  # li1: half of the tap's, space, half of the gate's; from the line's top
    reset = 0.33 / 2 + 0.17 - (0.125 - 0.08)  # li1 of the gate, space, less what contacts' li1 lies inside the channel
    follower = (
        0.13 + 0.21 + 0.33 / 2 + 0.17 / 2 + 0.235
    )  # end cap, poly space, half a pad; half a contact to p-diffusion
    select = 0.27  # diffusion space
    top = 0.17 / 2 + 0.235  # contact of the select's gate
    well = 0.17 / 2 + 0.17 + 0.33 / 2 + 0.17 / 2 + 0.18  # li1 to the tap; half of the tap, well around it
    height = tower + tap + pad + reset + follower + select + top + well + 3 * 0.42
    one = drawing(front)
    assert one.height / 1e3 == pytest.approx(height, abs=1e-9)
    assert one.area == pytest.approx(0.96e-6 * height * 1e-6)
    assert sum(one.part_areas().values()) == pytest.approx(one.area)
    # A wider channel makes the strip taller by as much, here by one more contact and its space each.
    wider = drawing(front, widths=(0.76e-6, 0.42e-6, 0.76e-6))
    assert wider.height - one.height == 2 * 340


def test_what_the_kit_or_the_drawing_cannot_do_is_refused(front: FrontEnd) -> None:
    with pytest.raises(
        InputError, match=r"reset width of 120 nm is below the kit's least of 420 nm \(rule difftap\.2\)"
    ):
        drawing(front, widths=(0.12e-6, 0.42e-6, 0.42e-6))
    with pytest.raises(InputError, match="columns of 960 nm are too narrow for the follower, which takes 1100 nm"):
        drawing(front, length=0.3e-6)
    with pytest.raises(UnsupportedCell, match="segments of 3 planes"):
        draw_segment(front, STACK, netlist(3), replace(SITES["both"], bit_lines=(LOWER, UPPER, UPPER)))
    shared = segment_netlist(ReadoutChain(length=0.15e-6, line=SharedLine(planes=1, columns=2)))
    with pytest.raises(UnsupportedCell, match="one column per line"):
        draw_segment(front, STACK, shared, SITES["met1/met2"])


def test_wires_are_faces_and_edges_of_the_drawn_shapes(front: FrontEnd, tmp_path: Path) -> None:
    """The node between follower and select is one li1 wire from contact to contact: 170 nm by 1.02 um."""
    _, lvs = checked(front, tmp_path / "x.gds")
    found = extract_circuit(front, lvs.extracted, netlist(1), 1, (0, drawing(front).height))
    long = 0.42 + 0.27 + 0.33  # middle to middle: a channel and the space; half a contact's li1 at both ends, um
    # 36.99 aF/um2 and 40.70 aF/um: li1 over the substrate in the extraction technology of open_pdks.
    expected = 36.99 * 0.17 * long + 40.70 * 2 * (0.17 + long)
    assert dict(found.wires)["inner_0"] == pytest.approx(expected * 1e-18, rel=1e-9)
    assert {(d.kind, d.gate) for d in found.devices} == {("n", "reset_0"), ("p", "bl_0"), ("p", "select")}
    # Unshared diffusions: 265 nm of a contacted end times 420 nm.
    assert found.diffusions[0] is not None
    assert found.diffusions[0]["ad"] == pytest.approx(0.265e-6 * 0.42e-6)


# ---- the tile ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reaching", [True, False], ids=["joined", "apart"])
def test_a_tile_with_its_segments(
    reaching: bool, small_plan: Callable[..., Any], front: FrontEnd, tmp_path: Path
) -> None:
    """Two groups of four rows, two planes: clean together, and every bit line of the rows reaches its segment."""
    lengths = {"row_pitch": 1.26e-6, "column_pitch": 1.83e-6}
    planes = (("met1", "met2"), ("met3", "met4"))
    plan, _ = small_plan("cap_balanced", "array", stack="sky130", planes=planes, parameters=lengths)
    shapes = open_layout(write_layout(plan, tmp_path / "t.gds").path).flatten(plan.grid)
    circuit = netlist(2)
    drawn = draw_segment(front, STACK, circuit, segment_site(plan, "li1"))
    canvas = tile_with_segments(plan, shapes, drawn)
    columns, places = len(plan.parts[0].cut_columns), segment_places(plan, drawn)
    assert [y - k * drawn.height for k, y in enumerate(places)] == [4 * 1260, 8 * 1260]
    if not reaching:  # between the rows and their segment, on met4 of the first column
        canvas.rects["met4"] = [r for r in canvas.rects["met4"] if not (r[1] < places[0] <= r[3] and r[2] <= 480)]
    write_segments(tmp_path / "x.gds", canvas, front, LAYERS, plan.grid)
    layout = open_in_klayout(tmp_path / "x.gds")
    schematic = rows_schematic(circuit, columns, len(places), "segments")
    lvs = compare_segments(extract_segments(front, STACK, LAYERS, layout), schematic)
    assert lvs.devices == 5 * columns * len(places)
    if reaching:
        assert not check_with_klayout(PLAN, layout, front).violations
        assert not check_rules(PLAN, open_layout(tmp_path / "x.gds").flatten(plan.grid)).violations
        assert lvs.ok, lvs.differences
    else:
        assert any("bl0_p1_0" in text and "connected otherwise" in text for text in lvs.differences), lvs.differences


LEVELS = {"reset_level": "0.3V", "parking_level": "0.9V", "reset_gate": "1.5V"}
WIDTHS = dict.fromkeys(("reset_width", "follower_width", "select_width"), "0.42um") | {"follower_length": "0.15um"}


def sky130_design(folder: Path, **segment: str) -> Design:
    """One plane of 16 rows and columns in two groups."""
    path = write_config(
        folder / "c.yaml",
        technology={"stack": "sky130", "devices": "sky130"},
        cell={"planes": [{"row": "met1", "column": "met2"}]},
        array={"rows": 16, "columns": 16, "group_rows": 8, "columns_per_adc": 8},
        weights={"random": [16, 8], "bits": 4},
        readout={
            "kind": "chain",
            "segment": WIDTHS | LEVELS | segment,
            "line": {"bias_width": "0.84um", "bias_length": "0.3um"},
            "sampler": {"clamp_width": "0.42um"},
            "bus": {"gate_width": "0.42um"},
            "comparator": {"input_width": "2um", "input_length": "0.15um"},
        },
    )
    return load(path)


@pytest.fixture
def formulas(monkeypatch: pytest.MonkeyPatch) -> None:
    """Closed formulas instead of the field solver."""
    monkeypatch.setattr(Design, "extract", lambda d, g, method="auto": extraction.extract(g, d.stack, "formula"))


@pytest.mark.usefixtures("kits", "formulas")
def test_sign_off_states_the_segment_and_refuses_sizes_of_another_process(tmp_path: Path) -> None:
    found = sign_off_layout(sky130_design(tmp_path), tmp_path / "out", simulate=False)
    assert found.segments is not None, found.no_segments
    assert found.failures == ()
    text = sign_off_text(found)
    assert "area segment            4.54 um2 drawn, 3.13 um2 estimated (1.45 times)" in text
    assert "0 differences in 87 nets and 96 transistors" in text  # 32 segments of three
    narrow = sign_off_layout(sky130_design(tmp_path, reset_width="0.12um"), tmp_path / "out", simulate=False)
    assert any("1.2e-07 m is outside the device set; sky130 allows" in text for text in narrow.failures)


@pytest.mark.ngspice
@pytest.mark.usefixtures("kits", "formulas")
def test_the_level_closes_with_the_wires_that_are_extracted(tmp_path: Path) -> None:
    """Without wires in the netlist the level is off; with those that were drawn it is that of the drawn segment."""

    def level(**segment: str) -> tuple[float, float]:
        design = sky130_design(tmp_path, **segment)
        plan = plan_of(design, "array")
        shapes = open_layout(write_layout(plan, tmp_path / "t.gds").path).flatten(plan.grid)
        found, why = sign_off_segments(design, tmp_path, plan, shapes, lambda _, step: step(), simulate=True)
        assert found is not None, why
        assert found.level is not None
        return found.level.lsb, dict(found.circuit.wires)["bl_0"]

    off, wires = level()
    assert off < -0.1
    # What is left: the wires between the transistors and on the line.
    assert abs(level(wire_capacitance=f"{wires * 1e15:.4f}fF")[0]) < 0.01
