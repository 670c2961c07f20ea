"""The operating point of a simulation: process corner, supply, temperature, and corner of the metals."""

from dataclasses import dataclass

NOMINAL_METALS = "nominal"
"""Name of the stack as it stands, beside its corners (`Cmax`, ...)."""


@dataclass(frozen=True, slots=True, order=True)
class Condition:
    """Process corner (`tt`, `ff`, `ss`), supply voltage (V), temperature (degC), and corner of the metal stack.

    beol: `nominal` is the stack that the run was given; any other is one of its corners, with a cell model of its own.
    """

    corner: str
    vdd: float
    temperature: float
    beol: str = NOMINAL_METALS

    @property
    def label(self) -> str:
        """Short name for tables and files, e.g. `tt_1.00V_27C`, or `tt_Cmax_1.00V_27C` at a corner of the metals."""
        metals = "" if self.beol == NOMINAL_METALS else f"_{self.beol}"
        return f"{self.corner}{metals}_{self.vdd:.2f}V_{self.temperature:g}C"

    @property
    def kelvin(self) -> float:
        """Absolute temperature, K."""
        return self.temperature + 273.15
