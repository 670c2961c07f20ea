"""Which symbols a column's driven rows hold when all that is known is their number, their sum and the layer's shares.

A cell of symbol s adds `levels[s]` to the count: its value less the smallest of the cell, so that counts begin at 0
(a ternary cell's -1, 0, 1 become 0, 1, 2; the digital side subtracts the number of driven rows). With cells drawn
independently, P(k driven cells sum to c) is a convolution, and every conditional probability a quotient of two.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from interconnect.arrays import ByteArray, FloatArray
from interconnect.errors import InputError

MIN_SHARE = 1e-4
"""Every symbol can occur: a count that the layer never shows must still have patterns."""


def symbol_levels(symbol_values: Sequence[int]) -> tuple[int, ...]:
    """What each symbol adds to the count, 0 upwards. Raises InputError for values that leave one out."""
    levels = tuple(v - min(symbol_values) for v in symbol_values)
    if sorted(levels) != list(range(len(levels))):
        raise InputError(
            f"cells of symbol values {tuple(symbol_values)} have no readout table: the values are not consecutive"
        )
    return levels


@dataclass(frozen=True)
class CountLaw:
    """Cells of `rows` rows. levels: by symbol, see `symbol_levels`. shares: of each symbol among the stored ones."""

    rows: int
    levels: tuple[int, ...]
    shares: tuple[float, ...]

    @cached_property
    def _share(self) -> FloatArray:
        share = np.maximum(np.asarray(self.shares, dtype=np.float64), MIN_SHARE)
        return np.asarray(share / share.sum())

    @cached_property
    def _sums(self) -> FloatArray:
        """P(sum | cells): shape (rows + 1, counts)."""
        one = np.zeros(max(self.levels) + 1)
        np.add.at(one, list(self.levels), self._share)
        out = np.zeros((self.rows + 1, self.rows * max(self.levels) + 1))
        out[0, 0] = 1.0
        for a in range(1, self.rows + 1):
            out[a] = np.convolve(out[a - 1], one)[: out.shape[1]]
        return out

    def draw(self, active: int, count: int, rng: np.random.Generator) -> ByteArray:
        """Symbols (active,) of driven cells whose levels sum to `count`, as the shares make them likely."""
        out = np.zeros(active, dtype=np.uint8)
        left = count
        for i in range(active):
            rest = self._sums[active - i - 1]
            chance = np.array(
                [p * rest[left - v] if left >= v else 0.0 for p, v in zip(self._share, self.levels, strict=True)]
            )
            out[i] = rng.choice(len(chance), p=chance / chance.sum())
            left -= self.levels[int(out[i])]
        return out

    def greedy(self, active: int, count: int) -> ByteArray:
        """Symbols (active,) with as few counting cells as give `count`: the highest level first."""
        top = max(self.levels)
        level = np.clip(count - top * np.arange(active), 0, top)
        symbol_of = np.argsort(self.levels)
        return symbol_of[level].astype(np.uint8)

    @cached_property
    def driven(self) -> FloatArray:
        """Expected number of driven cells of each symbol: shape (active, count, symbols), NaN where none can be."""
        sums = self._sums
        out = np.full((*sums.shape, len(self.levels)), np.nan)
        for a in range(self.rows + 1):
            for s, (p, v) in enumerate(zip(self._share, self.levels, strict=True)):
                before = np.zeros(sums.shape[1])
                if a:
                    before[v:] = sums[a - 1, : sums.shape[1] - v]
                with np.errstate(divide="ignore", invalid="ignore"):
                    out[a, :, s] = np.where(sums[a] > 0, a * p * before / sums[a], np.nan)
        return out


@lru_cache(maxsize=32)
def count_law(rows: int, levels: tuple[int, ...], shares: tuple[float, ...]) -> CountLaw:
    """The law of these cells, kept: its tables serve every pattern of a plan."""
    return CountLaw(rows, levels, shares)
