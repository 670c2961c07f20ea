"""A broken drawing rule: which, where and by how much."""

from dataclasses import dataclass
from typing import Any

from interconnect.arrays import IntArray
from metalrom.layout.plan import Plan


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken rule. rule: width, space, size, cover, enclosure, area or grid. value, limit: m (m^2 of an area); value
    is negative for a cut that sticks out and None for one with no metal at its middle. box: where, um (left, bottom,
    right, top). place: in the array. kit: the kit's own name of the rule."""

    layer: str
    rule: str
    value: float | None
    limit: float
    box: tuple[float, float, float, float]
    with_layer: str = ""
    place: str = ""
    kit: str = ""

    def __str__(self) -> str:
        x0, y0, x1, y1 = (f"{v:.9g}" for v in self.box)
        at = f"at ({x0}, {y0}) to ({x1}, {y1}) um" + (f", {self.place}" if self.place else "")
        if self.rule == "cover":
            how = "lies beside it" if self.value is None else f"sticks out by {-self.value * 1e9:.4g} nm"
            return f"{self.layer} cut not covered by {self.with_layer}: {how} {at}"
        if self.value is None and self.rule != "grid":
            around = f" in {self.with_layer}" if self.with_layer else ""
            rule = f"rule {self.kit}, {self.rule}" if self.kit else f"rule of {self.rule}"
            return f"{self.layer}{around} breaks the {rule} ({self.limit:.4g} in SI units) {at}"
        value = 0.0 if self.value is None else self.value
        if self.rule == "enclosure":
            how = f"enclosed by {value * 1e9:.4g} nm of {self.with_layer}, must be {self.limit * 1e9:.4g} nm"
            return f"{self.layer} cut {how} {at}"
        if self.rule == "area":
            return f"{self.layer} area {value * 1e12:.4g} um^2, must be at least {self.limit * 1e12:.4g} um^2 {at}"
        if self.rule == "grid":
            return f"{self.layer} corner off the grid of {self.limit * 1e9:.4g} nm {at}"
        must = "exactly" if self.rule == "size" else "at least"
        return f"{self.layer} {self.rule} {value * 1e9:.4g} nm, must be {must} {self.limit * 1e9:.4g} nm {at}"

    def to_json(self) -> dict[str, Any]:
        """The violation as a JSON document; lengths in m, box in um."""
        return {
            "layer": self.layer,
            "rule": self.rule,
            "with": self.with_layer,
            "value_m": self.value,
            "limit_m": self.limit,
            "box_um": list(self.box),
            "place": self.place,
            "text": str(self),
        }


Found = tuple[int, list[Violation]]
"""How many violations there are of one rule on one layer, and the first of them."""


def place_of(plan: Plan, layer: str, box: IntArray) -> str:
    """The cell of the array that the middle of a box lies in, in words; empty outside of every plane."""
    x, y = (int(box[0]) + int(box[2])) / 2, (int(box[1]) + int(box[3])) / 2
    for part in plan.parts:
        plane = part.pattern.plane
        own = (plane.row, plane.column, plan.stack.via_between(plane.row, plane.column).name)
        c, r = (x - part.origin[0]) / part.pattern.column_pitch, (y - part.origin[1]) / part.pattern.row_pitch
        if layer in own and 0 <= c <= part.columns and 0 <= r <= part.rows:
            row, column = min(int(r), part.rows - 1), min(int(c), part.columns - 1)
            return f"tile {part.tile}, plane {part.plane}, row {row}, column {column}"
    return ""
