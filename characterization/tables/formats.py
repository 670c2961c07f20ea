"""The file formats of a readout table by name, built in or registered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from characterization.tables.registry import TableFormat
from interconnect.errors import InputError
from interconnect.suggestion import suggest

if TYPE_CHECKING:
    from characterization.tables.registry import CheckReport
    from characterization.tables.table import ReadoutTable


_EXACT = "exact: binary64"


_SHORTEST = "exact: shortest decimal text that reads back as the same binary64"


_FORMATS = {
    "netcdf": ("netcdf", "NetCDF-4 file with named dimensions, units, thresholds and provenance", _EXACT),
    "csv": ("csv", "CSV files with a JSON schema", _SHORTEST),
    "json": ("json", "one JSON file", _SHORTEST),
    "parquet": (
        "parquet",
        "Parquet file, one row per condition, driven rows and count (extra `parquet`)",
        _EXACT,
    ),
}


_NEEDS = {"parquet": "pyarrow"}
"""Formats of an extra and the package they need; they can be asked for by name, but are listed only where it is."""


_FILES = {
    "netcdf": ("readout.nc",),
    "csv": ("readout.csv", "adc_thresholds.csv", "readout.schema.json"),
    "json": ("readout.json",),
    "parquet": ("readout.parquet",),
}


_USER_FORMATS: dict[str, TableFormat] = {}


class _Formats(Mapping[str, "TableFormat"]):
    """Formats by name; a format's module is imported when it is asked for."""

    def __getitem__(self, name: str) -> TableFormat:
        if name in _USER_FORMATS:
            return _USER_FORMATS[name]
        if name not in _FORMATS:
            raise InputError(f"export format {name!r} is not known", hint=suggest(name, tuple(_FORMATS)))
        module, description, precision = _FORMATS[name]
        room = import_module(f"characterization.tables.{module}")
        return TableFormat(
            name,
            description,
            precision,
            _FILES[name],
            getattr(room, f"write_{module}"),
            getattr(room, f"read_{module}"),
        )

    def __iter__(self) -> Iterator[str]:
        yield from (name for name in _FORMATS if name not in _NEEDS or find_spec(_NEEDS[name]) is not None)
        yield from _USER_FORMATS

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, name: object) -> bool:
        return name in _FORMATS or name in _USER_FORMATS


FORMATS: Mapping[str, TableFormat] = _Formats()
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
