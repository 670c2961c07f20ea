"""What the drawn cells share: tracks of equal lines, drawing rules that name the key, boxes on two metals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from interconnect.geometry import GROUND, Box, BoxKind, CellGeometry
from interconnect.stack import Enclosure, Metal, Stack, ViaLayer
from netlists.cells.base import CouplingGap, Plane
from netlists.parameters import require, require_positive

_SLACK = 1e-12  # m: rounding of user-given lengths


def nm(length: float) -> str:
    """A length (m) in words."""
    return f"{length * 1e9:.4g} nm"


def given(value: float | None, default: float, key: str) -> float:
    """The user's length (m) or the default. Raises InputError for one that is not positive."""
    if value is None:
        return default
    require_positive(value, where=f"cell.{key}", unit="m")
    return value


def at_least(value: float, limit: float, key: str, what: str) -> None:
    """Refuse a drawn length or space (m) below the stack's limit, naming the key that decides it."""
    require(value >= limit - _SLACK, f"{what} is {nm(value)}, the stack asks for {nm(limit)}", where=f"cell.{key}")


def reaches(value: float, limit: float, key: str, what: str, *, longest: bool = False) -> None:
    """Refuse a drawn part that is too short (or, with `longest`, too long) for its place; lengths in m."""
    fits = value <= limit + _SLACK if longest else value >= limit - _SLACK
    hint = f"it must be at {'most' if longest else 'least'} {nm(limit)} long"
    require(fits, what, where=f"cell.{key}", hint=hint)


@dataclass(frozen=True, slots=True)
class Tracks:
    """Parallel lines that share one pitch of the array, equal spaces between them: `count` of them, `pitch` and `width`
    in m. cut_line: the one line that has all cuts, if only one has; it is `cut_width` wide, m."""

    axis: Literal["row", "column"]
    count: int
    pitch: float
    width: float
    cut_line: int | None = None
    cut_width: float = 0.0

    @property
    def step(self) -> float:
        """Mean distance of neighbouring lines, m."""
        return self.pitch / self.count

    @property
    def widths(self) -> tuple[float, ...]:
        """Width of every line, m."""
        return tuple(self.cut_width if i == self.cut_line else self.width for i in range(self.count))

    @property
    def space(self) -> float:
        """Space between neighbouring lines, m."""
        return (self.pitch - sum(self.widths)) / self.count

    def centre(self, index: int, cell: int = 0) -> float:
        """Middle of line `index` of cell `cell` (counted from the period's side), m."""
        if self.cut_line is None:
            return (2 * self.count * cell + 2 * index + 1) * self.pitch / (2 * self.count)
        widths = self.widths
        return cell * self.pitch + (index + 0.5) * self.space + sum(widths[:index]) + widths[index] / 2


@dataclass(frozen=True, slots=True)
class PlaneMetals:
    """The layers of a plane."""

    row: Metal
    column: Metal
    via: ViaLayer
    grid: float | None = None

    @classmethod
    def of(cls, stack: Stack, plane: Plane) -> PlaneMetals:
        """Look the layers up. Raises InputError for one that the stack lacks."""
        row, column = stack.metal(plane.row), stack.metal(plane.column)
        return cls(row, column, stack.via_between(plane.row, plane.column), stack.grid)

    def layer(self, axis: Literal["row", "column"]) -> Metal:
        """The metal of the row's or of the column's lines."""
        return self.row if axis == "row" else self.column

    def least_width(self, axis: Literal["row", "column"]) -> float:
        """Least width of a line with cuts on it, m: the metal's own, and a cut with its enclosure on both sides."""
        return max(self.layer(axis).min_width, self.via.size + 2 * self._enclosure(axis).sides)

    def end_length(self, axis: Literal["row", "column"]) -> float:
        """Least length of a piece of metal around a cut at its ends, m: the cut with its enclosure on two sides."""
        return self.via.size + 2 * self._enclosure(axis).ends

    def piece_length(self, axis: Literal["row", "column"], width: float) -> float:
        """Least length of a piece of metal of its own of this width around a cut, m: ends, width and area of the metal.

        Its halves lie on the stack's grid.
        """
        layer = self.layer(axis)
        least = max(self.end_length(axis), layer.min_width)
        if layer.min_area is None or layer.min_area <= least * width * (1 + 1e-9):
            return least
        return self._halves_on_grid(layer.min_area / width)

    def _halves_on_grid(self, length: float) -> float:
        """The length (m), rounded up so that its half lies on the stack's grid."""
        step = 2 * (self.grid or 0.0)
        return math.ceil(length / step - 1e-6) * step if step else length

    def _enclosure(self, axis: Literal["row", "column"]) -> Enclosure:
        stated = self.via.enclosed_below if axis == "row" else self.via.enclosed_above
        return stated or Enclosure(0.0, 0.0)

    def check_area(self, axis: Literal["row", "column"], length: float, width: float, key: str, what: str) -> None:
        """Refuse a piece of metal (m, m) below the metal's least area."""
        layer = self.layer(axis)
        least = layer.min_area or 0.0
        require(
            length * width >= least * (1 - 1e-9),
            f"area of {what} on {layer.name} is {length * width * 1e12:.4g} um^2, the stack asks for "
            f"{least * 1e12:.4g} um^2",
            where=f"cell.{key}",
        )

    def tracks(
        self,
        axis: Literal["row", "column"],
        what: Sequence[str],
        pitch: float | None,
        width: float | None,
        *,
        least_step: float = 0.0,
        cut_line: int | None = None,
    ) -> Tracks:
        """Lines of a row or column, one for each of `what` (in words); a length of None is the smallest allowed.

        least_step: further demand on the default distance of the lines, m. cut_line: the one line that has all cuts;
        it is widened where a cut's enclosure asks for it. Without it every line has cuts. Raises InputError for a
        length that is not positive.
        """
        layer, count, cut_width = self.layer(axis), len(what), self.least_width(axis)
        drawn = given(width, cut_width if cut_line is None else layer.min_width, f"{axis}_width")
        own = drawn if cut_line is None else max(drawn, cut_width)
        lines = (count - 1) * drawn + own
        space = self._halves_on_grid(max(layer.min_space, least_step - lines / count))
        return Tracks(axis, count, given(pitch, lines + count * space, f"{axis}_pitch"), drawn, cut_line, own)

    def check(self, rows: Tracks, columns: Tracks, row_lines: str, column_lines: str) -> None:
        """Rules of width, space and cuts for both directions; row_lines, column_lines: what shares a pitch, in words.

        Raises InputError that names the key and the limit.
        """
        both = ((rows, self.row, row_lines), (columns, self.column, column_lines))
        for t, _, words in both:
            require(
                t.space > 0.0,
                f"the line width {nm(t.width)} leaves no space: {words} share {nm(t.pitch)}",
                where=f"cell.{t.axis}_width",
                hint=f"width must stay below {nm(t.step)}, the {t.axis} pitch over {t.count}",
            )
        for t, layer, _ in both:
            at_least(t.width, layer.min_width, f"{t.axis}_width", f"line width on {layer.name}")
            if t.cut_line is None:
                at_least(t.width, self.least_width(t.axis), f"{t.axis}_width", f"line width at a {self.via.name} cut")
        for t, layer, _ in both:
            at_least(t.space, layer.min_space, f"{t.axis}_pitch", f"space between lines on {layer.name}")

    def check_cuts(self, distance: float, axis: Literal["row", "column"]) -> None:
        """Refuse cuts whose middles are closer than the stack allows; distance in m."""
        space, name = distance - self.via.size, self.via.name
        at_least(space, self.via.space, f"{axis}_pitch", f"space between {name} cuts of two {axis}s")


class DrawnLengths(Protocol):
    """The lengths that a user may give of any drawn cell, m; None takes the smallest the stack allows."""

    @property
    def row_pitch(self) -> float | None: ...
    @property
    def column_pitch(self) -> float | None: ...
    @property
    def row_width(self) -> float | None: ...
    @property
    def column_width(self) -> float | None: ...


@dataclass(frozen=True, slots=True)
class Drawing:
    """Resolved lengths of a cell on a plane: its lines, and the length of its tab, finger or plate (m)."""

    metals: PlaneMetals
    rows: Tracks
    columns: Tracks
    length: float

    @property
    def pitch(self) -> tuple[float, float]:
        """(row, column) pitch, m."""
        return self.rows.pitch, self.columns.pitch

    @property
    def row_pitch(self) -> float:
        """Height of a row, m."""
        return self.rows.pitch

    @property
    def column_pitch(self) -> float:
        """Width of a column, m."""
        return self.columns.pitch

    @property
    def row_width(self) -> float:
        """Drawn width of the row's lines, m."""
        return self.rows.width

    @property
    def column_width(self) -> float:
        """Drawn width of the column's lines, m."""
        return self.columns.width

    @property
    def coupling(self) -> CouplingGap | None:
        """Where edge roughness changes the stored value; None: no law is known for this drawing."""
        return None

    def layout(self, columns: int) -> Layout:
        """An empty row of so many cells."""
        return Layout(self.metals, *self.pitch, columns)


@dataclass
class Layout:
    """Boxes of one row of cells on a plane; x along the row, y along the columns (m)."""

    metals: PlaneMetals
    row_pitch: float
    column_pitch: float
    columns: int
    boxes: list[Box] = field(default_factory=list)

    def row_line(self, net: str, y: float, width: float, layer: Metal | None = None) -> None:
        """A line along the row at height y of the drawing, on the plane's row metal or another `layer`."""
        metal = layer or self.metals.row
        length = self.columns * self.column_pitch
        low, high = (0.0, y - width / 2, metal.bottom), (length, y + width / 2, metal.top)
        self.boxes.append(Box(net, metal.name, "line", low, high))

    def column_line(self, net: str, x: float, width: float, kind: BoxKind = "line") -> None:
        """A line (or shield) along the column."""
        z = (self.metals.column.bottom, self.metals.column.top)
        low, high = (x - width / 2, 0.0, z[0]), (x + width / 2, self.row_pitch, z[1])
        self.boxes.append(Box(net, self.metals.column.name, kind, low, high))

    def patch(
        self, net: str, layer: Metal, kind: BoxKind, middle: tuple[float, float], size: tuple[float, float]
    ) -> None:
        """A piece of metal by its middle and its size (x, y)."""
        low = (middle[0] - size[0] / 2, middle[1] - size[1] / 2, layer.bottom)
        high = (middle[0] + size[0] / 2, middle[1] + size[1] / 2, layer.top)
        self.boxes.append(Box(net, layer.name, kind, low, high))

    def cut(self, net: str, x: float, y: float) -> None:
        """A via cut."""
        via, half = self.metals.via, self.metals.via.size / 2
        low, high = (x - half, y - half, self.metals.row.top), (x + half, y + half, self.metals.column.bottom)
        self.boxes.append(Box(net, via.name, "via", low, high))

    def shield(self, x: float, width: float) -> None:
        """A grounded line along the column."""
        self.column_line(GROUND, x, width, "shield")

    def geometry(
        self, kind: str, stack: Stack, plane: Plane, program: Sequence[int], *, top: Metal | None = None
    ) -> CellGeometry:
        """The finished geometry of one row of cells between the neighbouring planes.

        top: the highest metal that is drawn, the plane's column metal by default; the metal above it is a sheet.
        """
        floor, ceiling = stack.plane_floor(plane.row), stack.plane_ceiling(top.name if top else plane.column)
        return CellGeometry(
            name=f"{kind} {plane.label} {''.join(map(str, program))}",
            boxes=tuple(self.boxes),
            period=(self.columns * self.column_pitch, self.row_pitch),
            floor=floor,
            ceiling=ceiling,
            slabs=stack.slabs(floor, ceiling),
            rows=1,
            columns=self.columns,
        )
