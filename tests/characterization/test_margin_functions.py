"""The functions on plain arrays by hand: thresholds, distances, both tails, intervals."""

from __future__ import annotations

import numpy as np
import pytest

from characterization.margins import (
    code_probabilities,
    combined_interval,
    decision_thresholds,
    margin_of,
    rounding_error,
    sigma_interval,
    sigma_needed,
    spacing,
    tail_distances,
    weighted_mean,
    wrong_code_probability,
)
from interconnect.errors import InputError

Q = {0.5: 0.3085375387, 1.0: 0.1586552539, 1.5: 0.0668072013, 2.0: 0.02275013195, 5.0: 2.866515719e-7}
"""Upper tail of the normal distribution (table)."""
INF, NAN = np.inf, np.nan

# Offsets 0, 1, 3, 6 V without and with 1, 2, 3 driven rows; 2 V per count where all three are driven: 6, 8, 10, 12 V.
LEVELS = np.array(
    [[0.0, NAN, NAN, NAN], [1.0, 3.0, NAN, NAN], [3.0, 5.0, 7.0, NAN], [6.0, 8.5, 9.5, 12.0]], dtype=np.float64
)


def test_spacing_is_the_mean_over_all_counts_with_all_rows_active() -> None:
    assert spacing(LEVELS) == 2.0  # (12 - 6) / 3


def test_thresholds_follow_the_offset_or_stay_at_that_of_half_of_the_rows() -> None:
    # half a spacing above the offset, then one spacing each
    steps = np.array([1.0, 3.0])
    tracking = decision_thresholds(LEVELS, 3, tracks_active=True)
    assert tracking.tolist() == [(offset + steps).tolist() for offset in (0.0, 1.0, 3.0, 6.0)]
    fixed = decision_thresholds(LEVELS, 3, tracks_active=False)
    assert fixed.tolist() == [(1.0 + steps).tolist()] * 4  # 4 numbers of rows, 0 to 3: the lower middle is 1
    assert decision_thresholds(LEVELS[1:], 2, tracks_active=False).tolist() == [[4.0]] * 3  # of three the second: 3 + 1


def test_distances_in_sigma_to_both_thresholds() -> None:
    thresholds = np.array([1.0, 3.0])
    level, count = np.array([0.5, 1.8, 3.5, 9.0]), np.array([0, 1, 2, 3])
    lower, upper = tail_distances(level, np.full(4, 0.1), thresholds, count)
    # first code: open below, (1 - 0.5) / 0.1 above; second: 0.8 and 1.2 V; third: 0.5 V and open above;
    # a count of 3 has no code: its code would begin beyond everything
    assert lower.tolist() == [INF, pytest.approx(8.0), pytest.approx(5.0), -INF]
    assert upper.tolist() == [pytest.approx(5.0), pytest.approx(12.0), INF, INF]
    assert margin_of(lower, upper).tolist() == [pytest.approx(5.0), pytest.approx(8.0), pytest.approx(5.0), -INF]
    # mirrored levels and thresholds, falling with the count: the same distances
    fallen = tail_distances(-level, np.full(4, 0.1), -thresholds, count, sign=-1.0)
    np.testing.assert_array_equal(fallen, (lower, upper))


def test_every_row_has_thresholds_that_are_its_row_s() -> None:
    # 0.5 V between level and threshold, then 1.5 V: at sigma 0.5 V 1 and 3 sigma
    thresholds = np.array([[[1.0]], [[2.0]]])
    lower, upper = tail_distances(np.full((2, 1), 0.5), np.full((2, 1), 0.5), thresholds[:, 0, :][:, None], np.array(0))
    assert upper.tolist() == [[1.0], [3.0]]
    assert lower.tolist() == [[INF], [INF]]


def test_a_spread_below_one_is_a_spread_and_none_leaves_the_side() -> None:
    # right code 1 between 1 V and 3 V; a level on a threshold is read as the code below
    level = np.array([1.0, 1.5, 3.0, 3.5, 0.5])
    lower, upper = tail_distances(level, np.zeros(5), np.array([1.0, 3.0]), np.full(5, 1))
    assert lower.tolist() == [-INF, INF, INF, INF, -INF]
    assert upper.tolist() == [INF, INF, INF, -INF, INF]
    lower, upper = tail_distances(level, np.full(5, 0.5), np.array([1.0, 3.0]), np.full(5, 1))
    assert lower.tolist() == [0.0, 1.0, 4.0, 5.0, -1.0]
    assert upper.tolist() == [4.0, 3.0, 0.0, -1.0, 5.0]


@pytest.mark.parametrize(("level", "sigma"), [(NAN, 0.1), (1.5, NAN), (NAN, NAN)])
def test_what_is_unknown_stays_unknown(level: float, sigma: float) -> None:
    pair = tail_distances(np.array([level]), np.array([sigma]), np.array([1.0]), np.array([0]))
    assert np.isnan(pair).all()


def test_both_tails_are_added_and_never_exceed_one() -> None:
    lower, upper = np.array([2.0, INF, -INF, 1.0, -5.0]), np.array([5.0, 2.0, INF, 1.0, 5.0])
    expected = [Q[2.0] + Q[5.0], Q[2.0], 1.0, 2 * Q[1.0], 1.0]  # 1 - Q(5) + Q(5)
    assert wrong_code_probability(lower, upper).tolist() == pytest.approx(expected, rel=1e-8)
    assert wrong_code_probability(np.array([-INF]), np.array([-INF])).tolist() == [1.0]


def test_probabilities_of_codes() -> None:
    # level 2 V, sigma 1 V, thresholds 1.5 and 4 V: Q(0.5), then 1 - Q(0.5) - Q(2), then Q(2)
    found = code_probabilities(np.array([2.0]), np.array([1.0]), np.array([1.5, 4.0]))
    assert found[0].tolist() == pytest.approx([Q[0.5], 1 - Q[0.5] - Q[2.0], Q[2.0]], rel=1e-8)
    # half the spread: Q(1) and Q(4), 3.167e-5 (table)
    found = code_probabilities(np.array([2.0]), np.array([0.5]), np.array([1.5, 4.0]))
    assert found[0].tolist() == pytest.approx([Q[1.0], 1 - Q[1.0] - 3.167124183e-5, 3.167124183e-5], rel=1e-8)
    # any shape of levels: the codes are the last axis
    table = code_probabilities(np.full((1, 2), 2.0), np.full((1, 2), 0.5), np.array([1.5, 4.0]))
    assert table.tolist() == [[found[0].tolist()] * 2]


def test_without_spread_a_code_is_certain() -> None:
    # on a threshold the code below is read
    found = code_probabilities(np.array([1.0, 1.5, 2.0, 5.0]), np.zeros(4), np.array([1.5, 4.0]))
    assert found.tolist() == [[1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]


def test_error_of_rounding() -> None:
    # 2 Q(1 / (2 sigma)); without noise none
    found = rounding_error(np.array([0.0, 0.1, 0.25, 0.5]))
    assert found.tolist() == pytest.approx([0.0, 2 * Q[5.0], 2 * Q[2.0], 2 * Q[1.0]], rel=1e-8)
    assert float(rounding_error(1.0)) == pytest.approx(2 * Q[0.5], rel=1e-8)


def test_mean_over_what_occurs() -> None:
    errors = np.array([[0.1, NAN], [0.2, 0.4]])
    # (0.1 * 1 + 0.2 * 2 + 0.4 * 1) / 4; the unknown one does not count
    assert weighted_mean(errors, np.array([[1.0, 9.0], [2.0, 1.0]])) == pytest.approx(0.225)
    assert weighted_mean(errors, np.array([[0.5, 0.0], [0.0, 0.0]])) == pytest.approx(0.1)  # less than one in all
    for wrong in (np.zeros((2, 2)), np.array([[0.0, 5.0], [0.0, 0.0]]), np.ones((2, 1))):
        with pytest.raises(InputError, match="the histogram has shape"):
            weighted_mean(errors, wrong)


def test_margin_that_a_code_error_needs() -> None:
    for sigmas in (1.0, 2.0, 5.0):
        assert sigma_needed(2 * Q[sigmas]) == pytest.approx(sigmas, rel=1e-8)


@pytest.mark.parametrize(
    ("samples", "upper", "lower"),
    # 97.5 % and 2.5 % quantiles of chi-square (table) with 1, 10 and 30 degrees of freedom
    [(2, 5.023886, 0.000982069), (11, 20.483177, 3.246973), (31, 46.979242, 16.790772)],
)
def test_interval_of_a_sigma(samples: int, upper: float, lower: float) -> None:
    free = samples - 1
    assert sigma_interval(samples) == pytest.approx(((free / upper) ** 0.5, (free / lower) ** 0.5), rel=1e-6)


@pytest.mark.parametrize("samples", [1, 0, -3])
def test_one_sample_has_no_interval(samples: int) -> None:
    with pytest.raises(InputError, match=f"at least 2 samples, there are {samples}"):
        sigma_interval(samples)


def test_logarithms_of_independent_factors_add_as_squares() -> None:
    # factors of e^3 and e^4 on each side: e^5
    e = np.exp
    value = 1e-6
    causes = [(value * e(-3.0), value * e(4.0)), (value * e(-4.0), value * e(3.0))]
    assert combined_interval(value, causes) == pytest.approx((value * e(-5.0), value * e(5.0)))
    # a cause that only raises leaves the lower side to the other
    causes = [(2 * value, value * e(4.0)), (value * e(-3.0), value / 2)]
    assert combined_interval(value, causes) == pytest.approx((value * e(-3.0), value * e(4.0)))
    # no probability exceeds 1
    assert combined_interval(0.5, [(0.25, 0.6), (0.5, 0.6)]) == pytest.approx((0.25, 0.5 * e(2**0.5 * np.log(1.2))))
    assert combined_interval(0.5, [(0.25, 1.0), (0.5, 1.0)]) == (pytest.approx(0.25), 1.0)


def test_where_a_probability_is_zero_the_ends_are_the_outermost() -> None:
    assert combined_interval(0.0, [(0.0, 1e-9), (0.0, 1e-7)]) == (0.0, 1e-7)
    assert combined_interval(1e-8, [(0.0, 1e-7), (1e-9, 1e-6)]) == (0.0, 1e-6)
    assert combined_interval(1e-8, [(1e-9, 1e-7), (2e-8, 3e-7)])[0] == pytest.approx(1e-9)
