"""Ternary cells through a complement-driven chain: every whole sum of +1 and -1 is a level, untied cells are silent."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from characterization.fit import LevelModel, fit_levels, fit_spread, signed_count
from characterization.procedures.chain_margin import chain_thresholds
from characterization.procedures.mismatch import spread_arguments
from characterization.testbench import Testbench
from interconnect.errors import InputError
from netlists.case import ColumnStimulus
from netlists.readout.chain import ReadoutChain
from tests.builders import TT, make_testbench

SHARES = (0.5, 0.3, 0.2)
"""Of symbols none, signal line, ground line."""


@pytest.fixture(scope="module")
def setup() -> Testbench:
    return make_testbench("cap_tie", rows=5, chain=ReadoutChain(), shares=SHARES)


def _levels(rows: int, slope: float, bend: float) -> LevelModel:
    """level = slope d / rows + bend (d / rows)^3, fitted to every (active, count)."""
    pairs = np.array([(a, c) for a in range(rows + 1) for c in range(2 * a + 1)], dtype=float)
    d = (pairs[:, 1] - pairs[:, 0]) / rows
    return fit_levels(TT, rows, *pairs.T, slope * d + bend * d**3, seed=1, levels=3, shape="bent")


def test_signed_counts_by_hand() -> None:
    """Three ternary rows that count 2, 1, 0 (+1, 0, -1) and one of +1: d = 1; binary 5 active, 2 counted: d = 0."""
    driven, difference = signed_count(np.array([4.0]), np.array([2.0 + 1.0 + 0.0 + 2.0]), 2)
    assert (driven[0], difference[0]) == (4, 1)
    driven, difference = signed_count(np.array([5.0]), np.array([2.0]))
    assert (driven[0], difference[0]) == (6, 0)


@pytest.mark.parametrize("bend", [0.0, -0.01])
def test_thresholds_lie_midway_between_neighbouring_sums(setup: Testbench, bend: float) -> None:
    """Fixed levels serve every number of active rows, odd ones too: no dummy row is needed."""
    model = _levels(setup.rows, 0.1, bend)
    (thresholds,) = chain_thresholds(setup, (model,))
    for a in range(setup.rows + 1):
        for c in range(2 * a):
            low, high = model(np.array([a, a], dtype=float), np.array([c, c + 1], dtype=float))
            assert thresholds[a, c] == pytest.approx((low + high) / 2, abs=1e-12)
    assert (np.diff(thresholds, axis=1) > 0).all()


def test_no_dummy_row_in_the_deck(setup: Testbench) -> None:
    case = ColumnStimulus(bits=np.ones((5, 1)), inputs=[1, 1, 1, 0, 0], symbol_values=setup.model.symbol_values)
    assert setup.stimulus(case).rows == case.rows
    binary = make_testbench(rows=5, chain=ReadoutChain())
    assert binary.stimulus(ColumnStimulus(bits=np.ones((5, 1)), inputs=[1, 1, 1, 0, 0])).rows == 6


def test_untied_cells_add_no_spread(setup: Testbench) -> None:
    """Expected tied cells of two driven rows: a sum of 0 is (none, none) or one of each sign in either order."""
    tied = 2 * 2 * 0.3 * 0.2 / (0.5**2 + 2 * 0.3 * 0.2)
    moving, raising = spread_arguments(setup, np.array([2.0, 2.0, 2.0]), np.array([2.0, 4.0, 0.0]))
    assert moving == pytest.approx([tied, 2.0, 2.0])
    assert raising == pytest.approx([tied / 2, 2.0, 0.0])  # d = raising - lowering


def test_a_spread_of_tied_cells_and_gain_is_found() -> None:
    """sigma^2 = 1 + 0.1 tied + 0.04 d^2, exact; an odd number of tied cells is none to complete."""
    points = np.array([(1, 0), (3, 1), (4, 4), (5, 0), (8, 4), (8, 8)], dtype=float)
    tied, raising = points.T
    variance = 1.0 + 0.1 * tied + 0.04 * (2 * raising - tied) ** 2
    model = fit_spread(TT, tied, raising, variance, np.full(6, 100.0), gain=True, dummy_row=False)
    assert model.variances == pytest.approx([1.0, 0.1, 0.04, 0.0, 0.0], abs=1e-6)
    assert model(np.array([5.0]), np.array([5.0]))[0] ** 2 == pytest.approx(1.0 + 0.5 + 0.04 * 25)


def test_single_drive_is_refused(setup: Testbench) -> None:
    with pytest.raises(InputError, match=r"readout\.drive.*cap_tie is read with complement drive"):
        replace(setup, chain=ReadoutChain(drive="single"))
