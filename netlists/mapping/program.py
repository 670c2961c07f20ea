"""A via program: one symbol per cell, and what the symbols of every bit column stand for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from interconnect.arrays import ByteArray, IntArray
from interconnect.errors import InputError

MAX_SYMBOLS = 16


@dataclass(frozen=True, slots=True)
class Encoding:
    """What a symbol and a bit column mean.

    mapping: name of the mapping. symbol_values: what a symbol adds to the count of a driven row, by symbol (those of
    the cell). radix: base of a column's significance. constant: part of every weight that no cell stores; the digital
    side adds `constant` times the sum of the inputs to every output.
    """

    mapping: str = "differential"
    symbol_values: tuple[int, ...] = (0, 1)
    radix: int = 2
    constant: int = 0

    def to_json(self) -> dict[str, Any]:
        """The encoding as a JSON document; `add_per_input` is the digital correction."""
        return {
            "mapping": self.mapping,
            "counts": list(self.symbol_values),
            "radix": self.radix,
            "add_per_input": self.constant,
        }

    @staticmethod
    def from_json(document: Mapping[str, Any]) -> Encoding:
        """The encoding of a document that `to_json` made. Raises KeyError, TypeError or ValueError for another."""
        return Encoding(
            str(document["mapping"]),
            tuple(int(v) for v in document["counts"]),
            int(document["radix"]),
            int(document["add_per_input"]),
        )


@dataclass(frozen=True)
class ViaProgram:
    """The symbols of a weight matrix (via bits where a cell stores two) and what each bit column stands for.

    bits: symbols, shape (rows, bit_columns). weight_column, sign (+1 or -1), significance (power of the radix): shape
    (bit_columns,). A weight is the sum over its bit columns of sign * radix^significance * symbol_values[symbol], plus
    the encoding's constant.
    """

    bits: ByteArray
    weight_column: IntArray
    sign: IntArray
    significance: IntArray
    encoding: Encoding = field(default_factory=Encoding)

    def __post_init__(self) -> None:
        symbols = len(self.encoding.symbol_values)
        if self.bits.ndim != 2 or self.bits.dtype != np.uint8 or (self.bits >= symbols).any():
            raise InputError(
                f"a via program holds symbols 0 to {symbols - 1} as unsigned bytes, shape (rows, bit columns)"
            )
        for name in ("weight_column", "sign", "significance"):
            if getattr(self, name).shape != (self.bit_columns,):
                raise InputError(f"via program: {name} has shape {getattr(self, name).shape}")

    @property
    def rows(self) -> int:
        """Number of rows (inputs)."""
        return int(self.bits.shape[0])

    @property
    def bit_columns(self) -> int:
        """Number of bit columns."""
        return int(self.bits.shape[1])

    @property
    def weight_columns(self) -> int:
        """Number of weight columns (outputs)."""
        return int(self.weight_column.max(initial=-1)) + 1

    @property
    def symbol_values(self) -> tuple[int, ...]:
        """What each symbol adds to the count of a driven row."""
        return self.encoding.symbol_values

    @property
    def place_value(self) -> IntArray:
        """Weight of one count in each bit column, sign * radix^significance: shape (bit_columns,)."""
        return np.asarray(self.sign * self.encoding.radix**self.significance, dtype=np.int64)


def weights_of(program: ViaProgram, bits: ByteArray | None = None) -> IntArray:
    """Integer weights, shape (rows, weight columns), of a program (or of other symbols with its meaning)."""
    symbols = program.bits if bits is None else bits
    values, place_value = np.array(program.symbol_values, dtype=np.int64), program.place_value
    out = np.full((program.weight_columns, program.rows), program.encoding.constant, dtype=np.int64)
    # Column by column: a matrix of 64-bit numbers would be eight times the program.
    for k, column in enumerate(program.weight_column):
        out[column] += (values * place_value[k])[symbols[:, k]]
    return np.ascontiguousarray(out.T)
