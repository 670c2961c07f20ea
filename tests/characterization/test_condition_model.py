"""The regression over conditions: against closed forms, finite differences and draws of its own prior."""

from __future__ import annotations

import numpy as np
import pytest

from characterization.condition_model import ROUNDING, ConditionModel, Reads
from characterization.correction import Regressors
from netlists.condition import Condition

CONDITIONS = [Condition(p, v, t) for p in ("tt", "ss") for v in (1.0, 0.9) for t in (27.0, 85.0)]
ORDERS = np.array([0.0, 0.0, 1.0, 1.0, 2.0])
GROUPS = np.array(
    [[True, True, True, False, False], [False, False, False, True, True], [True, False, False, True, False]]
)


def drawn_reads(rng: np.random.Generator, number: int, *, alike: float, noise: float) -> tuple[Reads, np.ndarray]:
    """`number` reads of every condition whose coefficients differ by `alike` from common ones, and these."""
    theta = rng.normal(size=5) + alike * rng.normal(size=(len(CONDITIONS), 5))
    c = np.repeat(np.arange(len(CONDITIONS)), number)
    x = Regressors(rng.normal(size=len(c)), rng.normal(size=(len(c), 5)))
    level = x.linear + np.einsum("rt,rt->r", x.design, theta[c]) + noise * rng.normal(size=len(c))
    return Reads(c, x, level), theta


def test_gradient_of_the_evidence_is_a_finite_difference() -> None:
    rng = np.random.default_rng(1)
    model = ConditionModel(CONDITIONS, ORDERS, GROUPS)
    reads, _ = drawn_reads(rng, 3, alike=0.3, noise=0.1)
    p = model._mean + 0.2 * rng.normal(size=len(model._mean))
    p[1] = np.log(0.1)
    slope = model._unlikely(p, reads)[1]
    h = 1e-5
    moved = [
        (model._unlikely(p + h * e, reads)[0] - model._unlikely(p - h * e, reads)[0]) / (2 * h) for e in np.eye(len(p))
    ]
    assert slope == pytest.approx(np.array(moved), rel=1e-4, abs=1e-4)


def test_one_condition_is_ridge_regression() -> None:
    rng = np.random.default_rng(2)
    model = ConditionModel(CONDITIONS[:1], ORDERS, GROUPS)
    x = Regressors(np.zeros(12), rng.normal(size=(12, 5)))
    level = x.design @ rng.normal(size=5) + 1e-3 * rng.normal(size=12)
    (found,) = model.fit(Reads(np.zeros(12, dtype=np.int64), x, level), search=False)
    prior, residual, groups = model._unpack(model._parameters)
    scale = np.array([amplitude[0] ** 2 for amplitude, _ in groups]) @ GROUPS * prior  # variances of groups add up
    # posterior mean of Bayesian linear regression
    noise = residual**2 + ROUNDING * (residual**2 + (x.design**2) @ scale)
    known = np.linalg.solve((x.design.T / noise) @ x.design + np.diag(1 / scale), (x.design.T / noise) @ level)
    assert found.theta == pytest.approx(known, rel=1e-6)
    assert (found.reads, found.others) == (12, 0)


def test_conditions_inform_each_other_as_far_as_they_are_alike() -> None:
    errors = {}
    for alike in (0.003, 1.0):
        distances = []
        for seed in range(4):
            rng = np.random.default_rng(seed)
            reads, theta = drawn_reads(rng, 8, alike=alike, noise=0.003)
            kept = reads.condition < len(CONDITIONS) - 1  # none of the last condition
            part = Reads(reads.condition[kept], reads.x.take(np.flatnonzero(kept)), reads.level[kept])
            found = ConditionModel(CONDITIONS, np.zeros(5), np.ones((1, 5), dtype=np.bool_)).fit(part)[-1]
            errors[alike] = float(np.sqrt(np.diag(found.covariance)).mean())
            distances.append((found.theta - theta[-1]) / np.sqrt(np.diag(found.covariance)))
        # 20 distances over their error bars: a chi-square of 20 stays below 3 per degree with a chance of 1 - 4e-6
        assert np.mean(np.square(distances)) < 3.0, alike
    assert errors[0.003] < 0.03 * errors[1.0]
