"""PySpice: its NgSpiceShared on the deck's text."""

from __future__ import annotations

from PySpice.Spice.NgSpice.Shared import NgSpiceShared

from ngspice_runner.conformance.harness import Answer, Question
from ngspice_runner.conformance.library import run_library


def run_pyspice(question: Question) -> Answer:
    """Accepted when PySpice raises nothing."""
    return run_library(NgSpiceShared, question)
