"""The rule check: planted violations in written files are found with layer, place, value and rule; slabs are exact."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gdstk
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metalrom.layout.audit import audit_layout
from metalrom.layout.files import write_layout
from metalrom.layout.plan import Plan
from metalrom.layout.read import Shapes, open_layout
from metalrom.layout.rules import check_rules
from metalrom.layout.slabs import Slabs, turned
from metalrom.layout.violation import Violation
from netlists.mapping import ViaProgram

Draw = Callable[..., tuple[Plan, ViaProgram]]
Tamper = Callable[..., Path]

NM = 1e-9


def add(tamper: Tamper, path: Path, number: tuple[int, int], *boxes: tuple[float, float, float, float]) -> Path:
    """Further rectangles (um) on a layer of a written file."""

    def change(library: Any, cells: dict[str, Any]) -> None:
        del library
        for x0, y0, x1, y1 in boxes:
            cells["tile_0"].add(gdstk.rectangle((x0, y0), (x1, y1), layer=number[0], datatype=number[1]))

    return tamper(path, change)


def found(plan: Plan, path: Path) -> tuple[Violation, ...]:
    report = check_rules(plan, open_layout(path).flatten(plan.grid))
    assert report.count == len(report.violations)
    return report.violations


def test_a_widened_tab_breaks_a_space(small_plan: Draw, tamper: Tamper, tmp_path: Path) -> None:
    """The tab of row 3, column 4 grows 10 nm to the right: 45 - 10 = 35 nm remain to the shield beside it."""
    plan, program = small_plan("cap_balanced", "array")
    path = write_layout(plan, tmp_path / "x.gds").path
    p, um = plan.parts[0].pattern, plan.grid * 1e6
    tab = next(s.box for s in p.common if s.layer == "M3")
    x, y = (4 * p.column_pitch + tab[2]) * um, 3 * p.row_pitch * um
    box = (x - 0.01, y + tab[1] * um, x + 0.01, y + tab[3] * um)
    (v,) = found(plan, add(tamper, path, plan.layers.layers["M3"].drawing, box))
    assert (v.layer, v.rule, v.limit) == ("M3", "space", pytest.approx(45 * NM))
    assert v.value == pytest.approx(35 * NM)
    assert v.box[0] == pytest.approx(x + 0.01)
    assert v.place == "tile 0, plane 0, row 3, column 4"
    assert "M3 space 35 nm, must be at least 45 nm" in str(v)
    audit = audit_layout(plan, open_layout(path).flatten(plan.grid), program)
    assert (audit.differing, audit.wires) == (0, 1)  # and the 10 nm are metal that the plan does not have
    (told,) = audit.sentences
    assert told.startswith("M3: metal that should not be there at ")


def test_a_narrow_piece_and_a_corner(small_plan: Draw, tamper: Tamper, tmp_path: Path) -> None:
    """Beside the array: a line of 30 nm; two squares whose corners are 30 nm and 20 nm apart: 36.06 nm."""
    plan, _ = small_plan("cap_balanced", "array")
    metal = plan.layers.layers["M2"].drawing
    path = write_layout(plan, tmp_path / "x.oas").path
    boxes = ((10.0, 0.0, 10.03, 1.0), (11.0, 0.0, 11.1, 0.1), (11.13, 0.12, 11.23, 0.22))
    width, corner = found(plan, add(tamper, path, metal, *boxes))
    assert (width.layer, width.rule, width.value, width.box) == ("M2", "width", pytest.approx(30 * NM), boxes[0])
    assert (corner.layer, corner.rule) == ("M2", "space")
    assert corner.value == pytest.approx(np.hypot(30, 20) * NM)
    assert corner.box == pytest.approx((11.1, 0.1, 11.13, 0.12))


def test_the_other_diagonal_and_pieces_that_touch(small_plan: Draw, tamper: Tamper, tmp_path: Path) -> None:
    plan, _ = small_plan("cap_balanced", "array")
    metal = plan.layers.layers["M2"].drawing
    path = write_layout(plan, tmp_path / "x.gds").path
    # Three abutting pieces are one line: the middle one is narrower than the least width, and no gap.
    pieces = ((10.0, 0.0, 10.1, 0.1), (10.1, 0.0, 10.12, 0.1), (10.12, 0.0, 10.3, 0.1))
    assert not found(plan, add(tamper, path, metal, *pieces))
    (corner,) = found(plan, add(tamper, path, metal, (11.0, 0.12, 11.1, 0.22), (11.13, 0.0, 11.23, 0.1)))
    assert corner.value == pytest.approx(np.hypot(30, 20) * NM)
    assert corner.box == pytest.approx((11.1, 0.1, 11.13, 0.12))


def test_cuts_uncovered_too_close_and_of_another_size(small_plan: Draw, tamper: Tamper, tmp_path: Path) -> None:
    plan, _ = small_plan("cap_balanced", "array")
    layers = plan.layers.layers
    path = write_layout(plan, tmp_path / "x.gds").path
    add(tamper, path, layers["M2"].drawing, (10.0, 0.0, 10.5, 0.5))
    add(tamper, path, layers["M3"].drawing, (10.0, 0.0, 10.5, 0.5))
    assert not found(plan, path)
    # 5 nm out of the metals on the left; 30 nm to the next cut; one of 50 nm.
    cuts = ((9.995, 0.1, 10.04, 0.145), (10.07, 0.1, 10.115, 0.145), (10.3, 0.3, 10.345, 0.35))
    by_rule = {(v.rule, v.with_layer): v for v in found(plan, add(tamper, path, layers["V2"].drawing, *cuts))}
    assert set(by_rule) == {("size", ""), ("space", ""), ("cover", "M2"), ("cover", "M3")}
    assert by_rule["size", ""].value == pytest.approx(50 * NM)
    assert by_rule["space", ""].value == pytest.approx(30 * NM)
    cover = by_rule["cover", "M2"]
    assert (cover.value, cover.box) == (pytest.approx(-5 * NM), cuts[0])
    assert "V2 cut not covered by M2: sticks out by 5 nm" in str(cover)


def test_shortened_tab_leaves_its_cut_uncovered(small_plan: Draw, tamper: Tamper, tmp_path: Path) -> None:
    """The upper metal of one plane loses 30 nm at the lower end of every tab: vias on the lower line stick out."""
    plan, program = small_plan("cap_balanced", "array")
    path = write_layout(plan, tmp_path / "x.gds").path
    part = plan.parts[0]
    tab = next(s.box for s in part.pattern.common if s.layer == "M3")

    def shorten(library: Any, cells: dict[str, Any]) -> None:
        del library
        common = cells["common_p0"]
        for old in list(common.polygons):
            common.remove(old)
        x0, y0, x1, y1 = (v * plan.grid * 1e6 for v in tab)
        number = plan.layers.layers["M3"].drawing
        common.add(gdstk.rectangle((x0, y0 + 0.03), (x1, y1), layer=number[0], datatype=number[1]))

    report = check_rules(plan, open_layout(tamper(path, shorten)).flatten(plan.grid))
    low = min(range(2), key=lambda k: part.pattern.symbols[k][0].box[1])
    assert report.count == int((part.symbols == low).sum())
    assert {(v.layer, v.rule, v.with_layer) for v in report.violations} == {("V2", "cover", "M3")}
    del program


@pytest.mark.parametrize(
    ("stack", "plane", "kind"),
    [("sky130", ("met2", "met3"), "cap_present"), ("sky130", ("met3", "met4"), "cap_ternary")],
)
def test_cells_keep_the_rules_where_cuts_are_smaller_than_the_least_width(
    small_plan: Draw, stack: str, plane: tuple[str, str], kind: str, tmp_path: Path
) -> None:
    """via2, via3: 200 nm; met3: at least 300 nm wide."""
    plan, program = small_plan(kind, "array", stack=stack, planes=(plane,))
    assert not found(plan, write_layout(plan, tmp_path / "x.gds").path)
    del program


rectangles = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(1, 5), st.integers(1, 5)), min_size=1, max_size=7
)


def _runs(picture: np.ndarray[Any, Any]) -> list[tuple[int, int, int]]:
    out = []
    for y, line in enumerate(picture):
        edges = np.flatnonzero(np.diff(np.concatenate([[0], line, [0]])))
        out += [(y, int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]
    return out


@settings(max_examples=150, deadline=None)
@given(rectangles, st.tuples(st.integers(0, 12), st.integers(0, 12), st.integers(1, 3), st.integers(1, 3)))
def test_slabs_are_the_painted_union(boxes: list[tuple[int, int, int, int]], probe: tuple[int, int, int, int]) -> None:
    """Against a picture painted pixel by pixel: every run of metal in every line, and what is covered."""
    rects = np.array([(x, y, x + w, y + h) for x, y, w, h in boxes], dtype=np.int64)
    picture = np.zeros((20, 20), dtype=int)
    for x0, y0, x1, y1 in rects:
        picture[y0:y1, x0:x1] = 1
    for own, painted in ((rects, picture), (turned(rects), picture.T)):
        slabs = Slabs.of(own)
        got = [
            (y, int(a), int(b))
            for s, a, b in zip(slabs.slab, slabs.low, slabs.high, strict=True)
            for y in range(int(slabs.edges[s]), int(slabs.edges[s + 1]))
        ]
        assert sorted(got) == sorted(_runs(painted))
    x, y, w, h = probe
    cut = np.array([[x, y, x + w, y + h]], dtype=np.int64)
    assert bool(Slabs.of(rects).covered(cut)[0]) == bool(picture[y : y + h, x : x + w].all())


@pytest.fixture(scope="module")
def one_cell(small_plan: Draw) -> Plan:
    plan, _ = small_plan("cap_balanced", "cell")
    return plan


@settings(max_examples=100, deadline=None)
@given(boxes=rectangles, apart=st.integers(1, 4))
def test_spaces_against_distances_of_painted_islands(
    one_cell: Plan, boxes: list[tuple[int, int, int, int]], apart: int
) -> None:
    """Islands of the painted picture (scipy) closer than the rule, in a straight line, are what the check finds; what
    it finds beside them are empty notches of one island."""
    from scipy import ndimage

    rule = round(one_cell.stack.metal("M2").min_space / one_cell.grid)
    scale = rule // apart  # the rule is `apart` pixels or a little more
    picture = np.zeros((20, 20), dtype=int)
    rects = np.array([(x + 1, y + 1, x + 1 + w, y + 1 + h) for x, y, w, h in boxes], dtype=np.int64)
    for x0, y0, x1, y1 in rects:
        picture[y0:y1, x0:x1] = 1
    islands, count = ndimage.label(picture, structure=np.ones((3, 3)))
    pixels = [np.argwhere(islands == k) for k in range(1, count + 1)]
    near = np.inf
    for i, a in enumerate(pixels):
        for b in pixels[:i]:
            d = np.maximum(np.abs(a[:, None] - b[None]) - 1, 0)
            near = min(near, float(np.hypot(d[..., 0], d[..., 1]).min()))
    shapes = Shapes(Path("painted.gds"), "cell", {one_cell.layers.layers["M2"].drawing: rects * scale})
    spaces = [v for v in check_rules(one_cell, shapes, limit=1000).violations if v.rule == "space"]
    if near * scale < rule:
        assert min(v.value or 0.0 for v in spaces) <= near * scale * one_cell.grid * (1 + 1e-9)
        return
    for v in spaces:
        x0, y0, x1, y1 = (round(side / (one_cell.grid * 1e6 * scale)) for side in v.box)
        assert not picture[y0:y1, x0:x1].any()
        assert len(set(islands[y0 - 1 : y1 + 1, x0 - 1 : x1 + 1].ravel()) - {0}) == 1
