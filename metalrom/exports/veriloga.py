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
from metalrom.exports.queries import Points, Quantity
from metalrom.exports.seal import conditions_in, header, sealed, symbol, symbols, unsealed_files
from metalrom.exports.source import Source
from metalrom.exports.spice_macro import FEMTO, Held, codes_of, told
from metalrom.exports.views import ConsumerReading, View
from netlists.render import cards, number, render

FloatArray = NDArray[np.float64]

MARK, TABLE_MARK = "//", "#"


def write(source: Source, folder: Path) -> list[Path]:
    """Write `column_<condition>.va` and `column_<condition>.tbl` for every condition."""
    table = source.table
    side = table.rows + 1
    places = [(a, c) for a in range(side) for c in range(a + 1)]
    files = {}
    for i, (name, condition) in enumerate(zip(symbols(source), table.conditions, strict=True)):
        lsb = table.lsb(condition)
        mean, spread = table.mean[i] / lsb, table.total_sigma(condition) / lsb
        zero = table.thresholds(condition)[:, 0] / lsb - 0.5
        values = {
            "header": cards(header(source, MARK, *told(source, condition.label))),
            "symbol": name,
            "rows": table.rows,
            "codes": table.adc.codes,
            "unit": table.unit,
            "lsb": lsb,
            "means": [(a * side + c, mean[a, c]) for a, c in places],
            "spreads": [(a * side + c, spread[a, c]) for a, c in places],
            "zeros": list(enumerate(zero.tolist())),
            "energies": list(enumerate((table.row_energy[i] * FEMTO).tolist())),
        }
        files[f"column_{name}.va"] = sealed(render("exports/column.va.j2", values), MARK)
        lines = (
            f"{a} {c} {number(mean[a, min(a, c)])} {number(spread[a, min(a, c)])}\n"
            for a in range(side)
            for c in range(side)
        )
        meaning = "driven rows, count (taken as at most driven), level in LSB, standard deviation in LSB"
        top = header(source, TABLE_MARK, *told(source, condition.label), meaning)
        files[f"column_{name}.tbl"] = sealed(top + "".join(lines), TABLE_MARK)
    return atomic_write_files(folder, files)


def read(folder: Path) -> tuple[list[Held], list[str]]:
    """Every condition's numbers in the table's order, and the module files. Raises InputError for damaged files or a
    module and a table file that differ."""
    names = sorted(path.name for path in folder.glob("column_*.va"))
    if not names:
        raise InputError("holds no Verilog-A module", where=str(folder))
    texts = unsealed_files(folder, names, MARK)
    labels, _ = conditions_in(texts[names[0]], str(folder / names[0]))
    wanted = [f"column_{symbol(label)}.va" for label in labels]
    if sorted(wanted) != names:
        raise InputError("does not hold the module of every condition", where=str(folder), hint="export again")
    tables = unsealed_files(folder, [name.removesuffix(".va") + ".tbl" for name in wanted], TABLE_MARK)
    return [_held(texts[n], t, folder / n) for n, t in zip(wanted, tables.values(), strict=True)], wanted


def _held(text: str, table: str, path: Path) -> Held:
    function = {name: [] for name in ("mean", "spread", "zero", "energy")}  # type: dict[str, list[tuple[int, float]]]
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
    if quantity not in TOLERANCE:
        return None
    held, _ = read(folder)
    i, a, c = points.condition, points.active, points.count
    lsb = np.array([h.lsb for h in held])[i]
    match quantity:
        case "level":
            return np.stack([h.mean for h in held])[i, a, c] * lsb
        case "sigma":
            return np.stack([h.spread for h in held])[i, a, c] * lsb
        case "row_energy":
            return np.stack([h.energy for h in held])[i, a]
    return np.stack([codes_of(h) for h in held])[i, a, c]


TOLERANCE: dict[str, float] = {"level": 1e-15, "sigma": 1e-15, "code": 0.0, "row_energy": 1e-15}


def _consume(source: Source, folder: Path) -> ConsumerReading:
    from metalrom.exports.veriloga_check import consume

    return consume(source, folder)


VIEW = View(
    "veriloga",
    "Verilog-A modules of one conversion, one per condition, with $table_model data files",
    "17 digits in LSB and fJ",
    TOLERANCE,
    write,
    answer,
    _consume,
)
