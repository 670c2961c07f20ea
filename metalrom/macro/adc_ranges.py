"""The range of a converter and the correction of a column, as calibration chose them."""

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from interconnect.arrays import FloatArray
from interconnect.errors import InputError
from metalrom.macro.readout import AdcRange
from netlists.mapping import Scheme


@dataclass(frozen=True, slots=True)
class RangeCalibration:
    """Converter ranges by significance of the weight planes, the greatest first, and what they were chosen on.

    mapping, bits, symbol_values, rows: the macro it belongs to. mean_square, mean_square_before: expected squared error
    of one conversion (counts^2, all spreads of the table included) with these ranges, and with one count per code from
    0 and as many codes. clipped: share of the counts more than half a code outside the range.
    """

    mapping: str
    bits: int
    symbol_values: tuple[int, ...]
    rows: int
    ranges: tuple[AdcRange, ...]
    mean_square: tuple[float, ...]
    mean_square_before: tuple[float, ...]
    clipped: tuple[float, ...]

    def ranges_for(self, scheme: Scheme, rows: int) -> tuple[AdcRange, ...]:
        """The ranges, if they were made for this scheme and group size; raises InputError otherwise."""
        own = (self.mapping, self.bits, self.symbol_values, self.rows)
        asked = (scheme.encoding.mapping, scheme.bits, scheme.encoding.symbol_values, rows)
        if own != asked or len(self.ranges) != len(scheme.magnitudes):
            raise InputError(f"calibration: made for {own}, the macro is {asked} (mapping, bits, symbol values, rows)")
        return self.ranges


@dataclass(frozen=True)
class OutputCorrection:
    """Gain and offset of every output column, (columns,): what a product returned is taken as gain * y + offset."""

    gain: FloatArray
    offset: FloatArray

    def apply(self, y: NDArray[Any]) -> FloatArray:
        """(y - offset) / gain for y (batch, columns)."""
        out: FloatArray = (y - self.offset) / self.gain
        return out
