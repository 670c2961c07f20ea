"""A column of local arrays over computing cells on one compute line, as a complete SPICE deck of one operation."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from interconnect.arrays import FloatArray
from interconnect.errors import InputError
from netlists.baselines.base import PINS, BaselineCell, BaselineDevice, check_symbol_levels, level_pins, subckt_name
from netlists.baselines.case import BaselineStimulus
from netlists.baselines.computing import BaselineComputing
from netlists.baselines.switches import Terminal, TransistorType
from netlists.baselines.timing import BaselineTiming, Points
from netlists.condition import Condition
from netlists.deck import Deck
from netlists.parameters import tidy
from netlists.render import render
from netlists.subckt import subckt_pins
from netlists.technology import Technology
from netlists.transistors import deck_values, mos_printer

Idle = Literal["lumped", "full"]
Shifts = tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Supply:
    """A supply of a deck: `share` of the energy it belongs to, name of the source `V_supply_<name>`, node, volts,
    and how many columns use what it delivers (this deck models one of them)."""

    share: str
    name: str
    node: str
    volts: float
    columns: int = 1

    @property
    def current(self) -> str:
        """The saved current into its positive terminal (negative while it delivers)."""
        return f"i(v_supply_{self.name})"


@dataclass(frozen=True, slots=True)
class BaselineDeck(Deck):
    """A deck of one operation, ready to run.

    outputs: saved vectors. target: voltage of the compute line. caps: of the unit capacitors. states: (q, qb) vectors
    of the selected cells, empty for a ROM. timing: energies are counted from its start to its stop, at both of which
    the circuit is precharged and reset. macs: products that one operation sums.
    """

    target: str
    caps: tuple[str, ...]
    states: tuple[tuple[str, str], ...]
    supplies: tuple[Supply, ...]
    timing: BaselineTiming
    macs: int

    @property
    def stop(self) -> float:
        """End of the transient, s."""
        return self.timing.stop


@dataclass(frozen=True, slots=True)
class ControlWave:
    """A control signal in volts at its node."""

    node: str
    points: Points


@dataclass(frozen=True, slots=True)
class CellInstance:
    """A cell (or `multiplier` equal ones in parallel) of a deck."""

    name: str
    nodes: tuple[str, ...]
    subckt: str
    shifts: Shifts
    multiplier: int


@dataclass(frozen=True, slots=True)
class Gate:
    """Gates of the other columns, drawn as one transistor: type, width and length (m), how many."""

    type: TransistorType
    width: float
    length: float
    count: int


@dataclass(frozen=True, slots=True)
class Load:
    """What hangs on a line: a capacitor (F), and the gates whose capacitance is not in it."""

    capacitance: float
    gates: tuple[Gate, ...] = ()


@dataclass(frozen=True, slots=True)
class ControlDriver:
    """A control line: the node at its driver's input, and what wire and the other columns load it with."""

    line: str
    input: str
    load: Load


@dataclass(frozen=True, slots=True)
class BaselineArray:
    """One local array of a deck."""

    index: int
    row: int
    symbol: int
    input: int
    cells: tuple[CellInstance, ...]
    state: tuple[tuple[str, float], ...]
    bit_lines: tuple[str, ...]
    word: ControlDriver
    precharge: ControlDriver
    drivers: tuple[ControlDriver, ...]
    shifts: Shifts


def baseline_column_deck(
    technology: Technology,
    cell: BaselineCell,
    lcc: BaselineComputing,
    timing: BaselineTiming,
    condition: Condition,
    case: BaselineStimulus,
    *,
    idle: Idle = "lumped",
    notes: tuple[str, ...] = (),
    templates: Path | None = None,
) -> BaselineDeck:
    """The deck of one operation of one column of local arrays.

    In each local array one word line rises and the selected cell discharges the local bit line or ties it to its
    level; the computing cell puts input times bit (or level) on its unit capacitor; then all unit capacitors share
    their charge on the compute line. Supplies are apart: word lines, precharge, computing cells, control lines, cells.
    Initial conditions hold SRAM latches in their stored state during the operating point only.

    Word lines of rows that are not selected are grounded. idle: `lumped` draws equal idle cells of a local array as
    one instance with a multiplier (the same currents and charges), `full` draws each. notes: lines of comment
    for the head of the deck. templates: a user's template folder.

    Raises:
        InputError: symbols or deviations that do not fit the cell, a size outside the device set, a fault in a user's
            template.
    """
    if idle not in ("lumped", "full"):
        raise InputError(f"is {idle!r}", where="local column.idle", hint="lumped or full")
    levels = check_symbol_levels(cell, condition.vdd)
    unknown = [p for p in cell.pins if p not in PINS and p.removeprefix("level") not in map(str, range(len(levels)))]
    if unknown:
        raise InputError(f"has a pin {unknown[0]!r}", where=f"local cell {cell.kind}", hint=f"use {', '.join(PINS)}")
    if case.symbols.max() >= cell.symbols:
        raise InputError(
            f"baseline stimulus: symbol {case.symbols.max()} is stored, "
            f"{cell.kind} has the symbols 0 to {cell.symbols - 1}"
        )
    lcc_devices = lcc.devices(cell.reading)
    cell_shifts = _shifts(case.deviations.cell, cell.devices, case.locals, "cell")
    lcc_shifts = _shifts(case.deviations.lcc, lcc_devices, case.locals, "lcc")
    supplies = tuple(_supplies(cell, lcc, levels, condition.vdd))
    has_state = "q" in cell.pins and "qb" in cell.pins
    states = tuple((f"v(q_{i})", f"v(qb_{i})") for i in range(case.locals)) if has_state else ()
    caps = tuple(f"v(cap_{i})" for i in range(case.locals))
    outputs = ("v(line)", *caps, *(v for pair in states for v in pair), *(s.current for s in supplies))
    title = (
        f"{cell.kind} column: {case.locals} local arrays of {case.rows} rows, sum {case.count}, {condition.label}, "
        f"{idle} idle cells"
    )
    lines = RowLines(technology, cell, lcc, condition)
    values: dict[str, Any] = {
        **deck_values(technology, condition, lcc.length, title),
        "notes": notes,
        "timing": timing,
        "case": case,
        "cell": cell,
        "lcc": lcc,
        "lcc_devices": lcc_devices,
        "reading": cell.reading,
        "outputs": outputs,
        "supplies": supplies,
        "waves": tuple(_waves(timing, condition.vdd)),
        "subckts": _cell_text(cell, mos_printer(technology, lcc.length), templates),
        "locals": [
            _local(cell, case, i, condition.vdd, idle, lines, cell_shifts[i], lcc_shifts[i]) for i in range(case.locals)
        ],
        "reset_load": lines.load("reset"),
        "bl_wire": tidy(case.rows * cell.bl_wire, 10),
        "line_wire": tidy(lcc.line_capacitance(case.locals), 10),
    }
    text = render("testbenches/column_local.cir.j2", values, folder=templates)
    return BaselineDeck(
        text=text,
        title=title,
        outputs=outputs,
        target="v(line)",
        caps=caps,
        states=states,
        supplies=supplies,
        timing=timing,
        macs=case.locals,
    )


@dataclass(frozen=True, slots=True)
class RowLines:
    """Loads of the word and control lines beside this column: its wire, the gates and wires of all other columns.

    The gates are part of the capacitor where model cards tell their capacitance (in inversion: an upper estimate).
    Where the models are in a kit's library they are drawn as transistors, of which ngspice takes so many.
    """

    technology: Technology
    cell: BaselineCell
    lcc: BaselineComputing
    condition: Condition

    def load(self, line: str) -> Load:
        """On the line `word`, `precharge`, `reset` or a control line of the computing cell."""
        cell, lcc = self.cell, self.lcc
        if line == "word":
            wire, widths, length = cell.wl_wire, (cell.word_gate_width, 0.0), cell.length
        else:
            wire, widths, length = lcc.control_wire, lcc.gates(line, 1 + ("blb" in cell.pins)), lcc.length
        pair: tuple[tuple[TransistorType, float], ...] = (("n", widths[0]), ("p", widths[1]))
        others = lcc.columns - 1
        if self.technology.devices.from_library:
            gates = tuple(Gate(kind, width, length, others) for kind, width in pair if width > 0 and others)
            return Load(tidy(lcc.columns * wire, 10), gates)
        total = sum(
            Terminal(self.technology.devices, self.condition.corner, kind, width, length, self.condition.vdd).gate
            for kind, width in pair
            if width > 0
        )
        return Load(tidy(lcc.columns * wire + others * total, 10))


def _supplies(cell: BaselineCell, lcc: BaselineComputing, levels: tuple[float, ...], vdd: float) -> Iterator[Supply]:
    for share, users in (("word", lcc.columns), ("control", lcc.columns), ("precharge", 1), ("lcc", 1)):
        yield Supply(share, share, f"vdd_{share}", vdd, users)
    if "vdd" in cell.pins:
        yield Supply("cell", "cell", "vdd_cell", vdd)
    for k in level_pins(cell):
        yield Supply("cell", f"level{k}", f"level{k}", levels[k])


def _waves(timing: BaselineTiming, vdd: float) -> Iterator[ControlWave]:
    for name, points in timing.waves().items():
        yield ControlWave(name, tuple((t, vdd * v) for t, v in points))
        yield ControlWave(f"{name}_b", tuple((t, vdd * (1.0 - v)) for t, v in points))


def _cell_text(cell: BaselineCell, mos: Any, templates: Path | None) -> str:
    """Subcircuits of every symbol, checked for their pins."""
    template = f"cells/{cell.kind}.cir.j2"
    text = render(template, {"cell": cell, "mos": mos}, folder=templates)
    found = subckt_pins(text)
    for symbol in range(cell.symbols):
        name = subckt_name(cell, symbol)
        if found.get(name.lower()) != cell.pins:
            raise InputError(
                f"it does not define .subckt {name} with the pins {' '.join(cell.pins)}", where=f"template {template}"
            )
    return text


def _shifts(
    values: FloatArray | None, devices: tuple[BaselineDevice, ...], locals_: int, name: str
) -> tuple[Shifts, ...]:
    if values is None:
        return ((),) * locals_
    if np.shape(values) != (locals_, len(devices)):
        raise InputError(
            f"baseline stimulus: deviations.{name} have shape {np.shape(values)}, expected ({locals_}, {len(devices)})",
            hint="one column per transistor: " + ", ".join(d.name for d in devices),
        )
    return tuple(tuple((d.name, float(v)) for d, v in zip(devices, row, strict=True)) for row in values)


def _local(
    cell: BaselineCell,
    case: BaselineStimulus,
    index: int,
    vdd: float,
    idle: Idle,
    lines: RowLines,
    cell_shifts: Shifts,
    lcc_shifts: Shifts,
) -> BaselineArray:
    row, symbols = int(case.selected[index]), case.symbols[index]
    parts: list[tuple[str, int, int]] = [("", int(symbols[row]), 1)]  # suffix, symbol, how many
    others = [(r, int(s)) for r, s in enumerate(symbols) if r != row]
    if idle == "full":
        parts += [(f"_r{r}", s, 1) for r, s in others]
    else:
        tally = np.bincount([s for _, s in others], minlength=cell.symbols)
        parts += [(f"_idle{s}", s, int(n)) for s, n in enumerate(tally) if n]
    cells, state = [], []
    for suffix, symbol, number in parts:
        own = {pin: f"{pin}_{index}{suffix}" for pin in ("q", "qb")}
        shared = {"bl": f"bl_{index}", "blb": f"blb_{index}", "vdd": "vdd_cell", "wl": "0" if suffix else f"wl_{index}"}
        nodes = own | shared | {p: p for p in cell.pins if p.startswith("level")}
        cells.append(
            CellInstance(
                f"X_cell_{index}{suffix}",
                tuple(nodes[p] for p in cell.pins),
                subckt_name(cell, symbol),
                () if suffix else cell_shifts,
                number,
            )
        )
        state += [(own[pin], volts) for pin, volts in cell.initial(symbol, vdd).items()]
    bit_lines = (f"bl_{index}", *((f"blb_{index}",) if "blb" in cell.pins else ()))
    on = bool(case.inputs[index])
    if cell.reading == "discharge":
        # The inverted input is low while the input is 1 and the word line is on.
        inputs = {"x_b": "word" if on else "0", "sample": "sample_b", "sample_b": "sample"}
    else:
        chosen, other = ("on", "zero") if on else ("zero", "on")
        drive = {chosen: "sample_b", f"{chosen}_b": "sample", other: "high", f"{other}_b": "0"}
        inputs = {line: drive[line] for line in ("on", "on_b", "zero", "zero_b")}
    inputs |= {"share": "share_b", "share_b": "share"}
    return BaselineArray(
        index=index,
        row=row,
        symbol=int(symbols[row]),
        input=int(case.inputs[index]),
        cells=tuple(cells),
        state=tuple(state),
        bit_lines=bit_lines,
        word=ControlDriver("wl", "word_b", lines.load("word")),
        precharge=ControlDriver(
            "pre", "precharge" if cell.reading == "discharge" else "precharge_b", lines.load("precharge")
        ),
        drivers=tuple(ControlDriver(line, node, lines.load(line)) for line, node in inputs.items()),
        shifts=lcc_shifts,
    )
