"""The shapes of a plan as a gdstk library: cells in cells, so that a million cells take seconds and little space.

A plane is one cell of the file. Below it are arrays of the shapes that every cell has, arrays of the lines of a column,
and, for the via program, one cell per pattern of a few neighbouring symbols, placed wherever that pattern stands.
"""

import math
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np

from interconnect.optional import optional_library
from metalrom.layout.layers import LayoutLayer, Number
from metalrom.layout.pattern import PlanePattern, Rect, Shape, WireLine
from metalrom.layout.plan import GROUND, PlacedPlane, Plan

PATTERNS = 256
"""At most so many different patterns of neighbouring symbols get a cell of their own per plane."""

_MOST = 32767  # GDSII counts the copies of an array in 16 bits, signed


def gdstk_module() -> Any:
    """The module gdstk. Raises MissingLibrary when it is not installed."""
    return optional_library("gdstk", extra="layout", purpose="GDSII and OASIS files")


def build_library(plan: Plan) -> Any:
    """The layout as a `gdstk.Library` in um whose precision is the plan's grid. Raises InputError without gdstk."""
    gdstk = gdstk_module()
    library = gdstk.Library("metalrom", unit=1e-6, precision=plan.grid)
    return _Builder(gdstk, library, plan).all()


class _Builder:
    """Draws one plan; cells that planes share are drawn once."""

    def __init__(self, gdstk: Any, library: Any, plan: Plan) -> None:
        self.gdstk, self.library, self.plan = gdstk, library, plan
        self.um = plan.grid * 1e6
        self.cells: dict[str, Any] = {}

    def all(self) -> Any:
        for tile, parts in self.plan.tiles().items():
            drawn = [self.plane(part) for part in parts]
            if self.plan.level in ("array", "macro"):
                whole = self.library.new_cell(f"tile_{tile}")
                whole.add(*(self.gdstk.Reference(cell) for cell in drawn))
        if self.plan.level == "macro":
            top = self.library.new_cell(self.plan.top)
            for tile, parts in self.plan.tiles().items():
                top.add(self.gdstk.Reference(self.library[f"tile_{tile}"], self._at(parts[0].origin)))
        return self.library

    def plane(self, part: PlacedPlane) -> Any:
        """A plane with its lower left corner at the origin."""
        pattern = part.pattern
        top = self.library.new_cell(part.name)
        for line in pattern.rows:
            self._row_lines(top, part, line)
        for start, stop, cell in self._columns(part):
            self._array(top, cell, (start * pattern.column_pitch, 0), (stop - start, 1), pattern)
        if pattern.common:
            name = f"common_p{part.plane}"
            cell = self.cells.get(name) or self._cell(name, pattern.common)
            self._array(top, cell, (0, 0), (part.columns, part.rows), pattern)
        self._strap(top, part)
        self._program(top, part)
        return top

    def _cell(self, name: str, shapes: Iterable[Shape]) -> Any:
        self.cells[name] = cell = self.library.new_cell(name)
        for shape in shapes:
            layer = self.plan.layers.layers[shape.layer]
            cell.add(self._rectangle(shape.box, layer.plug if shape.plug and layer.plug else layer.drawing))
        return cell

    def _rectangle(self, box: Rect, number: Number, repetition: Any = None) -> Any:
        x0, y0, x1, y1 = (v * self.um for v in box)
        shape = self.gdstk.rectangle((x0, y0), (x1, y1), layer=number[0], datatype=number[1])
        if repetition is not None:
            shape.repetition = repetition
        return shape

    def _at(self, point: tuple[int, int]) -> complex:
        return complex(point[0] * self.um, point[1] * self.um)

    def _array(self, top: Any, cell: Any, origin: tuple[int, int], count: tuple[int, int], p: PlanePattern) -> None:
        """Copies at the pitches of the plane; count: (columns, rows)."""
        spacing = (p.column_pitch * self.um, p.row_pitch * self.um)
        for c in range(0, count[0], _MOST):
            for r in range(0, count[1], _MOST):
                at = self._at((origin[0] + c * p.column_pitch, origin[1] + r * p.row_pitch))
                copies = {"columns": min(_MOST, count[0] - c), "rows": min(_MOST, count[1] - r)}
                one = copies == {"columns": 1, "rows": 1}
                top.add(
                    self.gdstk.Reference(cell, at) if one else self.gdstk.Reference(cell, at, **copies, spacing=spacing)
                )

    def _row_lines(self, top: Any, part: PlacedPlane, line: WireLine) -> None:
        """A line of every row from side to side, with its pins and names at the left end."""
        pattern, layer = part.pattern, self.plan.layers.layers[line.layer]
        repetition = None
        if part.rows > 1:
            spacing = (pattern.column_pitch * self.um, pattern.row_pitch * self.um)
            repetition = self.gdstk.Repetition(columns=1, rows=part.rows, spacing=spacing)
        wide = line.high - line.low
        top.add(self._rectangle((0, line.low, part.width, line.high), layer.drawing, repetition))
        if layer.pin is not None:
            top.add(self._rectangle((0, line.low, wide, line.high), layer.pin, repetition))
        middle = (line.low + line.high) / 2
        for r in range(part.rows):
            self._label(top, layer, f"{line.net.lower()}{r}_0", (wide / 2, r * pattern.row_pitch + middle))

    def _strap(self, top: Any, part: PlacedPlane) -> None:
        """The ground line at the upper end, with its pin and name at the left."""
        if part.strap is None:
            return
        layer, (x0, y0, x1, y1) = self.plan.layers.layers[part.pattern.plane.column], part.strap
        top.add(self._rectangle(part.strap, layer.drawing))
        if layer.pin is not None:
            top.add(self._rectangle((x0, y0, x0 + min(y1 - y0, x1 - x0), y1), layer.pin))
        self._label(top, layer, GROUND, (x0 + (y1 - y0) / 2, (y0 + y1) / 2))

    def _label(self, top: Any, layer: LayoutLayer, text: str, at: tuple[float, float]) -> None:
        if layer.label is not None:
            place = (at[0] * self.um, at[1] * self.um)
            top.add(self.gdstk.Label(text, place, layer=layer.label[0], texttype=layer.label[1]))

    def _columns(self, part: PlacedPlane) -> Iterator[tuple[int, int, Any]]:
        """Runs of columns (from, to) whose lines are alike, with the cell of one of them."""
        read = part.cut_columns if part.scope else range(part.columns)
        runs = ((0, read.start, "dummy"), (read.start, read.stop, "read"), (read.stop, part.columns, "dummy"))
        for start, stop, word in runs:
            if start < stop:
                name = f"column_{word}_p{part.plane}_r{part.rows}"
                yield start, stop, self.cells.get(name) or self._column(name, part, start)
        top = self.library[part.name]
        for line in part.pattern.columns:
            if not line.bit_line:
                continue
            layer, middle = self.plan.layers.layers[line.layer], (line.low + line.high) / 2
            half = (line.high - line.low) / 2
            for c in part.cut_columns if part.scope else range(part.columns):
                x = c * part.pattern.column_pitch + middle
                for g, (_, end) in enumerate(part.segments(c)):
                    self._label(top, layer, f"{line.name}{g}_{c}", (x, end - half))

    def _column(self, name: str, part: PlacedPlane, column: int) -> Any:
        """The lines of one column, bottom to top; every piece of a bit line has its pin at the upper end."""
        self.cells[name] = cell = self.library.new_cell(name)
        for line in part.pattern.columns:
            layer = self.plan.layers.layers[line.layer]
            for low, high in part.pieces(line, column):
                cell.add(self._rectangle((line.low, low, line.high, high), layer.drawing))
                if line.bit_line and layer.pin is not None and not part.is_tied(line, column):
                    cell.add(self._rectangle((line.low, high - (line.high - line.low), line.high, high), layer.pin))
        return cell

    def _program(self, top: Any, part: PlacedPlane) -> None:
        """Vias: rows are cut into short words; each different word is one cell, referenced wherever it stands."""
        pattern = part.pattern
        kinds = len(pattern.symbols)
        length = max(1, int(math.log(PATTERNS, kinds) + 1e-9))
        words, rest = divmod(part.columns, length)
        whole = words * length
        if words:
            self._words(top, part, part.symbols[:, :whole].reshape(part.rows, words, length), 0)
        if rest:
            self._words(top, part, part.symbols[:, whole:].reshape(part.rows, 1, rest), whole)

    def _words(self, top: Any, part: PlacedPlane, block: np.ndarray[Any, Any], start: int) -> None:
        """Words of one length; block: shape (rows, words, length), the first one begins at column `start`."""
        pattern, length = part.pattern, block.shape[2]
        kinds = len(pattern.symbols)
        code = (block.astype(np.int64) * kinds ** np.arange(length)).sum(axis=2).ravel()
        order = np.argsort(code, kind="stable")
        bounds = np.flatnonzero(np.diff(code[order], prepend=-1, append=-1))
        row, word = np.divmod(order, block.shape[1])
        x = (start + word * length) * pattern.column_pitch * self.um
        place = x + 1j * (row * pattern.row_pitch * self.um)
        for first, stop in pairwise(bounds.tolist()):
            symbols = block[row[first], word[first]].tolist()
            shapes = [
                Shape(s.layer, s.plug, _moved(s.box, c * pattern.column_pitch))
                for c, symbol in enumerate(symbols)
                for s in pattern.symbols[symbol]
            ]
            if not shapes:
                continue
            name = f"via_p{part.plane}_{''.join(map(str, symbols))}"
            reference = self.gdstk.Reference(self.cells.get(name) or self._cell(name, shapes), place[first])
            if stop - first > 1:
                reference.repetition = self.gdstk.Repetition(offsets=place[first + 1 : stop] - place[first])
            top.add(reference)


def _moved(box: Rect, along: int) -> Rect:
    return box[0] + along, box[1], box[2] + along, box[3]
