"""What the readers of quantities look at: a finished run and the results of its procedures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from characterization.procedures.document import UnreadResult
from characterization.sign_off import SignOff
from characterization.tables.table import ReadoutTable
from interconnect.errors import InputError
from metalrom.macro.estimate import LayerEstimate
from metalrom.run.estimate import layer_estimate
from metalrom.run.folder import Run
from metalrom.run.results import LayerQuality, RunResults

Result = TypeVar("Result")


class RunView:
    """A run as its quantities read it. procedures: results of its procedures by name, computed or read back."""

    def __init__(self, results: RunResults, table: ReadoutTable, procedures: Mapping[str, Any] | None = None) -> None:
        self.results = results
        self.table = table
        self._procedures = procedures or {}
        self._estimates: dict[str, LayerEstimate] = {}

    @classmethod
    def of(cls, run: Run) -> RunView:
        """A run read back from its folder."""
        return cls(run.results, run.table, run.procedures)

    def quality(self, condition: str) -> LayerQuality:
        """The layer through the macro at a condition. Raises InputError for one that was not characterized."""
        self.table.index(condition)
        found = next((q for q in self.results.quality if q.condition == condition), None)
        if found is None:
            raise InputError(f"the layer was not evaluated at {condition}")
        return found

    def sign_off(self, condition: str) -> SignOff:
        """Figures of the readout at a condition. Raises InputError where the run holds none."""
        found = self.results.sign_off_at(condition)
        if found is None:
            raise InputError(f"the run holds no sign-off figures at {condition}")
        return found

    def estimate(self, condition: str) -> LayerEstimate:
        """The macro estimate of the run's own layer at a condition. Raises InputError outside the domain of a model."""
        if condition not in self._estimates:
            layer = self.results.layer
            self._estimates[condition] = layer_estimate(
                self.results, self.table, layer.inputs, layer.outputs, condition=condition
            )
        return self._estimates[condition]

    def procedure_result(self, name: str, kind: type[Result]) -> Result:
        """The result of a procedure, an instance of `kind`. Raises InputError if it was left out, failed or unread."""
        found = self._procedures.get(name)
        if isinstance(found, kind):
            return found
        failed = next((f for f in self.results.failed_procedures if f.procedure == name), None)
        if failed is not None:
            raise InputError(f"the procedure {name} failed: {failed.reason}")
        if isinstance(found, UnreadResult):
            raise InputError(found.reason)
        raise InputError(f"the run has no result of {name}", hint=f"run the procedure {name}")
