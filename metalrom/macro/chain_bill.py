"""Area, energy and time of a macro whose readout is a chain of transistors: from its drawn parts and measured supplies.

Line, sampling capacitor, converter, logic and row drivers are shared by all planes of a line and by all columns that
meet on it; a segment has a reset and a follower per bit line. Unless rows are held, every conversion resets, drives the
rows of all columns and settles again; otherwise the lines of a bus are converted in turn and pay for one read together.
The bias is on in every line of a bus, or with switches in two; a line whose bias is off leaks less than a row driver.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from characterization.procedures.chain_energy import ChainEnergyPoint
from interconnect.provenance import Provenance
from metalrom.macro.chain_cost import ChainCost
from metalrom.macro.geometry import MacroGeometry
from metalrom.macro.quantity import Component, Span, total
from netlists.devices.area import AreaRules
from netlists.readout.drawn import DrawnPart
from netlists.readout.tile_chain import units_of_tile

AREA_FACTOR = 1.5
CAPACITOR_FACTOR = 1.3
WIRE_FACTOR = 1.5
SIMULATED = "simulated, supply current over a cycle"

METAL = ("array", "via_towers", "dummy_cells", "reference_cells", "replica_cells", "capacitors")
"""Parts that take the metals of the planes; all others are transistors and may lie under them."""


XOR_GATES = 2.0
"""Two-input NAND equivalents of a two-input XOR: 1.596 against 0.798 um2 (Nangate's open 45 nm library)."""


def dummy_rows(geometry: MacroGeometry) -> int:
    """Dummy rows of a complement-driven tile, one per segment: binary cells need an even number of driven rows where a
    column is read by itself."""
    alone = geometry.symbol_values == (0, 1) and geometry.columns_per_conversion == 1
    return geometry.groups if alone else 0


def dummy_row_areas(geometry: MacroGeometry) -> dict[str, Component]:
    """Areas of the dummy rows' cells and of the parity that drives them, m2; their drivers are counted as rows."""
    g, number = geometry, dummy_rows(geometry)
    if not number:
        return {}
    cells = Component(
        Span.exact(number * g.columns * g.cell_area), Provenance("user", f"{number} dummy rows: cell footprint")
    )
    rules = g.known_rules
    gates = f"an XOR per row for the parity of the driven rows ({_rules_source(rules)})"
    parity = Component(Span.factor(rules.logic_area(XOR_GATES * g.rows), AREA_FACTOR), Provenance("estimate", gates))
    return {"dummy_cells": cells, "dummy_parity": parity}


def chain_area(cost: ChainCost, geometry: MacroGeometry) -> dict[str, Component]:
    """Areas of one tile's readout, m2: drawn parts by name, and the capacitors."""
    g = geometry
    dummies = dummy_rows(g) if cost.drive == "complement" else 0
    number = units_of_tile(
        rows=g.rows + dummies,
        columns=g.columns,
        planes=g.planes,
        segments=g.groups,
        planes_per_line=g.planes_per_adc,
        columns_per_line=cost.columns_per_line,
        columns_per_conversion=g.columns_per_conversion,
        columns_per_bus=cost.columns,
        buses_per_group=cost.buses,
        control_lines=cost.lines,
    )
    banks = -(-g.planes // g.planes_per_adc)
    out = drawn_areas(cost.parts, number, g.known_rules) | (dummy_row_areas(g) if dummies else {})
    rules = _rules_source(g.known_rules, drawn=True)
    copies = cost.replica_columns
    line = g.groups * cost.part("lcc_reset").known_area + cost.part("column_line").known_area
    line_copies = banks * -(-copies // cost.columns_per_line)
    source = f"{copies} replica columns for the ends of the converters' range"
    out["replicas"] = Component(
        Span.factor(line_copies * line, AREA_FACTOR), Provenance("estimate", f"{source}: transistors ({rules})")
    )
    out["replica_cells"] = Component(
        Span.exact(copies * (g.rows + dummies) * g.cell_area), Provenance("user", f"{source}: cell footprint")
    )
    number["column"] += line_copies
    farads = sum(number[part.unit] * part.capacitance for part in cost.parts)
    density = cost.density.provenance
    out["capacitors"] = Component(
        Span.factor(farads / cost.density.value, CAPACITOR_FACTOR),
        Provenance(density.status, f"{farads * 1e15:.4g} fF; {density.source}; range x/: {CAPACITOR_FACTOR:g}"),
    )
    return out


def drawn_areas(parts: Sequence[DrawnPart], number: Mapping[str, int], rules: AreaRules) -> dict[str, Component]:
    """Areas of drawn parts by name, m2; number: how often each of their units is in a tile."""
    out = {}
    for part in parts:
        by = _rules_source(rules, drawn=part.drawn)
        source = f"{part.transistors} transistors per {part.unit} as drawn: {part.source} ({by})"
        area = Span.factor(number[part.unit] * part.known_area, AREA_FACTOR)
        out[part.name] = Component(area, Provenance("estimate", source))
    return out


def _rules_source(rules: AreaRules, *, drawn: bool = False) -> str:
    source = (rules.drawing if drawn else rules.provenance).source
    return f"{rules.name}: {source}; range x/: {AREA_FACTOR:g}"


def measured(value: float, source: str) -> Component:
    """An energy from the supplies' currents, J; what a supply takes back counts nothing."""
    return Component(Span.exact(max(value, 0.0)), Provenance("measured", f"{SIMULATED}: {source}"))


def wires(value: float, source: str) -> Component:
    """An energy that wires take, J."""
    return Component(Span.factor(value, WIRE_FACTOR), Provenance("estimate", f"{source}; range x/: {WIRE_FACTOR:g}"))


def chain_energy(
    cost: ChainCost, geometry: MacroGeometry, point: ChainEnergyPoint, vdd: float, driven: float, rows: Span
) -> dict[str, Component]:
    """Energies of one conversion, J, from the measured supplies.

    Parameters
    ----------
    cost, geometry : ChainCost, MacroGeometry
        Readout and macro.
    point : ChainEnergyPoint
        What was measured at the condition.
    vdd : float
        Its supply, V.
    driven : float
        Mean number of driven rows.
    rows : Span
        Mean energy of the rows of one plane per column and read, J.
    """
    g = geometry
    planes = g.planes_per_driver
    shared = cost.columns  # a read of all columns serves one conversion of every bus
    lines = shared // cost.columns_per_line
    parked = lines * (planes * cost.columns_per_line - 1)
    turns = cost.conversions_per_read
    period = read_period(cost, point)
    rest = period - point.cycle
    dummies = dummy_rows(g) if cost.drive == "complement" else 0
    drivers = (g.rows + dummies) * -(-g.planes // planes) * cost.lines_per_row
    across = cost.line_capacitance * shared * (cost.reset_gate**2 + 3 * vdd**2)
    parts = {
        "row_drivers": Component(
            rows * (shared * planes / turns),
            Provenance(
                "measured",
                f"{SIMULATED}: rows of all {planes} planes, driven for each of {shared} columns"
                + (f", {turns} at a time" if turns > 1 else ""),
            ),
        ),
        "driver_gates": measured(
            point.row_gates / point.active * driven / g.adcs / turns, f"gates of {driven:.3g} driven rows' drivers"
        ),
        "reset": measured(
            (lines * (point.reset_gate + point.reset_charge) + parked * point.parked + point.reset_driver / g.adcs)
            / turns,
            f"gates and charge of {lines} bit lines, driver of the line"
            + (f", level of {parked} parked bit lines" if point.parked > 0 else ""),
        ),
        "line_bias": measured(
            (
                cost.biased * (point.line + point.line_power * rest)
                + (lines - cost.biased) * point.driver_leakage * period
                + point.bias
                + point.bias_power * rest
            )
            / turns,
            f"bias and off devices of {cost.biased} of {lines} lines for {period * 1e9:.3g} ns, diode of the bus"
            + (f", for {turns} conversions" if turns > 1 else ""),
        ),
        "clamp": measured(lines * point.clamp / turns, f"gates and levels of {lines} lines"),
        "column_mux": measured(point.mux, "the joining line, reset of the bus"),
        "leakage": measured(
            (point.driver_leakage * drivers * period / g.adcs + lines * point.parking) / turns,
            f"{drivers} row lines' drivers, parked followers, over {period * 1e9:.3g} ns",
        ),
        "control_lines": wires(across, f"wire of four lines across {g.columns} columns"),
        "adc": measured(
            sum(point.converter.values()),
            f"every source of a conversion: {cost.converter}",
        ),
    }
    if cost.counter_capacitance > 0:
        source = f"{cost.counter_capacitance * 1e15:.3g} fF of counter lines per conversion"
        parts["counter"] = wires(cost.counter_capacitance * vdd**2, source)
    updates = f"{100 * cost.update_share:.2g} % more reads, of idle and replica columns"
    parts["threshold_updates"] = Component(
        total(parts) * cost.update_share, Provenance("measured", f"{SIMULATED}: {updates}")
    )
    return parts


def read_period(cost: ChainCost, point: ChainEnergyPoint) -> float:
    """From a read's start to the next one's, s: the chain's cycle without its wait for the converter, what of the
    conversion it does not hold, and the turns of further lines."""
    further = (cost.conversions_per_read - 1) * cost.slot
    return cost.timing.stop - cost.timing.queue + point.conversion - _held(cost, point) + further


def _held(cost: ChainCost, point: ChainEnergyPoint) -> float:
    """Part of the conversion that the chain's own cycle holds the rows for, s."""
    return min(cost.timing.hold, point.conversion)


def chain_times(cost: ChainCost, point: ChainEnergyPoint) -> dict[str, Component]:
    """Times of one conversion, s."""
    t = cost.timing
    late = [p for p in cost.settling.late if p.condition == point.condition]
    phases = [p for p in cost.settling.phases if p.condition == point.condition]
    needed = ", ".join(f"{p.phase} {p.needed * 1e9:.3g} of {p.given * 1e9:.3g} ns" for p in phases)
    verdict = "NOT SETTLED" if late else "settled"
    timing = Provenance("measured", f"timing of the chain; {verdict} within {cost.settling.band:g} LSB: {needed}")
    if cost.conversions_per_read > 1:  # lines join the bus in turn, after one read
        returns = t.stop - t.decides - _held(cost, point)
        return {
            "read": Component(Span.exact(t.bus_joins - t.queue + returns), timing),
            "turn": Component(
                Span.exact(cost.slot - point.conversion), Provenance("measured", "reset and settling of the bus")
            ),
            "adc": Component(
                Span.exact(point.conversion), Provenance("measured", f"{cost.energy.bits}-bit conversion as simulated")
            ),
        }
    return {
        "read": Component(Span.exact(t.decides), timing),
        "adc": Component(
            Span.exact(point.conversion), Provenance("measured", f"{cost.energy.bits}-bit conversion as simulated")
        ),
        "recover": Component(
            Span.exact(t.stop - t.decides - _held(cost, point)), Provenance("measured", "rows return, next reset")
        ),
    }


def without_metal(parts: Mapping[str, Component]) -> list[Component]:
    """Parts that may lie under the array."""
    return [part for name, part in parts.items() if name not in METAL]
