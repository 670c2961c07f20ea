"""The file formats of a readout table by name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from interconnect.registry import Registry

if TYPE_CHECKING:
    from characterization.tables.registry import CheckReport, TableFormat
    from characterization.tables.table import ReadoutTable

FORMATS: Registry[TableFormat] = Registry(
    "export format",
    group="metalrom.table_formats",
    built_in={name: f"characterization.tables.{name}:FORMAT" for name in ("netcdf", "csv", "json", "parquet")},
    needs={"parquet": "pyarrow"},
)
"""Neutral formats: they hold a whole readout table, exactly."""


def write_table(table: ReadoutTable, name: str, folder: Path) -> list[Path]:
    """Write `table` in the named format into `folder`; returns the files. Raises InputError."""
    return FORMATS[name].write(table, folder)


def read_table(name: str, folder: Path) -> ReadoutTable:
    """Read the table of the named format from `folder`. Raises InputError if missing, truncated or edited."""
    return FORMATS[name].read(folder)


def check_table(table: ReadoutTable, name: str, folder: Path) -> CheckReport:
    """Read the named format back and compare it with `table` bit for bit. Raises InputError on any difference."""
    return FORMATS[name].check(table, folder)
