"""Mappings from integer weights to cell symbols: what one is, the known ones, and the columns that one needs."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from interconnect.arrays import ByteArray, IntArray
from interconnect.errors import InputError
from interconnect.registry import Registry
from netlists.mapping.program import MAX_SYMBOLS, Encoding, ViaProgram

MAX_BITS = 16
"""Bits of a weight."""

PAIR_VALUES = (-1, 0, 1)
"""What a plus and a minus column of binary cells add together to a difference, per row."""


@dataclass(frozen=True)
class Scheme:
    """How a mapping stores one weight of `bits` bits in cells of given symbol values.

    The netlist, its audit, the layout, the pictures and the macro engine all read weights by it.

    Parameters
    ----------
    encoding : Encoding
        What symbols and columns mean; its `mapping` names the mapping in `MAPPINGS`.
    bits : int
        Bits of a weight.
    low : int
        Smallest and largest weight.
    high : int
        See `low`.
    sign : tuple of int
        Of every bit column of a weight, in order (see `ViaProgram`). A weight is
        sum(sign * radix^significance * digit) + constant; every digit is one of the symbol values.
    significance : tuple of int
        See `sign`.
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
    def largest(self) -> int:
        """Largest integer of symmetrically quantized weights: that of the word, or of the mapping if it holds less."""
        return min((1 << (self.bits - 1)) - 1, self.high)

    @cached_property
    def place_value(self) -> tuple[int, ...]:
        """What one count in each column adds to the weight."""
        return tuple(s * self.encoding.radix**k for s, k in zip(self.sign, self.significance, strict=True))

    @cached_property
    def magnitudes(self) -> tuple[int, ...]:
        """Distinct magnitudes of the place values, the greatest first: the significances that are read alike."""
        return tuple(sorted({abs(v) for v in self.place_value}, reverse=True))

    @cached_property
    def rank(self) -> tuple[int, ...]:
        """Index of every column's magnitude among `magnitudes`: 0 is the most significant."""
        return tuple(self.magnitudes.index(abs(v)) for v in self.place_value)

    @property
    def level_constant(self) -> int:
        """The constant of a weight when cells count from 0 (the symbol value less the smallest one).

        A readout counts levels; the digital side adds this many times the sum of the inputs.
        """
        return self.encoding.constant + min(self.encoding.symbol_values) * sum(self.place_value)

    @cached_property
    def digit_table(self) -> IntArray:
        """Digits of all weights from `low` to `high`.

        Returns
        -------
        IntArray
            Shape (high - low + 1, columns).

        Raises
        ------
        InputError
            If the mapping's digits are not symbol values, or do not add up to the weights.
        """
        weights = np.arange(self.low, self.high + 1, dtype=np.int64)
        name = self.encoding.mapping
        digits = np.asarray(MAPPINGS[name].digits(weights[:, None], self), dtype=np.int64)
        if digits.shape != (len(weights), 1, self.columns):
            raise InputError(
                f"the mapping {name} returns digits of shape {digits.shape} of {len(weights)} x 1 weights, expected "
                f"{(len(weights), 1, self.columns)}",
                where="mapping",
            )
        digits = digits[:, 0]
        if not np.isin(digits, self.encoding.symbol_values).all():
            raise InputError(
                f"the mapping {name} returns digits that cells of values {self.encoding.symbol_values} do not store",
                where="mapping",
            )
        wrong = np.flatnonzero(digits @ np.array(self.place_value) + self.encoding.constant != weights)
        if len(wrong):
            raise InputError(
                f"the mapping {name} stores the weight {weights[wrong[0]]} as digits {digits[wrong[0]].tolist()} that "
                f"do not add up to it in columns of place values {self.place_value}",
                where="mapping",
            )
        return digits

    @cached_property
    def symbol_table(self) -> ByteArray:
        """Cell symbols of all weights from `low` to `high`, shape (high - low + 1, columns)."""
        values = np.array(self.encoding.symbol_values)
        symbol_of = np.zeros(values.max() - values.min() + 1, dtype=np.uint8)
        symbol_of[values - values.min()] = np.arange(len(values))
        return np.asarray(symbol_of[self.digit_table - values.min()])

    @cached_property
    def level_table(self) -> ByteArray:
        """Cell levels, digits less the smallest symbol value, of all weights: shape (columns, high - low + 1)."""
        return np.ascontiguousarray((self.digit_table - min(self.encoding.symbol_values)).T, dtype=np.uint8)

    def paired(self) -> "Scheme":
        """The scheme as conversions of differences read it: a digit -1, 0 or 1 for every plus column and the minus
        column next to it. Raises InputError for a mapping that does not store every digit in such a pair.
        """
        place, values = self.place_value, self.encoding.symbol_values
        if values == (0, 1) and all(v > 0 for v in place[::2]) and place[1::2] == tuple(-v for v in place[::2]):
            digits = self.digit_table[:, ::2] - self.digit_table[:, 1::2]
            pair = scheme_of(self.encoding.mapping, self.bits, PAIR_VALUES)
            if pair.place_value == place[::2] and np.array_equal(pair.digit_table, digits):
                return pair
        raise InputError(
            f"takes the difference of a plus and a minus column, in which the mapping {self.encoding.mapping} does not "
            f"store weights in cells of values {values}",
            where="readout.converter.kind",
            hint="mapping: differential, with cells that count 0 and 1",
        )

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

    def scheme(self, bits: int, symbol_values: tuple[int, ...]) -> Scheme:
        """Place values and range of a weight of `bits` bits in cells with these symbol values.

        Raises InputError if these cells cannot hold such weights.
        """
        ...

    def digits(self, weights: IntArray, scheme: Scheme) -> IntArray:
        """The digit of every column, shape (*weights.shape, scheme.columns), of each weight by itself.

        `weights` are within the scheme's range.
        """
        ...


MAPPINGS: Registry[Mapping] = Registry(
    "mapping",
    group="metalrom.mappings",
    built_in={
        "differential": "netlists.mapping.differential:DIFFERENTIAL",
        "twos_complement": "netlists.mapping.complement:TWOS_COMPLEMENT",
        "signed_digits": "netlists.mapping.signed_digits:SIGNED_DIGITS",
        "offset": "netlists.mapping.complement:OFFSET",
        "unsigned": "netlists.mapping.complement:UNSIGNED",
        "ternary": "netlists.mapping.ternary:TERNARY",
        "trits": "netlists.mapping.ternary:TRITS",
    },
    where="mapping",
)
"""The known mappings by name."""


def register_mapping(mapping: Mapping) -> Mapping:
    """Register a mapping under its name.

    Parameters
    ----------
    mapping : Mapping
        The mapping.

    Returns
    -------
    Mapping
        The same, so that the function can be a decorator.

    Raises
    ------
    InputError
        If a mapping of that name exists.
    """
    return MAPPINGS.register(mapping.name, mapping)


def scheme_of(name: str, bits: int, symbol_values: tuple[int, ...] = (0, 1)) -> Scheme:
    """How a mapping stores weights in cells.

    Parameters
    ----------
    name : str
        A name of `MAPPINGS`.
    bits : int
        Bits of a weight.
    symbol_values : tuple[int, ...]
        Symbol values of the cell.

    Returns
    -------
    Scheme
        Place values, digits and range of the weights.

    Raises
    ------
    InputError
        For an unknown mapping, cells that it cannot use, a number of bits out of range, or an inconsistent scheme.
    """
    out_of_range = InputError(f"bits per weight must be between 2 and {MAX_BITS}, got {bits}")
    if not 1 <= bits <= MAX_BITS:
        raise out_of_range
    symbol_values = tuple(symbol_values)
    distinct = set(symbol_values)
    if not 2 <= len(symbol_values) <= MAX_SYMBOLS or len(distinct) != len(symbol_values) or not {0, 1} <= distinct:
        raise InputError(
            f"cells with symbol values {symbol_values} cannot store weights",
            hint=f"2 to {MAX_SYMBOLS} different values, 0 and 1 among them",
        )
    scheme = MAPPINGS[name].scheme(bits, symbol_values)
    if bits == 1 and scheme.low >= scheme.high:  # one bit is enough where it is no sign
        raise out_of_range
    problem = _problem(scheme, name, bits, symbol_values)
    if problem:
        raise InputError(f"the mapping {name} {problem}", where="mapping")
    return scheme


def _problem(scheme: Scheme, name: str, bits: int, symbol_values: tuple[int, ...]) -> str | None:
    """What a mapping of a plugin got wrong in its scheme, in words."""
    made = (scheme.encoding.mapping, scheme.bits, scheme.encoding.symbol_values)
    if made != (name, bits, symbol_values):
        return f"returned the scheme of {made}, expected that of {(name, bits, symbol_values)}"
    if not scheme.sign or len(scheme.sign) != len(scheme.significance):
        return f"has {len(scheme.sign)} signs and {len(scheme.significance)} significances"
    if not set(scheme.sign) <= {-1, 1} or min(scheme.significance) < 0:
        return "has signs other than +1 and -1, or negative significances"
    if not 0 <= scheme.high - scheme.low < 2**bits:
        return f"takes weights from {scheme.low} to {scheme.high}, which are none or more than {bits} bits tell apart"
    if max(abs(v) for v in scheme.place_value) >= 2**31:
        return f"has place values beyond 31 bits: {scheme.place_value}"
    return None


def via_program(
    weights: NDArray[Any], bits: int, *, mapping: str = "differential", symbol_values: tuple[int, ...] = (0, 1)
) -> ViaProgram:
    """The symbols that store integer weights.

    Every weight column becomes `scheme_of(mapping, bits, symbol_values).columns` neighbouring bit columns. `weights_of`
    is the exact inverse.

    Parameters
    ----------
    weights : NDArray
        Integers, shape (rows, columns).
    bits : int
        Bits of a weight.
    mapping : str
        A name of `MAPPINGS`.
    symbol_values : tuple[int, ...]
        Symbol values of the cell.

    Returns
    -------
    ViaProgram
        Symbols, shape (rows, bit columns).

    Raises
    ------
    InputError
        For a non-integer matrix, a weight out of range, or cells that the mapping cannot use.

    Examples
    --------
    >>> import numpy as np
    >>> from netlists.mapping import via_program, weights_of
    >>> weights_of(via_program(np.array([[3], [-2]]), 4)).ravel()
    array([ 3, -2])
    """
    w = np.asarray(weights)
    if w.ndim != 2 or w.dtype.kind not in "iu":
        raise InputError(f"weights of type {w.dtype} and shape {w.shape} are not an integer matrix")
    scheme = scheme_of(mapping, bits, symbol_values)
    w = w.astype(np.int64)
    if w.size and (w.min() < scheme.low or w.max() > scheme.high):
        worst = int(w.min()) if w.min() < scheme.low else int(w.max())
        raise InputError(
            f"a weight of {worst} does not fit {bits} bits ({mapping} mapping: {scheme.low} to {scheme.high})"
        )
    rows, cols = w.shape
    return ViaProgram(
        np.take(scheme.symbol_table, w - scheme.low, axis=0).reshape(rows, cols * scheme.columns),
        np.repeat(np.arange(cols, dtype=np.int64), scheme.columns),
        np.tile(np.array(scheme.sign, dtype=np.int64), cols),
        np.tile(np.array(scheme.significance, dtype=np.int64), cols),
        scheme.encoding,
    )


def unsigned_radix(symbol_values: tuple[int, ...]) -> int:
    """Largest K for which the digits 0 to K - 1 are among the symbol values."""
    k = 0
    while k in symbol_values:
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
