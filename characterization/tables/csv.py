"""CSV: one line per (condition, active, count), and a JSON schema file with units, header and checksums."""

import csv
import hashlib
import io
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from characterization.tables.columns import KEY, TableColumn, columns_of, lines_of, table_of_columns
from characterization.tables.content import (
    content_sha256,
    header_of,
    json_sha256,
    parse_json,
    places_of,
    validity_of,
)
from characterization.tables.registry import EXACT_TEXT, TableFormat
from characterization.tables.table import ReadoutTable
from interconnect.arrays import FloatArray
from interconnect.errors import InputError
from interconnect.files import atomic_write_files, parse_csv, read_bytes, read_text
from netlists.condition import Condition

FILE = "readout.csv"
THRESHOLDS = "adc_thresholds.csv"
SCHEMA_FILE = "readout.schema.json"
_TYPES = {"U": "string", "i": "integer", "f": "number"}


def _derived(table: ReadoutTable) -> tuple[TableColumn, ...]:
    """Columns that follow from the others."""
    active, count = places_of(table.rows, table.levels)

    def flat(values: Callable[[Condition], FloatArray]) -> FloatArray:
        return np.concatenate([values(condition)[active, count] for condition in table.conditions])

    wrong = "probability that the code is not the count, all spreads together (derived)"
    margin = "distance to the nearer threshold in sigmas, negative on the wrong side (derived)"
    return (
        TableColumn("code_error_probability", "1", wrong, flat(table.code_errors)),
        TableColumn("margin_sigma", "sigma", margin, flat(table.margins)),
    )


def write_csv(table: ReadoutTable, folder: Path) -> list[Path]:
    """Write `readout.csv`, `adc_thresholds.csv` and `readout.schema.json`."""
    columns = (*columns_of(table), *_derived(table))
    edges: list[tuple[object, ...]] = [
        (c.label, c.corner, c.beol, c.vdd, c.temperature, a, k, value)
        for c in table.conditions
        for a, row in enumerate(table.thresholds(c).tolist())
        for k, value in enumerate(row)
    ]
    names = [*(column.name for column in columns[:5]), "active", "threshold", f"value_{table.unit}"]
    files = {
        FILE: _csv(
            [column.name for column in columns], zip(*(column.values.tolist() for column in columns), strict=True)
        ),
        THRESHOLDS: _csv(names, edges),
    }
    schema: dict[str, Any] = {
        "fields": [
            {"name": c.name, "type": _TYPES[c.values.dtype.kind], "unit": c.unit, "description": c.description}
            for c in columns
        ],
        "primaryKey": list(KEY),
        "header": header_of(table),
        "validity": validity_of(table),
        "content_sha256": content_sha256(table),
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
    }
    schema["file_sha256"] = json_sha256(schema)
    files[SCHEMA_FILE] = (json.dumps(schema, indent=1, sort_keys=True, allow_nan=False) + "\n").encode()
    return atomic_write_files(folder, files)


def _csv(names: list[str], lines: Iterable[Iterable[object]]) -> bytes:
    """Numbers are written as the shortest text that reads back as the same binary64."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(lines)
    return out.getvalue().encode()


def read_csv(folder: Path) -> ReadoutTable:
    """The table of `readout.csv` with its schema file. Raises InputError if a file is missing, truncated or edited."""
    schema_path, path = folder / SCHEMA_FILE, folder / FILE
    schema = parse_json(read_text(schema_path), str(schema_path))
    if schema.pop("file_sha256", None) != json_sha256(schema):
        raise InputError("its content does not match its checksum", where=str(schema_path), hint="truncated or edited")
    for name in (FILE, THRESHOLDS):
        digest = hashlib.sha256(read_bytes(folder / name)).hexdigest()
        if not isinstance(schema.get("files"), dict) or schema["files"].get(name) != digest:
            raise InputError(
                f"its content does not match the checksum in {SCHEMA_FILE}",
                where=str(folder / name),
                hint="truncated or edited",
            )
    header = schema.get("header")
    number = lines_of(header, str(schema_path))
    assert isinstance(header, dict)  # noqa: S101 - checked by lines_of
    names, *lines = parse_csv(read_text(path), where=str(path)) or [[]]
    if len(lines) != number or any(len(line) != len(names) for line in lines):
        raise InputError(f"{len(lines)} lines, expected {number} of {len(names)} columns", where=str(path))
    columns = {name: np.array(values) for name, values in zip(names, zip(*lines, strict=True), strict=True)}
    fixed = None
    if "thresholds" in header:
        fixed = _read_thresholds(folder / THRESHOLDS, len(header["conditions"]), header["rows"])
    table = table_of_columns(header, columns, fixed, str(path))
    if schema.get("content_sha256") != content_sha256(table):
        raise InputError("its values do not match their fingerprint", where=str(path), hint="truncated or edited")
    return table


def _read_thresholds(path: Path, conditions: int, rows: int) -> FloatArray:
    """Decision levels of every condition and number of active rows, in the file's order."""
    lines = parse_csv(read_text(path), where=str(path))[1:]
    try:
        return np.array([float(line[-1]) for line in lines]).reshape(conditions, rows + 1, -1)
    except (ValueError, IndexError):
        raise InputError("a threshold is missing or not a number", where=str(path)) from None


FORMAT = TableFormat(
    "csv", "CSV files with a JSON schema", EXACT_TEXT, (FILE, THRESHOLDS, SCHEMA_FILE), write_csv, read_csv
)
