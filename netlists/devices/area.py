"""Layout area of transistors: rows of standard cells, neighbours that share a source or drain abut."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from interconnect.errors import InputError
from interconnect.provenance import Provenance

SHARE_OF_ROW = 0.3
"""Largest width of a finger over the row height: a row holds one n and one p device and its rails."""

GATE_PITCHES_PER_NAND = 3
"""Width of a two-input NAND gate: two gates and the gap to the next cell."""


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
class AreaRules:
    """Area rules of a transistor technology: contacted gate pitch and row height of its standard cells, m.

    length: channel length at which gates have that pitch, m; a longer channel takes so much more.
    """

    name: str
    gate_pitch: float
    row_height: float
    length: float
    provenance: Provenance

    def transistor_area(self, width: float) -> float:
        """Area of one transistor of `width` (m) that shares nothing with its neighbours, m2."""
        return self.drawn_area([DrawnTransistor("nmos", width, self.length, "d", "s")])

    def drawn_area(self, transistors: Iterable[DrawnTransistor]) -> float:
        """Area of a circuit's transistors, m2.

        A row holds one n and one p device above each other, so that either takes half of its height. A finger takes one
        gate pitch, a strip of abutting fingers one more. Strips follow from the circuit: transistors of one type are
        edges between the nets of their ends, and a connected graph with 2 k nets of odd degree is drawn in max(1, k)
        strips (T. Uehara and W. M. van Cleemput, IEEE Trans. Computers C-30 (1981) 305).

        Raises InputError for a width that is not positive.
        """
        drawn = list(transistors)
        pitches = sum(self._pitches([t for t in drawn if t.kind == kind]) for kind in {t.kind for t in drawn})
        return pitches * self.row_height / 2

    def logic_area(self, gates: float) -> float:
        """Area of `gates` two-input NAND equivalents, m2: three gate pitches by one row each."""
        return gates * GATE_PITCHES_PER_NAND * self.gate_pitch * self.row_height

    def _pitches(self, transistors: Sequence[DrawnTransistor]) -> float:
        """Width of all strips of one type, m."""
        total = 0.0
        degree: dict[str, int] = {}
        joined: dict[str, str] = {}
        for t in transistors:
            if not t.width > 0:
                raise InputError(f"transistor width is {t.width:g} m, expected more than 0")
            fingers = t.multiplier * math.ceil(t.width / (SHARE_OF_ROW * self.row_height) - 1e-9)
            total += fingers * (self.gate_pitch + max(t.length - self.length, 0.0))
            for end in (t.drain, t.source):
                degree[end] = degree.get(end, 0) + fingers
            joined[_root(joined, t.drain)] = _root(joined, t.source)
        odd: dict[str, int] = {}
        for net, number in degree.items():
            root = _root(joined, net)
            odd[root] = odd.get(root, 0) + number % 2
        return total + sum(max(1, number // 2) for number in odd.values()) * self.gate_pitch


def _root(joined: dict[str, str], net: str) -> str:
    while joined.get(net, net) != net:
        net = joined[net]
    return net
