"""The stack's rules on drawn shapes: width, space, area, cuts and the metal around them, grid. Exact, on whole layers.

Widths and spaces are measured between facing sides (along x and along y), and from corner to corner in a straight
line; pieces that touch are one shape. What a stack does not state is only checked as far as it says something:
`RuleReport.not_checked` tells what is left out.
"""

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from interconnect.arrays import IntArray
from metalrom.layout.drawing_rule import DrawingRule
from metalrom.layout.kit_rules import check_area, check_enclosure, check_grid
from metalrom.layout.plan import Plan, box_of
from metalrom.layout.read import Shapes
from metalrom.layout.rule_list import drawing_rules
from metalrom.layout.slabs import Slabs, turned
from metalrom.layout.violation import Found, Violation, place_of

NEVER_CHECKED = (
    "enclosed area",
    "spaces that depend on width or run length, end-of-line spaces",
    "density and fill",
    "antenna ratios",
)
"""Rules of real kits that a stack file cannot state."""


@dataclass(frozen=True)
class RuleReport:
    """What a check found. count: all violations; violations: the first of every rule and layer, at most `limit` each.
    checked: rules in words, with their values; not_checked: those of real kits that are left out."""

    count: int
    violations: tuple[Violation, ...]
    checked: tuple[str, ...]
    rectangles: int
    not_checked: tuple[str, ...]


@dataclass(frozen=True)
class _Layer:
    """What is drawn on a layer."""

    rects: IntArray

    @cached_property
    def slabs(self) -> Slabs:
        """Its union in slabs along x."""
        return Slabs.of(self.rects)

    @cached_property
    def turned(self) -> Slabs:
        """Its union in slabs along y, x and y exchanged."""
        return Slabs.of(turned(self.rects))


def check_rules(plan: Plan, shapes: Shapes, *, limit: int = 20) -> RuleReport:
    """Check every layer of the plan's stack that is drawn in a file; pins are not counted as metal."""
    drawn: dict[str, _Layer] = {}
    for name, layer in plan.layers.layers.items():
        rects = np.concatenate([shapes.of(number) for number in (layer.drawing, layer.plug) if number])
        if len(rects):
            drawn[name] = _Layer(rects)
    rules = drawing_rules(plan.stack, drawn)
    found = [one for rule in rules for one in _CHECKS[rule.kind](plan, drawn, rule, limit)]
    return RuleReport(
        sum(n for n, _ in found),
        tuple(v for _, of in found for v in of),
        tuple(map(str, rules)),
        sum(len(layer.rects) for layer in drawn.values()),
        _not_checked(plan, drawn),
    )


def _not_checked(plan: Plan, drawn: Collection[str]) -> tuple[str, ...]:
    """Rules of real kits that the stack does not state, or cannot state."""
    vias = [v for v in plan.stack.vias if v.name in drawn]
    no_enclosure = [v.name for v in vias if v.enclosed_below is None or v.enclosed_above is None]
    no_area = [m.name for m in plan.stack.metals if m.name in drawn and m.min_area is None]
    missing = [
        f"enclosure of {', '.join(no_enclosure)} beyond being covered" if no_enclosure else "",
        f"minimum area of {', '.join(no_area)}" if no_area else "",
        "" if plan.stack.grid else "manufacturing grid",
    ]
    return (*filter(None, missing), *NEVER_CHECKED)


def _width(plan: Plan, drawn: Mapping[str, _Layer], rule: DrawingRule, limit: int) -> Iterator[Found]:
    """Width, or exact size, both ways."""
    least = _units(rule.value, plan.grid)
    for along_x, slabs in ((True, drawn[rule.layer].slabs), (False, drawn[rule.layer].turned)):
        wide = slabs.high - slabs.low
        bad = wide != least if rule.kind == "size" else wide < least
        yield _named(plan, rule, slabs.rects(slabs.slab[bad], slabs.low[bad], slabs.high[bad]), along_x, limit)


def _space(plan: Plan, drawn: Mapping[str, _Layer], rule: DrawingRule, limit: int) -> Iterator[Found]:
    """Space both ways and across corners."""
    layer, apart = drawn[rule.layer], _units(rule.value, plan.grid)
    for along_x, slabs in ((True, layer.slabs), (False, layer.turned)):
        slab, low, high = slabs.gaps()
        near = high - low < apart
        yield _named(plan, rule, slabs.rects(slab[near], low[near], high[near]), along_x, limit)
    yield _corners(plan, rule.layer, layer.rects, layer.slabs, apart, rule.value, limit)


def _units(length: float, grid: float) -> int:
    """A rule in grid units, rounded up (but for rounding errors): a shape on the grid keeps it or does not."""
    return math.ceil(length / grid - 1e-4)


def _named(plan: Plan, rule: DrawingRule, boxes: IntArray, along_x: bool, most: int) -> Found:
    """Violations at boxes of slabs along x, or along y with x and y exchanged."""
    boxes = boxes if along_x else turned(boxes)
    side = boxes[:, 2] - boxes[:, 0] if along_x else boxes[:, 3] - boxes[:, 1]
    return len(boxes), [
        Violation(
            rule.layer,
            rule.kind,
            int(s) * plan.grid,
            rule.value,
            box_of(b, plan.grid),
            place=place_of(plan, rule.layer, b),
        )
        for s, b in zip(side[:most], boxes[:most], strict=True)
    ]


def _corners(plan: Plan, layer: str, rects: IntArray, slabs: Slabs, apart: int, limit: float, most: int) -> Found:
    """Spaces from corner to corner where no sides face each other."""
    found: list[IntArray] = []
    for flip in (False, True):
        own = _upside_down(rects) if flip else rects
        pairs = _near(own[:, 2:], own[:, :2], apart)
        box = np.concatenate([own[pairs[0], 2:], own[pairs[1], :2]], axis=1)
        box = _upside_down(box) if flip else box
        # Metal between two corners belongs to other spaces, or joins them.
        found.append(box[~slabs.between(box)])
    boxes = np.concatenate(found)
    distance = np.hypot(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])
    out = [
        Violation(layer, "space", float(d) * plan.grid, limit, box_of(b, plan.grid), place=place_of(plan, layer, b))
        for d, b in zip(distance[:most], boxes[:most], strict=True)
    ]
    return len(boxes), out


def _upside_down(rects: IntArray) -> IntArray:
    return np.stack([rects[:, 0], -rects[:, 3], rects[:, 2], -rects[:, 1]], axis=1)


def _near(upper: IntArray, lower: IntArray, apart: int) -> tuple[IntArray, IntArray]:
    """Pairs of an upper right and a lower left corner to its upper right, closer than `apart`."""
    none = np.empty(0, dtype=np.int64)
    if len(upper) == 0:
        return none, none
    origin = np.minimum(upper.min(axis=0), lower.min(axis=0))
    a, b = (upper - origin) // apart, (lower - origin) // apart
    tall = int(max(a[:, 1].max(), b[:, 1].max())) + 3
    keys = b[:, 0] * tall + b[:, 1]
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    one, two = [none], [none]
    for dx in (0, 1):
        for dy in (0, 1):
            wanted = (a[:, 0] + dx) * tall + a[:, 1] + dy
            start, stop = np.searchsorted(keys, wanted), np.searchsorted(keys, wanted, side="right")
            count = stop - start
            i = np.repeat(np.arange(len(upper)), count)
            j = order[np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + np.repeat(start, count)]
            d = lower[j] - upper[i]
            close = (d >= 0).all(axis=1) & ((d**2).sum(axis=1) < apart**2)
            one.append(i[close])
            two.append(j[close])
    return np.concatenate(one), np.concatenate(two)


_NONE = _Layer(np.empty((0, 4), dtype=np.int64))


def _cover(plan: Plan, drawn: Mapping[str, _Layer], rule: DrawingRule, most: int) -> Iterator[Found]:
    """Cuts that are not wholly on a metal."""
    on = drawn.get(rule.other, _NONE)
    cuts = drawn[rule.layer].rects
    bad = cuts[~on.slabs.covered(cuts)]
    out = []
    for cut in bad[:most]:
        middle = (cut[:2] + cut[2:]) / 2
        under = on.rects[(on.rects[:, :2] <= middle).all(axis=1) & (on.rects[:, 2:] >= middle).all(axis=1)]
        inside = np.concatenate([cut[:2] - under[:, :2], under[:, 2:] - cut[2:]], axis=1).min(axis=1)
        value = int(inside.max()) * plan.grid if len(under) else None
        place = place_of(plan, rule.layer, cut)
        out.append(Violation(rule.layer, "cover", value, 0.0, box_of(cut, plan.grid), rule.other, place))
    yield len(bad), out


def _enclosure(plan: Plan, drawn: Mapping[str, _Layer], rule: DrawingRule, most: int) -> Iterator[Found]:
    """Cuts that a metal covers and does not reach beyond far enough."""
    yield check_enclosure(plan, rule, drawn[rule.layer].rects, drawn.get(rule.other, _NONE).slabs, most)


def _area(plan: Plan, drawn: Mapping[str, _Layer], rule: DrawingRule, most: int) -> Iterator[Found]:
    yield check_area(plan, rule.layer, drawn[rule.layer].rects, rule.value, most)


def _grid(plan: Plan, drawn: Mapping[str, _Layer], rule: DrawingRule, most: int) -> Iterator[Found]:
    yield check_grid(plan, rule.layer, drawn[rule.layer].rects, rule.value, most)


_CHECKS: Mapping[str, Callable[[Plan, Mapping[str, _Layer], DrawingRule, int], Iterator[Found]]] = {
    "width": _width,
    "size": _width,
    "space": _space,
    "area": _area,
    "covered": _cover,
    "enclosure": _enclosure,
    "end_enclosure": _enclosure,
    "grid": _grid,
}
