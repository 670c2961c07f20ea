"""Compiled loops of the MVM engine: packing, counting and table look-up, one conversion at a time.

Layout. Group words: `x_words` (batch, groups, input planes, words), `w_words` (groups, units, words, columns); bit i of
word k is row 64*k + i of the group. Cells of several levels have one set of words
per bit of their level, the least significant first. The column index is last, so that the inner loops run over
neighbouring columns and vectorize (popcount and gather instructions). Columns are taken in blocks that keep one
group's weights in the first-level cache while the whole batch passes over them.

Look-up tables are by entry: the count, plus where the readout of the column's plane begins (`first_entry`).

All kernels release the interpreter lock and add to `out` (batch, blocks, columns), where a block is `per_block`
consecutive groups.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from numba import types
from numba.extending import intrinsic

from interconnect.compiled import compiled_loop

WORD = 64
"""Rows per word; half the width would not be faster for small groups."""

BLOCK = 256
"""Columns per block: 14 units x 256 columns of 64-bit words are 28 KiB."""


compiled = compiled_loop()


def _emit_popcount(typing_context: Any, word: Any) -> Any:
    """Number of ones in an unsigned word as the processor's own instruction."""
    if not isinstance(word, types.Integer):
        return None

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.ctpop(args[0])

    return word(word), codegen


popcount = cast(Callable[[Any], Any], intrinsic(_emit_popcount))


@compiled
def _plane_word(values: Any, plane: Any) -> Any:
    """Bits `plane` of up to 64 integers as one word (a loop of its own: it vectorizes)."""
    word = np.int64(0)
    for i in range(values.shape[0]):
        word |= ((values[i] >> plane) & np.int64(1)) << np.int64(i)
    return np.uint64(word)


@compiled
def pack_inputs(x: Any, rows: int, out: Any, active: Any) -> None:
    """Two's-complement bit planes of x (batch, R) into `out`; driven rows per group and plane into `active`."""
    _, groups, planes, words = out.shape
    for b in range(x.shape[0]):
        for g in range(groups):
            stop = min(x.shape[1], (g + 1) * rows)
            for k in range(words):
                start = min(stop, g * rows + k * WORD)
                values = x[b, start : min(stop, start + WORD)]
                for p in range(planes):
                    word = _plane_word(values, np.int64(p))
                    out[b, g, p, k] = word
                    active[b, g, p] += np.int32(popcount(word))


@compiled
def pack_levels(level: Any, rows: int, words: int, out: Any) -> None:
    """Cell levels (R, C) of one unit into `out` (groups, words x bits of a level, C), which holds zeros."""
    one = out.dtype.type(1)
    bits = out.shape[1] // words
    for r in range(level.shape[0]):
        group, i = r // rows, r % rows
        word, bit = i // WORD, one << out.dtype.type(i % WORD)
        for k in range(bits):
            for j in range(level.shape[1]):
                if (level[r, j] >> k) & 1:
                    out[group, k * words + word, j] |= bit


@compiled
def _add_bits(bits: Any, which: Any, row: Any, out: Any) -> None:
    for j in range(out.shape[0]):
        out[j] |= ((bits[j] >> which) & np.uint64(1)) << row


@compiled
def pack_weights(index: Any, level_bits: Any, per_unit: int, rows: int, words: int, out: Any) -> None:
    """Cell levels of all units into `out` (groups, units, words x bits of a level, C), which holds zeros.

    index (R, C): of the weight in `level_bits`, the bits of its levels, `per_unit` for each unit from the lowest on.
    """
    units, columns = out.shape[1], out.shape[3]
    buffer = np.empty(BLOCK, np.uint64)
    for j0 in range(0, columns, BLOCK):
        j1 = min(columns, j0 + BLOCK)
        bits = buffer[: j1 - j0]
        for r in range(index.shape[0]):
            group, i = r // rows, r % rows
            for j in range(bits.shape[0]):
                bits[j] = level_bits[index[r, j0 + j]]
            for u in range(units):
                for k in range(per_unit):
                    row = out[group, u, k * words + i // WORD, j0:j1]
                    _add_bits(bits, np.uint64(u * per_unit + k), np.uint64(i % WORD), row)


@compiled
def _first_word(word: Any, row: Any, counts: Any) -> None:
    for j in range(counts.shape[0]):
        counts[j] = np.uint32(popcount(word & row[j]))


@compiled
def _next_word(word: Any, row: Any, shift: Any, counts: Any) -> None:
    for j in range(counts.shape[0]):
        counts[j] += np.uint32(popcount(word & row[j])) << shift


@compiled
def count_levels(x_word: Any, w_words: Any, g: int, u: int, j0: int, counts: Any) -> None:
    """counts[j] = sum over the driven rows of group g of the cell levels of unit u in column j0 + j.

    Rows are cut out one by one: a slice of two dimensions would lose its unit stride and with it the vector loads.
    """
    words = x_word.shape[0]
    j1 = j0 + counts.shape[0]
    _first_word(x_word[0], w_words[g, u, 0, j0:j1], counts)
    for k in range(1, w_words.shape[2]):
        _next_word(x_word[k % words], w_words[g, u, k, j0:j1], np.uint32(k // words), counts)


@compiled
def move_to_entries(counts: Any, first_entry: Any, entries: Any) -> None:
    """entries = counts + first_entry."""
    for j in range(counts.shape[0]):
        entries[j] = counts[j] + first_entry[j]


@compiled
def add_scaled(total: Any, scale: Any, out: Any) -> None:
    """out += total * scale, in 64 bits."""
    for j in range(total.shape[0]):
        out[j] += scale * np.int64(total[j])


@compiled
def mvm_lookup(
    x_words: Any, active: Any, w_words: Any, first_entry: Any, lut: Any, place_value: Any, place: Any, per_block: int,
    out: Any,
) -> None:  # fmt: skip
    """Add the digital values lut[active, entry] of every conversion, times the unit's `place_value` and the input
    plane's `place` (deterministic readout). first_entry: (units, columns)."""
    batch, groups, planes, words = x_words.shape
    units, columns = w_words.shape[1], w_words.shape[3]
    single = words == 1 and w_words.shape[2] == 1 and not first_entry.any()
    total_block = np.empty(BLOCK, np.int32)
    count_block = np.empty(BLOCK, np.uint32)
    for j0 in range(0, columns, BLOCK):
        j1 = min(columns, j0 + BLOCK)
        total, count = total_block[: j1 - j0], count_block[: j1 - j0]
        for g in range(groups):
            for b in range(batch):
                for p in range(planes):
                    x_word = x_words[b, g, p]
                    row = lut[active[b, g, p]]
                    total[:] = 0
                    if single:
                        word = x_word[0]
                        for u in range(0, units - 1, 2):
                            even, odd = w_words[g, u, 0, j0:j1], w_words[g, u + 1, 0, j0:j1]
                            f0, f1 = place_value[u], place_value[u + 1]
                            for j in range(total.shape[0]):
                                value = f0 * row[popcount(word & even[j])]
                                total[j] += value + f1 * row[popcount(word & odd[j])]
                        if units % 2:
                            last, f0 = w_words[g, units - 1, 0, j0:j1], place_value[units - 1]
                            for j in range(total.shape[0]):
                                total[j] += f0 * row[popcount(word & last[j])]
                    else:
                        for u in range(units):
                            f0 = place_value[u]
                            count_levels(x_word, w_words, g, u, j0, count)
                            move_to_entries(count, first_entry[u, j0:j1], count)
                            for j in range(total.shape[0]):
                                total[j] += f0 * row[count[j]]
                    add_scaled(total, place[p], out[b, g // per_block, j0:j1])


@compiled
def restore_empty(
    active: Any, empty: Any, first_entry: Any, lut: Any, one: int, level: int, place_value: Any, place: Any,
    per_block: int, out: Any,
) -> None:  # fmt: skip
    """Put the known count of columns that are not converted in place of their looked-up values. empty (segments, 3):
    group, unit, column; level: of each of their cells."""
    for n in range(empty.shape[0]):
        g, u, j = empty[n, 0], empty[n, 1], empty[n, 2]
        for b in range(active.shape[0]):
            for p in range(active.shape[2]):
                a = np.int64(active[b, g, p])
                off = level * a * one - np.int64(lut[a, level * a + first_entry[u, j]])
                out[b, g // per_block, j] += np.int64(place[p]) * np.int64(place_value[u]) * off


@compiled
def count_pairs(x_words: Any, active: Any, w_words: Any, first_entry: Any, rank: Any, histogram: Any) -> None:
    """Add every conversion to histogram[rank of its unit, active, entry]."""
    batch, groups, planes, _ = x_words.shape
    units, columns = w_words.shape[1], w_words.shape[3]
    count_block = np.empty(BLOCK, np.uint32)
    for j0 in range(0, columns, BLOCK):
        j1 = min(columns, j0 + BLOCK)
        count = count_block[: j1 - j0]
        for g in range(groups):
            for b in range(batch):
                for p in range(planes):
                    for u in range(units):
                        row = histogram[rank[u], active[b, g, p]]
                        count_levels(x_words[b, g, p], w_words, g, u, j0, count)
                        move_to_entries(count, first_entry[u, j0:j1], count)
                        for j in range(count.shape[0]):
                            row[count[j]] += 1
