"""The local computing cell (LCC) under a local bit line, its drivers and the compute line."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from interconnect.provenance import Provenance
from netlists.baselines.base import ASSUMED_SIZES, BaselineDevice
from netlists.parameters import parameter, require_all_positive, require_positive, require_whole

_CAPACITANCES = ("line_wire", "readout_capacitance", "control_wire")


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineComputing:
    """Sizes of the computing cell; defaults are an own choice (estimate).

    Discharge reading: a NOR of bit line and inverted input drives the unit capacitor through a transmission gate.
    Level reading: one transmission gate ties it to the bit line (input 1), another to ground (input 0). A further one
    shares its charge with the compute line. Both gate types have one width, so that overlap coupling cancels. Word
    lines and control lines run along the rows: one inverter each drives `columns` columns, of which a deck holds one
    and the others as a capacitor (gates in inversion, so an upper estimate, and wire); a column bears 1 / `columns` of
    the energy.
    """

    provenance: ClassVar[Provenance] = ASSUMED_SIZES

    capacitance: float = parameter(
        2e-15, "F", "unit capacitor C_LCC; 2 fF as the open CiMLoop model of Jia et al., JSSC 2020, has it"
    )
    line_wire: float = parameter(0.5e-15, "F", "compute-line wire per local array: about 2.5 um at 0.2 fF/um")
    readout_capacitance: float = parameter(2e-15, "F", "input capacitance of the readout at the end of the line")
    precharge_width: float = parameter(0.2e-6, "m", "width of the precharge transistor")
    gate_nmos_width: float = parameter(0.12e-6, "m", "width of the NMOS of the NOR gate")
    gate_pmos_width: float = parameter(0.3e-6, "m", "width of the PMOS of the NOR gate, two in series")
    switch_width: float = parameter(0.1e-6, "m", "width of both transistors of a transmission gate")
    reset_width: float = parameter(0.2e-6, "m", "width of the NMOS that resets the compute line")
    columns: int = parameter(64, "", "columns that a word-line or control driver serves")
    driver_nmos_width: float = parameter(1.0e-6, "m", "NMOS width of a control or word-line driver")
    driver_pmos_width: float = parameter(1.5e-6, "m", "PMOS width of a control or word-line driver")
    control_wire: float = parameter(60e-18, "F", "wire of a control line per column: about 0.3 um at 0.2 fF/um")
    length: float = parameter(50e-9, "m", "channel length of every transistor here")

    def __post_init__(self) -> None:
        require_all_positive(self, where="local computing", besides=("columns", *_CAPACITANCES))
        require_whole(self.columns, 1, 4096, where="local computing.columns")
        for name in _CAPACITANCES:
            require_positive(getattr(self, name), where=f"local computing.{name}", unit="F", zero=True)

    def devices(self, reading: Literal["discharge", "level"]) -> tuple[BaselineDevice, ...]:
        """Transistors of one computing cell, in the order of `BaselineDeviations.lcc` (precharge left out)."""
        w = self.switch_width
        share = (BaselineDevice("share_n", "n", w), BaselineDevice("share_p", "p", w))
        sample = (BaselineDevice("sample_n", "n", w), BaselineDevice("sample_p", "p", w))
        if reading == "level":
            zero = (BaselineDevice("zero_n", "n", w), BaselineDevice("zero_p", "p", w))
            return (*sample, *zero, *share)
        gates = (
            BaselineDevice("nor_p_x", "p", self.gate_pmos_width),
            BaselineDevice("nor_p_bl", "p", self.gate_pmos_width),
            BaselineDevice("nor_n_x", "n", self.gate_nmos_width),
            BaselineDevice("nor_n_bl", "n", self.gate_nmos_width),
        )
        return (*gates, *sample, *share)

    def gates(self, line: str, precharged: int) -> tuple[float, float]:
        """(NMOS, PMOS) gate width that a column hangs on a control line, m; `precharged`: its local bit lines."""
        widths = {
            "precharge": (precharged * self.precharge_width, 0.0),  # whichever type: the same oxide to a few percent
            "reset": (self.reset_width, 0.0),
            "x_b": (self.gate_nmos_width, self.gate_pmos_width),
        }
        return widths.get(line, (0.0, self.switch_width) if line.endswith("_b") else (self.switch_width, 0.0))

    def line_capacitance(self, locals_: int) -> float:
        """C_par: compute-line wire and readout, F, without the switches."""
        return locals_ * self.line_wire + self.readout_capacitance
