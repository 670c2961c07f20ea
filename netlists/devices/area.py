"""Layout area of transistors: rows of standard cells, or strips at the design rules' own distances as in memories.
Neighbours that share a source or drain abut either way."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from interconnect.errors import InputError
from interconnect.provenance import Provenance

SHARE_OF_ROW = 0.3
"""Largest width of a finger over the row height: a row holds one n and one p device and its rails."""

NOT_AVAILABLE = "area: not available"
"""What an output says in place of an area that nothing is known of."""

GATE_PITCHES_PER_NAND = 3
"""Width of a two-input NAND gate: two gates and the gap to the next cell."""


def missing_rules() -> InputError:
    """What is said where an area is asked for that nothing is known of."""
    return InputError(
        f"{NOT_AVAILABLE}, the device set has no area rules",
        where="technology.devices",
        hint="add the block `layout` (standard_cell: gate_pitch, row_height, status, source) to its file",
    )


def area_at_node(area: float, node: float, target: float) -> float:
    """An area as if it shrank ideally from a process generation `node` to `target` (same unit): times
    (target / node)^2, for circuits of ours and of the literature alike. Raises InputError for a node that is none."""
    for value in (node, target):
        if not (value > 0 and math.isfinite(value)):
            raise InputError(f"process node is {value:g}, expected more than 0")
    return area * (target / node) ** 2


@dataclass(frozen=True, slots=True)
class DrawnTransistor:
    """A transistor as it is drawn: type, width and length in m, its two ends by net, number in parallel."""

    kind: str
    width: float
    length: float
    drain: str
    source: str
    multiplier: int = 1


@dataclass(frozen=True, slots=True)
class MemoryRules:
    """Strips of transistors outside of rows of standard cells, m.

    gate_pitch: contacted. strip_end: what a strip of abutting fingers takes beyond a pitch for each of them. across:
    what it takes beside its width: gate ends, a contact of the gate, the distance to the next strip.
    """

    gate_pitch: float
    strip_end: float
    across: float
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class AreaRules:
    """Area rules of a transistor technology: contacted gate pitch and row height of its standard cells, m.

    length: channel length at which gates have that pitch, m; a longer channel takes so much more. memory: how
    transistors are drawn outside of standard cells; None: in their rows. Logic is standard cells in either case.
    """

    name: str
    gate_pitch: float
    row_height: float
    length: float
    provenance: Provenance
    memory: MemoryRules | None = None

    @property
    def drawing(self) -> Provenance:
        """Where the rules of drawn transistors come from."""
        return self.provenance if self.memory is None else self.memory.provenance

    def transistor_area(self, width: float) -> float:
        """Area of one transistor of `width` (m) that shares nothing with its neighbours, m2."""
        return self.drawn_area([DrawnTransistor("nmos", width, self.length, "d", "s")])

    def drawn_area(self, transistors: Iterable[DrawnTransistor]) -> float:
        """Area of a circuit's transistors, m2.

        A row holds one n and one p device above each other, so that either takes half of its height. A finger takes one
        gate pitch, a strip of abutting fingers one more. Strips follow from the circuit: transistors of one type are
        edges between the nets of their ends, and a connected graph with 2 k nets of odd degree is drawn in max(1, k)
        strips (T. Uehara and W. M. van Cleemput, IEEE Trans. Computers C-30 (1981) 305).

        By memory rules a strip is as high as its widest transistor and what it takes across; nothing is folded.

        Raises InputError for a width that is not positive.
        """
        drawn = list(transistors)
        graphs = [
            g for kind in sorted({t.kind for t in drawn}) for g in self._graphs(t for t in drawn if t.kind == kind)
        ]
        if (m := self.memory) is not None:
            return sum((g.gates + g.strips * m.strip_end) * (g.widest + m.across) for g in graphs)
        return sum(g.gates + g.strips * self.gate_pitch for g in graphs) * self.row_height / 2

    def logic_area(self, gates: float) -> float:
        """Area of `gates` two-input NAND equivalents, m2: three gate pitches by one row each."""
        return gates * GATE_PITCHES_PER_NAND * self.gate_pitch * self.row_height

    def _graphs(self, transistors: Iterable[DrawnTransistor]) -> list[_Graph]:
        """The connected graphs of transistors of one type."""
        pitch = self.gate_pitch if self.memory is None else self.memory.gate_pitch
        widest_finger = SHARE_OF_ROW * self.row_height if self.memory is None else math.inf
        drawn: list[tuple[str, float, float]] = []
        degree: dict[str, int] = {}
        joined: dict[str, str] = {}
        for t in transistors:
            if not t.width > 0:
                raise InputError(f"transistor width is {t.width:g} m, expected more than 0")
            fingers = t.multiplier * max(1, math.ceil(t.width / widest_finger - 1e-9))
            drawn.append((t.drain, t.width, fingers * (pitch + max(t.length - self.length, 0.0))))
            for end in (t.drain, t.source):
                degree[end] = degree.get(end, 0) + fingers
            joined[_root(joined, t.drain)] = _root(joined, t.source)
        odd: dict[str, int] = {}
        for net, number in degree.items():
            root = _root(joined, net)
            odd[root] = odd.get(root, 0) + number % 2
        out = []
        for root, number in odd.items():
            mine = [(width, gates) for net, width, gates in drawn if _root(joined, net) == root]
            out.append(_Graph(sum(g for _, g in mine), max(1, number // 2), max(w for w, _ in mine)))
        return out


@dataclass(frozen=True, slots=True)
class _Graph:
    """Transistors that are connected by sources and drains: all gates at their pitch, m; strips; the widest, m."""

    gates: float
    strips: int
    widest: float


def _root(joined: dict[str, str], net: str) -> str:
    while joined.get(net, net) != net:
        net = joined[net]
    return net
