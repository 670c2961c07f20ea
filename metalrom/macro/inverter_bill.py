"""Area, energy and time of a macro whose readout is inverters in the segment: from drawn parts and measured supplies.

Every column has its own line and latches, so that one read converts all columns of a plane; row drivers, reference
rows, lines and latches are those of all planes. Reads are not held.
"""

from __future__ import annotations

from interconnect.provenance import Provenance
from metalrom.macro.chain_bill import SIMULATED, drawn_areas, dummy_row_areas, dummy_rows, measured, wires
from metalrom.macro.geometry import MacroGeometry
from metalrom.macro.inverter_cost import InverterCost
from metalrom.macro.quantity import Component, Span, total


def inverter_area(cost: InverterCost, geometry: MacroGeometry) -> dict[str, Component]:
    """Areas of one tile's readout, m2: drawn parts by name, reference rows, replica columns."""
    g, a = geometry, cost.inverter
    copies = 2 * a.replicas
    number = {
        "row": (g.rows + dummy_rows(g)) * -(-g.planes // g.planes_per_driver),
        "segment": (g.columns + copies) * g.groups,
        "column": g.columns + copies,
        "bus": g.columns + copies,
        "group": -(-g.columns // a.shared_by),
        "line": cost.lines,
    }
    cells = g.groups * a.reference_rows * g.columns
    replicas = copies * (g.rows + dummy_rows(g) + g.groups * a.reference_rows)
    source = f"{a.reference_rows} reference rows in each of {g.groups} segments: cell footprint"
    return {
        **drawn_areas(cost.parts, number, g.known_rules),
        **dummy_row_areas(g),
        "reference_cells": Component(Span.exact(cells * g.cell_area), Provenance("user", source)),
        "replica_cells": Component(
            Span.exact(replicas * g.cell_area),
            Provenance("user", f"{copies} replica columns for the ends of the ramp's range: cell footprint"),
        ),
    }


def inverter_energy(
    cost: InverterCost, geometry: MacroGeometry, condition: str, vdd: float, driven: float, rows: Span
) -> dict[str, Component]:
    """Energies of one conversion, J, from the measured supplies.

    Parameters
    ----------
    cost, geometry : InverterCost, MacroGeometry
        Readout and macro.
    condition : str
        Label of a condition that was measured.
    vdd : float
        Its supply, V.
    driven : float
        Mean number of driven rows.
    rows : Span
        Mean energy of the rows of one plane per column and read, J.
    """
    g, a, point = geometry, cost.inverter, cost.figures.at(condition)
    planes = g.planes_per_driver
    drivers = 2 * (g.rows + dummy_rows(g)) * -(-g.planes // planes)
    idle = a.segments * a.planes - 1
    counter = a.switched_capacitance(cost.wire)
    parts = {
        "row_drivers": Component(
            rows * planes, Provenance("measured", f"{SIMULATED}: rows of all {planes} planes, driven for one read")
        ),
        "driver_gates": measured(
            point.row_gates / point.active * driven / g.columns, f"gates of {driven:.3g} driven rows' drivers"
        ),
        "reset": measured(point.reset, "gate and driver of one bit line"),
        "inverters": measured(point.supply, "both inverters of a bit line"),
        "ramp": measured(planes * point.ramp, f"reference rows of all {planes} planes, charge out of the supply"),
        "column_line": measured(
            point.line + point.gates, "line with keeper and inverter, gates of supply switch, select, precharge"
        ),
        "leakage": measured(
            point.driver_leakage * drivers * a.stop / g.columns + idle * point.idle_power * a.stop,
            f"{drivers} row lines' drivers, {idle} inverters that are off, over {a.stop * 1e9:.3g} ns",
        ),
        "control_lines": wires(cost.wire * (a.reset_gate**2 + 3 * vdd**2), "wire of four lines across a column"),
        "counter": wires(counter * vdd**2, f"{counter * 1e15:.3g} fF of counter lines per conversion"),
    }
    updates = f"{100 * a.update_share:.2g} % more reads, of replica columns"
    parts["threshold_updates"] = Component(
        total(parts) * a.update_share, Provenance("measured", f"{SIMULATED}: {updates}")
    )
    return parts


def inverter_times(cost: InverterCost, condition: str) -> dict[str, Component]:
    """Times of one conversion, s."""
    a, point = cost.inverter, cost.figures.at(condition)
    verdict = "settled" if point.settled else "NOT SETTLED"
    drift = f"{point.zero_drift:.2g} LSB at the end of the reset, {point.settle_drift:.2g} LSB before the ramp"
    return {
        "read": Component(
            Span.exact(a.ramp_start), Provenance("measured", f"reset and rows; {verdict}, drift {drift}")
        ),
        "adc": Component(Span.exact(a.ramp_time), Provenance("measured", "ramp over all levels as simulated")),
        "recover": Component(Span.exact(a.recover), Provenance("measured", "rows and ramp return, next reset")),
    }
