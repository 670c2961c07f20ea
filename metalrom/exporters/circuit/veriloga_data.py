"""The Verilog-A module of a column, read back."""

import re
from pathlib import Path

import numpy as np

from interconnect.errors import InputError
from metalrom.exporters.checksum import content_of
from metalrom.exporters.circuit.curves import (
    FEMTO,
    ConditionCurves,
    texts_of,
)

MARK, TABLE_MARK = "//", "#"
"""How comments begin in the module and in its table file."""


def read_veriloga(folder: Path) -> dict[str, ConditionCurves]:
    """Every condition's numbers by module file, in the table's order.

    Raises InputError for damaged files, or a module and a table file that differ.
    """
    modules, tables = texts_of(folder, ".va", MARK), texts_of(folder, ".tbl", TABLE_MARK)
    out = {}
    for (name, text), (table_name, table) in zip(modules.items(), tables.items(), strict=True):
        if content_of(text) != content_of(table):
            raise InputError(
                f"belongs to a different run than {name}", where=str(folder / table_name), hint="export again"
            )
        out[name] = _held(text, table, folder / name)
    return out


def _held(text: str, table: str, path: Path) -> ConditionCurves:
    function: dict[str, list[tuple[int, float]]] = {name: [] for name in ("mean", "spread", "zero", "energy")}
    for place, name, value in re.findall(r"^ +(\d+): (\w+)_at = (\S+);$", text, re.MULTILINE):
        function[name].append((int(place), float(value)))
    scale = re.search(r"(V|I)\(level\) <\+ -?mean \* (\S+);", text)
    codes = re.search(r"V\(code\) <\+ .*, (\S+)\);", text)
    side = len(function["zero"])
    if not scale or not codes or not side:
        raise InputError("is not a module written by metalrom", where=str(path))
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
        raise InputError("its table file is not a regular grid", where=str(path.with_suffix(".tbl"))) from None
    index = np.arange(side)
    held = index[None, :] <= index[:, None]
    same = [np.array_equal(grid[..., k + 2][held], values[held]) for k, values in enumerate((mean, spread))]
    if not all(same):
        raise InputError("the module and its table file hold different values", where=str(path))
    zero, energy = (np.array([value for _, value in sorted(function[name])]) for name in ("zero", "energy"))
    unit = "V" if scale.group(1) == "V" else "A"
    return ConditionCurves(
        mean, spread, zero, energy / FEMTO, float(scale.group(2)), int(float(codes.group(1))) + 1, unit
    )
