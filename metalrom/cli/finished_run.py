"""What the commands that read a finished run do: estimate, export, report, diff."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from metalrom.cli import completion as known
from metalrom.cli.console import emit, say
from metalrom.cli.options import ImageSize, Json, SequenceLength, image_size, one_of

if TYPE_CHECKING:
    from rich.console import Group

    from metalrom.exporters.exporter import Exporter


def estimate_run(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="output folder of a run")],
    workload: Annotated[
        str | None,
        one_of(
            known.WORKLOADS,
            "network: smollm2, bert-base, config.json, layer list, safetensors, GGUF; default: the run's layer",
        ),
    ] = None,
    image: ImageSize = None,
    sequence: SequenceLength = None,
    json: Json = False,
) -> None:
    """Area, density, energy, latency, accuracy, error budget of a finished run: of its layer, or a whole network."""
    from metalrom.run.estimate import estimate_of_run

    data = estimate_of_run(out, workload, image=image_size(image), sequence=sequence)
    emit(data, as_json=json, human=lambda: _estimate_view(data))


_UNDER, _BESIDE = ", periphery under the array", ", periphery beside the array"
"""Endings of figures that are given for both places of the periphery."""


def _estimate_view(data: dict[str, Any]) -> Group:
    """The figures, of a network also its layers, those of one shape on one line.

    Of area and densities those with the periphery under the array; the other place is one line below them.
    """
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    from metalrom.formatting import Figure, amount, parts_of_unit, span

    network = data.get("network")
    figures = Table(title=data["title"], title_justify="left")
    for heading in ("figure", "value", "range"):
        figures.add_column(heading, justify="left" if heading == "figure" else "right")
    beside = []
    for row in data["figures"]:
        scale, unit = parts_of_unit(row["unit"])
        low, mid, high = (row[end] * scale for end in ("low", "mid", "high"))
        shown = span(Figure(row["figure"], mid, unit, low, high)) if low < high else ""
        if row["figure"].endswith(_BESIDE):
            beside.append(f"{row['figure'].removesuffix(_BESIDE)} {amount(mid, unit, places=4)}")
            continue
        figures.add_row(row["figure"].removesuffix(_UNDER), amount(mid, unit, places=4), shown)
    lines = [
        *([f"area and densities: periphery under the array; beside it: {', '.join(beside)}"] if beside else []),
        f"operations: {data['operations']}",
        f"readout: {data['readout']}",
        *(f"WARNING: {w}" for w in data["warnings"]),
    ]
    if network is None:
        return Group(figures, Text("\n".join(lines)))
    layers = Table(title="layers of one shape together", title_justify="left")
    for heading in ("layer", "times", "rows", "columns", "vectors", "macros", "used %", "µs"):
        layers.add_column(heading, justify="left" if heading == "layer" else "right", overflow="fold")
    alike: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for layer in network["layers"]:
        key = (re.sub(r"[0-9]+", "*", layer["name"]), *layer["shape"], layer["vectors"], layer["copies"])
        alike.setdefault(key, []).append(layer)
    for (name, rows, columns, vectors, copies), same in alike.items():
        first = same[0]
        macros, used = f"{sum(layer['tiles'] for layer in same):,}", f"{100 * first['utilisation']:.1f}"
        time, times = f"{first['latency_per_vector_us']['mid']:.3g}", str(len(same) * copies)
        shown = name if len(same) > 1 else first["name"]
        layers.add_row(shown, times, str(rows), str(columns), f"{vectors:,}", macros, used, time)
    attention = network["attention_macs_per_item"]
    products = "unknown" if attention is None else f"{attention:,.0f} MACs"
    lines += [
        f"{network['tiles']:,} macros, {100 * network['utilisation']:.1f} % of their cells used; "
        f"longest chain: {len(network['longest_chain'])} matrices, overlap {network['overlap']}",
        f"not included: {'; '.join(network['not_included'])}",
        f"products of activations per {network['item']}: {products}",
        *network["notes"],
        f"assumed: {data['data']}; {len(data['assumptions'])} assumed inputs in --json",
    ]
    return Group(figures, layers, Text("\n".join(lines)))


def export_run(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="output folder of a run")],
    format: Annotated[
        str,
        typer.Option(
            "--format",
            help="netcdf, csv, json, or a tool's format (see the documentation)",
            autocompletion=known.names(known.FORMATS),
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="folder for the files")],
    check: Annotated[bool, typer.Option("--check", help="read the files back and compare")] = False,
    json: Json = False,
) -> None:
    """Write the lookup tables of a run in another format."""
    from characterization.tables.registry import TableFormat
    from metalrom.exporters import find_format
    from metalrom.folders import ensure_output_folder
    from metalrom.run.folder import open_run

    chosen = find_format(format)
    if not isinstance(chosen, TableFormat):
        written, checked = _export(out, chosen, output, check)
    else:
        table = open_run(out).table
        written, checked = list(chosen.write(table, ensure_output_folder(output))), None
        if check:
            report = chosen.check(table, output)
            checked = {"values": report.values, "worst_difference": report.worst_difference, "consumer": None}
            say(f"read back: {report.values} values, worst difference {report.worst_difference:g} ({chosen.precision})")
    data = {"format": format, "files": written, "check": checked}
    emit(data, as_json=json, human="\n".join(str(path) for path in written))


def _export(out: Path, exporter: Exporter, output: Path, check: bool) -> tuple[list[Path], dict[str, object] | None]:
    from metalrom.exporters.checksum import two_levels
    from metalrom.exporters.exporter import check_export
    from metalrom.exporters.run_data import load_source
    from metalrom.folders import ensure_output_folder

    source = load_source(out)
    two_levels(source, f"the format {exporter.name}")
    written = list(exporter.write(source, ensure_output_folder(output)))
    if not check:
        return written, None
    report = check_export(exporter, source, output)
    worst = ", ".join(f"{name} {value:.1e}" for name, value in report.worst.items())
    say(f"read back at {report.points} points, worst relative difference: {worst} ({exporter.precision})")
    consumer = None
    if report.reading is None:
        say(f"consumer: {report.unverified}")
    else:
        consumer = report.reading.consumer
        say("; ".join((f"read by {consumer}", *report.reading.observations)))
    return written, {"points": report.points, "worst_relative_difference": dict(report.worst), "consumer": consumer}


def take_measured(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="output folder of a run of the same macro")],
    table: Annotated[Path, typer.Argument(metavar="CSV", help="measured table, columns as of readout.csv")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="output folder to make")],
    source: Annotated[str, typer.Option("--source", help="who measured what and how; stands in every output")],
    json: Json = False,
) -> None:
    """Take a measured readout table: a run's folder again, with margins, errors and estimate by the measured levels."""
    from interconnect.jsonable import to_jsonable
    from metalrom.studies.measured import run_with_measured_table

    results = run_with_measured_table(out, table, output, source=source)
    h = results.headline
    assert h is not None  # noqa: S101 - just computed
    margin = "nothing spreads" if h.margin_sigma is None else f"{h.margin_sigma:.4g} sigma"
    text = f"readout table measured: {results.measured}\nmargin {margin} at {h.margin_at.condition}, count " + (
        f"{h.margin_at.count}; code error {h.code_error:.3g}; specifications {h.verdict}\n{output}"
    )
    data = {"output": output, "measured": results.measured, "headline": to_jsonable(h), "warnings": results.warnings}
    emit(data, as_json=json, human=text)


def report_run(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="output folder of a run")], json: Json = False
) -> None:
    """Write the self-contained HTML report of a run again."""
    from metalrom.reports.assemble import rewrite_report

    path = rewrite_report(out)
    emit({"report": path, "bytes": path.stat().st_size}, as_json=json, human=str(path))


def diff_runs(
    old: Annotated[Path, typer.Argument(metavar="OUT1", help="output folder of a run")],
    new: Annotated[Path, typer.Argument(metavar="OUT2", help="output folder of another run")],
    json: Json = False,
) -> None:
    """What changed between two runs, and why where that can be proved; exit code 0 whether or not they differ."""
    from interconnect.jsonable import to_jsonable
    from metalrom.studies.diff.compare import compare_runs
    from metalrom.studies.diff.show import difference_tables

    found = compare_runs(old, new)
    emit({"same": found.same, **to_jsonable(found)}, as_json=json, human=lambda: difference_tables(found))
