"""Rules that a stack may state beside width and space: metal around cuts, least areas and the manufacturing grid."""

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from interconnect.arrays import BoolArray, IntArray
from metalrom.layout.drawing_rule import DrawingRule
from metalrom.layout.plan import Plan, box_of
from metalrom.layout.slabs import Slabs
from metalrom.layout.violation import Found, Violation, place_of


def check_enclosure(plan: Plan, rule: DrawingRule, cuts: IntArray, metal: Slabs, most: int) -> Found:
    """Cuts, shape (n, 4), around which the metal does not reach far enough; those that it does not even cover, or not
    far enough all round for an `end_enclosure`, are another rule's.

    Every cut, grown by the enclosure all round, must lie on the metal; for an `end_enclosure` so must it grown further
    along x or along y.
    """
    ends = round(rule.value / plan.grid)
    sides = round(rule.all_round / plan.grid) if rule.kind == "end_enclosure" else ends
    known = sides if rule.kind == "end_enclosure" else 0
    cuts = cuts[_enclosed(metal, cuts, known, known)]
    bad = cuts[~_enclosed(metal, cuts, sides, ends)]
    out = []
    for cut in bad[:most]:
        reach = np.arange(ends + 1)  # how far the metal does reach
        reached = _enclosed(metal, np.repeat(cut[None], ends + 1, axis=0), np.minimum(reach, sides), reach)
        value, place = (int(reached.sum()) - 1) * plan.grid, place_of(plan, rule.layer, cut)
        out.append(Violation(rule.layer, "enclosure", value, rule.value, box_of(cut, plan.grid), rule.other, place))
    return len(bad), out


def _enclosed(slabs: Slabs, cuts: IntArray, sides: int | IntArray, ends: int | IntArray) -> BoolArray:
    """Whether the metal reaches beyond cuts, shape (n, 4), by `sides` all round and by `ends` along x or along y."""
    sides, ends = np.broadcast_to(sides, len(cuts)), np.broadcast_to(ends, len(cuts))
    grown = (cuts + np.stack([-x, -y, x, y], axis=1) for x, y in ((sides, ends), (ends, sides)))
    return np.asarray(np.logical_or(*(slabs.covered(box) for box in grown)))


def check_area(plan: Plan, name: str, rects: IntArray, least: float, most: int) -> Found:
    """Pieces of a metal, joined rectangles, whose area is below the least (m^2)."""
    limit = round(least / plan.grid**2)
    size = (rects[:, 2] - rects[:, 0]) * (rects[:, 3] - rects[:, 1])
    if not (size < limit).any():  # a piece is at least as large as each of its rectangles
        return 0, []
    slabs = Slabs.of(rects)
    piece = _pieces(slabs)
    area = np.bincount(piece, weights=(slabs.high - slabs.low) * np.diff(slabs.edges)[slabs.slab])
    bad = np.flatnonzero(area < limit)
    out = []
    for number in bad[:most]:
        own = piece == number
        box = np.array(
            [
                slabs.low[own].min(),
                slabs.edges[slabs.slab[own].min()],
                slabs.high[own].max(),
                slabs.edges[slabs.slab[own].max() + 1],
            ]
        )
        value = float(area[number]) * plan.grid**2
        out.append(Violation(name, "area", value, least, box_of(box, plan.grid), place=place_of(plan, name, box)))
    return len(bad), out


def _pieces(slabs: Slabs) -> IntArray:
    """Number of the joined piece that every interval belongs to, shape (intervals,): those of neighbouring slabs that
    share more than a corner are joined."""
    count = len(slabs.slab)
    left = int(slabs.low.min())
    span = int(slabs.high.max()) - left + 1
    base = slabs.slab * span - left
    # Intervals of the next slab that overlap an interval: from the first that ends behind its beginning to the last
    # that begins before its end.
    first = np.searchsorted(base + slabs.high, base + span + slabs.low, side="right")
    last = np.searchsorted(base + slabs.low, base + span + slabs.high, side="left")
    number = np.maximum(last - first, 0)
    above = np.arange(number.sum()) - np.repeat(np.cumsum(number) - number, number) + np.repeat(first, number)
    below = np.repeat(np.arange(count), number)
    joined = coo_array((np.ones(len(above), dtype=bool), (below, above)), shape=(count, count))
    return np.asarray(connected_components(joined, directed=False)[1], dtype=np.int64)


def check_grid(plan: Plan, name: str, rects: IntArray, grid: float, most: int) -> Found:
    """Rectangles with a corner off the stack's grid (m)."""
    step = grid / plan.grid
    off = np.abs(rects / step - np.rint(rects / step)).max(axis=1) > 1e-6 if len(rects) else np.empty(0, dtype=bool)
    bad = rects[off]
    return len(bad), [
        Violation(name, "grid", None, grid, box_of(box, plan.grid), place=place_of(plan, name, box))
        for box in bad[:most]
    ]
