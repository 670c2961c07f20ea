"""The exact levels of many patterns and the search over them, against the full network and against all patterns."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from characterization.linear_column import exact_level, linear_column
from characterization.pattern_search import draw, fit_ideal_line, search
from characterization.procedures import worst_pattern
from characterization.testbench import Testbench
from interconnect.errors import InputError

ROWS = 4
POSITION = 20


@pytest.fixture(params=["cap_balanced", "res_via"])
def setup(request: pytest.FixtureRequest, charge_setup: Testbench, current_setup: Testbench) -> Testbench:
    found = charge_setup if request.param == "cap_balanced" else current_setup
    if found.unit == "A":
        return found
    # The formula extraction knows no coupling to the next column's tab: give the search something to find.
    variants = tuple(
        replace(v, elements=tuple(replace(e, value=4e-18) if e.name == "C_tab_bl" else e for e in v.elements))
        for v in found.model.variants
    )
    return replace(found, model=replace(found.model, variants=variants))


def test_batched_levels_are_those_of_the_full_network(setup: Testbench) -> None:
    rng = np.random.default_rng(5)
    genes = rng.integers(0, 2, (12, ROWS, 4), dtype=np.uint8)
    column = linear_column(setup, setup.conditions[0], POSITION)
    got = column.levels(genes[:, :, 1:], genes[:, :, 0])
    exact = [exact_level(setup, setup.conditions[0], POSITION, g[:, 1:], g[:, 0]) for g in genes]
    np.testing.assert_allclose(got, exact, rtol=1e-9, atol=1e-12 * max(exact))
    assert np.ptp(got) > 0


def test_a_load_that_depends_on_the_bits_is_refused(charge_setup: Testbench) -> None:
    zero, one = charge_setup.model.variants
    heavy = tuple(replace(e, value=3 * e.value) if e.name.startswith("C_bl") else e for e in one.elements)
    model = replace(charge_setup.model, variants=(zero, replace(one, subckt="heavy", elements=heavy)))
    with pytest.raises(InputError, match="not bilinear"):
        linear_column(replace(charge_setup, model=model), charge_setup.conditions[0], POSITION)


def test_the_search_finds_the_worst_of_all_patterns(setup: Testbench) -> None:
    """All 2^16 patterns of four rows are its reference."""
    column = linear_column(setup, setup.conditions[0], POSITION)
    line = fit_ideal_line(column, draw(ROWS, 300, 0.5, np.random.default_rng(1)))
    everything = np.array(list(product((0, 1), repeat=4 * ROWS)), dtype=np.uint8).reshape(-1, ROWS, 4)
    deviation = line.deviation(column, everything)
    for sign, best in ((1, deviation.max()), (-1, deviation.min())):
        found = search(lambda g: line.deviation(column, g), ROWS, sign, 800, np.random.default_rng(2))
        assert found.deviation == pytest.approx(best, rel=1e-6)
        assert abs(found.deviation) > 1e-4
        assert found.evaluations <= 800
        assert line.deviation(column, found.genes[None])[0] == pytest.approx(found.deviation, rel=1e-9)


def test_drawn_patterns_have_the_counts_and_shares_asked_for() -> None:
    genes = draw(8, 4000, 0.25, np.random.default_rng(0))
    inputs, target = genes[:, :, 0], genes[:, :, 2]
    # active rows: uniform on 0..8; counts: uniform on 0..active, so half of the active rows on average
    assert np.bincount(inputs.sum(axis=1, dtype=np.int64), minlength=9) == pytest.approx([4000 / 9] * 9, rel=0.2)
    assert (inputs * target).sum() / inputs.sum() == pytest.approx(0.5, abs=0.02)
    assert genes[:, :, [1, 3]].mean() == pytest.approx(0.25, abs=0.01)


def test_worst_pattern_is_verified_in_the_engine(setup: Testbench) -> None:
    from characterization.column_testbench import ColumnTestbench

    found = worst_pattern.measure_worst_pattern(setup, ColumnTestbench(setup), {})
    assert found.high.deviation > 0 > found.low.deviation
    assert max(abs(found.high.deviation), abs(found.low.deviation)) >= found.typical
    for worst in (found.high, found.low):
        assert abs(worst.engine_difference) < 1e-5
    assert found.evaluations <= worst_pattern.BUDGET
