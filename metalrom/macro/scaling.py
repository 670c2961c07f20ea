"""A macro's area at another process node, by the rule that densities of the literature are scaled with."""

from __future__ import annotations

from metalrom.macro.chain_bill import METAL
from metalrom.macro.cost import edge_area
from metalrom.macro.estimate import MacroEstimate
from metalrom.macro.quantity import Span, total
from netlists.devices.area import area_at_node


def tile_at_node(metal: Span, silicon: Span, edge_width: float, *, metals: float, devices: float, node: float) -> Span:
    """Area of one tile with the periphery under its metals, m2, as if both shrank ideally to `node`.

    Parameters
    ----------
    metal, silicon : Span
        What a tile takes of the metals and of the silicon under them, m2, as drawn.
    edge_width : float
        Width of the ring around it, m; it shrinks with the transistors.
    metals, devices : float
        Nodes of the metal stack and of the transistors, m.
    node : float
        Where both go, m.

    Raises
    ------
    InputError
        A node that is none.
    """
    tile = (metal * area_at_node(1.0, metals, node)).highest(silicon * area_at_node(1.0, devices, node))
    return tile + edge_area(tile, edge_width * area_at_node(1.0, devices, node) ** 0.5)


def metal_and_silicon(estimate: MacroEstimate) -> tuple[Span, Span]:
    """What one tile takes of the metals and of the silicon under them, m2."""
    parts = estimate.area.items()
    metal = total(part for name, part in parts if name in METAL)
    silicon = total(part for name, part in parts if name not in METAL)
    return metal * (1 / estimate.geometry.tiles), silicon * (1 / estimate.geometry.tiles)


def stacked_at_node(estimate: MacroEstimate, *, metals: float, devices: float, node: float) -> Span:
    """Area of all tiles with the periphery under the array, m2, as if metals and transistors shrank ideally to `node`.

    Parameters
    ----------
    estimate : MacroEstimate
        As drawn.
    metals, devices : float
        Nodes of its metal stack and of its transistors, m.
    node : float
        Where both go, m.

    Returns
    -------
    Span
        At the drawn nodes this is `estimate.footprint.stacked`.

    Raises
    ------
    InputError
        The device set has no area rules.
    """
    g = estimate.geometry
    g.known_rules  # noqa: B018 - says what is missing
    metal, silicon = metal_and_silicon(estimate)
    return tile_at_node(metal, silicon, g.edge_width, metals=metals, devices=devices, node=node) * g.tiles
