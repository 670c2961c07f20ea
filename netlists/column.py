"""A column between its neighbours as a complete SPICE deck: array part, row drivers, reset or sense, analysis."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from netlists.case import ColumnCase, Deviations
from netlists.cells.base import GROUND_NODE, CellModel
from netlists.condition import Condition
from netlists.loads import edge_parts, extra_row_parts, row_sections
from netlists.periphery import Periphery, Timing
from netlists.render import render
from netlists.subckt import cell_subckts
from netlists.technology import Technology
from netlists.transistors import transistor_values

__all__ = ["ColumnCase", "Deck", "Deviations", "Periphery", "Timing", "column_deck"]


@dataclass(frozen=True, slots=True)
class Deck:
    """A deck that is ready to run.

    outputs: saved vectors. target: the one that is read (bit-line voltage or sense current of the middle column).
    columns: the same for every modelled column. stop: end of the transient, None for an operating point. read_at:
    time of the read, None for an operating point. input_at: start of the input edge. row_supply, reset_supply:
    currents into the positive terminals of the supplies (negative while they deliver); None where there is none.
    """

    text: str
    title: str
    outputs: tuple[str, ...]
    stop: float | None
    read_at: float | None
    input_at: float | None
    target: str
    columns: tuple[str, ...]
    unit: Literal["V", "A"]
    row_supply: str
    row_voltage: float
    reset_supply: str | None
    reset_voltage: float

    @property
    def sha256(self) -> str:
        """Hash of the text."""
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Instance:
    """One cell of a deck: instance name, nodes in pin order, subcircuit, factor of its varying element."""

    name: str
    nodes: tuple[str, ...]
    subckt: str
    factor: float


def column_deck(
    technology: Technology,
    model: CellModel,
    periphery: Periphery,
    timing: Timing,
    condition: Condition,
    case: ColumnCase,
    *,
    extra_rows: int = 0,
    templates: Path | None = None,
) -> Deck:
    """The deck of one read of a column.

    Charge cell: the reset switch holds the bit lines at 0 V with all inputs low, opens, the inputs rise, the bit line
    is read. Current cell: the rows rise to the read voltage, the bit lines end in virtual grounds (0 V sources)
    behind the sense resistance; with ideal periphery this is one operating point. Columns before and after the
    modelled ones load the row lines as pi sections; the bit line of the column after the last modelled one is
    grounded. Cell resistances are those at the condition's temperature.

    extra_rows: further rows on the same bit lines that hold input 0, as one lumped load at the far end.
    templates: a user's template folder.

    Raises:
        InputError: an impossible case, a value that cannot be printed, or a fault in a user's template.
    """
    d = case.deviations
    warm = model.at(condition.temperature, row_wire=d.row_wire, bl_wire=d.bl_wire)
    charge = model.mode == "charge"
    ideal = periphery.kind == "ideal"
    drive = condition.vdd if charge else periphery.read_voltage
    title = (
        f"{model.kind} column: {case.rows} rows, {case.columns} columns, position {case.position}, "
        f"count {case.count} of {case.active} active, {condition.label}, {periphery.kind} periphery"
    )
    lines = tuple(f"bl_{c}" if charge else f"v_sense_{c}" for c in range(case.columns))
    reads = tuple(f"v({x})" if charge else f"i({x})" for x in lines)
    has_reset = charge and not ideal
    outputs = (*reads, "i(v_rows)", *(("i(v_reset)",) if has_reset else ()))
    operating_point = ideal and not charge
    devices = technology.devices
    values: dict[str, Any] = {
        "title": title,
        "warnings": technology.warnings,
        "technology": technology.name,
        "cards": None if ideal else devices.cards(condition.corner),
        **transistor_values(technology, periphery),
        "condition": condition,
        "drive": drive,
        "timing": timing,
        "ideal": ideal,
        "operating_point": operating_point,
        "case": case,
        "cells": cell_subckts(warm, folder=templates),
        "drivers": _drivers(case),
        "instances": instances(warm, case),
        "sections": row_sections(warm, case),
        "edges": edge_parts(warm, case),
        "extra": extra_row_parts(warm, case, extra_rows),
        "extra_rows": extra_rows,
        "reset_shift": [float(x) for x in _or_zero(d.reset, case.columns)],
        "outputs": outputs,
    }
    text = render(f"testbenches/column_{model.mode}.cir.j2", values, folder=templates)
    return Deck(
        text=text,
        title=title,
        outputs=outputs,
        stop=None if operating_point else timing.read_at,
        read_at=None if operating_point else timing.read_at,
        input_at=None if operating_point else timing.input_start,
        target=reads[case.target],
        columns=reads,
        unit="V" if charge else "A",
        row_supply="i(v_rows)",
        row_voltage=drive,
        reset_supply="i(v_reset)" if has_reset else None,
        reset_voltage=condition.vdd if has_reset else 0.0,
    )


def instances(model: CellModel, case: ColumnCase) -> list[Instance]:
    """Every cell of the column deck, row by row."""
    factors = case.factors()
    out = []
    for r in range(case.rows):
        for c in range(case.columns):
            variant = model.variants[int(case.bits[r, c])]
            nodes = {pin: node(pin, r, c, case) for pin in model.pins if pin not in variant.ties}
            nodes |= {pin: nodes[to] for pin, to in variant.ties.items()}
            out.append(
                Instance(f"X_r{r}_c{c}", tuple(nodes[p] for p in model.pins), variant.subckt, float(factors[r, c]))
            )
    return out


def node(pin: str, row: int, column: int, case: ColumnCase) -> str:
    """Node of a cell's pin. `s` signal line, `g` ground line, `b` bit line; `s3_1` lies before column 1 of row 3."""
    match pin:
        case "row_in":
            return f"s{row}_{column}"
        case "row_out":
            return f"s{row}_{column + 1}"
        case "gnd_in":
            return GROUND_NODE if column == 0 and case.position == 0 else f"g{row}_{column}"
        case "gnd_out":
            return f"g{row}_{column + 1}"
        case "bl_in":
            return f"b{row}_{column}"
        case "bl_out":
            return f"bl_{column}" if row + 1 == case.rows else f"b{row + 1}_{column}"
        case "bl_next":
            return f"b{row}_{column + 1}" if column + 1 < case.columns else GROUND_NODE
    raise ValueError(f"unknown pin {pin!r}")


@dataclass(frozen=True, slots=True)
class Driver:
    """One row driver: its row, the node it drives, whether its input is active, threshold shifts in V."""

    row: int
    node: str
    active: bool
    nmos_shift: float
    pmos_shift: float


def row_driver_nodes(case: ColumnCase) -> list[str]:
    """The node that each row's driver drives."""
    end = "d" if case.position else "0"
    return [f"s{r}_{end}" for r in range(case.rows)]


def _drivers(case: ColumnCase) -> list[Driver]:
    d = case.deviations
    dn, dp = _or_zero(d.driver_nmos, case.rows), _or_zero(d.driver_pmos, case.rows)
    return [
        Driver(r, end, bool(case.inputs[r]), float(dn[r]), float(dp[r])) for r, end in enumerate(row_driver_nodes(case))
    ]


def _or_zero(values: Any, n: int) -> Any:
    return np.zeros(n) if values is None else np.asarray(values, dtype=np.float64)
