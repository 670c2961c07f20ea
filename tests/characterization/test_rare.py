"""Rare events against known answers: Gaussian tails, and a real column's code errors against counting."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest, norm

from characterization.models.failure_point import failure_points
from characterization.models.rare import brute_force, importance_sampling, sigma_extrapolation, wilson
from characterization.models.settled_column import SettledColumn, code_error_experiment
from interconnect.arrays import FloatArray
from interconnect.errors import InputError
from netlists.case import ColumnStimulus, Deviations
from netlists.condition import Condition
from netlists.periphery import Periphery
from netlists.reference import reference_column
from netlists.technology import load_technology
from tests.builders import make_model

DIRECTION = np.array([0.6, 0.0, -0.8, 0.0, 0.0])


def plane_limit(sigmas: float):
    """Fails beyond a plane at this distance: the probability is Q(sigmas) exactly."""
    return lambda z: sigmas - z @ DIRECTION


def slab(near: float, far: float):
    """Fails on either side: Q(near) + Q(far) exactly."""
    return lambda z: np.minimum(near - z @ DIRECTION, far + z @ DIRECTION)


@pytest.mark.parametrize("sigmas", [3.0, 4.0, 5.0, 6.0])
def test_importance_sampling_knows_the_gaussian_tail(sigmas: float) -> None:
    found = importance_sampling(plane_limit(sigmas), 5, 4000, seed=3)
    exact = norm.sf(sigmas)  # Q(3) = 1.35e-3 ... Q(6) = 9.87e-10, standard tables
    assert found.trusted
    assert found.low < exact < found.high
    assert found.value == pytest.approx(exact, rel=0.1)
    assert found.sigmas == pytest.approx(sigmas, abs=0.03)


def test_the_interval_holds_as_often_as_it_says() -> None:
    exact = norm.sf(4.5)
    points = 4.5 * DIRECTION[None]
    runs = [importance_sampling(plane_limit(4.5), 5, 1000, seed=s, points=points) for s in range(300)]
    hits = sum(r.low < exact < r.high for r in runs)
    assert binomtest(hits, 300, 0.95).pvalue > 1e-3
    # and it is narrow enough to be of use: +- 20 %
    assert np.median([r.high / r.value for r in runs]) < 1.2


def test_both_sides_of_a_limit_are_found() -> None:
    found = failure_points(slab(4.0, 4.3), 5, seed=1)
    assert found.distances == pytest.approx([4.0, 4.3], abs=0.01)
    exact = norm.sf(4.0) + norm.sf(4.3)
    p = importance_sampling(slab(4.0, 4.3), 5, 8000, seed=2)
    assert p.low < exact < p.high
    assert p.value > 1.15 * norm.sf(4.0)  # one side alone would be a fifth too low


def test_a_bent_limit_has_its_nearest_point_found() -> None:
    # z1 + z2^2 / 10 = 4 in the plane: the nearest point is (4, 0), since the curvature 0.2 is less than 1 / 4
    found = failure_points(lambda z: 4.0 - z[:, 0] - 0.1 * z[:, 1] ** 2, 3, seed=5)
    assert found.points[0] == pytest.approx([4.0, 0.0, 0.0], abs=0.05)


def test_extrapolation_of_sigma_holds_the_tail() -> None:
    for sigmas in (4.0, 5.0):
        found = sigma_extrapolation(plane_limit(sigmas), 5, 60_000, seed=7)
        assert found.low < norm.sf(sigmas) < found.high
        assert not found.trusted
        assert "extrapolated" in found.note


def test_counting_and_its_interval() -> None:
    p = brute_force(plane_limit(2.0), 5, 50_000, seed=4)
    assert p.low < norm.sf(2.0) < p.high
    assert p.trusted
    none = brute_force(plane_limit(9.0), 5, 1000, seed=4)
    assert none.value == 0.0
    assert none.low == 0.0
    assert not none.trusted
    # rule of three, 3 / n, is the limit of a 95 % one-sided bound; Wilson's two-sided one is z^2 / (n + z^2)
    assert none.high == pytest.approx(1.959964**2 / (1000 + 1.959964**2), rel=1e-6)


@pytest.mark.parametrize(("k", "n"), [(0, 10), (3, 10), (10, 10), (17, 1000)])
def test_wilson_against_scipy(k: int, n: int) -> None:
    exact = binomtest(k, n).proportion_ci(method="wilson")
    assert wilson(k, n) == pytest.approx((exact.low, exact.high), abs=1e-12)


def test_what_cannot_be_estimated_is_refused() -> None:
    with pytest.raises(InputError, match="none of 8000 draws"):
        importance_sampling(lambda z: np.ones(len(z)), 3, 1000, seed=0)
    with pytest.raises(InputError, match="shape"):
        brute_force(lambda z: np.ones(3), 3, 1000, seed=0)
    with pytest.raises(InputError, match="is not a number"):
        brute_force(lambda z: np.full(len(z), np.nan), 3, 1000, seed=0)
    with pytest.raises(InputError, match="scales"):
        sigma_extrapolation(plane_limit(30.0), 5, 6000, seed=0)
    with pytest.raises(InputError, match="are not possible"):
        wilson(3, 2)


def test_few_effective_failures_are_not_trusted() -> None:
    # the sampler is sent to a place far from where the failures are
    p = importance_sampling(plane_limit(4.0), 5, 500, seed=1, points=np.array([[0.0, 6.0, 0.0, 0.0, 0.0]]))
    assert not p.trusted


@pytest.fixture(scope="module")
def column() -> tuple[SettledColumn, ColumnStimulus, object]:
    technology = load_technology("generic28", "open45")
    model = make_model("cap_balanced", technology.stack)
    rng = np.random.default_rng(0)
    case = ColumnStimulus(
        bits=(rng.random((16, 3)) < 0.5).astype(np.uint8),
        inputs=(rng.random(16) < 0.7).astype(np.uint8),
        columns_total=8,
        position=2,
    )
    periphery = Periphery(kind="ideal")
    condition = Condition("tt", 0.9, 27.0)

    def exact(factors: FloatArray) -> float:
        from dataclasses import replace

        return reference_column(model, periphery, condition, replace(case, deviations=Deviations(cell=factors))).value

    return SettledColumn.of(model, periphery, condition, case), case, exact


def test_settled_levels_equal_the_linear_network(column) -> None:
    settled, case, exact = column
    factors = 1.0 + 0.1 * np.random.default_rng(1).standard_normal((5, *case.bits.shape))
    want = [exact(f) for f in factors]
    # the same linear network, solved by its sparse factorisation with all resistors in place
    assert settled.levels(factors) == pytest.approx(want, rel=1e-9)
    assert np.std(want) > 1e-4 * want[0]


def test_code_errors_of_a_column_by_three_ways(column) -> None:
    settled, _, _ = column
    spacing = 5e-3
    margin, dims = code_error_experiment(settled, cell_sigma=0.05, offset_sigma=0.8e-3, spacing=spacing)
    counted = brute_force(margin, dims, 200_000, seed=11)
    sampled = importance_sampling(margin, dims, 4000, seed=12)
    assert counted.trusted
    assert sampled.trusted
    # two independent intervals of 95 % overlap
    assert sampled.low < counted.high
    assert counted.low < sampled.high
    assert sampled.value == pytest.approx(counted.value, rel=0.2)
    # a hundred times rarer: a quieter comparator; the level is Gaussian to first order, with the sigma of 20,000 draws
    rare, dims = code_error_experiment(settled, cell_sigma=0.03, offset_sigma=0.3e-3, spacing=spacing)
    z = np.random.default_rng(5).standard_normal((20_000, dims))
    sigma = float(np.std(settled.levels(1.0 + 0.03 * z[:, :-1]) + 0.3e-3 * z[:, -1]))
    p = importance_sampling(rare, dims, 8000, seed=13)
    assert p.trusted
    assert p.sigmas == pytest.approx(norm.isf(2 * norm.sf(spacing / 2 / sigma)), abs=0.15)
