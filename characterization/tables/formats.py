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
    """Write a table in a format.

    Parameters
    ----------
    table : ReadoutTable
        The table.
    name : str
        A name of `FORMATS`.
    folder : Path
        Output folder.

    Returns
    -------
    list[Path]
        The files.

    Raises
    ------
    InputError
        For an unknown format, or a file that cannot be written.
    """
    return FORMATS[name].write(table, folder)


def read_table(name: str, folder: Path) -> ReadoutTable:
    """Read a table that `write_table` wrote.

    Parameters
    ----------
    name : str
        A name of `FORMATS`.
    folder : Path
        Folder of the files.

    Returns
    -------
    ReadoutTable
        The table.

    Raises
    ------
    InputError
        If a file is missing, truncated or edited.
    """
    return FORMATS[name].read(folder)


def check_table(table: ReadoutTable, name: str, folder: Path) -> CheckReport:
    """Read a written table back and compare it bit for bit.

    Parameters
    ----------
    table : ReadoutTable
        The table that was written.
    name : str
        A name of `FORMATS`.
    folder : Path
        Folder of the files.

    Returns
    -------
    CheckReport
        Number of compared values and the largest difference.

    Raises
    ------
    InputError
        On any difference.
    """
    return FORMATS[name].check(table, folder)
