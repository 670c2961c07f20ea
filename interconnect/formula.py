"""Capacitance matrix of a periodic cell from closed formulas: fast, needs nothing installed, and coarse.

Each box owns a zone on its layer: its outline widened by the fringe of an isolated line over a plane (T. Sakurai and
K. Tamaru, "Simple formulas for two- and three-dimensional capacitances", IEEE Trans. Electron Devices 30 (1983) 183),
but no further than arcs from half the gap to its neighbour carry. Zones that lie over one another are plates; boxes
that face one another on a layer are plates plus the conformal fringe of two coplanar strips. Vias are left out.
"""

from dataclasses import dataclass

import numpy as np

from interconnect.arrays import FloatArray, IntArray
from interconnect.geometry import CellGeometry

EPSILON_0 = 8.8541878128e-12
SOURCE = "closed formulas (Sakurai-Tamaru fringes as zones, plates, coplanar strips)"
RELATIVE_ERROR = 0.25
"""Stated error: the field solver differs by at most 16 % on the cells of tests/interconnect/test_formula.py."""


@dataclass(frozen=True, slots=True)
class _Layer:
    """The boxes of one metal layer: net numbers, corners (boxes, 2) in the plane, heights, permittivities."""

    net: IntArray
    lower: FloatArray
    upper: FloatArray
    bottom: float
    top: float


def capacitance(geometry: CellGeometry) -> FloatArray:
    """Maxwell matrix (F per period) of all nets but ground, shape (nets - 1, nets - 1)."""
    names = geometry.nets
    layers = _layers(geometry)
    coupling = np.zeros((len(names), len(names)))
    zones = [_zones(layer, geometry, i, layers) for i, layer in enumerate(layers)]
    for i, layer in enumerate(layers):
        _lateral(coupling, layer, zones[i], geometry, _clearance(i, layers, geometry))
        _vertical(coupling, i, layers, zones, geometry)
    coupling = coupling + coupling.T
    np.fill_diagonal(coupling, 0.0)
    return np.asarray((np.diag(coupling.sum(axis=1)) - coupling)[:-1, :-1])


def _layers(geometry: CellGeometry) -> list[_Layer]:
    index = {net: i for i, net in enumerate(geometry.nets)}
    groups: dict[tuple[float, float], list[int]] = {}
    for i, box in enumerate(geometry.boxes):
        if box.kind not in ("via", "resistor"):
            groups.setdefault((box.lower[2], box.upper[2]), []).append(i)
    return [
        _Layer(
            np.array([index[geometry.boxes[i].net] for i in members]),
            np.array([geometry.boxes[i].lower[:2] for i in members]),
            np.array([geometry.boxes[i].upper[:2] for i in members]),
            bottom,
            top,
        )
        for (bottom, top), members in sorted(groups.items())
    ]


def _shifts(geometry: CellGeometry) -> FloatArray:
    """Offsets (9, 2) of the period's copies."""
    steps = np.array([-1.0, 0.0, 1.0])
    grid = np.stack(np.meshgrid(steps, steps, indexing="ij"), axis=-1).reshape(9, 2)
    return np.asarray(grid * np.array(geometry.period), dtype=float)


def _copies(layer: _Layer, geometry: CellGeometry) -> tuple[IntArray, FloatArray, FloatArray]:
    """Nets, lower and upper corners of the layer's boxes in all nine periods."""
    shifts = _shifts(geometry)[:, None, :]
    lower = (layer.lower[None] + shifts).reshape(-1, 2)
    upper = (layer.upper[None] + shifts).reshape(-1, 2)
    return np.tile(layer.net, 9), lower, upper


def _clearance(i: int, layers: list[_Layer], geometry: CellGeometry) -> tuple[float, float]:
    """Distance (m) from layer i to the metal or plane below and above it."""
    below = layers[i - 1].top if i else geometry.floor
    above = layers[i + 1].bottom if i + 1 < len(layers) else geometry.ceiling
    return layers[i].bottom - below, above - layers[i].top


def _zones(layer: _Layer, geometry: CellGeometry, i: int, layers: list[_Layer]) -> tuple[FloatArray, FloatArray]:
    """Corners (boxes, 2) of each box's zone."""
    height = min(_clearance(i, layers, geometry))
    fringe = 1.4 * height * ((layer.top - layer.bottom) / height) ** 0.222
    _, lower, upper = _copies(layer, geometry)
    low, high = layer.lower.copy(), layer.upper.copy()
    tol = 1e-6 * min(geometry.period)
    for axis in (0, 1):
        other = 1 - axis
        width = layer.upper[:, axis] - layer.lower[:, axis]
        facing = np.minimum(upper[None, :, other], layer.upper[:, None, other]) - np.maximum(
            lower[None, :, other], layer.lower[:, None, other]
        )
        for sign in (-1, 1):
            if sign > 0:
                gap = lower[None, :, axis] - layer.upper[:, None, axis]
            else:
                gap = layer.lower[:, None, axis] - upper[None, :, axis]
            gap = np.where((facing > tol) & (gap > -tol), np.maximum(gap, 0.0), np.inf)
            half = 0.5 * gap.min(axis=1)
            # Field lines that leave `x` beyond the edge are longer by a quarter circle: integrate h / (h + pi x / 2).
            arcs = 2.0 / np.pi * height * np.log1p(0.5 * np.pi * half / height)
            reach = np.minimum(fringe + 0.075 * width, arcs)
            if sign > 0:
                high[:, axis] += reach
            else:
                low[:, axis] -= reach
    return low, high


def _lateral(
    coupling: FloatArray,
    layer: _Layer,
    zone: tuple[FloatArray, FloatArray],
    geometry: CellGeometry,
    clearance: tuple[float, float],
) -> None:
    """Add the coupling between boxes that face one another on a layer."""
    net, lower, upper = _copies(layer, geometry)
    shifts = _shifts(geometry)[:, None, :]
    zone_low, zone_high = ((z[None] + shifts).reshape(-1, 2) for z in zone)
    permittivity = EPSILON_0 * _mean_permittivity(geometry, layer.bottom, layer.top)
    thickness = layer.top - layer.bottom
    tol = 1e-6 * min(geometry.period)
    for axis in (0, 1):
        other = 1 - axis
        gap = lower[None, :, axis] - layer.upper[:, None, axis]
        length = np.minimum(zone_high[None, :, other], zone[1][:, None, other]) - np.maximum(
            zone_low[None, :, other], zone[0][:, None, other]
        )
        length = np.where(gap > tol, np.maximum(length, 0.0), 0.0)
        # What a nearer box covers is hidden: subtract its facing length, box by box outwards.
        visible = np.zeros_like(length)
        order = np.argsort(gap, axis=1, kind="stable")
        left = zone[1][:, other] - zone[0][:, other]
        for column in order.T:
            rows = np.arange(len(left))
            seen = np.minimum(length[rows, column], left)
            visible[rows, column] = seen
            left = left - seen
        width = np.minimum((layer.upper - layer.lower)[:, None, axis], (upper - lower)[None, :, axis])
        safe = np.where(gap > tol, gap, 1.0)
        strips = sum(np.log1p(2.0 * np.minimum(width, 0.5 * h) / safe) / np.pi for h in clearance)
        value = permittivity * visible * (thickness / safe + strips)
        np.add.at(coupling, (np.repeat(layer.net, len(net)), np.tile(net, len(layer.net))), value.ravel())


def _vertical(
    coupling: FloatArray,
    i: int,
    layers: list[_Layer],
    zones: list[tuple[FloatArray, FloatArray]],
    geometry: CellGeometry,
) -> None:
    """Add plates from layer i down to what its zones see below, and up to the ceiling where nothing lies above."""
    ground = len(coupling) - 1
    layer = layers[i]
    area = (zones[i][1] - zones[i][0]).prod(axis=1)
    open_below = np.ones(len(area))
    for j in range(i - 1, -1, -1):
        overlap = _overlap_area(zones[i], zones[j], geometry)
        plate = open_below[:, None] * overlap * _plate(geometry, layers[j].top, layer.bottom)
        np.add.at(
            coupling, (np.repeat(layer.net, len(layers[j].net)), np.tile(layers[j].net, len(area))), plate.ravel()
        )
        open_below = np.maximum(open_below - overlap.sum(axis=1) / area, 0.0)
    np.add.at(
        coupling,
        (layer.net, np.full_like(layer.net, ground)),
        open_below * area * _plate(geometry, geometry.floor, layer.bottom),
    )
    open_above = np.ones(len(area))
    for j in range(i + 1, len(layers)):
        open_above = np.maximum(open_above - _overlap_area(zones[i], zones[j], geometry).sum(axis=1) / area, 0.0)
    np.add.at(
        coupling,
        (layer.net, np.full_like(layer.net, ground)),
        open_above * area * _plate(geometry, layer.top, geometry.ceiling),
    )


def _overlap_area(
    a: tuple[FloatArray, FloatArray], b: tuple[FloatArray, FloatArray], geometry: CellGeometry
) -> FloatArray:
    """Common area (boxes of a, boxes of b) of two sets of rectangles, over all copies of b."""
    shifts = _shifts(geometry)
    low = np.maximum(a[0][:, None, None], b[0][None, :, None] + shifts)
    high = np.minimum(a[1][:, None, None], b[1][None, :, None] + shifts)
    return np.asarray(np.maximum(high - low, 0.0).prod(axis=-1).sum(axis=-1))


def _plate(geometry: CellGeometry, bottom: float, top: float) -> float:
    """Capacitance per area (F/m^2) between two heights: the slabs between them in series."""
    series = sum(max(min(slab.top, top) - max(slab.bottom, bottom), 0.0) / slab.k for slab in geometry.slabs)
    return EPSILON_0 / series if top > bottom and series > 0 else 0.0


def _mean_permittivity(geometry: CellGeometry, bottom: float, top: float) -> float:
    weights = [max(min(slab.top, top) - max(slab.bottom, bottom), 0.0) for slab in geometry.slabs]
    return float(np.average([slab.k for slab in geometry.slabs], weights=weights))
