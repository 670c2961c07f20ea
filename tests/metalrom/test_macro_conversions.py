"""Which conversions are made: skipped, limited to the driven rows, dropped; against an independent reference."""

from __future__ import annotations

import numpy as np
import pytest

from interconnect.errors import InputError
from metalrom.macro import Macro, Mitigation, csnr, synthetic_table
from metalrom.macro.conversions import ConversionRule, largest_drop, product_with_drops


def operands(seed: int = 0, batch: int = 6, rows: int = 90, columns: int = 7) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = np.clip(rng.normal(0, 30, (batch, rows)).round(), -128, 127).astype(int)
    return x, np.clip(rng.normal(0, 25, (rows, columns)).round(), -127, 127).astype(int)


def slow(x, w, rows, below, code_of, bits=8, signed=True):
    """Differential columns, one group, plane and column at a time: (product with the means of what is dropped,
    conversions, those of groups without a driven row). code_of(active, count): digital count of a conversion."""
    y, mean, made, idle = np.zeros((len(x), w.shape[1]), int), 0, 0, 0
    for i in range(bits):
        plane = x >> i & 1
        place = -(2**i) if signed and i == bits - 1 else 2**i
        for j in range(7):
            for sign in (1, -1):
                ones = np.abs(w) >> j & 1 & (np.sign(w) == sign)
                if i + j < below:
                    mean = mean + sign * place * 2**j * np.outer(plane.sum(1), ones.sum(0))
                    continue
                for start in range(0, len(w), rows):
                    part = np.s_[start : start + rows]
                    active, count = plane[:, part].sum(1), plane[:, part] @ ones[part]
                    made += count.size
                    idle += int((active == 0).sum()) * w.shape[1]
                    y += sign * place * 2**j * code_of(active[:, None], count)
    return y + np.floor_divide(2 * mean + len(w), 2 * len(w)), made, idle


@pytest.mark.parametrize("rows", [4, 20, 31, 48, 90, 128])
@pytest.mark.parametrize("below", [0, 4, 9])
def test_dropped_products_are_replaced_by_their_mean(rows: int, below: int) -> None:
    x, w = operands()
    expected, made, idle = slow(x, w, rows, below, lambda active, count: count)
    for thin in (True, False):
        macro = Macro.ideal(rows=rows, drop_below=below, thin=thin)
        result = macro.run(x, w)
        assert (result.y == expected).all()
        assert (result.conversions, result.skipped, result.code_errors) == (made, 0, 0)
        skipping = Macro.ideal(rows=rows, drop_below=below, thin=thin, skip_idle=True).run(x, w)
        assert (skipping.y == expected).all()
        assert (skipping.conversions, skipping.skipped) == (made - idle, idle)
    assert idle > 0 or rows > 4
    assert (product_with_drops(x, w, macro.scheme, below, input_bits=8) == expected).all()
    assert macro.count_histogram(x, w).sum() == made
    assert macro.count_histogram(x, w)[0].sum() == idle


@pytest.mark.parametrize("mapping", ["differential", "twos_complement", "offset", "trits"])
def test_every_mapping_drops_by_what_a_product_weighs(mapping: str) -> None:
    x, w = operands(1)
    w = np.clip(w, -121, 121)
    macro = Macro.ideal(rows=24, mapping=mapping, drop_below=5)
    first = macro.rule.first_planes(macro.scheme, 8)
    for magnitude, plane in zip(macro.scheme.magnitudes, first, strict=True):
        assert magnitude * 2**plane >= 2**5
        assert plane == 0 or magnitude * 2 ** (plane - 1) < 2**5
    got = macro.matmul(x, w)
    assert (got == product_with_drops(x, w, macro.scheme, 5, input_bits=8)).all()
    assert np.inf > csnr(x @ w, got).raw > 30


def test_constant_inputs_lose_nothing_by_dropping() -> None:
    """With equal inputs the number of driven rows says all: the mean of the dropped products is their sum."""
    _, w = operands()
    x = np.full((3, 90), 1) * np.array([[-37], [1], [101]])
    assert (Macro.ideal(rows=30, drop_below=8).matmul(x, w) == x @ w).all()


def test_codes_beyond_the_driven_rows_read_as_their_number() -> None:
    """A table whose every level lies 0.7 counts too high reads count + 1, unless the popcount forbids it."""
    x, w = operands(2)
    table = synthetic_table(20)
    table = table.replace(level=table.level + 0.7 * (np.arange(21) > 0), threshold=np.arange(20)[None, None] + np.full(
        (1, 21, 1), 0.5))  # fmt: skip
    lsb = table.lsb(table.conditions[0])

    def code_of(limit: bool):
        level = (np.arange(21) + 0.7 * (np.arange(21) > 0)) / lsb
        code = np.searchsorted((np.arange(20) + 0.5) / lsb, level)
        return lambda active, count: np.minimum(code[count], active) if limit else code[count]

    for limit in (False, True):
        expected, _, _ = slow(x, w, 20, 0, code_of(limit))
        got = Macro(table, table.conditions[0], popcount_range=limit, thin=False).run(x, w)
        thinned = Macro(table, table.conditions[0], popcount_range=limit).run(x, w)
        assert (got.y == expected).all()
        assert (thinned.y == expected).all()
        assert got.code_errors == thinned.code_errors > 0
    assert (expected != slow(x, w, 20, 0, code_of(False))[0]).any()


@pytest.mark.parametrize("thin", [True, False])
def test_noise_beyond_the_range_is_no_error(thin: bool) -> None:
    """Full columns: every count is the number of driven rows, noise upwards is cut off: Q(0.5 / 0.25) = 2.275 %, half
    of the two-sided rate (Gaussian tails); without skipping, idle groups err upwards alone in the same share."""
    x = np.random.default_rng(0).integers(-128, 128, (400, 40))
    w = np.full((40, 4), 1)
    table = synthetic_table(8, sigma_noise=0.25)
    q = 0.0227501
    rates = {}
    for limit in (False, True):
        macro = Macro(table, table.conditions[0], weight_bits=2, mapping="unsigned", popcount_range=limit, thin=thin)
        histogram = macro.count_histogram(x, w)
        result = macro.run(x, w)
        active, count = np.indices(histogram.shape)
        low, high = count > 0, (count < active) if limit else (count < 8)
        expected = (histogram * q * (low + 1.0 * high)).sum() / histogram.sum()
        assert result.code_error_rate == pytest.approx(expected, rel=0.03)
        rates[limit] = result.code_error_rate
    assert rates[True] < 0.8 * rates[False]


def test_skipped_groups_are_exact_and_not_counted() -> None:
    x = np.zeros((5, 64), int)
    x[:, 16:32] = 1
    w = np.random.default_rng(0).integers(-127, 128, (64, 3))
    table = synthetic_table(16, sigma_noise=2.0)
    result = Macro(table, table.conditions[0], skip_idle=True, seed=3).run(x, w)
    # one of 4 groups in one of 8 planes has driven rows
    assert (result.conversions, result.skipped) == (5 * 14 * 3, 5 * 14 * 3 * 31)
    assert result.code_errors <= result.values == result.conversions
    nothing = Macro(table, table.conditions[0], skip_idle=True).run(np.zeros_like(x), w)
    assert nothing.conversions == nothing.code_errors == 0
    assert not nothing.y.any()


def test_repeats_and_check_columns_skip_alike() -> None:
    x, w = operands(3)
    x[:, :20] = 0
    plain = Macro.ideal(rows=20, skip_idle=True).run(x, w)
    repeated = Macro.ideal(rows=20, skip_idle=True, mitigations=[Mitigation(reads=3)]).run(x, w)
    assert (repeated.conversions, repeated.skipped) == (3 * plain.conversions, 3 * plain.skipped)
    checked = Macro.ideal(rows=20, skip_idle=True, mitigations=[Mitigation(residue=5)]).run(x, w)
    assert (checked.y == x @ w).all()
    # one set of 5 check columns for 7 columns
    assert (checked.conversions, checked.skipped) == (plain.conversions * 12 // 7, plain.skipped * 12 // 7)


def test_blocks_take_the_mean_of_each_block() -> None:
    x, w = operands(4, rows=64)
    scale = np.random.default_rng(0).uniform(1, 2, (2, 7))
    macro = Macro.ideal(rows=16, drop_below=4)
    got = macro.matmul(x, macro.store_blocks(w, scale, block=32))
    parts = [product_with_drops(x[:, p], w[p], macro.scheme, 4, input_bits=8) for p in (np.s_[:32], np.s_[32:])]
    assert got == pytest.approx(parts[0] * scale[0] + parts[1] * scale[1], rel=1e-12)


def test_largest_drop_keeps_the_target() -> None:
    x, w = operands(5, batch=40, rows=384)
    scheme = Macro.ideal().scheme
    below, quality = largest_drop(x, w, scheme, 40.0, input_bits=8)
    assert quality >= 40
    assert csnr(x @ w, product_with_drops(x, w, scheme, below, input_bits=8)).raw == quality
    assert csnr(x @ w, product_with_drops(x, w, scheme, below + 1, input_bits=8)).raw < 40
    assert largest_drop(x, w, scheme, 300.0, input_bits=8) == (0, np.inf)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"drop_below": -1}, "expected 0 or more"), ({"drop_below": 14}, "drops every partial product")],
)
def test_bad_rules_are_refused(options: dict[str, int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Macro.ideal(rows=8, **options)
    with pytest.raises(InputError, match="variable_time needs"):
        ConversionRule(variable_time=True)
