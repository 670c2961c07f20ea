"""Capacitances of the drawn cell beside those of other extractors, judged against bounds.

Two programs, where a machine has them: klayout-pex and Magic. Both add plates, side walls and fringes whose
coefficients were fitted to lines standing alone, so they check of what order a value is and what it is made of and are
no reference: the cell's own values are a field solution. Each takes the same block of cells, cut out of the file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from interconnect.arrays import IntArray
from interconnect.errors import UnsupportedCell
from metalrom.layout.plan import PlacedPlane, Plan
from metalrom.layout.read import Shapes
from metalrom.signoff.cell_block import choose_block, draw_block
from metalrom.signoff.extractor import Extractor
from metalrom.signoff.kpex import extract_with_kpex, find_kpex
from metalrom.signoff.magic import extract_with_magic, find_magic
from metalrom.signoff.net_capacitances import QUANTITIES, model_capacitances, per_cell, read_capacitances
from netlists.cells.base import CellModel

TOTAL_BOUND = 0.2
"""Whole capacitance of a bit line. Single terms of both programs were found 6 to 13 % off a field solver (klayout-pex,
issue 198 on GitHub), those of lines at the smallest space in one direction."""

PART_BOUND = 0.3
"""Parts of a line's capacitance: what bit lines have to row lines, and a row line's without that to its kind in other
rows, which a cell's model does not have. Their terms do not make up for each other, and a fringe between close
neighbours is counted larger than it is."""

BOUNDS = {"bit line": TOTAL_BOUND, "bit line to row lines": PART_BOUND, "row line": PART_BOUND}
"""Quantities that are judged; the others are shown."""


@dataclass(frozen=True, slots=True)
class CapacitanceBeside:
    """One quantity per cell, F. bound: of the relative difference; None where it is not judged."""

    name: str
    cell: float
    beside: float
    bound: float | None

    @property
    def relative(self) -> float:
        """The extractor's difference from the drawn cell, over the drawn cell's value."""
        return self.beside / self.cell - 1.0 if self.cell else float(self.beside != 0.0)

    @property
    def ok(self) -> bool:
        """False only where it is judged and beyond its bound."""
        return self.bound is None or abs(self.relative) <= self.bound


@dataclass(frozen=True)
class ExtractorReport:
    """What one extractor says of a plane. reason: why it has no values, or why they are not judged; empty otherwise."""

    tool: str
    plane: str = ""
    values: tuple[CapacitanceBeside, ...] = ()
    reason: str = ""

    @property
    def differences(self) -> tuple[str, ...]:
        """Every judged quantity beyond its bound in a sentence."""
        return tuple(
            f"{v.name} is {v.beside * 1e18:.4g} aF per cell, the drawn cell has {v.cell * 1e18:.4g} aF "
            f"({100 * v.relative:+.3g} %, bound {100 * (v.bound or 0.0):g} %)"
            for v in self.values
            if not v.ok
        )

    @property
    def verdict(self) -> str:
        """The outcome with the judged quantities, in one line."""
        if not self.values:
            return self.reason
        shown = ", ".join(
            f"{v.name} {v.beside * 1e18:.3g} aF, drawn cell {v.cell * 1e18:.3g} aF ({100 * v.relative:+.2g} %, "
            f"bound {100 * BOUNDS[v.name]:g} %)"
            for v in self.values
            if v.name in BOUNDS
        )
        return f"per cell {shown}; {self.reason or ('beyond a bound' if self.differences else 'within bounds')}"


def find_extractors(stack: str) -> tuple[tuple[str, Extractor | str], ...]:
    """Every known extractor of this machine, or why it does not run."""
    return (("kpex", find_kpex(stack)), ("magic", find_magic(stack)))


def compare_with_extractor(
    tool: Extractor, plan: Plan, part: PlacedPlane, shapes: Shapes, symbols: IntArray, model: CellModel
) -> ExtractorReport:
    """A plane's cell beside what an extractor makes of the file.

    shapes: of the file; symbols: what its cuts mean, shape (rows, physical columns); model: of the drawn cell.

    Raises InputError if the program fails.
    """
    try:
        block = choose_block(part)
        blocks = (block, block.shorter(), block.narrower())
        drawn = [draw_block(plan, part, shapes, of) for of in blocks]
    except UnsupportedCell as error:
        return ExtractorReport(tool.label, part.name, reason=f"not run: {error}")
    beside = per_cell(*_each(lambda b: read_capacitances(_extract(tool, plan, b)), drawn), block, model)
    cell = per_cell(*_each(lambda of: model_capacitances(model, symbols, of), blocks), block, model)
    judged = {} if tool.half_walls else BOUNDS
    values = tuple(
        CapacitanceBeside(name, _short(cell[name]), _short(beside[name]), judged.get(name)) for name in QUANTITIES
    )
    reason = "not judged, this version counts half of the side walls" if tool.half_walls else ""
    return ExtractorReport(tool.label, part.name, values, reason)


def _extract(tool: Extractor, plan: Plan, block: Any) -> str:
    return extract_with_magic(tool, block) if tool.technology else extract_with_kpex(tool, plan, block)


def _short(farads: float) -> float:
    """Six digits, so that the order of a sum does not show."""
    return float(f"{farads:.6g}")


def _each(function: Callable[[Any], Any], three: Iterable[Any]) -> tuple[Any, Any, Any]:
    a, b, c = map(function, three)
    return a, b, c
