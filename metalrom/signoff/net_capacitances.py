"""Capacitances between the nets of a block of cells, from a cell's model or from an extractor's netlist, and what they
are per cell far from the block's sides."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from interconnect.arrays import IntArray
from interconnect.errors import InputError
from metalrom.signoff.cell_block import CellBlock, bit_line_name, row_name
from netlists.cells.base import GROUND_NODE, CellModel

_CAPACITOR = re.compile(r"^C\S*\s+(\S+)\s+(\S+)\s+([\d.+-]+(?:e[+-]?\d+)?)([afpnu]?)F?\b", re.IGNORECASE)
_SCALE = {"": 1.0, "a": 1e-18, "f": 1e-15, "p": 1e-12, "n": 1e-9, "u": 1e-6}
_GROUNDS = ("gnd", "vsubs", "sky130_gnd")
"""What the names of grounded nets begin with: sheets and shields are several nets, the substrate has a name of each
extractor."""

QUANTITIES = (
    "bit line",
    "bit line to row lines",
    "bit line to bit lines",
    "bit line to ground",
    "row line",
)


@dataclass(frozen=True)
class NetCapacitances:
    """Capacitance between pairs of nets, F. Names in a pair are sorted; ground is `0`."""

    pairs: Mapping[tuple[str, str], float]

    def of(self, net: str) -> Iterator[tuple[str, float]]:
        """Every other net with its capacitance to this one."""
        for (a, b), farads in self.pairs.items():
            if net in (a, b):
                yield (b if a == net else a), farads


def read_capacitances(text: str) -> NetCapacitances:
    """The capacitors of a flat SPICE netlist; nets that are neither lines of a block nor ground float and are reduced.

    Raises InputError for a netlist without capacitors.
    """
    pairs: dict[tuple[str, str], float] = {}
    for line in text.splitlines():
        if (found := _CAPACITOR.match(line.strip())) is not None:
            a, b, value, scale = found.groups()
            _add(pairs, _net(a), _net(b), float(value) * _SCALE[scale.lower()])
    if not pairs:
        raise InputError("the extractor's netlist has no capacitors")
    return NetCapacitances(_without_floating(pairs))


def model_capacitances(model: CellModel, symbols: IntArray, block: CellBlock) -> NetCapacitances:
    """The same of a block of cells with one model. symbols: of the whole plane, shape (rows, physical columns)."""
    pairs: dict[tuple[str, str], float] = {}
    letters = {line.prefix: line.letter for line in model.lines}
    prefixes = {line.prefix for line in model.bit_lines}
    for row in block.rows:
        for column in block.columns:
            variant = model.variants[int(symbols[row, column])]

            def net(pin: str, row: int = row, column: int = column, ties: Mapping[str, str] = variant.ties) -> str:
                pin = ties.get(pin, pin)
                prefix, _, end = pin.rpartition("_")
                if pin == GROUND_NODE:
                    return GROUND_NODE
                if prefix in prefixes:
                    after = column + 1 if end == "next" else column
                    return bit_line_name(prefix, after) if after in block.columns else ""
                return row_name(letters[prefix], row) if prefix in letters else f"float_{pin}_{row}_{column}"

            for e in variant.elements:
                a, b = net(e.a), net(e.b)
                if e.is_capacitor and a and b:
                    _add(pairs, a, b, e.value)
    return NetCapacitances(_without_floating(pairs))


def per_cell(
    whole: NetCapacitances, short: NetCapacitances, narrow: NetCapacitances, block: CellBlock, model: CellModel
) -> dict[str, float]:
    """`QUANTITIES` of one cell in a large array, F.

    whole: of the block; short, narrow: of its `shorter` and `narrower` one. The difference of two lengths of a line has
    no ends in it. Means over all lines but the outermost. A row line's couplings to lines of its kind in other rows are
    left out, since a cell's model, made of one row, has none.
    """
    longer = len(block.rows) - len(block.shorter().rows)
    wider = len(block.columns) - len(block.narrower().columns)
    out: dict[str, list[float]] = {name: [] for name in QUANTITIES}
    for column in block.columns[1:-1]:
        for line in model.bit_lines:
            name = bit_line_name(line.prefix, column)
            for quantity, other in zip(QUANTITIES[:4], ("", "row_", "bit_", GROUND_NODE), strict=True):
                long, part = (_sum(net.of(name), other) for net in (whole, short))
                out[quantity].append((long - part) / longer)
    for row in block.rows[1:-1]:
        for wire in model.lines:
            kind, name = f"row_{wire.letter}_", row_name(wire.letter, row)
            long, part = (_sum(net.of(name), "", kind) for net in (whole, narrow))
            out[QUANTITIES[4]].append((long - part) / wider)
    return {name: float(np.mean(values)) for name, values in out.items()}


def _sum(couplings: Iterator[tuple[str, float]], begins: str, but: str = "\0") -> float:
    return sum(farads for net, farads in couplings if net.startswith(begins) and not net.startswith(but))


def _net(name: str) -> str:
    return GROUND_NODE if name.lower().startswith(_GROUNDS) else name


def _add(pairs: dict[tuple[str, str], float], a: str, b: str, farads: float) -> None:
    if a != b:
        pair = (a, b) if a < b else (b, a)
        pairs[pair] = pairs.get(pair, 0.0) + farads


def _without_floating(pairs: Mapping[tuple[str, str], float]) -> dict[tuple[str, str], float]:
    """Floating nets one after the other as a star that becomes a mesh: C_i C_j / sum of C between its neighbours."""
    out = dict(pairs)
    around: dict[str, dict[str, float]] = {}
    for (a, b), farads in out.items():
        around.setdefault(a, {})[b] = farads
        around.setdefault(b, {})[a] = farads
    for net in [n for n in around if n != GROUND_NODE and not n.startswith(("row_", "bit_"))]:
        arms = sorted(around.pop(net).items())
        total = sum(farads for _, farads in arms)
        for i, (a, to_a) in enumerate(arms):
            del around[a][net], out[(a, net) if a < net else (net, a)]
            for b, to_b in arms[i + 1 :] if total > 0.0 else ():
                _add(out, a, b, to_a * to_b / total)
                around[a][b] = around[b][a] = out[(a, b) if a < b else (b, a)]
    return out
