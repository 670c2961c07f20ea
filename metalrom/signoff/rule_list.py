"""The rules that a stack states, one by one: what a DRC deck holds."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from interconnect.stack import Stack

RuleKind = Literal["width", "space", "area", "size", "covered", "enclosure", "end_enclosure", "grid"]


@dataclass(frozen=True, slots=True)
class DrawingRule:
    """A rule on one layer. value: m (m^2 of an area). other: the metal that must surround a cut."""

    kind: RuleKind
    layer: str
    value: float = 0.0
    other: str = ""

    @property
    def name(self) -> str:
        """Name in decks and reports, such as `via.enclosure.met1`."""
        return ".".join(filter(None, (self.layer, self.kind, self.other)))

    def __str__(self) -> str:
        nm = f"{self.value * 1e9:.4g} nm"
        return {
            "width": f"{self.layer} is at least {nm} wide",
            "space": f"{self.layer} keeps a space of at least {nm}",
            "area": f"a piece of {self.layer} has at least {self.value * 1e12:.4g} um^2",
            "size": f"{self.layer} cuts are squares of {nm}",
            "covered": f"{self.layer} cuts lie on {self.other}",
            "enclosure": f"{self.other} reaches {nm} beyond {self.layer} on every side",
            "end_enclosure": f"{self.other} reaches {nm} beyond {self.layer} on two opposite sides",
            "grid": f"corners of {self.layer} lie on a grid of {nm}",
        }[self.kind]


def drawing_rules(stack: Stack, drawn: Collection[str]) -> tuple[DrawingRule, ...]:
    """Every rule that the stack states for the layers that are drawn."""
    rules: list[DrawingRule] = []
    for metal in stack.metals:
        if metal.name in drawn:
            rules += [
                DrawingRule("width", metal.name, metal.min_width),
                DrawingRule("space", metal.name, metal.min_space),
            ]
            rules += [DrawingRule("area", metal.name, metal.min_area)] if metal.min_area else []
    for via in stack.vias:
        if via.name not in drawn:
            continue
        rules += [DrawingRule("size", via.name, via.size), DrawingRule("space", via.name, via.space)]
        for metal_name, rule in ((via.below, via.enclosed_below), (via.above, via.enclosed_above)):
            rules.append(DrawingRule("covered", via.name, other=metal_name))
            if rule and rule.sides > 0:
                rules.append(DrawingRule("enclosure", via.name, rule.sides, metal_name))
            if rule and rule.ends > rule.sides:
                rules.append(DrawingRule("end_enclosure", via.name, rule.ends, metal_name))
    names = [x.name for x in stack.metals] + [x.name for x in stack.vias]
    return (*rules, *(DrawingRule("grid", name, stack.grid) for name in names if stack.grid and name in drawn))
