"""Design rule check by KLayout, on the file as KLayout reads it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import add, and_, or_, sub
from pathlib import Path
from typing import Any

from interconnect.optional import optional_library
from metalrom.layout.drawing_rule import DrawingRule
from metalrom.layout.front_end import FrontEnd
from metalrom.layout.plan import Plan
from metalrom.layout.rule_list import drawing_rules, front_end_rules
from metalrom.layout.violation import Violation

MOST_SHOWN = 20
"""Violations of one rule that a report names; all are counted."""


@dataclass(frozen=True)
class DrcReport:
    """What KLayout found. count: all violations; violations: the first of every rule; rules: those checked."""

    count: int
    violations: tuple[Violation, ...]
    rules: tuple[DrawingRule, ...]


def klayout_db() -> Any:
    """KLayout's database module. Raises MissingLibrary that names the extra."""
    return optional_library("klayout.db", extra="signoff", purpose="sign-off checks")


def open_in_klayout(path: Path) -> Any:
    """The file as a `klayout.db.Layout`."""
    layout = klayout_db().Layout()
    layout.read(str(path))
    return layout


def check_with_klayout(plan: Plan, layout: Any, front: FrontEnd | None = None) -> DrcReport:
    """Every rule of the plan's stack, and of a front end, on every layer that is drawn in the file.

    KLayout works through the file's hierarchy: what cells have in common is checked once.
    """
    db = klayout_db()
    store = db.DeepShapeStore()
    top = layout.top_cell()
    numbers = {name: (n.drawing, n.plug) for name, n in plan.layers.layers.items()}
    numbers |= {name: (number, None) for name, number in (front.layers.items() if front else ())}
    regions: dict[str, Any] = {}
    for name, of_layer in numbers.items():
        indices = [layout.find_layer(*number) for number in of_layer if number]
        drawn = [db.Region(top.begin_shapes_rec(index), store) for index in indices if index is not None]
        region = reduce(add, drawn, db.Region())
        if not region.is_empty():
            regions[name] = region
    rules = drawing_rules(plan.stack, regions)
    if front is not None:
        for name, (one, operation, other) in front.derived.items():
            regions[name] = DERIVE[operation](regions.get(one, db.Region()), regions.get(other, db.Region()))
        rules += tuple(rule for rule in front_end_rules(front, plan.stack) if rule.layer in regions)
    found, total = [], 0
    for rule in rules:
        boxes = _CHECKS[rule.kind](db, regions, rule, layout.dbu)
        total += boxes.count()
        for i, item in enumerate(boxes.each()):
            if i == MOST_SHOWN:
                break
            box = item.bbox()
            um = tuple(round(v * layout.dbu, 6) for v in (box.left, box.bottom, box.right, box.top))
            found.append(Violation(rule.layer, rule.kind, None, rule.value, um, with_layer=rule.other, kit=rule.kit))
    return DrcReport(total, tuple(found), rules)


def _units(rule: DrawingRule, dbu: float) -> int:
    return round(rule.value * 1e6 / dbu)


def _width(db: Any, regions: Mapping[str, Any], rule: DrawingRule, dbu: float) -> Any:
    del db
    return regions[rule.layer].width_check(_units(rule, dbu))


def _space(db: Any, regions: Mapping[str, Any], rule: DrawingRule, dbu: float) -> Any:
    del db
    return regions[rule.layer].space_check(_units(rule, dbu))


def _area(db: Any, regions: Mapping[str, Any], rule: DrawingRule, dbu: float) -> Any:
    del db
    return regions[rule.layer].merged().with_area(0, round(rule.value * 1e12 / dbu**2), False)


def _size(db: Any, regions: Mapping[str, Any], rule: DrawingRule, dbu: float) -> Any:
    side = _units(rule, dbu)
    merged = regions[rule.layer].merged()
    squares = merged.rectangles().with_bbox_width(side, False).with_bbox_height(side, False)
    del db
    return merged - squares


def _covered(db: Any, regions: Mapping[str, Any], rule: DrawingRule, dbu: float) -> Any:
    del dbu
    return regions[rule.layer].not_inside(regions.get(rule.other, db.Region()))


def _enclosure(db: Any, regions: Mapping[str, Any], rule: DrawingRule, dbu: float) -> Any:
    allowed = {
        "enclosure": db.Region.NoRectFilter,
        "end_enclosure": db.Region.TwoOppositeSidesAllowed,
        "adjacent_enclosure": db.Region.RectFilter(
            db.Region.OneSideAllowed.to_i() | db.Region.TwoOppositeSidesAllowed.to_i()
        ),
    }[rule.kind]
    metal = regions.get(rule.other, db.Region())
    return regions[rule.layer].enclosed_check(
        metal,
        _units(rule, dbu),
        False,
        db.Region.Projection,
        None,
        None,
        None,
        True,
        db.Region.NoOppositeFilter,
        allowed,
    )


def _grid(db: Any, regions: Mapping[str, Any], rule: DrawingRule, dbu: float) -> Any:
    del db
    return regions[rule.layer].grid_check(*[_units(rule, dbu)] * 2)


def _separation(db: Any, regions: Mapping[str, Any], rule: DrawingRule, dbu: float) -> Any:
    one, other = regions[rule.layer], regions.get(rule.other, db.Region())
    found = one.separation_check(other, _units(rule, dbu)).polygons(0)
    return found + (one & other)


def _beside(db: Any, regions: Mapping[str, Any], rule: DrawingRule, dbu: float) -> Any:
    other = regions.get(rule.other, db.Region())
    return regions[rule.layer].separation_check(other, _units(rule, dbu), False, db.Region.Projection)


def _extension(db: Any, regions: Mapping[str, Any], rule: DrawingRule, dbu: float) -> Any:
    other = regions.get(rule.other, db.Region())
    return other.enclosing_check(regions[rule.layer], _units(rule, dbu), False, db.Region.Projection)


def _channel(db: Any, regions: Mapping[str, Any], rule: DrawingRule, dbu: float) -> Any:
    ends = regions[rule.layer].edges() & regions.get(rule.other, db.Region()).edges()
    return ends.with_length(0, _units(rule, dbu), False)


DERIVE: Mapping[str, Callable[[Any, Any], Any]] = {"and": and_, "or": or_, "not": sub}

_CHECKS: Mapping[str, Callable[[Any, Mapping[str, Any], DrawingRule, float], Any]] = {
    "width": _width,
    "space": _space,
    "area": _area,
    "size": _size,
    "covered": _covered,
    "enclosure": _enclosure,
    "end_enclosure": _enclosure,
    "adjacent_enclosure": _enclosure,
    "grid": _grid,
    "separation": _separation,
    "beside": _beside,
    "extension": _extension,
    "channel": _channel,
}
