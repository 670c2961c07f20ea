"""The registry of procedures: a name, what it simulates, and what it concludes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from characterization.bench import Bench
from characterization.campaign import Task
from characterization.dataset import Dataset
from characterization.setup import Setup
from interconnect.errors import InputError
from interconnect.suggestion import suggest

Findings = Mapping[str, Any]
"""Conclusions so far: procedure name -> that procedure's own frozen value."""


@dataclass(frozen=True, slots=True)
class Procedure:
    """A characterization recipe.

    requires: procedures whose findings it reads. plan: the simulations it needs (may be none).
    analyse: (setup, its own samples, findings of the required ones) -> its finding. A procedure that the column's task
    does not fit has `measure` instead: it runs decks of its own on the bench, (setup, bench, findings of the required
    ones) -> its finding; its plan is empty and `analyse` is not called. anchored: it speaks of the nominal condition,
    and has nothing to tell when that one fails; any other procedure goes on with the remaining conditions.

    A finding is the procedure's own frozen value. One that follows `characterization.findings.Finding` is written to
    `procedures.json` and shown in the table of `metalrom characterize`.

    refuses: (setup) -> one sentence why it cannot measure this cell, None if it can; asked before anything runs.
    """

    name: str
    description: str
    requires: tuple[str, ...]
    plan: Callable[[Setup], list[Task]]
    analyse: Callable[[Setup, Dataset, Findings], Any]
    measure: Callable[[Setup, Bench, Findings], Any] | None = None
    anchored: bool = False
    refuses: Callable[[Setup], str | None] | None = None

    def check(self, setup: Setup) -> None:
        """Raises InputError for a cell that this procedure cannot measure."""
        reason = self.refuses(setup) if self.refuses else None
        if reason is not None:
            raise InputError(
                f"the procedure {self.name} cannot measure the cell {setup.model.kind}: {reason}",
                where="characterization.procedures",
                hint=f"leave out {self.name}",
            )


PROCEDURES: dict[str, Procedure] = {}


def register(procedure: Procedure) -> Procedure:
    """Make a procedure known by its name; a user's own file may call this too."""
    PROCEDURES[procedure.name] = procedure
    return procedure


def measured(
    name: str,
    description: str,
    measure: Callable[[Setup, Bench, Findings], Any],
    requires: tuple[str, ...] = (),
    *,
    anchored: bool = False,
    refuses: Callable[[Setup], str | None] | None = None,
) -> Procedure:
    """A procedure that runs decks of its own; see `Procedure`."""
    return Procedure(name, description, requires, _no_tasks, _nothing, measure, anchored, refuses)


def _no_tasks(setup: Setup) -> list[Task]:
    return []


def _nothing(setup: Setup, data: Dataset, findings: Findings) -> None:
    return None


def get_procedure(name: str) -> Procedure:
    """Look a procedure up. Raises InputError with a suggestion for an unknown name."""
    if name not in PROCEDURES:
        raise InputError(f"unknown procedure {name!r}", hint=suggest(name, sorted(PROCEDURES)))
    return PROCEDURES[name]


def with_requirements(names: tuple[str, ...]) -> tuple[Procedure, ...]:
    """The named procedures and all they require, required ones first, each once."""
    ordered: dict[str, Procedure] = {}

    def visit(name: str) -> None:
        procedure = get_procedure(name)
        for required in procedure.requires:
            visit(required)
        ordered.setdefault(name, procedure)

    for name in names:
        visit(name)
    return tuple(ordered.values())
