"""Margins, code-error probabilities and numbers in words against closed forms and tables of the normal distribution."""

from dataclasses import replace

import numpy as np
import pytest

from characterization.margins import sigma_needed
from interconnect.errors import InputError
from metalrom.formatting import Figure, amount, prefix, probability, span

NOMINAL = "tt_1.00V_27C"


def straight(make_table, sigma_counts, *, sign=1.0, codes=None):
    """Levels exactly on a line of 1 mV per count with one spread for all, no ADC noise."""
    table = make_table(8, conditions=1)
    count = np.arange(9)
    mean = np.where(table.valid, sign * 1e-3 * count[None, :], np.nan)[None]
    spread = np.where(table.valid, sigma_counts * 1e-3, np.nan)[None]
    adc = replace(table.adc, offset_sigma=0.0, noise_sigma=0.0, codes=codes or 9)
    return table.replace(level=mean, sigma_static=spread, sigma_noise=0 * spread, sigma_pattern=0 * spread, adc=adc)


def test_margin_and_error_of_a_straight_line_are_half_an_lsb_over_sigma(make_table):
    table = straight(make_table, 0.1)
    inner = (8, 4)
    assert table.margins(NOMINAL)[inner] == pytest.approx(5.0, rel=1e-12)  # (1/2) / 0.1
    assert table.code_errors(NOMINAL)[inner] == pytest.approx(2 * 2.866515719e-7, rel=1e-8)  # 2 Q(5), normal table
    assert table.code_errors(NOMINAL)[8, 0] == pytest.approx(2.866515719e-7, rel=1e-8)  # an end has one neighbour


def test_tails_are_exact_where_one_minus_p_is_zero(make_table):
    table = straight(make_table, 0.05)
    assert table.code_errors(NOMINAL)[8, 4] == pytest.approx(2 * 7.619853024e-24, rel=1e-8)  # 2 Q(10)


def test_falling_levels_give_the_same_margins_as_rising_ones(make_table):
    rising, falling = (straight(make_table, 0.1, sign=s) for s in (1.0, -1.0))
    np.testing.assert_allclose(falling.margins(NOMINAL), rising.margins(NOMINAL), rtol=1e-12)
    np.testing.assert_allclose(falling.code_errors(NOMINAL), rising.code_errors(NOMINAL), rtol=1e-9)


def test_errors_agree_with_the_tables_code_probability(make_table):
    table = make_table(16)
    for condition in table.conditions:
        p = table.code_probability(condition)
        right = np.take_along_axis(p, np.broadcast_to(np.arange(17)[None, :, None], (17, 17, 1)), axis=2)[..., 0]
        np.testing.assert_allclose(table.code_errors(condition), 1 - right, atol=1e-12)


def test_a_count_without_a_code_is_always_wrong(make_table):
    table = straight(make_table, 0.1, codes=8)
    assert table.code_errors(NOMINAL)[8, 8] == 1.0
    assert table.margins(NOMINAL)[8, 8] == -np.inf
    assert table.code_errors(NOMINAL)[8, 7] == pytest.approx(2.866515719e-7, rel=1e-8)  # the last code is open above


def test_a_level_beyond_its_threshold_has_a_negative_margin(make_table):
    table = straight(make_table, 0.1)
    mean = table.level.copy()
    mean[0, 6, 3] += 0.7e-3
    shifted = table.replace(level=mean)
    assert shifted.margins(NOMINAL)[6, 3] == pytest.approx(-2.0, rel=1e-9)  # (0.5 - 0.7) / 0.1
    found = shifted.worst_margin()
    assert (found.active, found.count) == (6, 3)


def test_an_unknown_spread_never_reaches_the_report(make_table):
    table = make_table(8, conditions=2)
    noise = table.sigma_noise.copy()
    noise[0, 8, 3] = np.nan
    with pytest.raises(InputError, match="a spread"):
        table.replace(sigma_noise=noise)


def test_sigma_needed_is_the_two_sided_normal_quantile():
    assert sigma_needed(1e-5) == pytest.approx(4.417173, abs=1e-6)  # Q^-1(5e-6), normal table
    assert sigma_needed(0.3173105) == pytest.approx(1.0, abs=1e-6)  # 68.27 % lie within one sigma


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (2.53e-3, "V", "2.53 mV"),
        (33.3e-18, "F", "33.3 aF"),
        (1e-9, "s", "1 ns"),
        (6e-14, "m2", "0.06 µm²"),
        (61e-6, "mm2", "61 µm²"),
        (0.25, "mm2", "0.25 mm²"),
        (18.44, "Mb/mm2", "18.4 Mb/mm²"),
        (0.0, "J", "0 J"),
        (-4.2e-6, "A", "-4.2 µA"),
        (100000.0, "", "100000"),
        (None, "J", "not available"),
        (float("nan"), "V", "not available"),
        (float("inf"), "σ", "unbounded"),
    ],
)
def test_amounts(value, unit, words):
    assert amount(value, unit).replace("\u00a0", " ") == words


def test_prefix_scales_to_the_printed_unit():
    scale, unit = prefix(4.7e-7, "A")
    assert (0.47e-6 / scale, unit) == (pytest.approx(470.0), "nA")


@pytest.mark.parametrize(
    ("value", "text"),
    [(1e-5, "1e-5"), (4.52e-5, "4.5e-5"), (0.24, "0.24"), (0.0, "< 1e-18"), (None, "not available")],
)
def test_probabilities(value, text):
    assert probability(value) == text


def test_a_range_is_shown_in_the_unit_of_its_middle_and_only_if_both_ends_are_known():
    assert span(Figure("e", 1.9e-15, "J", 8e-16, 3.4e-15)) == "0.8 to 3.4 fJ"
    assert span(Figure("e", 1.9e-15, "J", 8e-16, None)) == ""
