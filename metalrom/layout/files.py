"""Writing a layout file at once and whole, with a document of its layers beside it."""

import json
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from interconnect.errors import InputError
from interconnect.files import atomic_write_files
from metalrom.layout.draw import build_library
from metalrom.layout.plan import Plan
from ngspice_runner.workspace import scratch_folder

SUFFIXES = (".gds", ".oas")
STAMP = datetime(2000, 1, 1)
"""A fixed time: equal configurations give equal files."""

NOT_DRAWN = (
    "transistors, drivers and column circuits",
    "wires from the ends of rows, bit lines and ground straps to anything else",
)


@dataclass(frozen=True, slots=True)
class WrittenLayout:
    """A file that was written. size: bytes; seconds: wall time of drawing and writing."""

    path: Path
    layers: Path
    size: int
    cells: int
    seconds: float


def is_layout(path: Path) -> bool:
    """Whether a file's name says that it is a layout."""
    return path.suffix.lower() in SUFFIXES


def check_suffix(path: Path) -> None:
    """Refuse a name that does not say which format is meant. Raises InputError."""
    if not is_layout(path):
        raise InputError("has a suffix of neither GDSII nor OASIS", where=str(path), hint="end it in .gds or .oas")


def write_layout(plan: Plan, path: Path) -> WrittenLayout:
    """Write GDSII (`.gds`) or OASIS (`.oas`), and `<file>.layers.json` beside it.

    Raises:
        InputError: another suffix, gdstk is missing, or a place that cannot be written; then nothing is written.
    """
    check_suffix(path)
    begun = time.perf_counter()
    if not path.parent.is_dir():
        raise InputError("there is no such folder", where=str(path.parent))
    library = build_library(plan)
    beside = path.with_name(path.name + ".layers.json")
    with scratch_folder() as folder:
        made = folder / f"layout{path.suffix.lower()}"
        if made.suffix == ".gds":
            library.write_gds(made, timestamp=STAMP)
        else:
            library.write_oas(made, compression_level=6)
        content = made.read_bytes()
    document = (json.dumps(layout_document(plan), indent=2, ensure_ascii=False) + "\n").encode()
    atomic_write_files(path.parent, {path.name: content, beside.name: document})
    return WrittenLayout(path, beside, len(content), plan.cells, time.perf_counter() - begun)


def layout_document(plan: Plan) -> dict[str, Any]:
    """What a reader of the file must know: layers and where their numbers come from, grid, what is not drawn."""
    return {
        "level": plan.level,
        "top": plan.top,
        "cell": plan.kind,
        "stack": {"name": plan.stack.name, "sha256": plan.stack.sha256, "warnings": list(plan.stack.warnings)},
        "database_unit_m": plan.grid,
        "largest_rounding_m": plan.moved,
        "layer_map": plan.layers.to_json(),
        "planes": [
            {"cell": p.name, "row": p.pattern.plane.row, "column": p.pattern.plane.column, "rows": p.rows,
             "columns": p.columns, "origin_um": [v * plan.grid * 1e6 for v in p.origin]}
            for p in plan.parts
        ],
        "not_drawn": list(NOT_DRAWN),
    }  # fmt: skip
