"""`transfer`: level against MAC count, number of active rows, row position, column position and neighbours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from characterization.campaign import Task
from characterization.dataset import Dataset
from characterization.fit import LevelModel, fit_levels, fit_pattern_variance
from characterization.patterns import FAR, NEAR, build_pattern, level_grid, random_names
from characterization.procedures.registry import Findings, Procedure, register
from characterization.setup import Setup


@dataclass(frozen=True)
class Transfer:
    """One level model per condition, what the extremes do to it, and the row drivers' energy.

    The models are fitted to drawn patterns, so that their residual is the spread that stored data cause. pattern:
    (conditions, 2), variance of that spread, p0 + p1 active (`fit_pattern_variance`). near, far:
    (conditions,), mean distance of the extreme patterns from the model, level's unit. row_energy: (conditions, 2), J
    drawn by the drivers of one conversion, e0 + e1 active, whole rows.
    """

    models: tuple[LevelModel, ...]
    near: NDArray[np.float64]
    far: NDArray[np.float64]
    row_energy: NDArray[np.float64]
    pattern: NDArray[np.float64]


def plan(setup: Setup) -> list[Task]:
    """Every (active, count) of the grid under drawn patterns, and a few levels under the extremes, everywhere."""
    n = setup.rows
    drawn = [(a, c, name) for a, c in level_grid(n, setup.max_levels) for name in random_names(setup.patterns)]
    extreme = [(n, c, name) for c in sorted({0, n // 2, n}) for name in (NEAR, FAR)]
    tasks = []
    for condition in setup.conditions:
        for index, (active, count, name) in enumerate((*drawn, *extreme)):
            seed = np.random.SeedSequence([setup.seed, 1, active, count, index])
            pattern = build_pattern(name, n, active, count, setup.columns, seed, setup.ones)
            case = pattern.case(setup.columns, setup.ones)
            tasks.append(Task("transfer", condition, active, count, name, -1, case))
    return tasks


def analyse(setup: Setup, data: Dataset, findings: Findings) -> Transfer:
    """Fit the level model per condition. Raises InputError when too many simulations of a condition failed."""
    models, near, far, energies, patterns = [], [], [], [], []
    for condition in setup.conditions:
        good = data.select("transfer", condition).good()
        drawn = Dataset(tuple(s for s in good.samples if s.pattern not in (NEAR, FAR)))
        active, count, level = (drawn.column(name) for name in ("active", "count", "level"))
        model = fit_levels(condition, setup.rows, active, count, level, setup.seed)
        models.append(model)
        patterns.append(fit_pattern_variance(active, level - model(active, count), len(model.coefficients)))
        near.append(_distance(good, NEAR, model))
        far.append(_distance(good, FAR, model))
        energies.append(energy_line(active, drawn.column("row_energy")))
    return Transfer(tuple(models), np.array(near), np.array(far), np.array(energies), np.array(patterns))


def energy_line(active: NDArray[np.float64], energy: NDArray[np.float64]) -> NDArray[np.float64]:
    """Least squares (e0, e1) of energy = e0 + e1 active, J, neither negative: drivers that hardly leak have so small an
    e0 that the scatter of the patterns would push it below zero."""
    from scipy.optimize import nnls

    x = np.stack([np.ones_like(active), active], axis=1)
    free = np.linalg.lstsq(x, energy, rcond=None)[0]
    if free.min() >= 0:
        return np.asarray(free, dtype=np.float64)
    unit = float(np.abs(energy).max())  # the solver's tolerances are absolute
    return np.asarray(nnls(x, energy / unit)[0] * unit, dtype=np.float64)


def _distance(data: Dataset, pattern: str, model: LevelModel) -> float:
    """Mean of level less model over the samples of one pattern; NaN without any."""
    chosen = Dataset(tuple(s for s in data.samples if s.pattern == pattern))
    if not len(chosen):
        return float("nan")
    return float(np.mean(chosen.column("level") - model(chosen.column("active"), chosen.column("count"))))


register(Procedure("transfer", "level against count, active rows, position and neighbours", (), plan, analyse))
