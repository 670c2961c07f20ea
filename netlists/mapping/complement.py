"""Mappings without negative columns for every digit: two's complement and offset binary."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netlists.mapping.program import Encoding
from netlists.mapping.scheme import IntArray, Scheme, base_digits, places, unsigned_radix


@dataclass(frozen=True, slots=True)
class TwosComplement:
    """Digits of the weight plus radix^n where it is negative, and one column of bits that subtracts radix^n."""

    name: str = "twos_complement"
    title: str = "two's complement: the top column counts negative"

    def scheme(self, bits: int, counts: tuple[int, ...]) -> Scheme:
        """Weights from -2^(bits-1) to 2^(bits-1) - 1; the last column is the sign's."""
        radix, half = unsigned_radix(counts), 2 ** (bits - 1)
        n = places(half - 1, radix)
        return Scheme(
            Encoding(self.name, counts, radix), bits, -half, half - 1, (*(1,) * n, -1), (*range(n), n)
        )  # fmt: skip

    def digits(self, weights: IntArray, scheme: Scheme) -> IntArray:
        """Digits of w + radix^n [w < 0], then the sign."""
        n, radix = scheme.columns - 1, scheme.encoding.radix
        negative = (weights < 0).astype(np.int64)
        return np.concatenate([base_digits(weights + negative * radix**n, radix, n), negative[..., None]], axis=-1)


@dataclass(frozen=True, slots=True)
class Offset:
    """Digits of w + 2^(bits-1); the digital side adds -2^(bits-1) times the sum of the inputs."""

    name: str = "offset"
    title: str = "offset binary: no negative column, a digital correction by the sum of the inputs"

    def scheme(self, bits: int, counts: tuple[int, ...]) -> Scheme:
        """Weights from -2^(bits-1) to 2^(bits-1) - 1."""
        radix, half = unsigned_radix(counts), 2 ** (bits - 1)
        n = places(2 * half - 1, radix)
        return Scheme(Encoding(self.name, counts, radix, -half), bits, -half, half - 1, (1,) * n, tuple(range(n)))

    def digits(self, weights: IntArray, scheme: Scheme) -> IntArray:
        """Digits of w - constant."""
        return base_digits(weights - scheme.encoding.constant, scheme.encoding.radix, scheme.columns)
