"""What goes wrong, as one sentence and an exit code."""

from __future__ import annotations

import errno

from interconnect.errors import InputError, SolverError, error_text
from ngspice_runner.errors import EngineError, JobError

DONE, CHECK_FAILED, BAD_INPUT, ENGINE_FAILED = 0, 1, 2, 3
"""Exit codes: done; a check failed; bad input; simulation or engine failure."""


def explain_error(error: BaseException) -> tuple[str, int] | None:
    """The sentence and the exit code; None for an error that nobody expects."""
    text = error_text(error)
    if isinstance(error, InputError | JobError):
        return text, BAD_INPUT
    if isinstance(error, EngineError | SolverError):
        return text, ENGINE_FAILED
    if isinstance(error, OSError) and (error.strerror or text):  # the system's always say what they are
        reason = "the disk is full" if error.errno == errno.ENOSPC else error.strerror or text
        return (f"{error.filename}: {reason}" if error.filename else reason), BAD_INPUT
    if isinstance(error, MemoryError):
        return "not enough memory; use a smaller array or fewer parallel jobs", ENGINE_FAILED
    return None
