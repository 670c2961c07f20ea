"""The low-rank branch for faults: the best approximation by its theorem, exact where it can be, its SRAM by hand."""

from __future__ import annotations

import numpy as np
import pytest

from interconnect.errors import InputError
from metalrom.studies.respin.patch import fit_patch, patch_area, patch_network, spare_area

RNG = np.random.default_rng(11)


def weights(inputs: int = 24, outputs: int = 10) -> np.ndarray:
    return RNG.integers(-1, 2, (inputs, outputs)) * RNG.uniform(0.5, 2, outputs)


def covariance(inputs: int = 24) -> np.ndarray:
    x = RNG.standard_normal((200, inputs)) * np.geomspace(1, 30, inputs)
    return x.T @ x / 200


def test_a_lost_column_is_of_rank_one() -> None:
    right = weights()
    faulty = right.copy()
    faulty[:, 3] = 0
    found = fit_patch(right, faulty, rank=4)
    assert found.outputs.tolist() == [3]
    assert found.rank == 1  # more would be nothing
    assert found.words == 24 + 1
    assert found.ideal == pytest.approx(0, abs=1e-20)
    assert found.before == pytest.approx(np.square(right[:, 3]).sum() / np.square(right).sum())
    # a column of equal magnitudes is represented without rounding: its largest entry is a whole step
    np.testing.assert_allclose(found.apply_to(faulty), right, atol=1e-12)
    x = RNG.standard_normal((5, 24))
    np.testing.assert_allclose(found.add_to(x @ faulty, x), x @ right, atol=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_error_left_is_that_of_the_theorem(weighted: bool) -> None:
    """Eckart and Young: the sum of the squares of the singular values that are cut off; no other factors do better."""
    right = weights()
    faulty = np.where(RNG.random(right.shape) < 0.2, 0, right)
    c = covariance() if weighted else None
    root = np.linalg.cholesky(c).T if c is not None else np.eye(24)
    singular = np.linalg.svd(root @ (right - faulty), compute_uv=False)
    whole = np.square(root @ right).sum()
    for rank in (1, 2, 5):
        found = fit_patch(right, faulty, rank=rank, covariance=c)
        assert found.ideal == pytest.approx(np.square(singular[rank:]).sum() / whole, rel=1e-9)
        left = np.square(root @ (right - found.apply_to(faulty))).sum() / whole
        assert found.left == pytest.approx(left, rel=1e-9)
        assert found.ideal <= found.left < found.ideal + 1e-3 * found.before  # rounding to 8 bits
    for _ in range(200):  # random neighbours of the optimum are worse
        a, b = (part + 0.05 * RNG.standard_normal(part.shape) for part in (found.a, found.b))
        other = faulty.copy()
        other[:, found.outputs] += a @ b
        assert np.square(root @ (right - other)).sum() / whole > found.ideal


def test_a_covariance_helps_where_the_data_are() -> None:
    right = weights()
    faulty = np.where(RNG.random(right.shape) < 0.3, 0, right)
    c = covariance()
    plain, fitted = (fit_patch(right, faulty, rank=3, covariance=known) for known in (None, c))
    root = np.linalg.cholesky(c).T
    errors = [np.square(root @ (right - p.apply_to(faulty))).sum() for p in (plain, fitted)]
    assert errors[1] < 0.8 * errors[0]


def test_inputs_that_never_occur_are_left_alone() -> None:
    c = np.diag(np.r_[np.ones(20), np.zeros(4)])
    right = weights()
    found = fit_patch(right, 0 * right, rank=10, covariance=c)
    assert found.ideal == pytest.approx(0, abs=1e-12)
    assert (found.a[20:] == 0).all()


def test_only_what_differs_is_patched_and_paid_for() -> None:
    right = {"a": weights(), "b": weights()}
    faulty = {"a": right["a"], "b": right["b"] * np.array([1.0] * 8 + [0.0] * 2)}
    found = patch_network(right, faulty, rank=1)
    assert list(found) == ["b"]
    assert found["b"].words == 24 + 2
    # 6T cell of 0.346 um2 at 45 nm (Mistry et al., IEDM 2007); at 28 nm by the square of the feature size
    area = patch_area(26, 8, 28e-9)
    assert area.value.mid == pytest.approx(26 * 8 * 0.346e-12 * (28 / 45) ** 2)
    assert area.provenance.status == "estimate"
    assert "without decoders" in area.provenance.source
    assert patch_area(26, 8, 45e-9).provenance.status == "published"
    # two lost columns as digits, two cells each: less than a branch of rank 2 of 8 bits
    assert spare_area(24, 2, 28e-9).value.mid < patch_area(2 * (24 + 2), 8, 28e-9).value.mid / 4


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rank": 0}, "rank is 0"),
        ({"bits": 3}, "3 bits per number"),
        ({"covariance": np.eye(3)}, "for 24 inputs"),
        ({"covariance": -np.eye(24)}, "negative eigenvalues"),
        ({"faulty": np.zeros((3, 3))}, "shapes"),
    ],
)
def test_nonsense_is_refused(changes: dict, words: str) -> None:
    right = weights()
    given = {"right": right, "faulty": 0 * right, "rank": 1} | changes
    with pytest.raises(InputError, match=words):
        fit_patch(given.pop("right"), given.pop("faulty"), **given)
