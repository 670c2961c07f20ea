"""The macro engine reads weights by the scheme of the netlist: exact products for every mapping in every cell."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from interconnect.errors import InputError
from metalrom.macro import Macro
from netlists.mapping import MAPPINGS, Encoding, Scheme, register_mapping, scheme_of, via_program

CELLS = [(0, 1), (0, 1, -1), (-1, 0, 1), (0, 1, 2), (0, 1, 2, 3), (3, 1, 0, 2), (-2, -1, 0, 1), tuple(range(8))]
"""Symbol values of cells, those that subtract among them."""

BUILT_IN = ["differential", "signed_digits", "twos_complement", "offset", "unsigned", "ternary", "trits"]


@pytest.mark.parametrize("values", CELLS)
@pytest.mark.parametrize("mapping", BUILT_IN)
def test_every_weight_of_every_mapping_multiplies_exactly(mapping: str, values: tuple[int, ...]) -> None:
    """Brute force: all weights of 2 to 5 bits times all inputs of 3 bits, and sums over groups of 3 rows."""
    for bits in (2, 3, 4, 5):
        macro = Macro.ideal(
            rows=3, levels=len(values), mapping=mapping, weight_bits=bits, input_bits=3, symbol_values=values
        )
        every = np.arange(macro.scheme.low, macro.scheme.high + 1)
        x = np.arange(-4, 4)[:, None]
        np.testing.assert_array_equal(macro.matmul(x, every[None, :]), x * every)
        rng = np.random.default_rng(bits)
        w, rows = rng.choice(every, (8, 5)), rng.integers(-4, 4, (6, 8))
        result = macro.run(rows, w)
        np.testing.assert_array_equal(result.y, rows @ w)
        assert result.code_errors == 0


def test_a_scheme_of_sixteen_bits_is_exact_in_every_cell() -> None:
    rng = np.random.default_rng(0)
    for mapping, values in itertools.product(MAPPINGS, ((0, 1), (0, 1, -1), (0, 1, 2, 3))):
        macro = Macro.ideal(rows=32, levels=len(values), mapping=mapping, weight_bits=16, symbol_values=values)
        low, high = macro.scheme.low, macro.scheme.high
        x, w = rng.integers(-128, 128, (3, 70)), rng.integers(low, high + 1, (70, 9))
        w[0, :2] = low, high
        np.testing.assert_array_equal(macro.matmul(x, w), x @ w)


@pytest.mark.parametrize("values", CELLS)
@pytest.mark.parametrize("mapping", BUILT_IN)
def test_the_engine_s_levels_are_the_program_s_symbols(mapping: str, values: tuple[int, ...]) -> None:
    scheme = scheme_of(mapping, 5, values)
    weights = np.arange(scheme.low, scheme.high + 1)
    program = via_program(weights[:, None], 5, mapping=mapping, symbol_values=values)
    # A level is the symbol's value less the smallest one, as the readout table counts.
    np.testing.assert_array_equal(scheme.level_table.T, np.array(values)[program.bits] - min(values))
    total = scheme.level_table.T @ np.array(scheme.place_value, dtype=np.int64) + scheme.level_constant
    np.testing.assert_array_equal(total, weights)


class Negabinary:
    """Base -2 (Knuth, TAOCP 2, 4.1): digits 0 and 1, no sign anywhere; 5 digits hold -10 to 21."""

    name = "negabinary"
    title = "base -2"

    def scheme(self, bits: int, symbol_values: tuple[int, ...]) -> Scheme:
        n = bits + 1
        encoding = Encoding(self.name, symbol_values, -2)
        return Scheme(encoding, bits, -(2 ** (bits - 1)), 2 ** (bits - 1) - 1, (1,) * n, tuple(range(n)))

    def digits(self, weights: np.ndarray, scheme: Scheme) -> np.ndarray:
        # Schroeppel's identity: the binary digits of (w + M) xor M with M = ...101010.
        mask = int("10" * 16, 2)
        return (((weights + mask) ^ mask)[..., None] >> np.arange(scheme.columns)) & 1


def test_a_mapping_of_a_user_runs_in_the_engine() -> None:
    register_mapping(Negabinary())
    try:
        macro = Macro.ideal(rows=8, mapping="negabinary", weight_bits=6)
        assert macro.scheme.place_value == (1, -2, 4, -8, 16, -32, 64)
        rng = np.random.default_rng(1)
        x, w = rng.integers(-128, 128, (4, 50)), rng.integers(-32, 32, (50, 7))
        np.testing.assert_array_equal(macro.matmul(x, w), x @ w)
    finally:
        MAPPINGS.unregister("negabinary")
    assert "negabinary" not in MAPPINGS


class Wrong(Negabinary):
    """What a plugin may get wrong."""

    name = "wrong"

    def __init__(self, change: str) -> None:
        self.change = change

    def scheme(self, bits: int, symbol_values: tuple[int, ...]) -> Scheme:
        n = bits + 1
        name = "other" if self.change == "name" else self.name
        sign = (2,) * n if self.change == "sign" else (1,) * (n - (self.change == "columns"))
        high = 2**bits if self.change == "range" else 2 ** (bits - 1) - 1
        return Scheme(Encoding(name, symbol_values, -2), bits, -(2 ** (bits - 1)), high, sign, tuple(range(n)))

    def digits(self, weights: np.ndarray, scheme: Scheme) -> np.ndarray:
        digits = super().digits(weights, scheme)
        if self.change == "shape":
            return digits[..., 1:]
        return {"digit": digits * 2, "sum": digits[..., ::-1]}.get(self.change, digits)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("name", "returned the scheme of"),
        ("sign", "signs other than"),
        ("columns", "4 signs and 5 significances"),
        ("range", "more than 4 bits tell apart"),
        ("shape", "digits of shape"),
        ("digit", "do not store"),
        ("sum", "do not add up"),
    ],
)
def test_what_a_mapping_of_a_user_gets_wrong_is_told(change: str, message: str) -> None:
    register_mapping(Wrong(change))
    try:
        with pytest.raises(InputError, match=message):
            via_program(np.array([[3]]), 4, mapping="wrong")
    finally:
        MAPPINGS.unregister("wrong")


def test_cells_whose_levels_are_not_the_table_s_are_refused() -> None:
    with pytest.raises(InputError, match="a cell has 2 levels"):
        Macro.ideal(symbol_values=(0, 1, 2))
    with pytest.raises(InputError, match="not consecutive"):
        Macro.ideal(levels=3, symbol_values=(0, 1, 3))
