"""What neighbouring planes do to each other's levels, by extraction of both with their lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from characterization.testbench import StackedPlane
from metalrom.design.design import Design
from metalrom.design.error_context import config_context
from netlists.cells.base import require_capability
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
    cell, stack = cast("CapBalanced", design.cell), design.stack
    found = []
    with config_context(design.path, "cell.planes"):
        for i, plane in enumerate(design.planes):
            above = next(
                (p for p in design.planes[i + 1 : i + 2] if stack.index(p.row) == stack.index(plane.column) + 1), None
            )
            model = (
                cell.model(stack, plane, lambda geometry, _: design.extract(geometry), above)
                if above
                else design.models[i]
            )
            found.append(StackedPlane(plane.label, above.label if above else "", model))
    return tuple(found)
