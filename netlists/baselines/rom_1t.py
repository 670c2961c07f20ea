"""Baseline `rom_1t`: NOR mask ROM. One NMOS from the local bit line to ground, its drain contact present or absent."""

from dataclasses import dataclass, replace
from typing import ClassVar

from interconnect.provenance import Provenance, Value
from netlists.baselines.area import CellArea, scaled_area
from netlists.baselines.base import OneTransistor, check_sizes
from netlists.parameters import parameter

AREA_45NM = Value(
    0.0315e-12,
    "m^2",
    Provenance(
        "estimate",
        "device rules of a generic 45 nm process: height 50 nm gate + 2 x 67.5 nm (35 gap and half of a shared 65 nm "
        "contact), width 90 nm channel + 80 nm isolation",
    ),
)
YOLOC_MACRO = Value(
    5e12, "bit/m^2", Provenance("published", "YOLoC, arXiv 2206.00379: 1.2 Mb in 0.24 mm2 at 28 nm, by simulation")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rom1T(OneTransistor):
    """Sizes of the NOR ROM cell (symbol 1: contact present); defaults are an own choice (estimate)."""

    kind: ClassVar[str] = "rom_1t"
    title: ClassVar[str] = "NOR mask ROM, one transistor, drain contact present or absent"

    width: float = parameter(0.1e-6, "m", "width of the cell transistor")
    length: float = parameter(50e-9, "m", "channel length")
    bl_wire: float = parameter(40e-18, "F", "local bit-line wire per row: about 0.2 um at 0.2 fF/um")
    wl_wire: float = parameter(40e-18, "F", "word-line wire per cell: about 0.2 um at 0.2 fF/um")

    def __post_init__(self) -> None:
        check_sizes(self, ("width",))

    @property
    def pins(self) -> tuple[str, ...]:
        """Of the subcircuits."""
        return ("bl", "wl")

    def area(self, node: float) -> CellArea:
        """Estimate from device rules, scaled."""
        return replace(scaled_area(AREA_45NM, 45e-9, node, 1.0), macro=YOLOC_MACRO, macro_node=28e-9)
