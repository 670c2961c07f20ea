"""Compiled loops of the random readout: noise per conversion, frozen deviations, and check columns that correct it.

Randomness is counter based: the random word of a conversion is a hash of its index alone, hence neither the blocks
nor the number of threads change a result.

Every row of conversions takes two passes. The first, vectorized, takes the nominal value of each count and proves from
the random word and a bound of the Gaussian tail that noise cannot change it; the second redraws exactly the few
conversions without that proof. The median of several reads is one draw from the distribution of the median.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from metalrom.macro.draws import GOLDEN, median, mixed, uniform
from metalrom.macro.kernels import BLOCK, add_scaled, compiled, count_levels, move_to_entries

_HALF = np.uint64(32)

GUARD_STEPS = 16
GUARD_BINS = 160
"""Table of Gaussian tail bounds: 16 bins per sigma up to 10 sigma."""


class NoiseTables(NamedTuple):
    """The readouts as the random path wants them, by (active, entry) unless said otherwise.

    value: digital value of the nominal code (fixed point, unit `one`). values (active, code): of every code. code:
    nominal code. level: LSB. steps (classes of planes, active, codes - 1): thresholds, LSB. near: distance to the
    nearest threshold; slope: static sigma; inverse: 1 / LSB; these three in temporal sigmas, single precision. bound:
    of the probability that noise alone changes the code, in 2^-32. guard: the same by margin, in steps of 1/16 sigma.
    reads: conversions whose median is taken (odd). cross (active, entry, 4): probability that the code falls by two or
    more, by one or more, rises by one or more, by two or more, without frozen deviations. counts: entries of one class
    of planes.
    """

    value: Any
    values: Any
    code: Any
    level: Any
    steps: Any
    near: Any
    slope: Any
    inverse: Any
    bound: Any
    guard: Any
    cross: Any
    one: int
    reads: int
    counts: int


class Frozen(NamedTuple):
    """Deviations of a chip by (groups, units, columns): standard normals and converter offsets, LSB. any: if not
    false."""

    any: bool
    static: Any
    offset: Any


class Checks(NamedTuple):
    """Check columns of sets of `size` neighbouring columns (see `residue`).

    words (groups, units, words, check columns), first_entry (units, check columns), frozen: of the check columns.
    weight (size,), check_weight (per set): of a count in the syndrome modulo `modulus`. place, step (modulus,): which
    column a syndrome accuses (-1: none; from `size` on: a check column) and by how much its count is off. top: greatest
    count per driven row. retries: reads of a whole set anew before its count is corrected.
    """

    words: Any
    first_entry: Any
    frozen: Frozen
    size: int
    weight: Any
    check_weight: Any
    modulus: int
    place: Any
    step: Any
    top: int
    retries: int


@compiled
def _redraw(code: int, level: float, steps: Any, inverse_sigma: float, reads: int, word: Any) -> int:
    """Code of one conversion whose noise may leave the nominal code: inverse CDF of the (median) Gaussian level.

    The uniform number u = (word + 0.5) / 2^64 picks the smallest code k with u <= Phi((threshold_k - level) / sigma);
    each tail is compared on its own side so that small probabilities keep their digits.
    """
    root = inverse_sigma * math.sqrt(0.5)
    low, high = uniform(word), uniform(~word)
    # A draw above the level cannot fall below a threshold beneath it (and the reverse): one tail need not be computed.
    while code > 0 and (low < 0.5 or level < steps[code - 1]):
        if not low < median(0.5 * math.erfc((level - steps[code - 1]) * root), reads):
            break
        code -= 1
    while code < steps.shape[0] and (high < 0.5 or steps[code] < level):
        if not high < median(0.5 * math.erfc((steps[code] - level) * root), reads):
            break
        code += 1
    return code


@compiled
def _tails(base: Any, tail: Any) -> None:
    """Distance of every random word from its nearer end, in 2^-32: small where the Gaussian draw lies far out.

    Kept apart, as `_screen`, `_screen_frozen` and `_wrong`: short loops over few arrays vectorize.
    """
    for j in range(tail.shape[0]):
        word = np.int32(mixed(base + np.uint64(j) * GOLDEN) >> _HALF)
        tail[j] = np.uint32(word ^ (word >> np.int32(31)))


@compiled
def _screen(entry: Any, value_row: Any, bound_row: Any, tail: Any, value: Any) -> int:
    """Nominal values; tail becomes 1 where the draw might change them. Returns the number of such conversions."""
    risky = np.int32(0)
    for j in range(entry.shape[0]):
        c = entry[j]
        value[j] = value_row[c]
        flag = np.int32(tail[j] <= bound_row[c])
        tail[j] = np.uint32(flag)
        risky += flag
    return int(risky)


@compiled
def _screen_frozen(
    entry: Any, value_row: Any, near_row: Any, slope_row: Any, inverse_row: Any, guard: Any, normal: Any, shift: Any,
    tail: Any, value: Any,
) -> int:  # fmt: skip
    """As `_screen`, with frozen deviations that eat up part of the margin."""
    none, per_sigma, last = np.float32(0), np.float32(GUARD_STEPS), np.float32(GUARD_BINS - 1)
    risky = np.int32(0)
    for j in range(entry.shape[0]):
        c = entry[j]
        value[j] = value_row[c]
        margin = near_row[c] - abs(slope_row[c] * normal[j] + inverse_row[c] * shift[j])
        flag = np.int32(tail[j] <= guard[np.uint32(min(max(margin, none) * per_sigma, last))])
        tail[j] = np.uint32(flag)
        risky += flag
    return int(risky)


@compiled
def _settle(
    entry: Any, t: Any, a: int, frozen: bool, normal: Any, shift: Any, base: Any, tail: Any, value: Any
) -> None:  # fmt: skip
    """Redraw the flagged conversions exactly (a function of its own: inlined, it would keep the others scalar)."""
    for j in range(entry.shape[0]):
        if tail[j]:
            c = entry[j]
            word = mixed(base + np.uint64(j) * GOLDEN)
            if not frozen:
                low, high = uniform(word), uniform(~word)
                if low >= t.cross[a, c, 0] and high >= t.cross[a, c, 3]:
                    step = int(high < t.cross[a, c, 2]) - int(low < t.cross[a, c, 1])
                    value[j] = t.values[a, t.code[a, c] + step]
                    continue
            inverse_sigma = np.float64(t.inverse[a, c])
            level = t.level[a, c]
            if frozen:
                level += np.float64(shift[j]) + np.float64(t.slope[a, c]) * np.float64(normal[j]) / inverse_sigma
            steps = t.steps[c // t.counts, a]
            value[j] = t.values[a, _redraw(t.code[a, c], level, steps, inverse_sigma, t.reads, word)]


@compiled
def _draw(entry: Any, t: Any, a: int, frozen: bool, normal: Any, shift: Any, base: Any, tail: Any, value: Any) -> None:
    """Random digital values of one row of conversions with these entries; `tail` is scratch of the same length."""
    _tails(base, tail)
    if frozen:
        risky = _screen_frozen(
            entry, t.value[a], t.near[a], t.slope[a], t.inverse[a], t.guard, normal, shift, tail, value
        )
    else:
        risky = _screen(entry, t.value[a], t.bound[a], tail, value)
    if risky:
        _settle(entry, t, a, frozen, normal, shift, base, tail, value)


@compiled
def _wrong(count: Any, value: Any, one: int) -> int:
    """How many digital values are not their count."""
    wrong = np.int32(0)
    for j in range(count.shape[0]):
        wrong += np.int32(value[j] != np.int32(count[j]) * np.int32(one))
    return int(wrong)


@compiled
def mvm_noisy(
    x_words: Any, active: Any, w_words: Any, first_entry: Any, t: Any, chip: Any, place_value: Any, place: Any,
    per_block: int, key: Any, first: int, out: Any, empty: Any,
) -> int:  # fmt: skip
    """Add the random digital values of every conversion, times the unit's `place_value` and the input plane's `place`;
    return how many are not their count. first_entry: (units, columns). t: NoiseTables, chip: Frozen. `first`: index of
    the first batch row in the whole call. empty (groups, units, columns): what is not converted, or nothing."""
    batch, groups, planes, _ = x_words.shape
    units, columns = w_words.shape[1], w_words.shape[3]
    total_block, value_block = np.empty(BLOCK, np.int32), np.empty(BLOCK, np.int32)
    count_block, tail_block = np.empty(BLOCK, np.uint32), np.empty(BLOCK, np.uint32)
    entry_block, several = np.empty(BLOCK, np.uint32), t.steps.shape[0] > 1
    normal = shift = np.empty(0, np.float32)
    errors = 0
    for j0 in range(0, columns, BLOCK):
        j1 = min(columns, j0 + BLOCK)
        width = j1 - j0
        total, count, value, tail = total_block[:width], count_block[:width], value_block[:width], tail_block[:width]
        entry = entry_block[:width] if several else count
        for g in range(groups):
            for b in range(batch):
                for p in range(planes):
                    total[:] = 0
                    for u in range(units):
                        count_levels(x_words[b, g, p], w_words, g, u, j0, count)
                        if several:
                            move_to_entries(count, first_entry[u, j0:j1], entry)
                        if chip.any:
                            normal, shift = chip.static[g, u, j0:j1], chip.offset[g, u, j0:j1]
                        index = ((np.int64(first + b) * groups + g) * planes + p) * units + u
                        base = key + np.uint64(index * columns + j0) * GOLDEN
                        a = active[b, g, p]
                        # `_draw` written out: as a call it would not be inlined here, at half the speed
                        _tails(base, tail)
                        if chip.any:
                            risky = _screen_frozen(
                                entry, t.value[a], t.near[a], t.slope[a], t.inverse[a], t.guard, normal, shift, tail,
                                value,
                            )  # fmt: skip
                        else:
                            risky = _screen(entry, t.value[a], t.bound[a], tail, value)
                        if risky:
                            _settle(entry, t, a, chip.any, normal, shift, base, tail, value)
                        if empty.size:
                            for j in range(width):
                                if empty[g, u, j0 + j]:
                                    value[j] = np.int32(count[j]) * np.int32(t.one)
                        errors += _wrong(count, value, t.one)
                        f = place_value[u]
                        for j in range(width):
                            total[j] += f * value[j]
                    add_scaled(total, place[p], out[b, g // per_block, j0:j1])
    return errors


@compiled
def _syndrome(value: Any, check: Any, c: Any) -> int:
    """Weighted sum of a set's counts less that of its check columns, modulo the modulus: 0 where they agree."""
    total = np.int64(0)
    for k in range(value.shape[0]):
        total += c.weight[k] * np.int64(value[k])
    for k in range(check.shape[0]):
        total -= c.check_weight[k] * np.int64(check[k])
    return int(total % c.modulus)


@compiled
def mvm_checked(
    x_words: Any, active: Any, w_words: Any, first_entry: Any, random: bool, t: Any, chip: Any, c: Any,
    place_value: Any, place: Any, per_block: int, keys: Any, first: int, out: Any, stats: Any,
) -> None:  # fmt: skip
    """As `mvm_noisy` (or a look-up if not `random`), every set of columns being checked and corrected first.

    keys (2 + 2 retries): of data and check columns, then of every repeated read. stats: adds wrong data conversions
    before and after correction, sets corrected, sets read again, sets given up.
    """
    batch, groups, planes, _ = x_words.shape
    units, columns = w_words.shape[1], w_words.shape[3]
    sets, per_set = (columns + c.size - 1) // c.size, c.check_weight.shape[0]
    checks = sets * per_set
    total, value = np.empty(columns, np.int32), np.empty(columns, np.int32)
    count, tail = np.empty(columns, np.uint32), np.empty(max(columns, checks), np.uint32)
    check_count, check_value = np.empty(checks, np.uint32), np.empty(checks, np.int32)
    entry, check_entry = np.empty(columns, np.uint32), np.empty(checks, np.uint32)
    for g in range(groups):
        for b in range(batch):
            for p in range(planes):
                total[:] = 0
                a = active[b, g, p]
                top = a * c.top
                for u in range(units):
                    count_levels(x_words[b, g, p], w_words, g, u, 0, count)
                    count_levels(x_words[b, g, p], c.words, g, u, 0, check_count)
                    move_to_entries(count, first_entry[u], entry)
                    move_to_entries(check_count, c.first_entry[u], check_entry)
                    index = ((np.int64(first + b) * groups + g) * planes + p) * units + u
                    data_at, check_at = np.uint64(index * columns), np.uint64(index * checks)
                    fg, fu = (g, u) if chip.any else (0, 0)
                    for part in range(2 if random else 0):  # loops, lest four copies of `_draw` be compiled
                        here, own, into, at = (entry, chip, value, data_at) if part == 0 else (
                            check_entry, c.frozen, check_value, check_at)  # fmt: skip
                        normal, shift = own.static[fg, fu], own.offset[fg, fu]
                        width = here.shape[0]
                        _draw(here, t, a, chip.any, normal, shift, keys[part] + at * GOLDEN, tail[:width], into)
                    if not random:
                        for j in range(columns):
                            value[j] = t.value[a, entry[j]]
                        for j in range(checks):
                            check_value[j] = t.value[a, check_entry[j]]
                    stats[0] += _wrong(count, value, 1)
                    for s in range(sets):
                        j0, j1 = s * c.size, min(columns, (s + 1) * c.size)
                        k0, k1 = s * per_set, (s + 1) * per_set
                        syndrome = _syndrome(value[j0:j1], check_value[k0:k1], c)
                        for r in range(1, c.retries + 1):
                            if syndrome == 0 or not random:
                                break
                            stats[3] += 1
                            for part in range(2):
                                here, own, into, at, n0, n1 = (
                                    (entry, chip, value, data_at, j0, j1) if part == 0
                                    else (check_entry, c.frozen, check_value, check_at, k0, k1))  # fmt: skip
                                normal, shift = own.static[fg, fu], own.offset[fg, fu]
                                base = keys[2 * r + part] + (at + np.uint64(n0)) * GOLDEN
                                _draw(here[n0:n1], t, a, chip.any, normal[n0:n1], shift[n0:n1], base,
                                      tail[: n1 - n0], into[n0:n1])  # fmt: skip
                            syndrome = _syndrome(value[j0:j1], check_value[k0:k1], c)
                        if syndrome:
                            k, step = c.place[syndrome], c.step[syndrome]
                            if 0 <= k < j1 - j0 and 0 <= value[j0 + k] - step <= top:
                                value[j0 + k] -= step
                                stats[2] += 1
                            elif k >= c.size:
                                stats[2] += 1
                            else:
                                stats[4] += 1
                    stats[1] += _wrong(count, value, 1)
                    f = place_value[u]
                    for j in range(columns):
                        total[j] += f * value[j]
                add_scaled(total, place[p], out[b, g // per_block])
