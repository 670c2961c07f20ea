"""What a report shows of the macro's estimate: areas, energies and times in figures and tables."""

from collections.abc import Mapping
from dataclasses import replace

from metalrom.formatting import Figure, amount, counted, digits
from metalrom.macro.estimate import LayerEstimate, MacroEstimate
from metalrom.macro.quantity import Component, Span
from metalrom.reports.content import CsnrRow, MacroTable, ReportHeadline
from metalrom.run.results import RunResults
from netlists.devices.area import NOT_AVAILABLE

_PARTS = {
    "array": "array (cells of one plane)",
    "row_drivers": "row drivers",
    "lcc_reset": "reset and select transistors",
    "current_sense": "sense circuits of the columns",
    "adc": "converters",
    "column_line": "ends of the columns' lines",
    "column_mux": "column multiplexer and bus",
    "control_lines": "control lines across the columns",
    "via_towers": "via towers of the upper planes",
    "capacitors": "sampling and converter capacitors",
    "driver_gates": "gates of the row drivers",
    "line_bias": "bias of the columns' lines",
    "shift_add": "digital shift-add",
    "read": "read",
}

NO_RULES = f"{NOT_AVAILABLE}: the device set has no area rules for the periphery; the parts shown are metal alone"


def macro_headline(results: RunResults, estimate: LayerEstimate, worst: str) -> ReportHeadline:
    """Figures of the first screen; worst: label of the condition that the run is judged at."""
    macro, q = estimate.macro, next(q for q in results.quality if q.condition == worst)
    known = f"{results.layer.inputs} x {results.layer.outputs} layer, {results.layer.tokens} vectors"
    status = "estimate" if results.warnings else "user"
    footprint = macro.known_footprint
    return ReportHeadline(
        density_raw=_figure("density of the cells alone", macro.density_raw, "Mb/mm2", status, "cells over footprint"),
        density_macro=_figure(
            "density with periphery", footprint.density_stacked if footprint else None, "Mb/mm2", "estimate",
            "cells in use over the macro's area, periphery under the array",
        ),
        energy_per_mac=_figure(
            "energy per MAC", estimate.merit.energy_per_mac, "J", "estimate",
            "row drivers simulated, the rest estimated",
        ),
        csnr=CsnrRow(known, "raw", q.raw),
        csnr_fitted=CsnrRow(known, "gain and offset removed", q.fitted),
        weight_density=_figure(
            "density of weight bits with periphery", footprint.weight_density_stacked if footprint else None, "Mb/mm2",
            "estimate", "the same, bits of weights instead of vias",
        ),
        density_steps=_density_steps(macro),
    )  # fmt: skip


def _density_steps(macro: MacroEstimate) -> tuple[str, str]:
    """Why the macro holds fewer bits per area than its cells, and fewer weight bits than vias, in words."""
    g, footprint = macro.geometry, macro.known_footprint
    if footprint is None:
        return "", ""
    share = macro.area["array"].value.mid / footprint.stacked.mid
    return (
        f"{_percent(g.utilisation)} of the cells hold weights; cells cover {_percent(share)} of the macro",
        f"{counted(g.bit_columns_per_weight, 'via')} hold{'s' * (g.bit_columns_per_weight == 1)} a "
        f"weight of {g.weight_bits} bit",
    )


def _percent(share: float) -> str:
    return f"{digits(100 * share, 3 if share > 0.9995 else 2)} %"


def macro_tables(estimate: LayerEstimate) -> tuple[MacroTable, ...]:
    """Area, energy of a conversion and time of a conversion by component."""
    macro = estimate.macro
    return (
        _area_table(macro),
        _table("energy per conversion", macro.conversion, "J", macro.energy_per_conversion, "nominal condition"),
        _table("time of one conversion", macro.step, "s", None, f"MVM latency {amount(macro.latency.mid, 's')}"),
    )


def _area_table(macro: MacroEstimate) -> MacroTable:
    if macro.known_footprint is None:
        missing = Figure("total", None, "m2", source=NO_RULES)
        return replace(_table("area", macro.area, "m2", None, NO_RULES), total=missing)
    note = "periphery under the array: max(array, periphery) and an edge"
    return _table("area", macro.area, "m2", macro.known_footprint.stacked, note)


def _figure(name: str, span: Span | None, unit: str, status: str, source: str) -> Figure:
    if span is None:
        return Figure(name, None, unit, source=NOT_AVAILABLE)
    return Figure(name, span.mid, unit, span.low, span.high, status, source)


def _table(title: str, parts: Mapping[str, Component], unit: str, total: Span | None, note: str) -> MacroTable:
    rows = tuple(
        _figure(
            _PARTS.get(name, name.replace("_", " ")), part.value, unit, part.provenance.status, part.provenance.source
        )
        for name, part in parts.items()
    )
    whole = None if total is None else _figure("total", total, unit, "estimate", note)
    return MacroTable(title, rows, whole, note)
