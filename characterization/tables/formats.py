"""The file formats of a readout table by name, built in or registered."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from characterization.tables.registry import CheckReport, TableFormat
from characterization.tables.table import ReadoutTable
from interconnect.optional import has_library
from interconnect.registry import Registry

_NEEDS = {"parquet": "pyarrow"}
"""Formats of an extra and the package they need; they can be asked for by name, but are listed only where it is."""


class _TableFormats(Registry[TableFormat]):
    def __iter__(self) -> Iterator[str]:
        return (name for name in super().__iter__() if name not in _NEEDS or has_library(_NEEDS[name]))


BUILT_IN = ("netcdf", "csv", "json", "parquet")
"""Names of the formats that come with this package."""

FORMATS = _TableFormats(
    "table format",
    group="metalrom.table_formats",
    built_in={name: f"characterization.tables.{name}:{name.upper()}" for name in BUILT_IN},
)
"""Formats that hold a whole readout table, exactly."""


def write_table(table: ReadoutTable, name: str, folder: Path) -> list[Path]:
    """Write `table` in the named format into `folder`; returns the files. Raises InputError."""
    return FORMATS[name].write(table, folder)


def read_table(name: str, folder: Path) -> ReadoutTable:
    """Read the table of the named format from `folder`. Raises InputError if missing, truncated or edited."""
    return FORMATS[name].read(folder)


def check_table(table: ReadoutTable, name: str, folder: Path) -> CheckReport:
    """Read the named format back and compare it with `table` bit for bit. Raises InputError on any difference."""
    return FORMATS[name].check(table, folder)
