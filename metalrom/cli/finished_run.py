"""What the commands that read a finished run do: estimate, export, report, diff."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from metalrom.cli import completion as known
from metalrom.cli.console import emit, say
from metalrom.cli.options import Json, one_of

if TYPE_CHECKING:
    from rich.table import Table

    from metalrom.exporters.exporter import Exporter


def estimate_run(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="output folder of a run")],
    workload: Annotated[
        str | None,
        one_of(
            known.WORKLOADS, "smollm2, bert-base, a config.json, safetensors or GGUF file...; default: the run's layer"
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Area, density, energy, latency, accuracy and error budget from a finished run."""
    from metalrom.run.estimate import estimate_of_run

    data = estimate_of_run(out, workload)

    def human() -> Table:
        from rich.table import Table

        notes = [f"readout: {data['readout']}", *(f"WARNING: {w}" for w in data["warnings"])]
        table = Table(title=data["title"], caption="\n".join(notes))
        for heading in ("figure", "low", "mid", "high", "unit"):
            table.add_column(heading, justify="left" if heading in ("figure", "unit") else "right")
        for row in data["figures"]:
            table.add_row(row["figure"], *(f"{row[k]:.4g}" for k in ("low", "mid", "high")), row["unit"])
        return table

    emit(data, as_json=json, human=human)


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
