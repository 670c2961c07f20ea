"""Search for the weight and input pattern that puts a level farthest from the ideal line.

A state is one gene per row and place: input, bits of the left neighbour, the target and the right neighbour. Uniform
states and a few drawn ones start it; then every single change of a gene is tried, and the best change of every row at
once or, where that is worse, the best alone is taken, until none helps (coordinate ascent). What is left of the budget
restarts from the best state with some rows drawn anew (iterated local search).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from characterization.linear_column import LinearColumn
from interconnect.arrays import ByteArray, FloatArray, IntArray

LINE_PATTERNS = 500
"""Drawn patterns through which the ideal line is laid."""

GENES = 4
"""Per row: input, left neighbour, target, right neighbour."""


@dataclass(frozen=True, slots=True)
class IdealLine:
    """level = offset + slope count + shift active, V or A: what a converter is calibrated to."""

    offset: float
    slope: float
    shift: float

    def deviation(self, column: LinearColumn, genes: ByteArray) -> FloatArray:
        """Distance of exact levels from the line in LSB, shape (batch,); genes (batch, rows, 4)."""
        inputs, count = genes[:, :, 0], counts_of(genes)
        level = column.levels(genes[:, :, 1:], inputs)
        out: FloatArray = (level - self.offset - self.slope * count - self.shift * inputs.sum(axis=1)) / self.slope
        return out


@dataclass(frozen=True)
class PatternExtreme:
    """A pattern and its signed deviation (LSB). genes (rows, 4); evaluations: levels computed for it."""

    genes: ByteArray
    deviation: float
    evaluations: int


def counts_of(genes: ByteArray) -> IntArray:
    """Counts of patterns: driven rows whose target stores a one; genes (batch, rows, 4), shape (batch,)."""
    out: IntArray = np.einsum("br,br->b", genes[:, :, 0], genes[:, :, 2], dtype=np.int64)
    return out


def draw(rows: int, number: int, ones: float, rng: np.random.Generator) -> ByteArray:
    """Patterns as stored data gives them: any number of active rows and of ones among them alike, neighbours with the
    share `ones` of ones; shape (number, rows, 4)."""
    active = rng.integers(0, rows + 1, number)
    order = rng.random((number, rows)).argsort(axis=1).argsort(axis=1)
    inputs = order < active[:, None]
    count = np.floor(rng.random(number) * (active + 1)).astype(np.int64)
    target = np.where(inputs, order < count[:, None], rng.random((number, rows)) < ones)
    sides = rng.random((number, rows, 2)) < ones
    return np.stack([inputs, sides[:, :, 0], target, sides[:, :, 1]], axis=2).astype(np.uint8)


def fit_ideal_line(column: LinearColumn, genes: ByteArray) -> IdealLine:
    """Least-squares line through the exact levels of drawn patterns (rows, at least two counts among them)."""
    inputs = genes[:, :, 0].astype(np.float64)
    x = np.stack([np.ones(len(genes)), counts_of(genes), inputs.sum(axis=1)], axis=1)
    offset, slope, shift = np.linalg.lstsq(x, column.levels(genes[:, :, 1:], genes[:, :, 0]), rcond=None)[0]
    return IdealLine(float(offset), float(slope), float(shift))


def search(
    deviation: Callable[[ByteArray], FloatArray], rows: int, sign: int, budget: int, rng: np.random.Generator
) -> PatternExtreme:
    """The pattern with the largest `sign` * deviation that at most `budget` evaluations find; a local optimum under
    any change of one gene unless the budget ends first."""
    used = 0

    def score(genes: ByteArray) -> FloatArray:
        nonlocal used
        genes = genes[: max(budget - used, 0)]
        used += len(genes)
        return sign * deviation(genes) if len(genes) else np.zeros(0)

    uniform = np.array(np.meshgrid(*[[0, 1]] * GENES, indexing="ij"), dtype=np.uint8).reshape(GENES, -1).T
    starts = np.concatenate(
        [
            np.repeat(uniform[:, None, :], rows, axis=1),
            rng.integers(0, 2, (16, rows, GENES), dtype=np.uint8),
        ]
    )
    values = score(starts)
    best, top = starts[int(values.argmax())], float(values.max())
    best, top = _climb(score, best, top, lambda: used < budget)
    while used + rows * GENES < budget:
        shaken = best.copy()
        chosen = rng.random(rows) < max(0.25, 1.0 / rows)
        shaken[chosen] = rng.integers(0, 2, (int(chosen.sum()), GENES), dtype=np.uint8)
        start = score(shaken[None])
        genes, value = _climb(score, shaken, float(start[0]), lambda: used < budget)
        if value > top:
            best, top = genes, value
    return PatternExtreme(best, sign * top, used)


def _climb(
    score: Callable[[ByteArray], FloatArray], genes: ByteArray, value: float, more: Callable[[], bool]
) -> tuple[ByteArray, float]:
    """Coordinate ascent from one state."""
    rows = len(genes)
    flips = np.eye(rows * GENES, dtype=np.uint8).reshape(-1, rows, GENES)
    while more():
        gains = score(genes[None] ^ flips) - value
        gains = np.concatenate([gains, np.full(rows * GENES - len(gains), -np.inf)]).reshape(rows, GENES)
        best_of_row = gains.argmax(axis=1)
        helps = gains.max(axis=1) > 1e-12
        if not helps.any():
            break
        together = genes.copy()
        together[helps, best_of_row[helps]] ^= 1
        alone = genes.copy()
        row = int(gains.max(axis=1).argmax())
        alone[row, best_of_row[row]] ^= 1
        both = score(together[None])
        if len(both) and float(both[0]) > value + gains.max():
            genes, value = together, float(both[0])
        else:
            genes, value = alone, value + float(gains.max())
    return genes, value
