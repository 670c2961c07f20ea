"""Baselines with transistors: a local bit line of ROM or SRAM cells over a local computing cell (LCC).

Names are loaded on first use, so that importing this package costs nothing.
"""

from interconnect.lazy import lazy_names

_EXPORTS = {
    "CellArea": "area",
    "ClosedForm": "sharing",
    "BaselineStimulus": "case",
    "BaselineCell": "base",
    "BaselineComputing": "computing",
    "BaselineDeck": "column",
    "BaselineDeviations": "case",
    "BaselineDevice": "base",
    "BaselineTiming": "timing",
    "MeasuredCharges": "switch_bench",
    "Operation": "measure",
    "SwitchDeck": "switch_bench",
    "shared_level": "sharing",
    "default_cell": "defaults",
    "default_computing": "defaults",
    "default_timing": "defaults",
    "draw_baseline_deviations": "case",
    "baseline_column_deck": "column",
    "BASELINE_CELLS": "registry",
    "make_baseline_cell": "registry",
    "measure_operation": "measure",
    "measured_charges": "switch_bench",
    "settling": "measure",
    "switch_charge_deck": "switch_bench",
}

__all__ = sorted(_EXPORTS)

__getattr__ = lazy_names(__name__, _EXPORTS)
