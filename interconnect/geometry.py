"""One cell as one typed list of named boxes; extraction, pictures, layout and area are all drawn from it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from typing import Literal

from interconnect.errors import InputError

BoxKind = Literal["line", "tab", "via", "shield", "resistor"]
Point = tuple[float, float, float]

DRAWN_UNIT = 1e-13
"""Lengths of a cell are told apart in whole units of this (m)."""

GROUND = "GND"
"""Net of the grounded sheets at `floor` and `ceiling`, and of every shield."""


@dataclass(frozen=True, slots=True)
class Box:
    """An axis-aligned conductor (or resistor plug) of one net on one layer; corners in metres (x, y, z)."""

    net: str
    layer: str
    kind: BoxKind
    lower: Point
    upper: Point

    @property
    def size(self) -> Point:
        """Edge lengths (x, y, z), metres."""
        lo, hi = self.lower, self.upper
        return (hi[0] - lo[0], hi[1] - lo[1], hi[2] - lo[2])


@dataclass(frozen=True, slots=True)
class Slab:
    """A horizontal layer of dielectric between two heights (m) with relative permittivity `k`."""

    bottom: float
    top: float
    k: float


@dataclass(frozen=True, slots=True)
class CellGeometry:
    """A periodic piece of the array: `rows` x `columns` cells that repeat with `period` (x, y) metres.

    x runs along the rows (word lines), y along the columns (bit lines), z upwards. Lines reach from one face
    of the period to the other and continue in the next copy. Grounded sheets at `floor` and `ceiling` (z, m)
    stand for the neighbouring planes. Boxes of one net may touch (a tab and its via); boxes of different
    nets must not touch, except that a resistor plug touches the lines it joins.
    """

    name: str
    boxes: tuple[Box, ...]
    period: tuple[float, float]
    floor: float
    ceiling: float
    slabs: tuple[Slab, ...]
    rows: int = 1
    columns: int = 1

    def __post_init__(self) -> None:
        if min(self.period) <= 0 or self.ceiling <= self.floor:
            raise InputError(f"geometry {self.name}: the period and the height must be positive")
        for box in self.boxes:
            if min(box.size) <= 0:
                raise InputError(f"geometry {self.name}: box {box.net}/{box.layer} has no volume")
            if box.lower[2] < self.floor or box.upper[2] > self.ceiling:
                raise InputError(f"geometry {self.name}: box {box.net}/{box.layer} leaves the space between planes")
        for i, a in enumerate(self.boxes):
            for b in self.boxes[i + 1 :]:
                if a.net != b.net and _short(a, b):
                    raise InputError(
                        f"geometry {self.name}: {a.net} ({a.layer}) and {b.net} ({b.layer}) touch and would be shorted"
                    )

    @property
    def nets(self) -> tuple[str, ...]:
        """Conductor nets in order of first appearance, `GND` last; resistor plugs are not conductors."""
        names = dict.fromkeys(box.net for box in self.boxes if box.kind != "resistor")
        names.pop(GROUND, None)
        return (*names, GROUND)

    @property
    def area(self) -> float:
        """Footprint of one cell, m^2."""
        return self.period[0] * self.period[1] / (self.rows * self.columns)

    def widened(self, factor: float) -> CellGeometry:
        """The same cell with its lines and cuts wider by `factor`, their centres kept; InputError where lines meet.

        A line that runs through the period has no ends to move; its width is the other edge length.
        """
        return replace(self, boxes=tuple(self._wider(box, factor) for box in self.boxes))

    def _wider(self, box: Box, factor: float) -> Box:
        lower, upper = list(box.lower), list(box.upper)
        ends = [axis for axis in (0, 1) if abs(box.size[axis] - self.period[axis]) > 1e-6 * self.period[axis]]
        grow = 0.5 * (factor - 1.0) * min((box.size[axis] for axis in ends), default=0.0)
        for axis in ends:
            lower[axis] -= grow
            upper[axis] += grow
        return replace(box, lower=(lower[0], lower[1], lower[2]), upper=(upper[0], upper[1], upper[2]))

    def normalized(self) -> CellGeometry:
        """What decides the capacitances: lengths in whole units of 0.1 pm, heights from the floor, no layer names.

        Cells that are drawn alike on different metals become equal.
        """

        def rounded(length: float) -> float:
            return round(length / DRAWN_UNIT) * DRAWN_UNIT

        def corner(point: Point) -> Point:
            return (rounded(point[0]), rounded(point[1]), rounded(point[2] - self.floor))

        height = rounded(self.ceiling - self.floor)
        slabs = (
            Slab(max(rounded(s.bottom - self.floor), 0.0), min(rounded(s.top - self.floor), height), s.k)
            for s in self.slabs
        )
        return replace(
            self,
            boxes=tuple(replace(b, layer="", lower=corner(b.lower), upper=corner(b.upper)) for b in self.boxes),
            period=(rounded(self.period[0]), rounded(self.period[1])),
            floor=0.0,
            ceiling=height,
            slabs=tuple(s for s in slabs if s.top > s.bottom),
        )

    def key(self) -> str:
        """Content hash (SHA-256, hex) of everything that decides the electrical result; the name is left out."""
        content = asdict(self)
        content.pop("name")
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _short(a: Box, b: Box) -> bool:
    """Whether two boxes of different nets would be shorted: they share volume or a face (tolerance 1 fm).

    A resistor plug joins two nets on purpose, so it may share a face with them, but no volume.
    """
    tol = 1e-15
    gaps = [max(a.lower[i], b.lower[i]) - min(a.upper[i], b.upper[i]) for i in range(3)]
    if "resistor" in (a.kind, b.kind):
        return max(gaps) < -tol
    return max(gaps) < tol and sum(abs(g) < tol for g in gaps) < 2
