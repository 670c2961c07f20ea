"""One regression over all conditions: what periphery adds to the linear level, condition by condition, and how alike.

The coefficients of a condition, theta_c (`characterization.correction`), are Gaussian with zero mean before any read,

    cov(theta_ck, theta_dk) = p_k a_c a_d prod_f (1 if c and d agree in factor f else rho_f),

the factors being process, metals, supply, temperature, and the condition itself: a product of equicorrelations, as in
an analysis of variance with all interactions (J. Sacks et al., Statistical Science 4 (1989) 409). a_c is a product of
one amplitude a level of a factor; p_k falls with the order of the regressor. Terms of the line, terms of its load, and
terms of the reset switch's threshold, which follow its leakage, have amplitudes and correlations of their own. Terms of
line and load have a second such variance for what a condition departs from the others, large where a switch leaks; what
all conditions share says nothing of it. All of these and the residual of a read maximize the evidence of the reads so
far. A read of any condition thereby informs the others as far as they resemble it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from scipy.optimize import minimize

from characterization.correction import Correction, Regressors
from interconnect.arrays import BoolArray, FloatArray, IntArray
from interconnect.blas import one_blas_thread
from netlists.condition import Condition

FACTORS = ("corner", "beol", "vdd", "temperature")
ORDER, RESIDUAL, SCALE, DEPARTURE, AMPLITUDE = (0.3, 0.7), (1.5e-3, 1.0), (1.0, 2.0), (0.05, 2.0), (1.0, 1.0)
UNLIKE, OWN = (0.03, 2.0), (0.003, 3.0)
"""What is expected of the parameters, and the sigma of its logarithm: from one order of a regressor to the next; of a
read's residual, of a coefficient and of its departures, LSB; of a factor's level over its first; of (1 - rho) / rho, of
a factor and of what every condition has for itself."""
PARAMETERS = 20
"""Iterations of a search for the parameters."""
ROUNDING = 1e-9
"""Share of a variance that keeps covariance matrices positive in floating point."""
REMOTE = 0.25
"""Weight of a read in the error bars of a condition, for every factor in which they differ."""


@dataclass(frozen=True)
class Reads:
    """Simulated reads, side by side by condition. condition: its index, rising, (reads,). level: (reads,), in the unit
    of the regressors `x`."""

    condition: IntArray
    x: Regressors
    level: FloatArray


class ConditionModel:
    """The regression over `conditions`. orders: of every term, (terms,); groups: whether a term belongs to a group,
    whose variances add up, (groups, terms); the last are departures where their terms belong to others before."""

    def __init__(self, conditions: Sequence[Condition], orders: FloatArray, groups: BoolArray) -> None:
        self._orders, self._groups = orders, groups
        values = [[getattr(c, name) for c in conditions] for name in FACTORS]
        # index of every condition's level of the factors that differ at all
        index = [np.array([list(dict.fromkeys(v)).index(x) for x in v]) for v in values if len(set(v)) > 1]
        self._index: IntArray = np.array(index, dtype=np.int64).reshape(len(index), len(conditions))
        self._levels = [(f, level) for f, i in enumerate(self._index) for level in range(1, int(i.max()) + 1)]
        # conditions agree in a factor, or are the same
        self._agree: IntArray = np.concatenate([self._index, np.arange(len(conditions))[None]])
        each = [*[AMPLITUDE] * len(self._levels), *[UNLIKE] * len(self._index), OWN]
        known = np.cumsum(groups, axis=0)
        scales = [DEPARTURE if np.all(n[g] > 1) else SCALE for n, g in zip(known, groups, strict=True)]
        expected = np.array([ORDER, RESIDUAL, *(x for scale in scales for x in (scale, *each))])
        self._mean, self._width = np.log(expected[:, 0]), expected[:, 1]
        self._parameters = self._mean.copy()

    def fit(self, reads: Reads, *, search: bool = True) -> tuple[Correction, ...]:
        """The correction of every condition.

        Parameters
        ----------
        reads : Reads
            Of any conditions.
        search : bool
            Look for the parameters of the largest evidence anew; otherwise those of the last search.

        Returns
        -------
        tuple[Correction, ...]
            Its covariance and residual are enlarged where its own reads and those of conditions like it lie further
            from what all others say of them than their error bars.
        """
        with one_blas_thread():
            if len(reads.level) and search:
                found = minimize(
                    self._unlikely_by_width,
                    (self._parameters - self._mean) / self._width,
                    args=(reads,),
                    jac=True,
                    method="L-BFGS-B",
                    bounds=[(-3.0, 3.0)] * len(self._mean),
                    options={"maxiter": PARAMETERS},
                )
                self._parameters = self._mean + found.x * self._width
            return self._posterior(reads)

    def _unlikely_by_width(self, away: FloatArray, reads: Reads) -> tuple[float, FloatArray]:
        value, slope = self._unlikely(self._mean + away * self._width, reads)
        return value, slope * self._width

    def _unpack(self, p: FloatArray) -> tuple[FloatArray, float, list[tuple[FloatArray, FloatArray]]]:
        """(p_k without the scales, residual, per group: amplitude of every condition and rho of every factor)."""
        order, residual = np.exp(p[:2])
        out = []
        for part in p[2:].reshape(len(self._groups), -1):
            amplitude = np.full(self._index.shape[1], part[0])
            for (f, level), value in zip(self._levels, part[1:], strict=False):
                amplitude += value * (self._index[f] == level)
            out.append((np.exp(amplitude), 1.0 / (1.0 + np.exp(part[1 + len(self._levels) :]))))
        return order ** (2.0 * self._orders), float(residual), out

    def _alike(self, amplitude: FloatArray, rho: FloatArray) -> FloatArray:
        """Covariance of a coefficient between any two conditions over p_k, (conditions, conditions)."""
        out = np.multiply.outer(amplitude, amplitude)
        for index, r in zip(self._agree, rho, strict=True):
            out *= np.where(index[:, None] == index, 1.0, r)
        return out

    def _unlikely(self, p: FloatArray, reads: Reads) -> tuple[float, FloatArray]:
        """Negative logarithm of the evidence with what is expected of the parameters, and its gradient."""
        prior, residual, groups = self._unpack(p)
        design, c, target = reads.x.design, reads.condition, reads.level - reads.x.linear
        number = len(target)
        present, first = np.unique(c, return_index=True)  # reads lie condition by condition
        covariance = (residual**2) * np.eye(number)
        parts, turned = [], np.zeros((number, number))
        for g, (amplitude, rho) in enumerate(groups):
            mine = self._groups[g]
            weight = self._alike(amplitude, rho)[np.ix_(c, c)]
            parts.append(weight * ((design[:, mine] * prior[mine]) @ design[:, mine].T))
            turned += weight * ((design[:, mine] * (prior * 2.0 * self._orders)[mine]) @ design[:, mine].T)
            covariance += parts[-1]
        covariance[np.diag_indices(number)] *= 1.0 + ROUNDING
        factor = cho_factor(covariance, lower=True, check_finite=False)
        inverse = cho_solve(factor, np.eye(number), check_finite=False)
        alpha = inverse @ target
        pull = np.outer(alpha, alpha) - inverse  # twice the gradient by the covariance
        slope = [0.5 * float(np.sum(pull * turned)), residual**2 * float(np.trace(pull))]
        for part, (_, rho) in zip(parts, groups, strict=True):
            both = np.add.reduceat(np.add.reduceat(pull * part, first, axis=0), first, axis=1)
            by_condition = both.sum(axis=1)
            slope.append(float(by_condition.sum()))
            slope += [float(by_condition[self._index[f][present] == level].sum()) for f, level in self._levels]
            for index, r in zip(self._agree[:, present], rho, strict=True):
                slope.append(-0.5 * (1.0 - r) * float(both[index[:, None] != index].sum()))
        away = (p - self._mean) / self._width
        value = 0.5 * float(target @ alpha) + float(np.log(np.diag(factor[0])).sum()) + 0.5 * float(away @ away)
        return value, away / self._width - np.array(slope)

    def _posterior(self, reads: Reads) -> tuple[Correction, ...]:
        prior, residual, groups = self._unpack(self._parameters)
        c, target = reads.condition, reads.level - reads.x.linear
        design = reads.x.design if len(target) else np.zeros((0, len(prior)))
        conditions = np.arange(self._index.shape[1])
        # weight of every read in the coefficients of every condition, by group: (conditions, reads)
        weights = [self._alike(amplitude, rho)[:, c] for amplitude, rho in groups]
        variance = np.stack([amplitude**2 for amplitude, _ in groups], axis=1)  # (conditions, groups)
        covariance = residual**2 * np.eye(len(target))
        for g, weight in enumerate(weights):
            mine = self._groups[g]
            covariance += weight[c] * ((design[:, mine] * prior[mine]) @ design[:, mine].T)
        covariance[np.diag_indices(len(target))] *= 1.0 + ROUNDING
        root = np.linalg.cholesky(covariance)
        half = solve_triangular(root, target, lower=True)
        inverse_root = solve_triangular(root, np.eye(len(target)), lower=True)
        z = (inverse_root.T @ half) ** 2 / np.einsum("ij,ij->j", inverse_root, inverse_root)
        unlike = (self._index[:, :, None] != self._index[:, None, :]).sum(axis=0)
        near = REMOTE ** unlike.astype(np.float64)[:, c]  # (conditions, reads)
        out = []
        for k in conditions:
            apart = max(1.0, float(near[k] @ z / near[k].sum())) if len(z) else 1.0
            weight = self._groups.T @ np.stack([w[k] for w in weights])  # (terms, reads)
            known = inverse_root @ (design * weight.T * prior)
            before = prior * (self._groups.T @ variance[k])
            after = (np.diag(before) - known.T @ known) * apart
            share = np.maximum(1.0 - np.diag(after) / before, 0.0)
            out.append(
                Correction(
                    known.T @ half,
                    after,
                    residual * float(np.sqrt(apart)),
                    int((c == k).sum()),
                    int((c != k).sum()),
                    float(share.sum()),
                )
            )
        return tuple(out)
