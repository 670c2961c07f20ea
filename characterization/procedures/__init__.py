"""Measuring recipes, one file each; `PROCEDURES` finds them by name."""

from characterization.procedure_registry import PROCEDURES, with_requirements
from characterization.procedures.adc import AdcFigures
from characterization.procedures.adc_margin import AdcMargin
from characterization.procedures.crosstalk import Crosstalk
from characterization.procedures.energy import EnergyResult
from characterization.procedures.leakage import Leakage
from characterization.procedures.mismatch import Mismatch
from characterization.procedures.noise import Noise
from characterization.procedures.pattern_spread import PatternSpread
from characterization.procedures.planes import Planes
from characterization.procedures.readout_current import ReadoutCurrent
from characterization.procedures.registry import (
    Procedure,
    measured,
)
from characterization.procedures.settling import Settling
from characterization.procedures.supply import SupplyBounce
from characterization.procedures.transfer import Transfer
from characterization.procedures.worst_pattern import WorstPatterns

__all__ = [
    "PROCEDURES",
    "AdcFigures",
    "AdcMargin",
    "Crosstalk",
    "EnergyResult",
    "Leakage",
    "Mismatch",
    "Noise",
    "PatternSpread",
    "Planes",
    "Procedure",
    "ReadoutCurrent",
    "Settling",
    "SupplyBounce",
    "Transfer",
    "WorstPatterns",
    "measured",
    "with_requirements",
]
