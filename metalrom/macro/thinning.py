"""Thinning: a product is the exact one plus the conversions whose digital value is not their count, found without
looking at the others; exact in distribution.

Every bit-column segment of a group belongs to a class of segments with alike frozen deviations and sums of levels. A
class has an upper bound, by driven rows, of the probability that a conversion is wrong. Candidates are drawn with the
bounds' probability by geometric skips, an exponential number that the hazards of the conversions use up one after the
other. A candidate is accepted with the ratio of its exact probability to the bound; the same uniform number then picks
the wrong code from its exact conditional distribution: tails, thresholds that are not midway, the ends of the range.

Random words are hashes of a counter, one sequence for every row of the batch: neither threads nor the other rows change
a result.
"""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, ndtr

from interconnect.arrays import FloatArray, IntArray
from metalrom.macro import noise
from metalrom.macro.draws import GOLDEN, median, mixed, uniform
from metalrom.macro.kernels import compiled, popcount
from metalrom.macro.readout import TEMPORAL_FLOOR, Readout, median_probability

LOOKUP_SHARE = 0.03
"""Share of candidates from which on a table look-up per conversion takes less time."""

FLOOR = 2.0**-40
"""Smallest bound, of conversions that are wrong less often or never; per conversion, hence far below one candidate."""

_PER_OCTAVE = 2
_GUARD_STEPS, _GUARD_BINS = 16, 162
_NORMAL_LIMIT, _NORMAL_STEPS, _OFFSET_STEPS = 6, 4, 2
"""Frozen normals are distinguished in steps of 1/4 and converter offsets of 1/2 sigma, up to 6 sigma."""

_SUMS = (0.125, 0.1875, 0.25, 0.3125, 0.375, 0.4375, 0.5, 0.5625, 0.625, 0.75)
"""Sums of the levels of a segment are distinguished by these shares of the greatest, and at the greatest itself."""


class CodeTables(NamedTuple):
    """Readouts as the sampler wants them, by (table, active, count) unless said otherwise; in LSB.

    spread: static sigma. inverse: 1 / temporal sigma. low, high: the level between them gives the right value; `first`
    and `last` are the codes of that interval (last < first: no code gives it, low = high). code: of the undisturbed
    level. steps (table, active, codes - 1). values (table, active, codes): digital values, unit `one`. random: whether
    codes scatter or deviate at all. reads: conversions whose median is taken. guard: upper bounds of the probability
    that such a median lies beyond a threshold, by distance (see `_guarded`).
    """

    level: Any
    spread: Any
    inverse: Any
    low: Any
    high: Any
    first: Any
    last: Any
    code: Any
    steps: Any
    values: Any
    one: int
    random: bool
    reads: int
    guard: Any


class Candidates(NamedTuple):
    """The segments of a stored section in classes.

    order (groups, segments): (unit << unit_shift) + column, class by class. start (groups, classes +
    1): first place of every class. table (classes,): index of the readout. bound, hazard (classes, active): upper bound
    of the probability that a conversion is wrong, and -log(1 - bound). reach (groups, active, classes): hazard of all
    segments up to and including a class.
    """

    order: Any
    start: Any
    table: Any
    bound: Any
    hazard: Any
    reach: Any
    unit_shift: int


@dataclass(frozen=True)
class Classes:
    """Bounds of wrong conversions in a section's readouts, by what distinguishes segments.

    index (tables, normals, offsets, sums): class. table (classes,): index of the readout. bound (classes, active).
    mean (classes,): of the bound where every row is driven at even odds. sum_bin: by sum of levels. offset_step: LSB.
    """

    tables: CodeTables
    index: NDArray[np.int32]
    table: NDArray[np.int32]
    bound: FloatArray
    mean: FloatArray
    sum_bin: NDArray[np.int32]
    offset_step: float


@dataclass(frozen=True)
class Thinning:
    """How wrong conversions of one stored section are found; share: candidates to be expected among all conversions."""

    tables: CodeTables
    candidates: Candidates
    share: float

    @property
    def nothing_wrong(self) -> bool:
        """Whether no conversion can be wrong: the exact product is then all."""
        return not self.tables.random and bool((self.candidates.bound <= FLOOR).all())


def code_tables(readouts: tuple[Readout, ...], reads: int) -> CodeTables:
    """The readouts, all of the same rows and levels and unit `one`, for the median of `reads` conversions."""
    parts = [_right_interval(r) for r in readouts]
    low, high, first, last = (np.stack([p[i] for p in parts]) for i in range(4))

    def stacked(name: str) -> NDArray[Any]:
        return np.stack([getattr(r, name) for r in readouts])

    return CodeTables(
        stacked("level"), stacked("static"), 1 / np.maximum(stacked("temporal"), TEMPORAL_FLOOR), low, high,
        first.astype(np.int32), last.astype(np.int32), stacked("code"), stacked("steps"), stacked("values"),
        readouts[0].one, not all(r.deterministic for r in readouts), reads, _guard(reads),
    )  # fmt: skip


def _guard(reads: int) -> FloatArray:
    """Bounds of `_beyond`, of distances from -1 sigma up in bins of 1 / _GUARD_STEPS sigma, the first and last open."""
    near = np.arange(-1, _GUARD_BINS - 1) / _GUARD_STEPS
    near[0] = -np.inf
    bound = median_probability(ndtr(-near), reads) * (1 + 1e-9)
    return np.asarray(bound)


def _right_interval(readout: Readout) -> tuple[FloatArray, FloatArray, IntArray, IntArray]:
    """Thresholds round the level that gives the right value, and first and last code, by (active, count)."""
    count = np.arange(readout.max_count + 1) * readout.one
    first = np.stack([np.searchsorted(v, count, side="left") for v in readout.values])
    last = np.stack([np.searchsorted(v, count, side="right") for v in readout.values]) - 1
    end = np.full((readout.rows + 1, 1), np.inf)
    edges = np.concatenate([-end, readout.steps, end], axis=1)
    low, high = (np.take_along_axis(edges, at, axis=1) for at in (first, last + 1))
    return low, high, first, last


def classes_of(readouts: tuple[Readout, ...], reads: int) -> Classes:
    """Classes of the segments of a section that is read by these readouts."""
    t = code_tables(readouts, reads)
    top = readouts[0].max_count
    static = any(r.static.any() for r in readouts)
    offset = max(r.offset_sigma for r in readouts)
    normals = _edges(_NORMAL_STEPS) if static else np.array([[-np.inf, np.inf]])
    offsets = _edges(_OFFSET_STEPS) * offset if offset else _edges(0)
    limits = np.unique([*(int(share * top) for share in _SUMS), top - 1, top])
    limits = limits[limits >= 0]
    shape = (len(readouts), len(normals), len(offsets), len(limits), t.level.shape[1])
    above, below = np.empty(shape), np.empty(shape)
    for i, readout in enumerate(readouts):
        _margins(
            t.level[i], t.spread[i], t.inverse[i], t.low[i], t.high[i], readout.valid, readout.nominal, t.one, t.random,
            normals, offsets, limits, above[i], below[i],
        )  # fmt: skip
    bound = sum(median_probability(ndtr(-margin), reads) for margin in (above, below))
    bound = np.clip(bound * (1 + 1e-6), FLOOR, 1.0)
    rows = readouts[0].rows
    active = np.arange(rows + 1)
    odds = np.exp(gammaln(rows + 1) - gammaln(active + 1) - gammaln(rows - active + 1) - rows * math.log(2))
    mean = np.clip(bound @ odds, FLOOR, 1.0)
    octave = (
        np.ceil(_PER_OCTAVE * np.log2(mean)).astype(np.int64) + (np.arange(len(readouts)) << 20)[:, None, None, None]
    )
    kinds, index = np.unique(octave, return_inverse=True)
    index = index.reshape(octave.shape)
    by_class = np.argsort(index, axis=None, kind="stable")
    starts = np.searchsorted(index.ravel()[by_class], np.arange(len(kinds)))
    greatest = np.maximum.reduceat(bound.reshape(-1, rows + 1)[by_class], starts, axis=0)
    return Classes(
        t, index.astype(np.int32), (kinds + (1 << 19) >> 20).astype(np.int32), greatest, greatest @ odds,
        np.searchsorted(limits, np.arange(top + 1)).astype(np.int32), offset / _OFFSET_STEPS,
    )  # fmt: skip


def thinning_of(
    classes: Classes,
    words: NDArray[Any],
    bit_words: int,
    frozen: noise.Frozen,
    table: NDArray[np.int32],
    empty: NDArray[np.bool_],
) -> Thinning:
    """Segments of the stored `words` (groups, units, words, columns) by class.

    bit_words: words for one bit of the levels. table (groups, units, columns), or 1 in place of any of these: index of
    the readout of every segment. empty (groups, units, columns): segments that are not converted, or nothing.
    """
    groups, units, _, columns = words.shape
    order = np.empty((groups, units * columns), np.int32)
    shift = (columns - 1).bit_length()
    start = np.zeros((groups, len(classes.table) + 1), np.int32)
    _sort_segments(
        words, bit_words, frozen, np.broadcast_to(table, (groups, units, columns)), classes.index, classes.sum_bin,
        classes.offset_step, shift, start, order, empty,
    )  # fmt: skip
    number = np.diff(start, axis=1)
    here = number.any(axis=0)
    number, bound = number[:, here], np.ascontiguousarray(classes.bound[here])
    hazard = np.where(bound < 1, -np.log1p(-np.minimum(bound, 1 - 2.0**-53)), 700.0)  # 700: certain in doubles
    reach = np.cumsum(number[:, None, :] * hazard.T, axis=2)
    start = np.concatenate([np.zeros((groups, 1), np.int32), np.cumsum(number, axis=1, dtype=np.int32)], axis=1)
    share = float(number.sum(axis=0) @ classes.mean[here] / order.size)
    candidates = Candidates(order, start, classes.table[here], bound, np.ascontiguousarray(hazard), reach, shift)
    return Thinning(classes.tables, candidates, share)


def _edges(steps: int) -> FloatArray:
    """Ranges (bins, 2) of a number in `steps` steps per unit; 0: below, at and above zero."""
    if not steps:
        return np.array([[-np.inf, 0.0], [0.0, 0.0], [0.0, np.inf]])
    edges = np.arange(-_NORMAL_LIMIT * steps, _NORMAL_LIMIT * steps + 1) / steps
    edges = np.concatenate([[-np.inf], edges, [np.inf]])
    slack = 1e-6 / steps
    return np.stack([edges[:-1] - slack, edges[1:] + slack], axis=1)


@compiled
def _margins(
    level: Any, spread: Any, inverse: Any, low: Any, high: Any, valid: Any, nominal: Any, one: int, random: bool,
    normals: Any, offsets: Any, limits: Any, above: Any, below: Any,
) -> None:  # fmt: skip
    """Smallest distance to either end of the right interval, in temporal sigmas, over all counts up to a sum of levels
    and all frozen deviations within a bin: above, below (normals, offsets, sums, active)."""
    for i in range(normals.shape[0]):
        for k in range(offsets.shape[0]):
            for a in range(level.shape[0]):
                n = 0
                up = down = math.inf
                for c in range(level.shape[1]):
                    if valid[a, c]:
                        if not random:
                            if nominal[a, c] != c * one:
                                up = -math.inf
                        else:
                            most, least = offsets[k, 1], offsets[k, 0]
                            if spread[a, c] > 0.0:
                                most += spread[a, c] * normals[i, 1]
                                least += spread[a, c] * normals[i, 0]
                            if high[a, c] < math.inf:
                                up = min(up, (high[a, c] - level[a, c] - most) * inverse[a, c])
                            if low[a, c] > -math.inf:
                                down = min(down, (level[a, c] + least - low[a, c]) * inverse[a, c])
                    if c == limits[n]:
                        above[i, k, n, a], below[i, k, n, a] = up, down
                        n += 1


@compiled
def _bin(value: float, step: float, last: int) -> int:
    """Number of the range of `_edges` that holds a value."""
    if step == 0.0:
        return 1 + int(value > 0.0) - int(value < 0.0)
    return int(min(max(math.floor(value / step) + (last + 1) // 2, 0), last))


@compiled
def _sort_segments(
    words: Any, bit_words: int, frozen: Any, table: Any, class_of: Any, sum_bin: Any, offset_step: float,
    unit_shift: int, start: Any, order: Any, empty: Any,
) -> None:  # fmt: skip
    """Segments of every group sorted by class: order (groups, segments), start (groups, classes + 1)."""
    groups, units, per_unit, columns = words.shape
    normals, offsets = class_of.shape[1], class_of.shape[2]
    index = np.empty((units, columns), np.int32)
    total = np.empty(columns, np.int64)
    for g in range(groups):
        for u in range(units):
            total[:] = 0
            for k in range(per_unit):
                for j in range(columns):
                    total[j] += np.int64(popcount(words[g, u, k, j])) << (k // bit_words)
            for j in range(columns):
                z, shift = 0, offsets // 2
                if frozen.any:
                    if normals > 1:
                        z = _bin(np.float64(frozen.static[g, u, j]), 1.0 / _NORMAL_STEPS, normals - 1)
                    shift = _bin(np.float64(frozen.offset[g, u, j]), offset_step, offsets - 1)
                index[u, j] = class_of[table[g, u, j], z, shift, sum_bin[total[j]]]
                if empty.size and empty[g, u, j]:
                    index[u, j] = -1  # of no class: never wrong
                    continue
                start[g, index[u, j] + 1] += 1
        for k in range(1, start.shape[1]):
            start[g, k] += start[g, k - 1]
        at = start[g].copy()
        for u in range(units):
            for j in range(columns):
                k = index[u, j]
                if k < 0:
                    continue
                order[g, at[k]] = (u << unit_shift) + j
                at[k] += 1


@compiled
def _exponential(word: Any) -> float:
    return -math.log(uniform(word))


@compiled
def _beyond(distance: float, draw: float, guard: Any, reads: int) -> bool:
    """Whether `draw` is below the probability that the median of noisy levels lies beyond a threshold at this distance
    (sigma); most draws are not even below its tabulated bound."""
    at = int(min(max(distance * _GUARD_STEPS + 1.0, 0.0), float(_GUARD_BINS - 1)))
    return bool(draw < guard[at] and draw < median(0.5 * math.erfc(distance * math.sqrt(0.5)), reads))


@compiled
def add_wrong(
    x_words: Any, active: Any, w_words: Any, t: Any, s: Any, chip: Any, place_value: Any, place: Any, per_block: int,
    key: Any, first: int, out: Any,
) -> int:  # fmt: skip
    """Add what wrong conversions change in the exact product; return how many there are.

    t: CodeTables, s: Candidates, chip: noise.Frozen; for the others see `noise.mvm_noisy`.
    """
    batch, groups, planes, words = x_words.shape
    level_bits = w_words.shape[2] // words
    last = s.bound.shape[0] - 1
    codes = t.values.shape[2]
    mask = (1 << s.unit_shift) - 1
    wrong = 0
    for b in range(batch):
        word = mixed(key + np.uint64(first + b) * GOLDEN)
        left = _exponential(mixed(word))
        for g in range(groups):
            for p in range(planes):
                a = active[b, g, p]
                rest = s.reach[g, a, last]
                k, i = 0, 0
                while left < rest:
                    h = s.hazard[k, a]
                    number = s.start[g, k + 1] - s.start[g, k]
                    if left >= (number - i) * h:  # on to the class in which the hazard is used up
                        left += s.reach[g, a, k] - (number - i) * h
                        k0, k1 = k + 1, last
                        while k0 < k1:
                            middle = (k0 + k1) // 2
                            if left < s.reach[g, a, middle]:
                                k1 = middle
                            else:
                                k0 = middle + 1
                        k, i = k0, 0
                        left -= s.reach[g, a, k - 1]
                        h = s.hazard[k, a]
                        number = s.start[g, k + 1] - s.start[g, k]
                    i = min(i + int(left / h), number - 1)
                    segment = s.order[g, s.start[g, k] + i]
                    u, j = segment >> s.unit_shift, segment & mask
                    c = np.int64(0)
                    for n in range(level_bits):
                        for m in range(words):
                            c += np.int64(popcount(x_words[b, g, p, m] & w_words[g, u, n * words + m, j])) << n
                    word += GOLDEN
                    table = s.table[k]
                    if t.random:
                        inverse = t.inverse[table, a, c]
                        level = t.level[table, a, c]
                        if chip.any:
                            level += np.float64(chip.offset[g, u, j])
                            level += t.spread[table, a, c] * np.float64(chip.static[g, u, j])
                        bound = s.bound[k, a]
                        draw = uniform(mixed(~word)) * bound
                        # low tail from the lower end of the draw's range, high tail from the upper
                        code = t.first[table, a, c]
                        if _beyond((level - t.low[table, a, c]) * inverse, draw, t.guard, t.reads):
                            code -= 1
                            while code > 0 and _beyond(
                                (level - t.steps[table, a, code - 1]) * inverse, draw, t.guard, t.reads
                            ):
                                code -= 1
                        elif _beyond((t.high[table, a, c] - level) * inverse, bound - draw, t.guard, t.reads):
                            code = t.last[table, a, c] + 1
                            while code < codes - 1 and _beyond(
                                (t.steps[table, a, code] - level) * inverse, bound - draw, t.guard, t.reads
                            ):
                                code += 1
                    else:
                        code = t.code[table, a, c]
                    off = t.values[table, a, code] - c * t.one
                    if off != 0:
                        wrong += 1
                        out[b, g // per_block, j] += place[p] * np.int64(place_value[u]) * off
                    left = _exponential(mixed(word))
                    i += 1
                    rest = s.reach[g, a, last] - s.reach[g, a, k] + (number - i) * h
                left -= rest
    return wrong
