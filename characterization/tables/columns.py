"""A readout table as flat columns, one line per (condition, active, count): what CSV and Parquet files hold.

Every column names its unit, every condition states corner, supply and temperature by themselves, and the spreads of the
converter stand beside those of the level, so that one line is complete by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from characterization.tables.content import (
    LEVEL_ARRAYS,
    MAX_ROWS,
    arrays_of,
    count_range,
    levels_of,
    places_of,
    table_from,
)
from characterization.tables.table import LEVEL_VARIABLES, THRESHOLD, ReadoutTable
from interconnect.arrays import FloatArray
from interconnect.errors import InputError

KEY = ("condition", "active", "count")
"""Columns that tell one line from any other."""


@dataclass(frozen=True, slots=True)
class TableColumn:
    """One column: name with its unit, unit, meaning, values (lines,) of text, int32 or float64."""

    name: str
    unit: str
    description: str
    values: NDArray[Any]


def columns_of(table: ReadoutTable) -> tuple[TableColumn, ...]:
    """The columns of a table; lines ordered by condition, active, count."""
    number, arrays = len(table.conditions), arrays_of(table)
    active, count = places_of(table.rows, table.levels)
    unit = table.unit

    def of_condition(name: str, values: Iterable[Any], unit: str, text: str) -> TableColumn:
        return TableColumn(name, unit, text, np.repeat(list(values), active.size))

    def of_converter(name: str, value: float, text: str) -> TableColumn:
        return TableColumn(f"{name}_{unit}", unit, text, np.full(number * active.size, float(value)))

    return (
        of_condition("condition", (c.label for c in table.conditions), "", "label of the condition"),
        of_condition("corner", (c.corner for c in table.conditions), "", "process corner of the transistors"),
        of_condition("metals", (c.beol for c in table.conditions), "", "corner of the metal stack"),
        of_condition("vdd_V", (float(c.vdd) for c in table.conditions), "V", "supply"),
        of_condition("temperature_degC", (float(c.temperature) for c in table.conditions), "degC", "temperature"),
        TableColumn("active", "rows", "driven rows of the group", np.tile(active.astype(np.int32), number)),
        TableColumn("count", "counts", f"ideal sum, {count_range(table)}", np.tile(count.astype(np.int32), number)),
        *(
            TableColumn(f"{name}_{unit}", unit, text, arrays[stored][:, active, count].ravel())
            for (name, text), stored in zip(LEVEL_VARIABLES.items(), LEVEL_ARRAYS, strict=True)
        ),
        of_converter("adc_offset_sigma", table.adc.offset_sigma, "standard deviation of a converter's offset, frozen"),
        of_converter("adc_noise_sigma", table.adc.noise_sigma, "standard deviation of a converter's input noise"),
        TableColumn(
            "row_energy_J",
            "J",
            "drawn by the row drivers per conversion and column (depends on condition and active only)",
            arrays["row_energy"][:, active].ravel(),
        ),
    )


def lines_of(header: Any, where: str) -> int:
    """Number of lines that a header asks for. Raises InputError for a header without rows or conditions."""
    conditions = header.get("conditions") if isinstance(header, dict) else None
    if not isinstance(conditions, list) or type(header.get("rows")) is not int or not 1 <= header["rows"] <= MAX_ROWS:
        raise InputError("the header is missing or has no rows", where=where)
    return len(conditions) * places_of(header["rows"], levels_of(header))[0].size


def table_of_columns(
    header: Mapping[str, Any], columns: Mapping[str, NDArray[Any]], thresholds: FloatArray | None, where: str
) -> ReadoutTable:
    """The table of a header and of the columns of a file. thresholds: (condition, active, step), None if not fixed.

    Raises InputError (naming `where`) for a column that is missing, has values that are no numbers, or does not say
    what the header says.
    """
    lines = lines_of(header, where)
    rows, number, levels = header["rows"], len(header["conditions"]), levels_of(header)
    active, count = places_of(rows, levels)
    unit = header.get("unit")
    arrays = {}
    try:
        for name, stored in zip(LEVEL_VARIABLES, LEVEL_ARRAYS, strict=True):
            arrays[stored] = np.full((number, rows + 1, rows * (levels - 1) + 1), np.nan)
            values = np.asarray(columns[f"{name}_{unit}"], np.float64)
            arrays[stored][:, active, count] = values.reshape(number, active.size)
        energy = np.asarray(columns["row_energy_J"], np.float64).reshape(number, active.size)
    except KeyError as missing:
        raise InputError(f"column {missing} is missing", where=where) from None
    except ValueError:
        raise InputError(f"a value is not a number, or it has not {lines} lines", where=where) from None
    arrays["row_energy"] = energy[:, count == 0]
    if thresholds is not None:
        arrays[THRESHOLD] = thresholds
    table = table_from(header, arrays, where)
    for column in columns_of(table):
        if not _says(columns.get(column.name), column.values):
            raise InputError(
                f"column {column.name} does not say what its header says", where=where, hint="truncated or edited"
            )
    return table


def _says(found: NDArray[Any] | None, expected: NDArray[Any]) -> bool:
    """Whether a column read from a file holds the values expected, bit for bit."""
    if found is None or found.shape != expected.shape:
        return False
    try:
        return bool((found.astype(expected.dtype) == expected).all())
    except ValueError:
        return False
