"""Integer weights as cell symbols (mappings), and the place of these symbols on macros."""

from netlists.mapping.placement import MacroShape, Placement, TileManifest, tile
from netlists.mapping.program import Encoding, ViaProgram, weights_of
from netlists.mapping.scheme import (
    MAPPINGS,
    MAX_BITS,
    Mapping,
    Scheme,
    register_mapping,
    scheme_of,
    via_program,
)

__all__ = [
    "MAPPINGS",
    "MAX_BITS",
    "Encoding",
    "MacroShape",
    "Mapping",
    "Placement",
    "Scheme",
    "TileManifest",
    "ViaProgram",
    "register_mapping",
    "scheme_of",
    "tile",
    "via_program",
    "weights_of",
]
