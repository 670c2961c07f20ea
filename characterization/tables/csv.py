"""CSV: one line per (condition, active, count), and a JSON schema file with units, header and checksums."""

import csv
import hashlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np

from characterization.tables.content import (
    LEVEL_ARRAYS,
    MAX_ROWS,
    arrays_of,
    content_sha256,
    count_range,
    header_of,
    json_sha256,
    levels_of,
    parse_json,
    places_of,
    table_from,
    validity_of,
)
from characterization.tables.registry import EXACT_TEXT, TableFormat
from characterization.tables.table import THRESHOLD, ReadoutTable
from interconnect.arrays import FloatArray
from interconnect.errors import InputError
from interconnect.files import atomic_write_files, parse_csv, read_bytes, read_text

FILE = "readout.csv"
THRESHOLDS = "adc_thresholds.csv"
SCHEMA_FILE = "readout.schema.json"


def _fields(table: ReadoutTable) -> list[dict[str, str]]:
    """Columns of the main file: name, type, unit, meaning."""
    level = [
        {"name": name, "type": "number", "unit": table.unit, "description": text} for name, text in LEVEL_ARRAYS.items()
    ]
    return [
        {"name": "condition", "type": "string", "unit": "", "description": "corner, supply and temperature"},
        {"name": "active", "type": "integer", "unit": "rows", "description": "driven rows of the group"},
        {"name": "count", "type": "integer", "unit": "counts", "description": f"ideal sum, {count_range(table)}"},
        *level,
        {
            "name": "row_energy",
            "type": "number",
            "unit": "J",
            "description": "drawn by the row drivers per conversion and column (depends on condition and active only)",
        },
        {
            "name": "code_error_probability",
            "type": "number",
            "unit": "1",
            "description": "probability that the code is not the count, all spreads together (derived)",
        },
        {
            "name": "margin",
            "type": "number",
            "unit": "sigma",
            "description": "distance to the nearer threshold, negative on the wrong side (derived)",
        },
    ]


def write_csv(table: ReadoutTable, folder: Path) -> list[Path]:
    """Write `readout.csv`, `adc_thresholds.csv` and `readout.schema.json`."""
    arrays = arrays_of(table)
    main = io.StringIO()
    out = csv.writer(main, lineterminator="\n")
    fields = _fields(table)
    out.writerow([f["name"] for f in fields])
    edges = io.StringIO()
    edge_out = csv.writer(edges, lineterminator="\n")
    edge_out.writerow(["condition", "active", "threshold", f"value_{table.unit}"])
    for i, condition in enumerate(table.conditions):
        wrong, margin = table.code_errors(condition).tolist(), table.margins(condition).tolist()
        levels = [arrays[name][i].tolist() for name in LEVEL_ARRAYS]
        energy = arrays["row_energy"][i].tolist()
        for a in range(table.rows + 1):
            for c in range(a * (table.levels - 1) + 1):
                row = [level[a][c] for level in levels]
                out.writerow(
                    [condition.label, a, c, *map(repr, row), *map(repr, (energy[a], wrong[a][c], margin[a][c]))]
                )
        for a, row in enumerate(table.thresholds(condition).tolist()):
            edge_out.writerows([condition.label, a, k, repr(v)] for k, v in enumerate(row))
    files = {FILE: main.getvalue().encode(), THRESHOLDS: edges.getvalue().encode()}
    schema: dict[str, Any] = {
        "fields": fields,
        "primaryKey": ["condition", "active", "count"],
        "header": header_of(table),
        "validity": validity_of(table),
        "content_sha256": content_sha256(table),
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
    }
    schema["file_sha256"] = json_sha256(schema)
    files[SCHEMA_FILE] = (json.dumps(schema, indent=1, sort_keys=True, allow_nan=False) + "\n").encode()
    return atomic_write_files(folder, files)


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
    if not isinstance(header, dict) or type(header.get("rows")) is not int or not 1 <= header["rows"] <= MAX_ROWS:
        raise InputError("the header is missing or has no rows", where=str(schema_path))
    conditions = header.get("conditions")
    rows, number = header["rows"], len(conditions) if isinstance(conditions, list) else 0
    levels = levels_of(header)
    active, count = places_of(rows, levels)
    lines = parse_csv(read_text(path), where=str(path))
    if not lines or len(lines) - 1 != number * active.size:
        raise InputError(f"{len(lines) - 1} lines, expected {number * active.size}", where=str(path))
    column = {name: k for k, name in enumerate(lines[0])}
    try:
        values = {
            name: np.array([float(line[column[name]]) for line in lines[1:]]).reshape(number, -1)
            for name in (*LEVEL_ARRAYS, "row_energy", "active", "count")
        }
    except (KeyError, ValueError, IndexError):
        raise InputError("a column is missing or a value is not a number", where=str(path)) from None
    if (values["active"] != active).any() or (values["count"] != count).any():
        raise InputError("lines are not in the order condition, active, count", where=str(path))
    arrays = {}
    for name in LEVEL_ARRAYS:
        arrays[name] = np.full((number, rows + 1, rows * (levels - 1) + 1), np.nan)
        arrays[name][:, active, count] = values[name]
    arrays["row_energy"] = values["row_energy"][:, count == 0]
    if "thresholds" in header:
        arrays[THRESHOLD] = _read_thresholds(folder / THRESHOLDS, number, rows)
    table = table_from(header, arrays, str(path))
    if schema.get("content_sha256") != content_sha256(table):
        raise InputError("its values do not match their fingerprint", where=str(path), hint="truncated or edited")
    return table


def _read_thresholds(path: Path, conditions: int, rows: int) -> FloatArray:
    """Decision levels of every condition and number of active rows, in the file's order."""
    lines = parse_csv(read_text(path), where=str(path))[1:]
    try:
        return np.array([float(line[3]) for line in lines]).reshape(conditions, rows + 1, -1)
    except (ValueError, IndexError):
        raise InputError("a threshold is missing or not a number", where=str(path)) from None


FORMAT = TableFormat(
    "csv", "CSV files with a JSON schema", EXACT_TEXT, (FILE, THRESHOLDS, SCHEMA_FILE), write_csv, read_csv
)
