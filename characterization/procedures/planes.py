"""`planes`: levels, margins and code errors of every plane, next to the real row lines of the plane above it.

The rows of the next plane toggle with the same inputs, so that its driven rows shift a level with the plane's own
active rows. Planes that are drawn alike, with like neighbours, share a table. Another plane's table is that of the
simulated plane with the differences that `characterization.plane_levels` calibrates. The plane below is no neighbour of
a bit line here: its row lines lie under its own columns, and its columns are extracted as quiet grounded metal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from characterization.charts import MARKS, SERIES, Chart, height_for, label_bars, legend_below
from characterization.column_testbench import ColumnTestbench
from characterization.plane_levels import (
    PlaneCheck,
    PlaneSteps,
    calibrated_steps,
    nominal_metals,
    table_of_plane,
)
from characterization.procedure_result import DataclassResult, ResultRow
from characterization.procedures.registry import Procedure, ProcedureResults, measured
from characterization.tables.planes import PlaneTables
from characterization.tables.table import ReadoutTable
from characterization.testbench import Testbench
from interconnect.arrays import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SMALLEST = 1e-12
"""Code errors below are drawn here."""

SCOPE = (
    "differences between planes at nominal metals; same inputs on all planes; the columns of "
    "the plane below are quiet grounded metal"
)


@dataclass(frozen=True, slots=True)
class PlanePoint:
    """A plane at a condition.

    lsb: step per count, V. margin: smallest, sigma, at driven rows `active` and count `count`. code_error,
    code_error_worst: mean over the counts with all rows driven, and of the worst level. pattern_shift: largest shift
    by rows of the next plane that do not follow the inputs (all driven or none), counts of this plane. pattern_error:
    code error of the worst level under it.
    """

    plane: str
    condition: str
    lsb: float
    margin: float
    active: int
    count: int
    code_error: float
    code_error_worst: float
    pattern_shift: float
    pattern_error: float


@dataclass(frozen=True, slots=True)
class ForeignTable:
    """Code errors of a plane that is read with the thresholds of another plane's table."""

    plane: str
    thresholds_of: str
    condition: str
    code_error: float
    code_error_worst: float


@dataclass(frozen=True)
class Planes(DataclassResult):
    """Every class of planes, lowest first. difference: largest of any level between two planes' tables, counts.
    stack: labels of all planes, lowest first. checks: reads by transistors behind the steps."""

    steps: tuple[PlaneSteps, ...]
    points: tuple[PlanePoint, ...]
    foreign: tuple[ForeignTable, ...]
    difference: float
    stack: tuple[str, ...] = ()
    checks: tuple[PlaneCheck, ...] = ()
    scope: str = SCOPE

    def figures(self) -> Sequence[ResultRow]:
        """Next plane's shift and worst margin of each plane, and the largest error of a table that serves another."""
        rows = []
        for s in self.steps:
            place = f"{s.label}, {f'rows of {s.above} above' if s.above else 'no plane above'}"
            rows.append(ResultRow("shift per active row of the next plane", s.next_plane / s.scale, "LSB", place))
            points = [p for p in self.points if p.plane == s.plane]
            worst = min(points, key=lambda p: p.margin)
            at = f"{s.plane}, {worst.condition}, {worst.active} active, count {worst.count}"
            rows.append(ResultRow("margin", worst.margin, "sigma", at))
            worst = max(points, key=lambda p: p.code_error)
            rows.append(ResultRow("code error", worst.code_error, "", f"{s.plane}, {worst.condition}"))
            worst = max(points, key=lambda p: abs(p.pattern_shift))
            at = f"{s.plane}, {worst.condition}, next plane not following the inputs"
            rows += [
                ResultRow("worst pattern of the next plane", worst.pattern_shift, "LSB", at),
                ResultRow("code error at that pattern", worst.pattern_error, "", at),
            ]
        if self.checks:
            worst_check = max(self.checks, key=lambda c: abs(c.simulated - c.calibrated))
            at = f"{worst_check.plane}, {worst_check.condition}, {worst_check.active} active, count {worst_check.count}"
            off = worst_check.simulated - worst_check.calibrated
            rows.append(ResultRow("largest difference between a plane's read and its table", off, "LSB", at))
        rows.append(ResultRow("largest difference between two planes' tables", self.difference, "LSB"))
        if self.foreign:
            other = max(self.foreign, key=lambda f: f.code_error)
            at = f"{other.plane} with the table of {other.thresholds_of}, {other.condition}"
            rows.append(ResultRow("code error if another plane's table serves", other.code_error, "", at))
        return rows

    def charts(self) -> Sequence[Chart]:
        """Code error of every plane by its table, by another plane's, and at the next plane's worst pattern."""
        caption = (
            "Code error of each plane by its table, by the worst other plane's table, and when the rows of the next "
            f"plane do not follow the inputs (worst level); worst condition. Scope: {self.scope}."
        )
        return (Chart("errors", "Planes", caption, self._draw_errors, height_for(len(self.steps))),)

    def _draw_errors(self, axes: Axes) -> None:
        errors: dict[str, dict[str, float]] = {"table of the plane": {}, "table of another plane": {}, "next plane": {}}
        own, other, pattern = errors.values()
        for p in self.points:
            own[p.plane] = max(own.get(p.plane, 0.0), p.code_error)
            pattern[p.plane] = max(pattern.get(p.plane, 0.0), p.pattern_error)
        for f in self.foreign:
            other[f.plane] = max(other.get(f.plane, 0.0), f.code_error)
        planes = [s.plane for s in self.steps]
        for k, (label, values) in enumerate(errors.items()):
            shown = [max(values.get(plane, np.nan), SMALLEST) for plane in planes]
            axes.plot(shown, np.arange(len(planes)), linestyle="none", label=label, color=SERIES[k], marker=MARKS[k])
        axes.set_xscale("log")
        label_bars(axes, range(len(planes)), planes)
        axes.grid(visible=True, axis="y")
        axes.margins(y=0.12)
        axes.set(xlabel=f"code error (at least {SMALLEST:g})")
        legend_below(axes, len(errors))

    def tables(self, table: ReadoutTable) -> tuple[ReadoutTable, ...]:
        """The readout table of every class of planes, from that of the simulated one."""
        return tuple(table_of_plane(table, steps) for steps in self.steps)

    def plane_tables(self, table: ReadoutTable) -> PlaneTables:
        """The tables of all planes in one dataset, from that of the simulated plane."""
        classes = [s.plane_class for s in self.steps]
        return PlaneTables.from_tables(
            self.tables(table), classes, self.stack or [p for c in classes for p in c.planes]
        )


def with_thresholds_of(table: ReadoutTable, other: ReadoutTable) -> ReadoutTable:
    """The table with the decision levels of another one."""
    return table.replace(threshold=np.stack([other.thresholds(c) for c in table.conditions]))


def _pattern_error(table: ReadoutTable, steps: PlaneSteps, lsb: float, i: int) -> tuple[float, float]:
    """(shift in counts, code error) of the worst level when the next plane's rows rest or are all driven."""
    fixed = with_thresholds_of(table, table)
    active, shift = np.arange(table.rows + 1.0), steps.next_plane / steps.scale
    errors = [table.worst_code_error(table.conditions[i]).code_error]
    # In the table as many rows above are driven as own ones: none of them is too low, all of them too high a level.
    for others in (-active, table.rows - active) if shift else ():
        moved: FloatArray = table.level + (lsb * shift * others)[:, None]
        errors.append(fixed.replace(level=moved).worst_code_error(table.conditions[i]).code_error)
    return table.rows * shift, max(errors)


def measure_planes(setup: Testbench, bench: ColumnTestbench, results: ProcedureResults) -> Planes:
    """Tables of all planes, calibrated by a few reads, their margins, and their errors with each other's thresholds."""
    base: ReadoutTable = results["adc_margin"].table
    return compare_planes(setup, base, *calibrated_steps(setup, bench, nominal_metals(base)))


def compare_planes(
    setup: Testbench, table: ReadoutTable, steps: tuple[PlaneSteps, ...], checks: tuple[PlaneCheck, ...] = ()
) -> Planes:
    """Margins of all planes and their errors with each other's thresholds. Runs no simulation.

    Parameters
    ----------
    setup : Testbench
        With `stacked`.
    table : ReadoutTable
        Of the simulated plane.
    steps : tuple[PlaneSteps, ...]
        Every class of planes against the simulated one.
    checks : tuple[PlaneCheck, ...]
        What the steps rest on.

    Returns
    -------
    Planes
        At the conditions of nominal metals.
    """
    base = nominal_metals(table)
    tables = tuple(table_of_plane(base, s) for s in steps)
    points, foreign, difference = [], [], 0.0
    for i, condition in enumerate(base.conditions):
        for s, own in zip(steps, tables, strict=True):
            worst, lsb = own.worst_margin(condition), own.lsb(condition)
            shift, error = _pattern_error(own, s, lsb, i)
            points.append(
                PlanePoint(
                    plane=s.plane,
                    condition=condition.label,
                    lsb=lsb,
                    margin=worst.margin,
                    active=worst.active,
                    count=worst.count,
                    code_error=own.mean_code_error(condition),
                    code_error_worst=own.worst_code_error(condition).code_error,
                    pattern_shift=shift,
                    pattern_error=error,
                )
            )
            for other in tables:
                if other is own:
                    continue
                apart = np.nanmax(np.abs(own.level[i] - other.level[i])) / abs(base.lsb(condition))
                difference = max(difference, float(apart))
                served = with_thresholds_of(own, other)
                foreign.append(
                    ForeignTable(
                        plane=s.plane,
                        thresholds_of=str(other.plane),
                        condition=condition.label,
                        code_error=served.mean_code_error(condition),
                        code_error_worst=served.worst_code_error(condition).code_error,
                    )
                )
    return Planes(steps, tuple(points), tuple(foreign), difference, setup.plane_labels, checks)


def _refusal(setup: Testbench) -> str | None:
    if sum(len(p.planes) or 1 for p in setup.stacked) > 1:
        return None
    return "it compares two planes or more of a cell that can be drawn with the plane above it"


PROCEDURE: Procedure = measured(
    "planes",
    "levels, margins and code errors of every plane, with the next plane's rows",
    measure_planes,
    ("adc_margin",),
    refuses=_refusal,
    result=Planes,
    through_chain=True,
)
