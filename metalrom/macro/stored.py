"""Weights stored in a macro, and what one matrix-vector product returns."""

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from metalrom.macro.adc_ranges import OutputCorrection
from metalrom.macro.section import StoredSection


@dataclass(frozen=True)
class MvmResult:
    """Output of one layer.

    y (batch, columns): int64, or float64 where ranges were calibrated, reads averaged or columns corrected.
    conversions: all of them, repeats and check columns included. code_errors: digital values that are not their count,
    after medians and check columns. values: digital values (None: one per conversion). errors_before_checks: the same
    before check columns corrected; sets of check columns: corrected, read again, given up. skipped: conversions that
    were not made because no row was driven.
    outside_domain: what was extrapolated beyond the characterized table; empty if nothing was.
    """

    y: NDArray[Any]
    conversions: int
    code_errors: int
    values: int | None = None
    errors_before_checks: int | None = None
    corrected: int = 0
    read_again: int = 0
    given_up: int = 0
    skipped: int = 0
    outside_domain: tuple[str, ...] = ()

    @property
    def code_error_rate(self) -> float:
        """Fraction of the digital values that are not the ideal count."""
        values = self.conversions if self.values is None else self.values
        return self.code_errors / values if values else 0.0


@dataclass(frozen=True)
class StoredWeights:
    """Weights (rows, columns) as the macro holds them, section by section; correction: of its output columns, if
    any."""

    rows: int
    columns: int
    sections: tuple[StoredSection, ...]
    correction: OutputCorrection | None = None
