"""The report: one self-contained HTML file (inline SVG and CSS, no script, no network); equal content, equal bytes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

from characterization.margins import sigma_needed
from characterization.procedures.document import UnreadResult
from interconnect.files import atomic_write_bytes
from metalrom import formatting as words
from metalrom.formatting import Figure
from metalrom.macro.merit import Merit
from metalrom.reports import (
    condition_plots,
    geometry_views,
    maps,
    plots,
    schematic,
    sign_off_plots,
    stack_view,
    tile_view,
)
from metalrom.reports.content import CsnrRow, ReportContent
from metalrom.reports.procedures import draw_chart, result_charts, result_rows

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATE, STYLE = "report.html.j2", "report.css"
STATUSES = ("published", "measured", "estimate", "user", "assumption")


@dataclass(frozen=True, slots=True)
class ConditionRow:
    """One characterized condition in the table of levels: numbers in words, `ok` whether it meets the target."""

    label: str
    lsb: str
    sigma_counts: str
    margin: str
    code_error: str
    at: str
    layer_error: str
    ok: bool


def report_figures(content: ReportContent) -> dict[str, str]:
    """Every picture of the report as SVG text, by file stem (also usable as stand-alone files)."""
    table, cells, values = content.table, content.geometries, content.symbol_values
    zero, one = (cells[values.index(value)] for value in (0, 1))
    out = {
        "stack": stack_view.stack_picture(cells, content.tile_bits, content.planes, symbol_values=values),
        "cut_row": geometry_views.cross_section(one, "x"),
        "cut_column_one": geometry_views.cross_section(one, "y"),
        "cut_column_zero": geometry_views.cross_section(zero, "y", bit=0),
        "top_one": geometry_views.top_view(one),
        "top_zero": geometry_views.top_view(zero, bit=0),
        "schematic": schematic.read_schematic(table.unit, table.rows, signed=-1 in values, pair=content.pair),
        "density": schematic.density_bar(content.headline, content.density_reference),
        "levels": plots.level_plot(table, content.condition),
        "weakest": plots.eye_plot(table),
        "margins": plots.margin_plot(table, content.condition, content.target_error),
        "errors": plots.code_error_plot(table, content.condition, content.target_error, content.noise_cliff),
        "groups": plots.group_size_plot(content.group_choice, content.target_error),
    }
    out |= condition_plots.condition_pictures(table, content.condition, content.layer_errors, content.target_error)
    for k, part in enumerate(content.macro):
        out[f"macro_{k}"] = plots.breakdown_plot(part, f"macro{k}")
    if content.tile_top is not None:
        out["tile"] = tile_view.tile_top(cells, content.tile_top, values)
    out |= sign_off_plots.sign_off_pictures(content)
    out["error_map"] = maps.error_map(table, content.condition, content.histogram)
    out |= {named.stem: draw_chart(named) for named in result_charts(content.procedures)}
    return out


def write_figures(content: ReportContent, folder: Path, drawn: Mapping[str, str] | None = None) -> list[Path]:
    """Write every picture as `<stem>.svg` into `folder`; returns the paths. Raises InputError if it cannot write."""
    written = []
    for stem, text in (drawn or report_figures(content)).items():
        path = Path(folder) / f"{stem}.svg"
        _replace(path, '<?xml version="1.0" encoding="UTF-8"?>\n' + text)
        written.append(path)
    return written


def write_report(content: ReportContent, path: Path, drawn: Mapping[str, str] | None = None) -> Path:
    """Write the report to `path` (temporary file, then rename) and return it. Raises InputError if it cannot write."""
    path = Path(path)
    _replace(path, render_report(content, drawn))
    return path


def render_report(content: ReportContent, drawn: Mapping[str, str] | None = None) -> str:
    """The whole page as text. drawn: what `report_figures` gave, if it was called already."""
    table = content.table
    needed = sigma_needed(content.target_error)
    return _environment().get_template(TEMPLATE).render(
        c=content,
        # the pictures are written by this package and escape every name themselves
        svg={stem: Markup(text) for stem, text in (drawn or report_figures(content)).items()},  # noqa: S704
        charts=result_charts(content.procedures),
        result_rows=result_rows(content.procedures),
        unread=[r.reason for r in content.procedures.values() if isinstance(r, UnreadResult)],
        rows=table.rows,
        quantity="voltage" if table.unit == "V" else "current",
        needed=needed,
        layer_worst=max(content.layer_errors.items(), key=lambda item: item[1], default=None),
        nominal=table.worst_margin(content.condition),
        worst=table.worst_margin(),
        worst_error=table.worst_code_error(),
        signed=content.sign_off_at(content.worst),
        binary=content.symbol_values == (0, 1),
        merit=_merit_figures(content.merit),
        lsb=words.amount(abs(table.lsb(content.condition)), table.unit),
        read_time=words.amount(table.read_time, "s"),
        conditions=[_condition(content, c.label, needed) for c in table.conditions],
        drawn=plots.drawn_conditions(table, content.condition)[: plots.LEVEL_PANELS],
        statuses=_statuses(content),
        known_statuses=STATUSES,
        references=[r for r in (content.density_reference,) if r is not None],
    )  # fmt: skip


def _condition(content: ReportContent, label: str, needed: float) -> ConditionRow:
    table = content.table
    found = table.worst_margin(label)
    lsb = abs(table.lsb(label))
    sigma = table.total_sigma(label)[table.valid] / lsb if lsb else np.array([np.nan])
    largest = float(np.nanmax(sigma)) if not np.isnan(sigma).all() else None
    deciding = content.layer_errors.get(label, table.worst_code_error(label).code_error)
    return ConditionRow(
        label=label,
        lsb=words.amount(lsb, table.unit),
        sigma_counts=_counts(largest),
        margin=words.amount(found.margin),
        code_error=words.probability(found.code_error),
        at=f"count {found.count} of {found.active} active",
        layer_error=words.probability(content.layer_errors.get(label)),
        ok=deciding <= content.target_error,
    )


def _merit_figures(merit: Merit | None) -> list[Figure]:
    """Latency and efficiencies of the first screen; `source` says what they are."""
    if merit is None:
        return []
    rows = (
        ("Latency", merit.latency, "s", "one input vector through the layer"),
        ("Efficiency", merit.tops_per_watt, "TOPS/W", "operations per energy"),
        ("Compute density", merit.tops_per_mm2, "TOPS/mm2", "throughput over the area with periphery"),
    )
    return [
        Figure(name, span.mid, unit, span.low, span.high, "estimate", what)
        if span
        else Figure(name, None, unit, source=what)
        for name, span, unit, what in rows
    ]


def _statuses(content: ReportContent) -> list[tuple[str, int]]:
    """Statuses of the assumptions with how many carry each, in a fixed order, unknown ones last."""
    found = [a.status for a in content.assumptions]
    order = [*STATUSES, *sorted(set(found) - set(STATUSES))]
    return [(status, found.count(status)) for status in order if status in found]


def _csnr(row: CsnrRow) -> str:
    return words.amount(row.csnr_db, "dB")


def _figure(figure: Figure) -> str:
    return words.amount(figure.mid, figure.unit)


def _counts(value: float | None) -> str:
    return f"{value:.3f}" if words.known(value) else words.amount(value)


def _ends(ends: tuple[float, float] | None, shown: Callable[[float], str], unit: str = "") -> str:
    """An interval in words: `1.2 to 3.4 dB`; empty where there is none."""
    return f"{shown(ends[0])} to {shown(ends[1])} {unit}".strip() if ends is not None else ""


def _probabilities(ends: tuple[float, float] | None) -> str:
    return _ends(ends, words.probability)


def _numbers(ends: tuple[float, float] | None, unit: str = "", places: int = 2) -> str:
    return _ends(ends, lambda value: f"{value:.{places}f}", unit)


def _slug(text: str) -> str:
    """A text as part of a CSS class name: lower-case letters only."""
    return re.sub(r"[^a-z]", "", text.lower()) or "none"


def page_environment(template: str) -> Environment:
    """What renders the HTML page of an exports template: everything that is put in is escaped."""
    sources = {
        name: files("templates").joinpath("exports", name).read_text(encoding="utf-8") for name in (template, STYLE)
    }
    return Environment(
        loader=DictLoader(sources), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip


def _environment() -> Environment:
    environment = page_environment(TEMPLATE)
    filters: dict[str, Any] = {
        "amount": words.amount, "probability": words.probability, "span": words.span, "figure": _figure,
        "csnr": _csnr, "counts": _counts, "slug": _slug, "known": words.known,
        "probabilities": _probabilities, "numbers": _numbers,
    }  # fmt: skip
    environment.filters.update(filters)
    return environment


def _replace(path: Path, text: str) -> None:
    """Write `text` all at once; a lone surrogate, which UTF-8 cannot hold, becomes a question mark."""
    atomic_write_bytes(path, text.encode("utf-8", errors="replace"))
