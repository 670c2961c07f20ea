"""The elements of a column deck: cells, bit-line ends, row drivers, and the nodes between which they stand."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from interconnect.errors import InputError
from netlists.case import ColumnStimulus
from netlists.cells.base import GROUND_LINE, GROUND_NODE, SIGNAL, CellModel, RowLine

NEXT_PLANE = "_next"
"""Ending of the nodes that drive the next plane's lines."""


@dataclass(frozen=True, slots=True)
class Instance:
    """One cell of a deck: instance name, nodes in pin order, subcircuit, factor of its varying element; copies of it in
    parallel."""

    name: str
    nodes: tuple[str, ...]
    subckt: str
    factor: float
    copies: int = 1


def instances(model: CellModel, case: ColumnStimulus) -> list[Instance]:
    """Every cell of the column deck, row by row."""
    factors, copies = case.factors(), case.weights.tolist()
    return [
        Instance(*cell_call(model, case, r, c), float(factors[r, c]), copies[r])
        for r in range(case.rows)
        for c in range(case.columns)
    ]


def cell_call(model: CellModel, case: ColumnStimulus, row: int, column: int) -> tuple[str, tuple[str, ...], str]:
    """Instance name, nodes in pin order and subcircuit of one cell."""
    variant = model.variants[int(case.bits[row, column])]
    nodes = {pin: node(model, pin, row, column, case) for pin in model.pins if pin not in variant.ties}
    nodes |= {pin: nodes[to] for pin, to in variant.ties.items()}
    return f"X_r{row}_c{column}", tuple(nodes[p] for p in model.pins), variant.subckt


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
    """Sensed end of a bit line: suffix of its elements' names, its node, its sign."""

    name: str
    node: str
    sign: int


def bit_line_ends(model: CellModel, case: ColumnStimulus) -> list[End]:
    """The ends of all bit lines, column by column."""
    alone = len(model.bit_lines) == 1
    return [
        End(str(c) if alone else f"{line.letter}_{c}", f"{line.prefix}_{c}", line.sign)
        for c in range(case.columns)
        for line in model.bit_lines
    ]


def reset_shifts(model: CellModel, case: ColumnStimulus, ends: Sequence[End]) -> dict[str, float]:
    """Threshold shifts of the reset switches by the name of the end, V; those of nominal switches left out."""
    given = case.deviations.reset
    if given is None:
        return {}
    shift = np.atleast_2d(np.asarray(given, dtype=np.float64))
    if len(shift) not in (1, len(model.bit_lines)):
        raise InputError(f"column case: deviations.reset has {len(shift)} rows for {len(model.bit_lines)} bit lines")
    every = np.broadcast_to(shift, (len(model.bit_lines), case.columns)).T.ravel().tolist()
    return {end.name: value for end, value in zip(ends, every, strict=True) if value}


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
    """One line's driver: its name, the node it drives, whether its row's input is active.

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
    complement: bool = False
    above: bool = False
    copies: tuple[str, float] | None = None


def drivers(model: CellModel, case: ColumnStimulus) -> list[Driver]:
    """The drivers of every line that is not always grounded, row by row."""
    return [
        driver_of(model, case, row, line)
        for row in range(case.rows)
        for line in model.lines
        if line.level != 0.0 and case.joined_node(line, row) in (None, f"{line.letter}{row}")
    ]  # a joined line is driven with the row that names it


def driver_of(model: CellModel, case: ColumnStimulus, row: int, line: RowLine) -> Driver:
    """The driver of one line of a row."""
    full, active = abs(line.level) == 1.0, case.input_of(line, row)
    if line.level < 0:
        source = "falling" if active else "high"
    else:
        source = ("active" if full else f"active_{line.letter}") if active else GROUND_NODE
    if line.above and active:
        source += NEXT_PLANE
    return Driver(
        name=str(row) if line is model.lines[0] else f"{row}_{line.letter}",
        node=driven_node(line, row, case),
        active=active,
        source=source,
        level=None if full else line.letter,
        complement=line.level < 0,
        above=line.above,
        copies=_copied(model, line, case, row) if line.joined else None,
    )


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
