"""What stands for the parts of the array that are not modelled cell by cell: row lines, edges, further rows."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from interconnect.errors import InputError
from netlists.case import ColumnStimulus
from netlists.cells.base import GROUND_NODE, CellModel


@dataclass(frozen=True, slots=True)
class LoadElement:
    """A capacitor (name `C...`, F) or resistor (`R...`, ohm) between two nodes."""

    name: str
    a: str
    b: str
    value: float


@dataclass(frozen=True, slots=True)
class LoadSection:
    """The load of `cells` columns on every row: a pi of its lines as one subcircuit.

    calls: (instance name, nodes in pin order), one per row.
    """

    name: str
    cells: int
    pins: tuple[str, ...]
    parts: tuple[LoadElement, ...]
    calls: tuple[tuple[str, tuple[str, ...]], ...]


def row_sections(model: CellModel, case: ColumnStimulus) -> list[LoadSection]:
    """Pi sections for the columns before and after the modelled ones.

    Bit lines of those columns count as quiet. Half of a section's capacitance (and of the conductance of present
    resistors into virtual grounds) stands at each of its ends.
    """
    units, pins, sections = unit_loads(model, case.load_shares), section_pins(model), []
    for name, cells in section_sizes(case):
        wires, others = pi_parts(model, cells, units)
        parts = (*(replace(p, value=cells * p.value) for p in wires), *others)
        calls = tuple(section_call(model, case, name, r) for r in range(case.rows))
        sections.append(LoadSection(name, cells, pins, parts, calls))
    return sections


BEFORE, AFTER = "columns_before", "columns_after"
"""Names of the two sections."""


def section_sizes(case: ColumnStimulus) -> list[tuple[str, int]]:
    """Name and number of columns of the sections that are there."""
    return [(name, cells) for name, cells in ((BEFORE, case.position), (AFTER, case.beyond)) if cells]


def section_pins(model: CellModel) -> tuple[str, ...]:
    """Pins of a section: both ends of every line."""
    return tuple(f"{line.letter}_{end}" for line in model.lines for end in ("in", "out"))


def section_call(model: CellModel, case: ColumnStimulus, name: str, row: int) -> tuple[str, tuple[str, ...]]:
    """Instance name and nodes of a section on one row."""
    near, far = ("d", "0") if name == BEFORE else (str(case.columns), "f")
    nodes: list[str] = []
    for line in model.lines:
        joined = case.joined_node(line, row)
        # The driver end of every ground line is grounded.
        begin = GROUND_NODE if line.level == 0.0 and near == "d" else f"{line.letter}{row}_{near}"
        nodes += (begin, f"{line.letter}{row}_{far}") if joined is None else (joined, joined)
    return f"X_{name}_r{row}", tuple(nodes)


@dataclass(frozen=True, slots=True)
class UnitLoads:
    """Load of one column on a row's lines. between: (letters of two lines, F); rest: (letter, F to everything else);
    plug: conductance into the bit line, S."""

    between: tuple[tuple[str, str, float], ...]
    rest: tuple[tuple[str, float], ...]
    plug: float


def unit_loads(model: CellModel, shares: Sequence[float]) -> UnitLoads:
    """The load of one column whose symbols have these shares."""
    pin = {line.letter: f"{line.prefix}_out" for line in model.lines}
    between = tuple((a, b, mean_capacitance(model, pin[a], pin[b], shares)) for a, b in combinations(pin, 2))
    rest = []
    for a in pin:
        value = mean_capacitance(model, pin[a], None, shares)
        for x, y, shared in between:
            if a in (x, y):
                value -= shared
        rest.append((a, value))
    return UnitLoads(between, tuple(rest), _conductance(model, shares))


def pi_parts(model: CellModel, cells: int, units: UnitLoads) -> tuple[tuple[LoadElement, ...], tuple[LoadElement, ...]]:
    """The pi section of so many columns: the lines' resistors, each of the value of one column, and the rest."""
    half = cells / 2
    wires = tuple(
        LoadElement(f"R_{x.letter}", f"{x.letter}_in", f"{x.letter}_out", model.value(f"R_{x.prefix}"))
        for x in model.lines
    )
    parts: list[LoadElement] = []
    for end in ("in", "out"):
        for a, rest in units.rest:
            parts.append(LoadElement(f"C_{a}_{end}", f"{a}_{end}", GROUND_NODE, half * rest))
            parts += [
                LoadElement(f"C_{x}{y}_{end}", f"{x}_{end}", f"{y}_{end}", half * value)
                for x, y, value in units.between
                if x == a
            ]
        if units.plug > 0:
            parts.append(
                LoadElement(f"R_cells_{end}", f"{model.lines[0].letter}_{end}", GROUND_NODE, 1.0 / (half * units.plug))
            )
    return wires, tuple(parts)


def edge_parts(model: CellModel, case: ColumnStimulus) -> list[LoadElement]:
    """The first bit lines' coupling to the (quiet) column before them, which is not modelled."""
    parts = []
    for line in _followed(model):
        load = mean_capacitance(model, f"{line}_next", None, case.load_shares)
        tag = _tag(model, line)
        if load > 0:
            parts += [
                LoadElement(f"C_edge_{tag}r{r}", f"{_letter(model, line)}{r}_0", GROUND_NODE, load * copies)
                for r, copies in enumerate(case.weights.tolist())
            ]
    return parts


def extra_row_parts(model: CellModel, case: ColumnStimulus, extra_rows: int) -> list[LoadElement]:
    """Load of further rows with input 0 on the same bit lines, lumped at the end far from the sense node.

    Exact for the settled level of a cell whose bit-line load does not depend on its symbol; otherwise the mean symbol.
    """
    if extra_rows < 0:
        raise InputError(f"extra_rows is {extra_rows}, it must be zero or more")
    if extra_rows == 0:
        return []
    shares = case.load_shares
    plug = _conductance(model, shares)
    prefixes = [line.prefix for line in model.bit_lines]
    followed = _followed(model)
    # Couplings of bit lines: within a column, and from a column to the next one.
    inside = {(a, b): mean_capacitance(model, f"{a}_in", f"{b}_in", shares) for a, b in combinations(prefixes, 2)}
    across = {(a, b): mean_capacitance(model, f"{a}_in", f"{b}_next", shares) for a in prefixes for b in followed}
    parts: list[LoadElement] = []
    for c in range(case.columns):
        first, last = c == 0, c + 1 == case.columns
        for a in prefixes:
            node, tag = f"{_letter(model, a)}0_{c}", f"{_tag(model, a)}{c}"
            ahead = sum(value for (x, _), value in across.items() if x == a)
            behind = sum(value for (_, y), value in across.items() if y == a)
            own = mean_capacitance(model, f"{a}_in", None, shares) - ahead
            for pair, value in inside.items():
                if a in pair:
                    own -= value
            left = mean_capacitance(model, f"{a}_next", None, shares) if a in followed else 0.0
            quiet = own + (left if first else left - behind) + (ahead if last else 0.0)
            parts.append(LoadElement(f"C_extra_{tag}", node, GROUND_NODE, extra_rows * quiet))
            if not last:
                for (x, b), value in across.items():
                    if x == a:
                        beyond = f"{_letter(model, b)}0_{c + 1}"
                        parts.append(
                            LoadElement(f"C_extra_next_{_tag(model, a, b)}{c}", node, beyond, extra_rows * value)
                        )
            for (x, b), value in inside.items():
                if x == a:
                    other = f"{_letter(model, b)}0_{c}"
                    parts.append(LoadElement(f"C_extra_{_tag(model, a, b)}{c}", node, other, extra_rows * value))
            if plug > 0:
                parts.append(LoadElement(f"R_extra_{tag}", node, GROUND_NODE, 1.0 / (extra_rows * plug)))
    return [p for p in parts if p.value > 0]


def _followed(model: CellModel) -> list[str]:
    """Prefixes of the bit lines whose next column's line is a pin of the cell."""
    return [line.prefix for line in model.bit_lines if f"{line.prefix}_next" in model.pins]


def _letter(model: CellModel, prefix: str) -> str:
    return next(line.letter for line in model.bit_lines if line.prefix == prefix)


def _tag(model: CellModel, *prefixes: str) -> str:
    """What tells the bit lines of a column apart in a name; nothing where there is one."""
    return "".join(_letter(model, p) for p in prefixes) + "_" if len(model.bit_lines) > 1 else ""


def mean_capacitance(model: CellModel, pin: str, other: str | None, shares: Sequence[float]) -> float:
    """Capacitance (F) of a pin, averaged over the symbols with these shares."""
    return math.fsum(share * model.capacitance(pin, symbol, other) for symbol, share in enumerate(shares))


def _conductance(model: CellModel, shares: Sequence[float]) -> float:
    """Mean conductance between row and bit line of a cell, S; 0 for a capacitive cell."""
    total = 0.0
    for symbol in reversed(range(model.symbols)):
        for e in model.variants[symbol].elements:
            if not e.is_capacitor and {e.a, e.b} == {"row_out", "bl_in"}:
                total += shares[symbol] / e.value
    return total
