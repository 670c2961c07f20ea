"""Block-scaled weights: integers in the macro, one digital scale and offset per block of rows and column."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interconnect.arrays import FloatArray, IntArray
from interconnect.errors import InputError
from metalrom.macro.stored import StoredWeights

PARTIAL_SUMS = 2**22
"""Partial sums held at a time (32 MiB)."""


@dataclass(frozen=True)
class StoredBlocks:
    """Stored integers of weights w = scale * integer + offset; scale, offset (blocks, columns), offset may be None."""

    weights: StoredWeights
    scale: FloatArray
    offset: FloatArray | None
    block: int

    @property
    def rows_per_sum(self) -> int | None:
        """Rows that are summed before a scale is applied; None: a whole column."""
        return None if self.block == self.weights.rows else self.block

    def combine(self, sums: NDArray[Any], inputs: IntArray) -> FloatArray:
        """Real output (batch, columns) of the blocks' products (batch, blocks, columns) and input sums (batch,
        blocks)."""
        out: FloatArray = np.einsum("bkc,kc->bc", sums.astype(np.float64, copy=False), self.scale)
        return out if self.offset is None else out + inputs @ self.offset


def check_block(block: int, rows: int, inputs: int) -> None:
    """Raise InputError for a block that conversions of so many rows do not divide, unless it is the whole column of
    `inputs` rows, whose last conversion may be a shorter one."""
    if block < 1 or (block % rows and block != inputs):
        raise InputError(
            f"macro: {rows} rows per conversion do not divide the block of {block} rows",
            hint="a readout table for the block size or a divisor of it",
        )


def block_scales(
    rows: int, columns: int, scale: NDArray[Any], offset: NDArray[Any] | None, block: int
) -> tuple[FloatArray, FloatArray | None]:
    """Scale and offset as float64 (blocks, columns). Raises InputError for wrong shapes or values that are not
    finite."""
    if block < 1 or rows % block:
        raise InputError(f"macro: {rows} rows are not a multiple of the block size {block}")
    out = []
    for name, values in (("scale", scale), ("offset", offset)):
        array = None if values is None else np.asarray(values, dtype=np.float64)
        if array is not None and array.shape != (rows // block, columns):
            raise InputError(f"macro: the block {name}s have shape {array.shape}, expected {(rows // block, columns)}")
        if array is not None and not np.isfinite(array).all():
            raise InputError(f"macro: a block {name} is not finite")
        out.append(array)
    if out[0] is None:
        raise InputError("macro: block-scaled weights need a scale")
    return out[0], out[1]


def block_sums(x: IntArray, block: int | None) -> IntArray:
    """Sum of x (batch, rows) over every block of rows (None: one block): (batch, blocks)."""
    return np.asarray(x.reshape(len(x), -1, block or x.shape[1]).sum(axis=2))


def batch_slices(batch: int, stored: StoredBlocks) -> Iterator[slice]:
    """Slices of the batch whose partial sums fit the memory bound."""
    step = max(1, PARTIAL_SUMS // (stored.scale.shape[0] * stored.weights.columns))
    return (slice(i, min(i + step, batch)) for i in range(0, batch, step))
