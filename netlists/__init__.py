"""The circuit: technology, cells, columns, weights as via programs, netlists and their audit.

Names are loaded on first use, so that importing this package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_EXPORTS = {
    "CellModel": "netlists.cells.base",
    "ColumnCase": "netlists.case",
    "Condition": "netlists.condition",
    "Deck": "netlists.column",
    "Deviations": "netlists.case",
    "Periphery": "netlists.periphery",
    "Plane": "netlists.cells.base",
    "Technology": "netlists.technology",
    "Timing": "netlists.periphery",
    "column_deck": "netlists.column",
    "load_technology": "netlists.technology",
    "make_cell": "netlists.cells",
}

__all__ = sorted(_EXPORTS)


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module 'netlists' has no attribute {name!r}")
    return getattr(import_module(_EXPORTS[name]), name)
