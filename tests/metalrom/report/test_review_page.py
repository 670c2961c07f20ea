"""What a design review asks of the page: verdict, efficiency, yield, linearity, weakest level; SYNTHETIC figures."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from characterization.sign_off import nonlinearity, sign_off
from characterization.uncertainty import ReadoutUncertainty
from metalrom.formatting import Figure
from metalrom.macro.merit import Merit, counted_as, efficiency, throughput, throughput_density
from metalrom.macro.quantity import Span
from metalrom.reports.geometry_views import cross_section, top_view
from metalrom.reports.html import render_report
from metalrom.reports.plots import margin_plot
from metalrom.reports.schematic import density_bar, read_schematic
from metalrom.reports.sign_off_plots import linearity_plot
from metalrom.run.results import ChipDistribution, DrawnChip

TT = "tt_1.00V_27C"
TEXT = re.compile(r'<text x="(?P<x>[-\d.]+)"[^>]*font-size="(?P<size>[\d.]+)"(?P<rest>[^>]*)>(?P<text>[^<]*)<')


def words(picture: str) -> list[str]:
    return re.findall(r">([^<>]+)</text>", picture)


def test_merit_counts_two_operations_per_mac() -> None:
    """1000 MACs in 2 ns for 4 nJ on 0.5 mm2: 2000 operations are 1 TOPS, 0.5 TOPS/W and 2 TOPS/mm2."""
    tops = throughput(1000, Span.exact(2e-9))
    assert tops.mid == pytest.approx(1.0)
    assert efficiency(1000, Span.exact(4e-9)).mid == pytest.approx(0.5)
    assert throughput_density(tops, Span(0.25e-6, 0.5e-6, 1e-6)).to_dict() == pytest.approx(
        {"low": 1.0, "mid": 2.0, "high": 4.0}
    )
    assert counted_as(4, 8) == "1 MAC = 2 operations, 4-bit inputs x 8-bit weights"


def merit(condition: str) -> Merit:
    exact = Span.exact
    return Merit(
        condition, exact(607e-9), exact(857e-15), exact(1.69e-3), Span(1.2, 2.33, 4.6), exact(0.191), "1 MAC = 2"
    )


def test_the_first_screen_holds_verdict_efficiency_and_yield(make_content) -> None:
    content = make_content()
    chips = ChipDistribution(
        TT, 1e-5, "cells", (DrawnChip(1, 1.0, 0.0, None),) * 20, 0.0, 0.0, None, None, 0.95, (0.75, 1.0)
    )
    page = render_report(
        replace(content, verdict="missed", merits=(merit(TT), merit("x")), chips=chips, cell_text="A cell of its own.")
    )
    first = page[: page.index('id="signoff"') if 'id="signoff"' in page else page.index('id="geometry"')]
    plain = " ".join(re.sub(r"<[^>]+>", " ", first).replace("\u00a0", " ").split())
    worst = content.table.worst_margin().condition
    assert f"Verdict: missed , judged at the worst condition ({worst})" in plain
    for text in ("607 ns", "2.33 TOPS/W", "1.2 to 4.6 TOPS/W", "0.191 TOPS/mm²", "1.69 Gop/s", "95 %", "75 to 100 %"):
        assert text in plain
    assert page.count("A cell of its own.") == 2  # geometry and how it is read
    assert "coupling finger or plug" not in page


def test_linearity_is_drawn_from_the_definition(make_content) -> None:
    table = make_content().table
    drawn = words(linearity_plot(table, [TT]))
    assert {"INL, LSB", "DNL, LSB", TT} <= set(drawn)
    inl, dnl, _ = nonlinearity(table.at(TT))
    figures = sign_off(table, TT, ReadoutUncertainty(40))
    assert figures.inl == pytest.approx(np.abs(inl).max())
    assert figures.dnl == pytest.approx(np.abs(dnl).max())


def test_the_margin_curve_names_its_weakest_level(make_content) -> None:
    content = make_content()
    worst = content.table.worst_margin()
    drawn = words(margin_plot(content.table, content.condition, content.target_error))
    assert f"weakest: count {worst.count} of {worst.active} active" in drawn
    assert f"{worst.condition}, {worst.margin:.2f} sigma" in drawn
    lowest = min(float(np.nanmin(content.table.margins(c))) for c in content.table.conditions)
    assert worst.margin == pytest.approx(lowest)  # so that the ring sits on the lowest curve's minimum


def test_one_density_with_what_it_follows_from(make_content) -> None:
    content = make_content()
    head = replace(
        content.headline,
        weight_density=Figure("density of weight bits with periphery", 12.25, "Mb/mm2"),
        density_steps=(
            "40 % of the cells hold weights; cells cover 92 % of the macro",
            "6 vias hold a weight of 4 bit",
        ),
    )
    drawn = words(density_bar(head, content.density_reference))
    assert drawn[:6] == [
        "cells alone", "50\u00a0Mb/mm²", "with periphery", "18.4\u00a0Mb/mm²", "weight bits of it", "12.2\u00a0Mb/mm²",
    ]  # fmt: skip
    page = render_report(replace(content, headline=head))
    assert "cells cover 92 % of the macro, with the periphery under the array; 6 vias hold a weight of 4 bit." in page


@pytest.mark.parametrize("draw", [cross_section, top_view])
def test_long_names_of_metals_stay_in_the_picture(make_cell, draw) -> None:
    cell = make_cell(1)
    boxes = tuple(replace(b, layer={"M4": "metal10", "M5": "metal_top"}.get(b.layer, b.layer)) for b in cell.boxes)
    picture = draw(replace(cell, boxes=boxes))
    ends = [m for m in TEXT.finditer(picture) if m["text"] in ("metal10", "metal_top")]
    assert ends
    for m in ends:
        width = 0.58 * float(m["size"]) * len(m["text"])
        assert float(m["x"]) - (width if 'text-anchor="end"' in m["rest"] or "end" in m[0] else 0.0) >= 0


@pytest.mark.parametrize("unit", ["V", "A"])
@pytest.mark.parametrize("signed", [False, True])
def test_the_schematic_holds_all_of_its_words(unit, signed) -> None:
    picture = read_schematic(unit, 16, signed=signed)
    for m in TEXT.finditer(picture):
        if "anchor" not in m[0]:
            assert float(m["x"]) + 0.58 * float(m["size"]) * len(m["text"]) <= 640
