"""Local mismatch of the cells: as the configuration states it, or by the roughness law of the metal stack."""

from characterization.testbench import Variation
from interconnect.errors import InputError
from interconnect.variation import cell_sigma_from_area, cell_sigma_from_ler
from metalrom.design.design import Design

AUTO = "auto"
STATED = "estimate: as stated in the configuration, which names no source"


def configured_variation(design: Design) -> Variation:
    """Relative sigma of one cell's coupling or resistor, and where it comes from.

    Raises InputError for `auto` where the technology has no law for this cell: a law of another process is not taken.
    """
    section = design.config.variation
    if section.cell_sigma != AUTO:
        return Variation(float(section.cell_sigma), section.source or STATED)
    found = roughness_variation(design)
    if found is not None:
        return found
    kind = design.config.cell.kind
    missing = (
        f"the stack {design.stack.name} tells no spread"
        if design.stack.spread is None
        else f"the technology has no mismatch law for the varying element of {kind}"
    )
    raise InputError(
        f"cell_sigma is {'auto' if 'cell_sigma' in section.model_fields_set else 'not stated'}, but {missing}",
        where=f"{design.path}: variation.cell_sigma",
        hint="state a number, such as 2.5%, and its source",
    )


def roughness_variation(design: Design) -> Variation | None:
    """Line-edge roughness of the stack on the drawn gap between tab and bit line; None where there is no such law.

    A longer tab averages more of the roughness. The stack's area law of capacitors is reported beside it: it was
    measured on capacitors of square micrometres and only extrapolates to a cell. A resistor does not depend on its
    lines.
    """
    spread = design.stack.spread
    plane = design.planes[0]
    if spread is None or not hasattr(design.cell, "lengths"):
        return None
    coupling = design.cell.lengths(design.stack, plane).coupling
    if coupling is None:
        return None
    gap, length = coupling.gap, coupling.length
    sigma = cell_sigma_from_ler(length, gap, spread.edge_sigma, spread.edge_correlation)
    edge = f"{3 * spread.edge_sigma * 1e9:.3g} nm (3 sigma), correlation {spread.edge_correlation * 1e9:.3g} nm"
    place = f"on a gap of {gap * 1e9:.3g} nm over {length * 1e9:.3g} nm"
    source = f"estimate: line-edge roughness of {edge}, {place}"
    by_area = cell_sigma_from_area(design.stack, length * design.stack.metal(plane.column).thickness)
    if design.config.variation.cell_sigma == AUTO:
        source += f"; the area law of large capacitors, extrapolated, would give {100 * by_area:.3g} %"
    return Variation(sigma, source, (min(sigma, by_area), max(sigma, by_area)))
