"""spiceguard: its verdict on a deck, with the values of the engine that it judges."""

from __future__ import annotations

import spiceguard

from ngspice_runner.conformance.bare import run_bare
from ngspice_runner.conformance.harness import Answer, Question


def run_spiceguard(question: Question) -> Answer:
    """Accepted when spiceguard calls the deck trustworthy."""
    judged = spiceguard.evaluate(str(question.path))
    answer = run_bare(question)
    issues = "\n".join(f"{issue.severity} {issue.code} {issue.message}" for issue in judged.issues)
    return Answer(judged.verdict == "TRUSTWORTHY", answer.values, issues, len(judged.issues))
