"""Measuring recipes, one file each; `PROCEDURES` finds them by name."""

from __future__ import annotations

from characterization.procedures.adc_margin import AdcMargin
from characterization.procedures.mismatch import Mismatch
from characterization.procedures.registry import PROCEDURES, Procedure, get_procedure, register, with_requirements
from characterization.procedures.transfer import Transfer

__all__ = [
    "PROCEDURES",
    "AdcMargin",
    "Mismatch",
    "Procedure",
    "Transfer",
    "get_procedure",
    "register",
    "with_requirements",
]
