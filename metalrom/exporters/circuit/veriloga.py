"""Verilog-A: one conversion as a compact module per condition, and its levels as a `$table_model` data file.

Compilers to OSDI know no `$table_model`; the module therefore holds the same numbers itself. Simulators that have it
take the file when METALROM_TABLE_MODEL is defined.
"""

from pathlib import Path

from interconnect.arrays import FloatArray
from interconnect.files import atomic_write_files
from metalrom.exporters.checksum import add_digest, header, symbols
from metalrom.exporters.circuit.curves import (
    FEMTO,
    PRECISION,
    TOLERANCE,
    common,
    curve_values,
    held_of,
    model_notes,
)
from metalrom.exporters.circuit.veriloga_check import validate_veriloga
from metalrom.exporters.circuit.veriloga_data import MARK, TABLE_MARK, read_veriloga
from metalrom.exporters.exporter import Exporter
from metalrom.exporters.probes import ProbePoints, ProbeQuantity
from metalrom.exporters.run_data import RunData
from netlists.render import number, render


def write_veriloga(source: RunData, folder: Path) -> list[Path]:
    """Write `column_<condition>.va` and `column_<condition>.tbl` for every condition."""
    side = source.table.rows + 1
    places = [(a, c) for a in range(side) for c in range(a + 1)]
    files = {}
    for name, condition in zip(symbols(source), source.table.conditions, strict=True):
        held = held_of(source, condition)
        mean, spread = held.mean.tolist(), held.spread.tolist()
        values = {
            **common(source, condition, MARK),
            "means": [(a * side + c, mean[a][c]) for a, c in places],
            "spreads": [(a * side + c, spread[a][c]) for a, c in places],
            "zeros": list(enumerate(held.zero.tolist())),
            "energies": list(enumerate((held.energy * FEMTO).tolist())),
        }
        files[f"column_{name}.va"] = add_digest(render("exports/column.va.j2", values), MARK)
        lines = (
            f"{a} {c} {number(mean[a][min(a, c)])} {number(spread[a][min(a, c)])}\n"
            for a in range(side)
            for c in range(side)
        )
        meaning = "driven rows, count (taken as at most driven), level in LSB, standard deviation in LSB"
        top = header(source, TABLE_MARK, *model_notes(source, condition.label), meaning)
        files[f"column_{name}.tbl"] = add_digest(top + "".join(lines), TABLE_MARK)
    return atomic_write_files(folder, files)


def read_back_veriloga(folder: Path, quantity: ProbeQuantity, points: ProbePoints) -> FloatArray | None:
    """Level, sigma, code and row energy from the modules."""
    return curve_values(tuple(read_veriloga(folder).values()), quantity, points) if quantity in TOLERANCE else None


EXPORTER = Exporter(
    "veriloga",
    "Verilog-A modules of one conversion, one per condition, with $table_model data files",
    PRECISION,
    TOLERANCE,
    write_veriloga,
    read_back_veriloga,
    validate_veriloga,
)
