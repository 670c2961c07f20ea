"""The union of many rectangles as sorted intervals in horizontal slabs: exact widths, gaps and covering, without loops.

The plane is cut at every height at which a rectangle begins or ends. In a slab between two such heights the union is a
set of intervals; sorting and a running maximum merge them for all slabs at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from interconnect.arrays import BoolArray, IntArray


@dataclass(frozen=True)
class Slabs:
    """Merged intervals. edges: heights, shape (slabs + 1,); slab, low, high: shape (n,), sorted by slab and low."""

    edges: IntArray
    slab: IntArray
    low: IntArray
    high: IntArray

    @classmethod
    def of(cls, rects: IntArray, edges: IntArray | None = None) -> Slabs:
        """The union of rectangles, shape (n, 4). edges: further heights to cut at."""
        if len(rects) == 0:
            empty = np.empty(0, dtype=np.int64)
            return cls(empty if edges is None else np.unique(edges), empty, empty, empty)
        sides = [rects[:, 1], rects[:, 3]] + ([] if edges is None else [edges])
        heights = np.unique(np.concatenate(sides))
        slab, which = _spread(heights, rects[:, 1], rects[:, 3])
        x0, x1 = rects[which, 0], rects[which, 2]
        left = int(x0.min())
        span = int(x1.max()) - left + 2  # intervals of different slabs never meet
        start, stop = slab * span + (x0 - left), slab * span + (x1 - left)
        order = np.argsort(start, kind="stable")
        start, reach = start[order], np.maximum.accumulate(stop[order])
        first = np.flatnonzero(np.concatenate([[True], start[1:] > reach[:-1]]))
        begin, end = start[first], reach[np.concatenate([first[1:] - 1, [len(reach) - 1]])]
        slab = begin // span
        return cls(heights, slab, begin - slab * span + left, end - slab * span + left)

    def gaps(self) -> tuple[IntArray, IntArray, IntArray]:
        """Slab, beginning and end of every gap between two intervals of a slab."""
        same = self.slab[1:] == self.slab[:-1]
        return self.slab[1:][same], self.high[:-1][same], self.low[1:][same]

    def covered(self, rects: IntArray) -> BoolArray:
        """Which rectangles, shape (n, 4), lie wholly inside the union."""
        if len(rects) == 0 or len(self.slab) == 0:
            return np.zeros(len(rects), dtype=bool)
        out = (rects[:, 1] >= self.edges[0]) & (rects[:, 3] <= self.edges[-1])
        inside = np.flatnonzero(out)
        # The slabs that a rectangle touches, although it begins and ends between heights.
        low = np.searchsorted(self.edges, rects[inside, 1], side="right") - 1
        high = np.searchsorted(self.edges, rects[inside, 3], side="left")
        slab, which = _ranges(low, high)
        x0, x1 = rects[inside[which], 0], rects[inside[which], 2]
        at = self._interval_before(slab, x0)
        good = (at >= 0) & (self.slab[at] == slab) & (self.low[at] <= x0) & (x1 <= self.high[at])
        bad = np.zeros(len(rects), dtype=bool)
        bad[inside[which[~good]]] = True
        return np.asarray(out & ~bad)

    def _interval_before(self, slab: IntArray, x: IntArray) -> IntArray:
        """Index of the last interval of a slab (or of one before) that begins at x or before; -1 without one."""
        if len(x) == 0 or len(self.low) == 0:
            return np.full(len(x), -1, dtype=np.int64)
        left = min(int(self.low.min()), int(x.min()))
        span = max(int(self.low.max()), int(x.max())) - left + 1
        return np.searchsorted(self.slab * span + (self.low - left), slab * span + (x - left), side="right") - 1

    def between(self, boxes: IntArray) -> BoolArray:
        """Which boxes between two corners (they may be lines or points) hold metal other than at those corners."""
        x0, y0, x1, y1 = boxes.T
        flat = y0 == y1
        # A box without height lies on the side of two slabs; there the shapes that own its corners only touch it.
        low = np.searchsorted(self.edges, y0, side="right") - np.where(flat, 2, 1)
        high = np.where(flat, low + 2, np.searchsorted(self.edges, y1, side="left"))
        slab, which = _ranges(np.maximum(low, 0), np.minimum(high, len(self.edges) - 1))
        shrink = np.where(flat, 1, 0)[which]
        at = self._interval_before(slab, x1[which] - shrink)
        meets = (at >= 0) & (self.slab[at] == slab) & (self.high[at] >= x0[which] + shrink)
        out = np.zeros(len(boxes), dtype=bool)
        out[which[meets]] = True
        return out

    def rects(self, slab: IntArray, low: IntArray, high: IntArray) -> IntArray:
        """Rectangles of intervals, those that stand on each other joined: shape (n, 4)."""
        order = np.lexsort((slab, high, low))
        slab, low, high = slab[order], low[order], high[order]
        new = np.ones(len(slab), dtype=bool)
        new[1:] = (low[1:] != low[:-1]) | (high[1:] != high[:-1]) | (slab[1:] != slab[:-1] + 1)
        first = np.flatnonzero(new)
        last = np.concatenate([first[1:] - 1, [len(slab) - 1]]) if len(slab) else first
        return np.stack([low[first], self.edges[slab[first]], high[first], self.edges[slab[last] + 1]], axis=1)


def turned(rects: IntArray) -> IntArray:
    """x and y exchanged."""
    return rects[:, [1, 0, 3, 2]]


def _spread(edges: IntArray, low: IntArray, high: IntArray) -> tuple[IntArray, IntArray]:
    """(slab, index of the range) of every slab inside the ranges `low` to `high`, whose ends are among `edges`."""
    return _ranges(np.searchsorted(edges, low), np.searchsorted(edges, high))


def _ranges(start: IntArray, stop: IntArray) -> tuple[IntArray, IntArray]:
    """Numbers of the half-open ranges one after the other, and the index of the range that each is from."""
    count = np.maximum(stop - start, 0)
    which = np.repeat(np.arange(len(start)), count)
    number = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + np.repeat(start, count)
    return number.astype(np.int64), which.astype(np.int64)
