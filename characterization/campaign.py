"""Runs a list of planned simulations and turns each waveform into one sample."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic

import numpy as np

from characterization.campaign_accuracy import CampaignAccuracy, joined_accuracy
from characterization.dataset import Sample
from characterization.device_probe import check_devices
from characterization.testbench import Testbench
from interconnect.arrays import FloatArray
from netlists.case import ColumnStimulus
from netlists.column import ColumnDeck, column_deck
from netlists.condition import Condition
from netlists.readout.deck import ReadoutDeck
from ngspice_runner import (
    Cache,
    EngineError,
    Job,
    Progress,
    Result,
    RunInterrupted,
    RunProvenance,
    Verdict,
    Workers,
    run_many,
)
from ngspice_runner.accuracy import SHARE, is_sampled, run_finer, signal_errors, worst_errors

NO_EDGE = "no_edge"
"""Verdict of a read whose output has no edge within the ramp: the level is outside its range."""

ProgressCallback = Callable[[Progress], None]

TASKS_PER_BATCH = 2000
"""Decks written and waveforms held at a time."""

ACCURACY_SAMPLE = 500
"""One deck in so many is run once more with finer steps and tolerances: less than 1 % of a campaign's time."""


@dataclass(frozen=True, slots=True)
class Task:
    """One planned simulation: what is asked (`case` at `condition`) and how it is labelled."""

    procedure: str
    condition: Condition
    active: int
    count: int
    pattern: str
    draw: int
    case: ColumnStimulus


@dataclass(frozen=True)
class CampaignOutcome:
    """Samples in the order of the tasks, and what it took to get them.

    simulated, cached: distinct decks that were run now and that were found in the cache. linear: levels that the exact
    linear network gave instead. closed_form: values that a formula gave.
    """

    samples: tuple[Sample, ...]
    simulated: int
    cached: int
    verdicts: dict[str, int]
    cpu_seconds: float
    engine: str
    linear: int = 0
    closed_form: int = 0
    accuracy: CampaignAccuracy | None = None


def joined_outcome(outcomes: Sequence[CampaignOutcome]) -> CampaignOutcome:
    """Several campaigns as one; none as one without samples."""
    verdicts: Counter[str] = Counter()
    for outcome in outcomes:
        verdicts.update(outcome.verdicts)
    return CampaignOutcome(
        samples=tuple(s for o in outcomes for s in o.samples),
        simulated=sum(o.simulated for o in outcomes),
        cached=sum(o.cached for o in outcomes),
        verdicts=dict(verdicts),
        cpu_seconds=sum(o.cpu_seconds for o in outcomes),
        engine=outcomes[0].engine if outcomes else "",
        accuracy=joined_accuracy([o.accuracy for o in outcomes]),
    )


@dataclass(frozen=True, slots=True)
class SimulationCounts:
    """Work by method: ngspice (decks, run now or found in the cache), linear (levels of the exact linear network),
    closed_form (values of a formula; thermal noise counts once a condition). refined: labels of the conditions that a
    second stage gave more samples.
    """

    ngspice: int
    linear: int
    closed_form: int
    refined: tuple[str, ...] = ()


def deck_of(setup: Testbench, task: Task, *, save_row: bool = False) -> ColumnDeck:
    """The complete deck of a task; save_row: see `netlists.column.column_deck`."""
    s = setup.at(task.condition)
    return column_deck(
        s.technology,
        s.model,
        s.periphery,
        s.timing,
        task.condition,
        s.simulated_case(task.case),
        chain=s.chain,
        inverter=s.inverter,
        reltol=s.reltol,
        save_row=save_row,
    )


def job_of(setup: Testbench, deck: ColumnDeck | ReadoutDeck, *, timeout: float | None = None) -> Job:
    """A deck as the harness takes it, with what the setup's devices ask of the engine. timeout: s, the setup's by
    default.
    """
    return Job(
        deck.text,
        deck.outputs,
        stop=deck.stop,
        timeout=setup.timeout if timeout is None else timeout,
        options=setup.technology.devices.job_options,
        tag=deck.title,
    )


def run_tasks(
    setup: Testbench,
    tasks: Sequence[Task],
    *,
    cache: Cache | None = None,
    workers: Workers = None,
    progress: ProgressCallback | None = None,
    accuracy: int = ACCURACY_SAMPLE,
) -> CampaignOutcome:
    """Simulate every task (identical decks share one run) and measure the level at the sample instant.

    Waveforms are released batch by batch: memory grows with the samples, not with their time points. A failed
    simulation becomes a sample with its verdict and NaN; it is never dropped.

    Parameters
    ----------
    setup : Testbench
        The characterized group.
    tasks : Sequence[Task]
        The reads.
    cache : Cache, optional
        Results of earlier simulations.
    workers : Workers
        Where the simulations run.
    progress : ProgressCallback, optional
        Called after every simulation.
    accuracy : int
        One deck in so many, chosen by its hash, is run more finely for an error bar; 0 for none.

    Returns
    -------
    CampaignOutcome
        One sample per task, in their order.

    Raises
    ------
    EngineError
        When ngspice is missing, or lacks what a kit's transistors need.
    """
    devices = setup.technology.devices
    if devices.from_library:
        check_devices(devices)
    reads: list[_Read] = []
    known: dict[str, _Read] = {}
    bars: list[CampaignAccuracy | None] = []
    begun = monotonic()
    for start in range(0, len(tasks), TASKS_PER_BATCH):
        decks = [deck_of(setup, task) for task in tasks[start : start + TASKS_PER_BATCH]]
        texts = [hashlib.sha256(d.text.encode()).hexdigest() for d in decks]
        new = {text: deck for text, deck in zip(texts, decks, strict=True) if text not in known}
        jobs = [job_of(setup, deck) for deck in new.values()]
        again = len(decks) - len(new)  # read before: done at once
        tell = progress and _continued(progress, len(tasks), begun, reads, again)
        try:
            results = run_many(jobs, workers=workers, cache=cache, backend="persistent", progress=tell)
        except RunInterrupted as error:
            done = start + again + sum(r is not None for r in error.results)
            error.args = (f"interrupted after {done} of {len(tasks)} reads; {error.kept}",)
            raise
        for (text, deck), result in zip(new.items(), results, strict=True):
            known[text] = _read(setup, deck, result)
        reads += [known[text] for text in texts]
        picked = [
            i for i, (text, r) in enumerate(zip(new, results, strict=True)) if r.ok and is_sampled(text, accuracy)
        ]
        bars.append(_error_bars(setup, list(new.values()), jobs, results, picked, cache, workers))
    verdicts: dict[str, int] = {}
    for read in reads:
        verdicts[read.verdict] = verdicts.get(read.verdict, 0) + 1
    provenances = {r.provenance.key: r.provenance for r in known.values()}
    fresh = [p for p in provenances.values() if not p.cached]
    return CampaignOutcome(
        tuple(_sample(task, read) for task, read in zip(tasks, reads, strict=True)),
        simulated=len(fresh),
        cached=len(provenances) - len(fresh),
        verdicts=verdicts,
        cpu_seconds=sum(p.cpu_seconds for p in fresh),
        engine=next((p.engine for p in provenances.values()), ""),
        accuracy=joined_accuracy(bars),
    )


def _error_bars(
    setup: Testbench,
    decks: Sequence[ColumnDeck],
    jobs: Sequence[Job],
    results: Sequence[Result],
    picked: Sequence[int],
    cache: Cache | None,
    workers: Workers,
) -> CampaignAccuracy | None:
    """Error bars of some decks' signals and levels; None when none is picked."""
    if not picked:
        return None
    finer = run_finer([jobs[i] for i in picked], [results[i] for i in picked], cache=cache, workers=workers)
    good = [(i, fine) for i, fine in zip(picked, finer, strict=True) if fine.ok]
    levels = [(_read(setup, decks[i], results[i]).level, _read(setup, decks[i], fine).level) for i, fine in good]
    return CampaignAccuracy(
        len(good),
        len(picked) - len(good),
        max((abs(a - b) / SHARE for a, b in levels if a == a and b == b), default=float("nan")),
        worst_errors([signal_errors(results[i], fine) for i, fine in good]),
    )


@dataclass(frozen=True, slots=True)
class _Read:
    """What is kept of a result: level (V or A) and energy (J), NaN unless the verdict is ok."""

    level: float
    energy: float
    verdict: str
    provenance: RunProvenance


def _read(setup: Testbench, deck: ColumnDeck, result: Result) -> _Read:
    level = energy = float("nan")
    if result.ok:
        hold = setup.converter.integration_time if setup.unit == "A" else 0.0
        level, energy = run_decks(deck, result, double_sampling=setup.double_sampling, hold=hold)
    verdict = NO_EDGE if result.ok and np.isnan(level) else result.verdict.value
    return _Read(level, energy, verdict, _provenance(result))


def _sample(task: Task, read: _Read) -> Sample:
    return Sample(
        procedure=task.procedure,
        corner=task.condition.corner,
        vdd=task.condition.vdd,
        temperature=task.condition.temperature,
        rows=task.case.rows,
        active=task.active,
        count=task.count,
        pattern=task.pattern,
        draw=task.draw,
        level=read.level,
        row_energy=read.energy,
        verdict=read.verdict,
        deck=read.provenance.deck_sha256,
        beol=task.condition.beol,
    )


def _continued(
    progress: ProgressCallback, total: int, begun: float, before: Sequence[_Read], again: int
) -> ProgressCallback:
    """The report of one part reported as that of the whole: `before` was read when it began, `again` of it besides."""
    cached = again + sum(r.provenance.cached for r in before)
    failed = sum(r.verdict != Verdict.OK for r in before)
    done = len(before) + again

    def tell(state: Progress) -> None:
        progress(Progress(state.done + done, total, state.cached + cached, state.failed + failed, monotonic() - begun))

    return tell


def _provenance(result: Result) -> RunProvenance:
    if result.provenance is None:
        raise EngineError("the runner returned a result without provenance; it cannot be trusted")
    return result.provenance


def run_decks(
    deck: ColumnDeck, result: Result, *, double_sampling: bool = False, hold: float = 0.0
) -> tuple[float, float]:
    """(level at the sample instant, J drawn by the row drivers from the input edge to it) of an ok result.

    The level is interpolated linearly between the two engine points around the instant; with double sampling the level
    just before the input edge is subtracted. Of a readout by a ramp the level is what is left of it at the output's
    edge, NaN without one. The energy is the trapezoidal integral of -V i over the supply of the
    row drivers, of those of the lines between ground and the full level too, and its last power for `hold` s more (a
    current that is integrated goes on flowing).
    """
    if deck.read_at is None or deck.input_at is None:
        return float(_real(result, deck.target)[-1]), float("nan")
    time = _real(result, "time")
    line = _real(result, deck.target)
    if deck.target_minus:
        line = line - _real(result, deck.target_minus)
    level = float(np.interp(deck.read_at, time, line))
    if deck.edge is not None:
        level = deck.edge.left(time, line, _real(result, deck.edge.out))
    if double_sampling:
        level -= float(np.interp(deck.input_at, time, line))
    end = deck.read_at if deck.cycle_end is None else deck.cycle_end
    inside = time[(time > deck.input_at) & (time < end)]
    grid = np.concatenate([[deck.input_at], inside, [end]])
    power = -np.interp(grid, time, _real(result, deck.row_supply)) * deck.row_voltage
    for current, volts in deck.level_supplies:
        power = power - np.interp(grid, time, _real(result, current)) * volts
    return level, float(np.trapezoid(power, grid) + power[-1] * hold)


def _real(result: Result, name: str) -> FloatArray:
    return np.asarray(result.signals[name.lower()].values, dtype=np.float64)
