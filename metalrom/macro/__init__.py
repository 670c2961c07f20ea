"""The macro estimator: what a metal-ROM macro computes, how well, and what it costs (loaded on first use)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from interconnect.lazy import lazy_names

if TYPE_CHECKING:
    from metalrom.macro.engine import Macro, MvmResult, StoredWeights
    from metalrom.macro.estimate import LayerEstimate, MacroEstimate, estimate_layer, estimate_macro
    from metalrom.macro.geometry import MacroGeometry, PeripheryRules
    from metalrom.macro.quality import Csnr, csnr, mean_code_error
    from metalrom.macro.readout import EFFECTS, synthetic_table

_HOME = {
    "EFFECTS": "readout",
    "synthetic_table": "readout",
    "Macro": "engine",
    "MvmResult": "engine",
    "StoredWeights": "engine",
    "Csnr": "quality",
    "csnr": "quality",
    "mean_code_error": "quality",
    "MacroGeometry": "geometry",
    "PeripheryRules": "geometry",
    "MacroEstimate": "estimate",
    "LayerEstimate": "estimate",
    "estimate_macro": "estimate",
    "estimate_layer": "estimate",
}

__all__ = [
    "EFFECTS",
    "Csnr",
    "LayerEstimate",
    "Macro",
    "MacroEstimate",
    "MacroGeometry",
    "MvmResult",
    "PeripheryRules",
    "StoredWeights",
    "csnr",
    "estimate_layer",
    "estimate_macro",
    "mean_code_error",
    "synthetic_table",
]

__getattr__ = lazy_names(__name__, _HOME)
