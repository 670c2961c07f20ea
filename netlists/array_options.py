"""What surrounds the storing columns of an array: dummies, references, ground return, shared column circuits."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from interconnect.arrays import ByteArray
from interconnect.errors import InputError
from interconnect.suggestion import suggest
from netlists.parameters import parameter, require, require_positive

REFERENCES: Mapping[str, str] = {
    "zeros": "every cell holds the symbol of count 0",
    "ones": "every cell holds the symbol of the largest count",
    "alternating": "even rows as in zeros, odd rows as in ones",
}
"""What a reference column holds, row by row from the first row of the tile on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayOptions:
    """Additions to the bare planes; the defaults add nothing.

    Physical columns of a plane, in order: `dummy_columns` dummies (cells of count 0, bit line grounded), one reference
    column per name in `reference_columns` (see `REFERENCES`), the columns of the program, `dummy_columns` dummies.
    ground_return: resistance between the ground lines of a plane and ground; None ties them to ground directly.
    lcc: every reference and program column of every segment gets one local column circuit, which all planes share:
    plane select, reset, sampling capacitor, and a switch to the converter input of its `columns_per_adc` columns.
    """

    dummy_columns: int = parameter(0, "", "dummy columns at either edge of a plane")
    reference_columns: tuple[str, ...] = parameter((), "", "what the reference columns of a plane hold")
    ground_return: float | None = parameter(None, "ohm", "from the ground lines of a plane to ground; None: tied")
    lcc: bool = parameter(False, "", "planes share local column circuits")
    columns_per_adc: int = parameter(8, "", "columns whose circuits share one converter input")
    sample_capacitance: float = parameter(1e-15, "F", "sampling capacitor of a local column circuit")

    def __post_init__(self) -> None:
        for name, low in (("dummy_columns", 0), ("columns_per_adc", 1)):
            value = getattr(self, name)
            require(
                isinstance(value, int) and value >= low, f"is {value!r}", where=f"array.{name}", hint=f"{low} or more"
            )
        for name in self.reference_columns:
            if name not in REFERENCES:
                raise InputError(
                    f"there is no reference {name!r}", where="array.reference_columns", hint=suggest(name, REFERENCES)
                )
        if self.ground_return is not None:
            require_positive(self.ground_return, where="array.ground_return", unit="ohm")
        require_positive(self.sample_capacitance, where="array.sample_capacitance", unit="F")

    @property
    def before(self) -> int:
        """Physical columns before those of the program."""
        return self.dummy_columns + len(self.reference_columns)

    @property
    def extra(self) -> int:
        """Physical columns that hold nothing of the program."""
        return self.before + self.dummy_columns

    def symbols(self, stored: ByteArray, symbol_values: tuple[int, ...]) -> ByteArray:
        """Symbols of all physical columns of a plane, shape (rows, columns + extra), around the `stored` ones."""
        if not self.extra:
            return stored
        rows = len(stored)
        zero, one = symbol_values.index(0), symbol_values.index(max(symbol_values))
        held = {
            "zeros": np.full(rows, zero, dtype=np.uint8),
            "ones": np.full(rows, one, dtype=np.uint8),
            "alternating": np.where(np.arange(rows) % 2, one, zero).astype(np.uint8),
        }
        dummies = np.full((rows, self.dummy_columns), zero, dtype=np.uint8)
        references = [held[name][:, None] for name in self.reference_columns]
        return np.concatenate([dummies, *references, stored, dummies], axis=1)

    def part(self, column: int, stored: int) -> str:
        """What a physical column is, in words; empty for one of the `stored` columns of the program."""
        if self.dummy_columns <= column < self.before:
            k = column - self.dummy_columns
            return f"reference column {k} ({self.reference_columns[k]})"
        return "" if self.before <= column < self.before + stored else "dummy column"


NO_OPTIONS = ArrayOptions()
