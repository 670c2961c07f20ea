"""Margins and code errors at their edges: no spread, converters of few codes, several conditions."""

from __future__ import annotations

import numpy as np
import pytest

from characterization.margins import sigma_needed
from characterization.tables.table import ReadoutTable
from metalrom.macro.readout import synthetic_table
from netlists.condition import Condition

IDEAL = "ideal_1.00V_27C"
Q = {5.0: 2.866515719e-7, 10.0: 7.619853024e-24}
"""Upper tail of the normal distribution (table)."""


def shifted(table: ReadoutTable, active: int, count: int, by: float) -> ReadoutTable:
    """The table with one level moved (V)."""
    level = table.level.copy()
    level[0, active, count] += by
    return table.replace(level=level)


def two_conditions(first: float, second: float) -> ReadoutTable:
    """Levels of 1 V per count for up to 2 rows, with these spreads (V)."""
    one = synthetic_table(2, sigma_noise=first)
    doubled = {
        name: np.concatenate([getattr(one, name)] * 2)
        for name in ("level", "sigma_static", "sigma_noise", "sigma_pattern", "row_energy")
    }
    doubled["sigma_noise"][1] *= second / first
    return one.replace(conditions=(Condition("tt", 1.0, 27.0), Condition("ss", 0.9, 85.0)), **doubled)


def test_every_level_by_hand() -> None:
    # 1 V between levels, thresholds half-way, sigma 0.1 V: 5 sigma; ends of the range have one neighbour
    table = synthetic_table(2, sigma_noise=0.1)
    assert table.margins(IDEAL)[2] == pytest.approx([5.0, 5.0, 5.0])
    assert table.code_errors(IDEAL)[2] == pytest.approx([Q[5.0], 2 * Q[5.0], Q[5.0]], rel=1e-8)
    assert np.isnan(table.margins(IDEAL)[1, 2])  # one driven row gives no count of 2
    assert np.isnan(table.code_errors(IDEAL)[0, 1])
    up = shifted(table, 2, 1, 0.2)  # 0.7 V above its lower, 0.3 V below its upper threshold
    assert up.margins(IDEAL)[2, 1] == pytest.approx(3.0)
    down = shifted(table, 2, 1, -0.3)
    assert down.margins(IDEAL)[2, 1] == pytest.approx(2.0)


def test_a_converter_of_one_bit_has_one_threshold() -> None:
    # two codes, threshold at 0.5 V: 0 and 1 are told apart, 2 and 3 have no code of their own and are always wrong
    table = synthetic_table(3, codes=2, sigma_noise=0.1)
    assert table.margins(IDEAL)[3].tolist() == [pytest.approx(5.0), pytest.approx(5.0), -np.inf, -np.inf]
    assert table.code_errors(IDEAL)[3].tolist() == [
        pytest.approx(Q[5.0], rel=1e-8), pytest.approx(Q[5.0], rel=1e-8), 1.0, 1.0,
    ]  # fmt: skip
    # a lower level of code 1 comes nearer to the only threshold, a higher one leaves it
    assert shifted(table, 3, 1, 0.5).margins(IDEAL)[3, 1] == pytest.approx(10.0)
    assert shifted(table, 3, 1, 0.5).code_errors(IDEAL)[3, 1] == pytest.approx(Q[10.0], rel=1e-8)


def test_more_codes_than_levels_leave_the_last_level_open_to_both_sides() -> None:
    # a count above the greatest is a wrong code as well
    table = synthetic_table(2, codes=4, sigma_noise=0.1)
    assert table.code_errors(IDEAL)[2] == pytest.approx([Q[5.0], 2 * Q[5.0], 2 * Q[5.0]], rel=1e-8)


def test_without_spread_the_side_decides() -> None:
    table = synthetic_table(2)
    assert table.margins(IDEAL)[2].tolist() == [np.inf] * 3
    assert table.code_errors(IDEAL)[2].tolist() == [0.0] * 3
    moved = shifted(table, 2, 1, 0.6)  # beyond its upper threshold
    assert moved.margins(IDEAL)[2].tolist() == [np.inf, -np.inf, np.inf]
    assert moved.code_errors(IDEAL)[2].tolist() == [0.0, 1.0, 0.0]
    assert shifted(table, 2, 1, 0.5).margins(IDEAL)[2].tolist() == [np.inf] * 3  # on the threshold is not beyond it


def test_equal_levels_count_as_rising() -> None:
    table = synthetic_table(1, sigma_noise=0.1)
    flat = table.replace(level=np.where(table.valid, 0.0, np.nan)[None])
    assert flat.margins(IDEAL)[1].tolist() == [0.0, 0.0]
    assert flat.code_errors(IDEAL)[1] == pytest.approx([0.5, 0.5])


@pytest.mark.parametrize(("first", "second", "label"), [(0.1, 0.2, "ss_0.90V_85C"), (0.2, 0.1, "tt_1.00V_27C")])
def test_the_worst_of_several_conditions(first: float, second: float, label: str) -> None:
    table = two_conditions(first, second)
    found = table.worst_code_error()
    assert (found.condition, found.count) == (label, 1)
    assert found.margin == pytest.approx(2.5)  # 0.5 V over 0.2 V
    assert found.code_error == pytest.approx(2 * 6.209665326e-3, rel=1e-8)  # 2 Q(2.5), normal table
    alone = table.worst_code_error("tt_1.00V_27C")
    assert alone.margin == pytest.approx(0.5 / first)


def test_of_equally_bad_conditions_the_first_is_named() -> None:
    found = two_conditions(0.1, 0.1).worst_code_error()
    assert found.condition == "tt_1.00V_27C"


@pytest.mark.parametrize("margin", [2.5, 5.0, 10.0])
def test_sigma_needed_is_the_inverse_of_two_tails(margin: float) -> None:
    table = synthetic_table(2, sigma_noise=0.5 / margin)
    assert sigma_needed(float(table.code_errors(IDEAL)[2, 1])) == pytest.approx(margin, rel=1e-9)
