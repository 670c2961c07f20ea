"""Fills the report from a finished run and nothing else."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from characterization.campaign_accuracy import accuracy_text
from characterization.procedure_result import ProcedureResult
from characterization.sampling_check import sampling_check
from characterization.sign_off import csnr_interval
from characterization.tables.table import Assumption, ReadoutTable
from interconnect.arrays import ByteArray
from interconnect.files import atomic_write_bytes
from interconnect.quantity import parse_quantity
from metalrom.folders import ensure_output_folder
from metalrom.formatting import amount, counted
from metalrom.macro.estimate import LayerEstimate
from metalrom.macro.geometry import MacroGeometry
from metalrom.reports.content import (
    BudgetRow,
    CsnrRow,
    FailedRow,
    GroupRow,
    ReportContent,
    Simulations,
    SpecRow,
    TileTop,
    VerdictRow,
)
from metalrom.reports.html import report_figures, write_figures, write_report
from metalrom.reports.macro_figures import macro_headline, macro_tables
from metalrom.reports.references import DENSITY_3D_METRO, MINILM_NOISE_CLIFF
from metalrom.reports.tile_view import MAX_COLUMNS, MAX_ROWS
from metalrom.run.bundle import new_bundle
from metalrom.run.estimate import run_layer
from metalrom.run.folder import Run, open_run
from metalrom.run.manifest import write_manifest
from metalrom.run.results import RunResults
from metalrom.specs.result import SpecResult, failure_text, specification_text
from netlists.mapping import MacroShape, ViaProgram, tile

REPORT, FIGURES = "report.html", "figures"

STACK_ROWS, STACK_COLUMNS = 3, 8
"""Cells of every plane in the picture of the stack."""


def rewrite_report(out: Path) -> Path:
    """Draw report.html and figures/ of a finished run again; returns the report's path.

    The whole output folder is replaced in one step by a copy with the new report, so that its manifest lists what it
    holds at any time. Raises InputError, and DamagedFile if any file of the run was changed.
    """
    with new_bundle(out) as folder:
        run = open_run(out)
        for name in run.manifest.files:
            if name != REPORT and not name.startswith(f"{FIGURES}/"):
                ensure_output_folder((folder / name).parent)
                atomic_write_bytes(folder / name, run.read(name))
        write_manifest(folder, run.manifest.content)
        add_report(folder)
    return out / REPORT


def add_report(folder: Path) -> Path:
    """Write report.html and figures/ into an output folder that is being made; returns the report's path."""
    run = open_run(folder)
    content = report_content(run.results, run.table, _simulations(run), run.program, procedures=run.procedures)
    drawn = report_figures(content)
    write_figures(content, ensure_output_folder(folder / FIGURES), drawn)
    path = write_report(content, folder / REPORT, drawn)
    write_manifest(folder, run.manifest.content)
    return path


def report_content(
    results: RunResults,
    table: ReadoutTable,
    simulations: Simulations,
    program: ViaProgram,
    *,
    procedures: Mapping[str, ProcedureResult] | None = None,
) -> ReportContent:
    """Everything the report shows of a run. program: as the macro holds it; procedures: results by name."""
    layer, cell = results.layer, results.cell
    estimate = run_layer(results, table)
    g, worst = estimate.macro.geometry, table.worst_margin().condition
    return ReportContent(
        title=f"{results.name}: {cell.kind} metal-ROM macro",
        subtitle=(
            "Weights are vias in stacked metal, there is no transistor in the cell; "
            "3D-METRO-style, own topology, "
            + ("readout table measured" if results.measured else "simulated with ngspice")
        ),
        what=(
            ("weights", f"{layer.source}, {layer.inputs} x {layer.outputs}, {layer.weight_bits} bit"),
            (
                "macro",
                f"{counted(g.rows, 'row')} x {counted(g.columns, 'column')} x {counted(g.planes, 'plane')}, "
                f"{counted(layer.tiles, 'tile')}",
            ),
            (
                "one conversion",
                f"sums {counted(table.rows, 'row')}; {g.adc_bits}-bit converter per "
                f"{counted(g.columns_per_adc, 'column')}",
            ),
            *([("readout", results.readout)] if results.readout else []),
            ("cost of the readout", results.readout_cost),
            ("cell", f"{cell.title}: {_cell_words(results)}"),
            ("technology", results.technology),
            ("inputs", f"{layer.activations}, {layer.input_bits} bit"),
        ),
        table=table,
        condition=results.condition,
        target_error=results.target_error,
        geometries=cell.geometries,
        symbol_values=program.symbol_values,
        pair=g.columns_per_conversion > 1,
        sign_off=results.sign_off,
        csnr_intervals=_csnr_intervals(results),
        chips=results.chips,
        waveform=results.waveform,
        verdict=results.headline.verdict if results.headline else "",
        merits=results.merits or (estimate.merit,),
        cell_text=cell.text,
        tile_bits=_plane_corners(program, g),
        tile_source=f"first rows and bit columns of {layer.source}",
        planes=tuple(f"plane {i}: {label}" for i, label in enumerate(layer.planes)),
        headline=macro_headline(results, estimate, worst),
        group_choice=tuple(
            GroupRow(c.rows, c.sigma_noise, c.sigma_mismatch, c.code_error, c.rows == results.group_rows)
            for c in results.candidates
        ),
        group_reason=results.group_reason,
        simulations=simulations,
        specs=tuple(_spec_row(s) for s in results.specs),
        failed_conditions=tuple(FailedRow(f.condition, failure_text(f)) for f in results.failed_conditions),
        failed_procedures=results.failed_procedures,
        warnings=results.warnings,
        assumptions=(*table.assumptions, *_technology_assumptions(results)),
        macro=macro_tables(estimate),
        csnr=tuple(
            row
            for q in results.quality
            for row in (
                CsnrRow(q.condition, "raw", q.raw),
                CsnrRow(q.condition, "gain and offset removed", q.fitted),
            )
        ),
        fits=results.fits,
        error_budget=_budget(results, estimate),
        provenance=results.provenance,
        establishes=_establishes(results, table),
        not_established=_not_established(results, estimate),
        layer_errors={q.condition: q.code_error_expected for q in results.quality},
        double_sampling=bool(results.config["readout"]["double_sampling"]) and cell.mode == "charge",
        tile_top=_tile_top(program, results),
        histogram=np.array(layer.histogram, dtype=np.int64),
        procedures=procedures or {},
        configuration=tuple(_flat(results.config)),
        density_reference=DENSITY_3D_METRO,
        noise_cliff=MINILM_NOISE_CLIFF if layer.weight_bits == 8 and layer.input_bits == 8 else None,
    )


def _csnr_intervals(results: RunResults) -> dict[str, tuple[float, float]]:
    """95 % intervals of the raw CSNR, dB, by condition, as far as they are bounded."""
    found = {}
    for q in results.quality:
        figures = results.sign_off_at(q.condition)
        interval = figures and csnr_interval(figures, q.csnr_raw)
        if interval:
            found[q.condition] = interval
    return found


def _plane_corners(program: ViaProgram, g: MacroGeometry) -> ByteArray:
    """Symbols in a corner of every plane of the first tile; where nothing is stored, the symbol of value 0."""
    manifest = tile(program, MacroShape(rows=g.rows, columns=g.columns, planes=g.planes))
    out = np.full((g.planes, STACK_ROWS, STACK_COLUMNS), program.symbol_values.index(0), dtype=np.uint8)
    for p in manifest.placements(0):
        stored = program.bits[p.row_start : p.row_stop, p.column_start : p.column_stop][:STACK_ROWS, :STACK_COLUMNS]
        out[p.plane, : stored.shape[0], : stored.shape[1]] = stored
    return out


def _tile_top(program: ViaProgram, results: RunResults) -> TileTop:
    """The corner of the first tile's lowest plane."""
    layer, g = results.layer, results.macro_geometry
    bits = program.bits[: min(MAX_ROWS, g.rows), : min(MAX_COLUMNS, g.columns)]
    outputs = tuple(int(k) for k in program.weight_column[: bits.shape[1]])
    title = f"tile 0, {layer.planes[0]}: first {len(bits)} rows and {len(outputs)} bit columns of {layer.source}"
    return TileTop(bits, outputs, results.group_rows, title)


def _flat(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    """Every key of a configuration by its path; plain lists on one line, what is not given left out."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list | tuple):
        if any(isinstance(v, Mapping | list | tuple) for v in value):
            for i, inner in enumerate(value):
                yield from _flat(inner, f"{path}[{i}]")
        elif value:
            yield path, ", ".join(map(str, value))
    elif value is not None:
        yield path, f"{value:.6g}" if isinstance(value, float) else str(value)


def _spec_row(result: SpecResult) -> SpecRow:
    return SpecRow(
        requirement=specification_text(result),
        value=result.value_shown,
        span=result.span_shown,
        condition=result.condition,
        passed=result.passed,
        certain=result.certain,
        reason=result.reason,
        source=result.source,
        verdict=result.verdict,
    )


def _cell_words(results: RunResults) -> str:
    cell = results.cell
    area = f"{amount(cell.area, 'm2')} per bit and plane"
    if cell.mode == "charge":
        return f"{area}; a via switches {amount(cell.switched, 'F')} of {amount(cell.bl_total, 'F')}"
    plug = next((e.value for e in cell.elements if e.name == "R_plug"), None)
    return f"{area}; a via is a resistor of {amount(plug, 'ohm')}" if plug is not None else area


def _plane_assumptions(results: RunResults) -> list[Assumption]:
    sheets = Assumption("neighbouring planes", "grounded sheets one dielectric away", "assumption", "cell extraction")
    if not results.planes:
        return [sheets]
    worst = results.headline.margin_at.plane if results.headline else results.cell.plane
    tables = "; ".join(f"{p.position}: {', '.join(p.planes)}" for p in results.planes)
    drawn = [
        Assumption(
            "rows of the next plane",
            "drawn above every plane that has one, driven with the same inputs",
            "simulated",
            "extraction of both planes, every deck",
        ),
        Assumption(
            "columns of the plane below", "quiet grounded metal one dielectric away", "assumption", "cell extraction"
        ),
    ]
    return [
        *(drawn if any(p.rows_above for p in results.planes) else [sheets]),
        Assumption(
            "planes",
            f"the layer is read by the table of each plane ({tables}); margin, code error and estimate are of {worst}, "
            "the worst",
            "simulated",
            "a table per plane: lut/planes.nc",
        ),
    ]


def _technology_assumptions(results: RunResults) -> tuple[Assumption, ...]:
    out = _plane_assumptions(results)
    if results.cell.plane_spread > 0 and not results.planes:
        out.append(
            Assumption(
                "planes",
                f"all read like {results.cell.plane}, the weakest (signal share differs by "
                f"{100 * results.cell.plane_spread:.2g} %)",
                "assumption",
                "extraction of every plane",
            )
        )
    warnings = results.warnings[1:] if results.measured else results.warnings  # the first is the table's own
    out += [Assumption("technology", warning, "estimate", "technology files") for warning in warnings]
    return tuple(out)


def _budget(results: RunResults, estimate: LayerEstimate) -> tuple[BudgetRow, ...]:
    rows = [
        BudgetRow("level", "fit", results.fit_error * 100, "%", "held-out rms over the full swing"),
        BudgetRow("static spread", "Monte-Carlo", results.monte_carlo_error * 100, "%", "from the number of samples"),
        BudgetRow("capacitance", "extraction", results.extraction_error * 100, "%", f"by {results.cell.method}"),
    ]
    for figure, parts in estimate.macro.error_budget.items():
        rows += [
            BudgetRow(figure.replace("_", " "), cause.replace("_", " "), 100 * share, "%", "half range")
            for cause, share in parts.items()
        ]
    return tuple(rows)


def _establishes(results: RunResults, table: ReadoutTable) -> tuple[str, ...]:
    total = sum(v.count for v in results.verdicts if v.procedure != "group_probe")
    q = results.quality[table.index(table.worst_margin().condition)]
    return (
        f"The readout table was measured at {len(table.conditions)} conditions: {results.measured}."
        if results.measured
        else f"{total} transistor-level reads of a {table.rows}-row group were simulated at {len(table.conditions)} "
        "conditions, with wire resistance, neighbouring bit lines and Monte-Carlo mismatch.",
        f"With the assumptions listed, a conversion of this layer errs with probability {q.code_error_expected:.1e}"
        f"{_interval_words(results, q.condition)} at {q.condition}.",
        f"Every one of the {results.layer.bits_stored:,} via bits follows from the quantized tensor; "
        "`metalrom audit` reads a written netlist back and compares.",
    )


def _interval_words(results: RunResults, condition: str) -> str:
    found = results.sign_off_at(condition)
    return " (95 %: {:.1e} to {:.1e})".format(*found.code_error_interval) if found else ""


def _not_established(results: RunResults, estimate: LayerEstimate) -> tuple[str, ...]:
    measured = "The readout table apart, nothing" if results.measured else "Nothing"
    return (
        f"{measured} was fabricated or measured on silicon; the circuit of 3D-METRO is not public and is not this one.",
        *_readout_limits(results),
        *estimate.macro.flags,
        f"Mismatch of metal capacitors this small is an estimate; {_supply_words(results)}",
        f"Not in the estimate: {', '.join(estimate.macro.not_included)}.",
        *(f"Nothing is known at {f.condition}: {f.reason}." for f in results.failed_conditions),
        *(
            f"The procedure {p.procedure} has no result at {p.condition or 'any condition'}."
            for p in results.failed_procedures
        ),
        *(w[:1].upper() + w[1:] + "." for w in results.warnings),
    )


def _supply_words(results: RunResults) -> str:
    noise = parse_quantity(results.config.get("readout", {}).get("supply_noise", "0"), "")
    if noise:
        return f"noise of the row supply is taken as stated, {100 * noise:g} % rms; temperature gradients are left out."
    return "supply noise and temperature gradients are left out."


def _readout_limits(results: RunResults) -> tuple[str, ...]:
    if results.config.get("readout", {}).get("kind") == "chain":
        return (
            "The readout is simulated to the comparator's input; the converter's logic and references are not.",
            "Areas follow from the drawn transistors by area rules, there is no layout of the periphery.",
        )
    return (
        "The converter is behavioral (offset and noise assumed); its area, energy and time are a published regression.",
    )


def _simulations(run: Run) -> Simulations:
    """Counts of the last run, from the manifest; verdicts from the results."""
    counts, verdicts = run.simulations, run.results.verdicts
    failed = sum(v.count for v in verdicts if v.verdict != "ok")
    rows = tuple(VerdictRow(v.procedure, v.verdict, v.count) for v in verdicts)
    check = sampling_check(run.results.sampling)
    words = [check.text] if check else []
    words += [accuracy_text(counts["accuracy"])] if "accuracy" in counts else []
    return Simulations(counts["run"] + counts["cached"], failed, rows, "; ".join(words))
