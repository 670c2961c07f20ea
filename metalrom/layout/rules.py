"""The stack's rules on drawn shapes: width, space, area, cuts and the metal around them, grid. Exact, on whole layers.

Widths and spaces are measured between facing sides (along x and along y), and from corner to corner in a straight
line; pieces that touch are one shape. What a stack does not state is only checked as far as it says something:
`RuleReport.not_checked` tells what is left out.
"""

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np

from interconnect.arrays import IntArray
from metalrom.layout.kit_rules import check_area, check_enclosure, check_grid
from metalrom.layout.plan import Plan, box_of
from metalrom.layout.read import Shapes
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


def check_rules(plan: Plan, shapes: Shapes, *, limit: int = 20) -> RuleReport:
    """Check every layer of the plan's stack that is drawn in a file; pins are not counted as metal."""
    found: list[Found] = []
    checked: list[str] = []
    drawn: dict[str, IntArray] = {}
    for name, layer in plan.layers.layers.items():
        rects = [shapes.of(layer.drawing)] + ([shapes.of(layer.plug)] if layer.plug else [])
        both = np.concatenate(rects)
        if len(both):
            drawn[name] = both
    for metal in plan.stack.metals:
        if metal.name in drawn:
            found += _layer(plan, metal.name, drawn[metal.name], metal.min_width, metal.min_space, "width", limit)
            checked += [
                f"{metal.name} width >= {_nm(metal.min_width)}",
                f"{metal.name} space >= {_nm(metal.min_space)}",
            ]
            if metal.min_area:
                found.append(check_area(plan, metal.name, drawn[metal.name], metal.min_area, limit))
                checked.append(f"{metal.name} area >= {metal.min_area * 1e12:.4g} um^2")
    for via in plan.stack.vias:
        if via.name not in drawn:
            continue
        found += _layer(plan, via.name, drawn[via.name], via.size, via.space, "size", limit)
        checked += [f"{via.name} size = {_nm(via.size)}", f"{via.name} space >= {_nm(via.space)}"]
        for metal_name, rule in ((via.below, via.enclosed_below), (via.above, via.enclosed_above)):
            found.append(_cover(plan, via.name, drawn[via.name], metal_name, drawn.get(metal_name), limit))
            checked.append(f"{via.name} covered by {metal_name}")
            if rule and metal_name in drawn:
                found.append(
                    check_enclosure(plan, via.name, drawn[via.name], metal_name, drawn[metal_name], rule, limit)
                )
                checked.append(f"{via.name} in {metal_name} by {_nm(rule.sides)}, on two sides {_nm(rule.ends)}")
    if plan.stack.grid:
        found += [check_grid(plan, name, rects, plan.stack.grid, limit) for name, rects in drawn.items()]
        checked.append(f"grid {_nm(plan.stack.grid)}")
    return RuleReport(
        sum(n for n, _ in found),
        tuple(v for _, of in found for v in of),
        tuple(checked),
        sum(len(r) for r in drawn.values()),
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


def _nm(length: float) -> str:
    return f"{length * 1e9:.4g} nm"


def _layer(
    plan: Plan, name: str, rects: IntArray, width: float, space: float, word: str, limit: int
) -> Iterator[Found]:
    """Width (or exact size) and space of one layer, both ways and across corners."""
    least, apart = _units(width, plan.grid), _units(space, plan.grid)
    upright = Slabs.of(rects)
    for along_x in (True, False):
        slabs = upright if along_x else Slabs.of(turned(rects))
        wide = slabs.high - slabs.low
        bad = wide != least if word == "size" else wide < least
        boxes = slabs.rects(slabs.slab[bad], slabs.low[bad], slabs.high[bad])
        yield _named(plan, name, word, boxes if along_x else turned(boxes), along_x, width, limit)
        slab, low, high = slabs.gaps()
        near = high - low < apart
        boxes = slabs.rects(slab[near], low[near], high[near])
        yield _named(plan, name, "space", boxes if along_x else turned(boxes), along_x, space, limit)
    yield _corners(plan, name, rects, upright, apart, space, limit)


def _units(length: float, grid: float) -> int:
    """A rule in grid units, rounded up (but for rounding errors): a shape on the grid keeps it or does not."""
    return math.ceil(length / grid - 1e-4)


def _named(plan: Plan, layer: str, rule: str, boxes: IntArray, along_x: bool, limit: float, most: int) -> Found:
    side = boxes[:, 2] - boxes[:, 0] if along_x else boxes[:, 3] - boxes[:, 1]
    out = [
        Violation(layer, rule, int(s) * plan.grid, limit, box_of(b, plan.grid), place=place_of(plan, layer, b))
        for s, b in zip(side[:most], boxes[:most], strict=True)
    ]
    return len(boxes), out


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


def _cover(plan: Plan, via: str, cuts: IntArray, metal: str, rects: IntArray | None, most: int) -> Found:
    """Cuts that are not wholly on a metal."""
    on = rects if rects is not None else np.empty((0, 4), dtype=np.int64)
    bad = cuts[~Slabs.of(on).covered(cuts)]
    out = []
    for cut in bad[:most]:
        middle = (cut[:2] + cut[2:]) / 2
        under = on[(on[:, :2] <= middle).all(axis=1) & (on[:, 2:] >= middle).all(axis=1)]
        inside = np.concatenate([cut[:2] - under[:, :2], under[:, 2:] - cut[2:]], axis=1).min(axis=1)
        value = int(inside.max()) * plan.grid if len(under) else None
        out.append(
            Violation(
                via, "cover", value, 0.0, box_of(cut, plan.grid), with_layer=metal, place=place_of(plan, via, cut)
            )
        )
    return len(bad), out
