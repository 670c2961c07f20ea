"""Lookup tables for other tools: every format writes, reads back and checks itself (loaded on first use).

`FORMATS` maps a name to its `TableFormat`; `write_table`, `read_table` and `check_table` are the same by name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING

from characterization.tables.formats import FORMATS, check_table, read_table, write_table
from characterization.tables.registry import TableFormat
from interconnect.errors import InputError
from interconnect.suggestion import suggest

if TYPE_CHECKING:
    from characterization.tables.registry import TableFormat
    from metalrom.exporters.exporter import Exporter


_VIEWS: dict[str, str] = {
    "accelergy": "estimator.accelergy",
    "crosssim": "estimator.crosssim",
    "aihwkit": "estimator.aihwkit",
    "neurosim": "estimator.neurosim",
    "mnsim": "estimator.mnsim",
    "zigzag": "estimator.zigzag",
    "hwcomponents": "estimator.hwcomponents",
    "lef": "circuit.lef",
    "liberty": "circuit.liberty",
    "spice_macro": "circuit.spice_macro",
    "systemverilog": "circuit.systemverilog",
    "touchstone": "circuit.touchstone",
    "veriloga": "circuit.veriloga",
}
"""View name -> module of this package that holds it as `VIEW`."""


_USER_VIEWS: dict[str, Exporter] = {}


def register_format(export: TableFormat | Exporter) -> None:
    """Make a user's own format or view known by its name. Raises InputError for a name that is taken."""
    if export.name in FORMATS or export.name in VIEWS:
        raise InputError(f"there is already an export format {export.name!r}")
    if isinstance(export, TableFormat):
        FORMATS.register(export.name, export)
    else:
        _USER_VIEWS[export.name] = export


class _Views(Mapping[str, "Exporter"]):
    """Views by name; a view's module is imported when it is asked for."""

    def __getitem__(self, name: str) -> Exporter:
        if name in _USER_VIEWS:
            return _USER_VIEWS[name]
        if name not in _VIEWS:
            raise InputError(f"export format {name!r} is not known", hint=suggest(name, (*FORMATS, *VIEWS)))
        view: Exporter = import_module(f"{__name__}.{_VIEWS[name]}").VIEW
        return view

    def __iter__(self) -> Iterator[str]:
        return iter((*_VIEWS, *_USER_VIEWS))

    def __len__(self) -> int:
        return len(_VIEWS) + len(_USER_VIEWS)

    def __contains__(self, name: object) -> bool:
        return name in _VIEWS or name in _USER_VIEWS


VIEWS: Mapping[str, Exporter] = _Views()
"""Formats of other tools: they hold the part of a run that the tool can use."""

__all__ = ["FORMATS", "VIEWS", "check_table", "read_table", "register_format", "write_table"]
