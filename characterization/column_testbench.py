"""Runs a procedure's own decks: cached, judged, counted, and refused when ngspice did not vouch for them."""

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np

from characterization.campaign import CampaignOutcome, ProgressCallback, job_of, run_decks
from characterization.device_probe import check_devices
from characterization.failures import ProcedureError
from characterization.patterns import ColumnPattern, pattern_of
from characterization.testbench import Testbench
from interconnect.arrays import FloatArray
from netlists.case import ColumnStimulus
from netlists.column import ColumnDeck, column_deck
from netlists.condition import Condition
from netlists.periphery import Periphery, Timing
from netlists.readout.deck import ReadoutDeck
from ngspice_runner import Cache, Job, Result, RunProvenance, Workers, run_many

Runner = Callable[[Sequence[Job]], Sequence[Result]]


class ColumnTestbench:
    """The place where procedures measure.

    setup: what is measured. cache, workers, progress: as for `run_many`. decks: one readable deck per name, the first
    that ran under it.
    """

    def __init__(
        self,
        setup: Testbench,
        *,
        cache: Cache | None = None,
        workers: Workers = None,
        progress: ProgressCallback | None = None,
    ) -> None:
        self.setup = setup
        self.decks: dict[str, str] = {}
        self._cache, self._workers, self._progress = cache, workers, progress
        self._seen: dict[str, RunProvenance] = {}
        self._verdicts: dict[str, int] = {}
        self._counted = {"linear": 0, "closed_form": 0}

    def count(self, method: Literal["linear", "closed_form"], number: int) -> None:
        """Note levels that the exact linear network solved, or values that a formula gave, in place of ngspice."""
        self._counted[method] += number

    def run(
        self, name: str, decks: Sequence[ColumnDeck | ReadoutDeck], *, timeout: float | None = None
    ) -> list[Result]:
        """Results of the decks in their order. name: of the procedure and condition, for messages and files.

        timeout: s for one deck; the setup's by default.

        Raises EngineError when ngspice is missing, and ProcedureError when one of the decks did not end with the
        verdict ok: a procedure's few decks leave nothing to conclude from without one of them.
        """
        devices = self.setup.technology.devices
        if devices.from_library:
            check_devices(devices)
        jobs = [job_of(self.setup, d, timeout=timeout) for d in decks]
        results = list(run_many(jobs, workers=self._workers, cache=self._cache, progress=self._progress))
        for deck, result in zip(decks, results, strict=True):
            self.decks.setdefault(f"{name}.cir", deck.text)
            self._verdicts[result.verdict.value] = self._verdicts.get(result.verdict.value, 0) + 1
            if result.provenance is not None:
                self._seen.setdefault(result.provenance.key, result.provenance)
            if not result.ok:
                verdict = result.verdict.value
                what = f"{name}: {deck.title}: ngspice gave the verdict {verdict}: {result.log}"
                raise ProcedureError(what, verdict, deck.condition if isinstance(deck, ColumnDeck) else None)
        return results

    def deck(
        self,
        condition: Condition,
        case: ColumnStimulus,
        *,
        periphery: Periphery | None = None,
        timing: Timing | None = None,
        supply_resistance: float = 0.0,
    ) -> ColumnDeck:
        """The read of a case; periphery and timing are the setup's unless given (a chain has its own)."""
        s = self.setup.at(condition)
        return column_deck(
            s.technology,
            s.model,
            periphery or s.periphery,
            timing or s.timing,
            condition,
            s.simulated_case(case),
            supply_resistance=supply_resistance,
            chain=s.chain,
            inverter=s.inverter,
            reltol=s.reltol,
        )

    def levels(self, name: str, decks: Sequence[ColumnDeck]) -> FloatArray:
        """Levels (V or A) of the decks at their read, shape (decks,), sampled as the setup's converter does."""
        results = self.run(name, decks)
        return np.array([self.read(d, r)[0] for d, r in zip(decks, results, strict=True)])

    def read(self, deck: ColumnDeck, result: Result) -> tuple[float, float]:
        """(level in V or A, J drawn by the row drivers) of a result, sampled as the setup's converter does."""
        hold = self.setup.converter.integration_time if self.setup.unit == "A" else 0.0
        return run_decks(deck, result, double_sampling=self.setup.double_sampling, hold=hold)

    @property
    def outcome(self) -> CampaignOutcome:
        """What it took so far."""
        fresh = [p for p in self._seen.values() if not p.cached]
        return CampaignOutcome(
            (),
            simulated=len(fresh),
            cached=len(self._seen) - len(fresh),
            verdicts=dict(self._verdicts),
            cpu_seconds=sum(p.cpu_seconds for p in fresh),
            engine=next((p.engine for p in self._seen.values()), ""),
            linear=self._counted["linear"],
            closed_form=self._counted["closed_form"],
        )


def draw_pattern(setup: Testbench, name: str, active: int, count: int, index: int = 0) -> ColumnPattern:
    """A pattern of `pattern_of` for this setup; equal arguments draw equal patterns in every procedure."""
    seed = np.random.SeedSequence([setup.seed, 5, active, count, index])
    return pattern_of(setup, name, active, count, seed)


def stimulus_of(setup: Testbench, pattern: ColumnPattern) -> ColumnStimulus:
    """The column of a pattern in the setup's array."""
    return pattern.case(setup.columns, setup.ones)
