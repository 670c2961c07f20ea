"""The circuit: technology, cells, columns, weights as via programs, netlists and their audit.

Names are loaded on first use, so that importing this package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_EXPORTS = {
    "AuditReport": "netlists.audit",
    "CellModel": "netlists.cells.base",
    "ColumnCase": "netlists.case",
    "Condition": "netlists.condition",
    "Deck": "netlists.column",
    "Deviations": "netlists.case",
    "MacroShape": "netlists.mapping",
    "Periphery": "netlists.periphery",
    "Plane": "netlists.cells.base",
    "QuantizedWeights": "netlists.weights",
    "TileManifest": "netlists.mapping",
    "Technology": "netlists.technology",
    "Timing": "netlists.periphery",
    "ViaProgram": "netlists.mapping",
    "WrittenNetlist": "netlists.writer",
    "audit_netlist": "netlists.audit",
    "cell_kinds": "netlists.cells",
    "column_deck": "netlists.column",
    "load_technology": "netlists.technology",
    "load_tensor": "netlists.weights",
    "load_weights": "netlists.weights",
    "make_cell": "netlists.cells",
    "quantize": "netlists.weights",
    "reference_column": "netlists.reference",
    "register_cell": "netlists.cells",
    "tile": "netlists.mapping",
    "via_program": "netlists.mapping",
    "weights_of": "netlists.mapping",
    "write_netlist": "netlists.writer",
}

__all__ = sorted(_EXPORTS)


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module 'netlists' has no attribute {name!r}")
    return getattr(import_module(_EXPORTS[name]), name)
