"""Electrical model of a cell from the shapes of a layout file: the configuration only says which net a shape is of."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from interconnect.arrays import IntArray
from interconnect.errors import InputError
from interconnect.geometry import Box, CellGeometry
from interconnect.stack import Stack
from metalrom.layout.plan import PlacedPlane, Plan
from metalrom.layout.read import Shapes
from netlists.cells.base import Cell, CellModel, Extract


@dataclass(frozen=True, slots=True)
class ElementDifference:
    """An element of the cell as configured and as drawn, F or ohm."""

    symbol: int
    name: str
    configured: float
    drawn: float

    @property
    def relative(self) -> float:
        """Difference over the configured value."""
        return self.drawn / self.configured - 1.0 if self.configured else float(self.drawn != 0.0)


@dataclass(frozen=True)
class DrawnCell:
    """A plane's cell as drawn. places: row and first column of the cells that each program was taken from."""

    model: CellModel
    places: tuple[tuple[int, int], ...]
    differences: tuple[ElementDifference, ...]

    def worst(self, kind: str) -> ElementDifference | None:
        """The largest relative difference of the capacitors (`C`) or the resistors (`R`)."""
        of = [d for d in self.differences if d.name.startswith(kind)]
        return max(of, key=lambda d: abs(d.relative), default=None)


def drawn_cell(
    plan: Plan, part: PlacedPlane, shapes: Shapes, symbols: IntArray, cell: Cell, model: CellModel, extract: Extract
) -> DrawnCell:
    """The cell's model from shapes of the file, with what distinguishes it from the configured `model`.

    symbols: what the file's cuts mean, shape (rows, columns). extract: the field solver. Each supercell that the cell's
    model is made from is cut out of the array where these symbols stand side by side, away from cut bit lines.

    Raises InputError where the array has no such neighbours.
    """
    places: list[tuple[int, int]] = []

    def of_drawing(geometry: CellGeometry, stack: Stack) -> object:
        program = tuple(int(digit) for digit in geometry.name.rsplit(" ", 1)[1])
        place = _place(part, symbols, program)
        places.append(place)
        return extract(_cut_out(plan, part, shapes, geometry, place), stack)

    drawn = cell.model(plan.stack, part.pattern.plane, of_drawing)  # type: ignore[arg-type]
    differences = [
        ElementDifference(k, e.name, e.value, drawn.value(e.name, k))
        for k, variant in enumerate(model.variants)
        for e in variant.elements
    ]
    return DrawnCell(drawn, tuple(places), tuple(differences))


def _place(part: PlacedPlane, symbols: IntArray, program: Sequence[int]) -> tuple[int, int]:
    """Row and first column of neighbours that hold a program, with no cut bit line in the row."""
    width = len(program)
    beside = np.lib.stride_tricks.sliding_window_view(symbols, width, axis=1)
    good = (beside == np.array(program)).all(axis=2)
    for row in part.cuts:
        good[row - 1 : row + 1] = False
    found = np.argwhere(good)
    if not len(found):
        shown = ", ".join(map(str, program))
        raise InputError(
            f"no row of plane {part.plane} away from cut bit lines holds the symbols {shown} side by side",
            where="--plane",
            hint="a larger tile has them",
        )
    middle = np.abs(found - np.array(good.shape) / 2).sum(axis=1).argmin()  # far from the array's sides
    row, column = found[middle].tolist()
    return row, column


def _cut_out(
    plan: Plan, part: PlacedPlane, shapes: Shapes, geometry: CellGeometry, place: tuple[int, int]
) -> CellGeometry:
    """Shapes inside the cells of a place as boxes; each takes net and kind of the configured box that it covers most.

    Raises InputError for metal that covers none: it has no counterpart in the configured cell.
    """
    pattern, layers = part.pattern, plan.layers.layers
    x0 = part.origin[0] + place[1] * pattern.column_pitch
    y0 = part.origin[1] + place[0] * pattern.row_pitch
    window = np.array([x0, y0, x0 + geometry.columns * pattern.column_pitch, y0 + pattern.row_pitch])
    known: dict[str, list[Box]] = {}
    for box in geometry.boxes:
        known.setdefault(box.layer, []).append(box)
    boxes = []
    for layer, like in known.items():
        numbers = layers[layer]
        rects = np.concatenate([shapes.of(numbers.drawing), shapes.of(numbers.plug) if numbers.plug else _NONE])
        inside = np.concatenate([np.maximum(rects[:, :2], window[:2]), np.minimum(rects[:, 2:], window[2:])], axis=1)
        inside = np.unique(inside[(inside[:, :2] < inside[:, 2:]).all(axis=1)], axis=0)
        for rect in (inside - np.tile(window[:2], 2)) * plan.grid:
            shared = [_overlap(rect, box) for box in like]
            if max(shared) <= 0.0:
                um = tuple(round(float(v) * 1e6, 6) for v in rect + np.tile(window[:2], 2) * plan.grid)
                raise InputError(f"{layer} metal at {um} um belongs to no part of the configured cell")
            box = like[int(np.argmax(shared))]
            lower, upper = (
                (float(rect[0]), float(rect[1]), box.lower[2]),
                (float(rect[2]), float(rect[3]), box.upper[2]),
            )
            boxes.append(replace(box, lower=lower, upper=upper))
    return replace(geometry, name=f"{geometry.name} as drawn", boxes=tuple(boxes))


_NONE = np.empty((0, 4), dtype=np.int64)


def _overlap(rect: IntArray, box: Box) -> float:
    """Area that a rectangle (m) shares with a box from above, m^2; 0 without any."""
    sides = [min(float(rect[axis + 2]), box.upper[axis]) - max(float(rect[axis]), box.lower[axis]) for axis in (0, 1)]
    return max(sides[0], 0.0) * max(sides[1], 0.0)
