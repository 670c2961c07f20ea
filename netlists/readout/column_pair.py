"""The converter of a pair: successive approximation of the difference of two columns, an array on either bus.

Both columns are read through chains of their own with the same rows; what active rows add to both levels cancels. Each
bus is the top plate of an array, so that it shares its charge with it as its column joins; register and table are those
of `column_sar`. As the code rises the array of the minus bus goes up and that of the plus bus down by as much.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from netlists.parameters import parameter
from netlists.readout.column_converter import ConverterPart
from netlists.readout.column_sar import ColumnSar


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnPair(ColumnSar):
    """Two capacitor arrays, their switches, their timing and replicas; SI units."""

    title: ClassVar[str] = "successive approximation of the difference of two columns"
    columns: ClassVar[int] = 2
    settle_bus: ClassVar[float] = 3.0e-9  # the array on either bus is charged too
    twin_basis: ClassVar[str] = (
        "thresholds by bisection on comparator, both arrays and both chains of transistors: equal within a twentieth "
        "of a count whatever both columns have in common (tests/characterization/test_pair_conversion.py)"
    )

    unit_capacitance: float = parameter(0.125e-15, "F", "unit capacitor of each array")
    reference: float = parameter(0.32, "V", "level to which bottom plates are switched, against ground")
    cycle: float = parameter(2.4e-9, "s", "one decision: arrays and both lines settle, the comparator decides")
    clock_delay: float = parameter(1.6e-9, "s", "from the start of a cycle to the comparator's clock")

    def reach(self, common_mode: float, load: float = 0.0) -> tuple[float, float]:
        """Differences at the first and the last code about the common mode, V: both arrays move, one up, one down."""
        low, high = ColumnSar.reach(self, 0.0, load)
        return common_mode + 2 * low, common_mode + 2 * high

    @property
    def bus_load(self) -> float:
        """An array on every bus, F."""
        return self.top_plate

    def parts(self, levels: int) -> tuple[ConverterPart, ...]:
        """Comparator and both arrays of a pair of buses, its logic, the tile's table."""
        adc, *logic = ColumnSar.parts(self, levels)
        source = f"comparator and two capacitor arrays of {self.bits} bits, every transistor of the deck"
        return (replace(adc, source=source, subckt="column_pair", capacitance=2 * adc.capacitance), *logic)
