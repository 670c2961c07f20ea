"""Every cell kind at its smallest size, metal alone: what the drawing gives before any transistor or converter."""

import math
from dataclasses import dataclass, replace

from characterization.noise import BOLTZMANN
from metalrom.design.design import Design
from metalrom.studies.density.space import RatedDesign
from netlists.cells import CELLS

ROWS = 32
"""Rows on one bit line in the figures below."""


@dataclass(frozen=True, slots=True)
class KindSummary:
    """One cell kind on the project's lowest plane, drawn as small as the stack allows.

    area: m2. bits: log2 of the symbols. per_count: driven capacitance per count, F (0: a current cell). load: bit-line
    capacitance per row, F. spacing: V per count of `ROWS` rows, metal alone. noise: kT/C in counts there, sampled once,
    on the difference of two lines for a differential cell. density: Mb/mm2 of all the planes that the design lists.
    """

    kind: str
    area: float
    bits: float
    per_count: float
    load: float
    spacing: float
    noise: float
    density: float


def kind_summaries(design: Design) -> tuple[KindSummary, ...]:
    """Every kind that the stack can draw; the closed forms of the metal alone, no simulation.

    Group-size law: sigma = sqrt(k T N c_load) / (V c_count) counts for N rows (charge shared over the whole line).
    """
    condition = design.conditions[0]
    out = []
    for kind in CELLS:
        model = _smallest(design, kind).models[0]
        bits = math.log2(model.symbols)
        density = bits * len(design.planes) / model.area * 1e-12
        fact = KindSummary(kind, model.area, bits, 0.0, model.bl_total, 0.0, 0.0, density)
        if model.mode == "charge":
            lines = len(model.bit_lines)
            sigma = math.sqrt(lines * BOLTZMANN * condition.kelvin * ROWS * model.bl_total)
            fact = replace(
                fact,
                per_count=model.switched,
                spacing=condition.vdd * model.switched / (ROWS * model.bl_total),
                noise=sigma / (condition.vdd * model.switched),
            )
        out.append(fact)
    return tuple(out)


def _smallest(design: Design, kind: str) -> RatedDesign:
    """The design with a cell of `kind`, drawn as small as the stack allows, on its lowest plane alone."""
    section = design.config.cell
    cell = type(section)(kind=kind, planes=section.planes[:1])
    return RatedDesign(design.config.model_copy(update={"cell": cell}), design.path)


def kinds_table(facts: tuple[KindSummary, ...], planes: int) -> list[str]:
    """The facts as lines of a Markdown table."""
    lines = [
        f"| cell | um2 | bits | aF per count | aF per row | mV per count, {ROWS} rows | kT/C, counts | "
        f"Mb/mm2 raw, {planes} planes |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for f in facts:
        charge = (
            f"{f.per_count * 1e18:.2f} | {f.load * 1e18:.1f} | {f.spacing * 1e3:.2f} | {f.noise:.3f}"
            if f.per_count
            else f"current | {f.load * 1e18:.1f} | - | -"
        )
        lines.append(f"| `{f.kind}` | {f.area * 1e12:.4f} | {f.bits:.3g} | {charge} | {f.density:.1f} |")
    return lines
