"""Which part a box of a cell plays, and the colour in which every picture draws it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from interconnect.geometry import Box, CellGeometry
from metalrom.drawing.svg import Canvas, text_width

Role = Literal["signal", "ground", "bitline", "tab", "via", "via0", "shield", "resistor"]


@dataclass(frozen=True, slots=True)
class Paint:
    """Fill of the front, top and side of a box, and the words of the legend."""

    label: str
    fill: str
    top: str
    side: str


PAINT: dict[Role, Paint] = {
    "signal": Paint("signal row (word line)", "#e08a1e", "#f2ae55", "#b56a0e"),
    "ground": Paint("ground row", "#8a94a0", "#b4bcc5", "#69737f"),
    "bitline": Paint("bit line", "#2f6db5", "#6a9fdc", "#1f4f88"),
    "tab": Paint("tab (coupling finger)", "#2a9d8f", "#6cc7bb", "#1c7268"),
    "via": Paint("via of a 1", "#c8203a", "#ee5468", "#8d1226"),
    "via0": Paint("via of a 0", "#3c4550", "#5d6874", "#262c34"),
    "shield": Paint("shield (grounded)", "#c3ccd4", "#e1e6eb", "#9aa6b1"),
    "resistor": Paint("resistor", "#a65ba0", "#cf94ca", "#793f74"),
}
"""Colours differ in lightness as well as hue, so they survive grey print and colour blindness."""


def direction(box: Box) -> Literal["x", "y"]:
    """Axis along which a line runs (its longer horizontal edge)."""
    return "x" if box.size[0] >= box.size[1] else "y"


def role(box: Box, bit: int = 1) -> Role:
    """Role of a box: lines along x are rows, along y bit lines; a row whose net begins with `G` is the ground row.

    `bit` is what the box's cell stores; it tells the via of a 1 from the via of a 0.
    """
    if box.kind == "via" and not bit:
        return "via0"
    if box.kind != "line":
        return box.kind
    if direction(box) == "y":
        return "bitline"
    return "ground" if box.net.upper().startswith("G") else "signal"


def name(box: Box) -> str:
    """Label of a box in a picture: its net, with its kind where the net alone would mislead."""
    return box.net if box.kind == "line" else f"{box.kind} ({box.net})"


def layers(geometry: CellGeometry, *, vias: bool = False) -> list[tuple[str, float, float]]:
    """Layers with their bottom and top (z, m), lowest first: metals, or the via and resistor layers."""
    found: dict[str, tuple[float, float]] = {}
    for box in geometry.boxes:
        if (box.kind in ("via", "resistor")) != vias:
            continue
        low, high = found.get(box.layer, (box.lower[2], box.upper[2]))
        found[box.layer] = (min(low, box.lower[2]), max(high, box.upper[2]))
    return sorted(((layer, low, high) for layer, (low, high) in found.items()), key=lambda item: (item[1], item[0]))


def via_labels(symbol_values: Sequence[int]) -> dict[Role, str]:
    """Words of the legend for the vias of cells of these symbol values, where they differ from those of bits."""
    if tuple(symbol_values) == (0, 1):
        return {}
    return {"via": f"via of {', '.join(str(v) for v in symbol_values if v)}"}


def legend(
    canvas: Canvas,
    roles: Iterable[Role],
    x: float,
    y: float,
    right: float,
    labels: Mapping[Role, str] = MappingProxyType({}),
) -> float:
    """Colour key from (x, y) on, wrapped at `right`; returns the height (y) of its last baseline.

    labels: words instead of the usual ones.
    """
    at, size = x, 12.5
    for item in roles:
        paint, label = PAINT[item], labels.get(item, PAINT[item].label)
        need = 19 + text_width(label, size)
        if at + need > right and at > x:
            at, y = x, y + 21
        canvas.rect(at, y - 11, 13, 13, fill=paint.fill, stroke=paint.side, stroke_width=1)
        canvas.text((at + 19, y), label, size=size)
        at += need + 16
    return y
