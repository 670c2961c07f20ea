"""Every input between the bit line and the code: what stage it belongs to, its value, and how it is known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from characterization.tables.table import ReadoutTable
from characterization.testbench import Testbench
from metalrom.macro.chain_cost import ChainCost
from metalrom.macro.cost import IDEAL_READOUT
from metalrom.macro.inverter_cost import InverterCost
from netlists.devices.area import NOT_AVAILABLE
from netlists.parameters import describe_parameters
from netlists.readout.column_sar import UNIT_MISMATCH, UNIT_MISMATCH_SOURCE

STAGES = {
    "cell mismatch": "bit line",
    "neighbouring bits": "bit line",
    "readout input load": "bit line",
    "plane select": "bit line",
    "readout": "chain",
    "readout noise": "sampling",
    "double sampling": "sampling",
    "shared line": "line",
    "comparator noise": "comparator",
    "current sense": "comparator",
}
"""Stage of an input of the readout table, by name; of the converter where nothing else is said."""


OF_THE_STACK = (
    ("line", "capacitance"), ("line", "resistance"), ("bus", "wire_capacitance"), ("inverter", "line_capacitance"),
)  # fmt: skip
"""(stage, name) of sizes that the input `shared line` holds."""


@dataclass(frozen=True)
class ReadoutInput:
    """One input: stage of the path, name, value in words, status (simulated, fitted, published, estimate, assumption,
    user or measured) and source."""

    stage: str
    name: str
    value: str
    status: str
    source: str


def readout_inputs(
    setup: Testbench, table: ReadoutTable, cost: ChainCost | InverterCost | None
) -> tuple[ReadoutInput, ...]:
    """All inputs of a run's readout: those of the table, its own sizes, what its cost rests on."""
    known = [
        ReadoutInput(STAGES.get(a.name, "converter"), a.name, a.value, a.status, a.source) for a in table.assumptions
    ]
    if setup.stacked:
        drawn = sum(bool(p.above) * max(1, len(p.planes)) for p in setup.stacked)
        value = f"above {drawn} of {len(setup.plane_labels)} planes, driven with the same inputs"
        known.append(
            ReadoutInput("bit line", "rows of the next plane", value, "simulated", "both planes' lines extracted")
        )
    devices = setup.technology.devices
    cards = next((p for name, p in devices.provenance.items() if name not in ("geometry", "matching", "layout")), None)
    known += [
        ReadoutInput(
            "bit line",
            "capacitances of the cell",
            f"{setup.model.bl_total * 1e18:.4g} aF per row" if setup.unit == "V" else setup.model.kind,
            "simulated" if setup.model.method == "fieldsolver" else "estimate",
            f"extracted by {setup.model.method}, error {100 * setup.model.relative_error:.2g} %",
        ),
        ReadoutInput("transistors", "model cards", devices.name, cards.status if cards else "user", devices.title),
    ]
    if cost is None:
        return (*known, ReadoutInput("cost", "area, energy and time", IDEAL_READOUT, "published", "see the estimate"))
    return (*known, *_sizes(setup), *_costs(cost))


def _sizes(setup: Testbench) -> Iterator[ReadoutInput]:
    """Every size and time of the readout that the configuration decides."""
    chain = setup.chain
    blocks: tuple[tuple[str, object], ...] = (("inverter", setup.inverter),) if setup.inverter is not None else ()
    if chain is not None:
        blocks = (
            ("segment", chain.segment),
            ("line", chain.line),
            ("sampling", chain.sampler),
            ("bus", chain.bus),
            *([("comparator", chain.comparator)] if chain.converter.clocked else []),
            ("converter", chain.converter),
            ("timing", chain.timing),
        )
    for stage, block in blocks:
        for declared in describe_parameters(type(block)):
            if (stage, declared.name) in OF_THE_STACK:
                continue  # of the stack: the input `shared line`
            value = getattr(block, declared.name)
            shown = f"{value:.4g} {declared.unit}".strip() if isinstance(value, float) else str(value)
            status, source = "user", "configuration, or its default"
            if declared.name == "unit_mismatch" and value == UNIT_MISMATCH:
                status, source = "published", UNIT_MISMATCH_SOURCE
            yield ReadoutInput(stage, declared.name, shown, status, source)


def _costs(cost: ChainCost | InverterCost) -> Iterator[ReadoutInput]:
    """What area, energy and time rest on."""
    for part in cost.parts:
        area = NOT_AVAILABLE if part.area is None else f"{part.area * 1e12:.4g} um2"
        value = f"{part.transistors} transistors, {area} per {part.unit}"
        yield ReadoutInput("cost", f"area of {part.name}", value, "estimate", part.source)
    yield from _measured(cost) if isinstance(cost, ChainCost) else _measured_inverters(cost)
    yield ReadoutInput(
        "cost", "digital shift-add and address logic", "gates counted, 1.5 fF each", "estimate", "metalrom.macro.cost"
    )


def _measured(cost: ChainCost) -> Iterator[ReadoutInput]:
    density = cost.density
    value = f"{density.value * 1e3:.3g} fF/um2"
    yield ReadoutInput("cost", "density of capacitors", value, density.provenance.status, density.provenance.source)
    yield _energy_of_a_read(len(cost.energy.points), "chain_energy")
    for p in cost.settling.phases:
        value = f"{p.needed * 1e9:.3g} ns needed, {p.given * 1e9:.3g} ns given ({p.condition})"
        yield ReadoutInput("timing", f"settling of the {p.phase}", value, "simulated", "chain_settling")


def _measured_inverters(cost: InverterCost) -> Iterator[ReadoutInput]:
    yield _energy_of_a_read(len(cost.figures.points), "local_inverter")
    for p in cost.figures.points:
        value = f"{p.zero_drift:.2g} LSB after the reset, {p.settle_drift:.2g} LSB before the ramp ({p.condition})"
        yield ReadoutInput("timing", "drift of the bit line", value, "simulated", "local_inverter")


def _energy_of_a_read(conditions: int, procedure: str) -> ReadoutInput:
    return ReadoutInput(
        "cost", "energy of a read", f"every supply at {conditions} condition(s)", "simulated", procedure
    )
