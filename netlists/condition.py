"""The operating point of a simulation: process corner, supply, temperature."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Condition:
    """Process corner (`tt`, `ff`, `ss`), supply voltage (V) and temperature (degC)."""

    corner: str
    vdd: float
    temperature: float

    @property
    def label(self) -> str:
        """Short name for tables and files, e.g. `tt_1.00V_27C`."""
        return f"{self.corner}_{self.vdd:.2f}V_{self.temperature:g}C"

    @property
    def kelvin(self) -> float:
        """Absolute temperature, K."""
        return self.temperature + 273.15
