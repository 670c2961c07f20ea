"""Parquet: one row per (condition, active, count), units and header in the schema metadata (extra `parquet`)."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np

from characterization.tables.columns import columns_of, lines_of, table_of_columns
from characterization.tables.content import canonical_json, content_sha256, header_of, parse_json, validity_of
from characterization.tables.registry import EXACT_BINARY, TableFormat
from characterization.tables.table import ReadoutTable
from interconnect.errors import InputError
from interconnect.files import atomic_write_files, read_bytes
from interconnect.optional import optional_library

FILE = "readout.parquet"
_HEADER, _VALIDITY, _SHA = b"metalrom.header", b"metalrom.validity", b"metalrom.content_sha256"
_THRESHOLDS = b"metalrom.thresholds"


def write_parquet(table: ReadoutTable, folder: Path) -> list[Path]:
    """Write `readout.parquet`. Raises InputError without pyarrow."""
    arrow, parquet = _pyarrow()
    columns = columns_of(table)
    fields = [
        arrow.field(
            column.name,
            arrow.array(column.values).type,
            nullable=False,
            metadata={"unit": column.unit, "description": column.description},
        )
        for column in columns
    ]
    metadata = {
        _HEADER: canonical_json(header_of(table)),
        _VALIDITY: canonical_json(validity_of(table)),
        _SHA: content_sha256(table),
    }
    if table.threshold is not None:
        metadata[_THRESHOLDS] = canonical_json(table.threshold.tolist())
    whole = arrow.table([column.values for column in columns], schema=arrow.schema(fields, metadata=metadata))
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
        found = {name: np.asarray(whole.column(name).to_numpy()) for name in whole.column_names}
    except Exception as error:  # damaged files raise nearly anything
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"not readable as Parquet ({reason})", where=where, hint="truncated or edited") from None
    header = parse_json(metadata.get(_HEADER, ""), where)
    lines_of(header, where)
    fixed = None
    if "thresholds" in header:
        try:
            fixed = np.array(json.loads(metadata.get(_THRESHOLDS, "")), dtype=np.float64)
        except (ValueError, TypeError):
            raise InputError("the thresholds are missing or damaged", where=where) from None
    table = table_of_columns(header, found, fixed, where)
    expected = {_VALIDITY: canonical_json(validity_of(table)), _SHA: content_sha256(table)}
    if any(metadata.get(key) != value for key, value in expected.items()):
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
