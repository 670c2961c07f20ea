"""Errors of the harness: bad jobs, and an engine that is missing or broken."""


class JobError(ValueError):
    """A job that cannot be run as asked (bad deck file, bad option, unsafe text); one sentence."""


class EngineError(RuntimeError):
    """ngspice is missing, cannot be started, or a simulation that had to succeed did not; one sentence."""
