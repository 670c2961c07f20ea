"""Ways to run a prepared job. A backend turns it into a `RawOutcome`; judging is the same for all and is done
elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from interconnect.registry import Registry

if TYPE_CHECKING:
    from ngspice_runner.engine import Engine
    from ngspice_runner.prepare import Prepared
    from ngspice_runner.raw import Plot


@dataclass(frozen=True, slots=True)
class RawOutcome:
    """What a backend saw, unjudged.

    exit_code: of the engine, negative = signal, None when a backend has none. log: standard output and error together.
    plots: what the raw file (or the engine's memory) held, None if there was no file. raw_problem: why the raw file
    could not be taken at its word (a sentence), with raw_reason killed, truncated or malformed. engine: its version as
    it reported it itself, where that is known only after it ran. repeated: why the job was run once more (a sentence).
    """

    exit_code: int | None
    timed_out: bool
    cancelled: bool
    log: str
    plots: tuple[Plot, ...] | None
    raw_problem: str
    raw_reason: str
    cpu_seconds: float
    wall_seconds: float
    engine: str = ""
    repeated: str = ""


def merge_outcomes(outcomes: Sequence[RawOutcome]) -> RawOutcome:
    """The outcomes of a deck's runs as one, plots in the order of the runs; what is wrong is that of the first that
    failed."""
    if len(outcomes) == 1:
        return outcomes[0]
    wrong = next((o for o in outcomes if o.raw_problem), outcomes[0])
    return RawOutcome(
        exit_code=next((o.exit_code for o in outcomes if o.exit_code), outcomes[0].exit_code),
        timed_out=any(o.timed_out for o in outcomes),
        cancelled=any(o.cancelled for o in outcomes),
        log="\n".join(o.log for o in outcomes),
        plots=tuple(plot for o in outcomes for plot in o.plots or ()) or None,
        raw_problem=wrong.raw_problem,
        raw_reason=wrong.raw_reason,
        cpu_seconds=sum(o.cpu_seconds for o in outcomes),
        wall_seconds=sum(o.wall_seconds for o in outcomes),
        engine=outcomes[0].engine,
        repeated=next((o.repeated for o in outcomes if o.repeated), ""),
    )


class Backend(Protocol):
    """Anything that can run a prepared job."""

    name: str

    def engine_for(self, engine: Engine) -> Engine:
        """The engine that this backend runs, given the executable found; it belongs to the cache key."""
        ...

    def refuses(self, prepared: Prepared) -> str:
        """Why this kind of job must be run by an engine process of its own (a clause); empty when it need not."""
        ...

    def run(self, prepared: Prepared) -> RawOutcome:
        """Run one job to its end, its timeout or its cancellation. Raises EngineError if the engine cannot be
        started."""
        ...

    def view(self, prepared: Prepared) -> RawOutcome | None:
        """Load a deck that simulates nothing, for what it prints; None where this backend cannot."""
        ...

    def cancel(self) -> None:
        """End everything that is running; later calls of `run` return at once as cancelled."""
        ...

    def close(self) -> None:
        """Give back what is kept between runs; a later run starts anew."""
        ...


@runtime_checkable
class OtherSimulator(Backend, Protocol):
    """A backend of another simulator than ngspice: nothing is run again by ngspice, its verdict stands."""

    engine: Engine


BACKENDS: Registry[Callable[[], Backend]] = Registry(
    "backend",
    group="metalrom.backends",
    built_in={
        "process": "ngspice_runner.backends.process:ProcessBackend",
        "batch": "ngspice_runner.backends.process:ProcessBackend",  # for what `batch` cannot group
        "persistent": "ngspice_runner.backends.persistent:PersistentBackend",
        "shared": "ngspice_runner.backends.shared:SharedBackend",
        "vacask": "ngspice_runner.backends.vacask:VacaskBackend",
    },
)
"""Ways to run a job; an item is the backend's class, or a function that makes one."""
