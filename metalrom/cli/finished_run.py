"""What the commands that read a finished run do: estimate, export, report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from metalrom.cli.console import emit, say

if TYPE_CHECKING:
    from rich.table import Table

    from metalrom.exporters.exporter import Exporter


def estimate_run(out: Path, workload: str | None, json: bool) -> None:
    """Area, density, energy, latency and error budget of a finished run, for its layer or for a whole model file."""
    from metalrom.run.estimate import estimate_of_run

    data = estimate_of_run(out, workload)

    def human() -> Table:
        from rich.table import Table

        table = Table(title=data["title"], caption="\n".join(f"WARNING: {w}" for w in data["warnings"]))
        for heading in ("figure", "low", "mid", "high", "unit"):
            table.add_column(heading, justify="left" if heading in ("figure", "unit") else "right")
        for row in data["figures"]:
            table.add_row(row["figure"], *(f"{row[k]:.4g}" for k in ("low", "mid", "high")), row["unit"])
        return table

    emit(data, as_json=json, human=human)


def export_run(out: Path, format: str, output: Path, check: bool, json: bool = False) -> None:
    """Write a run in a format; check: read it back, with its real consumer too where that is installed."""
    from characterization.tables.registry import TableFormat
    from metalrom.exporters import find_format
    from metalrom.folders import ensure_output_folder
    from metalrom.run.results import read_run_table

    chosen = find_format(format)
    if not isinstance(chosen, TableFormat):
        written, checked = _export(out, chosen, output, check)
    else:
        table = read_run_table(out)
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
        say("; ".join((f"read by {consumer}", *report.reading.facts)))
    return written, {"points": report.points, "worst_relative_difference": dict(report.worst), "consumer": consumer}


def report_run(out: Path, json: bool = False) -> None:
    """Write report.html and figures/ of a finished run again."""
    from metalrom.reports.assemble import write_run_report

    path = write_run_report(out)
    emit({"report": path, "bytes": path.stat().st_size}, as_json=json, human=str(path))
