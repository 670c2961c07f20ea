"""A macro's area at another process node, by the rule that densities of the literature are scaled with."""

from __future__ import annotations

from metalrom.macro.chain_bill import METAL
from metalrom.macro.cost import edge_area
from metalrom.macro.estimate import MacroEstimate
from metalrom.macro.quantity import Span, total
from netlists.devices.area import area_at_node


def stacked_at_node(estimate: MacroEstimate, *, metals: float, devices: float, node: float) -> Span:
    """Area of all tiles with the periphery under the array, m2, as if metals and transistors shrank ideally to `node`.

    Parameters
    ----------
    estimate : MacroEstimate
        As drawn.
    metals, devices : float
        Nodes of its metal stack and of its transistors, m.
    node : float
        Where both go, m; the ring around a tile shrinks with the transistors.

    Returns
    -------
    Span
        At the drawn nodes this is `estimate.footprint.stacked`.

    Raises
    ------
    InputError
        The device set has no area rules.
    """
    estimate.geometry.known_rules  # noqa: B018 - says what is missing
    tiles = estimate.geometry.tiles
    metal = total(part for name, part in estimate.area.items() if name in METAL)
    under = total(part for name, part in estimate.area.items() if name not in METAL)
    tile = (metal * area_at_node(1.0, metals, node)).highest(under * area_at_node(1.0, devices, node)) * (1 / tiles)
    width = estimate.geometry.edge_width * area_at_node(1.0, devices, node) ** 0.5
    return (tile + edge_area(tile, width)) * tiles
