"""Patterns put exactly the asked count on the bit line."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from characterization.patterns import FAR, NEAR, build_pattern, level_grid, random_names


@given(st.data())
def test_count_and_active_are_met(data: st.DataObject) -> None:
    rows = data.draw(st.integers(1, 64))
    active = data.draw(st.integers(0, rows))
    count = data.draw(st.integers(0, active))
    name = data.draw(st.sampled_from((NEAR, FAR, *random_names(3))))
    columns = data.draw(st.integers(3, 300))
    p = build_pattern(name, rows, active, count, columns, np.random.SeedSequence(data.draw(st.integers(0, 99))))
    assert p.inputs.sum() == active
    assert (p.inputs & p.bits[:, 1]).sum() == count
    assert 0 <= p.position <= columns - 3


def test_extremes_differ_where_they_should() -> None:
    seed = np.random.SeedSequence(1)
    near = build_pattern("near", 16, 8, 4, 100, seed)
    far = build_pattern("far", 16, 8, 4, 100, seed)
    counted = lambda p: np.flatnonzero(p.inputs & p.bits[:, 1])  # noqa: E731
    assert list(counted(near)) == [12, 13, 14, 15]
    assert list(counted(far)) == [0, 1, 2, 3]
    assert near.bits[:, [0, 2]].sum() == 0
    assert far.bits[:, [0, 2]].all()
    assert (near.position, far.position) == (0, 97)


def test_same_seed_same_pattern() -> None:
    make = lambda s: build_pattern("random0", 32, 20, 9, 64, np.random.SeedSequence(s))  # noqa: E731
    np.testing.assert_array_equal(make(4).bits, make(4).bits)
    assert not np.array_equal(make(4).bits, make(5).bits)


@pytest.mark.parametrize(("rows", "most", "pairs"), [(8, 9, 45), (4, 9, 15), (64, 9, None)])
def test_level_grid_is_complete_when_small(rows: int, most: int, pairs: int | None) -> None:
    grid = level_grid(rows, most)
    # a full triangle has (N + 1)(N + 2) / 2 pairs
    assert len(grid) == (pairs or len(grid))
    assert {(0, 0), (rows, 0), (rows, rows)} <= set(grid)
    assert len(grid) <= most * most
    assert len(set(grid)) == len(grid)
