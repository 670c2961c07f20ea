"""The fitted models against data whose truth is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from characterization.fit import features, fit_levels, fit_pattern_variance, fit_spread
from interconnect.errors import InputError
from netlists.condition import Condition

TT = Condition("tt", 1.0, 27.0)


def grid(rows: int, repeats: int) -> tuple[np.ndarray, np.ndarray]:
    """All (active, count) pairs of a group, repeated; two float arrays."""
    pairs = [(a, c) for a in range(rows + 1) for c in range(a + 1)] * repeats
    active, count = np.array(pairs, dtype=float).T
    return active, count


def test_exact_data_is_recovered() -> None:
    active, count = grid(8, 1)
    truth = np.array([0.01, 0.2, 0.03, -0.004, 0.002, 0.001])
    level = features(active / 8, count / 8) @ truth
    model = fit_levels(TT, 8, active, count, level, seed=1)
    # noiseless data of the model's own form: coefficients to rounding
    np.testing.assert_allclose(model.coefficients, truth, atol=1e-13)
    assert model.quality.held_out_rms < 1e-13


def test_noise_is_estimated_and_covered() -> None:
    rng = np.random.default_rng(3)
    active, count = grid(8, 40)
    level = 0.01 + 0.02 * count + rng.normal(0.0, 1e-3, len(count))
    model = fit_levels(TT, 8, active, count, level, seed=5)
    # sigma of 1e-3 was put in; its estimate from 1800 points has a standard error of 1.7 %
    assert model.sigma == pytest.approx(1e-3, rel=0.06)
    assert model.quality.held_out_rms == pytest.approx(1e-3, rel=0.15)
    assert 0.90 <= model.quality.coverage <= 0.99


def test_held_out_error_sees_a_wrong_form() -> None:
    active, count = grid(8, 4)
    level = np.where(count > 4, 1.0, 0.0)  # a step is not in the model's form
    model = fit_levels(TT, 8, active, count, level, seed=1)
    assert model.quality.held_out_max > 0.1


def test_extrapolation_is_refused() -> None:
    active, count = grid(4, 2)
    model = fit_levels(TT, 4, active, count, 0.1 * count, seed=1)
    with pytest.raises(InputError, match="outside its domain"):
        model(np.array([5.0]), np.array([1.0]))
    with pytest.raises(InputError, match="outside its domain"):
        model(np.array([2.0]), np.array([3.0]))


def test_too_few_levels_are_refused() -> None:
    with pytest.raises(InputError, match="too few"):
        fit_levels(TT, 8, np.arange(5.0), np.zeros(5), np.zeros(5), seed=1)


def test_spread_of_independent_sources_is_separated() -> None:
    rng = np.random.default_rng(9)
    s0, s1 = 3e-3, 2e-3
    points = np.array([(0, 0), (4, 0), (4, 4), (8, 0), (8, 4), (8, 8)], dtype=float)
    variance = np.array([np.var(rng.normal(0.0, np.sqrt(s0**2 + s1**2 * c), 4000), ddof=1) for _, c in points])
    model = fit_spread(TT, points[:, 0], points[:, 1], variance, np.full(6, 4000.0))
    found = np.sqrt(model.variances)
    # 4000 draws a point: sigma to about 1 %
    assert found[0] == pytest.approx(s0, rel=0.05)
    assert found[1] == pytest.approx(s1, rel=0.05)
    assert found[2] < 0.2 * s1
    assert model.held_out_rms < 0.1
    # standard error of a Gaussian sigma: 1 / sqrt(2 (n - 1))
    assert model.relative_error == pytest.approx(1 / np.sqrt(2 * 3999))


def test_spread_needs_enough_draws() -> None:
    with pytest.raises(InputError, match="too few"):
        fit_spread(TT, np.zeros(6), np.zeros(6), np.ones(6), np.full(6, 9.0))
    with pytest.raises(InputError, match="too few"):
        fit_spread(TT, np.zeros(3), np.zeros(3), np.ones(3), np.full(3, 90.0))


@settings(max_examples=25, deadline=None)
@given(st.floats(1e-6, 1e3), st.integers(1, 1000))
def test_fit_scales_with_its_unit(unit: float, seed: int) -> None:
    active, count = grid(6, 2)
    level = 0.01 * count + 0.001 * active + np.random.default_rng(seed).normal(0, 1e-4, len(count))
    one = fit_levels(TT, 6, active, count, level, seed=2)
    other = fit_levels(TT, 6, active, count, level * unit, seed=2)
    np.testing.assert_allclose(other.coefficients, one.coefficients * unit, rtol=1e-6, atol=1e-12 * unit)
    assert other.sigma == pytest.approx(one.sigma * unit, rel=1e-6)


def test_pattern_spread_grows_with_the_driven_rows() -> None:
    rng = np.random.default_rng(4)
    active = np.tile(np.arange(33.0), 60)
    residual = np.sqrt(1e-8 + 4e-8 * active) * rng.standard_normal(active.size)
    fixed, each = fit_pattern_variance(active, residual, 6)
    # 1980 squares know the slope to about sqrt(2 / 1980), 3 %; the constant is small against most of them
    assert each == pytest.approx(4e-8, rel=0.1)
    assert 0.0 <= fixed < 4e-8
    # without any spread there is none
    assert fit_pattern_variance(active, np.zeros(active.size), 6).tolist() == [0.0, 0.0]
