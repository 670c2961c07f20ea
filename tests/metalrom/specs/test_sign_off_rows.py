"""Rows of the sign-off in the terminal, of a synthetic run."""

from __future__ import annotations

from dataclasses import replace

import pytest

from characterization.sign_off import sign_off
from characterization.uncertainty import ReadoutUncertainty
from metalrom.cli.sign_off import sign_off_rows
from metalrom.run.results import ChipDistribution, DrawnChip, Headline, MarginAt


@pytest.fixture
def results(make_table, make_results):
    table = make_table()
    figures = tuple(sign_off(table, c, ReadoutUncertainty(30)) for c in table.conditions)
    worst = table.worst_margin()
    signed = figures[table.index(worst.condition)]
    headline = Headline(
        worst.margin, MarginAt(worst.condition, worst.active, worst.count, "M2-M3"), signed.code_error,
        signed.code_error_interval, 30.0, (29.0, 31.5), "undecided", signed.margin_interval_sigma,
    )  # fmt: skip
    chips = tuple(DrawnChip(k, 1.0, 1e-6 * k, 30.0) for k in range(24))
    drawn = ChipDistribution(worst.condition, 1e-5, "cells", chips, 1.2e-5, 2.3e-5, 30.0, None, 11 / 24, (0.26, 0.67))
    return replace(make_results(table), headline=headline, sign_off=figures, chips=drawn)


def test_the_terminal_states_what_the_run_holds(results) -> None:
    rows = dict(sign_off_rows(results))
    signed = results.sign_off_at(results.headline.margin_at.condition)
    assert rows["verdict"].startswith("undecided")
    assert "95 %: {:.2f} to {:.2f} sigma".format(*signed.margin_interval_sigma) in rows["margin"]
    assert "95 %: {:.1e} to {:.1e}".format(*signed.code_error_interval) in rows["worst condition"]
    assert "CSNR 30.0 dB (95 %: 29.0 to 31.5)" in rows["worst condition"]
    assert rows["linearity"].startswith("INL 0.000 LSB, DNL 0.000 LSB")
    assert rows["linearity"].endswith(f"ENOB {signed.enob:.2f} bit")
    assert rows["sigma budget"].endswith("LSB: mismatch 0.100")  # 2 of 20 mV
    # 5 sigma over 1.01, less 5: the only spread
    assert "mismatch of cells and transistors, 1 % more: x" in rows["sensitivity"]
    assert "-0.050 sigma; thermal noise" in rows["sensitivity"]
    assert rows["conditions"].startswith(f"{len(results.sign_off)}: 5.00 sigma")
    assert rows["chips"].startswith("11 of 24 within 1e-05 (yield, 95 %: 26 to 67 %)")


def test_a_run_without_a_headline_has_none_of_them(make_table, make_results) -> None:
    assert sign_off_rows(make_results(make_table())) == []
