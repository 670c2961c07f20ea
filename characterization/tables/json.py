"""JSON: the whole table in one text file, numbers in shortest exact form."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from characterization.tables.content import (
    LEVEL_ARRAYS,
    arrays_of,
    content_sha256,
    header_of,
    json_sha256,
    levels_of,
    parse_json,
    table_from,
    validity_of,
)
from characterization.tables.registry import EXACT_TEXT, TableFormat
from characterization.tables.table import THRESHOLD, ReadoutTable
from interconnect.arrays import FloatArray
from interconnect.errors import InputError
from interconnect.files import atomic_write_files, decode, read_bytes

FILE = "readout.json"


def write_json(table: ReadoutTable, folder: Path) -> list[Path]:
    """Write `readout.json`: header, validity domain, and arrays[name][condition][active][count]; counts end at the
    largest that the active rows can give."""
    document: dict[str, Any] = {
        "header": header_of(table),
        "validity": validity_of(table),
        "units": {**dict.fromkeys(LEVEL_ARRAYS, table.unit), "row_energy": "J"},
        "content_sha256": content_sha256(table),
    }
    arrays: dict[str, Any] = {}
    top = table.levels - 1
    for name, values in arrays_of(table).items():
        if name in LEVEL_ARRAYS:
            arrays[name] = [[row[: a * top + 1].tolist() for a, row in enumerate(level)] for level in values]
        else:
            arrays[name] = values.tolist()
    document["arrays"] = arrays
    document["file_sha256"] = json_sha256(document)
    lines = [f'"{key}": {json.dumps(value, sort_keys=True, allow_nan=False)}' for key, value in document.items()]
    return atomic_write_files(folder, {FILE: ("{\n" + ",\n".join(lines) + "\n}\n").encode()})


def read_json(folder: Path) -> ReadoutTable:
    """The table of `readout.json`. Raises InputError if the file is missing, truncated or edited."""
    path = folder / FILE
    return parse_json_table(read_bytes(path), where=str(path))


def parse_json_table(content: bytes, *, where: str) -> ReadoutTable:
    """The table in the bytes of a `readout.json`. Raises InputError naming `where` if they are truncated or edited."""
    document = parse_json(decode(content, where=where), where)
    expected = document.pop("file_sha256", None)
    if expected != json_sha256(document):
        raise InputError("its content does not match its checksum", where=where, hint="truncated or edited")
    header, arrays = document.get("header"), document.get("arrays")
    if not isinstance(header, dict) or not isinstance(arrays, dict) or type(header.get("rows")) is not int:
        raise InputError("header or arrays are missing", where=where)
    n, top = header["rows"] + 1, levels_of(header) - 1
    try:
        full = {name: _square(arrays[name], n, top) for name in LEVEL_ARRAYS}
        full["row_energy"] = np.array(arrays["row_energy"], dtype=np.float64)
        if THRESHOLD in arrays:
            full[THRESHOLD] = np.array(arrays[THRESHOLD], dtype=np.float64)
    except (KeyError, TypeError, ValueError, IndexError):
        raise InputError("an array is missing or has the wrong shape", where=where) from None
    table = table_from(header, full, where)
    if document.get("content_sha256") != content_sha256(table):
        raise InputError("its values do not match their fingerprint", where=where, hint="truncated or edited")
    return table


def _square(triangles: list[list[list[float]]], n: int, top: int) -> FloatArray:
    """Rows of length active * top + 1 as a full array, shape (conditions, n, (n - 1) * top + 1), NaN beyond."""
    out = np.full((len(triangles), n, (n - 1) * top + 1), np.nan)
    for i, triangle in enumerate(triangles):
        if len(triangle) != n:
            raise ValueError("rows")
        for a, row in enumerate(triangle):
            if len(row) != a * top + 1:
                raise ValueError("counts")
            out[i, a, : a * top + 1] = row
    return out


FORMAT = TableFormat("json", "one JSON file", EXACT_TEXT, (FILE,), write_json, read_json)
