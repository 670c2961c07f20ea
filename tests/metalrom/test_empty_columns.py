"""Columns that store nothing but zeros in a group of rows: not converted, exact, counted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from interconnect.errors import InputError
from metalrom.macro import Macro, Mitigation, synthetic_table
from metalrom.macro.conversions import empty_groups
from metalrom.macro.readout import EFFECTS

TERNARY = {"mapping": "ternary", "weight_bits": 2, "symbol_values": (-1, 0, 1)}
ROWS = 8


def operands(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """30 rows, three groups of 8 and one of 6; columns 0 and 1 store nothing, column 2 nothing in the second group."""
    rng = np.random.default_rng(seed)
    w = rng.integers(-1, 2, (30, 6))
    w[:, :2], w[8:16, 2] = 0, 0
    w[0, 3:] = w[8, 3:] = w[16, 3:] = w[24, 2:] = 1  # all others store something
    w[0, 2] = w[16, 2] = 1
    return rng.integers(-128, 128, (5, 30)), w


def macro(*, thin: bool = True, skip_empty: bool = True, sigma: float = 2.0, **options: object) -> Macro:
    table = synthetic_table(ROWS, sigma_noise=sigma, levels=3)
    return Macro(table, table.conditions[0], thin=thin, skip_empty=skip_empty, seed=3, **{**TERNARY, **options})


def test_groups_by_hand() -> None:
    digits = np.array([[0, 1], [0, 0], [0, 0], [0, 0], [2, 0]])
    np.testing.assert_array_equal(empty_groups(digits, 2), [[True, False], [True, True], [False, True]])
    _, w = operands()
    assert empty_groups(w, ROWS).sum() == 2 * 4 + 1


@pytest.mark.parametrize("thin", [True, False])
def test_empty_columns_are_exact_whatever_the_noise(thin: bool) -> None:
    x, w = operands()
    got = macro(thin=thin).run(x, w)
    assert (got.y[:, :2] == 0).all()
    assert (got.y[:, 3:] != (x @ w)[:, 3:]).any()
    # 4 groups x 6 columns x 8 planes x 5 vectors, 9 of the 24 groups of columns empty
    assert (got.conversions, got.skipped) == (15 * 40, 9 * 40)
    assert 0 < got.code_errors <= got.conversions
    assert (macro(thin=thin, skip_empty=False).run(x, w).y[:, :2] != 0).any()
    nothing = macro(thin=thin).run(x, 0 * w)
    assert (nothing.conversions, nothing.code_errors) == (0, 0)
    assert not nothing.y.any()


def test_other_columns_read_as_they_did() -> None:
    """Looked up one by one, every conversion has its own random number: only those that are left out change."""
    x, w = operands()
    frozen = {"effects": EFFECTS, "columns_per_adc": 2}
    skipped, all_made = (macro(thin=False, skip_empty=s, **frozen).matmul(x, w, call=0) for s in (True, False))
    np.testing.assert_array_equal(skipped[:, 3:], all_made[:, 3:])
    assert (skipped[:, :3] != all_made[:, :3]).any()


@pytest.mark.parametrize("thin", [True, False])
def test_a_readout_that_is_wrong_by_itself(thin: bool) -> None:
    """Four codes for counts up to 16: an empty column's count is the number of driven rows, cut off beyond 3."""
    x, w = operands()
    table = synthetic_table(ROWS, codes=4, levels=3)

    def run(skip_empty: bool) -> tuple[np.ndarray, int]:
        got = Macro(table, table.conditions[0], thin=thin, skip_empty=skip_empty, **TERNARY).run(x, w)
        return got.y, got.code_errors

    (y, wrong), (without, more) = run(True), run(False)
    assert (y[:, :2] == 0).all()
    assert (without[:, :2] != 0).any()
    # by hand: an empty column errs wherever the nominal code of its count is another one
    nominal = Macro(table, table.conditions[0], **TERNARY).readout.nominal
    planes = (x[:, :, None] >> np.arange(8)) & 1
    driven = np.stack([planes[:, start : start + ROWS].sum(axis=1) for start in range(0, 30, ROWS)])
    err = nominal[driven, driven] != driven
    assert more - wrong == 2 * err.sum() + err[1].sum() > 0
    np.testing.assert_array_equal(y[:, 3:], without[:, 3:])


def test_idle_groups_and_binary_cells() -> None:
    x, w = operands()
    x[:, :8] = 0
    got = macro(skip_idle=True).run(x, w)
    driven = sum(
        int((((x[:, start : start + ROWS] >> p) & 1).any(axis=1)).sum()) * int((~empty_groups(w, ROWS)[g]).sum())
        for g, start in enumerate(range(0, 30, ROWS))
        for p in range(8)
    )
    assert got.conversions == driven
    assert got.conversions + got.skipped == 24 * 40
    # a plus and a minus column per weight: each is empty where no digit has its sign
    table = synthetic_table(ROWS, sigma_noise=1.0)
    pair = Macro(table, table.conditions[0], mapping="ternary", skip_empty=True).run(x, np.abs(w))
    assert pair.conversions == (~empty_groups(np.abs(w), ROWS)).sum() * 40


def test_check_columns_need_all_counts() -> None:
    with pytest.raises(InputError, match="check columns need the counts of all columns"):
        macro(mitigations=[Mitigation(residue=3)])
    stored = macro().store(operands()[1])
    with pytest.raises(InputError, match="another rule for empty columns"):
        macro(skip_empty=False).matmul(operands()[0], stored)
    assert replace(stored.sections[0]).empty.shape == (4, 1, 6)
