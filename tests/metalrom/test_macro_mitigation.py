"""Mitigations: what they correct, against closed forms and all single errors; what they cost; what they need."""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np
import pytest

from interconnect.errors import InputError
from metalrom.macro import Macro, Mitigation, csnr, scaled_table, synthetic_table
from metalrom.macro.residue import residue_code


def operands(seed=0, shape=(24, 256, 64)):
    rng = np.random.default_rng(seed)
    return rng.integers(-128, 128, shape[:2]), rng.integers(-127, 128, shape[1:])


def macro_of(sigma, *mitigations, sigma_static=0.0, **options):
    table = synthetic_table(64, sigma_noise=sigma, sigma_static=sigma_static)
    return Macro(table, table.conditions[0], mitigations=mitigations, **options)


def upper(z):
    """Gaussian tail probability."""
    return 0.5 * math.erfc(z / math.sqrt(2))


@pytest.mark.parametrize(("checks", "levels", "size"), [(4, 2, 3), (5, 2, 10), (6, 2, 25), (2, 4, 5), (3, 3, 9)])
def test_every_single_error_of_a_set_is_located(checks, levels, size):
    """All columns, both signs, several rows of cells: right codes have syndrome 0, an error of one names its column."""
    rng = np.random.default_rng(checks)
    code = residue_code(checks, levels)
    assert code.size == size
    level = rng.integers(0, levels, (40, size)).astype(np.uint8)
    check = code.check_levels(level)
    assert check.max() < levels
    for _ in range(4):
        x = rng.integers(0, 2, 40)
        counts, check_counts = x @ level.astype(int), x @ check.astype(int)
        for column, error in itertools.product(range(-1, size + checks), (1, -1)):
            a, b = counts.copy(), check_counts.copy()
            if 0 <= column < size:
                a[column] += error
            elif column >= size:
                b[column - size] += error
            syndrome = int(a @ code.weight - b @ code.check_weight) % code.modulus
            assert code.place[syndrome] == column if column >= 0 else syndrome == 0
            assert column < 0 or code.step[syndrome] == error


def test_check_columns_correct_a_faulty_level():
    """A wrong level, met by one column in a hundred (13 of 16 rows at even odds: 0.85 %): the same at every read, hence
    for correction, not for repetition. Two in one set of 15 stay wrong."""
    table = synthetic_table(16)
    mean = table.level.copy()
    mean[0, :, 13] += 0.6
    table = table.replace(level=mean)
    x, w = np.ones((1, 16), int), np.random.default_rng(0).integers(0, 2, (16, 5000))
    options = {"weight_bits": 1, "mapping": "unsigned", "input_bits": 1, "input_signed": False}
    bare = Macro(table, table.conditions[0], **options).run(x, w)
    checked = Macro(table, table.conditions[0], mitigations=[Mitigation(residue=5, retries=1)], **options).run(x, w)
    assert bare.code_errors == checked.errors_before_checks == (bare.y != x @ w).sum() == (w.sum(0) == 13).sum()
    assert checked.code_errors == (checked.y != x @ w).sum()
    assert 0 < checked.code_errors < 0.3 * bare.code_errors
    assert checked.corrected > 0.7 * bare.code_errors


def test_check_columns_leave_the_ideal_product_alone_and_repair_rare_noise():
    x, w = operands()
    assert (macro_of(0.0, Mitigation(residue=6)).matmul(x, w) == x @ w).all()
    plain, checked = macro_of(0.14, thin=False).run(x, w), macro_of(0.14, Mitigation(residue=6)).run(x, w)
    assert plain.code_errors > 100
    assert checked.errors_before_checks == plain.code_errors  # the same draws
    # A set of 31 conversions, 25 of them data, fails with two errors or more: 31 * 30 / 2 * p^2 of all sets.
    p = plain.code_error_rate
    sets = checked.values / 25
    assert checked.code_errors < 3 * 3 * (31 * 30 / 2 * p * p * sets) + 10
    assert csnr(x @ w, checked.y).raw > csnr(x @ w, plain.y).raw + 20


def test_retries_read_a_failed_set_again():
    x, w = operands(1)
    once, again = (macro_of(0.16, Mitigation(residue=6, retries=r)).run(x, w) for r in (0, 2))
    assert once.code_errors > 20
    assert again.code_errors <= once.code_errors // 10
    assert again.read_again > 0
    assert again.conversions == once.conversions + 31 * again.read_again


def test_frozen_errors_are_corrected_too():
    x, w = operands(2)
    plain = macro_of(0.0, sigma_static=0.17).run(x, w)
    checked = macro_of(0.0, Mitigation(residue=5), sigma_static=0.17).run(x, w)
    assert plain.code_errors > 100
    assert checked.code_errors < plain.code_errors / 10


@pytest.mark.parametrize("reads", [1, 3, 5])
def test_median_error_rate(reads):
    """P(median crosses a threshold) = sum over k > R/2 of C(R, k) q^k (1 - q)^(R - k), q = Q(1 / (2 sigma))."""
    sigma = 0.3
    table, options = synthetic_table(8, sigma_noise=sigma), {"weight_bits": 2, "input_bits": 1, "input_signed": False}
    macro = Macro(table, table.conditions[0], mitigations=[Mitigation(reads=reads)], **options)
    w = np.zeros((8, 60_000), int)
    w[:4] = 1
    result = macro.run(np.ones((1, 8), int), w)
    q = upper(0.5 / sigma)
    tail = sum(math.comb(reads, k) * q**k * (1 - q) ** (reads - k) for k in range(reads // 2 + 1, reads + 1))
    expected = 3 * tail * 60_000  # count 4 of 8 errs to either side, the column of negative weights at 0 to one
    assert abs(result.code_errors - expected) < 5 * math.sqrt(expected)
    assert result.conversions == reads * result.values


def test_mean_of_reads_averages_codes():
    """Rare errors of +-1 in one of R reads weigh 1 / R: error power falls R-fold."""
    x, w = operands(3, (200, 64, 64))
    power = []
    for reads in (1, 4):
        y = macro_of(0.2, Mitigation(reads=reads, combine="mean")).matmul(x, w)
        power.append(np.mean((y - x @ w) ** 2))
    assert y.dtype == np.float64
    assert power[0] / power[1] == pytest.approx(4, rel=0.1)


def test_only_the_top_planes_are_repeated():
    """Significant planes read three times, the others once: errors left in them, none worth 2^4 or more."""
    x, w = operands(4, (60, 64, 64))
    top = Mitigation(top=3, reads=15)
    macro = macro_of(0.17, top, input_bits=1, input_signed=False)
    error = macro.matmul(x & 1, w) - (x & 1) @ w
    assert 0 < np.abs(error).max() < 16 + 8
    deeper = macro_of(0.17, dataclasses.replace(top, input_top=2)).run(x, w)
    # 6 of 14 columns repeated 15 times in 2 of 8 input planes
    assert deeper.conversions / deeper.values == pytest.approx(1 + 14 * 6 / 14 * 2 / 8)


def test_cost_by_hand():
    """96 columns, 6 check columns per 25: 4 sets, 24 more columns (1.25); 3 of 7 planes in groups of 16: 4 times."""
    cost = macro_of(0.1, Mitigation(residue=6)).mitigation_cost(384, 96)
    assert cost.to_dict() == {
        "conversions": 1.25, "bit_columns": 1.25, "segments": 1.25, "time": 1.0, "energy": 1.25
    }  # fmt: skip
    tables = {16: synthetic_table(16, sigma_noise=0.05)}
    cost = macro_of(0.1, Mitigation(top=3, rows=16), tables=tables).mitigation_cost(384, 96)
    assert cost.segments == cost.conversions == pytest.approx((4 + 3 * 4) / 7)
    assert cost.bit_columns == 1
    assert macro_of(0.1).mitigation_cost(100, 7).to_dict() == dict.fromkeys(cost.to_dict(), 1.0)
    run = macro_of(0.1, Mitigation(residue=6)).run(*operands(0, (2, 384, 96)))
    assert run.conversions == 1.25 * run.values


def test_fewer_rows_take_their_own_table():
    x, w = operands(5)
    tables = {16: synthetic_table(16), 32: synthetic_table(32)}
    noisy = macro_of(0.3, Mitigation(rows=16), tables=tables)
    assert noisy.outside_domain == ()
    assert (noisy.matmul(x, w) == x @ w).all()  # the other table has no noise
    assert (macro_of(0.3, tables=tables, rows=32).matmul(x, w) == x @ w).all()
    mixed = macro_of(0.3, Mitigation(top=2, rows=16), tables=tables)
    assert np.abs(mixed.matmul(x, w) - x @ w).max() > 0


def test_scaled_table_follows_the_charge_sharing_law():
    """64 to 16 rows: four times the volts per count; kT/C noise 0.28 counts becomes 0.14; converter 0.2 becomes
    0.05."""
    table = synthetic_table(64, sigma_noise=0.28, sigma_static=0.1, offset_sigma=0.2)
    scaled = scaled_table(table, 16)
    lsb = scaled.lsb(scaled.conditions[0])
    assert lsb == pytest.approx(4 * table.lsb(table.conditions[0]))
    assert scaled.sigma_noise[0, 16, 5] / lsb == pytest.approx(0.14)
    assert scaled.sigma_static[0, 16, 5] / lsb == pytest.approx(0.1)
    assert scaled.adc.offset_sigma / lsb == pytest.approx(0.05)
    assert any(a.status == "estimate" and "charge-sharing" in a.source for a in scaled.assumptions)
    with pytest.raises(InputError, match="cannot be scaled"):
        scaled_table(table, 64)


def test_mitigations_combine_and_do_not_depend_on_threads():
    x, w = operands(6)
    options = {"outside_domain": True, "sigma_static": 0.03}
    chosen = (Mitigation(top=2, reads=3), Mitigation(residue=6, retries=1), Mitigation(top=1, rows=32))
    a, b, c = (
        macro_of(0.17, *chosen, threads=threads, seed=seed, **options).run(x, w)
        for threads, seed in ((1, 1), (3, 1), (1, 2))
    )
    assert (a.y == b.y).all()
    assert dataclasses.replace(a, y=None) == dataclasses.replace(b, y=None)  # all counts; arrays have no truth value
    assert (a.y != c.y).any()
    assert a.outside_domain == ("32 rows per conversion scaled from a table of 64",)
    assert csnr(x @ w, a.y).raw > csnr(x @ w, macro_of(0.17, sigma_static=0.03).matmul(x, w)).raw + 15


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (lambda: Mitigation(reads=2), "median of 2 reads"),
        (lambda: Mitigation(top=0), "top is 0"),
        (lambda: Mitigation(retries=1), "need check columns"),
        (lambda: Mitigation(residue=6, reads=3, combine="mean"), "whole counts"),
        (lambda: Mitigation(reads=99), "99 reads"),
        (lambda: macro_of(0.1, Mitigation(residue=3)), "leave no data column"),
        (lambda: macro_of(0.1, Mitigation(residue=20)), "20 check columns"),
        (lambda: macro_of(0.1, Mitigation(rows=32)), "no readout table for 32 rows"),
        (lambda: macro_of(0.1, rows=32), "no readout table for 32 rows"),
        (lambda: macro_of(0.1, Mitigation(rows=16), tables={16: synthetic_table(8)}), "given for 16 rows has 8"),
        (lambda: macro_of(0.1, Mitigation(rows=128), outside_domain=True), "cannot be scaled to 128"),
        (
            lambda: macro_of(0.1, Mitigation(reads=3), Mitigation(top=1, reads=5)),
            "plane 0 from the top has reads 3 and 5",
        ),
    ],
)
def test_impossible_mitigations_are_refused(action, message):
    with pytest.raises(InputError, match=message):
        action()


def test_weights_stored_with_other_mitigations_are_refused():
    x, w = operands(7)
    stored = macro_of(0.1).store(w)
    for other in (Mitigation(residue=6), Mitigation(top=2, reads=3)):
        with pytest.raises(InputError, match="stored with other"):
            macro_of(0.1, other).matmul(x, stored)
