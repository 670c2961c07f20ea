"""The macro estimator: what a metal-ROM macro computes, how well, and what it costs (loaded on first use)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interconnect.lazy import lazy_names

if TYPE_CHECKING:
    from metalrom.macro.adc_ranges import RangeCalibration
    from metalrom.macro.blocks import StoredBlocks
    from metalrom.macro.budget import ErrorBudget, error_budget
    from metalrom.macro.calibration import calibrate_columns, calibrate_ranges
    from metalrom.macro.engine import Macro
    from metalrom.macro.estimate import LayerEstimate, MacroEstimate, estimate_layer, estimate_macro
    from metalrom.macro.geometry import MacroGeometry
    from metalrom.macro.mitigation import Mitigation, MitigationCost, scaled_table
    from metalrom.macro.quality import Csnr, csnr
    from metalrom.macro.readout import EFFECTS, AdcRange, synthetic_table
    from metalrom.macro.stored import MvmResult, StoredWeights
    from metalrom.macro.torch_twin import macro_linear

_HOME = {
    "Mitigation": "mitigation",
    "MitigationCost": "mitigation",
    "scaled_table": "mitigation",
    "RangeCalibration": "adc_ranges",
    "calibrate_ranges": "calibration",
    "calibrate_columns": "calibration",
    "AdcRange": "readout",
    "StoredBlocks": "blocks",
    "ErrorBudget": "budget",
    "error_budget": "budget",
    "macro_linear": "torch_twin",
    "EFFECTS": "readout",
    "synthetic_table": "readout",
    "Macro": "engine",
    "MvmResult": "stored",
    "StoredWeights": "stored",
    "Csnr": "quality",
    "csnr": "quality",
    "MacroGeometry": "geometry",
    "MacroEstimate": "estimate",
    "LayerEstimate": "estimate",
    "estimate_macro": "estimate",
    "estimate_layer": "estimate",
}

__all__ = [
    "EFFECTS",
    "AdcRange",
    "Csnr",
    "ErrorBudget",
    "LayerEstimate",
    "Macro",
    "MacroEstimate",
    "MacroGeometry",
    "Mitigation",
    "MitigationCost",
    "MvmResult",
    "RangeCalibration",
    "StoredBlocks",
    "StoredWeights",
    "calibrate_columns",
    "calibrate_ranges",
    "csnr",
    "error_budget",
    "estimate_layer",
    "estimate_macro",
    "macro_linear",
    "scaled_table",
    "synthetic_table",
]

__getattr__ = lazy_names(__name__, _HOME)
