"""What the adapters raise where the other library raises an error of its own."""

from __future__ import annotations

from ngspice_runner.errors import EngineError
from ngspice_runner.job import Result


class NotOk(EngineError):
    """A simulation without verdict ok, where PySpice raises NgSpiceCommandError; `result` holds what there is."""

    def __init__(self, result: Result) -> None:
        super().__init__(
            f"{result.verdict.value}: {result.log.splitlines()[0] if result.log else 'no reason in the log'}"
        )
        self.result = result
