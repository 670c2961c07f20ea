"""Cells whose load on the bit line depends on the symbol: every column has a line of its own, known from what it holds.

A driven cell of symbol s adds w_s to the level, and w_s depends on what the whole column stores (charge balance of its
bit lines). Weighted with the stored numbers, w_s = offset + gain * level_s is fitted: of two symbols exactly; of three
a part of the level is left that the count does not tell. A converter whose thresholds follow that line reads every
column as if it were the mean one; `ColumnLines.referred` says what it reads. What then remains is measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.optimize import minimize_scalar

from characterization.symbols import symbol_levels
from characterization.testbench import Testbench
from interconnect.arrays import FloatArray
from netlists.case import ColumnStimulus
from netlists.cells.closed_form import per_symbol
from netlists.condition import Condition


@dataclass(frozen=True)
class ColumnLines:
    """Lines of columns of a setup at a condition. extra: F on every bit line that is neither the cells' nor the readout
    input's: the reset switch, found from simulated levels (see `fitted`)."""

    setup: Testbench
    condition: Condition
    extra: float = 0.0

    def driven_levels(self, stored: FloatArray) -> FloatArray:
        """V that a driven cell of each symbol adds, (..., symbols), in columns that store these numbers of each symbol
        (..., symbols); they need not be whole."""
        s = self.setup
        model, lines = s.model, s.model.bit_lines
        stored = np.asarray(stored, dtype=np.float64)
        matrix = np.zeros((*stored.shape[:-1], len(lines), len(lines)))
        shares = np.asarray(s.symbol_shares)
        for i, a in enumerate(lines):
            beside = s.rows * (shares @ per_symbol(model, partial(model.next_load, line=a)))
            own = stored @ per_symbol(model, partial(model.load, line=a))
            matrix[..., i, i] = own + beside + s.periphery.sense_capacitance + self.extra
            for j, b in enumerate(lines):
                if i != j:
                    pins = f"{a.prefix}_in", f"{b.prefix}_in"
                    between = per_symbol(model, lambda k, pins=pins: model.capacitance(pins[0], k, pins[1]))  # type: ignore[misc]
                    matrix[..., i, j] = -(stored @ between)
        drives = np.array([per_symbol(model, partial(model.drive_with_next_plane, line=line)) for line in lines])
        signs = np.array([line.sign for line in lines], dtype=np.float64)
        # (signs M^-1) drives: one small solve per column, M is symmetric
        weights = np.linalg.solve(matrix, np.broadcast_to(signs, matrix.shape[:-1])[..., None])[..., 0]
        out: FloatArray = self.condition.vdd * weights @ drives
        return out

    def lines(self, stored: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(offset per driven row, gain per count), V, shape (...), of columns that store these numbers of symbols."""
        stored = np.asarray(stored, dtype=np.float64)
        level = np.array(symbol_levels(self.setup.model.symbol_values), dtype=np.float64)
        w = self.driven_levels(stored)
        weight = stored + 1e-3  # a column of one symbol has a line too: that of its rare others
        total = weight.sum(axis=-1, keepdims=True)
        middle = (weight @ level)[..., None] / total
        centre = (weight * w).sum(axis=-1, keepdims=True) / total
        around = weight * (level - middle)
        gain = (around * (w - centre)).sum(axis=-1) / (around * (level - middle)).sum(axis=-1)
        return centre[..., 0] - gain * middle[..., 0], gain

    @property
    def mean_column(self) -> tuple[float, float]:
        """Line of the column to which levels are referred: one that stores the layer's shares."""
        offset, gain = self.lines(self.setup.rows * np.asarray(self.setup.symbol_shares))
        return float(offset), float(gain)

    def referred(self, level: FloatArray, active: FloatArray, stored: FloatArray) -> FloatArray:
        """Levels (V) as thresholds that follow each column's line see them: those of the mean column."""
        offset, gain = self.lines(stored)
        mean_offset, mean_gain = self.mean_column
        out: FloatArray = (level - active * offset) * (mean_gain / gain) + active * mean_offset
        return out

    def noise_factor(self) -> FloatArray:
        """By how much a spread in volts grows when it is referred, (active, count): the mean over the columns that show
        a count, taken at the mean of what they store. NaN where count cannot be."""
        s = self.setup
        idle = s.rows - np.arange(s.rows + 1.0)
        stored = s.law.driven + idle[:, None, None] * np.asarray(s.symbol_shares)
        valid = np.isfinite(stored).all(axis=2)
        out = np.full(valid.shape, np.nan)
        out[valid] = self.mean_column[1] / self.lines(stored[valid])[1]
        return out

    def column_spread(self, number: int = 4000) -> FloatArray:
        """Standard deviation, V, of a level over columns drawn with the layer's shares about that of the mean column,
        (active, count): the gain and offset error of a column that thresholds do not follow."""
        offset, gain = self.lines(self._drawn(number))
        (oo, og), (_, gg) = np.cov(offset, gain)
        active, count = np.arange(self.setup.rows + 1.0)[:, None], np.arange(self.setup.max_count + 1.0)[None, :]
        out: FloatArray = np.sqrt(np.maximum(oo * active**2 + 2.0 * og * active * count + gg * count**2, 0.0))
        return out

    def _drawn(self, number: int) -> FloatArray:
        """What columns store, drawn with the layer's shares, (number, symbols)."""
        rng = np.random.default_rng(np.random.SeedSequence([self.setup.seed, 8]))
        return rng.multinomial(self.setup.rows, self.setup.symbol_shares, size=number).astype(np.float64)

    def gain_spread(self, number: int = 4000) -> float:
        """Relative standard deviation of the gain over columns drawn with the layer's shares: what a converter of one
        gain for all columns would see."""
        gain = self.lines(self._drawn(number))[1]
        return float(gain.std() / gain.mean())


def stored_numbers(case: ColumnStimulus) -> FloatArray:
    """How many cells of each symbol the target column of a case stores, shape (symbols,)."""
    return np.bincount(case.bits[:, case.target], minlength=len(case.symbol_values)).astype(np.float64)


def fitted(
    setup: Testbench,
    condition: Condition,
    level: FloatArray,
    active: FloatArray,
    count: FloatArray,
    stored: FloatArray,
) -> ColumnLines:
    """The lines of a condition, with the extra load under which they meet simulated levels best, up to one constant
    (what the reset leaves behind): levels (samples,), what their columns store (samples, symbols)."""

    def residual(extra: float) -> float:
        offset, gain = ColumnLines(setup, condition, extra).lines(stored)
        return float(np.var(level - active * offset - count * gain)) * 1e6

    most = setup.rows * setup.model.bl_total + 1e-15
    found = minimize_scalar(residual, bounds=(0.0, most), method="bounded", options={"xatol": 1e-4 * most})
    return ColumnLines(setup, condition, float(found.x))
