"""A layout file as plain rectangles per layer, in units of a plan's grid: all that the checks look at.

Nothing of how the file was drawn is used: cells are flattened by their references, names of cells mean nothing.
"""

import os
import re
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from interconnect.arrays import IntArray
from interconnect.errors import InputError
from interconnect.files import open_regular
from metalrom.layout.draw import gdstk_module
from metalrom.layout.files import check_suffix
from metalrom.layout.layers import Number
from ngspice_runner.backends.guard import run_guarded

MAX_BYTES = 2**31
"""A larger file is refused: flattened, it would not fit the memory of a usual machine."""

MAX_RECTANGLES = 2**24
"""Rectangles of a flattened file of somebody else: a few bytes of repetitions can stand for more than any memory."""

MAX_CORNERS = 4096
"""Corners of one polygon: cutting it into rectangles takes time and memory by their square."""


@dataclass
class Shapes:
    """Everything drawn in a file. rects: by (layer, datatype), shape (n, 4), left, bottom, right, top in grid units."""

    path: Path
    top: str
    rects: dict[Number, IntArray]

    def of(self, number: Number) -> IntArray:
        """Rectangles of a layer; none gives shape (0, 4)."""
        return self.rects.get(number, np.empty((0, 4), dtype=np.int64))


@dataclass(frozen=True)
class OpenLayout:
    """A file that gdstk has read, not yet flattened. top: its top cell. limit: rectangles of a cell once flattened."""

    path: Path
    library: Any
    top: Any
    limit: float = float("inf")

    def flatten(self, grid: float) -> Shapes:
        """Its rectangles. grid: database unit that the coordinates are reported in, m.

        Raises InputError: drawn on a finer grid, a missing cell, a shape that is not made of rectangles, or more
        rectangles than `limit`.
        """
        if self.library.precision < grid * (1 - 1e-6):
            raise InputError(
                f"is drawn on a grid of {self.library.precision:g} m, this configuration on {grid:g} m",
                where=str(self.path),
            )
        # The file's own unit may be another than the um.
        flat = _Flat(self.library.unit / grid, self.path, self.limit)
        try:
            return Shapes(self.path, self.top.name, dict(flat.of(self.top)))
        except RecursionError:
            raise InputError("nests its cells too deeply", where=str(self.path)) from None


_PROBE = """
import resource, sys
memory, seconds = map(int, sys.argv[3:])
resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
import gdstk
library = (gdstk.read_gds if sys.argv[2] == "gds" else gdstk.read_oas)(sys.argv[1])
if len({cell.name for cell in library.cells}) < len(library.cells):  # one cell listed twice is also freed twice
    raise SystemExit("two cells have the same name")
library.top_level()
for cell in library.cells:
    cell.name
    [(p.layer, p.points, p.repetition.get_offsets()) for p in cell.polygons]
    [(p.layer, p.to_polygons()) for p in cell.paths]
    [(r.cell_name, r.origin, r.repetition.get_offsets()) for r in cell.references]
"""
_PROBE_ENVIRONMENT = {
    "OPENBLAS_NUM_THREADS": "1",  # each thread takes address space
    "OMP_NUM_THREADS": "1",
    # what is freed is filled and what is allocated stands between guards: use after it ends the probe, not us later
    "PYTHONMALLOC": "malloc_debug",
    "MALLOC_PERTURB_": "165",
}
_PROBE_BYTES, _PROBE_BYTES_PER_BYTE = 2**30, 64
_PROBE_SECONDS, _PROBE_BYTES_PER_SECOND = 15, 500_000
"""What another process may take to read a file: address space and processor time, by the file's size."""


_MISSING = re.compile(r"Missing referenced cell (.+)")


def _try_apart(path: Path, size: int) -> None:
    """Raise InputError unless another process can read the file with a memory and in a time that suit its size (bytes).

    The reader may crash on a damaged file, and take us with it, free something twice, or follow its repetitions without
    end.
    """
    seconds = _PROBE_SECONDS + size // _PROBE_BYTES_PER_SECOND
    limits = [_PROBE_BYTES + _PROBE_BYTES_PER_BYTE * size, seconds]
    probe = [sys.executable, "-P", "-W", "error::RuntimeWarning", "-c", _PROBE]
    words = [*probe, str(path.absolute()), path.suffix.lower()[1:], *map(str, limits)]
    environment = os.environ | _PROBE_ENVIRONMENT
    try:
        code, said = run_guarded(words, folder=str(Path.cwd()), environment=environment, timeout=10 * seconds)
    except subprocess.TimeoutExpired:
        code, said = -1, ""
    if missing := _MISSING.search(said):
        raise InputError(f"refers to cell {missing[1]}, which is not in the file", where=str(path))
    if code:
        raise InputError(
            "cannot be read as a layout: it is damaged, truncated, or repeats its shapes beyond measure",
            where=str(path),
        )


def open_layout(path: Path, *, foreign: bool = False) -> OpenLayout:
    """Read a file. foreign: it was not written a moment ago, so try in another process first whether it can be read.

    Raises:
        InputError: gdstk is missing; the file cannot be read or holds no or several top cells.
    """
    check_suffix(path)
    gdstk = gdstk_module()
    gds = path.suffix.lower() == ".gds"
    with open_regular(path) as file:
        size, start = os.fstat(file.fileno()).st_size, file.read(16)
    if size > MAX_BYTES:
        raise InputError(f"is larger than {MAX_BYTES} bytes", where=str(path))
    if not (start[2:4] == b"\x00\x02" if gds else start.startswith(b"%SEMI-OASIS")):
        raise InputError("does not have the header that its suffix requires", where=str(path))
    if foreign:
        _try_apart(path, size)
    try:
        library = (gdstk.read_gds if gds else gdstk.read_oas)(path)
    except (OSError, RuntimeError, ValueError, TypeError, MemoryError) as error:
        raise InputError(f"cannot be read as a layout ({error})", where=str(path)) from None
    tops = library.top_level()
    if len(tops) != 1:
        names = ", ".join(sorted(c.name for c in tops)[:4])
        raise InputError(f"holds {len(tops)} top cells ({names}), expected one", where=str(path))
    return OpenLayout(path, library, tops[0], MAX_RECTANGLES if foreign else float("inf"))


class _Flat:
    """Flattens cells once each."""

    def __init__(self, scale: float, path: Path, limit: float) -> None:
        self.scale, self.path, self.limit = scale, path, limit
        self.known: dict[str, dict[Number, IntArray]] = {}

    def of(self, cell: Any, above: tuple[str, ...] = ()) -> dict[Number, IntArray]:
        """Rectangles of a cell with everything below it."""
        if cell.name in self.known:
            return self.known[cell.name]
        if cell.name in above:
            raise InputError(f"cell {cell.name} contains itself", where=str(self.path))
        found: dict[Number, list[IntArray]] = defaultdict(list)
        count = 0
        for polygon in [*cell.polygons, *(p for path in cell.paths for p in path.to_polygons())]:
            rects = self._rects(polygon, cell.name)
            count += self._copies(rects, places := self._offsets(polygon), count)
            found[polygon.layer, polygon.datatype].append(_copied(rects, places))
        placed: dict[tuple[str, int, bool], list[IntArray]] = defaultdict(list)
        children: dict[str, Any] = {}
        for reference in cell.references:
            child = reference.cell
            if isinstance(child, str) or not hasattr(child, "polygons"):
                name = child if isinstance(child, str) else child.name
                raise InputError(f"refers to cell {name}, which is not in the file", where=str(self.path))
            turns = reference.rotation / (np.pi / 2)
            if abs(turns - round(turns)) > 1e-9 or reference.magnification != 1:
                raise InputError(f"cell {child.name} is placed at an angle or scaled", where=str(self.path))
            children[child.name] = child
            origin = np.rint(np.array([reference.origin]) * self.scale).astype(np.int64)
            places = origin if reference.repetition.size == 0 else origin + self._offsets(reference)
            placed[child.name, round(turns) % 4, bool(reference.x_reflection)].append(places)
        for (name, quarters, mirrored), at in placed.items():
            for number, rects in self.of(children[name], (*above, cell.name)).items():
                count += self._copies(rects, places := np.concatenate(at), count)
                found[number].append(_copied(_turned(rects, quarters, mirrored), places))
        self.known[cell.name] = {n: np.concatenate(r) for n, r in found.items()}
        return self.known[cell.name]

    def _copies(self, rects: IntArray, places: IntArray, others: int) -> int:
        """Rectangles at all places; refused if they and the cell's `others` are more than the limit."""
        count = len(rects) * len(places)
        if others + count > self.limit:
            raise InputError(
                f"holds more than {self.limit} rectangles when its cells are expanded", where=str(self.path)
            )
        return count

    def _offsets(self, item: Any) -> IntArray:
        if item.repetition.size == 0:
            return np.zeros((1, 2), dtype=np.int64)
        return np.asarray(np.rint(item.repetition.get_offsets() * self.scale), dtype=np.int64)

    def _rects(self, polygon: Any, cell: str) -> IntArray:
        points = np.rint(polygon.points * self.scale).astype(np.int64)
        if len(points) < 4:
            raise InputError(f"layer {polygon.layer}/{polygon.datatype} holds no outline", where=str(self.path))
        if len(points) > MAX_CORNERS:
            shown = f"layer {polygon.layer}/{polygon.datatype} holds a polygon of {len(points)} corners"
            raise InputError(shown, where=str(self.path), hint=f"cut it into polygons of at most {MAX_CORNERS}")
        sides = np.roll(points, -1, axis=0) - points
        if not (sides == 0).any(axis=1).all():
            x, y = polygon.points[0]
            raise InputError(
                f"layer {polygon.layer}/{polygon.datatype} holds a slanted shape in cell {cell} at {x:g}, {y:g}",
                where=str(self.path),
                hint="only shapes along x and y can be checked",
            )
        low, high = points.min(axis=0), points.max(axis=0)
        if len(points) == 4:
            return np.array([[*low, *high]])
        # Cut at every height at which the outline turns; inside, edges pair up from left to right.
        heights = np.unique(points[:, 1])
        ends = np.roll(points, -1, axis=0)
        upright = points[:, 0] == ends[:, 0]
        x, y0 = points[upright, 0], np.minimum(points[upright, 1], ends[upright, 1])
        y1 = np.maximum(points[upright, 1], ends[upright, 1])
        out = []
        for bottom, top in pairwise(heights):
            here = np.sort(x[(y0 <= bottom) & (y1 >= top)])
            out += [[a, bottom, b, top] for a, b in zip(here[::2], here[1::2], strict=True)]
        return np.array(out, dtype=np.int64)


def _copied(rects: IntArray, places: IntArray) -> IntArray:
    """Every rectangle at every place."""
    both = np.concatenate([places, places], axis=1)
    return np.asarray((rects[None] + both[:, None]).reshape(-1, 4))


def _turned(rects: IntArray, turns: int, mirrored: bool) -> IntArray:
    """Mirrored at the x axis first, then turned to the left by quarters, as references mean it."""
    x0, y0, x1, y1 = rects.T
    if mirrored:
        y0, y1 = -y1, -y0
    for _ in range(turns):
        x0, y0, x1, y1 = -y1, x0, -y0, x1
    return np.stack([x0, y0, x1, y1], axis=1)
