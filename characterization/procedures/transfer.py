"""`transfer`: level against MAC count, number of active rows, row position, column position and neighbours."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import nnls

from characterization.campaign import Task
from characterization.column_line import ColumnLines, fitted, stored_numbers
from characterization.dataset import Dataset
from characterization.fit import LEVELS_NEEDED, LevelModel, fit_levels, fit_pattern_variance, regressors, signed_count
from characterization.patterns import FAR, NEAR, level_grid, pattern_of, random_names
from characterization.procedures.registry import CORRECTED, Procedure, ProcedureResults
from characterization.testbench import Testbench
from interconnect.arrays import FloatArray
from interconnect.errors import InputError
from netlists.condition import Condition


@dataclass(frozen=True)
class Transfer:
    """One level model per condition, what the extremes do to it, and the row drivers' energy.

    The models are fitted to drawn patterns, so that their residual is the spread that stored data cause. pattern:
    (conditions, 2), variance of that spread, p0 + p1 active (`fit_pattern_variance`). near, far:
    (conditions,), mean distance of the extreme patterns from the model, level's unit. row_energy: (conditions, 2), J
    drawn by the drivers of one conversion, e0 + e1 active, whole rows.

    Cells whose load depends on the symbol: levels are referred to the mean column (`characterization.column_line`),
    lines: of each condition. patterns: (conditions, 4), variance about the model, level's unit squared: p0 + p1 a +
    p2 a^2 + p3 n^2 with a = active / rows, n = count over its largest; None where `pattern` serves all levels. Through
    a chain, whose table serves all columns, nothing is referred: what columns differ by is in that variance, and n is
    the signed count over the rows.
    """

    models: tuple[LevelModel, ...]
    near: FloatArray
    far: FloatArray
    row_energy: FloatArray
    pattern: FloatArray
    lines: tuple[ColumnLines, ...] = ()
    patterns: FloatArray | None = None


def plan_transfer(setup: Testbench) -> list[Task]:
    """Every (active, count) of the grid under drawn patterns, and a few levels under the extremes, everywhere."""
    n = setup.rows
    top = setup.max_count
    grid = level_grid(n, setup.max_levels, setup.levels)
    drawn = [(a, c, name) for a, c in grid for name in random_names(setup.patterns)]
    extreme = [(n, c, name) for c in sorted({0, top // 2, top}) for name in (NEAR, FAR)]
    tasks = []
    for condition in setup.conditions:
        for index, (active, count, name) in enumerate((*drawn, *extreme)):
            seed = np.random.SeedSequence([setup.seed, 1, active, count, index])
            pattern = pattern_of(setup, name, active, count, seed)
            case = pattern.case(setup.columns, setup.ones)
            tasks.append(Task("transfer", condition, active, count, name, -1, case))
    return tasks


def has_enough_levels(setup: Testbench) -> bool:
    """Whether the planned levels are as many as a level model needs."""
    return len(level_grid(setup.rows, setup.max_levels, setup.levels)) >= LEVELS_NEEDED[setup.level_shape]


def check_levels(setup: Testbench) -> None:
    """Refuse a group, or a number of simulated counts, with too few levels for a level model.

    Raises
    ------
    InputError
        Naming the key that is too small.
    """
    if has_enough_levels(setup):
        return
    n, needed = setup.rows, LEVELS_NEEDED[setup.level_shape]
    number = len(level_grid(n, setup.max_levels, setup.levels))
    largest = n * (setup.levels - 1) + 1  # counts of a fully driven group
    enough = (m for m in range(setup.max_levels, largest + 1) if len(level_grid(n, m, setup.levels)) >= needed)
    counts = next(enough, None)
    raise InputError(
        f"{number} distinct levels of a group of {n} rows are too few for the level model of this readout "
        f"({needed} needed)",
        where="array.group_rows" if counts is None else "characterization.max_levels",
        hint="a larger group" if counts is None else f"{counts} or more, or a larger group",
    )


def analyse_transfer(setup: Testbench, data: Dataset, results: ProcedureResults) -> Transfer:
    """Fit the level model per condition. Raises InputError when too many simulations of a condition failed."""
    models, near, far, energies, pattern, lines, patterns = [], [], [], [], [], [], []
    follows = not setup.balanced and setup.chain is None  # a chain has one table for all columns
    stored = _stored(setup) if follows else {}
    for condition in setup.conditions:
        good = data.select("transfer", condition).good()
        if stored:
            line, good = _referred(setup, condition, good, stored)
            lines.append(line)
        drawn = Dataset(tuple(s for s in good.samples if s.pattern not in (NEAR, FAR)))
        active, count, level = (drawn.column(name) for name in ("active", "count", "level"))
        shape = setup.level_shape
        model = fit_levels(condition, setup.rows, active, count, level, setup.seed, setup.levels, shape)
        corrected = results.get(CORRECTED)
        if corrected is not None and corrected.at(condition) is not None:
            design = regressors(shape, setup.rows, active, count, setup.levels - 1)
            extra = corrected.level_covariance(condition, _drawn_tasks(setup, condition), design)
            model = replace(model, covariance=model.covariance + extra)
        models.append(model)
        pattern.append(fit_pattern_variance(active, level - model(active, count), len(model.coefficients)))
        if not setup.balanced:
            patterns.append(_spread(setup, model, active, count, level))
        near.append(_distance(good, NEAR, model))
        far.append(_distance(good, FAR, model))
        energies.append(energy_line(active, drawn.column("row_energy")))
    return Transfer(
        tuple(models),
        np.array(near),
        np.array(far),
        np.array(energies),
        np.array(pattern),
        tuple(lines),
        np.array(patterns) if patterns else None,
    )


def _drawn_tasks(setup: Testbench, condition: Condition) -> list[Task]:
    return [t for t in plan_transfer(setup) if t.condition == condition and t.pattern not in (NEAR, FAR)]


Key = tuple[Condition, int, int, str]


def _stored(setup: Testbench) -> dict[Key, FloatArray]:
    """What the target column of every planned sample stores."""
    return {(t.condition, t.active, t.count, t.pattern): stored_numbers(t.case) for t in plan_transfer(setup)}


def _referred(
    setup: Testbench, condition: Condition, data: Dataset, stored: dict[Key, FloatArray]
) -> tuple[ColumnLines, Dataset]:
    """The lines of a condition, and its samples with levels referred to the mean column."""
    active, count, level = (data.column(name) for name in ("active", "count", "level"))
    numbers = np.array([stored[condition, s.active, s.count, s.pattern] for s in data.samples])
    drawn = np.array([s.pattern not in (NEAR, FAR) for s in data.samples])
    line = fitted(setup.at(condition), condition, level[drawn], active[drawn], count[drawn], numbers[drawn])
    return line, Dataset(
        tuple(
            replace(s, level=float(v)) for s, v in zip(data.samples, line.referred(level, active, numbers), strict=True)
        )
    )


def _spread(
    setup: Testbench,
    model: LevelModel,
    active: FloatArray,
    count: FloatArray,
    level: FloatArray,
) -> FloatArray:
    """p0 to p3 of `Transfer.patterns`: non-negative least squares to the squared residuals of the level model."""
    squares = (level - model(active, count)) ** 2
    unit = float(squares.mean()) or 1.0
    freedom = len(level) / max(len(level) - len(model.coefficients), 1)
    out: FloatArray = nnls(spread_terms(setup, active, count), squares / unit)[0] * unit * freedom
    return out


def spread_terms(setup: Testbench, active: FloatArray, count: FloatArray) -> FloatArray:
    """Regressors of `Transfer.patterns`, shape (..., 4)."""
    a, n = active / setup.rows, count / setup.max_count
    if setup.level_shape == "bent":
        n = signed_count(active, count, setup.levels - 1)[1] / setup.rows
    return np.stack([np.ones_like(a), a, a * a, n * n], axis=-1)


def energy_line(active: FloatArray, energy: FloatArray) -> FloatArray:
    """Least squares (e0, e1) of energy = e0 + e1 active, J, neither negative: drivers that hardly leak have so small an
    e0 that the scatter of the patterns would push it below zero."""
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


PROCEDURE = Procedure(
    "transfer",
    "level against count, active rows, position and neighbours",
    (),
    plan_transfer,
    analyse_transfer,
    through_chain=True,
)
