"""Balanced ternary: digits -1, 0, 1 of base 3, each in one ternary cell or in a plus and a minus column.

`ternary` holds all of +-(2^(bits-1) - 1). `trits` spends as many digits as a word of `bits` bits tells apart, rounded
down, and holds what these hold: 8 bits are 5 trits (3^5 = 243 of 256 values), weights within +-121. Real weights are
quantized to that range, with a step that is 127/121 as large.
"""

from dataclasses import dataclass

import numpy as np

from interconnect.arrays import IntArray
from netlists.mapping.program import Encoding
from netlists.mapping.scheme import Scheme, digit_count


@dataclass(frozen=True, slots=True)
class Ternary:
    """Weights -1, 0, 1 (2 bits) are one digit; wider ones take more digits of base 3.

    whole_words: hold every value of a word of `bits` bits but the lowest; if not, as many digits as fit in the word.
    """

    name: str = "ternary"
    title: str = "digits -1, 0, 1: one ternary cell or a pair of columns each"
    whole_words: bool = True

    def scheme(self, bits: int, symbol_values: tuple[int, ...]) -> Scheme:
        """Weights within +-(2^(bits-1) - 1); with as many digits as fit, within +-(3^digits - 1) / 2."""
        top, n = 2 ** (bits - 1) - 1, 1
        if self.whole_words:
            while (3**n - 1) // 2 < top:
                n += 1
        else:
            n = max(1, digit_count(2**bits, 3) - 1)
            top = (3**n - 1) // 2
        pair = -1 not in symbol_values
        sign = (1, -1) * n if pair else (1,) * n
        significance = tuple(k for k in range(n) for _ in range(2 if pair else 1))
        return Scheme(Encoding(self.name, symbol_values, 3), bits, -top, top, sign, significance)

    def digits(self, weights: IntArray, scheme: Scheme) -> IntArray:
        """Balanced digits, split by sign where a digit has two columns."""
        n = max(scheme.significance) + 1
        # Every balanced digit is an ordinary one of the shifted number, less one.
        shifted = weights[..., None] + (3**n - 1) // 2
        digits = (shifted // 3 ** np.arange(n, dtype=np.int64)) % 3 - 1
        if scheme.columns == n:
            return np.asarray(digits)
        return np.stack([digits > 0, digits < 0], axis=-1).astype(np.int64).reshape(*weights.shape, scheme.columns)


TERNARY = Ternary()
TRITS = Ternary("trits", "as many digits -1, 0, 1 as fit in a word (8 bits: 5, within +-121)", whole_words=False)
