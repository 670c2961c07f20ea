"""The stack's rules on drawn shapes: width, space, cuts, and metal above and below every cut. Exact, on whole layers.

Widths and spaces are measured between facing sides (along x and along y), and from corner to corner in a straight
line; pieces that touch are one shape. The stack states no more rules than these; `NOT_CHECKED` says what is left out.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from interconnect.arrays import IntArray
from metalrom.layout.plan import Plan, box_of
from metalrom.layout.read import Shapes
from metalrom.layout.slabs import Slabs, turned

NOT_CHECKED = (
    "enclosure of cuts beyond being covered",
    "minimum area and enclosed area",
    "spaces that depend on width or run length, end-of-line spaces",
    "density and fill",
    "antenna ratios",
    "manufacturing grid",
)
"""Rules of real kits that a stack file does not state."""


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken rule. rule: width, space, size or cover. value, limit: m; value is negative for a cut that sticks out
    and None for one with no metal at its middle. box: where, um (left, bottom, right, top). place: in the array."""

    layer: str
    rule: str
    value: float | None
    limit: float
    box: tuple[float, float, float, float]
    with_layer: str = ""
    place: str = ""

    def __str__(self) -> str:
        x0, y0, x1, y1 = (f"{v:.9g}" for v in self.box)
        at = f"at ({x0}, {y0}) to ({x1}, {y1}) um" + (f", {self.place}" if self.place else "")
        if self.rule == "cover":
            how = "lies beside it" if self.value is None else f"sticks out by {-self.value * 1e9:.4g} nm"
            return f"{self.layer} cut not covered by {self.with_layer}: {how} {at}"
        value = 0.0 if self.value is None else self.value
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


@dataclass(frozen=True)
class RuleReport:
    """What a check found. count: all violations; violations: the first of every rule and layer, at most `limit` each.
    checked: rules in words, with their values."""

    count: int
    violations: tuple[Violation, ...]
    checked: tuple[str, ...]
    rectangles: int


def check_rules(plan: Plan, shapes: Shapes, *, limit: int = 20) -> RuleReport:
    """Check every layer of the plan's stack that is drawn in a file; pins are not counted as metal."""
    found: list[tuple[int, list[Violation]]] = []
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
    for via in plan.stack.vias:
        if via.name not in drawn:
            continue
        found += _layer(plan, via.name, drawn[via.name], via.size, via.space, "size", limit)
        checked += [f"{via.name} size = {_nm(via.size)}", f"{via.name} space >= {_nm(via.space)}"]
        for metal_name in (via.below, via.above):
            found.append(_cover(plan, via.name, drawn[via.name], metal_name, drawn.get(metal_name), limit))
            checked.append(f"{via.name} covered by {metal_name}")
    return RuleReport(
        sum(n for n, _ in found),
        tuple(v for _, of in found for v in of),
        tuple(checked),
        sum(len(r) for r in drawn.values()),
    )


def _nm(length: float) -> str:
    return f"{length * 1e9:.4g} nm"


def _layer(
    plan: Plan, name: str, rects: IntArray, width: float, space: float, word: str, limit: int
) -> Iterator[tuple[int, list[Violation]]]:
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


def _named(
    plan: Plan, layer: str, rule: str, boxes: IntArray, along_x: bool, limit: float, most: int
) -> tuple[int, list[Violation]]:
    side = boxes[:, 2] - boxes[:, 0] if along_x else boxes[:, 3] - boxes[:, 1]
    out = [
        Violation(layer, rule, int(s) * plan.grid, limit, box_of(b, plan.grid), place=place_of(plan, layer, b))
        for s, b in zip(side[:most], boxes[:most], strict=True)
    ]
    return len(boxes), out


def _corners(
    plan: Plan, layer: str, rects: IntArray, slabs: Slabs, apart: int, limit: float, most: int
) -> tuple[int, list[Violation]]:
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


def _cover(
    plan: Plan, via: str, cuts: IntArray, metal: str, rects: IntArray | None, most: int
) -> tuple[int, list[Violation]]:
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
