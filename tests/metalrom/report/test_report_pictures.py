"""Cell views and the stack picture: to scale, complete, and with every via where its bit says."""

from dataclasses import replace
from math import cos, sin
from xml.etree import ElementTree

import numpy as np
import pytest

from interconnect.errors import InputError
from metalrom.drawing.palette import PAINT, role
from metalrom.reports import stack_view
from metalrom.reports.geometry_views import cross_section, cut_position, top_view
from metalrom.reports.schematic import density_bar, read_schematic
from metalrom.reports.stack_view import paint_order, stack_picture, tile_blocks

SVG = "{http://www.w3.org/2000/svg}"


def parse(svg):
    return ElementTree.fromstring(svg)  # noqa: S314 - our own text


def texts(svg):
    return [e.text for e in parse(svg).iter(f"{SVG}text")]


def full_rects(svg, colour):
    """Rectangles (x, y, width, height) of a fill colour that are drawn in full strength, legend squares left out."""
    found = []
    for e in parse(svg).iter(f"{SVG}rect"):
        place = tuple(float(e.get(k)) for k in ("x", "y", "width", "height"))
        if e.get("fill") == colour and float(e.get("fill-opacity", "1")) > 0.5 and place[2:] != (13.0, 13.0):
            found.append(place)
    return found


def test_the_views_together_name_every_net(make_cell):
    cell = make_cell(1, S="row_s", G="ground_row", BL="bl_7")
    named = " ".join(texts(top_view(cell)))
    assert all(net in named for net in cell.nets)
    cuts = " ".join(texts(cross_section(cell, "x")) + texts(cross_section(cell, "y")))
    assert all(net in cuts for net in cell.nets)


def test_the_cut_is_to_scale_in_both_axes(make_cell):
    svg = cross_section(make_cell(1), "x")
    (bl,) = full_rects(svg, PAINT["bitline"].fill)
    (row,) = full_rects(svg, PAINT["signal"].fill)
    assert row[2] / bl[2] == pytest.approx(300 / 50, rel=1e-3)  # the row spans the 300 nm period, the line is 50 wide
    assert bl[3] / bl[2] == pytest.approx(95 / 50, rel=1e-3)  # 95 nm thick
    assert (row[1] - (bl[1] + bl[3])) / bl[3] == pytest.approx(90 / 95, rel=1e-2)  # 90 nm of dielectric between


def test_the_cut_meets_the_via_and_only_what_lies_in_it(make_cell):
    cell = make_cell(1)
    assert cut_position(cell, "y") == pytest.approx(50e-9)  # the via of a 1 sits on S, y = 25..75 nm
    assert full_rects(cross_section(cell, "x"), PAINT["via"].fill)
    elsewhere = cross_section(cell, "x", at=150e-9)  # through the ground row
    assert not full_rects(elsewhere, PAINT["via"].fill)
    assert full_rects(elsewhere, PAINT["ground"].fill)


def test_dimensions_are_the_boxes_own_lengths(make_cell):
    cell = make_cell(1)
    wider = [replace(b, upper=(b.upper[0] + 13e-9, *b.upper[1:])) if b.net == "BL" else b for b in cell.boxes]
    assert "63" not in texts(top_view(cell))
    assert "63" in texts(top_view(replace(cell, boxes=tuple(wider))))  # 50 + 13 nm
    assert "150" in texts(cross_section(cell, "y"))  # the tab's length


@pytest.mark.parametrize("bit", [0, 1])
def test_the_via_of_each_bit_has_its_own_colour(make_cell, bit):
    colours = {1: PAINT["via"].fill, 0: PAINT["via0"].fill}
    svg = top_view(make_cell(bit), bit=bit)
    assert full_rects(svg, colours[bit])
    assert not full_rects(svg, colours[1 - bit])


def test_every_weight_bit_is_a_via_on_the_right_row(make_cell):
    bits = np.random.default_rng(1).integers(0, 2, (2, 3, 4))
    one, zero = make_cell(1), make_cell(0)
    blocks = tile_blocks((zero, one), bits)
    rise = min(b.lower[2] for b in blocks if b.role == "via0" or b.role == "via")
    back = np.full(bits.shape, -1)
    step = stack_view._rise(one)
    for block in blocks:
        if block.role in ("via", "via0"):
            plane = round((block.lower[2] - rise) / step)
            row, within = divmod((block.lower[1] + block.upper[1]) / 2, one.period[1])
            back[plane, int(row), int(block.lower[0] // one.period[0])] = within < 100e-9  # S at 50 nm, G at 150 nm
    np.testing.assert_array_equal(back, bits)
    marks = [t for t in texts(stack_picture((zero, one), bits, ("a", "b"))) if t in ("0", "1")]
    assert marks.count("1") == bits.sum()
    assert len(marks) == bits.size


def test_the_picture_shows_the_nearest_box_everywhere(make_cell):
    """Independent check of the painting order: cast rays and compare the nearest box with the one painted last."""
    bits = np.random.default_rng(2).integers(0, 2, (2, 3, 3))
    blocks = tile_blocks((make_cell(0), make_cell(1)), bits)
    place = np.argsort(paint_order(blocks))
    lower, upper = (np.array([getattr(b, k) for b in blocks]) for k in ("lower", "upper"))
    turn, tilt = stack_view._TURN, stack_view._TILT
    towards = np.array([sin(turn) * cos(tilt), cos(turn) * cos(tilt), sin(tilt)])
    assert stack_view._project(*towards) == pytest.approx((0.0, 0.0), abs=1e-12)  # a view ray is one point
    rng = np.random.default_rng(3)
    starts = rng.uniform(lower.min(axis=0), upper.max(axis=0), (4000, 3))
    near = (lower[None] - starts[:, None]) / towards
    far = (upper[None] - starts[:, None]) / towards
    enters, leaves = near.max(axis=2), far.min(axis=2)
    hit = leaves - enters > 1e-12
    seen = np.where(hit, leaves, -np.inf).argmax(axis=1)[hit.any(axis=1)]
    painted = np.where(hit, place[None, :], -1).argmax(axis=1)[hit.any(axis=1)]
    assert len(seen) > 2000
    np.testing.assert_array_equal(painted, seen)


def test_the_picture_refuses_geometries_that_do_not_fit(make_cell):
    bits = np.ones((1, 1, 1), dtype=int)
    with pytest.raises(InputError, match="one cell with the same period"):
        stack_picture((replace(make_cell(0), period=(310e-9, 200e-9)), make_cell(1)), bits, ("a",))
    with pytest.raises(InputError, match="one cell"):
        stack_picture((make_cell(0), replace(make_cell(1), rows=2)), bits, ("a",))


def test_roles_follow_kind_direction_and_net(make_cell):
    assert [role(b) for b in make_cell(1).boxes] == ["signal", "ground", "bitline", "tab", "via", "shield"]


def test_hostile_net_names_stay_text(make_cell):
    name = 'a<script>\n.control\x00&"'
    svg = top_view(make_cell(1, S=name))
    assert not [e for e in parse(svg).iter() if "script" in e.tag]
    assert 'a<script>\n.control\ufffd&"' in texts(svg)


@pytest.mark.parametrize(("unit", "words"), [("V", "reset switch"), ("A", "held at a virtual ground")])
def test_the_schematic_follows_the_kind_of_readout(unit, words):
    assert words in texts(read_schematic(unit, 24))
    assert any("24 rows" in t for t in texts(read_schematic(unit, 24)))


def test_read_schematic_of_ternary_cells() -> None:
    drawn = texts(read_schematic("V", 10, signed=True))
    for words in ("weight +1: raises the level", "weight 0: no via, adds nothing"):
        assert words in drawn
    assert "weight -1: lowers the level" in drawn


def test_read_schematic_of_a_pair_draws_both_columns() -> None:
    """Plus and minus bit line into one converter; three rows of -1, 0 and 1 are three cells on either line."""
    svg = read_schematic("V", 10, pair=True)
    drawn = texts(svg)
    assert {"plus bit line", "minus", "difference", "weight +1", "weight 0", "weight -1"} <= set(drawn)
    assert "code = count" not in drawn
    plates = [e for e in parse(svg).iter(f"{SVG}line") if e.get("stroke-width") == "2.4"]
    assert len(plates) == 2 * 2 * 3


def test_an_unknown_density_is_said_and_not_drawn(make_content):
    content = make_content()
    head = replace(content.headline, density_macro=replace(content.headline.density_macro, mid=None))
    svg = density_bar(head, content.density_reference)
    assert "not available" in texts(svg)
    assert len(list(parse(svg).iter(f"{SVG}rect"))) == 1
