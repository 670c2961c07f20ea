"""Sign and magnitude: positive and negative weights in columns of their own, or one column of ternary cells."""

from dataclasses import dataclass

import numpy as np

from interconnect.arrays import IntArray
from netlists.mapping.program import Encoding
from netlists.mapping.scheme import Scheme, base_digits, digit_count, unsigned_radix


@dataclass(frozen=True, slots=True)
class Differential:
    """Digits of the magnitude. For every significance one column for positive and, next to it, one for negative
    weights; a cell that also subtracts (value -1) holds both signs in one column, one magnitude bit each."""

    name: str = "differential"
    title: str = "sign and magnitude, one column per digit and sign (ternary cells: one per bit)"

    def scheme(self, bits: int, symbol_values: tuple[int, ...]) -> Scheme:
        """Weights within +-(2^(bits-1) - 1)."""
        top = 2 ** (bits - 1) - 1
        signed = -1 in symbol_values
        radix = 2 if signed else unsigned_radix(symbol_values)
        n = digit_count(top, radix)
        sign = (1,) * n if signed else (1, -1) * n
        significance = tuple(k for k in range(n) for _ in range(1 if signed else 2))
        return Scheme(Encoding(self.name, symbol_values, radix), bits, -top, top, sign, significance)

    def digits(self, weights: IntArray, scheme: Scheme) -> IntArray:
        """Magnitude digits where the column's sign is the weight's."""
        n = max(scheme.significance) + 1
        digits = base_digits(np.abs(weights), scheme.encoding.radix, n)
        if scheme.columns == n:
            return np.asarray(digits * np.sign(weights)[..., None])
        out = np.stack([digits * (weights > 0)[..., None], digits * (weights < 0)[..., None]], axis=-1)
        return out.reshape(*weights.shape, scheme.columns)


DIFFERENTIAL = Differential()
