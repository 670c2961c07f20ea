"""Nodal matrices as lists of entries, and several of them on one sparse pattern."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from interconnect.arrays import FloatArray
from interconnect.network import Index


class Stamps(NamedTuple):
    """Entries of a nodal matrix, ground left out; those at one place add up. `tag`: what the element belongs to."""

    row: Index
    column: Index
    value: FloatArray
    tag: Index


def stamps(parts: Sequence[tuple[Index, Index, FloatArray, int]]) -> Stamps:
    """Nodal entries of two-terminal elements: (nodes a, nodes b, values, tag) each; node -1 is ground.
    Elements of value 0 are opens and left out."""
    a, b, value = (np.concatenate([part[k] for part in parts]) for k in range(3))
    tag = np.concatenate([np.full(len(part[0]), part[3]) for part in parts])
    row, column = np.concatenate([a, b, a, b]), np.concatenate([a, b, b, a])
    entry = np.concatenate([value, value, -value, -value])
    keep = np.flatnonzero((row >= 0) & (column >= 0) & np.concatenate([(a != b) & (value != 0)] * 4))
    return Stamps(row[keep], column[keep], entry[keep], np.concatenate([tag] * 4)[keep])


class SparsityPattern(NamedTuple):
    """Compressed columns (start, rows) that hold all entries of several matrices between placed nodes. inside: per
    matrix, which of its stamps lie there; slot: per matrix, where those go."""

    start: Index
    rows: Index
    inside: tuple[Index, ...]
    slot: tuple[Index, ...]

    def values(self, matrix: int, entries: FloatArray) -> FloatArray:
        """Values of one matrix in the pattern's order from its stamps' values."""
        chosen = entries[self.inside[matrix]]
        # Without any stamp bincount would answer with integers.
        return np.bincount(self.slot[matrix], weights=chosen, minlength=len(self.rows)).astype(np.float64)


def pattern(matrices: Sequence[Stamps], place: Index, size: int) -> SparsityPattern:
    """Common pattern of matrices between the nodes with `place` (nodes,) >= 0, which is their number there."""
    inside, keys = [], []
    for part in matrices:
        row, column = place[part.row], place[part.column]
        keep = np.flatnonzero((row >= 0) & (column >= 0))
        inside.append(keep)
        keys.append(column[keep] * size + row[keep])
    unique, slot = np.unique(np.concatenate(keys), return_inverse=True)
    start = np.zeros(size + 1, dtype=np.int64)
    np.cumsum(np.bincount(unique // max(size, 1), minlength=size), out=start[1:])
    ends = np.cumsum([len(one) for one in keys])[:-1]
    return SparsityPattern(start, unique % max(size, 1), tuple(inside), tuple(np.split(slot, ends)))
