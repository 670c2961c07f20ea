"""Thresholds that follow the active rows by whole codes or by a converter's bits, against the normal law."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest
from scipy.stats import norm

from tests.builders import TT, make_readout_table
from tests.scripts import load_script

SHIFT = 0.203
"""Counts by which a driven row of the example shifts a level: 2.33 of 11.5 aF."""

SIGMA = 0.1082
"""Counts; 2 Q(0.5 / sigma) = 3.8e-6, the example's code error when thresholds follow exactly."""


@pytest.fixture(scope="module")
def tracking() -> ModuleType:
    return load_script("benchmarks/threshold_tracking.py")


def errors(off: np.ndarray) -> np.ndarray:
    """Code error of an inner count with thresholds `off` counts beside the middle."""
    return np.asarray(norm.sf((0.5 - off) / SIGMA) + norm.sf((0.5 + off) / SIGMA))


def test_whole_codes_cannot_follow_a_fifth_of_a_count(tracking: ModuleType) -> None:
    rows, lsb = 32, 8.2e-3
    active, count = np.arange(rows + 1.0)[:, None], np.arange(rows + 1.0)
    table = make_readout_table(rows, level=lsb * (count + SHIFT * active), sigma_noise=SIGMA * lsb)
    used = np.zeros((rows + 1, rows + 1))
    used[4:26, 2] = 1.0  # inner counts at 4 to 25 active rows, where the layer's conversions lie
    exact = tracking.code_error(table, table.thresholds(TT), used)
    assert exact == pytest.approx(3.8e-6, rel=0.01)
    shift = SHIFT * np.arange(4, 26)
    by_hand = errors(shift - np.round(shift)).mean()
    assert tracking.code_error(table, tracking.whole_codes(table), used) == pytest.approx(by_hand, rel=1e-6)
    # Of the example's layer 6.7e-2, by `python benchmarks/threshold_tracking.py`: the same order with any weights.
    assert 0.05 < by_hand < 0.11


def test_more_bits_leave_less_of_the_rounding(tracking: ModuleType) -> None:
    rows, lsb, span = 32, 8.2e-3, 0.6
    active, count = np.arange(rows + 1.0)[:, None], np.arange(rows + 1.0)
    table = make_readout_table(rows, level=lsb * (count + SHIFT * active), sigma_noise=SIGMA * lsb)
    found = []
    for bits in (8, 9, 10):
        step = span / 2**bits
        moved = tracking.digital_rounding(table, bits, span)
        assert np.abs(moved - table.thresholds(TT)).max() <= step / 2 + 1e-12
        found.append(tracking.code_error(table, moved, np.tri(rows + 1)))
    exact = tracking.code_error(table, table.thresholds(TT), np.tri(rows + 1))
    assert found[0] > found[1] > found[2] > exact
    # Rounding spread evenly over a step, the normal law gives 9.4e-5, 1.3e-5 and 5.5e-6 of inner counts.
    assert found[1] == pytest.approx(1.3e-5, rel=0.4)
    assert found[2] == pytest.approx(5.5e-6, rel=0.2)
