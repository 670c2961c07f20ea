"""Compiled loops of the MVM engine: packing, counting, table look-up and noise, one conversion at a time.

Layout. Group words: `x_words` (batch, groups, input planes, words), `w_words` (groups, weight planes, 2 signs, words,
columns); bit i of word k is row 64*k + i of the group (32 rows per word for small groups). The column index is last, so
that the inner loops run over neighbouring columns and vectorize (popcount and gather instructions). Columns are
taken in blocks that keep one group's weights in the first-level cache while the whole batch passes over them.

Randomness is counter based: the random word of a conversion is a hash of its index alone, hence neither the
blocks nor the number of threads change a result. All kernels release the interpreter lock.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np
from numba import njit, types
from numba.extending import intrinsic

Kernel = TypeVar("Kernel", bound=Callable[..., Any])

BLOCK = 256
"""Columns per block: 7 planes x 2 signs x 256 columns of 64-bit words are 28 KiB."""

GUARD_STEPS = 16
GUARD_BINS = 160
"""Table of Gaussian tail bounds: 16 bins per sigma up to 10 sigma."""

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX2 = np.uint64(0x94D049BB133111EB)
_S11, _S27, _S30, _S31, _S32 = np.uint64(11), np.uint64(27), np.uint64(30), np.uint64(31), np.uint64(32)


class ScaledTables(NamedTuple):
    """Single-precision tables by (active, count), in units of the temporal sigma of that entry.

    down, up: distance from the level to the threshold below and above the nominal code. slope: static sigma.
    inverse: 1 / temporal sigma, per LSB.
    """

    down: Any
    up: Any
    slope: Any
    inverse: Any


def _compiled(function: Kernel) -> Kernel:
    """The function compiled by numba on first call, cached on disk, without the interpreter lock."""
    return cast(Kernel, njit(cache=True, nogil=True)(function))


def _emit_popcount(typing_context: Any, word: Any) -> Any:
    """Number of ones in an unsigned word as the processor's own instruction."""
    if not isinstance(word, types.Integer):
        return None

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.ctpop(args[0])

    return word(word), codegen


_popcount = cast(Callable[[Any], Any], intrinsic(_emit_popcount))


@_compiled
def _hash(counter: Any) -> Any:
    """SplitMix64 finalizer (Steele, Lea, Flood 2014): 64 well-mixed bits from a 64-bit counter."""
    z = (counter ^ (counter >> _S30)) * _MIX1
    z = (z ^ (z >> _S27)) * _MIX2
    return z ^ (z >> _S31)


@_compiled
def pack_inputs(x: Any, rows: int, word_bits: int, out: Any, active: Any) -> None:
    """Two's-complement bit planes of x (batch, R) into `out`; driven rows per group and plane into `active`."""
    planes = out.shape[2]
    one = out.dtype.type(1)
    for b in range(x.shape[0]):
        for r in range(x.shape[1]):
            value = x[b, r]
            group, i = r // rows, r % rows
            for p in range(planes):
                if (value >> p) & 1:
                    out[b, group, p, i // word_bits] |= one << out.dtype.type(i % word_bits)
                    active[b, group, p] += 1


@_compiled
def pack_weights(w: Any, rows: int, word_bits: int, out: Any) -> None:
    """Magnitude bit planes of w (R, C), positive and negative weights in separate columns, into `out`."""
    planes = out.shape[1]
    one = out.dtype.type(1)
    for r in range(w.shape[0]):
        group, i = r // rows, r % rows
        word, bit = i // word_bits, one << out.dtype.type(i % word_bits)
        for j in range(w.shape[1]):
            value = w[r, j]
            sign = 0 if value >= 0 else 1
            magnitude = abs(value)
            for q in range(planes):
                if (magnitude >> q) & 1:
                    out[group, q, sign, word, j] |= bit


@_compiled
def _count(x_word: Any, w_words: Any, counts: Any) -> None:
    """counts[j] = ones of (input AND weight) over the words of one group."""
    for j in range(counts.shape[0]):
        counts[j] = np.uint32(_popcount(x_word[0] & w_words[0, j]))
    for k in range(1, x_word.shape[0]):
        for j in range(counts.shape[0]):
            counts[j] += np.uint32(_popcount(x_word[k] & w_words[k, j]))


@_compiled
def _shift_add(total: Any, out: Any, plane: int, planes: int) -> None:
    """out += total * 2^plane, the most significant input plane being negative (two's complement)."""
    scale = np.int64(1) << plane
    if plane == planes - 1:
        scale = -scale
    for j in range(total.shape[0]):
        out[j] += scale * np.int64(total[j])


@_compiled
def mvm_lookup(x_words: Any, active: Any, w_words: Any, lut: Any, out: Any) -> None:
    """Add to out (batch, C) the shift-added codes lut[active, count] of every conversion (deterministic readout)."""
    batch, groups, planes, words = x_words.shape
    weight_planes, columns = w_words.shape[1], w_words.shape[4]
    total_block = np.empty(BLOCK, np.int32)
    plus_block = np.empty(BLOCK, np.uint32)
    minus_block = np.empty(BLOCK, np.uint32)
    for j0 in range(0, columns, BLOCK):
        j1 = min(columns, j0 + BLOCK)
        total, plus, minus = total_block[: j1 - j0], plus_block[: j1 - j0], minus_block[: j1 - j0]
        for g in range(groups):
            for b in range(batch):
                for p in range(planes):
                    x_word = x_words[b, g, p]
                    row = lut[active[b, g, p]]
                    total[:] = 0
                    for q in range(weight_planes - 1, -1, -1):
                        up, down = w_words[g, q, 0, :, j0:j1], w_words[g, q, 1, :, j0:j1]
                        if words == 1:
                            word = x_word[0]
                            for j in range(total.shape[0]):
                                code = row[_popcount(word & up[0, j])] - row[_popcount(word & down[0, j])]
                                total[j] = 2 * total[j] + code
                        else:
                            _count(x_word, up, plus)
                            _count(x_word, down, minus)
                            for j in range(total.shape[0]):
                                total[j] = 2 * total[j] + row[plus[j]] - row[minus[j]]
                    _shift_add(total, out[b, j0:j1], p, planes)


@_compiled
def _redraw(code: int, level: float, steps: Any, inverse_sigma: float, word: Any) -> int:
    """Code of one conversion whose noise may leave the nominal code: inverse CDF of the Gaussian level.

    The uniform number u = (word + 0.5) / 2^64 picks the smallest code k with u <= Phi((threshold_k - level) / sigma);
    each tail is compared on its own side so that small probabilities keep their digits.
    """
    root = inverse_sigma * math.sqrt(0.5)
    low = (np.float64(word >> _S11) + 0.5) * 2.0**-53
    high = (np.float64((~word) >> _S11) + 0.5) * 2.0**-53
    while code > 0 and low < 0.5 * math.erfc((level - steps[code - 1]) * root):
        code -= 1
    while code < steps.shape[0] and high < 0.5 * math.erfc((steps[code] - level) * root):
        code += 1
    return code


@_compiled
def mvm_noisy(
    x_words: Any,
    active: Any,
    w_words: Any,
    code_of: Any,
    level_of: Any,
    steps: Any,
    scaled: ScaledTables,
    static: Any,
    offset: Any,
    guard: Any,
    key: Any,
    first: int,
    out: Any,
) -> int:
    """Add to out (batch, C) the shift-added random codes; return how many codes differ from their count.

    Tables by (active, count): nominal code; level (LSB); `scaled`. `steps` (active, codes - 1): thresholds, LSB.
    `static`, `offset` (groups, planes, 2, C): frozen standard normals and converter offsets (LSB).
    `guard`: upper bounds of the Gaussian tail. `first`: index of the first batch row in the whole call.

    Two passes per block: the first, vectorized, takes the nominal code and proves from the random word and the tail
    bound that noise cannot change it; the second redraws exactly the few conversions without that proof.
    """
    batch, groups, planes, _ = x_words.shape
    weight_planes, columns = w_words.shape[1], w_words.shape[4]
    total_block = np.empty(BLOCK, np.int32)
    count_block = np.empty(BLOCK, np.uint32)
    risk_block = np.empty(BLOCK, np.int32)
    tail_block = np.empty(BLOCK, np.uint32)
    none, per_sigma, last = np.float32(0), np.float32(GUARD_STEPS), np.float32(GUARD_BINS - 1)
    errors = 0
    for j0 in range(0, columns, BLOCK):
        j1 = min(columns, j0 + BLOCK)
        width = j1 - j0
        total, count, risk, tail = total_block[:width], count_block[:width], risk_block[:width], tail_block[:width]
        for g in range(groups):
            for b in range(batch):
                for p in range(planes):
                    a = active[b, g, p]
                    code_row, down_row, up_row = code_of[a], scaled.down[a], scaled.up[a]
                    slope_row, inverse_row = scaled.slope[a], scaled.inverse[a]
                    total[:] = 0
                    for q in range(weight_planes - 1, -1, -1):
                        for j in range(width):
                            total[j] *= 2
                        for s in range(2):
                            sign = np.int32(1 - 2 * s)
                            _count(x_words[b, g, p], w_words[g, q, s, :, j0:j1], count)
                            normal, shift = static[g, q, s, j0:j1], offset[g, q, s, j0:j1]
                            index = (((np.int64(first + b) * groups + g) * planes + p) * weight_planes + q) * 2 + s
                            base = key + np.uint64(index * columns + j0) * _GOLDEN
                            for j in range(width):
                                upper = np.uint32(_hash(base + np.uint64(j) * _GOLDEN) >> _S32)
                                tail[j] = min(upper, ~upper)
                            risky = np.int32(0)
                            wrong = np.int32(0)
                            for j in range(width):
                                c = count[j]
                                deviation = slope_row[c] * normal[j] + inverse_row[c] * shift[j]
                                margin = min(down_row[c] + deviation, up_row[c] - deviation)
                                step = np.uint32(min(max(margin, none) * per_sigma, last))
                                code = code_row[c]
                                total[j] += sign * code
                                flag = np.int32(tail[j] <= guard[step])
                                risk[j] = flag
                                risky += flag
                                wrong += np.int32(code != np.int32(c))
                            errors += int(wrong)
                            if risky:
                                for j in range(width):
                                    if risk[j]:
                                        c = count[j]
                                        sigma_inverse = np.float64(inverse_row[c])
                                        level = level_of[a, c] + np.float64(shift[j])
                                        level += np.float64(slope_row[c]) * np.float64(normal[j]) / sigma_inverse
                                        word = _hash(base + np.uint64(j) * _GOLDEN)
                                        nominal = code_row[c]
                                        code = _redraw(nominal, level, steps[a], sigma_inverse, word)
                                        total[j] += sign * (code - nominal)
                                        errors += (code != c) - (nominal != c)
                    _shift_add(total, out[b, j0:j1], p, planes)
    return errors


@_compiled
def count_pairs(x_words: Any, active: Any, w_words: Any, histogram: Any) -> None:
    """Add every conversion to histogram[active, count]."""
    batch, groups, planes, _ = x_words.shape
    weight_planes, columns = w_words.shape[1], w_words.shape[4]
    count_block = np.empty(BLOCK, np.uint32)
    for j0 in range(0, columns, BLOCK):
        j1 = min(columns, j0 + BLOCK)
        count = count_block[: j1 - j0]
        for g in range(groups):
            for b in range(batch):
                for p in range(planes):
                    row = histogram[active[b, g, p]]
                    for q in range(weight_planes):
                        for s in range(2):
                            _count(x_words[b, g, p], w_words[g, q, s, :, j0:j1], count)
                            for j in range(count.shape[0]):
                                row[count[j]] += 1
