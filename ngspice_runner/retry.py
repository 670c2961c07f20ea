"""The ladder that a simulation climbs when it does not converge, if the caller allows it (`retry=True`).

It is off unless asked for: a result made with other options is another numerical experiment. Only verdicts
`convergence` and `timestep` are tried again; each rung adds engine options on top of the job's own (those that the job
sets itself are left alone). The rung and its options stand in `provenance.retry`, and the plain job's failure stays
the answer to the plain job. No rung loosens a tolerance: reltol 1e-2 and gmin 1e-10 made a divider with a rippled
conductance "converge" to 0.30 V where 1.00 V is right.
"""

from dataclasses import dataclass

from ngspice_runner.job import Job, Verdict

RETRIED = frozenset({Verdict.CONVERGENCE, Verdict.TIMESTEP})


@dataclass(frozen=True, slots=True)
class RetryStep:
    """One step of the ladder: engine options to add."""

    name: str
    options: tuple[tuple[str, str], ...]


_PATIENCE = (("itl1", "1000"), ("itl2", "500"), ("itl4", "200"))
RETRY_STEPS = (
    RetryStep("patience", _PATIENCE),
    RetryStep("gear", (*_PATIENCE, ("method", "gear"))),
)
"""More iterations; then an integration that damps ringing as well. Defaults of ngspice 39 for comparison: itl1 100,
itl2 50, itl4 10, method trap."""


def options_of(rung: RetryStep, job: Job) -> tuple[tuple[str, str], ...]:
    """The rung's options without those that the job sets itself."""
    own = {name.lower() for name, _ in job.options}
    return tuple((name, value) for name, value in rung.options if name not in own)
