"""Intervals, sensitivities, budget and nonlinearity of a readout table against closed forms."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import ndtr

from characterization.fit import fit_spread
from characterization.margins import combined_span, rounding_error, sigma_interval
from characterization.readout_levels import ReadoutLevels
from characterization.sign_off import csnr_interval, nonlinearity, sign_off
from characterization.tables.table import AdcModel, ReadoutTable
from characterization.uncertainty import LevelError, ReadoutUncertainty, SpreadTerms, effective_draws
from netlists.condition import Condition

ROWS, LSB = 6, 10e-3
TT = Condition("tt", 1.0, 27.0)
INNER = 2 * (ROWS - 1) / (2 * (ROWS - 1) + 2)
"""Share of the 2 (rows - 1) + 2 tails of all counts, all rows active, that inner counts have."""


def make_table(static: float = 0.1, noise: float = 0.0, shift: float = 0.0) -> ReadoutTable:
    """Straight levels, a code per count; spreads and the shift of all levels from the middle in LSB."""
    count = np.broadcast_to(np.arange(ROWS + 1.0), (1, ROWS + 1, ROWS + 1))
    edges = np.broadcast_to((np.arange(ROWS) + 0.5) * LSB, (1, ROWS + 1, ROWS))
    flat = np.ones_like(count)
    return ReadoutTable.from_arrays(
        "ideal", "V", ROWS, (TT,), LSB * (count + shift), static * LSB * flat, noise * LSB * flat, 0.0 * flat,
        np.zeros((1, ROWS + 1)), 1e-9, AdcModel(ROWS + 1, 0.0, 0.0), threshold=edges,
    )  # fmt: skip


def code_error(sigma: float, shift: float = 0.0) -> float:
    """Mean over counts: the first has no lower, the last no upper threshold."""
    low, high = ndtr(-(0.5 + shift) / sigma), ndtr(-(0.5 - shift) / sigma)
    return float(ROWS * (low + high) / (ROWS + 1))


def test_interval_of_the_code_error_is_that_of_sigma_where_all_else_is_known() -> None:
    found = sign_off(make_table(), TT, ReadoutUncertainty(30))
    for end, scale in zip(found.code_error_interval, sigma_interval(30), strict=True):
        assert end == pytest.approx(code_error(0.1 * scale), rel=1e-9)
        share = 2 * ROWS / (2 * (ROWS + 1))
        assert end == pytest.approx(share * float(rounding_error(0.1 * scale)), rel=1e-9)
    assert found.code_error == pytest.approx(code_error(0.1), rel=1e-9)
    # 5 sigma, the sigma known to chi-square's interval
    low, high = sigma_interval(30)
    assert found.margin_interval_sigma == pytest.approx((5 / high, 5 / low), rel=1e-9)
    assert [c.cause for c in found.causes] == ["mismatch samples"]


def test_every_cause_alone_has_its_closed_form_and_all_add_as_squares() -> None:
    table = make_table(0.1, 0.05, shift=0.1)
    error = LevelError(np.full((ROWS + 1, ROWS + 1), 0.02 * LSB), np.zeros((ROWS + 1, 1, ROWS)))
    known = ReadoutUncertainty(30, None, (error,), 0.03, pattern_samples=40, extraction=0.01, noise=0.1, supply=0.02)
    found = sign_off(table, TT, known)
    alone = {c.cause: c for c in found.causes}
    sigma = np.hypot(0.1, 0.05)
    value = code_error(sigma, 0.1)
    assert found.code_error == pytest.approx(value, rel=1e-9)
    z = 1.959963984540054
    # a level moves by its standard error; all towards or away from the nearer thresholds
    assert alone["fit of the levels"].code_error == pytest.approx(
        (code_error(sigma, 0.1 - 0.02 * z), code_error(sigma, 0.1 + 0.02 * z)), rel=1e-9
    )
    assert alone["fit of the levels"].margin_sigma == pytest.approx(
        ((0.4 - 0.02 * z) / sigma, (0.4 + 0.02 * z) / sigma), rel=1e-9
    )
    low, high = alone["form of the spread"].margin_sigma  # 3 % of the static spread, one standard error
    assert low == pytest.approx(0.4 / np.hypot(0.1 * (1 + 0.03 * z), 0.05), rel=1e-9)
    assert high == pytest.approx(0.4 / np.hypot(0.1 * (1 - 0.03 * z), 0.05), rel=1e-9)
    assert alone["drawn patterns"].code_error == pytest.approx((value, value), rel=1e-12)  # no spread by data
    assert alone["noise"].margin_sigma == pytest.approx(
        (0.4 / np.hypot(0.1, 0.055), 0.4 / np.hypot(0.1, 0.045)), rel=1e-9
    )
    assert alone["extraction"].margin_sigma == pytest.approx(
        (0.4 / np.hypot(0.1, 0.05 / 0.99), 0.4 / np.hypot(0.1, 0.05 / 1.01)), rel=1e-9
    )
    # 2 % of a level's signal, which is the count's, at the weakest level: the first count with an upper threshold
    weakest = table.worst_margin()
    supply = 0.02 * weakest.count
    low, high = alone["supply noise"].margin_sigma
    assert low == pytest.approx(0.4 / np.sqrt(sigma**2 + supply**2), rel=1e-9)
    assert high == pytest.approx(0.4 / sigma, rel=1e-12)
    margins = [c.margin_sigma for c in found.causes]
    assert found.margin_interval_sigma == pytest.approx(combined_span(0.4 / sigma, margins), rel=1e-12)
    low, high = found.code_error_interval
    assert low < min(c.code_error[0] for c in found.causes)
    assert high > max(c.code_error[1] for c in found.causes)
    for side in (0, 1):
        parts = [np.log(c.code_error[side] / value) for c in found.causes]
        assert np.log(found.code_error_interval[side] / value) ** 2 == pytest.approx(np.sum(np.square(parts)), rel=1e-9)


def test_csnr_follows_the_mean_square_of_the_codes() -> None:
    found = sign_off(make_table(0.2), TT, ReadoutUncertainty(20))
    low, high = sigma_interval(20)
    # errors of one count only, so that the mean square is the code error (beyond: 7.5 sigma)
    ends = [-10 * np.log10(code_error(0.2 * s) / code_error(0.2)) for s in (high, low)]
    assert found.csnr_change_dB == pytest.approx(tuple(ends), rel=1e-4)
    assert csnr_interval(found, 30.0) == pytest.approx((30 + ends[0], 30 + ends[1]), rel=1e-4)
    assert csnr_interval(found, None) is None


def test_points_of_a_fit_tell_a_sigma_better_than_one_of_them_unless_they_are_the_same() -> None:
    count = np.broadcast_to(np.arange(ROWS + 1), (ROWS + 1, ROWS + 1))
    levels = make_table().at(TT)
    terms = np.ones((*count.shape, 1))

    def margin(r: ReadoutLevels) -> float:
        return float(r.tails()[0][3, 3])

    # one variance from 30 draws, relative variance 2 / 29: chi-square's own
    one = SpreadTerms(terms, np.array([1e-6]), np.array([[1e-12 * 2 / 29]]))
    assert effective_draws(levels, ReadoutUncertainty(30, one), margin) == pytest.approx(30, rel=0.02)
    # the mean of four independent ones
    four = replace(one, covariance=one.covariance / 4)
    assert effective_draws(levels, ReadoutUncertainty(30, four), margin) == pytest.approx(1 + 4 * 29, rel=0.02)
    assert effective_draws(levels, ReadoutUncertainty(30), margin) == 30


def test_covariance_of_a_spread_is_that_of_its_repeats() -> None:
    # chips with independent devices (s0 = 1) and cells (s1 = 0.5, s2 = 0.2), all points on the same chips
    rng = np.random.default_rng(3)
    points = np.array([(0, 0), (8, 0), (8, 8), (16, 0), (16, 8), (16, 16)])
    active, count = points.T.astype(float)
    chips, repeats = 60, 400
    driven = np.arange(16)[None, :] < active[:, None]
    counted = np.arange(16)[None, :] < count[:, None]
    gain = np.where(counted, 0.5, 0.2) * driven
    found, stated = [], []
    for _ in range(repeats):
        level = rng.standard_normal((chips, 1)) + rng.standard_normal((chips, 16)) @ gain.T
        variance = level.var(axis=0, ddof=1)
        rho = np.corrcoef(level.T)
        model = fit_spread(TT, active, count, variance, np.full(6, float(chips)), relative_covariance=2 * rho**2 / 59)
        at = model.terms(np.array([16.0]), np.array([8.0]))[0]
        found.append(float(at @ model.variances))
        stated.append(float(np.sqrt(at @ model.covariance @ at)))
    assert np.mean(found) == pytest.approx(1 + 8 * 0.25 + 8 * 0.04, rel=0.03)
    # 400 repeats know a standard deviation to 3.5 %
    assert np.mean(stated) == pytest.approx(np.std(found, ddof=1), rel=0.11)


def test_a_form_that_does_not_fit_is_noticed_beyond_the_scatter_of_draws() -> None:
    points = np.array([(0, 0), (8, 0), (8, 8), (16, 0), (16, 8), (16, 16)], dtype=float)
    active, count = points.T
    exact = 1e-2 + count  # the form itself
    draws = np.full(6, 100_000.0)
    assert fit_spread(TT, active, count, exact, draws).misfit == pytest.approx(0.0, abs=0.002)
    # sigma 20 % high and 20 % low at equal counts of two points: no form of the count holds both
    bent = exact * np.array([1.0, 1.0, 1.44, 1.0, 0.64, 1.0])
    assert fit_spread(TT, active, count, bent, draws).misfit == pytest.approx(0.2, rel=0.2)
    # as much scatter is nothing where 30 draws tell a sigma to 13 %
    assert fit_spread(TT, active, count, bent, np.full(6, 12.0)).misfit < 0.1


def test_sensitivities_are_derivatives_of_the_same_figures() -> None:
    found = {s.cause: s for s in sign_off(make_table(0.1, 0.05), TT, ReadoutUncertainty(30)).sensitivities}
    sigma = np.hypot(0.1, 0.05)
    more = np.hypot(0.101, 0.05)
    mismatch = found["mismatch of cells and transistors, 1 % more"]
    assert mismatch.margin_change == pytest.approx(0.5 / more - 0.5 / sigma, rel=1e-9)
    assert mismatch.code_error_factor == pytest.approx(code_error(more) / code_error(sigma), rel=1e-9)
    less = found["LSB, 1 % less at equal noise and offset"]
    assert less.margin_change == pytest.approx(0.5 / np.hypot(0.1, 0.05 / 0.99) - 0.5 / sigma, rel=1e-9)
    offset = found["converter offset, 1 % of an LSB more"]
    assert offset.margin_change == pytest.approx(0.5 / np.sqrt(sigma**2 + 0.01**2) - 0.5 / sigma, rel=1e-9)


def test_budget_nonlinearity_and_effective_bits() -> None:
    found = sign_off(make_table(0.1, 0.05, shift=0.1), TT, ReadoutUncertainty(30))
    assert [p.count for p in found.budget] == list(range(ROWS + 1))
    for part in found.budget:
        assert part.sigmas["static"] == pytest.approx(0.1, rel=1e-9)
        assert part.sigmas["noise"] == pytest.approx(0.05, rel=1e-9)
        assert part.sigmas["offset"] == 0.0
    assert found.inl == pytest.approx(0.0, abs=1e-12)
    assert found.dnl == pytest.approx(0.0, abs=1e-12)
    assert found.inl_from_thresholds == pytest.approx(0.1, rel=1e-9)
    square = 0.1**2 + 0.05**2 + 0.1**2
    # log2(7 codes), less what errors add to the 1/12 of an ideal converter
    assert found.enob == pytest.approx(np.log2(7) - 0.5 * np.log2(1 + 12 * square), rel=1e-9)
    # one level 0.3 LSB high: INL there, DNL of the steps beside it
    bent = make_table()
    level = bent.level.copy()
    level[0, :, 2] += 0.3 * LSB
    inl, dnl, residual = nonlinearity(bent.replace(level=level).at(TT))
    assert inl == pytest.approx([0, 0, 0.3, 0, 0, 0, 0], abs=1e-12)
    assert dnl == pytest.approx([0, 0.3, -0.3, 0, 0, 0], abs=1e-12)
    assert residual == pytest.approx([0, 0.3, 0, 0, 0], abs=1e-12)


def test_without_any_spread_nothing_is_uncertain() -> None:
    found = sign_off(make_table(0.0), TT, ReadoutUncertainty(30))
    assert (found.code_error, found.code_error_interval) == (0.0, (0.0, 0.0))
    assert found.margin_sigma is None
    assert found.margin_interval_sigma is None
    assert found.csnr_change_dB == (0.0, 0.0)
