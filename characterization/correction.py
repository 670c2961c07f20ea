"""What transistors add to the exact linear level of a read: regressors, coefficients with error bars, spread of chips.

The periphery leaves a charge on the floating line (a current cell: drops a voltage), so that a read gives

    level = linear level + sum_k theta_k f_k(linear level, active rows, load, threshold shifts)

where the load is what a charge does to the line of the very pattern and chip. The coefficients of all conditions are
found together, from few reads of each (`characterization.condition_model`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from characterization.campaign import Task
from characterization.linear_read import LinearRead, LinearReads
from characterization.noise import BOLTZMANN
from characterization.testbench import MIN_SAMPLES, Testbench
from interconnect.arrays import BoolArray, FloatArray
from netlists.case import ColumnStimulus
from netlists.condition import Condition

CHARGE = 1.602176634e-19
"""C; of an electron (SI)."""
SLOPE = 1.5
"""Subthreshold slope factor of a leaking switch; what it is off the regression takes up."""
MOST_DRAWS = 10_000
LARGE = 10.0
"""By how much gain, offset and what the load makes of them exceed all that bends them, about: a prior, no more."""


@dataclass(frozen=True)
class Regressors:
    """Reads in the unit of the correction. linear: level, (reads,); design: (reads, terms). level = unit (linear +
    design @ theta)."""

    linear: FloatArray
    design: FloatArray

    def take(self, chosen: FloatArray | list[int]) -> Regressors:
        """Some of the reads."""
        index = np.asarray(chosen, dtype=np.int64)
        return Regressors(self.linear[index], self.design[index])


class RegressorMaker:
    """Linear levels and regressors of a setup's reads; all conditions share units and ranges, so that coefficients can
    be compared. The unit of a level is a linear count at the nominal condition, in proportion to the drive.
    """

    def __init__(self, setup: Testbench, tasks: list[Task]) -> None:
        self._setup, self.reads = setup, LinearReads(setup)
        nominal = setup.conditions[0]
        self._signs = np.array([float(line.sign) for line in setup.model.bit_lines])
        first = [self.reads.read(nominal, setup.stimulus(t.case)) for t in tasks if t.condition == nominal]
        levels = np.array([r.level for r in first]) / self._drive(nominal)  # (reads, lines)
        low, high = float(levels.min()), float(levels.max())
        self._middle, self._half = (high + low) / 2.0, (high - low) / 2.0 or 1.0
        counted = np.array([[1.0, t.active, t.count] for t in tasks if t.condition == nominal])
        self._count = abs(float(np.linalg.lstsq(counted, levels @ self._signs, rcond=None)[0][2])) or 1.0
        self._load = float(np.median([r.load for r in first]))
        devices, p = setup.technology.devices, setup.periphery
        self._lines = len(self._signs)
        up = devices.sigma_vth("pmos", p.driver_pmos_width, p.length) * np.sqrt(setup.rows)
        down = devices.sigma_vth("nmos", p.driver_nmos_width, p.length) * np.sqrt(setup.rows)
        self._readout = [(d.name, devices.sigma_vth(d.kind, d.width, d.length)) for d in setup.readout_devices]
        reset = devices.sigma_vth("nmos", p.reset_width, p.length)
        self._sigma: FloatArray = np.array(
            [*[reset] * self._lines, up, up, down, down, *(sigma for _, sigma in self._readout)]
        )

    def _drive(self, condition: Condition) -> float:
        return condition.vdd if self._setup.unit == "V" else self._setup.periphery.read_voltage

    def unit(self, condition: Condition) -> float:
        """V or A of a linear count."""
        return self._count * self._drive(condition)

    def of_tasks(self, tasks: list[Task]) -> Regressors:
        """Regressors of planned reads."""
        levels, loads, shifts, active = [], [], [], []
        for task in tasks:
            case = self._setup.stimulus(task.case)
            level, load = self.reads.read(task.condition, case).at(case.deviations.cell)
            levels.append(level / self._drive(task.condition))
            loads.append(load)
            shifts.append(self._shifts(case))
            active.append(case.active)
        kelvin = np.array([t.condition.kelvin for t in tasks])
        return self._regressors(np.array(levels), np.array(loads), np.array(active), np.array(shifts), kelvin)

    def of_chips(self, condition: Condition, case: ColumnStimulus, normals: FloatArray) -> Regressors:
        """Regressors of one read on many chips. normals: (chips, `dimensions`), independent of variance 1."""
        case = self._setup.stimulus(case)
        read = self.reads.read(condition, case)
        level, load = self._of_cells(read, normals[:, : 2 * self._lines])
        sums = normals[:, 2 * self._lines :].copy()
        first = self._lines
        share = _driven(case)
        rows = np.array([s.sum() for s in share])
        sums[:, first : first + len(share)] *= np.sqrt(rows / self._setup.rows)
        active = np.full(len(normals), case.active)
        kelvin = np.full(len(normals), condition.kelvin)
        return self._regressors(level / self._drive(condition), load, active, sums * self._sigma, kelvin)

    @property
    def dimensions(self) -> int:
        """Independent deviations of a chip as the regressors see them."""
        return 2 * self._lines + len(self._sigma)

    def _of_cells(self, read: LinearRead, normals: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(levels, loads) of chips, each (chips, lines): sums over the cells, correlated as their slopes are alike."""
        slopes = np.concatenate([read.cells, read.load_cells]).reshape(2 * self._lines, -1)
        value, vector = np.linalg.eigh(slopes @ slopes.T)
        root = self._setup.variation.cell_sigma * vector * np.sqrt(np.maximum(value, 0.0))
        moved = normals @ root.T
        return read.level + moved[:, : self._lines], read.load * (1.0 + moved[:, self._lines :])

    def _shifts(self, case: ColumnStimulus) -> FloatArray:
        d, zero = case.deviations, np.zeros(case.rows)
        reset = np.zeros(self._lines)
        if d.reset is not None:
            reset = np.atleast_2d(d.reset)[:, case.target]
        up = zero if d.driver_pmos is None else d.driver_pmos
        down = zero if d.driver_nmos is None else d.driver_nmos
        sums = [share @ shift for share, shift in zip(_driven(case), (up, up, down, down), strict=True)]
        readout = dict(d.readout)
        return np.array([*reset, *sums, *(readout.get(name, 0.0) for name, _ in self._readout)])

    def _regressors(
        self, level: FloatArray, load: FloatArray, active: FloatArray, shifts: FloatArray, kelvin: FloatArray
    ) -> Regressors:
        a = 2.0 * active / self._setup.rows - 1.0
        z = shifts / np.where(self._sigma > 0, self._sigma, 1.0)
        lines = [self._of_line(level[:, k], load[:, k], a, z[:, k], shifts[:, k], kelvin) for k in range(self._lines)]
        terms = [np.tensordot(lines, self._signs, axes=(0, 0)), z[:, self._lines : self._lines + 4].T]
        signed = level @ self._signs
        v = (signed - self._middle * self._signs.sum()) / self._half
        terms += [np.array([z[:, k] * v**i for i in range(4)]) for k in range(self._lines + 4, z.shape[1])]
        return Regressors(signed / self._count, np.concatenate(terms).T)

    def _of_line(
        self,
        level: FloatArray,
        load: FloatArray,
        a: FloatArray,
        z: FloatArray,
        shift: FloatArray,
        kelvin: FloatArray,
    ) -> FloatArray:
        """What the periphery of one bit line does, (terms, reads); lines are alike, so that they share coefficients."""
        v = (level - self._middle) / self._half
        change = LARGE * (load / self._load - 1.0)
        thermal = shift / (SLOPE * BOLTZMANN / CHARGE * kelvin)
        bend = np.exp(-thermal) - 1.0 + thermal  # what a leakage's exponential adds to its linear part
        base = [v**i * a**j * (LARGE if i + j < 2 else 1.0) for i, j in _BASE]
        return np.array(
            [
                *base,
                *(change * v**i * a**j for i, j in _LOAD),
                *(change**2 / LARGE * v**i for i in range(_SECOND)),
                *(z * v**i * a**j for i, j in _RESET),
                *(bend * v**i * a**j for i, j in _RESET),
            ]
        )

    @property
    def orders(self) -> FloatArray:
        """Order of every regressor beyond the first, (terms,)."""
        reset = [i + j for i, j in _RESET] * 2
        readout = len(self._sigma) - self._lines - 4
        found = [max(i + j - 1, 0) for i, j in (*_BASE, *_LOAD)] + list(range(_SECOND)) + reset
        return np.array(found + [1] * 4 + [0, 1, 2, 3] * readout, dtype=np.float64)

    @property
    def groups(self) -> BoolArray:
        """Whether a term belongs to a group, (groups, terms): the line and all others, the reset switch's threshold,
        whose terms follow its leakage, the load; departures of line and load."""
        term, lines, reset = np.arange(len(self.orders)), len(_BASE), 2 * len(_RESET)
        first = lines + len(_LOAD) + _SECOND
        switch, load = (term >= first) & (term < first + reset), (term >= lines) & (term < first)
        return np.array([~switch & ~load, switch, load, term < first])


_BASE = [(i, j) for i in range(4) for j in range(4 - i)] + [(4, 0), (5, 0)]
_LOAD = [(0, 0), (1, 0), (0, 1), (1, 1), (2, 0)]
_SECOND = 2
"""Terms in the square of the load: a switch's own capacitance is a sizable part of a short line's."""
_RESET = [(i, j) for i in range(3) for j in range(3 - i)] + [(3, 0), (4, 0)]


def _driven(case: ColumnStimulus) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Weights of the rows in the sums of driver shifts: driven and counting, driven, idle and storing, idle."""
    values = np.asarray(case.symbol_values, dtype=np.float64)
    share = ((values - values.min()) / (values.max() - values.min()))[case.bits[:, case.target]]
    on = case.inputs.astype(np.float64)
    return on * share, on * (1.0 - share), (1.0 - on) * share, (1.0 - on) * (1.0 - share)


@dataclass(frozen=True)
class Correction:
    """Coefficients theta (terms,) of a condition in the unit of the regressors, their covariance, and the rms residual
    of a read. reads: simulated ones of this condition; others: of other conditions, which were fitted with them. known:
    coefficients that all of these decide, the others being left to the prior.
    """

    theta: FloatArray
    covariance: FloatArray
    residual: float
    reads: int
    others: int
    known: float

    def levels(self, x: Regressors) -> FloatArray:
        """Levels of reads, in the unit."""
        out: FloatArray = x.linear + x.design @ self.theta
        return out

    def errors(self, x: Regressors) -> FloatArray:
        """Standard errors of the mean levels of reads, in the unit: without the residual of a single one."""
        return np.asarray(np.sqrt(np.einsum("ri,ij,rj->r", x.design, self.covariance, x.design)))


def select(x: Regressors, covariance: FloatArray, residual: float, number: int, taken: set[int]) -> list[int]:
    """The reads whose levels are least certain, one after the other, each lowering the uncertainty of the rest.

    covariance: of the coefficients so far; taken: reads that are known, which are not asked for again.
    """
    design, c, chosen = x.design, covariance.copy(), []
    free = np.ones(len(design), dtype=bool)
    free[list(taken)] = False
    for _ in range(min(number, int(free.sum()))):
        across = design @ c
        uncertain = np.where(free, np.einsum("ri,ri->r", across, design), -1.0)
        k = int(uncertain.argmax())
        chosen.append(k)
        free[k] = False
        c -= np.outer(across[k], across[k]) / (residual**2 + uncertain[k])
    return chosen


@dataclass(frozen=True)
class ChipSpread:
    """Spread of the levels of reads over chips, in the unit squared: variance (reads,) with the covariance of its
    errors (reads, reads)."""

    variance: FloatArray
    covariance: FloatArray

    @property
    def errors(self) -> FloatArray:
        """Standard errors of the sigmas, in the unit, (reads,)."""
        return np.asarray(np.sqrt(np.diag(self.covariance) / self.variance) / 2.0)

    @property
    def relative_covariance(self) -> FloatArray:
        """Covariance of the variances over their product."""
        return self.covariance / np.outer(self.variance, self.variance)

    @property
    def relative_error(self) -> float:
        """Largest standard error of a sigma over the largest sigma."""
        return float(self.errors.max() / np.sqrt(self.variance.max()))

    @property
    def draws(self) -> FloatArray:
        """Draws of Gaussian levels that would tell these variances as well, (reads,), within bounds."""
        relative = np.maximum(np.diag(self.relative_covariance), 2.0 / MOST_DRAWS)
        return np.asarray(np.maximum(1.0 + 2.0 / relative, MIN_SAMPLES))


@dataclass(frozen=True)
class ChipMoments:
    """Second central moments of one read over chips: of the linear level, of it with every term (terms,), of the terms
    (terms, terms); in the unit squared."""

    linear: float
    mixed: FloatArray
    terms: FloatArray


def chip_moments(x: Regressors) -> ChipMoments:
    """Moments of one read of many chips."""
    number = len(x.linear)
    linear, design = x.linear - x.linear.mean(), x.design - x.design.mean(axis=0)
    return ChipMoments(float(linear @ linear) / number, design.T @ linear / number, design.T @ design / number)


def chip_spread(found: Correction, chips: Sequence[ChipMoments]) -> ChipSpread:
    """Spread of reads over chips; the residual of a read counts as spread of its own."""
    pulled = [m.terms @ found.theta for m in chips]
    own = found.residual**2
    variance = [m.linear + float((2.0 * m.mixed + p) @ found.theta) + own for m, p in zip(chips, pulled, strict=True)]
    slope = np.array([2.0 * (m.mixed + p) for m, p in zip(chips, pulled, strict=True)])
    slope = slope.reshape(len(chips), len(found.theta))
    freedom = max(found.reads + found.others - found.known, 2.0)
    return ChipSpread(np.array(variance), slope @ found.covariance @ slope.T + 2.0 * own**2 / freedom)


def chip_normals(number: int, dimensions: int, seed: int) -> FloatArray:
    """Deviations of `number` chips, shape (chips, dimensions), whose mean and covariance are exactly 0 and 1."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, 9]))
    drawn = rng.standard_normal((number, dimensions))
    drawn -= drawn.mean(axis=0)
    root = np.linalg.cholesky(drawn.T @ drawn / number)
    return np.asarray(np.linalg.solve(root, drawn.T).T)
