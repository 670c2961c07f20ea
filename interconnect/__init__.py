"""The metal: stacks, geometry to resistance and capacitance, exact solutions of linear R-C networks.

Names load on first use, so that importing the package stays cheap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from interconnect.lazy import lazy_names

if TYPE_CHECKING:
    from interconnect.chargearray import FloatingTabs, SettledArray, settle_array
    from interconnect.crossbar import CrossbarSolution, effective_conductance, solve_crossbar
    from interconnect.errors import InputError, SolverError
    from interconnect.extraction import Extraction, extract
    from interconnect.geometry import GROUND, Box, CellGeometry, Slab
    from interconnect.network import LinearNetwork
    from interconnect.provenance import Provenance, Value
    from interconnect.scaling import Corner, Scaling, Spread
    from interconnect.stack import Metal, Stack, ViaLayer, load_stack
    from interconnect.variation import Sensitivity, at_corner, cell_sigma_from_ler, scaled, sensitivity

_HOMES = {
    "SettledArray": "chargearray",
    "settle_array": "chargearray",
    "FloatingTabs": "chargearray",
    "Corner": "scaling",
    "Scaling": "scaling",
    "Spread": "scaling",
    "Sensitivity": "variation",
    "at_corner": "variation",
    "scaled": "variation",
    "sensitivity": "variation",
    "cell_sigma_from_ler": "variation",
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
    "Corner",
    "CrossbarSolution",
    "Extraction",
    "FloatingTabs",
    "InputError",
    "LinearNetwork",
    "Metal",
    "Provenance",
    "Scaling",
    "Sensitivity",
    "SettledArray",
    "Slab",
    "SolverError",
    "Spread",
    "Stack",
    "Value",
    "ViaLayer",
    "at_corner",
    "cell_sigma_from_ler",
    "effective_conductance",
    "extract",
    "load_stack",
    "scaled",
    "sensitivity",
    "settle_array",
    "solve_crossbar",
]

__getattr__ = lazy_names(__name__, _HOMES)


def __dir__() -> list[str]:
    return sorted(__all__)
