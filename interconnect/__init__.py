"""Metal stacks, extraction of resistance and capacitance, and exact solutions of linear R-C networks.

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
    from interconnect.network_parameters import LineFit, fit_line, line_parameters, write_touchstone
    from interconnect.provenance import Provenance, Value
    from interconnect.reduction import ReducedNetwork, reduce_network
    from interconnect.scaling import Corner, Scaling, Spread
    from interconnect.stack import Metal, Stack, ViaLayer
    from interconnect.stackfile import load_stack
    from interconnect.transient import Transient, solve_transient
    from interconnect.variation import Sensitivity, at_corner, cell_sigma_from_ler, scaled, sensitivity
    from interconnect.waveform import Switch, VoltageSources, Waveform
    from interconnect.wire_array import WireArray


_HOMES = {
    "FloatingTabs": "chargearray",
    "SettledArray": "chargearray",
    "settle_array": "chargearray",
    "CrossbarSolution": "crossbar",
    "effective_conductance": "crossbar",
    "solve_crossbar": "crossbar",
    "InputError": "errors",
    "SolverError": "errors",
    "Extraction": "extraction",
    "extract": "extraction",
    "Box": "geometry",
    "CellGeometry": "geometry",
    "GROUND": "geometry",
    "Slab": "geometry",
    "LinearNetwork": "network",
    "LineFit": "network_parameters",
    "fit_line": "network_parameters",
    "line_parameters": "network_parameters",
    "write_touchstone": "network_parameters",
    "Provenance": "provenance",
    "Value": "provenance",
    "ReducedNetwork": "reduction",
    "reduce_network": "reduction",
    "Corner": "scaling",
    "Scaling": "scaling",
    "Spread": "scaling",
    "Metal": "stack",
    "Stack": "stack",
    "ViaLayer": "stack",
    "load_stack": "stackfile",
    "Transient": "transient",
    "solve_transient": "transient",
    "Sensitivity": "variation",
    "at_corner": "variation",
    "cell_sigma_from_ler": "variation",
    "scaled": "variation",
    "sensitivity": "variation",
    "VoltageSources": "waveform",
    "Switch": "waveform",
    "Waveform": "waveform",
    "WireArray": "wire_array",
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
    "LineFit",
    "LinearNetwork",
    "Metal",
    "Provenance",
    "ReducedNetwork",
    "Scaling",
    "Sensitivity",
    "SettledArray",
    "Slab",
    "SolverError",
    "Spread",
    "Stack",
    "Switch",
    "Transient",
    "Value",
    "ViaLayer",
    "VoltageSources",
    "Waveform",
    "WireArray",
    "at_corner",
    "cell_sigma_from_ler",
    "effective_conductance",
    "extract",
    "fit_line",
    "line_parameters",
    "load_stack",
    "reduce_network",
    "scaled",
    "sensitivity",
    "settle_array",
    "solve_crossbar",
    "solve_transient",
    "write_touchstone",
]

__getattr__ = lazy_names(__name__, _HOMES)


def __dir__() -> list[str]:
    return sorted(__all__)
