"""A column between its neighbours as a complete SPICE deck: array part, row drivers, reset or sense, analysis."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from interconnect.arrays import FloatArray
from interconnect.errors import InputError
from netlists.case import ColumnStimulus, Deviations
from netlists.cells.base import GROUND_LINE, GROUND_NODE, SIGNAL, CellModel, RowLine
from netlists.condition import Condition
from netlists.deck import Deck
from netlists.loads import edge_parts, extra_row_parts, row_sections
from netlists.parameters import require_positive
from netlists.periphery import Periphery, Timing
from netlists.readout.chain import EDGE, MINUS, ReadoutChain
from netlists.readout.comparator_probe import BranchCurrent
from netlists.readout.conversion import BusConversion
from netlists.readout.decision import DeciderInput
from netlists.readout.local_inverter import LocalInverter, RampEdge
from netlists.render import render
from netlists.subckt import cell_subckts
from netlists.technology import Technology
from netlists.transistors import transistor_values

NEXT_PLANE = "_next"
"""Ending of the nodes that drive the next plane's lines."""

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
    edge: of a readout whose code is a time; its level is what the ramp has left then.
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

    def levels(self, signals: Mapping[str, ArrayLike]) -> FloatArray:
        """What every modelled column reads from these vectors, by name: shape (columns, points), V or A."""
        plus = np.array([signals[name] for name in self.columns], dtype=np.float64)
        if not self.columns_minus:
            return plus
        return plus - np.array([signals[name] for name in self.columns_minus], dtype=np.float64)


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
    reltol: float = 1e-5,
    periodic: bool = False,
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
    reltol : float
        Relative tolerance of the engine.
    periodic : bool
        With a chain: `CYCLES` reads one after the other, every supply on its own, for the energy of a whole cycle.
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
        model = model.complement_driven() if chain.drive == "complement" else model
    if inverter is not None:
        timing, model = inverter.timing, model.complement_driven()
    warm = model.at(condition.temperature, row_wire=d.row_wire, bl_wire=d.bl_wire)
    check_case(model, case)
    charge = model.mode == "charge"
    ideal = periphery.kind == "ideal"
    _check_supply(ideal, charge, bool(level_supplies(warm, 1.0)), static, supply_resistance)
    if (decision is not None or chain is not None or inverter is not None) and (
        ideal or not charge or static is not None or len(model.bit_lines) > 1
    ):
        raise InputError("a readout needs a charge column with one bit line and transistor periphery")
    if case.pair != (chain is not None and chain.converter.columns > 1):
        raise InputError("a pair of columns is read by a chain whose converter takes their difference, and no other is")
    drive = condition.vdd if charge else periphery.read_voltage
    title = (
        f"{model.kind} column: {case.rows} rows, {case.columns} columns, position {case.position}, "
        f"count {case.count} of {case.active} active, {condition.label}, {periphery.kind} periphery"
    )
    if not ideal:
        warm = warm.with_joined_next_plane()
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
    target_end = ends[case.target]
    edge = inverter.edge(f"out_{target_end.name}", condition.vdd) if inverter else None
    outputs += (edge.out, *LocalInverter.OUTPUTS) if edge else ()
    outputs += conversion.outputs(chain) if chain and conversion else ()
    if chain is not None and periodic:
        outputs += (*CYCLE_OUTPUTS, *(("i(v_falling)",) if complement else ()))
    cycle = chain.timing.stop if chain else inverter.stop if inverter else None
    if cycle is not None:
        stop = CYCLES * cycle if periodic else cycle
    else:
        stop = decision.stop(timing) if decision else timing.read_at
    read_vector = "v(bus)" if chain else edge.line if edge else plus[case.target]
    operating_point = (ideal and not charge) or static is not None
    values: dict[str, Any] = {
        "title": title,
        "warnings": technology.warnings,
        "technology": technology.name,
        "cards": None if ideal else technology.devices.cards(condition.corner),
        **transistor_values(technology, periphery),
        "condition": condition,
        "drive": drive,
        "timing": timing,
        "ideal": ideal,
        "operating_point": operating_point,
        "static": static,
        "supply_resistance": supply_resistance,
        "case": case,
        "cells": cell_subckts(warm, folder=templates),
        "drivers": drivers(warm, case),
        "next_plane": warm.has_next_plane,
        "levels": levels,
        "ends": ends,
        "target": read_vector,
        "target_minus": target_minus,
        "node_names": node_names(warm),
        "instances": instances(warm, case),
        "sections": row_sections(warm, case),
        "edges": edge_parts(warm, case),
        "extra": extra_row_parts(warm, case, extra_rows),
        "extra_rows": extra_rows,
        "outputs": outputs,
        "stop": stop,
        "decided": target_end.node if decision or chain or inverter else None,
        "reset_gate": chain.segment.reset_gate if chain else inverter.reset_gate if inverter else condition.vdd,
        "rows_return": chain.timing.rows_return if chain else inverter.rows_return if inverter else None,
        **(inverter.values(model) if inverter else {"inverter": False}),
        "chain": chain is not None,
        "h": chain,
        "edge": EDGE,
        "shifts": dict(d.readout),
        "conversion": conversion is not None,
        "conversion_template": conversion.template if conversion else "",
        "currents": tuple(currents),
        "reltol": reltol,
        **(conversion.values(chain) if chain and conversion else {}),
        "minus": None if case.minus is None else ends[case.minus].node,
        "complement": complement,
        "periodic": periodic,
        **(decision.values(technology, timing, condition.vdd) if decision else {}),
    }
    text = render(f"testbenches/column_{model.mode}.cir.j2", values, folder=templates)
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
    )


def _check_supply(ideal: bool, charge: bool, levels: bool, static: Static | None, supply_resistance: float) -> None:
    """Refuse what the deck's periphery has no place for."""
    require_positive(supply_resistance, where="supply_resistance", unit="ohm", zero=True)
    if ideal and (static is not None or supply_resistance > 0):
        raise InputError("static currents and supply resistance need transistor drivers", where="periphery.kind")
    if static is not None and levels:
        raise InputError("static currents of cells with lines at part of the row voltage are not supported")
    if static == "reset" and not charge:
        raise InputError("a current cell has no reset to hold on", hint="static: idle or active")


def instances(model: CellModel, case: ColumnStimulus) -> list[Instance]:
    """Every cell of the column deck, row by row."""
    factors = case.factors()
    out = []
    for r in range(case.rows):
        for c in range(case.columns):
            variant = model.variants[int(case.bits[r, c])]
            nodes = {pin: node(model, pin, r, c, case) for pin in model.pins if pin not in variant.ties}
            nodes |= {pin: nodes[to] for pin, to in variant.ties.items()}
            out.append(
                Instance(f"X_r{r}_c{c}", tuple(nodes[p] for p in model.pins), variant.subckt, float(factors[r, c]))
            )
    return out


def node(model: CellModel, pin: str, row: int, column: int, case: ColumnStimulus) -> str:
    """Node of a cell's pin: `s3_1` is the line of letter s of row 3 before column 1, `b3_1` the bit line of letter b of
    column 1 above row 3; past its last row that ends as `bl_1`, with the bit line's prefix. Ground lines begin at 0.
    """
    prefix, _, end = pin.rpartition("_")
    for line in model.lines:
        if line.prefix == prefix and end in ("in", "out"):
            joined = case.joined_node(line, row)
            if joined is not None:
                return joined
            if end == "out":
                return f"{line.letter}{row}_{column + 1}"
            grounded = line.level == 0.0 and column == 0 and case.position == 0
            return GROUND_NODE if grounded else f"{line.letter}{row}_{column}"
    for bit_line in model.bit_lines:
        if bit_line.prefix != prefix:
            continue
        match end:
            case "in":
                return f"{bit_line.letter}{row}_{column}"
            case "out":
                last = row + 1 == case.rows
                return f"{prefix}_{column}" if last else f"{bit_line.letter}{row + 1}_{column}"
            case "next":
                return f"{bit_line.letter}{row}_{column + 1}" if column + 1 < case.columns else GROUND_NODE
    raise ValueError(f"unknown pin {pin!r}")


def check_case(model: CellModel, case: ColumnStimulus) -> None:
    """Refuse (InputError) a case with other symbols than the cell's, or a cell whose readout no deck supports."""
    if case.symbol_values != model.symbol_values:
        raise InputError(
            f"column case: its symbols count {case.symbol_values}, those of the cell {model.kind} count "
            f"{model.symbol_values}",
            hint="pass symbol_values=model.symbol_values",
        )
    if case.next_plane is not None and not model.has_next_plane:
        raise InputError(
            f"column case: next_plane drives rows that the model of the cell {model.kind} does not hold",
            hint="extract the cell with the plane above it",
        )
    signs = [line.sign for line in model.bit_lines]
    if signs not in ([1], [1, -1]):
        raise InputError(f"cell {model.kind}: its bit lines have the signs {signs}", hint="one of +1, or +1 and -1")
    levels = [line.level for line in model.lines]
    if levels[0] != 1.0 or any(not 0.0 <= level <= 1.0 and level != -1.0 for level in levels):
        raise InputError(
            f"cell {model.kind}: its lines have the levels {levels}", hint="1 first, the others 0 to 1 or -1"
        )
    if model.mode == "current" and (len(signs) > 1 or any(0.0 < level < 1.0 for level in levels)):
        raise InputError(f"cell {model.kind}: a current cell has one bit line and rows of one level")


@dataclass(frozen=True, slots=True)
class End:
    """Sensed end of a bit line: suffix of its elements' names, its node, its sign, threshold shift of its reset, V."""

    name: str
    node: str
    sign: int
    reset_shift: float


def bit_line_ends(model: CellModel, case: ColumnStimulus) -> list[End]:
    """The ends of all bit lines, column by column."""
    shift = np.atleast_2d(_or_zero(case.deviations.reset, case.columns))
    if len(shift) not in (1, len(model.bit_lines)):
        raise InputError(f"column case: deviations.reset has {len(shift)} rows for {len(model.bit_lines)} bit lines")
    shift = np.broadcast_to(shift, (len(model.bit_lines), case.columns))
    alone = len(model.bit_lines) == 1
    return [
        End(str(c) if alone else f"{line.letter}_{c}", f"{line.prefix}_{c}", line.sign, float(shift[i, c]))
        for c in range(case.columns)
        for i, line in enumerate(model.bit_lines)
    ]


@dataclass(frozen=True, slots=True)
class LevelSupply:
    """Supply of the lines of one letter at part of the row voltage, V."""

    letter: str
    volts: float


def level_supplies(model: CellModel, drive: float) -> list[LevelSupply]:
    """Supplies of the lines between ground and the full row voltage `drive` (V)."""
    return [LevelSupply(line.letter, line.level * drive) for line in model.lines if 0.0 < line.level < 1.0]


@dataclass(frozen=True, slots=True)
class Driver:
    """One line's driver: its name, the node it drives, whether its row's input is active, threshold shifts in V.

    source: what an ideal driver ties the line to. level: letter of the level supply, None for a line driven in full.
    complement: the line is high while the input is 0. above: it belongs to the next plane, whose drivers have a supply
    and inputs of their own, so that energies are those of the read plane. copies: (node, factor) whose voltage a joined
    line takes; None: a driver drives it.
    """

    name: str
    node: str
    active: bool
    source: str
    level: str | None
    nmos_shift: float
    pmos_shift: float
    complement: bool = False
    above: bool = False
    copies: tuple[str, float] | None = None


def drivers(model: CellModel, case: ColumnStimulus) -> list[Driver]:
    """The drivers of every line that is not always grounded, row by row."""
    d = case.deviations
    dn, dp = _or_zero(d.driver_nmos, case.rows), _or_zero(d.driver_pmos, case.rows)
    out = []
    for r in range(case.rows):
        for line in (x for x in model.lines if x.level != 0.0):
            if case.joined_node(line, r) not in (None, f"{line.letter}{r}"):
                continue  # driven with the row that names it
            full, first, active = abs(line.level) == 1.0, line is model.lines[0], case.input_of(line, r)
            if line.level < 0:
                source = "falling" if active else "high"
            else:
                source = ("active" if full else f"active_{line.letter}") if active else GROUND_NODE
            if line.above and active:
                source += NEXT_PLANE
            name = str(r) if first else f"{r}_{line.letter}"
            shifts = (float(dn[r]), float(dp[r])) if first else (0.0, 0.0)
            node = driven_node(line, r, case)
            letter = None if full else line.letter
            copies = _copied(model, line, case, r) if line.joined else None
            out.append(Driver(name, node, active, source, letter, *shifts, line.level < 0, line.above, copies))
    return out


def _copied(model: CellModel, line: RowLine, case: ColumnStimulus, row: int) -> tuple[str, float] | None:
    """What a joined line of the next plane follows: the plane's own line of a driven row, or a constant level."""
    if not case.input_of(line, row):
        return f"vdd{NEXT_PLANE}", float(line.level < 0)
    own = next(x for x in model.lines if not x.above and x.level == line.level)
    driven = np.flatnonzero(case.inputs)
    return (driven_node(own, int(driven[0]), case), 1.0) if len(driven) else None


def driven_node(line: RowLine, row: int, case: ColumnStimulus) -> str:
    """The node of a row's line at its driver."""
    return case.joined_node(line, row) or f"{line.letter}{row}_{'d' if case.position else '0'}"


def node_names(model: CellModel) -> str:
    """What the letters of the array's nodes mean, for a comment."""
    # A cell without a ground line is reported of one too: the text belongs to decks that caches know.
    lines = (SIGNAL, GROUND_LINE) if model.lines == (SIGNAL,) else model.lines
    names = {1.0: "signal line", 0.0: "ground line", -1.0: "complement line"}
    rows = [
        f"{x.letter}<row>_<n> {'next plane: ' if x.above else ''}"
        f"{names.get(x.level, f'line at {x.level:.3g} of the drive')}"
        for x in lines
    ]
    words = {1: "bit line"} if len(model.bit_lines) == 1 else {1: "plus line", -1: "minus line"}
    columns = [f"{x.letter}<row>_<column> {words[x.sign]}" for x in model.bit_lines]
    return f"{', '.join([*rows, *columns])} (sensed past its last row)"


def _or_zero(values: Any, n: int) -> Any:
    return np.zeros(n) if values is None else np.asarray(values, dtype=np.float64)
