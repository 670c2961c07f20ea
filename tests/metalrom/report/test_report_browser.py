"""The report in a real browser: no console message, no clipped figure, prints on paper, readable on a telephone."""

from __future__ import annotations

import html
import json
import re
import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest

from characterization.procedures.document import procedures_document, read_procedure_results
from metalrom.reports import maps
from metalrom.reports.content import TileTop
from metalrom.reports.html import write_report
from metalrom.run.folder import open_run
from metalrom.run.manifest import write_manifest

CHROMIUM = next((p for name in ("chromium", "chromium-browser", "google-chrome") if (p := shutil.which(name))), None)
browser_only = pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed; the page is checked as text only")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip

CUSTOM = {
    "figures": [{"procedure": "custom", "name": "droop", "value": None, "unit": "V", "at": ""}],
    "custom": {"volts": None},
}
"""A result of a procedure that is not loaded."""


@pytest.fixture(scope="module")
def page(make_content, sample_results, tmp_path_factory):
    folder = tmp_path_factory.mktemp("browser")
    results = {name: r for name, r in sample_results.items() if name != "crosstalk"} | read_procedure_results(CUSTOM)
    document = procedures_document(results, "V", 4)
    (folder / "procedures.json").write_text(json.dumps(document))
    write_manifest(folder, {})
    bits = np.random.default_rng(1).integers(0, 2, (16, 28)).astype(np.uint8)
    rows = make_content().table.rows + 1
    content = make_content(
        procedures=open_run(folder).procedures,
        tile_top=TileTop(bits, tuple(k // 7 for k in range(28)), 8, "tile 0"),
        histogram=np.triu(np.ones((rows, rows), dtype=np.int64)),
        configuration=(("array.rows", "64"),),
    )
    return write_report(content, folder / "report.html")


def chromium(page: Path, *words: str) -> subprocess.CompletedProcess[str]:
    profile = page.parent / "profile"
    given = [CHROMIUM, *FLAGS, f"--user-data-dir={profile}", *words, page.as_uri()]
    return subprocess.run(given, capture_output=True, text=True, timeout=120, check=False)


def test_results_of_procedures_are_listed_and_drawn(page):
    text = page.read_text(encoding="utf-8")
    for words in (
        "Thermal noise",
        "Worst patterns",
        "not within the window",
        "droop",
        "not available",
        "array.rows",
        "the procedure custom is not loaded",
    ):
        assert words in text
    assert "Crosstalk" not in text  # it was not run
    assert len(text) < 3e6


@browser_only
def test_the_browser_has_nothing_to_complain_about(page):
    done = chromium(page, "--enable-logging=stderr", "--v=0", "--dump-dom")
    assert "Scope and limitations" in done.stdout
    assert "CONSOLE" not in done.stderr


@browser_only
def test_it_prints_on_a_few_whole_pages(page):
    target = page.parent / "report.pdf"
    chromium(page, "--no-pdf-header-footer", f"--print-to-pdf={target}")
    pages = len(re.findall(rb"/Type\s*/Page\b", target.read_bytes()))
    assert 5 <= pages <= 20


@browser_only
def test_nothing_is_wider_than_a_narrow_screen(page):
    """The page itself must not scroll sideways; wide figures and tables scroll inside their own frames."""
    probe = page.with_name("probe.html")  # a frame, because a window of chromium is at least 500 wide
    inner = html.escape(page.read_text(encoding="utf-8"), quote=True)
    told = "document.title = this.contentDocument.documentElement.scrollWidth + ' of ' + this.clientWidth"
    frame = f'<!DOCTYPE html><title></title><iframe width=400 height=800 style="border:0" srcdoc="{inner}" '
    probe.write_text(f'{frame} onload="{told}"></iframe>', encoding="utf-8")
    done = chromium(probe, "--virtual-time-budget=3000", "--dump-dom")
    title = re.search(r"<title>(\d+) of (\d+)</title>", done.stdout)
    assert title is not None
    assert int(title[2]) == 400
    assert int(title[1]) <= int(title[2])


@browser_only
def test_dark_mode_is_dark_around_light_figures(page):
    target = page.parent / "dark.png"
    chromium(page, "--force-dark-mode", "--window-size=900,500", f"--screenshot={target}")
    assert struct.unpack(">II", target.read_bytes()[16:24]) == (900, 500)
    image = pytest.importorskip("matplotlib.image").imread(target)
    assert image[2, 2, :3].mean() < 0.2  # the page's corner


def test_the_code_error_map_puts_every_pair_in_its_decade():
    """Ten colours of two decades each from 1e-20 on: the last holds 1e-2 to 1."""
    values = np.array([[1e-30, 1e-19, 0.5], [1.0, 0.0101, 0.0099], [np.nan, 3e-5, 0.0]])
    assert maps._decades(values).tolist() == [[0, 0, 9], [9, 9, 8], [-1, 7, 0]]
