"""Cell kinds by name. A kind is one file: its parameters, geometry, electrical model and closed form."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from interconnect.errors import InputError
from interconnect.suggestion import suggest
from netlists.parameters import describe_parameters
from netlists.render import register_templates

if TYPE_CHECKING:
    from netlists.cells.base import Cell

__all__ = ["cell_class", "cell_kinds", "make_cell", "register_cell"]

_BUILT_IN = {
    "cap_present": ("netlists.cells.cap_present", "CapPresent"),
    "cap_balanced": ("netlists.cells.cap_balanced", "CapBalanced"),
    "res_via": ("netlists.cells.res_via", "ResVia"),
    "cap_select": ("netlists.cells.cap_select", "CapSelect"),
    "cap_ternary": ("netlists.cells.cap_ternary", "CapTernary"),
}
_USER: dict[str, type[Cell]] = {}


def cell_kinds() -> tuple[str, ...]:
    """Names of every known cell kind."""
    return (*_BUILT_IN, *_USER)


def register_cell(cls: type[Cell], *, templates: Path | None = None) -> type[Cell]:
    """Make a user's own cell kind known under its `kind`; usable as a decorator.

    templates: folder that holds its `cells/<kind>.cir.j2`. Raises InputError for a kind that is there already.
    """
    if cls.kind in cell_kinds():
        raise InputError(f"there is already a cell kind {cls.kind!r}")
    if templates is not None:
        register_templates(templates)
    _USER[cls.kind] = cls
    return cls


def cell_class(kind: str) -> type[Cell]:
    """The parameter class of a kind; InputError with a suggestion for an unknown one."""
    if kind in _USER:
        return _USER[kind]
    if kind not in _BUILT_IN:
        raise InputError(f"there is no cell kind {kind!r}", where="cell.kind", hint=suggest(kind, cell_kinds()))

    module, name = _BUILT_IN[kind]
    found: type[Cell] = getattr(import_module(module), name)
    return found


def make_cell(kind: str, parameters: Mapping[str, object] | None = None) -> Cell:
    """A cell of `kind` with these parameters (SI); InputError for an unknown kind or parameter."""
    cls = cell_class(kind)
    known = [p.name for p in describe_parameters(cls)]
    for name in parameters or {}:
        if name not in known:
            raise InputError(
                f"cell kind {kind} has no parameter {name!r}", where=f"cell.{name}", hint=suggest(name, known)
            )
    return cls(**(parameters or {}))
