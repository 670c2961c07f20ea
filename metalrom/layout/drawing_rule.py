"""A rule on drawn layers: what a DRC deck holds, one by one."""

from dataclasses import dataclass
from typing import Literal

RuleKind = Literal[
    "width",
    "space",
    "area",
    "size",
    "covered",
    "enclosure",
    "end_enclosure",
    "adjacent_enclosure",
    "grid",
    "separation",
    "beside",
    "extension",
    "channel",
]


@dataclass(frozen=True, slots=True)
class DrawingRule:
    """A rule on one layer, or between two.

    value: m (m^2 of an area). other: what surrounds the layer (`covered` and the enclosures), keeps away from
    it (`separation`; `beside`: where sides face each other, crossings are allowed), reaches beyond it where they cross
    (`extension`), or makes it a gate (`channel`). kit: the kit's own name of the rule.
    all_round: the enclosure on every side that goes with an `end_enclosure`, m.
    """

    kind: RuleKind
    layer: str
    value: float = 0.0
    other: str = ""
    kit: str = ""
    all_round: float = 0.0

    @property
    def name(self) -> str:
        """Name in decks and reports, such as `via.enclosure.met1`, after the kit's own where it has one."""
        return " ".join(filter(None, (self.kit, ".".join(filter(None, (self.layer, self.kind, self.other))))))

    def __str__(self) -> str:
        nm = f"{self.value * 1e9:.4g} nm"
        return {
            "width": f"{self.layer} is at least {nm} wide",
            "space": f"{self.layer} keeps a space of at least {nm}",
            "area": f"a piece of {self.layer} has at least {self.value * 1e12:.4g} um^2",
            "size": f"{self.layer} cuts are squares of {nm}",
            "covered": f"{self.layer} lies on {self.other}",
            "enclosure": f"{self.other} reaches {nm} beyond {self.layer} on every side",
            "end_enclosure": f"{self.other} reaches {nm} beyond {self.layer} on two opposite sides",
            "adjacent_enclosure": f"{self.other} reaches {nm} beyond {self.layer} on one of every two adjacent sides",
            "grid": f"corners of {self.layer} lie on a grid of {nm}",
            "separation": f"{self.layer} and {self.other} keep {nm} apart",
            "beside": f"{self.layer} beside {self.other} keeps {nm} apart",
            "extension": f"{self.other} reaches {nm} beyond {self.layer} where they cross",
            "channel": f"a {self.layer} is at least {nm} wide along {self.other}",
        }[self.kind]
