"""The MVM engine against integer products, a slow reference written independently, and closed-form error rates."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from characterization.tables.table import ReadoutTable
from interconnect.errors import InputError
from metalrom.macro import Macro, synthetic_table


def operands(rng, batch, rows, columns, weight_bits=8, input_bits=8):
    x = rng.integers(-(2 ** (input_bits - 1)), 2 ** (input_bits - 1), (batch, rows))
    top = 2 ** (weight_bits - 1) - 1
    return x, rng.integers(-top, top + 1, (rows, columns))


def slow_reference(x, w, code_of, group, weight_bits, input_bits):
    """Bit-serial product in plain numpy, one conversion array at a time: code_of(active, counts) -> codes."""
    y = np.zeros((x.shape[0], w.shape[1]))
    for start in range(0, x.shape[1], group):
        xs, ws = x[:, start : start + group], w[start : start + group]
        for p in range(input_bits):
            bits = np.floor_divide(xs, 2**p) % 2
            place = -(2**p) if p == input_bits - 1 else 2**p
            for q in range(weight_bits - 1):
                for sign, part in ((1, np.clip(ws, 0, None)), (-1, np.clip(-ws, 0, None))):
                    plane = part // 2**q % 2
                    y += sign * place * 2**q * code_of(bits.sum(1), bits @ plane)
    return y.astype(np.int64)


def bent_table(rows, codes, seed, tracks_active=True):
    """Levels off the straight line by up to 0.9 count and an off-state slope: a deterministic, wrong readout."""
    rng = np.random.default_rng(seed)
    table = synthetic_table(rows, codes=codes)
    noise = rng.uniform(-0.9, 0.9, table.level.shape)
    noise[:, :, 0] = 0.0
    noise[:, rows, rows] = 0.0
    shift = 0.13 * np.arange(rows + 1)[None, :, None]
    adc = dataclasses.replace(table.adc, tracks_active=tracks_active)
    return table.replace(level=1e-3 * (table.level + noise + shift), adc=adc)


@pytest.mark.parametrize("seed", range(24))
def test_ideal_equals_integer_product(seed):
    rng = np.random.default_rng(seed)
    rows_per_group = int(rng.choice([4, 5, 7, 8, 16, 31, 32, 33, 48, 63, 64]))
    weight_bits, input_bits = int(rng.choice([2, 4, 6, 8])), int(rng.choice([2, 4, 6, 8]))
    x, w = operands(rng, *rng.integers(1, 200, 3), weight_bits, input_bits)
    macro = Macro.ideal(rows=rows_per_group, weight_bits=weight_bits, input_bits=input_bits)
    result = macro.run(x, w)
    assert (result.y == x @ w).all()
    assert result.y.dtype == np.int64
    assert result.code_errors == 0


@pytest.mark.parametrize("rows", [65, 128, 200, 512])
def test_groups_of_several_words(rows):
    rng = np.random.default_rng(rows)
    x, w = operands(rng, 5, 700, 300)
    assert (Macro.ideal(rows=rows).matmul(x, w) == x @ w).all()


def test_extreme_values_and_widths():
    x = np.array([[-32768] * 70, [32767] * 70])
    w = np.full((70, 3), 32767) * np.array([1, -1, 0])
    assert (Macro.ideal(rows=16, weight_bits=16, input_bits=16).matmul(x, w) == x @ w).all()


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("tracks", [True, False])
def test_arbitrary_lookup_equals_slow_reference(seed, tracks):
    rng = np.random.default_rng(seed)
    group, codes = int(rng.choice([4, 9, 32, 64, 100])), int(rng.integers(3, 40))
    table = bent_table(group, codes, seed, tracks)
    bits = (int(rng.choice([4, 6, 8])), int(rng.choice([4, 8])))
    x, w = operands(rng, 6, int(rng.integers(2, 150)), 21, *bits)
    errors = 0

    def code_of(active, counts):
        nonlocal errors
        level = np.take_along_axis(table.level[0][active], counts, axis=1)
        codes = (level[:, :, None] > table.thresholds(table.conditions[0])[active][:, None, :]).sum(2)
        errors += int((codes != counts).sum())
        return codes

    expected = slow_reference(x, w, code_of, group, *bits)
    macro = Macro(table, table.conditions[0], weight_bits=bits[0], input_bits=bits[1])
    result = macro.run(x, w)
    assert (result.y == expected).all()
    assert errors > 0
    assert result.code_errors == errors


def test_lsb_of_one_count_with_64_codes_clips_only_at_64():
    """Full scale 64 with 6 bits: count 64 reads as 63 ."""
    x, w = np.full((1, 64), 1), np.full((64, 1), 1)
    assert Macro.ideal(rows=64, codes=64).matmul(x, w)[0, 0] == 63
    assert Macro.ideal(rows=64, codes=64).matmul(x[:, :63], w[:63])[0, 0] == 63


@pytest.mark.parametrize("sigma", [0.14, 0.16, 0.2, 0.28])
def test_gaussian_code_error_rate(sigma):
    """2Q(1/(2 sigma)) at inner counts, Q at either end: 4e-4, 2e-3, 1e-2, 7e-2 for these sigmas ."""
    rng = np.random.default_rng(5)
    table = synthetic_table(64, sigma_noise=sigma)
    macro = Macro(table, table.conditions[0], seed=3)
    x, w = operands(rng, 64, 256, 64)
    result = macro.run(x, w)
    histogram = macro.count_histogram(x, w)
    active, count = np.indices(histogram.shape)
    q = 0.5 * math.erfc(0.5 / sigma / math.sqrt(2))
    ends = histogram[count == 0].sum() + histogram[64, 64]
    expected = q * (2 * histogram.sum() - ends)
    assert result.conversions == histogram.sum()
    assert abs(result.code_errors - expected) < 5 * math.sqrt(expected)
    assert table.mean_code_error(table.conditions[0], histogram) == pytest.approx(
        expected / result.conversions, rel=1e-9
    )
    assert histogram[count > active].sum() == 0


def test_code_distribution_of_one_cell_follows_the_table():
    """Every (active, count) pair's simulated codes against `code_probability`: bent levels, noise that skips codes."""
    rows = 6
    table = bent_table(rows, rows + 1, 1)
    table = table.replace(sigma_noise=np.where(table.valid, 6e-4, np.nan)[None])
    macro = Macro(table, table.conditions[0], weight_bits=2, input_bits=2, seed=9)
    x = np.zeros((40_000, rows), int)
    x[:, :5] = 1
    for count in range(6):
        w = np.zeros((rows, 1), int)
        w[:count] = 1
        y = macro.matmul(x, w)[:, 0]
        # y = (plus - minus) of the driven plane - 2 * (plus - minus) of the idle one: four independent codes.
        p = table.code_probability(table.conditions[0])
        driven = np.convolve(p[5, count], p[5, 0][::-1])
        idle = np.convolve(p[0, 0], p[0, 0][::-1])
        full = np.zeros(6 * rows + 1)
        for i, k in np.ndindex(len(driven), len(idle)):
            full[3 * rows + (i - rows) - 2 * (k - rows)] += driven[i] * idle[k]
        seen = np.bincount(y + 3 * rows, minlength=len(full))
        expected = full * len(y)
        assert (np.abs(seen - expected) <= 5 * np.sqrt(expected) + 1).all()


def test_same_seed_same_numbers_whatever_the_threads():
    rng = np.random.default_rng(0)
    table = synthetic_table(32, sigma_noise=0.2, sigma_static=0.1, offset_sigma=0.05)
    x, w = operands(rng, 37, 100, 300)

    def run(**options):
        return Macro(table, table.conditions[0], **options).matmul(x, w)

    base = run(seed=1, threads=1)
    assert (run(seed=1, threads=2) == base).all()
    assert (run(seed=1, threads=5) == base).all()
    assert (run(seed=2) != base).any()


def test_new_noise_at_every_call_and_replay():
    rng = np.random.default_rng(0)
    table = synthetic_table(32, sigma_noise=0.3)
    x, w = operands(rng, 8, 64, 16)
    macro = Macro(table, table.conditions[0])
    stored = macro.store(w)
    first, second = macro.matmul(x, stored), macro.matmul(x, stored)
    assert (first != second).any()
    assert (macro.matmul(x, stored, call=0) == first).all()


def test_static_deviation_is_frozen():
    rng = np.random.default_rng(0)
    table = synthetic_table(16, sigma_static=0.5)
    x, w = operands(rng, 9, 48, 20)
    macro = Macro(table, table.conditions[0], seed=4)
    first = macro.matmul(x, w)
    assert (first == macro.matmul(x, w)).all()  # no temporal part: the chip repeats itself
    assert (first != x @ w).any()
    other_place = macro.matmul(x, macro.store(w, layer=1))
    assert (first != other_place).any()
    twice = macro.matmul(np.concatenate([x, x]), w)
    assert (twice[: len(x)] == twice[len(x) :]).all()


def test_static_code_error_rate_over_columns():
    """Frozen Gaussian offsets of sigma 0.3 count: over many columns the same 2Q(1/(2 sigma)) as for noise."""
    table = synthetic_table(8, sigma_static=0.3)
    macro = Macro(table, table.conditions[0], weight_bits=2, input_bits=2)
    x, w = np.ones((1, 8), int), np.zeros((8, 40_000), int)
    w[:4] = 1
    y = macro.matmul(x, w)[0]
    # Positive column at count 4 of 8 (two-sided), negative at 0 (one-sided), idle plane twice at 0 with weight 2.
    q = 0.5 * math.erfc(0.5 / 0.3 / math.sqrt(2))
    result = macro.run(x, w)
    expected = (2 * q + q + 2 * q) * 40_000
    assert abs(result.code_errors - expected) < 5 * math.sqrt(expected)
    assert (y != 4).any()


def test_converter_offset_is_shared():
    """Columns on one converter deviate alike; with a converter each they do not."""
    table = synthetic_table(8, offset_sigma=0.6)
    x, w = np.ones((1, 8), int), np.full((8, 64), 3) // 3
    shared = Macro(table, table.conditions[0], weight_bits=2, columns_per_adc=2 * 64).matmul(x, w)[0]
    own = Macro(table, table.conditions[0], weight_bits=2).matmul(x, w)[0]
    assert len(set(shared.tolist())) == 1
    assert len(set(own.tolist())) > 1


def test_each_effect_can_be_switched_off():
    table = synthetic_table(16, sigma_noise=0.8, sigma_static=0.8, offset_sigma=0.8)
    table = table.replace(level=table.level**1.3)
    rng = np.random.default_rng(0)
    x, w = operands(rng, 4, 48, 12)
    condition = table.conditions[0]
    assert (Macro(table, condition, effects=()).matmul(x, w) == x @ w).all()
    for effect in ("levels", "static", "noise", "adc_offset"):
        assert (Macro(table, condition, effects=(effect,)).matmul(x, w) != x @ w).any(), effect


def test_histogram_equals_slow_count():
    rng = np.random.default_rng(3)
    x, w = operands(rng, 7, 50, 9, 4, 4)
    expected = np.zeros((17, 17), np.int64)

    def code_of(active, counts):
        np.add.at(expected, (np.broadcast_to(active[:, None], counts.shape), counts), 1)
        return counts

    slow_reference(x, w, code_of, 16, 4, 4)
    got = Macro.ideal(rows=16, weight_bits=4, input_bits=4).count_histogram(x, w)
    assert (got == expected).all()
    # 50 rows in groups of 16: the last group drives at most 2 rows.
    assert got[3:].sum() <= got.sum() * 3 / 4


def falling() -> ReadoutTable:
    table = synthetic_table(4)
    return table.replace(level=-table.level)


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (lambda m, x, w: m.matmul(x.astype(float), w), "expected integers"),
        (lambda m, x, w: m.matmul(x + 200, w), "expected -128..127"),
        (lambda m, x, w: m.matmul(x, w - 130), "expected -127..127"),
        (lambda m, x, w: m.matmul(x[:, :3], w), "3 rows, the weights 4"),
        (lambda m, x, w: m.matmul(x[0], w), "expected a matrix"),
        (lambda m, x, w: m.matmul(x, Macro.ideal(rows=64).store(w)), "another group size"),
        (lambda m, x, w: m.matmul(x, Macro.ideal(rows=4, weight_bits=4).store(w)), "another weight_bits"),
        (lambda m, x, w: Macro.ideal(weight_bits=1), "between 2 and 16, got 1"),
        (lambda m, x, w: Macro.ideal(input_bits=17), "input_bits is 17"),
        (lambda m, x, w: Macro.ideal(rows=0), "rows is 0"),
        (lambda m, x, w: Macro(m.table, "hot"), "condition hot was not characterized"),
        (lambda m, x, w: Macro(m.table, m.table.conditions[0], mapping="offst"), "mapping 'offst'"),
        (lambda m, x, w: Macro(m.table, m.table.conditions[0], effects=("magic",)), "unknown readout effect"),
        (lambda m, x, w: Macro(falling(), falling().conditions[0]), "do not rise"),
    ],
)
def test_bad_input_is_refused(action, message):
    x, w = np.zeros((2, 4), int), np.zeros((4, 2), int)
    with pytest.raises(InputError, match=message):
        action(Macro.ideal(rows=4), x, w)


@pytest.mark.parametrize(("bits", "signed"), [(1, False), (4, False), (8, False), (2, True), (4, True), (8, True)])
def test_activations_are_bounded_on_both_sides(bits: int, signed: bool) -> None:
    # two's complement: -2^(b-1)..2^(b-1) - 1; unsigned: 0..2^b - 1. One more has a bit that no plane drives.
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    macro, w = Macro.ideal(rows=4, input_bits=bits, input_signed=signed), np.array([[1], [-2], [3], [5]])
    for inside in (low, high):
        x = np.full((1, 4), inside)
        assert macro.matmul(x, w).tolist() == (x @ w).tolist()
    for outside in (low - 1, high + 1):
        with pytest.raises(InputError, match=rf"expected {low}\.\.{high}"):
            macro.matmul(np.full((1, 4), outside), w)


@pytest.mark.parametrize("mapping", ["differential", "twos_complement", "offset"])
def test_a_converter_of_one_bit_tells_none_from_some(mapping: str) -> None:
    # two codes: every count from 1 up is read as 1, so each bit plane of a column gives a logical OR
    macro = Macro.ideal(rows=4, codes=2, weight_bits=2, input_bits=1, input_signed=False, mapping=mapping)
    reference = Macro.ideal(rows=1, weight_bits=2, input_bits=1, input_signed=False, mapping=mapping)
    for row in range(4):  # one driven row: at most one count, nothing clips
        x, w = np.eye(4, dtype=int)[row : row + 1], np.array([[1], [-1], [0], [1]])
        assert macro.matmul(x, w).tolist() == (x @ w).tolist() == reference.matmul(x, w).tolist()
    ones = np.ones((1, 4), int)
    if mapping == "differential":
        assert macro.matmul(ones, np.ones((4, 1), int)).tolist() == [[1]]  # 4 counts, one code
        assert macro.matmul(ones, -np.ones((4, 1), int)).tolist() == [[-1]]


def test_a_converter_of_one_bit_counts_its_errors() -> None:
    # three driven cells that store 1: count 3 is read as code 1, once in each of the plane's conversions
    macro = Macro.ideal(rows=4, codes=2, weight_bits=2, input_bits=1, input_signed=False)
    got = macro.run(np.array([[1, 1, 1, 0]]), np.ones((4, 1), int))
    assert got.y.tolist() == [[1]]
    assert got.code_errors == 1
