"""`transfer`: level against MAC count, number of active rows, row position, column position and neighbours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from characterization.campaign import Task
from characterization.dataset import Dataset
from characterization.fit import LevelModel, fit_levels
from characterization.patterns import build_pattern, level_grid, pattern_names
from characterization.procedures.registry import Findings, Procedure, register
from characterization.setup import Setup
from netlists.case import ColumnCase


@dataclass(frozen=True)
class Transfer:
    """One level model per condition and the row drivers' energy.

    position_shift: (conditions,), mean level of the `far` patterns minus the `near` ones at equal count, level's
    unit. row_energy: (conditions, 2), J drawn by the drivers of one conversion, e0 + e1 active, whole rows.
    """

    models: tuple[LevelModel, ...]
    position_shift: NDArray[np.float64]
    row_energy: NDArray[np.float64]


def plan(setup: Setup) -> list[Task]:
    """Every (active, count) of the grid under every pattern, at every condition."""
    tasks = []
    for condition in setup.conditions:
        for active, count in level_grid(setup.rows, setup.max_levels):
            for index, name in enumerate(pattern_names(setup.patterns)):
                seed = np.random.SeedSequence([setup.seed, 1, active, count, index])
                pattern = build_pattern(name, setup.rows, active, count, setup.columns, seed)
                case = ColumnCase(
                    bits=pattern.bits, inputs=pattern.inputs, position=pattern.position, columns_total=setup.columns
                )
                tasks.append(Task("transfer", condition, active, count, name, -1, case))
    return tasks


def analyse(setup: Setup, data: Dataset, findings: Findings) -> Transfer:
    """Fit the level model per condition. Raises InputError when too many simulations of a condition failed."""
    models, shifts, energies = [], [], []
    for condition in setup.conditions:
        good = data.select("transfer", condition).good()
        active, count, level = (good.column(name) for name in ("active", "count", "level"))
        models.append(fit_levels(condition, setup.rows, active, count, level, setup.seed))
        shifts.append(_position_shift(good))
        x = np.stack([np.ones_like(active), active], axis=1)
        energies.append(np.linalg.lstsq(x, good.column("row_energy"), rcond=None)[0])
    return Transfer(tuple(models), np.array(shifts), np.array(energies))


def _position_shift(data: Dataset) -> float:
    """Mean over (active, count) of level(far) - level(near)."""
    near = {(s.active, s.count): s.level for s in data.samples if s.pattern == "near"}
    far = {(s.active, s.count): s.level for s in data.samples if s.pattern == "far"}
    both = [far[key] - near[key] for key in near.keys() & far.keys()]
    return float(np.mean(both)) if both else float("nan")


register(Procedure("transfer", "level against count, active rows, position and neighbours", (), plan, analyse))
