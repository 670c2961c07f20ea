"""The page as a table: one line per figure, one column per cell and group size, each with its source."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.table import Table

from metalrom.formatting import MISSING, amount, prefix, probability
from metalrom.studies.cells.comparison import SOURCES, CellComparison, CellsPage

if TYPE_CHECKING:
    from rich.console import Group


@dataclass(frozen=True, slots=True)
class CellLine:
    """One figure: its name, how to print it, where it comes from (a key of SOURCES), group of the page."""

    name: str
    text: Callable[[CellComparison], str]
    source: str
    group: str


def _counts(value: float) -> str:
    return f"{value:.3f}" if value < 10 else f"{value:.3g}"


def _db(value: float | None) -> str:
    return "no error seen" if value is None else amount(value, "dB")


def _range(ends: tuple[float, float, float] | None, unit: str) -> str:
    if ends is None:
        return MISSING
    scale, shown = prefix(ends[1], unit)
    low, high = (f"{v / scale:.3g}" if v < 1e3 * scale else f"{v / scale:.0f}" for v in (ends[0], ends[2]))
    return f"{amount(ends[1], unit)} ({low} to {high} {shown})"


LINES = (
    CellLine("cell", lambda f: f"{f.area * 1e12:.4f} µm²", "model", "Cell"),
    CellLine("row x column pitch", lambda f: f"{f.pitch[0] * 1e9:.0f} x {f.pitch[1] * 1e9:.0f} nm", "model", "Cell"),
    CellLine("levels of a cell", lambda f: str(f.levels), "model", "Cell"),
    CellLine("columns per weight", lambda f: str(f.columns_per_weight), "model", "Cell"),
    CellLine("LSB", lambda f: amount(f.lsb, f.unit), "ngspice", "Signal"),
    CellLine("LSB of the metal alone", lambda f: amount(f.lsb_metal, f.unit), "linear", "Signal"),
    CellLine("swing, all counts", lambda f: amount(f.swing, f.unit), "ngspice", "Signal"),
    CellLine("margin of the weakest level", lambda f: amount(f.margin, f.unit), "ngspice", "Signal"),
    CellLine("the same in LSB", lambda f: _counts(f.margin_lsb), "ngspice", "Signal"),
    CellLine("the same in sigma", lambda f: f"{f.margin_sigma:.2f}", "ngspice", "Signal"),
    CellLine("sigma: cells", lambda f: f"{_counts(f.cell)} LSB", "ngspice", "Spread"),
    CellLine("sigma: reset switch, drivers", lambda f: f"{_counts(f.switch)} LSB", "ngspice", "Spread"),
    CellLine("sigma: thermal noise", lambda f: f"{_counts(f.noise)} LSB", "model", "Spread"),
    CellLine("sigma: place and neighbours", lambda f: f"{_counts(f.pattern)} LSB", "ngspice", "Spread"),
    CellLine("sigma: converter (assumed)", lambda f: f"{_counts(f.converter)} LSB", "model", "Spread"),
    CellLine(
        "gain from column to column",
        lambda f: "the same" if f.gain_spread is None else f"{100 * f.gain_spread:.2g} % rms, followed",
        "linear",
        "Spread",
    ),
    CellLine("code error of the layer", lambda f: probability(f.code_error), "model", "Accuracy"),
    CellLine(
        "the same, one threshold set for all",
        lambda f: "the same" if f.code_error_common is None else probability(f.code_error_common),
        "linear",
        "Accuracy",
    ),
    CellLine("CSNR of the layer", lambda f: _db(f.csnr), "model", "Accuracy"),
    CellLine("CSNR, gain and offset removed", lambda f: _db(f.csnr_fitted), "model", "Accuracy"),
    CellLine("row drivers, per conversion", lambda f: amount(f.energy_rows, "J"), "ngspice", "Energy"),
    CellLine(
        "reset of a column", lambda f: amount(f.energy_reset, "J") if f.unit == "V" else "none", "ngspice", "Energy"
    ),
    CellLine("conversion", lambda f: _range(f.energy_conversion, "J"), "model", "Energy"),
    CellLine("MAC", lambda f: _range(f.energy_mac, "J"), "model", "Energy"),
    CellLine("settled to 0.1 LSB", lambda f: amount(f.settling, "s"), "ngspice", "Time"),
    CellLine("read", lambda f: amount(f.read_time, "s"), "model", "Time"),
    CellLine("bits, cells alone", lambda f: amount(f.density_cells, "Mb/mm2"), "model", "Density"),
    CellLine("bits, with periphery", lambda f: _range(f.density_macro, "Mb/mm2"), "model", "Density"),
    CellLine("weight bits, with periphery", lambda f: _range(f.weight_density, "Mb/mm2"), "model", "Density"),
)


def cells_document(page: CellsPage) -> dict[str, Any]:
    """Everything but the levels, SI units."""
    return {
        "name": page.name,
        "condition": page.condition,
        "technology": page.technology,
        "layer": page.layer,
        "array": page.array,
        "cells": [{**asdict(r.fact), "margin": r.fact.margin} for r in page.readings],
        "sources": {line.name: line.source for line in LINES},
        "source_meaning": SOURCES,
        "assumptions": {r.fact.letter: list(r.assumptions) for r in page.readings},
        "refused": list(page.refused),
        "not_included": list(page.not_included),
        "warnings": list(page.warnings),
        "simulations": {"run": page.simulated, "cached": page.cached, "cpu_seconds": page.simulation_seconds},
    }


def tables(page: CellsPage) -> Group:
    """One table per group size, for the terminal."""
    shown = []
    for rows in page.rows:
        table = Table(title=f"{rows} rows per conversion, {page.condition}", title_justify="left")
        table.add_column("")
        for reading in page.at(rows):
            table.add_column(f"{reading.fact.letter} {reading.fact.kind}", justify="right")
        table.add_column("from")
        for line in LINES:
            cells = [line.text(r.fact).split(" (")[0] for r in page.at(rows)]
            table.add_row(line.name, *cells, line.source)
        shown.append(table)
    return Group(*shown)


def markdown(page: CellsPage, rows: int) -> list[str]:
    """The table of one group size as lines of Markdown."""
    facts = [r.fact for r in page.at(rows)]
    lines = [f"| {rows} rows | {' | '.join(f'{f.letter} `{f.kind}`' for f in facts)} | from |"]
    lines.append("|---" * (len(facts) + 2) + "|")
    for line in LINES:
        cells = (line.text(f).split(" (")[0].replace("\u00a0", " ") for f in facts)
        lines.append(f"| {line.name} | {' | '.join(cells)} | {line.source} |")
    return lines
