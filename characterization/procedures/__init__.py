"""Measuring recipes, one file each; `PROCEDURES` finds them by name."""

from __future__ import annotations

from characterization.procedures import adc_margin, mismatch, transfer
from characterization.procedures.registry import PROCEDURES, Procedure, get_procedure, register, with_requirements

__all__ = [
    "PROCEDURES",
    "Procedure",
    "adc_margin",
    "get_procedure",
    "mismatch",
    "register",
    "transfer",
    "with_requirements",
]
