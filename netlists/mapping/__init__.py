"""Integer weights as cell symbols (mappings), and the place of these symbols on macros."""

from __future__ import annotations

from netlists.mapping.complement import Offset, TwosComplement, Unsigned
from netlists.mapping.differential import Differential
from netlists.mapping.placement import MacroShape, Placement, TileManifest, tile
from netlists.mapping.program import Encoding, ViaProgram, weights_of
from netlists.mapping.scheme import (
    Mapping,
    Scheme,
    mapping_names,
    mapping_of,
    register_mapping,
    scheme_of,
    via_program,
)
from netlists.mapping.ternary import Ternary

__all__ = [
    "Encoding",
    "MacroShape",
    "Mapping",
    "Placement",
    "Scheme",
    "TileManifest",
    "ViaProgram",
    "mapping_names",
    "mapping_of",
    "register_mapping",
    "scheme_of",
    "tile",
    "via_program",
    "weights_of",
]

for _mapping in (Differential(), TwosComplement(), Offset(), Unsigned(), Ternary()):
    register_mapping(_mapping)
