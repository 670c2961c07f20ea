"""The circuit: technology, cells, columns, weights as via programs, netlists and their audit.

Names are loaded on first use, so that importing this package costs nothing.
"""

from interconnect.lazy import lazy_names

_EXPORTS = {
    "AuditReport": "audit",
    "MAPPINGS": "mapping",
    "BlockWeights": "weights",
    "CellModel": "cells.base",
    "ColumnStimulus": "case",
    "Condition": "condition",
    "ColumnDeck": "column",
    "Deviations": "case",
    "MacroShape": "mapping",
    "Periphery": "periphery",
    "Plane": "cells.base",
    "QuantizedWeights": "weights",
    "TileManifest": "mapping",
    "Technology": "technology",
    "Timing": "periphery",
    "ViaProgram": "mapping",
    "WrittenNetlist": "writer",
    "audit_netlist": "audit",
    "CELLS": "cells",
    "column_deck": "column",
    "integer_weights": "weights",
    "load_blocks": "weights",
    "load_technology": "technology",
    "load_tensor": "weights",
    "load_weights": "weights",
    "make_cell": "cells",
    "quantize": "weights",
    "reference_column": "reference",
    "register_cell": "cells",
    "scheme_of": "mapping",
    "tile": "mapping",
    "via_program": "mapping",
    "weights_of": "mapping",
    "write_netlist": "writer",
}

__all__ = sorted(_EXPORTS)

__getattr__ = lazy_names(__name__, _EXPORTS)
