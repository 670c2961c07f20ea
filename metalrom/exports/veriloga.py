"""Verilog-A: one conversion as a compact module per condition, and its levels as a `$table_model` data file.

Compilers to OSDI know no `$table_model`; the module therefore holds the same numbers itself. Simulators that have it
take the file when METALROM_TABLE_MODEL is defined.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from interconnect.errors import InputError
from interconnect.files import atomic_write_files
from metalrom.exports.curves import FEMTO, PRECISION, TOLERANCE, Held, answer_of, common, held_of, texts_of, told
from metalrom.exports.queries import Points, Quantity
from metalrom.exports.seal import content_of, header, sealed, symbols
from metalrom.exports.source import Source
from metalrom.exports.views import ConsumerReading, View
from netlists.render import number, render

FloatArray = NDArray[np.float64]

MARK, TABLE_MARK = "//", "#"


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


def read(folder: Path) -> dict[str, Held]:
    """Every condition's numbers by module file, in the table's order.

    Raises InputError for damaged files, or a module and a table file that differ.
    """
    modules, tables = texts_of(folder, ".va", MARK), texts_of(folder, ".tbl", TABLE_MARK)
    out = {}
    for (name, text), (table_name, table) in zip(modules.items(), tables.items(), strict=True):
        if content_of(text) != content_of(table):
            raise InputError(f"belongs to another run than {name}", where=str(folder / table_name), hint="export again")
        out[name] = _held(text, table, folder / name)
    return out


def _held(text: str, table: str, path: Path) -> Held:
    function: dict[str, list[tuple[int, float]]] = {name: [] for name in ("mean", "spread", "zero", "energy")}
    for place, name, value in re.findall(r"^ +(\d+): (\w+)_at = (\S+);$", text, re.MULTILINE):
        function[name].append((int(place), float(value)))
    scale = re.search(r"(V|I)\(level\) <\+ -?mean \* (\S+);", text)
    codes = re.search(r"V\(code\) <\+ .*, (\S+)\);", text)
    side = len(function["zero"])
    if not scale or not codes or not side:
        raise InputError("is no module of ours", where=str(path))
    full = np.full((2, side * side), np.nan)
    for k, name in enumerate(("mean", "spread")):
        for place, value in function[name]:
            full[k, place] = value
    mean, spread = full.reshape(2, side, side)
    try:
        rows = [line.split() for line in table.splitlines() if line and not line.startswith(TABLE_MARK)]
        data = np.array(rows, dtype=np.float64)
        grid = data.reshape(side, side, 4)
    except ValueError:
        raise InputError("its table file is no grid", where=str(path.with_suffix(".tbl"))) from None
    index = np.arange(side)
    held = index[None, :] <= index[:, None]
    same = [np.array_equal(grid[..., k + 2][held], values[held]) for k, values in enumerate((mean, spread))]
    if not all(same):
        raise InputError("module and table file hold different numbers", where=str(path))
    zero, energy = (np.array([value for _, value in sorted(function[name])]) for name in ("zero", "energy"))
    unit = "V" if scale.group(1) == "V" else "A"
    return Held(mean, spread, zero, energy / FEMTO, float(scale.group(2)), int(float(codes.group(1))) + 1, unit)


def answer(folder: Path, quantity: Quantity, points: Points) -> FloatArray | None:
    """Level, sigma, code and row energy from the modules."""
    return answer_of(tuple(read(folder).values()), quantity, points) if quantity in TOLERANCE else None


def _consume(source: Source, folder: Path) -> ConsumerReading:
    from metalrom.exports.veriloga_check import consume

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
