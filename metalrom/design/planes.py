"""What neighbouring planes do to each other's levels, by extraction of both with their lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

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
    cell, stack = cast("CapBalanced", design.cell), design.stack
    found = []
    with config_context(design.path, "cell.planes"):
        for plane, above in zip(design.planes, design.planes[1:], strict=False):
            if stack.index(above.row) != stack.index(plane.column) + 1:
                continue
            model = cell.model(stack, plane, lambda geometry, _: design.extract(geometry), above)
            found.append(next_plane_shift(model, above.label, design.periphery, rows))
    return tuple(found)
