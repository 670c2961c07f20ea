"""Weights in blocks of integers that share a scale and an offset, as quantized checkpoints hold them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from interconnect.errors import InputError


@dataclass(frozen=True, slots=True)
class BlockWeights:
    """A matrix (rows = inputs, cols = outputs) whose real values are scale * integer + offset, block by block.

    A block is `block_size` consecutive rows of one column. type: name of the format. bits: of an integer. integers:
    shape (rows, cols), int8. scale, offset: shape (rows / block_size, cols), float32.
    """

    type: str
    bits: int
    integers: NDArray[np.int8]
    scale: NDArray[np.float32]
    offset: NDArray[np.float32]
    block_size: int

    def __post_init__(self) -> None:
        rows, cols = self.integers.shape
        blocks = (rows // self.block_size, cols)
        if rows % self.block_size or self.scale.shape != blocks or self.offset.shape != blocks:
            raise InputError(
                f"block weights: {rows} x {cols} integers, scales {self.scale.shape} and offsets {self.offset.shape} "
                f"do not make blocks of {self.block_size} rows"
            )

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, cols)."""
        rows, cols = self.integers.shape
        return int(rows), int(cols)

    def whole_columns(self) -> BlockWeights:
        """The same weights in one block per column where every block of a column has its scale and none an offset, as
        files of ternary networks with one scale per matrix do; otherwise these blocks."""
        if len(self.scale) == 1 or self.offset.any() or (self.scale != self.scale[:1]).any():
            return self
        return replace(self, scale=self.scale[:1], offset=self.offset[:1], block_size=self.shape[0])

    def dequantized(self) -> NDArray[np.float32]:
        """The real weights, shape (rows, cols), computed in single precision as the format's own readers do."""
        rows, cols = self.shape
        q = self.integers.reshape(-1, self.block_size, cols).astype(np.float32)
        return np.asarray(q * self.scale[:, None] + self.offset[:, None]).reshape(rows, cols)
