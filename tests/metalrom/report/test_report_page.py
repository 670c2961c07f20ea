"""The written page: well formed, self-contained, complete, escaped, deterministic, and honest about what is missing."""

import os
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from interconnect.errors import InputError
from metalrom.reports import plots
from metalrom.reports.content import FailedRow, GroupRow, MacroTable, SpecRow
from metalrom.reports.html import render_report, report_figures, write_figures, write_report
from netlists.condition import Condition

VOID = {"meta", "br", "link", "img", "input", "hr"}
SECTIONS = [
    "summary", "geometry", "reading", "levels", "margins", "errors", "group", "macro", "fits", "simulations",
    "assumptions", "provenance", "claims",
]  # fmt: skip


class Page(HTMLParser):
    """Collects tags, ids, attributes and text, and checks that every tag is closed in order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.attributes, self.ids, self.words = [], [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        self.ids += [value for key, value in attrs if key == "id"]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data):
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self):
        return re.sub(r"\s+", " ", " ".join(self.words))


@pytest.fixture(scope="module")
def page(make_content, tmp_path_factory):
    path = write_report(make_content(), tmp_path_factory.mktemp("report") / "report.html")
    return Page(path.read_text(encoding="utf-8"))


def test_the_page_is_well_formed_and_complete(page):
    assert [i for i in page.ids if i in SECTIONS] == SECTIONS
    assert len(page.ids) == len(set(page.ids))
    assert page.tags.count("svg") == 16  # 14 pictures and one per macro table (2)


def test_the_page_needs_no_network_and_no_script(page):
    assert not {"script", "link", "img", "iframe", "object", "embed", "base"} & set(page.tags)
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
    assert ("content", policy) in page.attributes
    for key, value in page.attributes:
        if key in ("href", "src", "xlink:href", "action", "data"):
            assert value.startswith("#"), (key, value)
            assert value[1:] in page.ids
        for target in re.findall(r"url\(([^)]*)\)", value or ""):
            assert target.startswith("#")
            assert target[1:] in page.ids
        assert key == "xmlns" or "//" not in (value or "")
        assert not key.startswith("on")


def test_the_style_sheet_refers_to_nothing_outside(make_content):
    style = re.search(r"<style>(.*?)</style>", render_report(make_content()), re.DOTALL).group(1)
    assert "@import" not in style
    assert "url(" not in style
    assert "@media print" in style


def test_terms_are_defined_and_headline_numbers_shown(page):
    for words in ("MAC count", "Least significant bit", "Compute signal-to-noise ratio", "divided by sigma"):
        assert words in page.text
    for words in ("31.4 dB", "gain and offset removed", "1.9 fJ", "18.4", "165.6: 3D-METRO"):
        assert words in page.text.replace("\u00a0", " ")


def test_worst_case_is_compared_with_the_target(page):
    assert "missed" in page.text  # the slow hot corner of the sample misses 1e-5 ...
    assert "met" in page.text.split()  # ... the nominal one meets it


def test_failed_simulations_are_failed_rows(make_content):
    text = render_report(make_content())
    rows = re.findall(r'<tr class="failed">(.*?)</tr>', text, re.DOTALL)
    assert len(rows) == 1
    assert "failed: timestep_too_small" in rows[0]
    assert "left out" in rows[0]


def test_statuses_are_badges(page):
    assert {"published", "measured", "estimate", "user", "assumption"} <= {
        v.removeprefix("badge ") for k, v in page.attributes if k == "class" and v.startswith("badge ")
    }


def test_missing_values_are_called_so(make_content):
    full = render_report(make_content()).count("not available")
    content = make_content()
    holes = replace(
        content,
        headline=replace(content.headline, energy_per_mac=replace(content.headline.energy_per_mac, mid=float("nan"))),
        group_choice=(*content.group_choice, GroupRow(256, None, float("nan"), None)),
        fits=(), csnr=(), error_budget=(), macro=(MacroTable("Latency", ()),), noise_cliff=None, density_reference=None,
    )  # fmt: skip
    text = render_report(holes)
    assert text.count("not available") > full
    assert "nan" not in Page(text).text.lower().split()
    assert "Latency: not available" in Page(text).text


def test_the_errors_of_the_layer_decide_whether_the_target_is_met(make_content):
    content = make_content()
    errors = {c.label: 2 * content.target_error for c in content.table.conditions}
    errors[content.condition] = content.target_error / 2
    text = render_report(replace(content, layer_errors=errors))
    rows = re.findall(r"<tr[^>]*>.*?</tr>", text, re.DOTALL)
    nominal = next(r for r in rows if f"{content.condition} (nominal)" in r)
    other = next(r for r in rows if "ff_1.10V" in r)
    assert 'class="met"' in nominal
    assert 'class="unmet"' in other


def test_hostile_names_are_escaped_everywhere(make_content, make_cell):
    evil = "<script>alert(1)</script>\"'><img src=x onerror=y>$\\frac{$(x)\n.control"
    content = make_content()
    bad = Condition(evil, 1.0, 27.0)
    table = content.table.replace(conditions=(bad, *content.table.conditions[1:]))
    part = content.macro[0]
    part = replace(part, title=evil, note=evil, rows=tuple(replace(r, name=evil, source=evil) for r in part.rows))
    text = render_report(
        replace(
            content, title=evil, subtitle=evil, what=((evil, evil),), table=table, condition=bad.label,
            geometries=(make_cell(0), replace(make_cell(1, S="S" + evil), name=evil)), tile_source=evil,
            planes=(evil,) * 3,
            macro=(part,), warnings=(evil,), group_reason=evil, provenance={evil: evil}, establishes=(evil,),
            assumptions=tuple(replace(a, name=evil, status=evil) for a in content.assumptions),
        )
    )  # fmt: skip
    parsed = Page(text)
    assert not {"script", "img"} & set(parsed.tags)
    assert not [key for key, _ in parsed.attributes if key.startswith("on")]
    assert "<script>alert(1)</script>" in parsed.text


@pytest.mark.parametrize(("rows", "unit", "conditions"), [(1, "A", 1), (64, "V", 8)])
def test_other_sizes_units_and_numbers_of_conditions_draw(make_content, make_table, rows, unit, conditions):
    content = make_content(table=make_table(rows, unit=unit, conditions=conditions))
    text = Page(render_report(content)).text
    assert ("8 conditions were characterized" in text) == (conditions == 8)
    assert ("virtual ground" in text) == (unit == "A")


def test_equal_content_gives_equal_bytes_in_another_process(make_content, tmp_path):
    here = write_report(make_content(), tmp_path / "here.html").read_bytes()
    assert write_report(make_content(), tmp_path / "again.html").read_bytes() == here
    script = (
        "import runpy, sys; from pathlib import Path; from metalrom.reports.html import write_report;"
        "write_report(runpy.run_path(sys.argv[1])['content'](), Path(sys.argv[2]))"
    )
    builder, there = Path(__file__).with_name("conftest.py"), tmp_path / "there.html"
    environment = {**os.environ, "PYTHONHASHSEED": "12345", "PYTHONPATH": os.pathsep.join(sys.path), "TZ": "Asia/Tokyo"}
    subprocess.run([sys.executable, "-c", script, str(builder), str(there)], check=True, env=environment, timeout=120)
    assert there.read_bytes() == here


def test_content_that_differs_gives_another_picture(make_content):
    content = make_content()
    table = content.table.replace(level=content.table.level * 1.1)
    assert plots.level_plot(table, content.condition) != plots.level_plot(content.table, content.condition)


def test_figures_stand_alone_as_files(make_content, tmp_path):
    content = make_content()
    paths = write_figures(content, tmp_path)
    assert {p.stem for p in paths} == set(report_figures(content))
    for path in paths:
        assert ElementTree.parse(path).getroot().tag == "{http://www.w3.org/2000/svg}svg"  # noqa: S314


def test_an_unwritable_place_is_one_sentence_and_leaves_nothing(make_content, tmp_path):
    with pytest.raises(InputError, match="cannot be written"):
        write_report(make_content(), tmp_path / "missing" / "report.html")
    (tmp_path / "taken").mkdir()
    with pytest.raises(InputError, match="cannot be written"):
        write_report(make_content(), tmp_path / "taken")
    assert [p.name for p in tmp_path.iterdir()] == ["taken"]


def test_drawing_libraries_load_only_when_something_is_drawn():
    script = "import sys, metalrom.cli.main; assert not {'matplotlib', 'jinja2'} & set(sys.modules)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", script], check=True, env=environment, timeout=60)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"tile_bits": np.full((3, 2, 2), 2)}, "other than 0 and 1"),
        ({"tile_bits": np.ones((2, 2), dtype=int)}, "planes, rows, columns"),
        ({"planes": ("only one",)}, "1 plane descriptions for 3 planes"),
        ({"target_error": 0.0}, "between 0 and 1"),
        ({"condition": "xx_1.00V_27C"}, "was not characterized"),
        ({"group_choice": (GroupRow(8, 0.1, 0.1, 0.1, True), GroupRow(16, 0.1, 0.1, 0.1, True))}, "more than one"),
    ],
)
def test_contradictory_content_is_refused(make_content, changes, words):
    with pytest.raises(InputError, match=words):
        make_content(**changes)


def spec_row(**changes):
    row = SpecRow("csnr > 40 dB", "31.4 dB", "", "tt_1.00V_27C", False, True, "", "the layer <through> the macro")
    return replace(row, **changes)


def test_specifications_stand_before_the_pictures_with_every_verdict(make_content):
    specs = (
        spec_row(),
        spec_row(
            requirement="density > 10 Mb/mm²", value="18.4 Mb/mm²", span="11 to 26 Mb/mm²", condition="", passed=True
        ),
        spec_row(requirement="energy_per_mac < 2 fJ", value="1.9 fJ", span="1.2 to 3.4 fJ", passed=True, certain=False),
    )
    html = render_report(make_content(specs=specs))
    page = Page(html)
    assert html.index('id="specifications"') < html.index("<svg")
    assert "Specifications: 1 of 3 missed" in page.text
    assert page.text.count("✓ pass") == 2
    assert page.text.count("✗ fail") == 1
    assert page.text.count("The range reaches across the limit") == 1
    assert "the layer <through> the macro" in page.text  # escaped in the source, whole on the page
    good = Page(render_report(make_content(specs=specs[1:])))
    assert "Specifications: 2 of 2 met" in good.text
    assert "specifications" not in Page(render_report(make_content())).ids


def test_a_failed_condition_is_a_row_wherever_conditions_are_listed(make_content):
    failed = FailedRow("ss_0.90V_125C", "12 of 15 simulations failed (verdict timeout first)")
    html = render_report(make_content(specs=(spec_row(passed=True),), failed_conditions=(failed,)))
    assert "Specifications: 1 of 1 met, 1 condition failed" in re.sub(r"\s+,", ",", Page(html).text)
    assert html.count("12 of 15 simulations failed") == 2  # among the specifications and in the table of levels
    levels = html[html.index('id="levels"') : html.index('id="margins"')]
    assert "ss_0.90V_125C" in levels
