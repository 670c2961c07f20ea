"""Everything a characterization needs to know, as one frozen value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from netlists.cells.base import CellModel
from netlists.condition import Condition
from netlists.periphery import Periphery, Timing
from netlists.technology import Technology


@dataclass(frozen=True, slots=True)
class Variation:
    """Local mismatch: `cell_sigma` relative sigma of one cell's coupling (C) or resistor (R); `source` in words.

    Transistor thresholds follow Pelgrom's law with the device set's own coefficients (A_vt / sqrt(W L)).
    """

    cell_sigma: float
    source: str


@dataclass(frozen=True, slots=True)
class Converter:
    """Assumed converter: static offset and noise, as fractions of one count's spacing (LSB).

    integration_time: of a current sense, s (bandwidth 1 / (2 t)); unused for charge readout.
    """

    offset_sigma: float
    noise_sigma: float
    integration_time: float


@dataclass(frozen=True, slots=True)
class Setup:
    """One group of `rows` cells on a bit line in an array of `columns` bit lines, and how it is to be measured."""

    technology: Technology
    model: CellModel
    periphery: Periphery
    timing: Timing
    rows: int
    columns: int
    conditions: tuple[Condition, ...]
    variation: Variation
    converter: Converter
    patterns: int = 4
    samples: int = 60
    max_levels: int = 9
    seed: int = 1
    timeout: float = 120.0

    @property
    def unit(self) -> Literal["V", "A"]:
        """Unit of a level: V for charge readout, A for current readout."""
        return "V" if self.model.mode == "charge" else "A"

    @property
    def varying(self) -> float:
        """Value of the element that cell mismatch multiplies: F (charge) or ohm (current)."""
        return next(e.value for e in self.model.variants[1].elements if e.varies)

    @property
    def mismatch_gain(self) -> float:
        """Counts by which a counted cell's level moves per unit of relative cell deviation.

        Charge: the tab's coupling over what a via bit switches; current: 1, to first order.
        """
        return self.varying / self.model.switched if self.unit == "V" else 1.0
