"""What the readers of quantities look at: a finished run, and its procedures' findings while they are at hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from characterization.tables.table import ReadoutTable
from interconnect.errors import InputError
from metalrom.macro.estimate import LayerEstimate
from metalrom.run.estimate import layer_estimate
from metalrom.run.results import LayerQuality, RunResults

Finding = TypeVar("Finding")


class RunView:
    """A run as its quantities read it. findings: procedure name -> its finding; empty for a run read from a folder."""

    def __init__(self, results: RunResults, table: ReadoutTable, findings: Mapping[str, Any] | None = None) -> None:
        self.results = results
        self.table = table
        self._findings = findings or {}
        self._estimates: dict[str, LayerEstimate] = {}

    def quality(self, condition: str) -> LayerQuality:
        """The layer through the macro at a condition. Raises InputError for one that was not characterized."""
        self.table.index(condition)
        found = next((q for q in self.results.quality if q.condition == condition), None)
        if found is None:
            raise InputError(f"the layer was not judged at {condition}")
        return found

    def estimate(self, condition: str) -> LayerEstimate:
        """The macro estimate of the run's own layer at a condition. Raises InputError outside the domain of a model."""
        if condition not in self._estimates:
            layer = self.results.layer
            self._estimates[condition] = layer_estimate(
                self.results, self.table, layer.inputs, layer.outputs, condition=condition
            )
        return self._estimates[condition]

    def finding(self, procedure: str, kind: type[Finding]) -> Finding:
        """The finding of a procedure. Raises InputError if it was left out, or if the run was read from its folder."""
        found = self._findings.get(procedure)
        if not isinstance(found, kind):
            failed = next((f for f in self.results.failed_procedures if f.procedure == procedure), None)
            if failed is not None:
                raise InputError(f"the procedure {procedure} failed: {failed.reason}")
            raise InputError(f"the finding of {procedure} is not at hand", hint=f"run the procedure {procedure}")
        return found
