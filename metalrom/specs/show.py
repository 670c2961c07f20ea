"""Specifications and failed conditions on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from metalrom.specs.result import SpecResult, shown

if TYPE_CHECKING:
    from rich.table import Table

    from characterization.failures import FailedCondition
    from metalrom.results import RunResults


def spec_table(results: RunResults) -> Table:
    """One row per specification and condition, then one per failed condition and procedure."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, title_justify="left")
    for heading in ("", "specification", "value", "condition", "why"):
        table.add_column(heading, justify="right" if heading == "value" else "left")
    for s in results.specs:
        row = (asked(s), s.value_shown, s.condition or "any", remark(s))
        table.add_row(Text("pass", "green") if s.passed else Text("FAIL", "bold red"), *map(Text, row))
    for f in results.failed_conditions:
        row = ("characterize", "none", f.condition, told(f))
        table.add_row(Text("FAIL", "bold red"), *map(Text, row))
    for p in results.failed_procedures:
        row = (p.procedure, "none", p.condition or "any", p.reason)
        table.add_row(Text("FAIL", "bold red"), *map(Text, row))
    return table


def asked(result: SpecResult) -> str:
    """The specification without its condition: `csnr > 40 dB`."""
    return f"{result.quantity} {result.comparison} {shown(result.limit, result.unit)}"


def remark(result: SpecResult) -> str:
    """Why a value is missing, or that the range of an estimate reaches across the limit."""
    if result.certain:
        return result.reason
    return f"by the middle of an estimate; its range, {result.span_shown}, reaches across the limit"


def told(failed: FailedCondition) -> str:
    """Why a condition failed, and the verdicts of its simulations."""
    return f"{failed.reason} (simulations: {', '.join(f'{count} {verdict}' for verdict, count in failed.verdicts)})"


def missed(results: RunResults) -> str:
    """One sentence for standard error: how many specifications are missed, and which conditions failed."""
    lost = [s for s in results.specs if not s.passed]
    parts = []
    if lost:
        names = ", ".join(dict.fromkeys(s.quantity for s in lost))
        parts.append(f"specifications missed: {len(lost)} of {len(results.specs)} ({names})")
    if results.failed_conditions:
        labels = ", ".join(f.condition for f in results.failed_conditions)
        parts.append(f"failed conditions: {labels}")
    if results.failed_procedures:
        rows = ", ".join(f"{p.procedure} at {p.condition or 'any'}" for p in results.failed_procedures)
        parts.append(f"failed procedures: {rows}")
    return "; ".join(parts)
