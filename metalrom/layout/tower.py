"""Stacks of cuts with their pieces of metal, from one metal down to another, as small as the rules allow."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from interconnect.stack import Stack, ViaLayer
from metalrom.layout.canvas import GRID, Canvas


def nm(length: float) -> int:
    """A length in nm."""
    return round(length * 1e9)


@dataclass(frozen=True, slots=True)
class Pad:
    """A piece of metal around cuts: across the direction in which it is longer, and along it, nm."""

    across: int
    along: int


def pad_around(stack: Stack, metal: str, *vias: ViaLayer) -> Pad:
    """The least piece of a metal around one cut of each via layer; the least area makes it longer."""
    across = along = nm(stack.metal(metal).min_width)
    for via in vias:
        rule = via.enclosed_above if via.above == metal else via.enclosed_below
        sides, ends = (nm(rule.sides), nm(max(rule.sides, rule.ends))) if rule else (0, 0)
        across, along = max(across, nm(via.size) + 2 * sides), max(along, nm(via.size) + 2 * ends)
    least = stack.metal(metal).min_area or 0.0
    step = 2 * GRID
    long = -(-round(least * 1e18) // across)
    return Pad(-(-across // step) * step, -(-max(along, long) // step) * step)


def vias_between(stack: Stack, low: str, high: str) -> tuple[ViaLayer, ...]:
    """The cuts from one metal up to another, lowest first."""
    names = [m.name for m in stack.metals[stack.index(low) : stack.index(high) + 1]]
    return tuple(stack.via_between(a, b) for a, b in pairwise(names))


def draw_tower(canvas: Canvas, stack: Stack, low: str, high: str, at: tuple[int, int]) -> None:
    """Cuts at a point from a metal up to another, and pieces of every metal between the two that lie along x."""
    vias = vias_between(stack, low, high)
    for via in vias:
        canvas.centred(via.name, at, nm(via.size), nm(via.size))
    for below, above in pairwise(vias):
        pad = pad_around(stack, below.above, below, above)
        canvas.centred(below.above, at, pad.along, pad.across)


def draw_end(canvas: Canvas, stack: Stack, metal: str, via: ViaLayer, at: tuple[int, int], *, upright: bool) -> None:
    """The end of a line on a metal around its cut; upright: the line runs along y."""
    pad = pad_around(stack, metal, via)
    rule = via.enclosed_above if via.above == metal else via.enclosed_below
    ends = nm(via.size) + 2 * nm(max(rule.sides, rule.ends)) if rule else nm(via.size)
    wide, tall = (pad.across, ends) if upright else (ends, pad.across)
    canvas.centred(metal, at, wide, tall)
