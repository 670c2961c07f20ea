"""A column between its neighbours as a complete SPICE deck: array part, row drivers, reset or sense, analysis."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from interconnect.arrays import FloatArray
from interconnect.errors import InputError
from netlists.case import ColumnStimulus, Deviations
from netlists.cells.base import CellModel
from netlists.column_cards import DriverStyle, column_cards, complement_of
from netlists.column_elements import bit_line_ends, check_case, driven_node, level_supplies, reset_shifts
from netlists.condition import Condition
from netlists.deck import Deck
from netlists.parameters import require_positive
from netlists.periphery import Periphery, Timing
from netlists.readout.chain import EDGE, MINUS, ReadoutChain
from netlists.readout.comparator_probe import BranchCurrent
from netlists.readout.conversion import BusConversion
from netlists.readout.decision import DeciderInput
from netlists.readout.local_inverter import LocalInverter, RampEdge
from netlists.render import render
from netlists.skeleton import Same, render_filled
from netlists.subckt import wired_subckts
from netlists.technology import Technology
from netlists.transistors import transistor_values

CHAIN_OUTPUTS = (
    "v(bus)", "v(sampled)", "v(line)", "i(v_analog)", "i(v_clamp)", "i(v_join)", "i(v_bus_reset)",
    "v(clamp)", "v(join)", "v(bus_reset)",
)  # fmt: skip
"""Vectors of a deck with a readout chain: the comparator's input, the sampled node, the line, supply and controls."""

CHAIN_CONTROLS = (("i(v_clamp)", -1.0), ("i(v_join)", -1.0), ("i(v_bus_reset)", -1.0))
"""Control sources of the chain: their power is that of their current and node voltage."""

CYCLE_OUTPUTS = (
    "i(v_mirror)", "i(v_park)", "i(v_common)", "i(v_reset_level)", "i(v_reset_gate)", "i(v_reset_b)", "i(v_active)",
)  # fmt: skip
"""Vectors that a periodic deck saves besides: every further source of a chain, and the charge of its reset gates."""

CYCLES = 2
"""Reads of a periodic deck: the second one begins where the first one ended."""

RELTOL, SAMPLED_TWICE = 3e-5, 1e-4
"""Relative tolerance of the engine: of a level that is read once, and of the difference of two samples, from which the
error of the reset has gone. The coarsest that keep such a level within 0.001 of a count of what far tighter ones give
(`benchmarks/solver_tolerances.py`); a charge level read once errs by what 1e-5 leaves too."""

FINE_RELTOL = 1e-5
"""That of an operating point with transistors, which costs next to nothing, and of inverters in the segment, for which
no coarser one has been measured."""

Static = Literal["idle", "active", "reset"]
"""State of a column whose static currents are asked for."""

__all__ = ["ColumnDeck", "ColumnStimulus", "Deviations", "Periphery", "Timing", "column_deck"]


@dataclass(frozen=True, slots=True)
class ColumnDeck(Deck):
    """A deck that is ready to run.

    outputs: saved vectors. target: the one that is read (bit-line voltage or sense current of the middle column).
    columns: the same for every modelled column. A differential column is read as the difference of two vectors: then
    target and columns are those of its plus lines, target_minus and columns_minus those of its minus lines (None and
    empty otherwise); `levels` takes the difference. stop: end of the transient, None for an operating point. read_at:
    time of the read, None for an operating point. input_at: start of the input edge. row_supply, reset_supply:
    currents into the positive terminals of the supplies (negative while they deliver); None where there is none.
    level_supplies: the same for the lines at part of the row voltage: (current, voltage in V) of each.
    condition: the operating point, where the writer of the deck tells it. cycle_end: with a readout chain, when the
    rows have returned: energies are those of the whole cycle. readout_supplies: the chain's own, as level_supplies.
    edge: of a readout whose code is a time; its level is what the ramp has left then. row: the voltage of the first
    driven row's line at its driver, where it was asked for.
    """

    target: str
    columns: tuple[str, ...]
    unit: Literal["V", "A"]
    stop: float | None = None
    read_at: float | None = None
    input_at: float | None = None
    row_supply: str = ""
    row_voltage: float = 0.0
    reset_supply: str | None = None
    reset_voltage: float = 0.0
    target_minus: str | None = None
    columns_minus: tuple[str, ...] = ()
    level_supplies: tuple[tuple[str, float], ...] = ()
    condition: Condition | None = None
    cycle_end: float | None = None
    readout_supplies: tuple[tuple[str, float], ...] = ()
    edge: RampEdge | None = None
    row: str | None = None

    def levels(self, signals: Mapping[str, ArrayLike]) -> FloatArray:
        """What every modelled column reads from these vectors, by name: shape (columns, points), V or A."""
        plus = np.array([signals[name] for name in self.columns], dtype=np.float64)
        if not self.columns_minus:
            return plus
        return plus - np.array([signals[name] for name in self.columns_minus], dtype=np.float64)


def column_deck(
    technology: Technology,
    model: CellModel,
    periphery: Periphery,
    timing: Timing,
    condition: Condition,
    case: ColumnStimulus,
    *,
    extra_rows: int = 0,
    static: Static | None = None,
    supply_resistance: float = 0.0,
    decision: DeciderInput | None = None,
    chain: ReadoutChain | None = None,
    inverter: LocalInverter | None = None,
    conversion: BusConversion | None = None,
    currents: Sequence[BranchCurrent] = (),
    reltol: float | None = None,
    periodic: bool = False,
    save_row: bool = False,
    templates: Path | None = None,
) -> ColumnDeck:
    """The deck of one read of a column.

    Charge cell: the reset switch holds the bit lines at 0 V with all inputs low, opens, the inputs rise, the bit line
    is read. Current cell: the rows rise to the read voltage, the bit lines end in virtual grounds (0 V sources)
    behind the sense resistance; with ideal periphery this is one operating point. Columns before and after the
    modelled ones load the row lines as pi sections; the bit line of the column after the last modelled one is
    grounded. Cell resistances are those at the condition's temperature.

    Parameters
    ----------
    technology : Technology
        Stack and device set.
    model : CellModel
        Electrical model of the cell.
    periphery : Periphery
        Drivers, reset and sense circuit.
    timing : Timing
        Instants of the read, s.
    condition : Condition
        Corner, supply and temperature.
    case : ColumnStimulus
        Stored symbols, inputs and deviations.
    extra_rows : int
        Further rows on the same bit lines that hold input 0, as one lumped load at the far end.
    static : {"idle", "active", "reset"}, optional
        One operating point with transistors instead of the read: `idle` (all inputs low, reset over), `active` (the
        inputs of `case` high, reset over) or, for a charge cell, `reset` (inputs low, reset on).
    supply_resistance : float
        Resistance in series with the row drivers' supply and with their and the reset's ground, ohm; needs transistors.
    decision : DeciderInput, optional
        A sampling switch and a comparator at the target in place of its sense capacitance; the sampling ends and the
        comparator decides after the read, its vectors are saved too (charge cell, one bit line, transistors).
    chain : ReadoutChain, optional
        The readout from the bit line to the comparator's input, in place of the grounded reset and the sense
        capacitance; the level is then that of the comparator's input, and the timing is the chain's own (charge cell,
        one bit line, transistors).
    inverter : LocalInverter, optional
        The inverters in the segment, reference rows with their ramp and the column's line, in place of reset and sense
        capacitance, over a whole cycle with complement drive and the readout's own timing (cells as for `chain`).
    conversion : Conversion, optional
        The converter behind the chain: the rows stay driven until its last decision, the deck yields a code.
    currents : sequence of BranchCurrent
        Currents between nodes of the chain, such as its drawn noise.
    reltol : float, optional
        Relative tolerance of the engine; None: `SAMPLED_TWICE` with a chain, `FINE_RELTOL` with `static` or `inverter`,
        else `RELTOL`. Decks with ideal periphery have their own.
    periodic : bool
        With a chain: `CYCLES` reads one after the other, every supply on its own, for the energy of a whole cycle.
    save_row : bool
        Save the line of the first driven row at its driver too, for a picture; nothing else of the deck changes.
    templates : Path, optional
        A user's template folder.

    Returns
    -------
    ColumnDeck
        The deck with its outputs and instants.

    Raises
    ------
    InputError
        For an impossible case, a value that cannot be printed, or an error in a user's template.
    """
    d = case.deviations
    if chain is not None:
        chain = chain.held(conversion.levels) if conversion is not None else chain.one_column
        timing = chain.timing.timing
        model = complement_of(Same(model)) if chain.drive == "complement" else model
    if inverter is not None:
        timing, model = inverter.timing, complement_of(Same(model))
    check_case(model, case)
    charge = model.mode == "charge"
    ideal = periphery.kind == "ideal"
    cards = column_cards(Same(model), condition.temperature, case.rows, case.columns, joined=not ideal)
    warm = cards.warm
    _check_supply(ideal, charge, bool(level_supplies(warm, 1.0)), static, supply_resistance)
    if (decision is not None or chain is not None or inverter is not None) and (
        ideal or not charge or static is not None or len(model.bit_lines) > 1
    ):
        raise InputError("a readout needs a charge column with one bit line and transistor periphery")
    if case.pair != (chain is not None and chain.converter.columns > 1):
        raise InputError("a pair of columns is read by a chain whose converter takes their difference, and no other is")
    drive = condition.vdd if charge else periphery.read_voltage
    title = (
        f"{model.kind} column: {case.all_rows} rows, {case.columns} columns, position {case.position}, "
        f"count {case.count} of {case.active} active, {condition.label}, {periphery.kind} periphery"
    )
    ends = bit_line_ends(warm, case)
    lines = [end.node if charge else f"v_sense_{end.name}" for end in ends]
    reads = tuple(f"v({x})" if charge else f"i({x})" for x in lines)
    plus, minus = (tuple(read for read, end in zip(reads, ends, strict=True) if end.sign == sign) for sign in (1, -1))
    target_minus = f"v(bus{MINUS})" if case.pair else minus[case.target] if minus else None
    levels = level_supplies(warm, drive)
    has_reset = charge and not ideal
    level_currents = tuple((f"i(v_level_{level.letter})", level.volts) for level in levels)
    outputs = (*reads, "i(v_rows)", *(name for name, _ in level_currents), *(("i(v_reset)",) if has_reset else ()))
    outputs += decision.OUTPUTS if decision else ()
    complement = any(line.level < 0 for line in warm.lines)
    outputs += CHAIN_OUTPUTS if chain else ()
    outputs += (f"v(bus{MINUS})",) if case.pair else ()
    parked = tuple(end.name for c, end in enumerate(ends) if chain.parks(c - case.target)) if chain else ()
    target_end = ends[case.target]
    edge = inverter.edge(f"out_{target_end.name}", condition.vdd) if inverter else None
    outputs += (edge.out, *LocalInverter.OUTPUTS) if edge else ()
    outputs += conversion.outputs(chain) if chain and conversion else ()
    if chain is not None and periodic:
        outputs += (*CYCLE_OUTPUTS, *(("i(v_falling)",) if complement else ()), *(("i(v_parked)",) if parked else ()))
    row = _driven_row(warm, case) if save_row else None
    outputs += (row,) if row else ()
    cycle = chain.timing.stop if chain else inverter.stop if inverter else None
    if cycle is not None:
        stop = CYCLES * cycle if periodic else cycle
    else:
        stop = decision.stop(timing) if decision else timing.read_at
    read_vector = "v(bus)" if chain else edge.line if edge else plus[case.target]
    operating_point = (ideal and not charge) or static is not None
    fixed: dict[str, Any] = {
        **_technology_values(Same(technology), None if ideal else condition.corner),
        **transistor_values(technology, periphery),
        "condition": condition,
        "drive": drive,
        "timing": timing,
        "ideal": ideal,
        "operating_point": operating_point,
        "static": static,
        "supply_resistance": supply_resistance,
        "next_plane": warm.has_next_plane,
        "levels": tuple(levels),
        "ends": tuple(ends),
        "target": read_vector,
        "target_minus": target_minus,
        "node_names": cards.node_names,
        "outputs": outputs,
        "stop": stop,
        "decided": target_end.node if decision or chain or inverter else None,
        "reset_gate": chain.segment.reset_gate if chain else inverter.reset_gate if inverter else condition.vdd,
        "rows_return": chain.timing.rows_return if chain else inverter.rows_return if inverter else None,
        **(inverter.values(model) if inverter else {"inverter": False}),
        "chain": chain is not None,
        "h": chain,
        "edge": EDGE,
        "conversion": conversion is not None,
        "conversion_template": conversion.template if conversion else "",
        "currents": tuple(currents),
        "reltol": reltol or _tolerance(static is not None or inverter is not None, chain is not None),
        **(conversion.values(chain) if chain and conversion else {}),
        "minus": None if case.minus is None else ends[case.minus].node,
        "complement": complement,
        "periodic": periodic,
        "parked": parked,
        **_other_planes(warm, periphery, case),
    }
    varying: dict[str, Any] = {
        "title": title,
        "cells": wired_subckts(warm, d.row_wire, d.bl_wire, folder=templates),
        "drivers": cards.drivers(case, DriverStyle.of(model.mode, periphery, bounce=supply_resistance > 0)),
        "reset_shifts": reset_shifts(warm, case, ends),
        "shifts": dict(d.readout),
        **cards.array_values(case, extra_rows=extra_rows),
    }
    template = f"testbenches/column_{model.mode}.cir.j2"
    if decision or conversion or currents:  # every deck has its own
        values = {**fixed, **varying, **(decision.values(technology, timing, condition.vdd) if decision else {})}
        text = render(template, values, folder=templates)
    else:
        text = render_filled(template, fixed, varying, folder=templates)
    return ColumnDeck(
        text=text,
        title=title,
        outputs=outputs,
        stop=None if operating_point else stop,
        read_at=None if operating_point else timing.read_at,
        input_at=None if operating_point else timing.input_start,
        target=read_vector,
        columns=(read_vector,) if chain or edge else plus,
        unit="V" if charge else "A",
        row_supply="i(v_rows)",
        row_voltage=drive,
        reset_supply="i(v_reset)" if has_reset else None,
        reset_voltage=condition.vdd if has_reset else 0.0,
        target_minus=target_minus,
        columns_minus=(f"v(bus{MINUS})",) if case.pair else minus,
        level_supplies=level_currents,
        condition=condition,
        cycle_end=cycle,
        readout_supplies=(("i(v_analog)", condition.vdd), *CHAIN_CONTROLS) if chain else (),
        edge=edge,
        row=row,
    )


@lru_cache(maxsize=64)
def _technology_values(technology: Same[Technology], corner: str | None) -> dict[str, Any]:
    t = technology.value
    return {
        "warnings": t.warnings,
        "technology": t.name,
        "cards": None if corner is None else t.devices.cards(corner),
    }


def _other_planes(warm: CellModel, periphery: Periphery, case: ColumnStimulus) -> dict[str, Any]:
    """Load of a row by the planes that share its driver with the one that is read; nothing without a plane select."""
    select = periphery.plane_select
    if select is None or periphery.kind == "ideal" or warm.mode != "current":
        return {}
    columns = case.position + case.columns + case.beyond
    return {
        "row_nodes": tuple(driven_node(warm.lines[0], row, case) for row in range(case.rows)),
        "other_planes": select.other_planes(warm, columns, case.load_shares[-1]),
    }


def _driven_row(warm: CellModel, case: ColumnStimulus) -> str | None:
    driven = np.flatnonzero(case.inputs)
    return f"v({driven_node(warm.lines[0], int(driven[0]), case)})" if driven.size else None


def _tolerance(fine: bool, sampled_twice: bool) -> float:
    return FINE_RELTOL if fine else SAMPLED_TWICE if sampled_twice else RELTOL


def _check_supply(ideal: bool, charge: bool, levels: bool, static: Static | None, supply_resistance: float) -> None:
    """Refuse what the deck's periphery has no place for."""
    require_positive(supply_resistance, where="supply_resistance", unit="ohm", zero=True)
    if ideal and (static is not None or supply_resistance > 0):
        raise InputError("static currents and supply resistance need transistor drivers", where="periphery.kind")
    if static is not None and levels:
        raise InputError("static currents of cells with lines at part of the row voltage are not supported")
    if static == "reset" and not charge:
        raise InputError("a current cell has no reset to hold on", hint="static: idle or active")
