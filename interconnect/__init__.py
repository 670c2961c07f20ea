"""The metal: stacks, geometry to resistance and capacitance, exact solutions of linear R-C networks.

Names load on first use, so that importing the package stays cheap.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from interconnect.errors import InputError, SolverError
    from interconnect.extraction import Extraction, extract
    from interconnect.geometry import GROUND, Box, CellGeometry, Slab
    from interconnect.provenance import Provenance, Value
    from interconnect.stack import Metal, Stack, ViaLayer, load_stack

_HOMES = {
    "InputError": "errors",
    "SolverError": "errors",
    "Extraction": "extraction",
    "extract": "extraction",
    "GROUND": "geometry",
    "Box": "geometry",
    "CellGeometry": "geometry",
    "Slab": "geometry",
    "Provenance": "provenance",
    "Value": "provenance",
    "Metal": "stack",
    "Stack": "stack",
    "ViaLayer": "stack",
    "load_stack": "stack",
}

__all__ = [
    "GROUND",
    "Box",
    "CellGeometry",
    "Extraction",
    "InputError",
    "Metal",
    "Provenance",
    "Slab",
    "SolverError",
    "Stack",
    "Value",
    "ViaLayer",
    "extract",
    "load_stack",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
