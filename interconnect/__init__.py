"""The metal: stacks, geometry to resistance and capacitance, exact solutions of linear R-C networks.

Names load on first use, so that importing the package stays cheap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from interconnect.lazy import lazy_names

if TYPE_CHECKING:
    from interconnect.crossbar import CrossbarSolution, effective_conductance, solve_crossbar
    from interconnect.errors import InputError, SolverError
    from interconnect.extraction import Extraction, extract
    from interconnect.geometry import GROUND, Box, CellGeometry, Slab
    from interconnect.network import LinearNetwork
    from interconnect.provenance import Provenance, Value
    from interconnect.stack import Metal, Stack, ViaLayer, load_stack

_HOMES = {
    "InputError": "errors",
    "SolverError": "errors",
    "CrossbarSolution": "crossbar",
    "effective_conductance": "crossbar",
    "solve_crossbar": "crossbar",
    "Extraction": "extraction",
    "extract": "extraction",
    "GROUND": "geometry",
    "Box": "geometry",
    "CellGeometry": "geometry",
    "Slab": "geometry",
    "LinearNetwork": "network",
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
    "CrossbarSolution",
    "Extraction",
    "InputError",
    "LinearNetwork",
    "Metal",
    "Provenance",
    "Slab",
    "SolverError",
    "Stack",
    "Value",
    "ViaLayer",
    "effective_conductance",
    "extract",
    "load_stack",
    "solve_crossbar",
]

__getattr__ = lazy_names(__name__, _HOMES)


def __dir__() -> list[str]:
    return sorted(__all__)
