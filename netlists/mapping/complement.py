"""Mappings without negative columns for every digit: two's complement, offset binary and unsigned."""

from dataclasses import dataclass

import numpy as np

from interconnect.arrays import IntArray
from netlists.mapping.program import Encoding
from netlists.mapping.scheme import Scheme, base_digits, digit_count, unsigned_radix


@dataclass(frozen=True, slots=True)
class TwosComplement:
    """Digits of the weight plus S where it is negative, and one column of bits that subtracts S.

    S = 2^(bits-1) in cells of 2, 4, 8, ... levels (significances then count in powers of two), else a power of the
    number of levels.
    """

    name: str = "twos_complement"
    title: str = "two's complement: the top column counts negative"

    def scheme(self, bits: int, symbol_values: tuple[int, ...]) -> Scheme:
        """Weights from -2^(bits-1) to 2^(bits-1) - 1; the last column is the sign's."""
        levels, half = unsigned_radix(symbol_values), 2 ** (bits - 1)
        n, m = digit_count(half - 1, levels), levels.bit_length() - 1
        binary = levels == 2**m
        significance = (*range(0, n * m, m), bits - 1) if binary else tuple(range(n + 1))
        encoding = Encoding(self.name, symbol_values, 2 if binary else levels)
        return Scheme(encoding, bits, -half, half - 1, (*(1,) * n, -1), significance)

    def digits(self, weights: IntArray, scheme: Scheme) -> IntArray:
        """Digits of w + S [w < 0], then the sign."""
        negative = (weights < 0).astype(np.int64)
        shifted = weights - negative * scheme.place_value[-1]
        low = base_digits(shifted, unsigned_radix(scheme.encoding.symbol_values), scheme.columns - 1)
        return np.concatenate([low, negative[..., None]], axis=-1)


@dataclass(frozen=True, slots=True)
class Offset:
    """Digits of w + 2^(bits-1); the digital side adds -2^(bits-1) times the sum of the inputs."""

    name: str = "offset"
    title: str = "offset binary: no negative column, a digital correction by the sum of the inputs"

    def scheme(self, bits: int, symbol_values: tuple[int, ...]) -> Scheme:
        """Weights from -2^(bits-1) to 2^(bits-1) - 1."""
        radix, half = unsigned_radix(symbol_values), 2 ** (bits - 1)
        n = digit_count(2 * half - 1, radix)
        return Scheme(
            Encoding(self.name, symbol_values, radix, -half), bits, -half, half - 1, (1,) * n, tuple(range(n))
        )

    def digits(self, weights: IntArray, scheme: Scheme) -> IntArray:
        """Digits of w - constant."""
        return base_digits(weights - scheme.encoding.constant, scheme.encoding.radix, scheme.columns)


@dataclass(frozen=True, slots=True)
class Unsigned:
    """Digits of weights that are never negative."""

    name: str = "unsigned"
    title: str = "weights from 0 on"

    def scheme(self, bits: int, symbol_values: tuple[int, ...]) -> Scheme:
        """Weights from 0 to 2^bits - 1."""
        radix, top = unsigned_radix(symbol_values), 2**bits - 1
        n = digit_count(top, radix)
        return Scheme(Encoding(self.name, symbol_values, radix), bits, 0, top, (1,) * n, tuple(range(n)))

    def digits(self, weights: IntArray, scheme: Scheme) -> IntArray:
        """Digits of w."""
        return base_digits(weights, scheme.encoding.radix, scheme.columns)


TWOS_COMPLEMENT, OFFSET, UNSIGNED = TwosComplement(), Offset(), Unsigned()
