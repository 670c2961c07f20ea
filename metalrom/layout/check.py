"""A layout of a design: what it holds, and a file of it read back, compared and checked."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interconnect.errors import InputError
from metalrom.design.design import Design
from metalrom.design.error_context import config_context
from metalrom.layout.audit import LayoutAudit, audit_layout
from metalrom.layout.plan import Plan, plan_layout
from metalrom.layout.read import open_layout
from metalrom.layout.rules import RuleReport, check_rules
from metalrom.run.characterize import group_rows

_TOP = re.compile(r"(?P<cell>cell)|array_t(?P<of>\d{1,6})_p(?P<plane>\d{1,3})|tile_(?P<tile>\d{1,6})|(?P<macro>macro)")


@dataclass(frozen=True)
class LayoutCheck:
    """A file against its plan and its stack's rules."""

    plan: Plan
    audit: LayoutAudit
    rules: RuleReport

    @property
    def ok(self) -> bool:
        """Everything is there and every rule that was checked is kept."""
        return self.audit.ok and self.rules.count == 0

    def to_json(self) -> dict[str, Any]:
        """Counts, the first faults and violations, the rules checked and those not."""
        a, r = self.audit, self.rules
        return {
            "layout": str(a.path),
            "ok": self.ok,
            "level": self.plan.level,
            "cells": a.cells,
            "differing_vias": a.differing,
            "differing_wires": a.wires,
            "strange_shapes": a.strange,
            "faults": [str(f) for f in a.faults] + list(a.sentences),
            "rectangles": r.rectangles,
            "rule_violations": r.count,
            "violations": [v.to_json() for v in r.violations],
            "rules_checked": list(r.checked),
            "rules_not_checked": list(r.not_checked),
        }

    def text(self) -> str:
        """The same for people."""
        a, r = self.audit, self.rules
        if self.ok:
            head = f"{a.path}: all {a.cells:,} cells hold what they should; {len(r.checked)} rules kept by "
            return f"{head}{r.rectangles:,} rectangles\nnot checked: {'; '.join(r.not_checked)}"
        lines = [
            f"{a.path}: {a.cells:,} cells, {a.differing} differing vias, {a.wires} differing wires, "
            f"{a.strange} strange shapes, {r.count} rule violations",
            *map(str, a.faults),
            *a.sentences,
            *map(str, r.violations),
        ]
        return "\n".join(lines)


def plan_of(design: Design, level: str, *, tile: int = 0, plane: int = 0) -> Plan:
    """What a layout of a project's level holds; `array.group_rows: auto` is decided as for netlists.

    Raises InputError for an unknown level, tile or plane, or a cell that breaks a drawing rule.
    """
    with config_context(design.path, "cell"):
        return plan_layout(
            design.cell,
            design.stack,
            design.planes,
            design.program,
            design.manifest,
            level,
            group_rows=group_rows(design) if level in ("tile", "array", "macro") else None,
            tile=tile,
            plane=plane,
            options=design.array_options,
        )


def check_file(path: Path, design: Design, plan: Plan | None = None, *, limit: int = 20) -> LayoutCheck:
    """Read a layout back. Without a plan its top cell's name says what it should hold.

    Raises InputError: not a layout of this design, unreadable, or gdstk is missing.
    """
    opened = open_layout(path, foreign=plan is None)
    if plan is None:
        found = _TOP.fullmatch(opened.top.name)
        if not found:
            raise InputError(
                f"its top cell is called {opened.top.name}",
                where=str(path),
                hint="expected cell, array_t<tile>_p<plane>, tile_<tile> or macro",
            )
        level = "cell" if found["cell"] else "macro" if found["macro"] else "array" if found["tile"] else "tile"
        plan = plan_of(design, level, tile=int(found["tile"] or found["of"] or 0), plane=int(found["plane"] or 0))
    shapes = opened.flatten(plan.grid)
    return LayoutCheck(
        plan, audit_layout(plan, shapes, design.program, limit=limit), check_rules(plan, shapes, limit=limit)
    )
