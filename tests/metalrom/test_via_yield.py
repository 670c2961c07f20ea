"""Yield of the weights: closed forms against fault injection, and the residue code against real missing vias."""

from __future__ import annotations

import math

import numpy as np
import pytest

from interconnect.errors import InputError
from metalrom.macro.residue import residue_code
from metalrom.macro.via_yield import STOCK_RATES, DefectRates, Protection, WeightArray, more_than, weight_yield

CLEAN = DefectRates(0.0, 0.0, 0.0, 0.0, 40e-9)
ARRAY = WeightArray(
    rows=20, columns=22, group_rows=8, tiles=2, planes=2, via_share=0.6,
    row_pitch=200e-9, column_pitch=300e-9, spacing=50e-9, width=60e-9,
)  # fmt: skip


def test_one_missing_via_in_a_set_is_corrected_and_two_are_not() -> None:
    """Ternary cells, every row driven: the code's own decoder on what the columns really count."""
    code = residue_code(3, levels=3)
    generator = np.random.default_rng(3)
    rows, sets = 10, 400
    level = generator.integers(0, 3, (rows, sets * code.size)).astype(np.uint8)
    checks = code.check_levels(level).astype(np.int64).reshape(rows, sets, code.checks)
    data = level.astype(np.int64).reshape(rows, sets, code.size)
    whole = np.concatenate([data, checks], axis=2)
    for missing in (1, 2):
        hit = whole.copy()
        for s in range(sets):
            # a via that is there moves its cell by one level towards the empty one
            places = np.argwhere(whole[:, s] > 0)
            for r, c in places[generator.choice(len(places), missing, replace=False)]:
                hit[r, s, c] -= 1
        counts = hit.sum(axis=0)
        syndrome = (counts[:, : code.size] @ code.weight - counts[:, code.size :] @ code.check_weight) % code.modulus
        place, step = code.place[syndrome], code.step[syndrome]
        fixed = counts.copy()
        found = place >= 0
        fixed[np.flatnonzero(found), place[found]] -= step[found]
        right = (fixed == whole.sum(axis=0)).all(axis=1)
        if missing == 1:
            assert right.all()
        else:
            assert right.mean() < 0.05


@pytest.mark.parametrize("checks", [0, 3])
def test_missing_vias_against_fault_injection(checks: int) -> None:
    """4,000 chips; a chip is bad if a unit (a set and a group of rows) misses more than the code corrects."""
    rate = 4e-3 if checks else 2e-4
    protection = Protection(checks, levels=3)
    closed = weight_yield(ARRAY, DefectRates(rate, 0.0, 0.0, 0.0, 40e-9), protection)
    size = protection.set_size or ARRAY.columns
    bounds = [(r, min(r + ARRAY.group_rows, ARRAY.rows)) for r in range(0, ARRAY.rows, ARRAY.group_rows)]
    cells = [
        (high - low) * (min(size, ARRAY.columns - c) + checks)
        for low, high in bounds
        for c in range(0, ARRAY.columns, size)
    ] * (ARRAY.tiles * ARRAY.planes)
    draws = np.random.default_rng(1).binomial(cells, rate * ARRAY.via_share, (4000, len(cells)))
    good = (draws <= (1 if checks else 0)).all(axis=1).mean()
    error = math.sqrt(good * (1 - good) / 4000)
    assert 0.1 < good < 0.95
    assert closed.missing_vias == pytest.approx(good, abs=4 * error)
    assert closed.total == closed.missing_vias


@pytest.mark.parametrize("spares", [0, 1, 3])
def test_bit_lines_against_fault_injection(spares: int) -> None:
    """Spot defects strike lines as a Poisson process; a plane of a tile survives as many columns as it has spares."""
    rates = DefectRates(0.0, 0.0, 3e10, 1e10, 40e-9)
    closed = weight_yield(ARRAY, rates, Protection(spares=spares))
    mean = 20 * 200e-9 * (40e-9) ** 2 / 2 * (3e10 / 50e-9 + 1e10 / 60e-9)  # Stapper's critical areas
    hits = np.random.default_rng(2).poisson(mean, (4000, 4, 22)) > 0
    good = (hits.sum(axis=2) <= spares).all(axis=1).mean()
    error = math.sqrt(good * (1 - good) / 4000)
    assert closed.bit_lines == pytest.approx(good, abs=max(4 * error, 1e-3))


def test_a_lost_row_is_repaired_by_nothing() -> None:
    rates = DefectRates(0.0, 1e-4, 0.0, 0.0, 40e-9)
    expected = 20 * 22 * 4 * 1e-4
    for protection in (Protection(), Protection(spares=5)):
        found = weight_yield(ARRAY, rates, protection)
        assert found.rows == pytest.approx(math.exp(-expected))
        assert found.expected["rows by vias too many"] == pytest.approx(expected)
    assert "vias too many" in str(list(found.expected))


def test_a_billion_vias_need_the_check_columns() -> None:
    """One missing via in 10^9 of two billion weights: a third of the chips is good, with check columns nearly all."""
    array = WeightArray(384, 256, 10, 5300, 4, 0.58, 200e-9, 300e-9, 50e-9, 50e-9)
    bare, checked = (weight_yield(array, STOCK_RATES, p) for p in (Protection(), Protection(4, levels=3)))
    assert bare.missing_vias == pytest.approx(math.exp(-array.cells * 0.58e-9), rel=1e-6)
    assert bare.missing_vias < 0.35
    # pairs in 38 groups of 10 rows and one of 4; 7 sets of 35 columns and one of 11, 4 check columns each
    p = 0.58e-9
    pairs = (38 * 7 * math.comb(10 * 39, 2) + 38 * math.comb(10 * 15, 2)) * 5300 * 4
    pairs += (7 * math.comb(4 * 39, 2) + math.comb(4 * 15, 2)) * 5300 * 4
    assert 1 - checked.missing_vias == pytest.approx(pairs * p**2, rel=1e-6)
    # modulo 80 the weights 1 to 39 tell errors apart, of which the check columns take 1, 3, 9 and 27
    assert checked.protection.overhead == pytest.approx(4 / 35)
    assert weight_yield(array, CLEAN).total == 1


def test_binomial_tail_keeps_its_digits() -> None:
    assert more_than(1, 2, 0.5) == pytest.approx(0.25)
    assert more_than(1, 100, 1e-9) == pytest.approx(100 * 99 / 2 * 1e-18, rel=1e-6)
    assert more_than(0, 10, 0.0) == more_than(3, 3, 0.9) == 0.0


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: DefectRates(1.0, 0, 0, 0, 0), "missing_via"),
        (lambda: DefectRates(0, 0, -1, 0, 0), "shorts"),
        (lambda: WeightArray(0, 1, 1, 1, 1, 1, 1, 1, 1, 1), "rows"),
        (lambda: WeightArray(1, 1, 1, 1, 1, 2, 1, 1, 1, 1), "share"),
    ],
)
def test_nonsense_is_refused(make: object, words: str) -> None:
    with pytest.raises(InputError, match=words):
        make()  # type: ignore[operator]
