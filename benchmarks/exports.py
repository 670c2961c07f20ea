"""Time and size of every export of a full set of conditions: 3 corners x 3 supplies x 9 temperatures, 64 rows.

    python benchmarks/exports.py

The table is made up (levels on a bent line); only its shape matters here.
"""

from __future__ import annotations

import argparse
import importlib.util
import tempfile
import time
from itertools import product
from pathlib import Path

from metalrom import exporters as exports
from netlists.condition import Condition

HERE = Path(__file__).resolve().parent
ROWS = 64
CONDITIONS = tuple(
    Condition(corner, vdd, float(temperature))
    for corner, vdd, temperature in product(("tt", "ss", "ff"), (0.9, 1.0, 1.1), range(-40, 121, 20))
)


def main() -> None:
    """Print a table of formats."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    path = HERE.parent / "tests" / "metalrom" / "exports" / "conftest.py"
    spec = importlib.util.spec_from_file_location("synthetic_run", path)
    assert spec is not None
    assert spec.loader is not None
    synthetic = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(synthetic)
    with tempfile.TemporaryDirectory() as scratch:
        table = synthetic.synthetic_table(ROWS, CONDITIONS)
        source = synthetic.make_run(Path(scratch, "run"), table)
        _ = source.estimate, source.layer
        print(f"{len(CONDITIONS)} conditions x {ROWS} rows, {int(table.valid.sum()) * len(CONDITIONS)} levels")
        print(f"{'format':16}{'write, s':>10}{'read, s':>10}{'files':>7}{'size, MB':>10}")
        for name in (*exports.FORMATS, *exports.EXPORTERS):
            folder, start = Path(scratch, name), time.perf_counter()
            if name in exports.EXPORTERS:
                files = exports.EXPORTERS[name].write(source, folder)
            else:
                files = exports.write_table(table, name, folder)
            taken = time.perf_counter() - start
            size = sum(p.stat().st_size for p in files) / 1e6
            reading = ""
            if name not in exports.EXPORTERS:
                start = time.perf_counter()
                exports.read_table(name, folder)
                reading = f"{time.perf_counter() - start:.2f}"
            print(f"{name:16}{taken:10.2f}{reading:>10}{len(files):7d}{size:10.2f}", flush=True)


if __name__ == "__main__":
    main()
