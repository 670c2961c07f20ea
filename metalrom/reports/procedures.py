"""Rows and charts of procedures' results as the report shows them; knows no procedure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from characterization.charts import Chart
from characterization.procedure_result import ProcedureResult, ResultRow
from interconnect.errors import InputError
from metalrom.reports.plots import chart as figure_of
from metalrom.reports.plots import plain_powers, svg

WIDTH = 6.6
"""Of a chart, inches: half of the page."""


@dataclass(frozen=True, slots=True)
class NamedChart:
    """A chart of a procedure. stem: of its picture's file, unique in the report."""

    procedure: str
    stem: str
    chart: Chart


def result_charts(results: Mapping[str, ProcedureResult]) -> tuple[NamedChart, ...]:
    """The charts of all results, in the order of the run. Raises InputError for two of one name."""
    out: dict[str, NamedChart] = {}
    for name, result in results.items():
        for chart in result.charts():
            stem = f"{re.sub(r'[^A-Za-z0-9_]', '_', name)}_{chart.name}"
            if stem in out:
                raise InputError(f"two charts of the procedure {name} share the name {chart.name}")
            out[stem] = NamedChart(name, stem, chart)
    return tuple(out.values())


def result_rows(results: Mapping[str, ProcedureResult]) -> tuple[tuple[str, ResultRow], ...]:
    """(procedure, row) of all results, in the order of the run."""
    return tuple((name, row) for name, result in results.items() for row in result.figures())


def draw_chart(named: NamedChart) -> str:
    """The chart as SVG text. Raises InputError with the reason where its drawing fails."""
    chart = named.chart
    with figure_of(WIDTH, chart.height) as figure:
        try:
            axes = figure.subplots()
            chart.draw(axes)
            for axis in (axes.xaxis, axes.yaxis):
                if axis.get_scale() == "log":
                    plain_powers(axis)
            return svg(figure, named.stem, chart.title)
        except Exception as error:
            raise InputError(
                f"the chart {chart.name} of the procedure {named.procedure} cannot be drawn: "
                f"{type(error).__name__}: {error}"
            ) from error
