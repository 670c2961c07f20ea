"""Area of a macro with its periphery, and what is counted per area."""

from collections.abc import Mapping
from dataclasses import dataclass

from metalrom.macro.chain_bill import METAL, without_metal
from metalrom.macro.cost import edge_area
from metalrom.macro.geometry import MacroGeometry
from metalrom.macro.merit import throughput_density
from metalrom.macro.quantity import Component, Span, total

MEGABIT_PER_MM2 = 1e-12
"""Bits / m^2 to Mb / mm^2."""

MM2 = 1e6
"""m^2 to mm^2."""


@dataclass(frozen=True, slots=True)
class MacroFootprint:
    """Areas of all tiles with their periphery m^2, and densities over them Mb/mm^2 of the cells in use.

    stacked: the periphery lies under the array, max(array, periphery) + edge (a chain's capacitors lie
    beside the array, in its metals). side_by_side: their sum + edge. weight_density counts weight bits: a differential
    weight of b bits takes 2 (b - 1) cells.
    """

    stacked: Span
    side_by_side: Span
    density_stacked: Span
    density_side_by_side: Span
    weight_density_stacked: Span
    tops_per_mm2_stacked: Span
    tops_per_mm2_side_by_side: Span


def footprint_of(geometry: MacroGeometry, area: Mapping[str, Component], tops: Span) -> MacroFootprint:
    """All parts together, and what is counted per area."""
    metal = total(part for name, part in area.items() if name in METAL)
    periphery = total(without_metal(area))
    stacked = _with_edge(metal.highest(periphery), geometry)
    side_by_side = _with_edge(metal + periphery, geometry)
    used = geometry.bits * geometry.tiles * geometry.utilisation * MEGABIT_PER_MM2
    per_cell = geometry.bits_per_cell
    weight_bits = geometry.bits_per_weight / geometry.bit_columns_per_weight
    return MacroFootprint(
        stacked=stacked,
        side_by_side=side_by_side,
        density_stacked=stacked.under(used * per_cell),
        density_side_by_side=side_by_side.under(used * per_cell),
        weight_density_stacked=stacked.under(used * weight_bits),
        tops_per_mm2_stacked=throughput_density(tops, stacked),
        tops_per_mm2_side_by_side=throughput_density(tops, side_by_side),
    )


def _with_edge(area: Span, geometry: MacroGeometry) -> Span:
    """Area of all tiles with the ring around each tile."""
    tile = area * (1 / geometry.tiles)
    return (tile + edge_area(tile, geometry.edge_width)) * geometry.tiles
