"""What the estimate knows of a readout by inverters in the segment: its drawn parts and its measured reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from characterization.procedures.local_inverter import InverterFigures
from netlists.readout.drawn import DrawnPart
from netlists.readout.local_inverter import LocalInverter


@dataclass(frozen=True, slots=True)
class InverterCost:
    """A readout by inverters as the estimate bills it.

    inverter: sizes and timing. parts: what is drawn. lines: control lines across all columns; wire: of one of them per
    column, F. figures: measured at every condition.
    """

    inverter: LocalInverter
    parts: tuple[DrawnPart, ...]
    lines: int
    wire: float
    figures: InverterFigures

    @property
    def label(self) -> str:
        """What is billed, in words."""
        return "inverters in the segment, complement drive: drawn parts, supply currents"

    @property
    def flags(self) -> tuple[str, ...]:
        """What the configured timing does not wait for."""
        return tuple(
            f"{p.condition}: the bit line still moves by {p.zero_drift:.2g} LSB at the end of the reset and by "
            f"{p.settle_drift:.2g} LSB as the ramp starts"
            for p in self.figures.points
            if not p.settled
        )

    def to_dict(self) -> dict[str, Any]:
        """What an estimate's document says of its readout."""
        return {
            "kind": "inverter",
            "reference_rows": self.inverter.reference_rows,
            "parts": [
                {"name": p.name, "per": p.unit, "transistors": p.transistors, "area_um2": p.square_microns,
                 "source": p.source}
                for p in self.parts
            ],
            "flags": list(self.flags),
        }  # fmt: skip
