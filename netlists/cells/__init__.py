"""Cell kinds by name. A kind is one file: its parameters, geometry, electrical model and closed form."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from interconnect.errors import UnsupportedCell
from interconnect.registry import Registry
from netlists.cells.base import REQUIRED_MEMBERS
from netlists.parameters import check_parameters
from netlists.render import register_templates

if TYPE_CHECKING:
    from netlists.cells.base import Cell

__all__ = ["CELLS", "make_cell", "register_cell"]

CELLS: Registry[type[Cell]] = Registry(
    "cell kind",
    group="metalrom.cells",
    built_in={
        "cap_present": "netlists.cells.cap_present:CapPresent",
        "cap_balanced": "netlists.cells.cap_balanced:CapBalanced",
        "res_via": "netlists.cells.res_via:ResVia",
        "cap_select": "netlists.cells.cap_select:CapSelect",
        "cap_ternary": "netlists.cells.cap_ternary:CapTernary",
        "cap_tie": "netlists.cells.cap_tie:CapTie",
    },
    where="cell.kind",
)
"""Cell kinds; an entry point of an installed package names the class."""


def register_cell(cls: type[Cell], *, templates: Path | None = None) -> type[Cell]:
    """Register a cell kind under its `kind`; usable as a decorator.

    Parameters
    ----------
    cls : type[Cell]
        Parameter class of the kind.
    templates : Path, optional
        Folder that holds its `cells/<kind>.cir.j2`; without one the elements of its model are written as they are.

    Returns
    -------
    type[Cell]
        The same class.

    Raises
    ------
    InputError
        If a kind of that name exists.
    """
    CELLS.register(cls.kind, cls)
    if templates is not None:
        register_templates(templates)
    return cls


def make_cell(kind: str, parameters: Mapping[str, object] | None = None) -> Cell:
    """A cell of a kind.

    Parameters
    ----------
    kind : str
        A name of `CELLS`.
    parameters : Mapping[str, object], optional
        Parameters of the kind in SI units.

    Returns
    -------
    Cell
        The cell.

    Raises
    ------
    UnknownName
        For an unknown kind or parameter.
    UnsupportedCell
        For a kind without a member that every cell needs.

    Examples
    --------
    >>> from netlists import make_cell
    >>> make_cell("cap_present").mode
    'charge'
    """
    cls = CELLS[kind]
    check_parameters(cls, parameters or {}, what=f"cell kind {kind}", where="cell")
    cell = cls(**(parameters or {}))
    lacking = [name for name in REQUIRED_MEMBERS if not hasattr(cell, name)]
    if lacking:
        raise UnsupportedCell(f"the cell kind {kind} declares no {', '.join(lacking)}", where="cell.kind")
    return cell
