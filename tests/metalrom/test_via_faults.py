"""Defects of stored digits: what single ones do, what repair undoes, yields against the closed forms."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from interconnect.errors import InputError
from metalrom.macro.residue import residue_code
from metalrom.macro.via_faults import array_of, count_yield, faulty_network, inject_faults
from metalrom.macro.via_yield import UNPROTECTED, DefectRates, Protection, WeightArray, weight_yield

ARRAY = WeightArray(
    rows=20, columns=13, group_rows=8, tiles=1, planes=2, via_share=0.0,
    row_pitch=200e-9, column_pitch=300e-9, spacing=50e-9, width=60e-9,
)  # fmt: skip
NONE = DefectRates(0.0, 0.0, 0.0, 0.0, 40e-9)
CHECKED = Protection(3, levels=3)  # modulo 26: 9 data columns


def matrix(rows: int = 40, columns: int = 26, seed: int = 0) -> np.ndarray:
    """Digits of 40 inputs and 26 outputs: two tiles above each other, each full."""
    return np.random.default_rng(seed).integers(-1, 2, (rows, columns)).astype(np.int8)


def test_without_defects_a_matrix_stays_itself() -> None:
    for protection in (UNPROTECTED, Protection(3, levels=3, spares=1)):
        found = inject_faults(matrix(), ARRAY, NONE, protection, generator=np.random.default_rng(0))
        np.testing.assert_array_equal(found.digits, matrix())
        assert all(found.good.values())
        assert len(found.columns(matrix())) == 0


def test_a_missing_via_is_a_zero_and_one_too_many_a_sign() -> None:
    right = matrix()
    found = inject_faults(right, ARRAY, replace(NONE, missing_via=0.2), generator=np.random.default_rng(1))
    opened = found.digits != right
    assert (right[opened] != 0).all()
    assert (found.digits[opened] == 0).all()
    assert found.counts.opens == opened.sum() > 0
    # binomial: 0.2 of the digits that are not 0, four standard errors
    n = np.count_nonzero(right)
    assert abs(found.counts.opens - 0.2 * n) < 4 * (n * 0.2 * 0.8) ** 0.5
    zeros = np.zeros((40, 26), np.int8)  # no cell has a via: none too many ties a row but two at one cell
    found = inject_faults(zeros, ARRAY, replace(NONE, extra_via=1e-2), generator=np.random.default_rng(1))
    assert found.counts.extras == np.count_nonzero(found.digits) > 0
    assert set(np.unique(found.digits)) == {-1, 0, 1}
    ones = zeros + 1  # every cell has one: each via too many loses the row of its plane, 13 columns
    found = inject_faults(ones, ARRAY, replace(NONE, extra_via=2e-3), generator=np.random.default_rng(1))
    assert found.counts.extras == 0
    assert found.counts.rows * 13 == (found.digits == 0).sum() > 0
    assert not found.good["rows"]


def test_check_columns_undo_single_wrong_digits_and_no_pairs() -> None:
    """By hand: the wrong digits that stay are those of sets and groups in which another one is wrong as well."""
    rates = replace(NONE, missing_via=0.01)
    right = matrix()
    found = inject_faults(right, ARRAY, rates, CHECKED, generator=np.random.default_rng(3))
    wrong = found.digits != right
    assert found.counts.corrected > 0
    assert wrong.sum() <= found.counts.opens - found.counts.corrected  # the rest are in check columns
    assert found.good["wrong_digits"] == (found.counts.opens == found.counts.corrected)
    many = inject_faults(right, ARRAY, replace(NONE, missing_via=0.9), CHECKED, generator=np.random.default_rng(3))
    assert (many.digits != right).sum() > 0.8 * np.count_nonzero(right)  # no set of 9 columns has only one


def test_the_decoder_corrects_a_via_too_many_as_well() -> None:
    """One zero of a set that became +1 or -1, any rows driven: the counts that the code returns are the right ones."""
    code, generator = residue_code(3, levels=3), np.random.default_rng(5)
    data = generator.integers(-1, 2, (10, code.size)).astype(np.int8)
    checks = code.check_levels((data + 1).astype(np.uint8)).astype(np.int64)
    whole = np.concatenate([data + 1, checks], axis=1).astype(np.int64)
    for row, column in np.argwhere(whole == 1):
        for step in (-1, 1):
            driven = generator.integers(0, 2, 10)
            hit = whole.copy()
            hit[row, column] += step
            counts = driven @ hit
            syndrome = (counts[: code.size] @ code.weight - counts[code.size :] @ code.check_weight) % code.modulus
            if code.place[syndrome] >= 0:
                counts[code.place[syndrome]] -= code.step[syndrome]
            np.testing.assert_array_equal(counts, driven @ whole)


def test_spare_columns_take_the_place_of_lost_ones() -> None:
    """Of 20 rows 20 x 200 nm x (40 nm)^2 / 2 x 5e12 / 50 nm = 0.32 defects per column; rows are too short for any."""
    rates, array, right = replace(NONE, shorts=5e12), replace(ARRAY, column_pitch=1e-18), matrix()
    lost, spared = (
        inject_faults(right, array, rates, Protection(spares=n), generator=np.random.default_rng(1)) for n in (0, 2)
    )
    assert lost.counts.bit_lines == spared.counts.bit_lines > 8  # the same defects
    assert (lost.counts.spared, lost.counts.rows) == (0, 0)
    gone = [(found.digits == 0).reshape(2, 20, 26).all(axis=1) for found in (lost, spared)]  # by tile and column
    assert gone[0].sum() == lost.counts.bit_lines
    assert gone[1].sum() == lost.counts.bit_lines - spared.counts.spared
    for tile in range(2):
        for plane in (slice(0, 13), slice(13, 26)):
            assert gone[1][tile, plane].sum() == max(gone[0][tile, plane].sum() - 2, 0)
    kept = ~np.repeat(gone[1], 20, axis=0)
    np.testing.assert_array_equal(spared.digits[kept], right[kept])


@pytest.mark.parametrize(
    ("rates", "protection"),
    [
        (replace(NONE, missing_via=8e-4, extra_via=2e-4), UNPROTECTED),
        (replace(NONE, missing_via=8e-3, extra_via=2e-4), CHECKED),
        (replace(NONE, shorts=2e11, opens=1e11), Protection(3, levels=3, spares=1)),
    ],
)
def test_yields_are_those_of_the_closed_forms(rates: DefectRates, protection: Protection) -> None:
    """1,500 macros by cause, within four standard errors."""
    right = matrix()
    closed = weight_yield(array_of([right], ARRAY, protection), rates, protection)
    found = count_yield(right, ARRAY, rates, protection, samples=1500, seed=7)
    for name, share in (
        ("wrong_digits", closed.missing_vias), ("bit_lines", closed.bit_lines), ("rows", closed.rows),
        ("total", closed.total),
    ):  # fmt: skip
        error = (share * (1 - share) / 1500) ** 0.5
        assert getattr(found, name) / 1500 == pytest.approx(share, abs=4 * error + 2e-3), name
    assert 0.05 < closed.total < 0.95
    low, high = found.interval("total")
    assert low < found.total / 1500 < high


def test_a_via_too_many_beside_a_zero_costs_no_row() -> None:
    """Closed form by hand: 58 % of the cells have a via; one too many there loses the row, at the others it is +-1."""
    tie = WeightArray(10, 10, 10, 1, 1, 0.58, 2e-7, 2e-7, 5e-8, 5e-8, empty_places=2)
    rates = DefectRates(0.0, 1e-5, 0.0, 0.0, 40e-9)
    assert tie.wrong_digit(rates) == pytest.approx(0.42 * 2e-5 * (1 - 1e-5))
    assert tie.tied_row(rates) == pytest.approx(0.58 * 1e-5 + 0.42 * 1e-10, rel=1e-6)
    assert replace(tie, empty_places=0).tied_row(rates) == 1e-5
    with pytest.raises(InputError, match="empty places"):
        replace(tie, empty_places=-1)


def test_a_chip_is_its_seed() -> None:
    network = {"a": matrix(), "b": matrix(seed=2)}
    rates = replace(NONE, missing_via=0.05)
    one, again, other = (faulty_network(network, ARRAY, rates, seed=s) for s in (1, 1, 2))
    for name in network:
        np.testing.assert_array_equal(one[name].digits, again[name].digits)
        assert (one[name].digits != other[name].digits).any()


def test_nonsense_is_refused() -> None:
    with pytest.raises(InputError, match="digits -1, 0 and 1"):
        inject_faults(matrix() * 2, ARRAY, NONE, generator=np.random.default_rng(0))
    with pytest.raises(InputError, match="check columns of 2 levels"):
        inject_faults(matrix(), ARRAY, NONE, Protection(5), generator=np.random.default_rng(0))
    with pytest.raises(InputError, match="no matrices"):
        array_of([], ARRAY)
