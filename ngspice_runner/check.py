"""A deck looked at without being simulated: what its text shows, and what the engine reads of it."""

from __future__ import annotations

from ngspice_runner.backends.process import ProcessBackend
from ngspice_runner.engine import Engine, find_engine
from ngspice_runner.engine_view import read_view
from ngspice_runner.flatten import flatten
from ngspice_runner.job import Job
from ngspice_runner.lint_finding import LintFinding
from ngspice_runner.prepare import prepare, viewing_run
from ngspice_runner.reading import compare_reading


def check_deck(job: Job, *, engine: Engine | None = None) -> tuple[LintFinding, ...]:
    """All findings on a deck, without running its analyses.

    Parameters
    ----------
    job
        The deck.
    engine
        As for `run`.

    Returns
    -------
    tuple of LintFinding
        Of the text, and, where that holds no error, of what the engine reads otherwise.

    Raises
    ------
    JobError, EngineError
        As for `run`.
    """
    prepared = prepare(job, engine or find_engine(), ProcessBackend.name)
    elements = () if prepared.errors or prepared.behaviour else flatten(prepared.deck)
    if not elements:
        return prepared.findings
    outcome = ProcessBackend().view(viewing_run(prepared))
    return (*prepared.findings, *compare_reading(elements, read_view(outcome.log)))
