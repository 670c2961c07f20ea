"""Charts and table of the sign-off on the page, of SYNTHETIC figures: what they show is what the run holds."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from characterization.sign_off import sign_off
from characterization.uncertainty import ReadoutUncertainty
from characterization.waveform import Instant, ReadWaveform, Trace
from metalrom.reports.html import render_report, report_figures
from metalrom.run.results import ChipDistribution, DrawnChip

TT = "tt_1.00V_27C"


@pytest.fixture(scope="module")
def signed(make_content):
    """The synthetic report with intervals of every condition, 24 chips and a waveform."""
    content = make_content()
    known = ReadoutUncertainty(40, extraction=0.01, noise=0.02, supply=0.002)
    figures = tuple(sign_off(content.table, c, known) for c in content.table.conditions)
    chips = tuple(DrawnChip(k, 1.0, 2e-6 * k, None if k == 0 else 40.0 - k / 4) for k in range(24))
    time = (0.0, 1e-9, 2e-9, 3e-9)
    trace = Trace("bit line", "V", (0.0, 0.0, 0.2, 0.21))
    return replace(
        content,
        sign_off=figures,
        layer_errors={s.condition: s.code_error for s in figures},
        csnr_intervals={s.condition: (28.5, 30.25) for s in figures},
        chips=ChipDistribution(
            TT, 1e-5, "cells and converters", chips, 2.3e-5, 4.6e-5, 37.0, 34.25, 6 / 24, (0.1, 0.47)
        ),
        waveform=ReadWaveform(TT, 16, 12, time, (trace,), (Instant("rows rise", 1e-9), Instant("sample", 3e-9))),
    )


def texts(picture: str) -> list[str]:
    return re.findall(r">([^<>]+)</text>", picture)


def test_the_page_states_the_intervals_that_the_run_holds(signed) -> None:
    page = render_report(signed)
    worst = signed.sign_off_at(signed.table.worst_margin().condition)
    low, high = worst.margin_interval_sigma
    assert page.count(f"{low:.2f} to {high:.2f}") == 2  # card and table
    assert "28.5 to 30.2 dB" in page
    for figures in signed.sign_off:
        assert f"{figures.enob:.2f}" in page
    for word in ("INL, LSB", "DNL, LSB", "ENOB", "noise of the row supply, 1 % rms"):
        assert word in page


def test_intervals_by_cause_and_the_budget_name_their_parts(signed) -> None:
    figures = report_figures(signed)
    causes = ["mismatch samples", "extraction", "noise", "supply noise", "all together"]
    assert [t for t in texts(figures["intervals"]) if t in causes] == causes
    budget = texts(figures["budget"])
    assert {"mismatch of cells and transistors", "offset of the converter", "all together"} <= set(budget)


def test_every_operating_point_has_its_margin_in_the_map(signed) -> None:
    shown = texts(report_figures(signed)["pvt"])
    for figures in signed.sign_off:
        assert f"{figures.margin_sigma:.2f}" in shown
    # four conditions in three processes and four pairs of supply and temperature, twice
    places = (
        {(c.corner, c.beol) for c in signed.table.conditions},
        {(c.vdd, c.temperature) for c in signed.table.conditions},
    )
    assert shown.count("–") == 2 * (len(places[0]) * len(places[1]) - len(signed.sign_off))


def test_chips_and_their_yield(signed) -> None:
    shown = texts(report_figures(signed)["chips"])
    assert "24 chips: yield 25 % (95 %: 10 to 47 %)" in shown
    assert "median 37.0 dB" in shown


def test_the_waveform_marks_its_instants(signed) -> None:
    shown = texts(report_figures(signed)["waveform"])
    assert {"rows rise", "sample"} <= set(shown)
    assert "A read of 16 active rows, count 12, tt_1.00V_27C" in shown


def test_without_intervals_the_page_has_no_such_section(make_content) -> None:
    page = render_report(make_content())
    assert 'id="signoff"' not in page
