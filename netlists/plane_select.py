"""The switch between a bit line of a resistive plane and the sense node that all planes of a column share."""

from __future__ import annotations

from dataclasses import dataclass

from netlists.cells.base import CellModel
from netlists.parameters import parameter, require, require_positive, require_whole

PMOS_RATIO = 1.5
"""Width of a transmission gate's PMOS over that of its NMOS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaneSelect:
    """One select per segment and plane: an NMOS, or a transmission gate between the supplies; SI units.

    Every select of a column ends on one sense node, which the sense circuit holds `level` above ground; all voltages of
    a column deck are counted from there. A gate that is off lies at ground, `level` below the channel.
    """

    planes: int = parameter(1, "", "planes on one sense node")
    segments: int = parameter(1, "", "segments of a column on one sense node")
    kind: str = parameter("nmos", "", "nmos, or transmission: a PMOS in parallel, both between the supplies")
    width: float = parameter(0.42e-6, "m", "width of the select NMOS of a segment and plane")
    gate: float = parameter(1.5, "V", "nmos: gate of the selected plane, above ground; a supply of its own")
    level: float = parameter(0.5, "V", "virtual ground above ground")
    clamp_width: float = parameter(
        0.0, "m", "NMOS that ties a bit line that is not selected to the virtual ground's level; 0: it floats"
    )

    def __post_init__(self) -> None:
        where = "readout.plane_select"
        for name in ("planes", "segments"):
            require_whole(getattr(self, name), 1, 65536, where=f"{where}.{name}")
        require(
            self.kind in ("nmos", "transmission"),
            f"is {self.kind!r}",
            where=f"{where}.kind",
            hint="nmos or transmission",
        )
        require_positive(self.width, where=f"{where}.width", unit="m")
        require_positive(self.level, where=f"{where}.level", unit="V", zero=True)
        require_positive(self.clamp_width, where=f"{where}.clamp_width", unit="m", zero=True)
        require(self.gate > self.level, f"is {self.gate:g} V", where=f"{where}.gate", hint="above the virtual ground")

    @property
    def is_transmission(self) -> bool:
        """Whether a PMOS conducts beside the NMOS."""
        return self.kind == "transmission"

    @property
    def pmos_width(self) -> float:
        """Width of the transmission gate's PMOS, m."""
        return PMOS_RATIO * self.width

    @property
    def idle_selects(self) -> int:
        """Selects of other segments on the sense node: their rows rest, their bit lines lie at its level."""
        return (self.segments - 1) * self.planes

    def other_planes(self, model: CellModel, columns: int, ones: float) -> RowLoad:
        """What the cells of the other planes are to a row of the plane that is read.

        Their bit lines, all with alike data, are one node: R over the ones of the row on these planes, to first order
        in the drop along the row. model: cell, at its temperature; columns: of a plane; ones: share of stored ones.
        """
        elements = model.variants[-1].elements
        cells = (self.planes - 1) * columns
        plug = next(e.value for e in elements if e.varies)
        wires = [(e.value, (e.a, e.b)) for e in elements if e.is_capacitor]
        row = sum(value for value, ends in wires if "row_out" in ends)
        line = sum(value for value, ends in wires if "bl_in" in ends and "row_out" not in ends)
        return RowLoad(plug / max(cells * ones, 1e-9), row * cells, line * cells)


@dataclass(frozen=True, slots=True)
class RowLoad:
    """Of a row on planes that are not read: ohm from its driver to their bit lines, F of its lines and, per row, of the
    bit lines."""

    resistance: float
    capacitance: float
    line: float
