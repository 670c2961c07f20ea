"""Rules of real kits: every cell keeps them as drawn; planted faults are found with rule, layer, value and place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import gdstk
import numpy as np
import pytest

import interconnect
from interconnect.errors import InputError
from interconnect.stack import Stack
from interconnect.stackfile import examine_stack, load_stack
from interconnect.yamlfile import read_yaml
from metalrom.layout.files import write_layout
from metalrom.layout.plan import Plan
from metalrom.layout.read import open_layout
from metalrom.layout.rules import RuleReport, check_rules
from netlists.cells import make_cell
from netlists.cells.base import Plane
from netlists.mapping import ViaProgram

Draw = Callable[..., tuple[Plan, ViaProgram]]
Tamper = Callable[..., Path]

NM = 1e-9
KITS = {
    "sky130": (("met1", "met2"), ("met3", "met4")),
    "freepdk45": (("metal2", "metal3"), ("metal4", "metal5")),
    "gf180": (("Metal2", "Metal3"),),  # none is above Metal5, so that Metal4 and Metal5 are no plane
}
KINDS = ("cap_present", "cap_balanced", "cap_select", "cap_ternary", "cap_tie", "res_via")


def report(plan: Plan, path: Path) -> RuleReport:
    return check_rules(plan, open_layout(path).flatten(plan.grid))


def with_boxes(tamper: Tamper, path: Path, *drawn: tuple[tuple[int, int], tuple[float, ...]]) -> Path:
    """Further rectangles: layer number and box, um."""

    def change(library: Any, cells: dict[str, Any]) -> None:
        del library
        for (layer, kind), (x0, y0, x1, y1) in drawn:
            cells["tile_0"].add(gdstk.rectangle((x0, y0), (x1, y1), layer=layer, datatype=kind))

    return tamper(path, change)


@pytest.mark.parametrize("stack", KITS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_cell_keeps_the_rules_of_its_kit(kind: str, stack: str, small_plan: Draw, tmp_path: Path) -> None:
    plan, _ = small_plan(kind, "array", stack=stack, planes=KITS[stack], group_rows=8)
    found = report(plan, write_layout(plan, tmp_path / "x.gds").path)
    assert not found.violations
    assert any(" on two opposite sides" in rule for rule in found.checked)
    assert not any("enclosure" in rule or "grid" in rule for rule in found.not_checked)


def test_sky130_cell_is_drawn_from_its_enclosures() -> None:
    """met1 and met2 enclose a 150 nm cut by 55 nm all round and 85 nm on two sides (sky130 via.4a, via.5a, m2.4, m2.5).

    Lines with cuts are 150 + 2 x 55 = 260 nm wide, bit line and shield 140 nm: 260 + 2 x 140 + 3 x 140 = 960 nm. A tab
    ends 85 nm beyond the cut on either row line and 140 nm before the next: rows of 2 (150 + 170 + 140) = 920 nm.
    """
    cell = make_cell("cap_balanced", {})
    lengths = cell.lengths(load_stack("sky130"), Plane("met1", "met2"))
    got = (lengths.row_pitch, lengths.column_pitch, lengths.row_width, lengths.column_width)
    assert got == pytest.approx((920 * NM, 960 * NM, 260 * NM, 140 * NM))
    assert lengths.coupling is not None
    assert (lengths.coupling.gap, lengths.coupling.length) == pytest.approx((140 * NM, 780 * NM))


def test_a_given_length_below_a_kit_rule_is_refused() -> None:
    sky130, plane = load_stack("sky130"), Plane("met1", "met2")
    with pytest.raises(InputError, match="line width at a via cut is 200 nm, the stack asks for 260 nm") as told:
        make_cell("cap_balanced", {"row_width": 200 * NM}).lengths(sky130, plane)
    assert told.value.where == "cell.row_width"
    with pytest.raises(InputError, match=r"area of the tab on met2 is 0\.2028 um"):
        make_cell("cap_balanced", {}).lengths(_least_area(sky130, 0.21e-12), plane)


def _least_area(stack: Stack, area: float) -> Stack:
    return replace(stack, metals=tuple(replace(m, min_area=area) for m in stack.metals))


def test_planted_faults_are_named(small_plan: Draw, tamper: Tamper, tmp_path: Path) -> None:
    """A cut with 55 nm all round and 80 nm on two sides; one with 50 nm to the left; a small piece; an odd corner."""
    plan, _ = small_plan("cap_balanced", "array", stack="sky130", planes=KITS["sky130"])
    layers = plan.layers.layers
    met1, met2, via = (layers[name].drawing for name in ("met1", "met2", "via"))
    path = write_layout(plan, tmp_path / "x.gds").path
    good = ((met1, (30.0, 0.0, 31.0, 1.0)), (via, (30.425, 0.425, 30.575, 0.575)))
    assert not report(plan, with_boxes(tamper, path, *good, (met2, (30.37, 0.34, 30.63, 0.66)))).violations
    path = write_layout(plan, tmp_path / "y.gds").path
    faults = (
        (met2, (30.37, 0.345, 30.63, 0.655)),  # 80 nm
        (met1, (33.0, 0.0, 34.0, 1.0)),
        (via, (33.425, 0.425, 33.575, 0.575)),
        (met2, (33.375, 0.2, 33.8, 0.9)),  # 50 nm to the left
        (met2, (36.0, 0.0, 36.2, 0.2)),  # 0.04 um^2
        (met2, (36.0, 0.2, 36.1, 0.2 + 0.002)),  # joined to it, its upper side off the grid of 5 nm
    )
    found = report(plan, with_boxes(tamper, path, *good, *faults)).violations
    by_rule = {(v.rule, round(v.box[0], 3)): v for v in found if v.rule != "width"}
    assert set(by_rule) == {("enclosure", 30.425), ("enclosure", 33.425), ("area", 36.0), ("grid", 36.0)}
    ends, side = by_rule["enclosure", 30.425], by_rule["enclosure", 33.425]
    assert (ends.value, ends.limit, ends.with_layer) == (pytest.approx(80 * NM), pytest.approx(85 * NM), "met2")
    assert (side.value, side.limit) == (pytest.approx(50 * NM), pytest.approx(55 * NM))
    assert str(side).startswith("via cut enclosed by 50 nm of met2, must be 55 nm at (33.425, 0.425)")
    area = by_rule["area", 36.0]
    assert area.value == pytest.approx((0.04 + 0.1 * 0.002) * 1e-12)
    assert area.limit == pytest.approx(0.0676e-12)  # m2.6
    assert "met2 corner off the grid of 5 nm" in str(by_rule["grid", 36.0])


def test_areas_of_random_pieces_are_those_of_a_raster(small_plan: Draw, tamper: Tamper, tmp_path: Path) -> None:
    """Random squares on a coarse raster; labelled by scipy on the raster, an independent way to join and measure."""
    from scipy.ndimage import label

    plan, _ = small_plan("cap_balanced", "array", stack="sky130", planes=KITS["sky130"])
    met2, rng, unit = plan.layers.layers["met2"].drawing, np.random.default_rng(3), 0.1
    drawn = rng.random((40, 40)) < 0.35
    boxes = [
        (met2, (60 + unit * x, unit * y, 60 + unit * (x + 1), unit * (y + 1)))
        for y, x in zip(*np.nonzero(drawn), strict=True)
    ]
    path = with_boxes(tamper, write_layout(plan, tmp_path / "x.gds").path, *boxes)
    found = check_rules(plan, open_layout(path).flatten(plan.grid), limit=10_000).violations
    areas = sorted(round(v.value * 1e12, 9) for v in found if v.rule == "area" and v.value is not None)
    pieces, count = label(drawn)
    size = np.bincount(pieces.ravel())[1:] * unit**2
    assert count > 100
    assert areas == sorted(round(float(s), 9) for s in size if s < 0.0676)


def test_a_stack_without_the_rules_says_so(small_plan: Draw, tmp_path: Path) -> None:
    plan, _ = small_plan("cap_balanced", "array")
    found = report(plan, write_layout(plan, tmp_path / "x.gds").path)
    assert "enclosure of V2, V4 beyond being covered" in found.not_checked
    assert "manufacturing grid" in found.not_checked


def test_rules_of_a_stack_file_are_checked() -> None:
    data, _ = read_yaml(Path(interconnect.__file__).parent / "stacks" / "sky130.yaml")
    via = dict(data["vias"][1])
    via.pop("enclosure_above")
    less = {**data["vias"][1], "end_enclosure_above": "40nm"}
    for changed, words in (
        (via, "give the enclosure on every side, too"),
        (less, "two opposite sides cannot ask for less than every side"),
    ):
        stack, faults = examine_stack({**data, "vias": [data["vias"][0], changed, *data["vias"][2:]]}, "s", "0")
        assert stack is None
        assert [words in str(fault) for fault in faults] == [True]
