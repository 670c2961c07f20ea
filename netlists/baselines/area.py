"""Area of a baseline cell: one anchor with status and source, scaled by the square of the feature size."""

from dataclasses import dataclass

from interconnect.errors import InputError
from interconnect.provenance import Provenance, Value


@dataclass(frozen=True, slots=True)
class CellArea:
    """Area of one cell (m^2) in a technology, and the anchor it comes from.

    scaled: the cell's area in the technology asked for; status `published` only at the anchor's own feature size.
    The share of the local computing cell, drivers and converters is not in it. macro: published density (bit/m^2) of a
    macro of this class with all of those, at the feature size macro_node; None where none is known.
    """

    scaled: Value
    anchor: Value
    anchor_node: float
    bits: float
    macro: Value | None = None
    macro_node: float | None = None

    @property
    def per_bit(self) -> float:
        """m^2 per stored bit."""
        return self.scaled.value / self.bits

    @property
    def squares(self) -> float:
        """Area in squares of the feature size (F^2) per cell."""
        return self.anchor.value / self.anchor_node**2


def scaled_area(anchor: Value, anchor_node: float, node: float, bits: float) -> CellArea:
    """The anchor's area at another feature size: area x (node / anchor node)^2, an estimate by that step.

    Raises:
        InputError: the feature size is not between 1 nm and 1 um.
    """
    if not 1e-9 <= node <= 1e-6:
        raise InputError(f"feature size {node!r} m must lie between 1e-9 and 1e-6 m", where="local cell area")
    if abs(node / anchor_node - 1) < 1e-9:
        return CellArea(anchor, anchor, anchor_node, bits)
    source = f"scaled by the square of the feature size from {anchor_node * 1e9:g} nm: {anchor.provenance.source}"
    value = anchor.value * (node / anchor_node) ** 2
    return CellArea(Value(value, "m^2", Provenance("estimate", source)), anchor, anchor_node, bits)


SRAM_6T_45NM = Value(
    0.346e-12,
    "m^2",
    Provenance("published", "6T SRAM cell of a 45 nm logic process: Mistry et al., IEDM 2007, pp. 247-250"),
)
