"""Exports: what reads each of them, in which version, and how far it is off; or their time and size.

    python benchmarks/exports.py
    python benchmarks/exports.py --size

Consumers are looked for as `metalrom export --check` does (docs/how-to/export.md). Sizes are of a full set of
conditions: 3 corners x 3 supplies x 9 temperatures, 64 rows. Tables are made up (levels on a bent line), which no
consumer minds.
"""

from __future__ import annotations

import argparse
import importlib.util
import tempfile
import time
from collections.abc import Iterable
from itertools import product
from pathlib import Path

from metalrom import exporters as exports
from metalrom.exporters.exporter import ExportReport, check_export
from metalrom.exporters.run_data import RunData
from netlists.condition import Condition

HERE = Path(__file__).resolve().parent
ROWS = 64
CONDITIONS = tuple(
    Condition(corner, vdd, float(temperature))
    for corner, vdd, temperature in product(("tt", "ss", "ff"), (0.9, 1.0, 1.1), range(-40, 121, 20))
)


def main() -> None:
    """Print a table of formats."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", action="store_true", help="time and size instead of consumers")
    parser.add_argument("formats", nargs="*", help="only these")
    chosen = parser.parse_args()
    path = HERE.parent / "tests" / "metalrom" / "exports" / "conftest.py"
    spec = importlib.util.spec_from_file_location("synthetic_run", path)
    assert spec is not None
    assert spec.loader is not None
    synthetic = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(synthetic)
    names = chosen.formats or [*exports.FORMATS, *exports.EXPORTERS]
    with tempfile.TemporaryDirectory() as scratch:
        table = synthetic.synthetic_table(ROWS, CONDITIONS) if chosen.size else synthetic.synthetic_table()
        source = synthetic.make_run(Path(scratch, "run"), table)
        (print_sizes if chosen.size else print_consumers)(source, names, Path(scratch))


def print_consumers(source: RunData, names: Iterable[str], scratch: Path) -> None:
    """Format, largest difference of its files read back, consumer with version, largest difference of its figures."""
    print("| format | files read back, worst relative difference | consumer, version | its figures, worst relative |")
    print("|---|---|---|---|")
    for name in names:
        folder = scratch / name
        if name in exports.FORMATS:
            exports.write_table(source.table, name, folder)
            report = exports.check_table(source.table, name, folder)
            cells = f"{report.worst_difference:.1g} of {report.values} values", "its own reader", "-"
        else:
            view = exports.EXPORTERS[name]
            view.write(source, folder)
            cells = consumer_cells(check_export(view, source, folder))
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def consumer_cells(report: ExportReport) -> tuple[str, str, str]:
    """Three cells of an exporter's line."""
    worst = f"{max(report.worst.values()):.1g} ({', '.join(report.worst)})"
    if report.reading is None:
        return worst, "not here", str(report.unverified)
    figures = report.reading.worst
    return (
        worst,
        report.reading.consumer,
        "; ".join(report.reading.observations) if figures is None else f"{figures:.1g}",
    )


def print_sizes(source: RunData, names: Iterable[str], scratch: Path) -> None:
    """Seconds and megabytes of every format."""
    _ = source.estimate, source.layer
    table = source.table
    print(f"{len(CONDITIONS)} conditions x {ROWS} rows, {int(table.valid.sum()) * len(CONDITIONS)} levels")
    print(f"{'format':16}{'write, s':>10}{'read, s':>10}{'files':>7}{'size, MB':>10}")
    for name in names:
        folder, start = scratch / name, time.process_time()
        if name in exports.EXPORTERS:
            files = exports.EXPORTERS[name].write(source, folder)
        else:
            files = exports.write_table(table, name, folder)
        taken = time.process_time() - start
        size = sum(p.stat().st_size for p in files) / 1e6
        reading = ""
        if name not in exports.EXPORTERS:
            start = time.process_time()
            exports.read_table(name, folder)
            reading = f"{time.process_time() - start:.2f}"
        print(f"{name:16}{taken:10.2f}{reading:>10}{len(files):7d}{size:10.2f}", flush=True)


if __name__ == "__main__":
    main()
