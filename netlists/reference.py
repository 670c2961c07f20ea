"""What a column deck with ideal periphery has to give: exact nodal or charge solution, and the closed forms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from netlists.case import ColumnCase
from netlists.cells.base import GROUND_NODE, CellModel
from netlists.column import instances, row_driver_nodes
from netlists.condition import Condition
from netlists.loads import edge_parts, extra_row_parts, row_sections
from netlists.periphery import Periphery

if TYPE_CHECKING:
    from interconnect.network import LinearNetwork

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ColumnReference:
    """Exact result of a case. value: target column; columns: every modelled column, shape (columns,); V or A.

    closed_form: the simple formula for the target column, neighbours quiet, no wire resistance and nominal cells.
    residual: certificate of the linear solution.
    """

    value: float
    columns: FloatArray
    unit: Literal["V", "A"]
    closed_form: float
    residual: float


def reference_column(
    model: CellModel, periphery: Periphery, condition: Condition, case: ColumnCase, *, extra_rows: int = 0
) -> ColumnReference:
    """Solve the linear network of a column deck with Thevenin drivers exactly.

    Charge cell: bit lines start at 0 V and float, the rows step to the supply; every settled bit-line voltage. Current
    cell: the currents into the virtual grounds. The same elements as in the deck, from the same model.
    """
    d = case.deviations
    warm = model.at(condition.temperature, row_wire=d.row_wire, bl_wire=d.bl_wire)
    charge = model.mode == "charge"
    drive = condition.vdd if charge else periphery.read_voltage
    network = column_network(warm, periphery, case, extra_rows=extra_rows)
    if charge:
        state = network.settled(["source"], [drive])
        lines = network.index([f"bl_{c}" for c in range(case.columns)])
        columns, residual = state.voltage[lines], state.residual
    else:
        solution = network.dc(["source"], [drive])
        lines = network.index([f"bl_{c}" for c in range(case.columns)])
        columns, residual = solution.voltage[lines] / periphery.sense_resistance, solution.residual
    return ColumnReference(
        value=float(columns[case.target]),
        columns=columns,
        unit="V" if charge else "A",
        closed_form=closed_form(warm, periphery, condition, case, extra_rows=extra_rows),
        residual=residual,
    )


def column_network(model: CellModel, periphery: Periphery, case: ColumnCase, *, extra_rows: int = 0) -> LinearNetwork:
    """The column deck with ideal periphery as a linear network; rows with input 1 hang on node `source`."""
    from interconnect.network import LinearNetwork

    capacitors: list[tuple[str, str, float]] = []
    resistors: list[tuple[str, str, float]] = []

    def add(name: str, a: str, b: str, value: float) -> None:
        (capacitors if name.startswith("C") else resistors).append((a, b, value))

    variants = {v.subckt: v for v in model.variants}
    for cell in instances(model, case):
        node = dict(zip(model.pins, cell.nodes, strict=True)) | {GROUND_NODE: GROUND_NODE}
        for e in variants[cell.subckt].elements:
            add(e.name, node[e.a], node[e.b], e.value * (cell.factor if e.varies else 1.0))
    for section in row_sections(model, case):
        for _, nodes in section.calls:
            node = dict(zip(section.pins, nodes, strict=True)) | {GROUND_NODE: GROUND_NODE}
            for part in section.parts:
                add(part.name, node[part.a], node[part.b], part.value)
    for part in (*edge_parts(model, case), *extra_row_parts(model, case, extra_rows)):
        add(part.name, part.a, part.b, part.value)
    for row, node_name in enumerate(row_driver_nodes(case)):
        add("R", "source" if case.inputs[row] else GROUND_NODE, node_name, periphery.driver_resistance)
    for c in range(case.columns):
        if model.mode == "charge":
            add("C", f"bl_{c}", GROUND_NODE, periphery.sense_capacitance)
        else:
            add("R", f"bl_{c}", GROUND_NODE, periphery.sense_resistance)
    names = dict.fromkeys(n for a, b, _ in (*capacitors, *resistors) for n in (a, b))
    names.pop(GROUND_NODE, None)
    names["source"] = None
    network = LinearNetwork(tuple(names))
    kept = [(a, b, v) for a, b, v in capacitors if a != b]
    network.add_capacitors([a for a, _, _ in kept], [b for _, b, _ in kept], [v for _, _, v in kept])
    network.add_resistors([a for a, _, _ in resistors], [b for _, b, _ in resistors], [v for _, _, v in resistors])
    return network


def closed_form(
    model: CellModel, periphery: Periphery, condition: Condition, case: ColumnCase, *, extra_rows: int = 0
) -> float:
    """The simple formula for the target column: capacitive divider (V) or sum of V/R (A); nominal cells."""
    if model.mode == "charge":
        from netlists.cells.cap_balanced import settled_voltage

        c_off = model.capacitance("bl_in", 0, "row_out")
        return settled_voltage(
            condition.vdd,
            c_on=c_off + model.switched,
            c_off=c_off,
            c_bl=model.bl_total,
            c_extra=periphery.sense_capacitance + extra_rows * model.bl_total,
            n=case.rows,
            active=case.active,
            count=case.count,
        )
    from netlists.cells.res_via import ideal_current

    return ideal_current(periphery.read_voltage, model.value("R_plug"), case.count)
