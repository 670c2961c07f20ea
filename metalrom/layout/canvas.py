"""Shapes that are being drawn: rectangles by layer and texts, in nm."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from metalrom.layout.pattern import Rect

GRID = 5
"""Grid of the corners that generators compute, nm."""


def half(length: int) -> int:
    """Half of a length on the grid, rounded down."""
    return length // (2 * GRID) * GRID


@dataclass(frozen=True, slots=True)
class Text:
    """The name of a net on a layer, nm."""

    layer: str
    net: str
    at: tuple[int, int]


@dataclass
class Canvas:
    """What is drawn. rects: by layer, left, bottom, right, top."""

    rects: dict[str, list[Rect]] = field(default_factory=lambda: defaultdict(list))
    texts: list[Text] = field(default_factory=list)

    def box(self, layer: str, x0: int, y0: int, x1: int, y1: int) -> None:
        """A rectangle between two corners."""
        self.rects[layer].append((x0, y0, x1, y1))

    def centred(self, layer: str, at: tuple[int, int], wide: int, tall: int) -> None:
        """A rectangle about a point."""
        left, bottom = at[0] - half(wide), at[1] - half(tall)
        self.box(layer, left, bottom, left + wide, bottom + tall)

    def text(self, layer: str, net: str, x: int, y: int) -> None:
        """A net's name."""
        self.texts.append(Text(layer, net, (x, y)))

    def add(self, other: Canvas, along: int = 0, up: int = 0) -> None:
        """Everything of another canvas, moved."""
        for layer, rects in other.rects.items():
            self.rects[layer] += [(a + along, b + up, c + along, d + up) for a, b, c, d in rects]
        self.texts += [Text(t.layer, t.net, (t.at[0] + along, t.at[1] + up)) for t in other.texts]

    def reach(self, *layers: str) -> tuple[int, int]:
        """Leftmost and rightmost coordinate of some layers."""
        found = [r for layer in layers for r in self.rects.get(layer, [])]
        return min(r[0] for r in found), max(r[2] for r in found)
