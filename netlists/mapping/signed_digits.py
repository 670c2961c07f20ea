"""Sign and magnitude with digits of either sign: the same cells and columns as `differential`, other bits in them.

A word of 7 columns for +1 and 7 for -1 holds most numbers in several ways: 3 is 2 + 1 or 4 - 1. Of these that one is
stored whose lowest digits, taken alone, stay near zero: what a macro drops by leaving out partial products of low
significance is then as small as if it had rounded, and fewer cells count.
"""

from dataclasses import dataclass

import numpy as np

from interconnect.arrays import IntArray
from netlists.mapping.program import Encoding
from netlists.mapping.scheme import Scheme


@dataclass(frozen=True, slots=True)
class SignedDigits:
    """Digits -1, 0, 1 of base 2, each in a plus and a minus column next to each other, or in one ternary cell."""

    name: str = "signed_digits"
    title: str = "digits -1, 0, 1 of base 2 in the columns of `differential`, whose low digits stay near zero"

    def scheme(self, bits: int, symbol_values: tuple[int, ...]) -> Scheme:
        """Weights within +-(2^(bits-1) - 1)."""
        top, n = 2 ** (bits - 1) - 1, bits - 1
        signed = -1 in symbol_values
        sign = (1,) * n if signed else (1, -1) * n
        significance = tuple(k for k in range(n) for _ in range(1 if signed else 2))
        return Scheme(Encoding(self.name, symbol_values, 2), bits, -top, top, sign, significance)

    def digits(self, weights: IntArray, scheme: Scheme) -> IntArray:
        """From the lowest digit on: an odd rest takes the digit that brings the sum of the digits so far nearer to zero
        (with none so far, the one that makes the next digit 0), if the higher digits can hold what is left."""
        rest, low = np.asarray(weights, np.int64), np.zeros_like(weights)
        n = max(scheme.significance) + 1
        out = np.empty((*rest.shape, n), np.int64)
        for k in range(n):
            odd = rest & 1
            wanted = np.where(low == 0, 2 - (rest & 3), -np.sign(low))
            room = 2 ** (n - 1 - k) - 1
            digit = odd * np.where(np.abs(rest - wanted) // 2 <= room, wanted, -wanted)
            out[..., k], low, rest = digit, low + digit * 2**k, (rest - digit) // 2
        if scheme.columns == n:
            return out
        return np.stack([out > 0, out < 0], axis=-1).astype(np.int64).reshape(*rest.shape, scheme.columns)


SIGNED_DIGITS = SignedDigits()
