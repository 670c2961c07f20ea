"""Layers with faulty digits: what a branch restores exactly, what no faults change, errors against drawn chips."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from interconnect.errors import InputError
from metalrom.macro.via_faults import array_of, faulty_network, inject_faults
from metalrom.macro.via_yield import UNPROTECTED, DefectRates, FaultShares, Protection, WeightArray, fault_shares
from metalrom.studies.accuracy import ActivationRule
from metalrom.studies.accuracy.native import BlockOperator, ExactBlocks
from metalrom.studies.respin.faulty_layers import (
    FaultyBlocks,
    faulty_planes,
    layer_energy,
    plane_names,
    real_weights,
    squared_error,
)
from metalrom.studies.respin.patch import fit_patch
from metalrom.workloads.networks.linear import LinearLayer
from netlists.weights import BlockWeights

RNG = np.random.default_rng(4)
INPUTS, OUTPUTS = 40, 26
ARRAY = WeightArray(
    rows=20, columns=13, group_rows=8, tiles=1, planes=2, via_share=0.0,
    row_pitch=200e-9, column_pitch=300e-9, spacing=50e-9, width=60e-9,
)  # fmt: skip
NONE = DefectRates(0.0, 0.0, 0.0, 0.0, 40e-9)
CHECKED = Protection(3, levels=3)


def layer(planes: int = 1) -> LinearLayer:
    blocks = [
        BlockWeights(
            "bitnet", 2, RNG.integers(-1, 2, (INPUTS, OUTPUTS)).astype(np.int8),
            RNG.uniform(0.5, 2, (1, OUTPUTS)).astype(np.float32), np.zeros((1, OUTPUTS), np.float32), INPUTS,
        )
        for _ in range(planes)
    ]  # fmt: skip
    weight = sum((b.dequantized() for b in blocks[1:]), blocks[0].dequantized())
    return LinearLayer("one", 0, weight, np.ones(OUTPUTS, np.float32), blocks[0], tuple(blocks[1:]))


def inputs(tokens: int = 7) -> np.ndarray:
    return RNG.standard_normal((tokens, INPUTS)).astype(np.float32)


def covariance() -> np.ndarray:
    x = RNG.standard_normal((300, INPUTS)) * np.geomspace(1, 8, INPUTS) + 0.3
    return x.T @ x / 300


@pytest.mark.parametrize("planes", [1, 2])
@pytest.mark.parametrize("weighted", [False, True])
def test_a_branch_of_rank_one_restores_a_lost_row(planes: int, weighted: bool) -> None:
    """The row over all outputs is of rank one: one entry of A, whole steps of B, so that 8 bits lose nothing."""
    one, x = layer(planes), inputs()
    exact = BlockOperator(ExactBlocks(), ActivationRule(8))(one, x)
    lost = {}
    for name, plane in zip(plane_names(one), (one.blocks, *one.further), strict=True):
        lost[name] = plane.integers.copy()
        lost[name][17] = 0
    right, faulty = real_weights(faulty_planes(one, {})), real_weights(faulty_planes(one, lost))
    patch = fit_patch(right, faulty, rank=1, covariance=covariance() if weighted else None)
    wrong = BlockOperator(FaultyBlocks(lost), ActivationRule(8))(one, x)
    mended = BlockOperator(FaultyBlocks(lost, {"one": patch}), ActivationRule(8))(one, x)
    assert np.abs(wrong - exact).max() > 0.1
    np.testing.assert_allclose(mended, exact, atol=2e-5)
    assert patch.words == INPUTS + len(patch.outputs)
    assert patch.left < 1e-12


def test_the_branch_is_as_fine_as_its_bits() -> None:
    """Two lost rows of different size by one branch of rank two: what is left is bounded by half a step of A and B."""
    one, x = layer(), inputs()
    lost = {"one.weight": one.blocks.integers.copy()}
    lost["one.weight"][[3, 30]] = 0
    right, faulty = real_weights(faulty_planes(one, {})), real_weights(faulty_planes(one, lost))
    exact = BlockOperator(ExactBlocks(), ActivationRule(8))(one, x)
    errors = []
    for bits in (4, 6, 8):
        patch = fit_patch(right, faulty, rank=2, covariance=covariance(), bits=bits)
        found = BlockOperator(FaultyBlocks(lost, {"one": patch}), ActivationRule(8))(one, x)
        errors.append(float(np.abs(found - exact).max()))
        # by the triangle inequality, of each entry of A B: half steps of one factor times the other
        half_a, half_b = (np.abs(part).max(axis=0) / (2 ** (bits - 1) - 1) / 2 for part in (patch.a, patch.b))
        bound = half_a @ np.abs(patch.b) + (np.abs(patch.a).sum(axis=1).max() * half_b) + half_a.sum() * half_b
        assert errors[-1] <= np.abs(x).sum(axis=1).max() * bound.max() * 1.01 + 1e-4
    assert errors[2] < errors[1] < errors[0]
    assert errors[2] < 0.1 * np.abs(exact).max()


@pytest.mark.parametrize("planes", [1, 2])
def test_without_faults_nothing_changes(planes: int) -> None:
    one, x = layer(planes), inputs()
    digits = dict(zip(plane_names(one), [b.integers for b in (one.blocks, *one.further)], strict=True))
    chip = faulty_network(digits, ARRAY, NONE, CHECKED)
    exact = BlockOperator(ExactBlocks(), ActivationRule(8))(one, x)
    found = BlockOperator(FaultyBlocks({n: f.digits for n, f in chip.items()}), ActivationRule(8))(one, x)
    np.testing.assert_array_equal(found, exact)
    assert fault_shares(array_of(list(digits.values()), ARRAY, CHECKED), NONE, CHECKED) == FaultShares(0, 0, 0, 0)


RATES = [
    (replace(NONE, missing_via=0.02), UNPROTECTED),
    (replace(NONE, missing_via=0.02, extra_via=1e-3), CHECKED),
    (replace(NONE, extra_via=4e-3), UNPROTECTED),
    (DefectRates(0.01, 1e-3, 3e11, 2e11, 40e-9), Protection(3, levels=3, spares=1)),
    (replace(NONE, shorts=4e12), Protection(spares=1)),
]


@pytest.mark.parametrize(("rates", "protection"), RATES)
def test_wrong_digits_and_errors_are_those_of_the_closed_forms(rates: DefectRates, protection: Protection) -> None:
    """Means over 600 chips, within four standard errors; 2 % for cells that share a set unequally."""
    one, c = layer(), covariance()
    digits, scale = one.blocks.integers, one.blocks.scale
    shares = fault_shares(array_of([digits], ARRAY, protection), rates, protection)
    right, wrong, errors = digits * scale.astype(float), [], []
    for seed in range(600):
        chip = inject_faults(digits, ARRAY, rates, protection, generator=np.random.default_rng(seed))
        wrong.append(float((chip.digits != digits).mean()))
        errors.append(squared_error(right, chip.digits * scale.astype(float), c) / np.trace(right.T @ c @ right))
    for drawn, closed in (
        (wrong, shares.wrong(np.count_nonzero(digits) / digits.size)),
        (errors, layer_energy(digits, scale, c).error(shares)),
    ):
        assert np.mean(drawn) == pytest.approx(closed, abs=4 * np.std(drawn) / 600**0.5, rel=0.02)
        assert closed > 1e-3


def test_nonsense_is_refused() -> None:
    one = layer()
    with pytest.raises(InputError, match=r"shape \(3, 3\), expected \(40, 26\)"):
        FaultyBlocks({"one.weight": np.zeros((3, 3), np.int8)}).store(one)
    with pytest.raises(InputError, match="always 0"):
        layer_energy(one.blocks.integers * np.int8(0), one.blocks.scale, covariance())
    halves = BlockWeights(
        "bitnet", 2, one.blocks.integers, np.repeat(one.blocks.scale, 2, axis=0) * np.array([[1], [2]], np.float32),
        np.zeros((2, OUTPUTS), np.float32), INPUTS // 2,
    )  # fmt: skip
    with pytest.raises(InputError, match="more than one scale"):
        FaultyBlocks({}).store(replace(one, blocks=halves))
