"""CSNR, effective bits and expected code errors against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest

from interconnect.errors import InputError
from metalrom.macro import Macro, csnr, synthetic_table


def test_csnr_of_known_noise():
    """Unit-variance signal plus noise of sigma 0.1: 20 dB; (20 - 1.76) / 6.02 = 3.03 bits."""
    rng = np.random.default_rng(0)
    ideal = rng.standard_normal(200_000)
    result = csnr(ideal, ideal + 0.1 * rng.standard_normal(ideal.size))
    assert result.raw == pytest.approx(20.0, abs=0.05)
    assert result.fitted == pytest.approx(20.0, abs=0.05)
    assert result.enob_raw == pytest.approx((20.0 - 1.76) / 6.02, abs=0.01)


def test_published_pair_of_csnr_and_bits():
    """22.6 dB is 3.46 bits (published for 3D-Domino)."""
    ideal = np.array([1.0, -1.0] * 2)
    error = 10 ** (-22.6 / 20) * np.array([1.0, 1.0, -1.0, -1.0])
    assert csnr(ideal, ideal + error).enob_raw == pytest.approx(3.46, abs=0.005)


def test_gain_and_offset_are_removed_only_by_the_fit():
    rng = np.random.default_rng(1)
    ideal = rng.standard_normal((300, 40))
    result = csnr(ideal, 0.9 * ideal + 0.2)
    assert result.gain == pytest.approx(0.9)
    assert result.offset == pytest.approx(0.2)
    assert result.fitted > 250
    variance = ideal.var()
    expected = 10 * math.log10(variance / np.mean((0.2 - 0.1 * ideal) ** 2))
    assert result.raw == pytest.approx(expected)


def test_exact_output_has_infinite_csnr():
    y = np.arange(12).reshape(3, 4)
    assert csnr(y, y).raw == math.inf


def test_output_error_follows_from_code_errors():
    """Rare errors of one count: error power = sum over planes of 4^(p+q) x conversions x error probability."""
    sigma = 0.15
    rng = np.random.default_rng(2)
    table = synthetic_table(64, sigma_noise=sigma)
    x, w = rng.integers(-128, 128, (400, 256)), rng.integers(-127, 128, (256, 256))
    macro = Macro(table, table.conditions[0])
    ideal = x @ w
    result = csnr(ideal, macro.matmul(x, w))
    rate = table.mean_code_error(table.conditions[0], macro.count_histogram(x, w))
    places = sum(4.0 ** (p + q) for p in range(8) for q in range(7))
    power = places * 4 * 2 * rate  # 4 groups, 2 signs, one count each
    assert result.raw == pytest.approx(10 * math.log10(ideal.var() / power), abs=0.3)
    assert abs(result.raw - result.fitted) < 0.1


@pytest.mark.parametrize(
    ("ideal", "real", "message"),
    [
        (np.ones(4), np.ones(4), "constant"),
        (np.arange(4), np.arange(5), "shape"),
        (np.arange(2.0), np.array([0.0, np.nan]), "not finite"),
    ],
)
def test_csnr_refuses(ideal, real, message):
    with pytest.raises(InputError, match=message):
        csnr(ideal, real)


def test_mean_code_error_without_histogram():
    """All rows driven, counts 0..8 equally likely: (7 x 2Q + 2 x Q) / 9."""
    table = synthetic_table(8, sigma_noise=0.2)
    q = 0.5 * math.erfc(2.5 / math.sqrt(2))
    assert table.mean_code_error(table.conditions[0]) == pytest.approx(16 * q / 9, rel=1e-6)
    with pytest.raises(InputError, match="histogram"):
        table.mean_code_error(table.conditions[0], np.zeros((9, 9)))


@pytest.mark.parametrize(
    ("sigma", "probability"), [(0.11, 6e-6), (0.125, 6e-5), (0.14, 4e-4), (0.16, 2e-3), (0.2, 1e-2), (0.28, 7e-2)]
)
def test_noise_cliff_probabilities(sigma, probability):
    """Code-error probabilities 2Q(1/(2 sigma)) to one digit as listed along the measured accuracy cliff."""
    table = synthetic_table(64, sigma_noise=sigma)
    assert table.code_errors(table.conditions[0])[64, 32] == pytest.approx(probability, rel=0.25)


def test_output_quality_falls_over_the_cliff():
    """8-bit weights and inputs, 64-row groups: lossless up to 0.08 count, far below 20 dB at 0.28."""
    rng = np.random.default_rng(4)
    x, w = rng.integers(-128, 128, (64, 384)), np.clip(rng.normal(0, 25, (384, 96)).round(), -127, 127).astype(int)
    quality = []
    for sigma in (0.05, 0.125, 0.16, 0.28):
        table = synthetic_table(64, codes=64, sigma_noise=sigma)
        quality.append(csnr(x @ w, Macro(table, table.conditions[0]).matmul(x, w)).raw)
    assert quality[0] == math.inf
    assert quality == sorted(quality, reverse=True)
    assert quality[-1] < 20 < quality[1]


def test_a_lost_gain_does_not_shrink_the_error_and_a_dead_output_has_no_csnr() -> None:
    rng = np.random.default_rng(8)
    ideal = rng.normal(0.0, 1.0, 20_000)
    noisy = ideal + rng.normal(0.0, 0.1, 20_000)
    # halving the output halves signal and error alike: 20 dB either way
    assert csnr(ideal, 0.5 * noisy).fitted == pytest.approx(csnr(ideal, noisy).fitted, abs=1e-9)
    assert csnr(ideal, np.zeros_like(ideal)).fitted == -np.inf
    assert csnr(ideal, -ideal).fitted == -np.inf


IDEAL = np.array([1.0, -1.0, 1.0, -1.0])
ACROSS = 0.1 * np.array([1.0, 1.0, -1.0, -1.0])
"""An error of power 0.01 without any part along the ideal output or the constant."""


@pytest.mark.parametrize(
    ("real", "raw", "fitted", "gain", "offset"),
    [
        (IDEAL + ACROSS, 20.0, 20.0, 1.0, 0.0),  # 1 / 0.01
        (0.5 * IDEAL + ACROSS, 10 * math.log10(1 / 0.26), 10 * math.log10(0.25 / 0.01), 0.5, 0.0),
        (2.0 * IDEAL + ACROSS + 3.0, 10 * math.log10(1 / 10.01), 10 * math.log10(4.0 / 0.01), 2.0, 3.0),
        (2.0 * IDEAL + 1.0, 10 * math.log10(1 / 2), math.inf, 2.0, 1.0),  # on a line: errors 2, 0, 2, 0
        (ACROSS - IDEAL, 10 * math.log10(1 / 4.01), -math.inf, -1.0, 0.0),
        (ACROSS, 10 * math.log10(1 / 1.01), -math.inf, 0.0, 0.0),
        (IDEAL, math.inf, math.inf, 1.0, 0.0),
    ],
)
def test_gain_offset_and_both_ratios_by_hand(real, raw, fitted, gain, offset):
    got = csnr(IDEAL, real)
    assert (got.raw, got.fitted) == (pytest.approx(raw), pytest.approx(fitted))
    assert (got.gain, got.offset) == (pytest.approx(gain, abs=1e-15), pytest.approx(offset, abs=1e-15))
    assert got.enob_raw == pytest.approx((raw - 1.76) / 6.02)
    assert got.enob_fitted == pytest.approx((fitted - 1.76) / 6.02)


def test_nothing_at_all_has_no_signal():
    with pytest.raises(InputError, match="constant"):
        csnr(np.zeros((0, 3)), np.zeros((0, 3)))


def test_code_errors_are_weighed_by_how_often_a_count_occurs():
    # sigma 0.25 counts: an inner level errs to both sides, 2 Q(2), an end to one, Q(2) (normal table)
    q = 2.275013195e-2
    table = synthetic_table(2, sigma_noise=0.25)
    here = table.conditions[0]
    assert table.mean_code_error(here) == pytest.approx((q + 2 * q + q) / 3, rel=1e-8)
    histogram = np.zeros(table.valid.shape)
    histogram[2, 1], histogram[1, 0] = 3.0, 1.0
    assert table.mean_code_error(here, histogram) == pytest.approx((3 * 2 * q + q) / 4, rel=1e-8)
    histogram[0, 2] = 5.0  # no rows give no count of 2
    assert table.mean_code_error(here, histogram) == pytest.approx((3 * 2 * q + q) / 4, rel=1e-8)
    for wrong in (np.zeros_like(histogram), np.ones((2, 2))):
        with pytest.raises(InputError, match="the histogram has shape"):
            table.mean_code_error(here, wrong)
