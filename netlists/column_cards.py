"""Cells, row drivers and loads of a column deck as text, of which a deck keeps what it shares with the one before it.

Nodes and names depend on the cell, the size of the column and a few states of a row; they are written once. Numbers
are those of the case.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from netlists.case import ColumnStimulus
from netlists.cells.base import CellModel
from netlists.column_elements import Driver, cell_call, driver_of, node_names
from netlists.loads import (
    LoadElement,
    UnitLoads,
    edge_parts,
    extra_row_parts,
    pi_parts,
    section_call,
    section_pins,
    section_sizes,
    unit_loads,
)
from netlists.periphery import Periphery
from netlists.render import DeckText, identifier, number
from netlists.skeleton import Same

Joined = tuple[str | None, ...]
"""Node of every line of a row that is joined with other rows' lines, None for the others."""


@dataclass(frozen=True, slots=True)
class DriverStyle:
    """How the rows of a deck are driven: name of the drivers' subcircuit (empty: resistors of `resistance`, ohm), the
    supply of its lines and its ground."""

    subckt: str
    supply: str
    ground: str
    resistance: float

    @classmethod
    def of(cls, mode: str, periphery: Periphery, *, bounce: bool = False) -> DriverStyle:
        """The style of a deck's periphery; bounce: with a resistance in the drivers' supply and ground."""
        if periphery.kind == "ideal":
            return cls("", "", "0", periphery.driver_resistance)
        ground = "vss_rows" if bounce else "0"
        return (
            cls("row_driver", "vdd_rows", ground, 0.0) if mode == "charge" else cls("read_driver", "vread", ground, 0.0)
        )


def element_card(name: str, nodes: Sequence[str], last: str) -> str:
    """One element: its name, its nodes, then a subcircuit or a printed value. Raises InputError for an unsafe name."""
    return " ".join([*map(identifier, (name, *nodes)), last])


def driver_card(driver: Driver, style: DriverStyle, copies: int = 1) -> str:
    """One row driver, or so many in parallel, without the threshold shifts of its last stage."""
    d, name = driver, f"drive_{driver.name}"
    if not style.subckt:
        return element_card(f"R_{name}", (d.source, d.node), number(style.resistance / copies))
    if d.copies:
        return element_card(f"E_{name}", (d.node, "0", d.copies[0], "0"), number(d.copies[1]))
    return _driver_call(d, f"X_{name}", style) + _multiple(copies)


def _multiple(copies: int) -> str:
    return f" m={copies}" if copies > 1 else ""


def _driver_call(d: Driver, name: str, style: DriverStyle) -> str:
    if style.subckt == "read_driver":
        gates = ("active", "active_b") if d.active else ("0", "vdd")
        return element_card(name, (*gates, d.node, style.supply, "vdd", style.ground), style.subckt)
    if d.level:
        gates = ("on", "on_b") if d.active else ("0", style.supply)
        nodes = (*gates, d.node, f"level_{d.level}", style.supply, style.ground)
        return element_card(name, nodes, "level_driver")
    gate = ("falling" if d.active else "high") if d.complement else ("active" if d.active else "idle")
    supply, ground = ("vdd_next", "0") if d.above else (style.supply, style.ground)
    gate += "_next" if d.above and d.active else ""
    return element_card(name, (gate, d.node, supply, ground), style.subckt)


@lru_cache(maxsize=64)
def column_cards(model: Same[CellModel], temperature: float, rows: int, columns: int, *, joined: bool) -> ColumnCards:
    """The texts of a model's columns at a temperature, degC; joined: with `with_joined_next_plane`. A model keeps its
    texts as long as it is the same object."""
    warm = model.value.at(temperature)
    return ColumnCards(warm.with_joined_next_plane() if joined else warm)


@lru_cache(maxsize=64)
def complement_of(model: Same[CellModel]) -> CellModel:
    """`CellModel.complement_driven`, the same object for the same model."""
    return model.value.complement_driven()


class ColumnCards:
    """Texts of the columns of one cell model at one temperature and of one size.

    warm: the model at that temperature, with nominal wires.
    """

    def __init__(self, warm: CellModel) -> None:
        self.warm = warm
        self.node_names = node_names(warm)
        self._joined_lines = [line if line.joined else None for line in warm.lines]
        self._units: dict[tuple[float, ...], UnitLoads] = {}
        self._sections: dict[tuple[Any, ...], tuple[str, list[tuple[str, float]], str]] = {}
        self._cells: dict[tuple[Any, ...], str] = {}
        self._drivers: dict[tuple[Any, ...], str] = {}
        self._calls: dict[tuple[Any, ...], str] = {}
        self._edges: dict[tuple[Any, ...], str] = {}

    def array_values(self, case: ColumnStimulus, *, extra_rows: int = 0) -> dict[str, Any]:
        """What `testbenches/array.j2` prints, every value of it open for `netlists.skeleton`."""
        joined = self._joined(case)
        loads, sizes = {}, {}
        for name, cells in section_sizes(case):
            sizes[name] = cells
            loads[name] = self._section(case, name, cells, joined)
        edges = self._edges_of(case)
        if edges:
            loads["edges"] = DeckText(edges)
        extra = extra_row_parts(self.warm, case, extra_rows)
        if extra:
            loads["extra"], sizes["extra"] = DeckText(_parts(extra)), extra_rows
        return {"instances": self._instances(case, joined), "loads": loads, "load_sizes": sizes}

    def drivers(self, case: ColumnStimulus, style: DriverStyle) -> DeckText:
        """The row drivers, row by row."""
        d, warm = case.deviations, self.warm
        driven = next((r for r, v in enumerate(case.inputs.tolist()) if v), None)
        shifts = [
            (name, None if values is None else values.tolist())
            for name, values in (("dvtn", d.driver_nmos), ("dvtp", d.driver_pmos))
        ]
        lines = [(i, line) for i, line in enumerate(warm.lines) if line.level != 0.0]
        out: list[str] = []
        for row, (joined, copies) in enumerate(zip(self._joined(case), case.weights.tolist(), strict=True)):
            for i, line in lines:
                if joined[i] not in (None, f"{line.letter}{row}"):
                    continue  # driven with the row that names it
                # a joined line follows a driven row; no other driver depends on the rest of the column
                state = (case.input_of(line, row), case.position > 0, joined[i], line.joined and driven)
                key = (style, row, i, *state, copies)
                card = self._drivers.get(key)
                if card is None:
                    card = self._drivers[key] = driver_card(driver_of(warm, case, row, line), style, copies)
                if i == 0 and style.subckt:
                    for name, values in shifts:
                        if values is not None and values[row]:
                            card += f" {name}={number(values[row])}"
                out.append(card)
        return DeckText("\n".join(out))

    def _joined(self, case: ColumnStimulus) -> list[Joined]:
        by_line: list[list[str | None]] = []
        for line in self._joined_lines:
            if line is None:
                by_line.append([None] * case.rows)
                continue
            values = [case.input_of(line, r) for r in range(case.rows)]
            name = {v: case.joined_node(line, values.index(v)) for v in (False, True) if v in values}
            by_line.append([name[v] for v in values])
        return list(zip(*by_line, strict=True))

    def _instances(self, case: ColumnStimulus, joined: Sequence[Joined]) -> DeckText:
        bits, begins = case.bits.tolist(), case.position == 0
        factors = None if case.deviations.cell is None else case.factors().tolist()
        kept, out = self._cells, []
        for r, (stored, nodes, copies) in enumerate(zip(bits, joined, case.weights.tolist(), strict=True)):
            for c, symbol in enumerate(stored):
                key = (r, c, symbol, begins, nodes)
                card = kept.get(key)
                if card is None:
                    name, ends, subckt = cell_call(self.warm, case, r, c)
                    card = kept[key] = element_card(name, ends, identifier(subckt))
                if factors is not None and factors[r][c] != 1:
                    card += f" k={number(factors[r][c])}"
                out.append(card + _multiple(copies))
        return DeckText("\n".join(out))

    def _section(self, case: ColumnStimulus, name: str, cells: int, joined: Sequence[Joined]) -> DeckText:
        shares, warm, wire = case.load_shares, self.warm, case.deviations.row_wire
        kept = self._sections.get((name, cells, shares))
        if kept is None:
            if shares not in self._units:
                self._units[shares] = unit_loads(warm, shares)
            wires, others = pi_parts(warm, cells, self._units[shares])
            head = " ".join(map(identifier, (name, *section_pins(warm))))
            kept = self._sections[name, cells, shares] = (
                f".subckt {head}",
                [(element_card(p.name, (p.a, p.b), ""), p.value) for p in wires],
                f"{_parts(others)}\n.ends {identifier(name)}",
            )
        out = [kept[0], *(f"{card}{number(cells * (value * wire))}" for card, value in kept[1]), kept[2]]
        for row, (nodes, copies) in enumerate(zip(joined, case.weights.tolist(), strict=True)):
            key = (name, row, nodes)
            card = self._calls.get(key)
            if card is None:
                card = self._calls[key] = element_card(*section_call(self.warm, case, name, row), identifier(name))
            out.append(card + _multiple(copies))
        return DeckText("\n".join(out))

    def _edges_of(self, case: ColumnStimulus) -> str:
        key = (case.load_shares, tuple(case.weights.tolist()))
        if key not in self._edges:
            self._edges[key] = _parts(edge_parts(self.warm, case))
        return self._edges[key]


def _parts(parts: Sequence[LoadElement]) -> str:
    return "\n".join(element_card(p.name, (p.a, p.b), number(p.value)) for p in parts)
