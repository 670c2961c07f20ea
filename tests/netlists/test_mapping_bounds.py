"""Edges of what a mapping takes, and digits by hand: where a bound or an operator off by one would show."""

from __future__ import annotations

import numpy as np
import pytest

from interconnect.errors import InputError
from netlists.mapping import MAPPINGS, via_program, weights_of
from netlists.mapping.program import MAX_SYMBOLS
from netlists.mapping.scheme import base_digits, digit_count, register_mapping, scheme_of, unsigned_radix


@pytest.mark.parametrize(("bits", "taken"), [(1, False), (2, True), (16, True), (17, False)])
def test_two_to_sixteen_bits_are_taken(bits: int, taken: bool) -> None:
    if taken:
        assert scheme_of("differential", bits).high == 2 ** (bits - 1) - 1
        return
    with pytest.raises(InputError, match=f"between 2 and 16, got {bits}"):
        scheme_of("differential", bits)


@pytest.mark.parametrize(
    ("counts", "taken"),
    [
        ((0, 1), True),
        (tuple(range(MAX_SYMBOLS)), True),
        (tuple(range(MAX_SYMBOLS + 1)), False),
        ((0,), False),
        ((1,), False),
        ((0, 1, 1), False),  # one count twice
        ((0, 2), False),  # no 1
        ((1, 2), False),  # no 0
    ],
)
def test_cells_hold_different_counts_with_none_and_one(counts: tuple[int, ...], taken: bool) -> None:
    if taken:
        assert scheme_of("differential", 4, counts).columns > 0
        return
    with pytest.raises(InputError, match="cannot store weights"):
        scheme_of("differential", 4, counts)


@pytest.mark.parametrize("value", [-8, 8, -100])
def test_the_weight_that_does_not_fit_is_named(value: int) -> None:
    # 4 bits in differential columns: -7 to 7
    with pytest.raises(InputError, match=f"a weight of {value} does not fit 4 bits"):
        via_program(np.array([[7, -7], [0, value]]), 4)
    assert weights_of(via_program(np.array([[7, -7]]), 4)).tolist() == [[7, -7]]


@pytest.mark.parametrize(
    "weights", [np.zeros(3, int), np.zeros((2, 2, 2), int), np.zeros((2, 2)), np.zeros((2, 2), bool)]
)
def test_only_integer_matrices_are_taken(weights: np.ndarray) -> None:
    with pytest.raises(InputError, match="not an integer matrix"):
        via_program(weights, 4)


def test_a_matrix_without_columns_has_an_empty_program() -> None:
    assert via_program(np.zeros((3, 0), int), 4).bits.shape == (3, 0)


@pytest.mark.parametrize(
    ("counts", "radix"), [((0, 1), 2), ((0, 1, 2), 3), ((-1, 0, 1), 2), ((0, 1, 3), 2), ((1, 2), 0)]
)
def test_largest_radix_by_hand(counts: tuple[int, ...], radix: int) -> None:
    assert unsigned_radix(counts) == radix


@pytest.mark.parametrize(
    ("top", "radix", "digits"),
    [(0, 2, 1), (1, 2, 1), (2, 2, 2), (3, 2, 2), (4, 2, 3), (8, 3, 2), (9, 3, 3), (127, 2, 7)],
)
def test_number_of_digits_by_hand(top: int, radix: int, digits: int) -> None:
    assert digit_count(top, radix) == digits


def test_digits_by_hand() -> None:
    # 11 = 1011 in base 2 and 102 in base 3, lowest first
    assert base_digits(np.array([[11]]), 2, 4).tolist() == [[[1, 1, 0, 1]]]
    assert base_digits(np.array([[11]]), 3, 3).tolist() == [[[2, 0, 1]]]
    assert base_digits(np.array([[11]]), 2, 2).tolist() == [[[1, 1]]]


@pytest.mark.parametrize(
    ("mapping", "counts"),
    [("differential", (0, 1)), ("differential", (0, 1, 2)), ("twos_complement", (0, 1)), ("offset", (0, 1, 2, 3))],
)
def test_a_weight_is_the_sum_of_its_columns(mapping: str, counts: tuple[int, ...]) -> None:
    # sum(sign * radix^significance * digit) + constant, as the class says
    scheme = scheme_of(mapping, 4, counts)
    weights = np.arange(scheme.low, scheme.high + 1)[:, None]
    digits = MAPPINGS[mapping].digits(weights, scheme)
    places = [s * scheme.encoding.radix**k for s, k in zip(scheme.sign, scheme.significance, strict=True)]
    sums = (digits[:, 0] * places).sum(axis=1)
    assert len(set((weights[:, 0] - sums).tolist())) == 1  # the constant
    assert digits.shape == (len(weights), 1, scheme.columns)
    assert set(np.unique(digits).tolist()) <= set(counts)
    document = scheme.describe()
    assert document["range"] == [scheme.low, scheme.high]
    assert document["columns"] == [
        {"sign": s, "significance": k} for s, k in zip(scheme.sign, scheme.significance, strict=True)
    ]


@pytest.mark.parametrize(
    ("mapping", "values", "constant", "lowest", "highest"),
    [
        # -8 = 0 - 8 and 7 = 1 + 2 + 4 + 8 - 8
        ("offset", (0, 1), -8, [0, 0, 0, 0], [1, 1, 1, 1]),
        # -8 and 7 = 1 + 2 + 4 in places 1, 2, 4, -8
        ("twos_complement", (0, 1), 0, [0, 0, 0, 1], [1, 1, 1, 0]),
        # -7 = -1 + 3 - 9 and 7 = 1 - 3 + 9; levels are digits + 1, the constant is -(1 + 3 + 9)
        ("ternary", (-1, 0, 1), -13, [0, 2, 0], [2, 0, 2]),
    ],
)
def test_levels_by_hand(
    mapping: str, values: tuple[int, ...], constant: int, lowest: list[int], highest: list[int]
) -> None:
    scheme = scheme_of(mapping, 4, values)
    assert scheme.level_constant == constant
    assert scheme.level_table[:, 0].tolist() == lowest
    assert scheme.level_table[:, -1].tolist() == highest
    sums = np.array(scheme.place_value) @ scheme.level_table.astype(int) + constant
    assert sums.tolist() == list(range(scheme.low, scheme.high + 1))


def test_a_name_is_taken_once() -> None:
    with pytest.raises(InputError, match="already a mapping 'differential'"):
        register_mapping(MAPPINGS["differential"])
    with pytest.raises(InputError, match=r"no mapping 'diferential'.*differential"):
        MAPPINGS["diferential"]
