"""What neighbouring planes do to each other's levels, by extraction of both with their lines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

from characterization.testbench import StackedPlane
from interconnect.geometry import CellGeometry
from metalrom.design.design import Design
from metalrom.design.error_context import config_context
from netlists.cells.base import CellModel, Plane, require_capability
from netlists.next_plane import NextPlaneShift, next_plane_shift

if TYPE_CHECKING:
    from netlists.cells.cap_balanced import CapBalanced


def plane_shifts(design: Design, rows: int) -> tuple[NextPlaneShift, ...]:
    """Counts by which the rows of the plane above move the levels of each plane that has one.

    Parameters
    ----------
    design : Design
        A design of two planes or more.
    rows : int
        Rows on a bit line.

    Returns
    -------
    tuple[NextPlaneShift, ...]
        One for every pair of planes on neighbouring metals, lowest first; the top plane has none above it.

    Raises
    ------
    UnsupportedCell
        For a cell kind that cannot be drawn with the plane above it.
    InputError
        For planes of different row pitch, or a stack without a metal above the next plane's rows.
    """
    require_capability(design.cell, "stackable", "drawn with the plane above it")
    return tuple(
        next_plane_shift(plane.model, plane.above, design.periphery, rows)
        for plane in stacked_planes(design)
        if plane.above
    )


def stacked_planes(design: Design) -> tuple[StackedPlane, ...]:
    """Every plane of a design, lowest first; its cell holds the rows of the plane on the metal above its columns.

    Without a result for a cell kind that cannot be drawn with the plane above it. Raises InputError for planes of
    different row pitch, or a stack without a metal above the next plane's rows.
    """
    if not getattr(design.cell, "stackable", False):
        return ()
    found = []
    with config_context(design.path, "cell.planes"):
        for i, plane in enumerate(design.planes):
            above = next(_next_metal(design, i), None)
            label = above.label if above else ""
            found.append(StackedPlane(plane.label, label, _model(design, i, above), _position(design, i, i)))
    return tuple(found)


def plane_classes(design: Design) -> tuple[StackedPlane, ...]:
    """The planes of a design, one for all whose cells and neighbours are drawn alike, lowest first.

    Parameters
    ----------
    design : Design
        Any design.

    Returns
    -------
    tuple[StackedPlane, ...]
        Named after the lowest plane of each class and with its extraction; a plane whose neighbour cannot be drawn with
        it has none. Empty for a cell kind that cannot be drawn with the plane above it.
    """
    if not getattr(design.cell, "stackable", False):
        return ()
    members: dict[object, list[int]] = {}
    with config_context(design.path, "cell.planes"):
        for i in range(len(design.planes)):
            members.setdefault(_drawn(design, i), []).append(i)
        out = []
        for indices in members.values():
            first, above = indices[0], design.plane_above(indices[0])
            labels = tuple(design.planes[i].label for i in indices)
            position = _position(design, first, indices[-1])
            label = above.label if above else ""
            out.append(StackedPlane(labels[0], label, _model(design, first, above), position, labels))
    return tuple(out)


def tower_pitch(design: Design) -> float:
    """Side of the square that a via tower from an upper plane takes, m: the widest cut between the planes and its
    space, and as much again for the grounded line beside it. 0 for one plane."""
    stack, planes = design.stack, design.planes
    if len(planes) == 1:
        return 0.0
    low, high = stack.index(planes[0].row), stack.index(planes[-1].column)
    vias = [v for v in stack.vias if low <= stack.index(v.below) < high]
    return 2.0 * max(v.size + v.space for v in vias)


def _next_metal(design: Design, index: int) -> Iterator[Plane]:
    stack, column = design.stack, design.planes[index].column
    return (p for p in design.planes[index + 1 : index + 2] if stack.index(p.row) == stack.index(column) + 1)


def _model(design: Design, index: int, above: Plane | None) -> CellModel:
    if above is None:
        return design.models[index]
    cell = cast("CapBalanced", design.cell)
    return cell.model(design.stack, design.planes[index], lambda geometry, _: design.extract(geometry), above)


def _drawn(design: Design, index: int) -> object:
    """What decides the extraction of a plane's cell: its boxes and dielectrics above its floor, and its resistances."""
    cell, plane, above = cast("CapBalanced", design.cell), design.planes[index], design.plane_above(index)
    geometry: CellGeometry = cell.geometry(design.stack, plane, (1, 0), above)

    def height(z: float) -> int:
        return round((z - geometry.floor) * 1e13)

    def corner(point: tuple[float, float, float]) -> tuple[int, int, int]:
        return round(point[0] * 1e13), round(point[1] * 1e13), height(point[2])

    metals = (plane.row, plane.column, *((above.row,) if above else ()))
    wires = tuple((m.sheet_resistance, m.tcr) for m in map(design.stack.metal, metals))
    boxes = tuple((b.net, b.kind, corner(b.lower), corner(b.upper)) for b in geometry.boxes)
    slabs = tuple((max(height(s.bottom), 0), min(height(s.top), height(geometry.ceiling)), s.k) for s in geometry.slabs)
    return boxes, slabs, height(geometry.ceiling), wires


def _position(design: Design, first: int, last: int) -> str:
    top = len(design.planes) - 1
    names = ["bottom"] if first == 0 else []
    names += ["inner"] if any(0 < i < top for i in range(first, last + 1)) else []
    names += ["top"] if last == top else []
    return " and ".join(names)
