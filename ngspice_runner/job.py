"""What goes into the harness and what comes out: typed, frozen, engine-neutral."""

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


PATH_OPTIONS = ("osdi", "verilog_a", "startup")
HARNESS_OPTIONS = frozenset(("ngbehavior", "simulator", *PATH_OPTIONS))
"""Options of a job that are not for the deck."""


@dataclass(frozen=True, slots=True)
class Job:
    r"""One simulation to run.

    Parameters
    ----------
    text
        The complete deck.
    outputs
        Vectors that the result must contain, as in `.save`: `v(out)`, `i(vdd)`.
    stop
        Expected end of the sweep (s, Hz, V, ...); None for an operating point, or to take it from the analysis card.
    timeout
        Wall-clock limit, s.
    options
        Further `.option` values, which override those of the deck. Some names are for the harness: `ngbehavior` sets
        the compatibility mode; `simulator` names a backend of another simulator, whatever the call asks for; `osdi` (a
        compiled model, for ngspice), `verilog_a` (the same as source, for VACASK) and `startup` (a start-up file of
        ngspice) are paths and may be repeated.
    folder
        Folder from which relative includes of the deck start; None is the working folder.
    includes
        Further files that the result depends on; those named by `.include` and `.lib` are found automatically.
    trust
        Allow what is refused otherwise: commands in included files, and commands of the deck that start programs or
        write outside of the run's folder.
    seed
        Seed of the engine's random functions; None draws one for a deck that has any.
    tag
        Label of the caller, returned with the result; not part of the cache key.

    Examples
    --------
    >>> Job(text="divider\nV1 a 0 1\nR1 a 0 1e3\n.op\n.end\n", outputs=("i(v1)",)).timeout
    120.0
    """

    text: str
    outputs: tuple[str, ...]
    stop: float | None = None
    timeout: float = 120.0
    options: tuple[tuple[str, str], ...] = ()
    folder: str | None = None
    includes: tuple[str, ...] = ()
    tag: str = ""
    trust: bool = False
    seed: int | None = None

    def told(self, option: str) -> tuple[str, ...]:
        """Values of one of the harness's own options."""
        return tuple(value for name, value in self.options if name == option)


@dataclass(frozen=True, slots=True)
class Signal:
    """One vector of a result; `unit` is V, A, s, Hz or '' as the engine's raw file declares it."""

    name: str
    unit: str
    values: FloatArray | NDArray[np.complex128]


@dataclass(frozen=True, slots=True)
class RunProvenance:
    """Enough to repeat a run and to trust it: hashes, versions, backend, cost.

    inputs: (name in the deck, file that was read, its SHA-256) of included files, data files and code models; files
    that those include count together. variables: environment variables in their names, with their values. sandbox: what
    surrounded the engine, or why there was none.
    """

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
    seed: int | None = None
    inputs: tuple[tuple[str, str, str], ...] = ()
    variables: tuple[tuple[str, str], ...] = ()
    sandbox: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """Outcome of a job.

    Parameters
    ----------
    verdict
        VerdictDecision of the simulation; only `Verdict.OK` is a result.
    signals
        Vectors by lower-case name, the sweep first (such as `time`); may be partial if the verdict is not ok.
    log
        The part of the engine's log that decided the verdict.
    provenance
        Hashes, versions, backend and cost of the run.
    tag
        Label of the job.
    measures
        Results of the deck's `.meas` cards by lower-case name; those of a second transient as `tran2.name`.

    Examples
    --------
    >>> Result(Verdict.TIMEOUT).ok
    False
    """

    verdict: Verdict
    signals: Mapping[str, Signal] = field(default_factory=dict)
    log: str = ""
    provenance: RunProvenance | None = None
    tag: str = ""
    measures: Mapping[str, float] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """True only for verdict `ok`."""
        return self.verdict is Verdict.OK
