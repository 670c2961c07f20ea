"""Exact integer products by floating-point matrix multiplication, in single precision where every sum fits."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interconnect.arrays import IntArray

_SINGLE, _DOUBLE = 2**24, 2**53
"""Integers up to these are exact."""

_SHORTEST = 64
"""Rows from which on a product in slices of rows, in single precision, beats one in double precision."""


@dataclass(frozen=True, eq=False)
class ExactWeights:
    """Integers (rows, columns) up to 2^24 in single precision; `largest` magnitude, and sum of those of a column."""

    values: NDArray[np.float32]
    largest: int
    column_sum: int

    @classmethod
    def of(cls, w: NDArray[Any]) -> "ExactWeights":
        """The weights for `product`."""
        values = np.ascontiguousarray(w, np.float32)
        magnitude = np.abs(values)
        return cls(values, int(magnitude.max()), int(magnitude.sum(axis=0, dtype=np.float64).max()))

    def product(self, x: IntArray, top: int, block: int | None = None) -> NDArray[Any]:
        """x (batch, rows), no magnitude above `top`, times the weights: (batch, 1, columns), int64. With `block` the
        sums of every `block` rows, (batch, blocks, columns), float64."""
        rows, columns = self.values.shape
        if block is not None:
            kind: type[np.floating[Any]] = np.float32 if top * self.largest * block <= _SINGLE else np.float64
            parts: NDArray[Any] = np.ascontiguousarray(x.reshape(len(x), -1, block).swapaxes(0, 1), kind)
            w: NDArray[Any] = self.values.astype(kind, copy=False)
            y = parts @ w.reshape(-1, block, columns)
            return np.ascontiguousarray(y.swapaxes(0, 1), np.float64)
        if top * self.column_sum <= _SINGLE:
            return (x.astype(np.float32) @ self.values).astype(np.int64)[:, None]
        step = _SINGLE // (top * self.largest)
        kind = np.float32 if step >= _SHORTEST else np.float64
        step = step if step >= _SHORTEST else max(1, _DOUBLE // (top * self.largest))
        total = np.zeros((len(x), columns), np.int64)
        for i in range(0, rows, step):
            part: NDArray[Any] = self.values[i : i + step].astype(kind, copy=False)
            parts = x[:, i : i + step].astype(kind)
            total += (parts @ part).astype(np.int64)
        return total[:, None]
