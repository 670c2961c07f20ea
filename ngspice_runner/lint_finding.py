"""One finding of the lint."""

from dataclasses import dataclass

from ngspice_runner.job import Verdict


@dataclass(frozen=True, slots=True)
class LintFinding:
    """One finding. verdict: of a job that has it; None for a warning that leaves the verdict alone."""

    line: int
    message: str
    verdict: Verdict | None
    fatal: bool = True

    def __str__(self) -> str:
        return f"line {self.line}: {self.message}" if self.line else self.message
