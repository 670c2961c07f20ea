"""What a column deck with ideal periphery has to give: exact nodal or charge solution, and the closed forms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from interconnect.arrays import FloatArray
from interconnect.network import LinearNetwork
from netlists.case import ColumnStimulus
from netlists.cells import CELLS
from netlists.cells.base import GROUND_NODE, CellModel, ColumnRead
from netlists.cells.closed_form import charge_share
from netlists.column_elements import Instance, bit_line_ends, check_case, driven_node, instances, level_supplies
from netlists.condition import Condition
from netlists.loads import edge_parts, extra_row_parts, row_sections
from netlists.periphery import Periphery


@dataclass(frozen=True, slots=True)
class ColumnReference:
    """Exact result of a case. value: target column, less the minus column of a pair; columns: every modelled column,
    shape (columns,); V or A. Of a differential column these are the difference of its lines; lines: every bit line,
    shape (bit lines, columns).

    closed_form: the simple formula for the target column, neighbours quiet, no wire resistance and nominal cells.
    residual: certificate of the linear solution.
    """

    value: float
    columns: FloatArray
    lines: FloatArray
    unit: Literal["V", "A"]
    closed_form: float
    residual: float


def reference_column(
    model: CellModel, periphery: Periphery, condition: Condition, case: ColumnStimulus, *, extra_rows: int = 0
) -> ColumnReference:
    """Solve the linear network of a column deck with Thevenin drivers exactly.

    Charge cell: bit lines start at 0 V and float, the rows step to the supply; every settled bit-line voltage. Current
    cell: the currents into the virtual grounds. The same elements as in the deck, from the same model.
    """
    d = case.deviations
    warm = model.at(condition.temperature, row_wire=d.row_wire, bl_wire=d.bl_wire)
    charge = model.mode == "charge"
    drive = condition.vdd if charge else periphery.read_voltage
    check_case(model, case)
    network = column_network(warm, periphery, case, extra_rows=extra_rows)
    sources = {"source": drive} | {f"source_{x.letter}": x.volts for x in level_supplies(warm, drive)}
    # a complement line falls from the drive while the bit lines float: a step of minus the drive
    sources |= {f"source_{x.letter}": -drive for x in warm.lines if x.level < 0.0}
    ends = network.index([f"{line.prefix}_{c}" for line in model.bit_lines for c in range(case.columns)])
    solution = (network.settled if charge else network.dc)(list(sources), list(sources.values()))
    lines = solution.voltage[ends].reshape(len(model.bit_lines), case.columns)
    if not charge:
        lines = lines / periphery.sense_resistance
    columns = np.array([line.sign for line in model.bit_lines]) @ lines
    return ColumnReference(
        value=float(columns[case.target] - (0.0 if case.minus is None else columns[case.minus])),
        columns=columns,
        lines=lines,
        unit="V" if charge else "A",
        closed_form=closed_form_level(warm, periphery, condition, case, extra_rows=extra_rows),
        residual=solution.residual,
    )


def column_network(
    model: CellModel,
    periphery: Periphery,
    case: ColumnStimulus,
    *,
    extra_rows: int = 0,
    apart: bool = False,
    cells: Sequence[Instance] | None = None,
) -> LinearNetwork:
    """The column deck with ideal periphery as a linear network; rows with input 1 hang on node `source`, their lines at
    part of the row voltage on `source_<letter>`.

    apart: every row hangs on a node of its own instead, whatever its input: `input_<row>` and `input_<row>_<letter>`,
    so that one solution with a vector per row gives what each adds. cells: `instances(model, case)`, if it is at hand.
    """
    capacitors: list[tuple[str, str, float]] = []
    resistors: list[tuple[str, str, float]] = []

    def add(name: str, a: str, b: str, value: float, copies: int = 1) -> None:
        if name.startswith("C"):
            capacitors.append((a, b, value * copies))
        else:
            resistors.append((a, b, value / copies))

    variants = {v.subckt: v for v in model.variants}
    for cell in instances(model, case) if cells is None else cells:
        node = dict(zip(model.pins, cell.nodes, strict=True)) | {GROUND_NODE: GROUND_NODE}
        for e in variants[cell.subckt].elements:
            add(e.name, node[e.a], node[e.b], e.value * (cell.factor if e.varies else 1.0), cell.copies)
    for section in row_sections(model, case):
        for (_, nodes), copies in zip(section.calls, case.weights.tolist(), strict=True):
            node = dict(zip(section.pins, nodes, strict=True)) | {GROUND_NODE: GROUND_NODE}
            for part in section.parts:
                add(part.name, node[part.a], node[part.b], part.value, copies)
    for part in (*edge_parts(model, case), *extra_row_parts(model, case, extra_rows)):
        add(part.name, part.a, part.b, part.value)
    supplies: dict[str, None] = {}
    for row, copies in enumerate(case.weights.tolist()):
        for line in (x for x in model.lines if x.level != 0.0):
            source = "source" if line.level == 1.0 else f"source_{line.letter}"
            at = source if case.input_of(line, row) else GROUND_NODE
            if apart:
                at = source.replace("source", f"input_{row}")
                supplies[at] = None
            add("R", at, driven_node(line, row, case), periphery.driver_resistance, copies)
    for end in bit_line_ends(model, case):
        if model.mode == "charge":
            add("C", end.node, GROUND_NODE, periphery.sense_capacitance)
        else:
            add("R", end.node, GROUND_NODE, periphery.sense_resistance)
    names = dict.fromkeys(n for a, b, _ in (*capacitors, *resistors) for n in (a, b))
    names.pop(GROUND_NODE, None)
    if not apart:
        supplies = {"source": None} | {f"source_{x.letter}": None for x in level_supplies(model, 1.0)}
        supplies |= {f"source_{x.letter}": None for x in model.lines if x.level < 0.0}
    names |= supplies
    network = LinearNetwork(tuple(names))
    kept = [(a, b, v) for a, b, v in capacitors if a != b]
    network.add_capacitors([a for a, _, _ in kept], [b for _, b, _ in kept], [v for _, _, v in kept])
    network.add_resistors([a for a, _, _ in resistors], [b for _, b, _ in resistors], [v for _, _, v in resistors])
    return network


def closed_form_level(
    model: CellModel, periphery: Periphery, condition: Condition, case: ColumnStimulus, *, extra_rows: int = 0
) -> float:
    """The simple formula of the cell's kind for the target column (V or A), less that for the minus column of a pair;
    nominal cells, see `ColumnRead`.

    A kind without a formula of its own (a user's) gets the general charge balance.
    """
    read = column_read(model, periphery, condition, case, extra_rows=extra_rows)
    form = getattr(CELLS.get(model.kind), "closed_form", charge_share)
    level = float(form(model, read))
    if case.minus is not None:
        level -= float(form(model, replace(read, symbols=case.bits[:, case.minus])))
    return level


def column_read(
    model: CellModel, periphery: Periphery, condition: Condition, case: ColumnStimulus, *, extra_rows: int = 0
) -> ColumnRead:
    """The target column of a case as the closed forms want it."""
    return ColumnRead(
        model=model,
        drive=condition.vdd if model.mode == "charge" else periphery.read_voltage,
        symbols=case.bits[:, case.target],
        inputs=case.inputs,
        c_extra=periphery.sense_capacitance,
        shares=case.load_shares,
        extra_rows=extra_rows,
    )
