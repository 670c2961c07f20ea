"""Lookup tables for other tools: every format writes, reads back and checks itself (loaded on first use).

`FORMATS` maps a name to its `Format`; `write`, `read` and `check` are the same by name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from characterization.table import ReadoutTable
    from metalrom.exports.formats import CheckReport, Format
    from metalrom.exports.views import View

_EXACT = "exact: binary64"
_SHORTEST = "exact: shortest decimal text that reads back as the same binary64"
_FORMATS = {
    "netcdf": ("netcdf", "NetCDF-4 file with named dimensions, units, thresholds and provenance", _EXACT),
    "csv": ("csv_table", "CSV files with a JSON schema", _SHORTEST),
    "json": ("json_table", "one JSON file", _SHORTEST),
    "parquet": (
        "parquet_table",
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


_VIEWS: dict[str, str] = {
    "accelergy": "accelergy",
    "crosssim": "crosssim",
    "aihwkit": "aihwkit",
    "neurosim": "neurosim",
    "mnsim": "mnsim",
    "zigzag": "zigzag",
    "hwcomponents": "hwcomponents",
    "lef": "lef",
    "liberty": "liberty",
    "spice_macro": "spice_macro",
    "systemverilog": "systemverilog",
    "touchstone": "touchstone",
    "veriloga": "veriloga",
}
"""View name -> module of this package that holds it as `VIEW`."""


_USER_FORMATS: dict[str, Format] = {}
_USER_VIEWS: dict[str, View] = {}


def register(export: Format | View) -> None:
    """Make a user's own format or view known by its name. Raises InputError for a name that is taken."""
    from interconnect.errors import InputError
    from metalrom.exports.formats import Format

    if export.name in FORMATS or export.name in VIEWS:
        raise InputError(f"there is already an export format {export.name!r}")
    if isinstance(export, Format):
        _USER_FORMATS[export.name] = export
    else:
        _USER_VIEWS[export.name] = export


class _Views(Mapping[str, "View"]):
    """Views by name; a view's module is imported when it is asked for."""

    def __getitem__(self, name: str) -> View:
        from interconnect.errors import InputError
        from interconnect.suggestion import suggest

        if name in _USER_VIEWS:
            return _USER_VIEWS[name]
        if name not in _VIEWS:
            raise InputError(f"export format {name!r} is not known", hint=suggest(name, (*_FORMATS, *VIEWS)))
        view: View = import_module(f"{__name__}.{_VIEWS[name]}").VIEW
        return view

    def __iter__(self) -> Iterator[str]:
        return iter((*_VIEWS, *_USER_VIEWS))

    def __len__(self) -> int:
        return len(_VIEWS) + len(_USER_VIEWS)

    def __contains__(self, name: object) -> bool:
        return name in _VIEWS or name in _USER_VIEWS


class _Formats(Mapping[str, "Format"]):
    """Formats by name; a format's module is imported when it is asked for."""

    def __getitem__(self, name: str) -> Format:
        from interconnect.errors import InputError
        from interconnect.suggestion import suggest
        from metalrom.exports.formats import Format

        if name in _USER_FORMATS:
            return _USER_FORMATS[name]
        if name not in _FORMATS:
            raise InputError(f"export format {name!r} is not known", hint=suggest(name, (*_FORMATS, *VIEWS)))
        module, description, precision = _FORMATS[name]
        room = import_module(f"{__name__}.{module}")
        return Format(name, description, precision, _FILES[name], room.write, room.read)

    def __iter__(self) -> Iterator[str]:
        yield from (name for name in _FORMATS if name not in _NEEDS or find_spec(_NEEDS[name]) is not None)
        yield from _USER_FORMATS

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, name: object) -> bool:
        return name in _FORMATS or name in _USER_FORMATS


FORMATS: Mapping[str, Format] = _Formats()
"""Neutral formats: they hold a whole readout table, exactly."""
VIEWS: Mapping[str, View] = _Views()
"""Formats of other tools: they hold the part of a run that the tool can use."""


def write(table: ReadoutTable, name: str, folder: Path) -> list[Path]:
    """Write `table` in the named format into `folder`; returns the files. Raises InputError."""
    return FORMATS[name].write(table, folder)


def read(name: str, folder: Path) -> ReadoutTable:
    """Read the table of the named format from `folder`. Raises InputError if missing, truncated or edited."""
    return FORMATS[name].read(folder)


def check(table: ReadoutTable, name: str, folder: Path) -> CheckReport:
    """Read the named format back and compare it with `table` bit for bit. Raises InputError on any difference."""
    return FORMATS[name].check(table, folder)
