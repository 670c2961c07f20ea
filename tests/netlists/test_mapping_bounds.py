"""Edges of what a mapping takes, and digits by hand: where a bound or an operator off by one would show."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from interconnect.errors import InputError
from netlists.mapping import MAPPINGS, via_program, weights_of
from netlists.mapping.program import MAX_SYMBOLS
from netlists.mapping.scheme import Scheme, base_digits, digit_count, register_mapping, scheme_of, unsigned_radix


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


@dataclass
class Wrong:
    """Digits of 4-bit offset weights in a scheme with changes: what a plugin may get wrong."""

    change: dict[str, Any]
    name: str = "wrong"
    title: str = "wrong on purpose"

    def scheme(self, bits: int, symbol_values: tuple[int, ...]) -> Scheme:
        good = scheme_of("offset", 4, (0, 1))
        return replace(good, **({"encoding": replace(good.encoding, mapping="wrong")} | self.change))

    def digits(self, weights: np.ndarray, scheme: Scheme) -> np.ndarray:
        return base_digits(weights + 8, 2, 4)


@pytest.fixture
def wrong() -> Iterator[Wrong]:
    mapping = Wrong({})
    register_mapping(mapping)
    yield mapping
    MAPPINGS.unregister("wrong")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({}, None),
        ({"bits": 3}, r"returned the scheme of \('wrong', 3, \(0, 1\)\), expected that of \('wrong', 4, \(0, 1\)\)"),
        ({"encoding": scheme_of("offset", 4).encoding}, r"returned the scheme of \('offset', 4"),
        ({"sign": (), "significance": ()}, "has 0 signs and 0 significances"),
        ({"sign": (1, 1, 1)}, "has 3 signs and 4 significances"),
        ({"sign": (1, 1, 1, 0)}, "has signs other than"),
        ({"sign": (1, 1, 1, -2)}, "has signs other than"),
        ({"significance": (0, 1, 2, -1)}, "has signs .*or negative significances"),
        # 4 bits tell 16 weights apart: a range of 15 from end to end
        ({"low": -8, "high": 8}, "takes weights from -8 to 8, which are none or more than 4 bits tell apart"),
        ({"low": 3, "high": 2}, "takes weights from 3 to 2, which are none"),
        ({"low": 3, "high": 3}, None),
        ({"low": 3, "high": 4}, None),
        # a place value is a signed 32-bit number: 2^30 fits, 2^31 does not
        ({"significance": (0, 1, 2, 30)}, None),
        ({"significance": (0, 1, 2, 31)}, "has place values beyond 31 bits"),
        ({"significance": (0, 31, 2, 3), "sign": (1, -1, 1, 1)}, "has place values beyond 31 bits"),
    ],
)
def test_a_scheme_that_contradicts_itself_is_refused(wrong: Wrong, change: dict[str, Any], message: str | None) -> None:
    wrong.change = change
    if message is None:
        assert scheme_of("wrong", 4).bits == 4
        return
    with pytest.raises(InputError, match=f"the mapping wrong {message}"):
        scheme_of("wrong", 4)


def test_digits_must_add_up(wrong: Wrong) -> None:
    # places 1, 2, 4, 8 with the constant -8 give -8 to 7; the first weight that differs is named
    assert scheme_of("wrong", 4).digit_table.shape == (16, 4)
    wrong.change = {"significance": (0, 1, 2, 4)}  # 8 counts as 16: wrong from 0 on
    with pytest.raises(InputError, match=r"stores the weight 0 as digits \[0, 0, 0, 1\] that do not add up"):
        _ = scheme_of("wrong", 4).digit_table
    wrong.change = {"sign": (1,) * 5, "significance": tuple(range(5))}
    with pytest.raises(InputError, match=r"digits of shape \(16, 1, 4\) of 16 x 1 weights, expected \(16, 1, 5\)"):
        _ = scheme_of("wrong", 4).digit_table


def test_digits_must_be_symbol_values(wrong: Wrong, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        Wrong, "digits", lambda self, weights, scheme: (weights + 8)[..., None] * np.array([1, 0, 0, 0])
    )
    with pytest.raises(InputError, match=r"digits that cells of values \(0, 1\) do not store"):
        _ = scheme_of("wrong", 4).digit_table


def test_magnitudes_and_ranks_by_hand() -> None:
    # differential columns of 3 bits: +1, +2, -1, -2 in some order
    scheme = scheme_of("differential", 3)
    assert sorted(scheme.place_value) == [-2, -1, 1, 2]
    assert scheme.magnitudes == (2, 1)
    assert scheme.rank == tuple({2: 0, 1: 1}[abs(v)] for v in scheme.place_value)
    assert scheme_of("offset", 4).magnitudes == (8, 4, 2, 1)


def test_one_bit_is_enough_without_a_sign() -> None:
    assert (scheme_of("unsigned", 1).low, scheme_of("unsigned", 1).high) == (0, 1)
    for bits in (0, 17):
        with pytest.raises(InputError, match=f"between 2 and 16, got {bits}"):
            scheme_of("unsigned", bits)
