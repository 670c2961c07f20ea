"""Parquet: one row per (condition, active, count), units and header in the schema metadata (extra `parquet`)."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np

from characterization.tables.content import (
    LEVEL_ARRAYS,
    MAX_ROWS,
    arrays_of,
    canonical_json,
    content_sha256,
    count_range,
    header_of,
    levels_of,
    parse_json,
    places_of,
    table_from,
    validity_of,
)
from characterization.tables.registry import EXACT_BINARY, TableFormat
from characterization.tables.table import THRESHOLD, ReadoutTable
from interconnect.errors import InputError
from interconnect.files import atomic_write_files, read_bytes
from interconnect.optional import optional_library

FILE = "readout.parquet"
_HEADER, _VALIDITY, _SHA = b"metalrom.header", b"metalrom.validity", b"metalrom.content_sha256"
_THRESHOLDS = b"metalrom.thresholds"


def write_parquet(table: ReadoutTable, folder: Path) -> list[Path]:
    """Write `readout.parquet`. Raises InputError without pyarrow."""
    arrow, parquet = _pyarrow()
    arrays = arrays_of(table)
    number = len(table.conditions)
    active, count = places_of(table.rows, table.levels)
    columns: list[tuple[str, Any, str, str]] = [
        (
            "condition",
            np.repeat([c.label for c in table.conditions], active.size),
            "",
            "corner, supply and temperature",
        ),
        ("active", np.tile(active.astype(np.int32), number), "rows", "driven rows of the group"),
        ("count", np.tile(count.astype(np.int32), number), "counts", f"ideal sum, {count_range(table)}"),
    ]
    columns += [(name, arrays[name][:, active, count].ravel(), table.unit, LEVEL_ARRAYS[name]) for name in LEVEL_ARRAYS]
    energy = arrays["row_energy"][:, active].ravel()
    columns.append(("row_energy", energy, "J", "drawn by the row drivers per conversion and column"))
    fields = [
        arrow.field(name, arrow.array(values).type, nullable=False, metadata={"unit": unit, "description": text})
        for name, values, unit, text in columns
    ]
    metadata = {
        _HEADER: canonical_json(header_of(table)),
        _VALIDITY: canonical_json(validity_of(table)),
        _SHA: content_sha256(table),
    }
    if table.threshold is not None:
        metadata[_THRESHOLDS] = canonical_json(table.threshold.tolist())
    whole = arrow.table([values for _, values, _, _ in columns], schema=arrow.schema(fields, metadata=metadata))
    out = io.BytesIO()
    parquet.write_table(whole, out, compression="zstd")
    return atomic_write_files(folder, {FILE: out.getvalue()})


def read_parquet(folder: Path) -> ReadoutTable:
    """The table of `readout.parquet`. Raises InputError if it is missing, truncated or edited, or without pyarrow."""
    _, parquet = _pyarrow()
    path = folder / FILE
    where = str(path)
    content = read_bytes(path)
    try:
        whole = parquet.read_table(io.BytesIO(content), use_threads=False)
        metadata = {key: value.decode() for key, value in (whole.schema.metadata or {}).items()}
        found = {name: whole.column(name).to_numpy() for name in ("condition", "active", "count", *LEVEL_ARRAYS)}
        found["row_energy"] = whole.column("row_energy").to_numpy()
    except Exception as error:  # damaged files raise nearly anything
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"not readable as Parquet ({reason})", where=where, hint="truncated or edited") from None
    header = parse_json(metadata.get(_HEADER, ""), where)
    rows, conditions = header.get("rows"), header.get("conditions")
    if type(rows) is not int or not 1 <= rows <= MAX_ROWS or not isinstance(conditions, list):
        raise InputError("the header is missing or has no rows", where=where)
    levels = levels_of(header)
    active, count = places_of(rows, levels)
    number = len(conditions)
    expected = {"active": np.tile(active, number), "count": np.tile(count, number)}
    if any(not np.array_equal(found[name], values) for name, values in expected.items()):
        raise InputError("rows are missing or not in the order condition, active, count", where=where)
    arrays = {}
    for name in LEVEL_ARRAYS:
        arrays[name] = np.full((number, rows + 1, rows * (levels - 1) + 1), np.nan)
        arrays[name][:, active, count] = found[name].reshape(number, -1)
    energy = found["row_energy"].reshape(number, -1)
    arrays["row_energy"] = energy[:, count == 0]
    if "thresholds" in header:
        try:
            arrays[THRESHOLD] = np.array(json.loads(metadata.get(_THRESHOLDS, "")), dtype=np.float64)
        except (ValueError, TypeError):
            raise InputError("the thresholds are missing or damaged", where=where) from None
    table = table_from(header, arrays, where)
    labels = np.repeat([c.label for c in table.conditions], active.size)
    message = {_VALIDITY: canonical_json(validity_of(table)), _SHA: content_sha256(table)}
    if any(metadata.get(key) != value for key, value in message.items()) or not (
        np.array_equal(found["condition"], labels) and np.array_equal(energy, arrays["row_energy"][:, active])
    ):
        raise InputError("its values do not match their fingerprint", where=where, hint="truncated or edited")
    return table


def _pyarrow() -> tuple[Any, Any]:
    arrow, parquet = (
        optional_library(name, extra="parquet", purpose="Parquet files") for name in ("pyarrow", "pyarrow.parquet")
    )
    return arrow, parquet


FORMAT = TableFormat(
    "parquet",
    "Parquet file, one row per condition, driven rows and count (extra `parquet`)",
    EXACT_BINARY,
    (FILE,),
    write_parquet,
    read_parquet,
)
