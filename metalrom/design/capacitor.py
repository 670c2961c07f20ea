"""Density of a finger capacitor drawn in the metals of the planes, from the stack."""

from __future__ import annotations

from interconnect.geometry import Box, CellGeometry
from interconnect.provenance import Provenance
from metalrom.design.design import Design
from metalrom.macro.chain_cost import CapacitorDensity


def capacitor_density(design: Design) -> CapacitorDensity:
    """F per m2 of footprint between two nets whose fingers alternate, the same net above itself in every metal.

    One metal of each kind (width, space, thickness) is extracted between grounded sheets and counted as often as it
    occurs; cuts between the metals, which would add a little, are left out.
    """
    stack = design.stack
    top = max(stack.index(plane.column) for plane in design.planes)
    density, methods, known = 0.0, set(), {}
    for metal in stack.metals[: top + 1]:
        kind = (metal.min_width, metal.min_space, metal.top - metal.bottom)
        if kind not in known:
            pitch = metal.min_width + metal.min_space
            floor, ceiling = stack.plane_floor(metal.name), stack.plane_ceiling(metal.name)
            boxes = tuple(
                Box(net, metal.name, "line", (x, 0.0, metal.bottom), (x + metal.min_width, pitch, metal.top))
                for net, x in (("a", metal.min_space / 2), ("b", pitch + metal.min_space / 2))
            )
            period = (2 * pitch, pitch)
            name = f"finger capacitor on {metal.name}"
            found = design.extract(CellGeometry(name, boxes, period, floor, ceiling, stack.slabs(floor, ceiling)))
            methods.add(found.method)
            known[kind] = found.coupling("a", "b") / (period[0] * period[1])
        density += known[kind]
    first, last = stack.metals[0].name, stack.metals[top].name
    source = (
        f"finger capacitor in {first} to {last} of {stack.name}, {density * 1e3:.3g} fF/um2, extracted "
        f"({', '.join(sorted(methods))}); beside the array, transistors lie under it"
    )
    return CapacitorDensity(density, Provenance("estimate", source))
