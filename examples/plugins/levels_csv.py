"""An export format of one's own: mean level and spread of every count at the nominal condition, all rows driven.

metalrom --plugin levels_csv.py export OUT --format levels_csv -o DIR --check
"""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from interconnect.files import atomic_write_files
from metalrom.exporters import register_format
from metalrom.exporters.exporter import Exporter
from metalrom.exporters.probes import ProbePoints, ProbeQuantity
from metalrom.exporters.run_data import RunData

FILE = "levels.csv"


def write(source: RunData, folder: Path) -> list[Path]:
    """Write the file at once or not at all; the first line says what it is and what it assumes."""
    table = source.table
    text = io.StringIO()
    text.write(f"# metalrom run {source.results.name}, {table.conditions[0].label}, {table.rows} rows driven\n")
    text.writelines(f"# {warning}\n" for warning in source.results.warnings)
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["count", f"mean_{table.unit}", f"noise_{table.unit}"])
    for count in range(table.rows + 1):  # repr: shortest text that reads back as the same number
        rows.writerow([count, repr(float(table.level[0, -1, count])), repr(float(table.sigma_noise[0, -1, count]))])
    return atomic_write_files(folder, {FILE: text.getvalue().encode()})


def read_back(folder: Path, quantity: ProbeQuantity, points: ProbePoints) -> NDArray[np.float64] | None:
    """What the written file alone says at these points: NaN where it holds nothing, None for a quantity it lacks."""
    if quantity != "level":
        return None
    lines = [line for line in (folder / FILE).read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    levels = np.array([float(row["mean_V"]) for row in csv.DictReader(lines)])
    held = (points.condition == 0) & (points.active == len(levels) - 1)
    return np.where(held, levels[np.minimum(points.count, len(levels) - 1)], np.nan)


register_format(
    Exporter(
        name="levels_csv",
        description="level and noise of every count, all rows driven, nominal condition",
        precision="exact: shortest decimal text that reads back as the same number",
        tolerance={"level": 0.0},
        write=write,
        read_back=read_back,
        validate_with_tool=None,  # no tool of its own reads it
    )
)
