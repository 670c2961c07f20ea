"""Invariance of a periodic cell: where its period may be cut, and which of its nets are images of each other.

A capacitance must not depend on where the period begins, nor on which of two mirror images is looked at. Both are used
to certify field solutions: neither is known to the mesh, so that what breaks them is an error of the solution.
"""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np

from interconnect.arrays import IntArray
from interconnect.geometry import GROUND, Box, CellGeometry

UNIT = 1e-14
"""Images are compared in whole units of this (m)."""

TOLERANCE = 1e-6
"""Lengths below this part of the period are zero."""


def through(box: Box, geometry: CellGeometry, axis: int) -> bool:
    """Whether a box fills the whole period along an axis (0: x, 1: y)."""
    return box.size[axis] > (1.0 - TOLERANCE) * geometry.period[axis]


def translated(geometry: CellGeometry, shift: tuple[float, float]) -> CellGeometry:
    """The same periodic array, its period begun elsewhere.

    Parameters
    ----------
    geometry : CellGeometry
        The cell.
    shift : tuple[float, float]
        What is added to the coordinates x and y of all boxes, m; a box that fills the period along an axis stays.

    Returns
    -------
    CellGeometry
        The cell with its boxes moved; each one that ends beyond the far side is moved back by a period.
    """
    return replace(geometry, boxes=tuple(_moved(box, geometry, shift) for box in geometry.boxes))


def _moved(box: Box, geometry: CellGeometry, shift: tuple[float, float]) -> Box:
    lower, upper = list(box.lower), list(box.upper)
    for axis, length in enumerate(geometry.period):
        if shift[axis] == 0.0 or through(box, geometry, axis):
            continue
        start = box.lower[axis] + shift[axis]
        step = shift[axis] - length * np.floor(start / length + TOLERANCE)
        lower[axis] += float(step)
        upper[axis] += float(step)
    return replace(box, lower=(lower[0], lower[1], lower[2]), upper=(upper[0], upper[1], upper[2]))


def clear_shift(geometry: CellGeometry, *, rank: int = 0) -> tuple[float, float]:
    """A shift (x, y), m, after which no end or side of a box lies on or crosses the sides of the period.

    Parameters
    ----------
    geometry : CellGeometry
        The cell.
    rank : int
        0: no shift along an axis whose sides are clear already, else to the middle of the widest space. 1: always a
        shift, to the middle of another space where there is one.

    Returns
    -------
    tuple[float, float]
        Along an axis without any space, to the middle of the widest interval that the fewest boxes bridge.
    """
    return _axis_shift(geometry, 0, rank), _axis_shift(geometry, 1, rank)


def crosses_side(geometry: CellGeometry) -> bool:
    """Whether a box that does not fill the period crosses one of its sides or ends there."""
    return any(not _clear(geometry, axis, 0.0) for axis in (0, 1))


def _axis_shift(geometry: CellGeometry, axis: int, rank: int) -> float:
    length = geometry.period[axis]
    if rank == 0 and _clear(geometry, axis, 0.0):
        return 0.0
    spans = [(b.lower[axis], b.upper[axis]) for b in geometry.boxes if not through(b, geometry, axis)]
    if not spans:
        return 0.0 if rank == 0 else -0.37 * length
    ends = np.unique(np.round(np.array(spans).ravel() % length, 16))
    widths = np.diff(np.append(ends, ends[0] + length))
    middles = ends + 0.5 * widths
    bridges = np.array([sum(_covers(low, high, middle, length) for low, high in spans) for middle in middles])
    order = np.lexsort((middles, -np.round(widths / length, 6), bridges))
    cut = middles[order[0]]
    if rank:
        here = [i for i in order if not (ends[i] < 1e-9 * length or ends[i] + widths[i] > length * (1 - 1e-9))]
        cut = middles[here[0]] if here else middles[order[-1]]
    return float(-(cut % length))


def _clear(geometry: CellGeometry, axis: int, cut: float) -> bool:
    length = geometry.period[axis]
    return not any(
        _covers(b.lower[axis], b.upper[axis], cut, length) for b in geometry.boxes if not through(b, geometry, axis)
    )


def _covers(low: float, high: float, cut: float, length: float) -> bool:
    """Whether a span of the periodic axis holds or touches a point."""
    margin = TOLERANCE * length
    return bool((cut - low + margin) % length <= high - low + 2 * margin)


def symmetric_nets(geometry: CellGeometry) -> tuple[IntArray, ...]:
    """Ways in which mirrors, half turns and shifts map the cell onto itself.

    Parameters
    ----------
    geometry : CellGeometry
        The cell.

    Returns
    -------
    tuple[IntArray, ...]
        Of every symmetry that moves a net: the index of each net's image, shape (nets without ground,), in the order
        of `geometry.nets`. The capacitance of two nets equals that of their images.
    """
    nets = geometry.nets
    kept = np.round(np.array(geometry.period) / UNIT).astype(np.int64)
    whole = _units(geometry)
    boxes = {key: nets.index(box.net) for key, box in zip(whole, _conductors(geometry), strict=True)}
    found: dict[tuple[int, ...], None] = {}
    identity = tuple(range(len(nets)))
    for signs in itertools.product((1, -1), repeat=2):
        mirrored = [_mirror(key, signs) for key in whole]
        # A shift that maps the cell onto itself maps the box of the rarest size onto one of that size.
        first, targets = _rarest(whole, mirrored)
        for target in targets:
            shift = tuple(int(target[a] - mirrored[first][a]) for a in (0, 1))
            images = [_canonical(_shifted(key, shift), kept) for key in mirrored]
            if {*images} != {*boxes}:
                continue
            image = _net_map(geometry, images, boxes, len(nets))
            if image is not None and image != identity:
                found[image] = None
    return tuple(np.array(image[:-1]) for image in found)


Key = tuple[int, int, int, int, int, int]
"""Lower x and y, size x and y, lower and upper z of a box, in units."""


def _conductors(geometry: CellGeometry) -> list[Box]:
    return [box for box in geometry.boxes if box.kind != "resistor"]


def _units(geometry: CellGeometry) -> list[Key]:
    kept = np.round(np.array(geometry.period) / UNIT).astype(np.int64)
    keys = []
    for box in _conductors(geometry):
        low, high = (np.round(np.array(corner) / UNIT).astype(np.int64) for corner in (box.lower, box.upper))
        size = high - low
        for axis in (0, 1):
            if through(box, geometry, axis):
                low[axis], size[axis] = 0, kept[axis]
        key = (int(low[0]), int(low[1]), int(size[0]), int(size[1]), int(low[2]), int(high[2]))
        keys.append(_canonical(key, kept))
    return keys


def _mirror(key: Key, signs: tuple[int, ...]) -> Key:
    x, y, width, depth, bottom, top = key
    return (x if signs[0] > 0 else -x - width, y if signs[1] > 0 else -y - depth, width, depth, bottom, top)


def _shifted(key: Key, shift: tuple[int, ...]) -> Key:
    return (key[0] + shift[0], key[1] + shift[1], *key[2:])


def _canonical(key: Key, period: IntArray) -> Key:
    """The copy of a box that begins inside the period; one that fills it along an axis begins at 0."""
    x, y = (
        0 if size == length else start % int(length)
        for start, size, length in zip(key[:2], key[2:4], period, strict=True)
    )
    return (x, y, *key[2:])


def _rarest(whole: list[Key], mirrored: list[Key]) -> tuple[int, list[Key]]:
    """A box of the rarest shape, and all boxes that may be its image."""
    shapes = [key[2:] for key in whole]
    # A box that fills the period along an axis says nothing about the shift along it: short ones come first.
    rank = [(shape[0] + shape[1], shapes.count(shape)) for shape in shapes]
    first = min(range(len(shapes)), key=lambda i: rank[i])
    return first, [key for key in whole if key[2:] == mirrored[first][2:]]


def _net_map(geometry: CellGeometry, images: list[Key], boxes: dict[Key, int], count: int) -> tuple[int, ...] | None:
    """Where every net goes, or None where a net would be torn apart."""
    nets = geometry.nets
    image: dict[int, int] = {count - 1: count - 1}
    for key, box in zip(images, _conductors(geometry), strict=True):
        if image.setdefault(nets.index(box.net), boxes[key]) != boxes[key]:
            return None
    if boxes and any(box.net == GROUND for box in _conductors(geometry)) and image[count - 1] != count - 1:
        return None
    return tuple(image[i] for i in range(count))
