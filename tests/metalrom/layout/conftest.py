"""Plans of small arrays, and files that were tampered with after they were written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from interconnect.stackfile import load_stack
from metalrom.layout.plan import Plan, plan_layout
from netlists.array_options import NO_OPTIONS, ArrayOptions
from netlists.cells import make_cell
from netlists.cells.base import Plane
from netlists.mapping import MacroShape, ViaProgram, tile
from netlists.mapping.program import Encoding

pytest.importorskip("gdstk")

KINDS: dict[str, tuple[dict[str, object], tuple[int, ...]]] = {
    "cap_present": ({}, (0, 1)),
    "cap_balanced": ({}, (0, 1)),
    "res_via": ({}, (0, 1)),
    "cap_select": ({"levels": 4}, (0, 1, 2, 3)),
    "cap_ternary": ({}, (0, 1, -1)),
    "cap_tie": ({}, (0, 1, -1)),
}


def _program_of(counts: tuple[int, ...], rows: int, columns: int, seed: int = 1) -> ViaProgram:
    """Random symbols; every bit column stands for a weight of its own."""
    symbols = np.random.default_rng(seed).integers(0, len(counts), (rows, columns)).astype(np.uint8)
    worth = np.ones(columns, dtype=np.int64)
    return ViaProgram(symbols, np.arange(columns), worth, worth * 0, Encoding("drawn", counts))


def _small_plan(
    kind: str = "cap_balanced",
    level: str = "macro",
    *,
    stack: str = "generic28",
    planes: tuple[tuple[str, str], ...] = (("M2", "M3"), ("M4", "M5")),
    rows: int = 13,
    columns: int = 21,
    shape: tuple[int, int] = (8, 9),
    options: ArrayOptions = NO_OPTIONS,
    group_rows: int = 4,
    parameters: dict[str, object] | None = None,
) -> tuple[Plan, ViaProgram]:
    """A plan of a few cells: several tiles, cut bit lines, words that do not divide the columns."""
    usual, counts = KINDS[kind]
    program = _program_of(counts, rows, columns)
    manifest = tile(program, MacroShape(rows=shape[0], columns=shape[1], planes=len(planes)))
    drawn = tuple(Plane(*p) for p in planes)
    cell = make_cell(kind, usual | (parameters or {}))
    plan = plan_layout(cell, load_stack(stack), drawn, program, manifest, level, group_rows=group_rows, options=options)
    return plan, program


def _tamper(path: Path, change: Callable[[Any, dict[str, Any]], None]) -> Path:
    """Rewrite a layout with `change(library, cells by name)` done to it."""
    import gdstk

    gds = path.suffix == ".gds"
    library = (gdstk.read_gds if gds else gdstk.read_oas)(path)
    (top,) = library.top_level()
    change(library, {c.name: c for c in library.cells})
    library.remove(*(c for c in library.top_level() if c.name != top.name))  # cells that nothing refers to any more
    (library.write_gds if gds else library.write_oas)(path)
    return path


@pytest.fixture(scope="session")
def small_plan() -> Callable[..., tuple[Plan, ViaProgram]]:
    """`small_plan(kind, level, ...)`: a plan with the program in it."""
    return _small_plan


@pytest.fixture(scope="session")
def program_of() -> Callable[..., ViaProgram]:
    """`program_of(counts, rows, columns)`: random symbols."""
    return _program_of


@pytest.fixture(scope="session")
def tamper() -> Callable[..., Path]:
    """`tamper(path, change)`: a layout with something done to it."""
    return _tamper
