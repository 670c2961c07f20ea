"""Baselines with transistors: a local bit line of ROM or SRAM cells over a local computing cell (LCC).

Names are loaded on first use, so that importing this package costs nothing.
"""

from __future__ import annotations

from interconnect.lazy import lazy_names

_EXPORTS = {
    "CellArea": "area",
    "ClosedForm": "sharing",
    "LocalCase": "case",
    "LocalCell": "base",
    "LocalComputing": "computing",
    "LocalDeck": "column",
    "LocalDeviations": "case",
    "LocalDevice": "base",
    "LocalTiming": "timing",
    "Operation": "measure",
    "closed_form": "sharing",
    "draw_deviations": "mismatch",
    "local_cell_kinds": "registry",
    "local_column_deck": "column",
    "make_local_cell": "registry",
    "measure_operation": "measure",
    "register_local_cell": "registry",
    "settling": "measure",
}

__all__ = sorted(_EXPORTS)

__getattr__ = lazy_names(__name__, _EXPORTS)
