"""What a procedure is: a name, what it simulates, and what it concludes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from characterization.campaign import Task
from characterization.column_testbench import ColumnTestbench
from characterization.dataset import Dataset
from characterization.procedure_result import ProcedureResult
from characterization.testbench import Testbench
from interconnect.errors import UnsupportedCell

ProcedureResults = Mapping[str, Any]
"""Results so far: procedure name -> that procedure's frozen value."""


@dataclass(frozen=True, slots=True)
class Procedure:
    """A characterization recipe.

    requires: procedures whose results it reads. plan: the simulations it needs (may be none).
    analyse: (setup, its own samples, results of the required ones) -> its result. A procedure that the column's task
    does not fit has `measure` instead: it runs decks of its own on the bench, (setup, bench, results of the required
    ones) -> its result; its plan is empty and `analyse` is not called. anchored: it speaks of the nominal condition,
    and concludes nothing when that one fails; any other procedure goes on with the remaining conditions.

    refuses: (setup) -> one sentence why it cannot measure this cell, None if it can; asked before anything runs.

    result: class of its result, which outputs write, read back, tabulate and draw. None for a procedure whose result
    only other procedures read.
    """

    name: str
    description: str
    requires: tuple[str, ...]
    plan: Callable[[Testbench], list[Task]]
    analyse: Callable[[Testbench, Dataset, ProcedureResults], Any]
    measure: Callable[[Testbench, ColumnTestbench, ProcedureResults], Any] | None = None
    anchored: bool = False
    refuses: Callable[[Testbench], str | None] | None = None
    result: type[ProcedureResult] | None = None

    def check(self, setup: Testbench) -> None:
        """Raises UnsupportedCell for a cell that this procedure cannot measure."""
        reason = self.refuses(setup) if self.refuses else None
        if reason is not None:
            raise UnsupportedCell(
                f"the procedure {self.name} cannot measure the cell {setup.model.kind}: {reason}",
                where="characterization.procedures",
                hint=f"leave out {self.name}",
            )


def measured(
    name: str,
    description: str,
    measure: Callable[[Testbench, ColumnTestbench, ProcedureResults], Any],
    requires: tuple[str, ...] = (),
    *,
    anchored: bool = False,
    refuses: Callable[[Testbench], str | None] | None = None,
    result: type[ProcedureResult] | None = None,
) -> Procedure:
    """A procedure that runs decks of its own; see `Procedure`."""
    return Procedure(name, description, requires, _no_tasks, _nothing, measure, anchored, refuses, result)


def _no_tasks(setup: Testbench) -> list[Task]:
    return []


def _nothing(setup: Testbench, data: Dataset, results: ProcedureResults) -> None:
    return None
