"""Mappings from integer weights to cell symbols: what one is, and the list of those that are known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from interconnect.arrays import IntArray
from interconnect.errors import InputError
from interconnect.suggestion import suggest
from netlists.mapping.program import MAX_SYMBOLS, Encoding, ViaProgram


@dataclass(frozen=True, slots=True)
class Scheme:
    """How a mapping stores one weight of `bits` bits in cells of given counts.

    low, high: the weights it takes. sign, significance: of every bit column of a weight, in order (see `ViaProgram`).
    A weight is sum(sign * radix^significance * digit) + constant; every digit is one of the counts.
    """

    encoding: Encoding
    bits: int
    low: int
    high: int
    sign: tuple[int, ...]
    significance: tuple[int, ...]

    @property
    def columns(self) -> int:
        """Bit columns of one weight."""
        return len(self.sign)

    @property
    def worth(self) -> tuple[int, ...]:
        """Weight of one count in each column."""
        return tuple(s * self.encoding.radix**k for s, k in zip(self.sign, self.significance, strict=True))

    def describe(self) -> dict[str, Any]:
        """The scheme as a JSON document."""
        return {
            **self.encoding.to_json(),
            "bits": self.bits,
            "range": [self.low, self.high],
            "columns": [{"sign": s, "significance": k} for s, k in zip(self.sign, self.significance, strict=True)],
        }


class Mapping(Protocol):
    """A way to store integer weights in cells."""

    @property
    def name(self) -> str:
        """The name in configurations."""
        ...

    @property
    def title(self) -> str:
        """The mapping in one line."""
        ...

    def scheme(self, bits: int, counts: tuple[int, ...]) -> Scheme:
        """The columns of a weight of `bits` bits in cells of `counts`. InputError if these cells cannot hold it."""
        ...

    def digits(self, weights: IntArray, scheme: Scheme) -> IntArray:
        """The digit of every column, shape (rows, weight columns, scheme.columns), of weights within the range."""
        ...


_AT_ONCE = 1 << 22
"""Digits in hand at a time (they are 64-bit numbers, the symbols bytes)."""

_KNOWN: dict[str, Mapping] = {}


def register_mapping(mapping: Mapping) -> Mapping:
    """Make a mapping known under its name; InputError if there is one of that name."""
    if mapping.name in _KNOWN:
        raise InputError(f"there is already a mapping {mapping.name!r}")
    _KNOWN[mapping.name] = mapping
    return mapping


def mapping_names() -> tuple[str, ...]:
    """Names of the known mappings, the default first."""
    return tuple(_KNOWN)


def mapping_of(name: str) -> Mapping:
    """The mapping of a name; InputError with a suggestion for an unknown one."""
    if name not in _KNOWN:
        raise InputError(f"there is no mapping {name!r}", where="mapping", hint=suggest(name, mapping_names()))
    return _KNOWN[name]


def scheme_of(name: str, bits: int, counts: tuple[int, ...] = (0, 1)) -> Scheme:
    """How the mapping `name` stores weights of `bits` bits in cells of `counts`.

    Raises:
        InputError: no such mapping, cells that it cannot use, or a number of bits out of range.
    """
    if not 2 <= bits <= 16:
        raise InputError(f"{bits} bits per weight cannot be mapped", hint="2 to 16")
    if not 2 <= len(counts) <= MAX_SYMBOLS or len(set(counts)) != len(counts) or not {0, 1} <= set(counts):
        raise InputError(f"cells of counts {counts} cannot hold weights", hint="different counts, 0 and 1 among them")
    return mapping_of(name).scheme(bits, counts)


def via_program(
    weights: NDArray[Any], bits: int, *, mapping: str = "differential", counts: tuple[int, ...] = (0, 1)
) -> ViaProgram:
    """The symbols that store integer weights, shape (rows, cols), in cells of `counts`.

    Every weight column becomes `scheme_of(mapping, bits, counts).columns` neighbouring bit columns. Nothing is lost:
    `weights_of` is the exact inverse.

    Raises:
        InputError: not an integer matrix, a weight out of range, or cells that the mapping cannot use.
    """
    w = np.asarray(weights)
    if w.ndim != 2 or w.dtype.kind not in "iu":
        raise InputError(f"weights of type {w.dtype} and shape {w.shape} are not an integer matrix")
    scheme = scheme_of(mapping, bits, counts)
    w = w.astype(np.int64)
    if w.size and (w.min() < scheme.low or w.max() > scheme.high):
        worst = int(w.min()) if w.min() < scheme.low else int(w.max())
        raise InputError(
            f"a weight of {worst} does not fit {bits} bits ({mapping} mapping: {scheme.low} to {scheme.high})"
        )
    rows, cols = w.shape
    symbol_of = np.zeros(max(counts) - min(counts) + 1, dtype=np.uint8)
    symbol_of[np.array(counts) - min(counts)] = np.arange(len(counts))
    symbols = np.empty((rows, cols, scheme.columns), dtype=np.uint8)
    step = max(1, _AT_ONCE // max(1, rows * scheme.columns))
    for start in range(0, cols, step):
        part = slice(start, start + step)
        symbols[:, part] = symbol_of[mapping_of(mapping).digits(w[:, part], scheme) - min(counts)]
    return ViaProgram(
        symbols.reshape(rows, cols * scheme.columns),
        np.repeat(np.arange(cols, dtype=np.int64), scheme.columns),
        np.tile(np.array(scheme.sign, dtype=np.int64), cols),
        np.tile(np.array(scheme.significance, dtype=np.int64), cols),
        scheme.encoding,
    )


def unsigned_radix(counts: tuple[int, ...]) -> int:
    """Largest K for which the digits 0 to K - 1 are among the counts."""
    k = 0
    while k in counts:
        k += 1
    return k


def digit_count(top: int, radix: int) -> int:
    """Digits that a number up to `top` needs in base `radix`, at least one."""
    n = 1
    while radix**n <= top:
        n += 1
    return n


def base_digits(values: IntArray, radix: int, n: int) -> IntArray:
    """The `n` lowest digits of non-negative values in base `radix`, lowest first on a new last axis."""
    powers = radix ** np.arange(n, dtype=np.int64)
    out: IntArray = (values[..., None] // powers) % radix
    return out
