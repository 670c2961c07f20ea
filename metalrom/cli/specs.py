"""Specifications and failed conditions on the terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from metalrom.specs.result import SpecResult, failure_text, specification_text

MAX_PRINTED = 12
"""Conditions of one specification that are printed one by one."""

_VERDICTS = {"pass": ("pass", "green"), "fail": ("FAIL", "bold red"), "undecided": ("undecided", "bold yellow")}

if TYPE_CHECKING:
    from rich.table import Table

    from metalrom.run.results import RunResults


def spec_table(results: RunResults) -> Table:
    """One row per specification and condition, then one per failed condition and procedure."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, title_justify="left")
    for heading in ("", "specification", "value", "condition", "why"):
        table.add_column(heading, justify="right" if heading == "value" else "left")
    for s in condensed(results.specs):
        where = f"{s.condition} (worst)" if s.worst and len(results.quality) > 1 else s.condition or "any"
        row = (specification_text(s), s.value_shown, where, remark(s))
        table.add_row(Text(*_VERDICTS[s.verdict]), *map(Text, row))
    for f in results.failed_conditions:
        row = ("characterize", "none", f.condition, failure_text(f))
        table.add_row(Text("FAIL", "bold red"), *map(Text, row))
    for p in results.failed_procedures:
        row = (p.procedure, "none", p.condition or "any", p.reason)
        table.add_row(Text("FAIL", "bold red"), *map(Text, row))
    return table


def condensed(specs: Sequence[SpecResult]) -> list[SpecResult]:
    """The results to print: at many conditions the worst that miss a specification, and the closest that passes."""
    groups: dict[tuple[str, str, float], list[SpecResult]] = {}
    for s in specs:
        groups.setdefault((s.quantity, s.comparison, s.limit), []).append(s)
    out: list[SpecResult] = []
    for group in groups.values():
        passed = [s for s in group if s.passed]
        if len(group) <= MAX_PRINTED:
            out += group
            continue
        missed = sorted((s for s in group if not s.passed), key=_distance, reverse=True)
        out += missed[:MAX_PRINTED]
        if len(missed) > MAX_PRINTED:
            out[-1] = _noted(out[-1], f"{len(missed) - MAX_PRINTED} more conditions miss it by less")
        if passed:
            out.append(_noted(min(passed, key=_distance), f"the closest of {len(passed)} conditions that pass"))
    return out


def _distance(s: SpecResult) -> float:
    return math.inf if s.value is None else abs(s.value - s.limit)


def _noted(s: SpecResult, note: str) -> SpecResult:
    return replace(s, reason="; ".join(filter(None, [s.reason, note])))


def remark(result: SpecResult) -> str:
    """Why a value is missing, or that the range of an estimate reaches across the limit."""
    if result.certain:
        return result.reason
    if result.by_interval:
        return f"its range, {result.span_shown}, reaches across the limit"
    return f"by the middle of an estimate; its range, {result.span_shown}, reaches across the limit"


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
