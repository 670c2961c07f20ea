"""Pictures of a campaign over many conditions, and procedures that failed, in the report."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from characterization.failures import FailedProcedure
from characterization.tables.table import ReadoutTable
from metalrom.reports.condition_plots import MAX_DRAWN, condition_pictures, factors
from metalrom.reports.html import render_report
from netlists.condition import Condition
from tests.builders import make_readout_table


def campaign(conditions: tuple[Condition, ...]) -> ReadoutTable:
    """SYNTHETIC straight levels; the spread grows from condition to condition, so that the last is the weakest."""
    spread = 1e-3 * (1 + np.arange(len(conditions)) / 10)[:, None, None]
    return make_readout_table(4, conditions, step=0.02, sigma_static=spread)


EIGHT = tuple(Condition(p, v, 27.0, m) for p, m, v in product(("tt", "ss"), ("nominal", "Cmax"), (1.0, 0.9)))


def test_few_conditions_need_no_picture_of_their_own() -> None:
    assert condition_pictures(campaign(EIGHT[:6]), EIGHT[0].label, {}, 1e-4) == {}


@pytest.mark.parametrize("errors", [{}, {c.label: 1e-6 for c in EIGHT}])
def test_many_conditions_are_sorted_and_told_apart(errors: dict[str, float]) -> None:
    table = campaign(EIGHT)
    pictures = condition_pictures(table, EIGHT[0].label, errors, 1e-4)
    assert list(pictures) == ["conditions", "corner_levels"]
    assert condition_pictures(table, EIGHT[0].label, errors, 1e-4) == pictures
    text = pictures["conditions"]
    # what differs is a strip; one temperature is none
    for word in ("process", "metals", "supply", "Cmax", "0.9 V", "Weakest level of each of 8 conditions"):
        assert word in text, word
    assert "temperature" not in text
    assert ("average over the layer" in text) == bool(errors)
    assert "Cmax" in pictures["corner_levels"]


def test_factors_are_what_differs() -> None:
    assert list(factors(EIGHT)) == ["process", "metals", "supply"]
    assert factors(EIGHT)["metals"][:4] == ("nominal", "nominal", "Cmax", "Cmax")
    assert factors(EIGHT[:1]) == {}


def test_the_weakest_are_drawn_of_more_than_a_page_holds() -> None:
    many = tuple(Condition("tt", 1.0, float(t)) for t in range(MAX_DRAWN + 5))
    text = condition_pictures(campaign(many), many[0].label, {}, 1e-4)["conditions"]
    assert f"Weakest level of each of {MAX_DRAWN + 5} conditions, sorted, 5 of larger margin not drawn" in text


def test_a_failed_procedure_is_a_row(make_content) -> None:
    failed = (FailedProcedure("settling", "ss_0.90V_125C", "timeout", "ngspice gave the verdict timeout"),)
    html = render_report(make_content(failed_procedures=failed))
    row = html[html.index('id="specifications"') :]
    assert "settling" in row
    assert "ss_0.90V_125C" in row
    assert "ngspice gave the verdict timeout" in row
