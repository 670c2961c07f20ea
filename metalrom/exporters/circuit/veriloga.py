"""Verilog-A: one conversion as a compact module per condition, and its levels as a `$table_model` data file.

Compilers to OSDI know no `$table_model`; the module therefore holds the same numbers itself. Simulators that have it
take the file when METALROM_TABLE_MODEL is defined.
"""

from __future__ import annotations

from pathlib import Path

from interconnect.files import atomic_write_files
from metalrom.exporters.checksum import header, sealed, symbols
from metalrom.exporters.circuit.curves import (
    FEMTO,
    PRECISION,
    TOLERANCE,
    answer_of,
    common,
    held_of,
    told,
)
from metalrom.exporters.circuit.veriloga_check import consume
from metalrom.exporters.circuit.veriloga_data import MARK, TABLE_MARK, FloatArray, read
from metalrom.exporters.exporter import ConsumerReading, View
from metalrom.exporters.probes import Points, Quantity
from metalrom.exporters.run_data import Source
from netlists.render import number, render


def write(source: Source, folder: Path) -> list[Path]:
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
        files[f"column_{name}.va"] = sealed(render("exports/column.va.j2", values), MARK)
        lines = (
            f"{a} {c} {number(mean[a][min(a, c)])} {number(spread[a][min(a, c)])}\n"
            for a in range(side)
            for c in range(side)
        )
        meaning = "driven rows, count (taken as at most driven), level in LSB, standard deviation in LSB"
        top = header(source, TABLE_MARK, *told(source, condition.label), meaning)
        files[f"column_{name}.tbl"] = sealed(top + "".join(lines), TABLE_MARK)
    return atomic_write_files(folder, files)


def answer(folder: Path, quantity: Quantity, points: Points) -> FloatArray | None:
    """Level, sigma, code and row energy from the modules."""
    return answer_of(tuple(read(folder).values()), quantity, points) if quantity in TOLERANCE else None


def _consume(source: Source, folder: Path) -> ConsumerReading:
    return consume(source, folder)


VIEW = View(
    "veriloga",
    "Verilog-A modules of one conversion, one per condition, with $table_model data files",
    PRECISION,
    TOLERANCE,
    write,
    answer,
    _consume,
)
