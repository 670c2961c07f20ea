"""What goes into the harness and what comes out: typed, frozen, engine-neutral."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from interconnect.arrays import FloatArray


class Verdict(StrEnum):
    """The one judgement of a finished simulation; only `OK` results may be used silently."""

    OK = "ok"
    SUSPECT = "suspect"
    PARSE = "parse"
    MODEL = "model"
    CONVERGENCE = "convergence"
    TIMESTEP = "timestep"
    TIMEOUT = "timeout"
    KILLED = "killed"
    NO_OUTPUT = "no_output"
    STALE = "stale"
    NONFINITE = "nonfinite"


@dataclass(frozen=True, slots=True)
class Job:
    """One simulation to run.

    text: the complete deck. outputs: vectors that must be in the result, as in `.save` (`v(out)`, `i(vdd)`).
    stop: expected end of the sweep (s, Hz, V...), None for an operating point or when unknown: then the
    deck's own analysis card says it. timeout: wall seconds. options: extra `.option` values (they override the deck's;
    `ngbehavior` sets the engine's compatibility mode). folder: where the deck's relative includes start from, None =
    the working folder. includes: further files that the result depends on (those that `.include` and `.lib` name are
    found by themselves). tag: the caller's own label, carried through, never part of the cache key.
    """

    text: str
    outputs: tuple[str, ...]
    stop: float | None = None
    timeout: float = 120.0
    options: tuple[tuple[str, str], ...] = ()
    folder: str | None = None
    includes: tuple[str, ...] = ()
    tag: str = ""


@dataclass(frozen=True, slots=True)
class Signal:
    """One vector of a result; `unit` is V, A, s, Hz or '' as the engine's raw file declares it."""

    name: str
    unit: str
    values: FloatArray | NDArray[np.complex128]


@dataclass(frozen=True, slots=True)
class RunProvenance:
    """Enough to repeat a run and to trust it: hashes, versions, backend, cost."""

    key: str
    deck_sha256: str
    engine: str
    engine_sha256: str
    backend: str
    cached: bool
    cpu_seconds: float
    wall_seconds: float
    retry: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """Outcome of a job. `signals` maps lower-case names (first: the sweep, e.g. `time`) to vectors; it may hold
    partial data when the verdict is not ok. `log`: the lines of the engine's log that decided the verdict."""

    verdict: Verdict
    signals: Mapping[str, Signal] = field(default_factory=dict)
    log: str = ""
    provenance: RunProvenance | None = None
    tag: str = ""

    @property
    def ok(self) -> bool:
        """True only for verdict `ok`."""
        return self.verdict is Verdict.OK
