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
"""Results so far: procedure name -> that procedure's frozen value; under `CORRECTED` how the samples came about."""

CORRECTED = "corrected_sampling"
"""Key of the `CorrectedSampling` that a campaign's samples rest on, where they were not all simulated."""


@dataclass(frozen=True, slots=True)
class Procedure:
    """A characterization recipe.

    Attributes
    ----------
    name, description : str
        Name in `characterization.procedures` of a configuration, and one sentence.
    requires : tuple[str, ...]
        Procedures whose results it reads.
    plan : Callable
        (setup) -> the simulations that it needs (may be none).
    analyse : Callable
        (setup, its samples, results of the required procedures) -> its result.
    measure : Callable, optional
        (setup, bench, results of the required procedures) -> its result. For a procedure that runs decks other than
        those of `Task`; its plan is empty and `analyse` is not called.
    anchored : bool
        It needs the nominal condition and has no result when that one fails; any other procedure continues with the
        remaining conditions.
    refuses : Callable, optional
        (setup) -> one sentence why it cannot measure this cell, None if it can; evaluated before anything runs.
    result : type[ProcedureResult], optional
        Class of its result, which outputs write, read back, tabulate and draw. None for a procedure whose result only
        other procedures read.
    through_chain : bool
        Whether it measures a readout chain where the setup has one; any other procedure reads the bit line itself and
        is refused there.
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
    through_chain: bool = False

    def check(self, setup: Testbench) -> None:
        """Refuse a cell that this procedure cannot measure.

        Parameters
        ----------
        setup : Testbench
            The group to characterize.

        Raises
        ------
        UnsupportedCell
            With the reason.
        """
        if setup.has_transistor_readout and not self.through_chain:
            raise UnsupportedCell(
                f"the procedure {self.name} reads the bit line itself, not through a readout chain",
                where="characterization.procedures",
                hint=f"leave out {self.name}, or set readout.kind: ideal",
            )
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
    through_chain: bool = False,
) -> Procedure:
    """A procedure that runs its decks itself.

    Parameters
    ----------
    name : str
        See `Procedure`.
    description : str
        See `name`.
    measure : Callable
        See `Procedure`.
    requires : tuple[str, ...]
        See `Procedure`.
    anchored : bool
        See `Procedure`.
    refuses : Callable, optional
        See `Procedure`.
    result : type[ProcedureResult], optional
        See `Procedure`.
    through_chain : bool
        See `Procedure`.

    Returns
    -------
    Procedure
        To be registered in `PROCEDURES`.
    """
    return Procedure(
        name, description, requires, _no_tasks, _nothing, measure, anchored, refuses, result, through_chain
    )


def _no_tasks(setup: Testbench) -> list[Task]:
    return []


def _nothing(setup: Testbench, data: Dataset, results: ProcedureResults) -> None:
    return None
