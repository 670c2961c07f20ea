"""What the estimate knows of a readout chain: its drawn parts, its measured supplies, its settling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from characterization.procedures.chain_energy import ChainEnergy
from characterization.procedures.chain_settling import ChainSettling
from interconnect.errors import InputError
from interconnect.provenance import Provenance
from netlists.readout.chain import ChainTiming
from netlists.readout.drawn import DrawnPart


@dataclass(frozen=True, slots=True)
class CapacitorDensity:
    """Finger capacitors in the metals of the planes: F/m2 of footprint, and where that comes from."""

    value: float
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class ChainCost:
    """A readout chain as the estimate bills it.

    drive, converter (words), columns (that share a bus), buses (that share a part of their converters), biased (lines
    of a bus at a time): of the chain. columns_per_line, planes_per_line: that meet on a line (0 planes: all).
    conversions_per_read: of a bus that one driving of the rows serves, in turns `slot` (s) apart. parts:
    what is drawn. density: of its capacitors. lines: control lines across all columns; lines_per_row: driven lines of a
    row. line_capacitance: of a control line per column, F; counter_capacitance: that the converter's logic lines charge
    per conversion, F; reset_gate: level of the reset lines, V. replica_columns: columns of a tile that the thresholds
    follow; update_share: conversions of an update over those between two. energy, settling: measured at every
    condition.
    """

    drive: str
    converter: str
    columns: int
    buses: int
    biased: int
    parts: tuple[DrawnPart, ...]
    density: CapacitorDensity
    lines: int
    lines_per_row: int
    line_capacitance: float
    counter_capacitance: float
    reset_gate: float
    replica_columns: int
    update_share: float
    timing: ChainTiming
    energy: ChainEnergy
    settling: ChainSettling
    columns_per_line: int = 1
    planes_per_line: int = 0
    conversions_per_read: int = 1
    slot: float = 0.0
    decision_shares: tuple[float, ...] = ()

    @property
    def flags(self) -> tuple[str, ...]:
        """What the configured timing does not wait for."""
        return tuple(
            f"{p.condition}: the {p.phase} needs {p.needed * 1e9:.3g} ns to settle within {self.settling.band:g} LSB, "
            f"the timing gives {p.given * 1e9:.3g} ns ({p.missing:.2g} LSB are missing)"
            for p in self.settling.late
        )

    def part(self, name: str) -> DrawnPart:
        """A drawn part by name. Raises InputError for an unknown one."""
        for part in self.parts:
            if part.name == name:
                return part
        raise InputError(f"the readout chain has no part {name!r}")

    def to_dict(self) -> dict[str, Any]:
        """What an estimate's document says of its readout."""
        return {
            "kind": "chain",
            "drive": self.drive,
            "converter": self.converter,
            "columns_per_line": self.columns_per_line,
            "conversions_per_read": self.conversions_per_read,
            "parts": [
                {"name": p.name, "per": p.unit, "transistors": p.transistors, "area_um2": p.square_microns,
                 "capacitance_fF": p.capacitance * 1e15, "source": p.source}
                for p in self.parts
            ],
            "capacitor_density_fF_per_um2": {
                "value": self.density.value * 1e3,
                "status": self.density.provenance.status,
                "source": self.density.provenance.source,
            },
            "settling_ns": [
                {"condition": p.condition, "phase": p.phase, "needed": p.needed * 1e9, "given": p.given * 1e9,
                 "settled": p.settled}
                for p in self.settling.phases
            ],
            "flags": list(self.flags),
        }  # fmt: skip
