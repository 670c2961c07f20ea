"""Lookup tables for other tools: every format writes, reads back and checks itself (loaded on first use).

`FORMATS` maps a name to a `TableFormat`, which holds a whole readout table; `EXPORTERS` to an `Exporter`, which holds
the part of a run that a tool can use. `write_table`, `read_table` and `check_table` take the name of a table format.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from characterization.tables.formats import FORMATS, check_table, read_table, write_table
from interconnect.errors import InputError, UnknownName
from interconnect.registry import Registry
from interconnect.suggestion import suggest

if TYPE_CHECKING:
    from characterization.tables.registry import TableFormat
    from metalrom.exporters.exporter import Exporter

__all__ = ["EXPORTERS", "FORMATS", "check_table", "find_format", "read_table", "register_format", "write_table"]

_CIRCUIT = ("lef", "liberty", "spice_macro", "systemverilog", "touchstone", "veriloga")
_ESTIMATOR = (
    "accelergy",
    "crosssim",
    "aihwkit",
    "neurosim",
    "mnsim",
    "zigzag",
    "hwcomponents",
)

EXPORTERS: Registry[Exporter] = Registry(
    "export format",
    group="metalrom.exporters",
    built_in={
        **{name: f"metalrom.exporters.estimator.{name}:EXPORTER" for name in _ESTIMATOR},
        **{name: f"metalrom.exporters.circuit.{name}:EXPORTER" for name in _CIRCUIT},
    },
)
"""Formats of other tools."""


def register_format(export: TableFormat | Exporter) -> None:
    """Register an export format under its name.

    Parameters
    ----------
    export : TableFormat or Exporter
        The format.

    Raises
    ------
    InputError
        If a table format or an exporter has that name.
    """
    if export.name in FORMATS or export.name in EXPORTERS:
        raise InputError(f"there is already an export format {export.name!r}")
    if hasattr(export, "read"):  # a table format; its class is not imported, so that names are listed fast
        FORMATS.register(export.name, cast("TableFormat", export))
    else:
        EXPORTERS.register(export.name, export)


def find_format(name: str) -> TableFormat | Exporter:
    """The table format or exporter of a name.

    Parameters
    ----------
    name : str
        A name of `FORMATS` or `EXPORTERS`.

    Returns
    -------
    TableFormat or Exporter
        The format.

    Raises
    ------
    UnknownName
        With the closest name of either kind.
    """
    if name in EXPORTERS:
        return EXPORTERS[name]
    if name in FORMATS:
        return FORMATS[name]
    raise UnknownName(f"there is no export format {name!r}", hint=suggest(name, (*FORMATS, *EXPORTERS)))
