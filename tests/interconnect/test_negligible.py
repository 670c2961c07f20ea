"""Couplings of rounding size are zero, whatever library computed them."""

from __future__ import annotations

import numpy as np
import pytest

from interconnect import extraction
from interconnect.negligible import NEGLIGIBLE_SHARE, without_negligible


def maxwell(couplings: dict[tuple[int, int], float], n: int) -> np.ndarray:
    """The matrix (F) whose rows sum to zero."""
    c = np.zeros((n, n))
    for (i, j), value in couplings.items():
        c[i, j] = c[j, i] = -value
    return c - np.diag(c.sum(axis=1))


@pytest.mark.parametrize(("share", "kept"), [(0.999, False), (1.001, True), (1e-9, False)])
def test_a_coupling_below_the_share_of_both_nets_is_zero(share: float, kept: bool) -> None:
    # the smaller of the two totals (1 aF and 3 aF) is the measure
    small = share * NEGLIGIBLE_SHARE * 1e-18
    got = without_negligible(maxwell({(0, 2): 1e-18, (1, 2): 3e-18, (0, 1): small}, 3))
    assert bool(got[0, 1]) is kept
    assert got[0, 1] == got[1, 0]
    if not kept:
        assert got.tolist() == maxwell({(0, 2): 1e-18, (1, 2): 3e-18}, 3).tolist()
    assert np.abs(got.sum(axis=1)).max() < 1e-33


def test_a_coupling_that_matters_to_the_smaller_net_stays() -> None:
    matrix = maxwell({(0, 2): 1e-9, (0, 1): 1e-21, (1, 2): 1e-21}, 3)
    assert without_negligible(matrix).tolist() == matrix.tolist()


def test_a_net_without_any_capacitance_is_left_alone() -> None:
    matrix = maxwell({(0, 1): 1e-18}, 3)
    assert without_negligible(matrix).tolist() == matrix.tolist()


def test_an_extraction_holds_no_coupling_of_rounding_size() -> None:
    rounding = maxwell({(0, 1): 1e-35, (0, 2): 2e-18, (1, 2): 2e-18}, 3)
    complete = extraction._with_ground(rounding[:2, :2])
    assert complete[0, 1] == 0.0
    assert complete[0, 0] == -complete[0, 2] == pytest.approx(2e-18)
