"""Whether a written tile holds its readout chain: every bit line on a reset and a follower of its own, every line, bus
and converter once, and as many transistors and drawn capacitors as the estimate bills."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from interconnect.errors import InputError
from netlists.audit_wiring import TileAudit, pin_fault, statements
from netlists.cells.base import CellModel
from netlists.periphery import Periphery
from netlists.readout.deck import transistors
from netlists.readout.drawn import DrawnPart, drawn_parts
from netlists.readout.tile_chain import TileChain, bus_sides, converter_instances
from netlists.technology import Technology
from netlists.writer_scope import Scope

NOT_WRITTEN = "not written: drivers of control lines (pins), logic of the converters, replica columns, dummy rows"
"""What the bill has beyond a netlist."""

_CIRCUITS = {
    "row_driver": "row_drivers",
    "segment": "lcc_reset",
    "column_line": "column_line",
    "comparator_bus": "column_mux",
    "line_bias": "column_mux",
}
"""Subcircuits of the chain and the part of the bill that they belong to."""

_CAPACITOR = re.compile(r"^c_(\S+) \S+ \S+ (\S+)$", re.MULTILINE)
_NOT_DRAWN = ("wire", "top", "code", "q")
"""First words of capacitors that are wires or belong to ideal logic."""


@dataclass(frozen=True, slots=True)
class PartCount:
    """A part of a tile's readout: transistors and drawn capacitors (F) in the file, and as they are billed."""

    tile: int
    name: str
    transistors: int
    billed: int
    capacitance: float
    billed_capacitance: float

    @property
    def same(self) -> bool:
        """Whether file and bill agree."""
        return self.transistors == self.billed and math.isclose(
            self.capacitance, self.billed_capacitance, rel_tol=1e-9, abs_tol=1e-21
        )

    def __str__(self) -> str:
        if self.transistors != self.billed:
            return f"tile {self.tile}: {self.name} has {self.transistors} transistors, {self.billed} are billed"
        return (
            f"tile {self.tile}: {self.name} has {self.capacitance * 1e15:.6g} fF of drawn capacitors, "
            f"{self.billed_capacitance * 1e15:.6g} fF are billed"
        )


@dataclass(frozen=True, slots=True)
class ReadoutCount:
    """Parts of all tiles' readout chains, counted and billed; why they were not compared, if they were not."""

    parts: tuple[PartCount, ...] = ()
    note: str = ""

    def __str__(self) -> str:
        if not self.parts:
            return f"readout chain not compared with the bill: {self.note}" if self.note else ""
        names = dict.fromkeys(part.name for part in self.parts)
        each = ", ".join(f"{n} {sum(p.transistors for p in self.parts if p.name == n):,}" for n in names)
        same = all(part.same for part in self.parts)
        return (
            f"readout chain: {sum(p.transistors for p in self.parts):,} transistors ({each}) and "
            f"{sum(p.capacitance for p in self.parts) * 1e15:,.6g} fF of drawn capacitors, "
            f"{'as billed' if same else 'NOT as billed'}; {NOT_WRITTEN}"
        )

    def to_json(self) -> dict[str, Any]:
        """Parts by tile as a JSON document."""
        return {
            "parts": [
                {
                    "tile": p.tile,
                    "name": p.name,
                    "transistors": p.transistors,
                    "transistors_billed": p.billed,
                    "capacitance_fF": p.capacitance * 1e15,
                    "capacitance_billed_fF": p.billed_capacitance * 1e15,
                }
                for p in self.parts
            ],
            "not_compared": self.note,
        }


def chain_faults(
    tile: int, pins: tuple[str, ...], body: str, scopes: Mapping[str, Scope], models: Sequence[CellModel], *,
    tile_chain: TileChain,
) -> list[str]:  # fmt: skip
    """What is wrong in the subcircuit that joins the planes of a tile in a readout chain."""
    t, name = TileAudit(tile, scopes, models), f"planes_t{tile}"
    rows = {p: t.lines(p, True) for p in sorted(t.planes)}
    some = next(iter(t.planes.values()))
    width = max(len(s.readable) for s in t.planes.values())
    expected = [" ".join([f"x_array_p{p}", *rows[p], *t.ends[p], t.planes[p].name]) for p in rows]
    expected += _chain_statements(t, width, some.segments, tile_chain)
    ports = [*(node for p in rows for node in rows[p]), *tile_chain.pins(width, len(t.planes), some.segments)]
    return _compared(name, pins, ports, body, expected)


def chain_tile_faults(
    tile: int, pins: tuple[str, ...], body: str, scopes: Mapping[str, Scope], models: Sequence[CellModel], *,
    tile_chain: TileChain,
) -> list[str]:  # fmt: skip
    """What is wrong in a tile around `planes_t<tile>`: a driver for every driven line of a row and bank of planes."""
    t, name = TileAudit(tile, scopes, models), f"tile_{tile}"
    some = next(iter(t.planes.values()))
    width = max(len(s.readable) for s in t.planes.values())
    pinned = tile_chain.pins(width, len(t.planes), some.segments)
    expected, nodes, ports = [], [], []
    for p, s in sorted(t.planes.items()):
        bank = p // tile_chain.chain.line.planes
        for r in range(s.placement.rows):
            for line in (t.first[p], *t.further[p]):
                at = f"in_{r}" if line == t.first[p] else f"in_{line.letter}_{r}"
                node = f"{line.letter}_b{bank}_{r}"
                nodes.append(node)
                ports.append(at)
                expected.append(f"x_drive_{node} {at} {node} vdd_rows 0 row_driver")
    expected = [*dict.fromkeys(expected), " ".join(["x_planes", *nodes, *pinned, f"planes_t{tile}"])]
    return _compared(name, pins, [*dict.fromkeys(ports), *pinned, "vdd_rows"], body, expected)


def _chain_statements(t: TileAudit, width: int, segments: int, tile_chain: TileChain) -> list[str]:
    """Statements of a tile's chain, built bit line by bit line."""
    chain = tile_chain.chain
    shared, together, m = chain.line.planes, chain.line.columns, chain.converter.columns
    # Columns of one side in order: so many neighbours meet on a line, so many lines on a bus.
    sides = [list(range(side, width, m)) for side in range(m)]
    spot = {c: (i // together * m + side, i % together) for side in range(m) for i, c in enumerate(sides[side])}
    number = m * -(-len(sides[0]) // together)
    out = []
    for bank in range(-(-len(t.planes) // shared)):
        numbered = [(p, k) for p in range(bank * shared, (bank + 1) * shared) for k in range(together)]
        for g in range(segments):
            ends = {(line, p, k): f"level_p{p}_{k}" for line in range(number) for p, k in numbered}
            for p in {p for p, _ in numbered} & set(t.planes):
                for c, column in enumerate(t.planes[p].readable):
                    line, k = spot[c]
                    ends[line, p, k] = f"{t.models[p].bit_lines[0].prefix}{g}_p{p}_{column}"
            for line in range(number):
                words = [f"x_segment{g}_b{bank}_{line}", *(ends[line, p, k] for p, k in numbered)]
                words += [f"reset{g}_p{p}_{k}" for p, k in numbered] + [f"level_p{p}_{k}" for p, k in numbered]
                words += [f"select{g}_b{bank}", f"line_b{bank}_{line}", "vdd_analog", "segment"]
                out.append(" ".join(words))
        out += _bus_statements(bank, number, width, tile_chain)
    return out


def _bus_statements(bank: int, number: int, width: int, tile_chain: TileChain) -> list[str]:
    """Lines, buses and converters of a bank of so many lines."""
    chain, b = tile_chain.chain, f"b{bank}"
    m, share = chain.converter.columns, chain.bus.columns
    buses = [f"{b}_{j}" for j in range(-(-width // (m * share * chain.line.columns)))]
    out = []
    for i in range(number):
        bias = f"bias_{buses[i // (m * share)]}"
        out.append(f"x_line_{b}_{i} line_{b}_{i} x_{b}_{i} {bias} clamp_{b} common vdd_analog column_line")
    for bus in buses:
        out.append(f"x_bias_{bus} bias_{bus} vdd_analog line_bias")
    for side, ending in enumerate(bus_sides(chain)):
        there = [f"x_{b}_{i}" for i in range(side, number, m)]
        for j, bus in enumerate(buses):
            inputs = [*there[j * share : (j + 1) * share], *["common"] * share][:share]
            words = [f"x_bus_{bus}{ending}", *inputs, *(f"join_{b}_{k}" for k in range(share))]
            out.append(" ".join([*words, f"bus_{bus}{ending}", f"bus_reset_{b}", "common", "comparator_bus"]))
    return out + [x.lower() for x in converter_instances(chain.converter, tile_chain, bank, buses)]


def _compared(name: str, pins: tuple[str, ...], ports: list[str], body: str, expected: list[str]) -> list[str]:
    """Faults of a subcircuit that has to hold these statements, each once, and nothing else."""
    wanted = {line.split(" ", 1)[0]: line for line in expected}
    faults = []
    for line in statements(body):
        instance = line.split(" ", 1)[0]
        should = wanted.pop(instance, None)
        if should is None:
            faults.append(f"{instance} in {name} is there twice or does not belong there")
        elif line != should:
            faults.append(_difference(instance, name, line.split(), should.split()))
    faults += [f"{instance} is missing in {name}" for instance in wanted]
    fault = pin_fault(name, pins, ports)
    return [fault, *faults] if fault else faults


def _difference(instance: str, name: str, found: list[str], should: list[str]) -> str:
    if len(found) != len(should):
        return f"{instance} in {name} has {len(found) - 2} nodes instead of {len(should) - 2}"
    k = next(i for i, (a, b) in enumerate(zip(found, should, strict=True)) if a != b)
    return f"{instance} in {name} has {found[k]} where {should[k]} should be"


def readout_count(
    bodies: Mapping[str, str],
    scopes: Mapping[str, Scope],
    tile_chain: TileChain,
    technology: Technology,
    periphery: Periphery,
    level: str,
) -> ReadoutCount:
    """Transistors and drawn capacitors of every tile's readout, counted in a file and billed.

    Parameters
    ----------
    bodies : mapping
        Text of every subcircuit of the file but the planes, its `.subckt` line first.
    scopes : mapping
        The planes by name.
    tile_chain, technology, periphery : TileChain, Technology, Periphery
        As they are billed: `drawn_parts` times how often each unit is in a tile of this size.
    level : str
        `array`, whose rows have no drivers, or `macro`.

    Returns
    -------
    ReadoutCount
        By tile, the parts that are drawn transistor by transistor; a note instead where the transistors of the device
        set are not plain instances, so that there is no bill.

    Raises
    ------
    InputError
        A drawn capacitor of the file has no plain value.
    """
    try:
        bill = drawn_parts(technology, tile_chain.chain, periphery, tile_chain.levels)
    except InputError as error:
        return ReadoutCount(note=str(error))
    billed = [p for p in bill if p.drawn and p.unit != "line" and (level == "macro" or p.unit != "row")]
    of_part = _CIRCUITS | {
        p.subckt: p.name for p in tile_chain.chain.converter.parts(tile_chain.levels) if p.subckt is not None
    }
    circuits = "\n".join(
        "\n".join([*statements(text), ".ends"])
        for name, text in bodies.items()
        if name and not name.startswith(("tile_", "planes_t"))
    )
    out: list[PartCount] = []
    for tile in sorted({s.placement.tile for s in scopes.values()}):
        planes = [s for s in scopes.values() if s.placement.tile == tile]
        found = Counter(
            words[-1]
            for name in (f"planes_t{tile}", f"tile_{tile}")
            for line in statements(bodies.get(name, ""))[1:]
            if (words := line.split())[-1] in of_part
        )
        width = max(len(s.readable) for s in planes)
        number = tile_chain.units(planes[0].placement.rows, width, len(planes), planes[0].segments)
        out += [_counted(tile, part, number[part.unit], found, of_part, circuits) for part in billed]
    return ReadoutCount(tuple(out))


def _counted(
    tile: int, part: DrawnPart, number: int, found: Mapping[str, int], of_part: Mapping[str, str], circuits: str
) -> PartCount:
    there = {name: times for name, times in found.items() if of_part[name] == part.name}
    mos = sum(times * sum(t.multiplier for t in transistors(circuits, name)) for name, times in there.items())
    farads = sum(times * _drawn_capacitance(circuits, name) for name, times in there.items())
    return PartCount(tile, part.name, mos, number * part.transistors, farads, number * part.capacitance)


def _drawn_capacitance(circuits: str, name: str) -> float:
    """Capacitors of a subcircuit itself that are drawn, F."""
    _, _, rest = circuits.partition(f".subckt {name} ")
    body, _, _ = rest.partition("\n.ends")
    try:
        return math.fsum(float(c) for word, c in _CAPACITOR.findall(body) if word.split("_")[0] not in _NOT_DRAWN)
    except ValueError:
        raise InputError(f"a capacitor in {name} has no plain value", where="netlist") from None
