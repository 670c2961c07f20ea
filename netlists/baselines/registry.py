"""Baseline cell kinds by name, built in or a user's own."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from interconnect.errors import InputError
from interconnect.suggestion import suggest
from netlists.baselines.base import BaselineCell
from netlists.parameters import describe_parameters

_BUILT_IN = {
    "rom_1t": ("rom_1t", "Rom1T"),
    "rom_1t_mlc": ("rom_1t_mlc", "Rom1TMlc"),
    "sram_8t": ("sram", "Sram8T"),
    "sram_6t": ("sram", "Sram6T"),
}
_USER: dict[str, type[BaselineCell]] = {}


def local_cell_kinds() -> tuple[str, ...]:
    """Names of every known baseline kind."""
    return (*_BUILT_IN, *_USER)


def register_local_cell(cls: type[BaselineCell]) -> type[BaselineCell]:
    """Make a user's own baseline kind known under its `kind`; usable as a decorator. InputError for a taken name."""
    if cls.kind in local_cell_kinds():
        raise InputError(f"there is already a local cell kind {cls.kind!r}")
    _USER[cls.kind] = cls
    return cls


def local_cell_class(kind: str) -> type[BaselineCell]:
    """The parameter class of a kind; InputError with a suggestion for an unknown one."""
    if kind in _USER:
        return _USER[kind]
    if kind not in _BUILT_IN:
        raise InputError(f"there is no local cell kind {kind!r}", hint=suggest(kind, local_cell_kinds()))
    module, name = _BUILT_IN[kind]
    found: type[BaselineCell] = getattr(import_module(f"netlists.baselines.{module}"), name)
    return found


def make_local_cell(kind: str, parameters: Mapping[str, object] | None = None) -> BaselineCell:
    """A cell of `kind` with these parameters (SI); InputError for an unknown kind or parameter."""
    cls = local_cell_class(kind)
    known = [p.name for p in describe_parameters(cls)]
    for name in parameters or {}:
        if name not in known:
            raise InputError(
                f"local cell kind {kind} has no parameter {name!r}",
                where=f"local cell {kind}.{name}",
                hint=suggest(name, known),
            )
    return cls(**(parameters or {}))
