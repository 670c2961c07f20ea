"""A mapping of a user: offset binary, the most significant bit first."""

from dataclasses import dataclass

import numpy as np

from netlists.mapping import Encoding, Scheme, register_mapping


@dataclass(frozen=True)
class MostSignificantFirst:
    name: str = "msb_first"
    title: str = "offset binary, most significant bit first"

    def scheme(self, bits, symbol_values):
        half = 2 ** (bits - 1)
        encoding = Encoding(self.name, symbol_values, 2, -half)
        return Scheme(encoding, bits, -half, half - 1, (1,) * bits, tuple(range(bits - 1, -1, -1)))

    def digits(self, weights, scheme):
        shifted = weights + 2 ** (scheme.bits - 1)
        return (shifted[..., None] >> np.arange(scheme.bits - 1, -1, -1)) & 1


register_mapping(MostSignificantFirst())
