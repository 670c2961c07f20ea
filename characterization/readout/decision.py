"""A column's decision by transistors: load, gain and noise of its readout, its reference, and drawn samples of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from characterization.noise import BOLTZMANN, charge_noise
from characterization.patterns import ColumnPattern, build_pattern
from characterization.procedures.mismatch import draw_deviations
from characterization.readout.comparator import threshold_sigmas
from characterization.readout.testbench import ReadoutTestbench
from characterization.testbench import Testbench
from interconnect.arrays import BoolArray, FloatArray
from netlists.case import Deviations
from netlists.column import ColumnDeck, column_deck
from netlists.equivalent import equivalent_case
from netlists.readout.decision import Decider, DeciderInput, DecisionNoise, input_load_deck
from ngspice_runner import EngineError, Job, Result, Verdict, run_many

_STAGES = 3
_GRID = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionSigmas:
    """Standard deviations of what is drawn as voltages at the comparator's inputs, V; see `DecisionNoise`."""

    reset: float
    sample: float
    replica: float
    comparator: float

    @property
    def total(self) -> float:
        """Root of the sum of squares, V."""
        return float(np.sqrt(self.reset**2 + self.sample**2 + self.replica**2 + self.comparator**2))


def input_load(bench: ReadoutTestbench, decider: Decider, level: float) -> float:
    """Small-signal capacitance (F) of the decider's input at `level` V while it samples, by ngspice."""
    deck = input_load_deck(bench.technology, bench.condition, decider, top=min(2 * level, bench.condition.vdd),
                           reference=level)  # fmt: skip
    (waves,) = bench.run([deck])
    ((start, stop),) = deck.reads
    when = (start + stop) / 2 + np.linspace(-0.05, 0.05, 21) * (stop - start)
    slope = min(2 * level, bench.condition.vdd) / (stop - start)
    return float(-np.mean(waves.at("i(v_in)", when)) / slope)


def switch_noise(load: float, total: float, kelvin: float) -> tuple[float, float]:
    """(sampling, replica) noise that the opening switches leave on their capacitors, rms V.

    A capacitor `load` that shares a fixed charge with the rest of `total` (F, both together) fluctuates by
    k T (total - load) / (load total); with a source behind it, as the replica, by k T / load.
    """
    kt = BOLTZMANN * kelvin
    return float(np.sqrt(kt * (total - load) / (load * total))), charge_noise(load, kelvin)


def decision_deck_of(
    setup: Testbench, decision: DeciderInput, pattern: ColumnPattern, deviations: Deviations | None = None
) -> ColumnDeck:
    """The deck of one decision about a pattern at the first condition; idle rows are one equivalent load."""
    case = pattern.case(setup.columns, setup.ones, deviations)
    model = setup.model
    if case.active < case.rows:
        model, case = equivalent_case(model, case, where="merged")
    return column_deck(
        setup.technology, model, setup.periphery, setup.timing, setup.conditions[0], case, decision=decision
    )


@dataclass(frozen=True, slots=True)
class SampledLevels:
    """Levels of one decision, V: the bit line when it is read, and both samples once their switches are open."""

    line: float
    sampled: float
    replica: float
    above: bool | None

    @classmethod
    def of(cls, setup: Testbench, decider: Decider, deck: ColumnDeck, result: Result) -> SampledLevels:
        """above: whether the comparator found the column above the reference; None where it had not decided."""
        time = np.asarray(result.signals["time"].values, dtype=np.float64)

        def at(name: str, when: float) -> float:
            return float(np.interp(when, time, np.asarray(result.signals[name.lower()].values, dtype=np.float64)))

        opened = setup.timing.read_at + 0.95 * decider.clock_delay
        yes, no = (at(f"v({name})", time[-1]) / setup.conditions[0].vdd for name in ("out_p", "out_n"))
        clear = max(yes, no) > 0.8 and min(yes, no) < 0.2
        return cls(
            at(deck.target, setup.timing.read_at), at("v(sampled)", opened), at("v(replica)", opened),
            yes > no if clear else None,
        )  # fmt: skip


def read_decisions(
    setup: Testbench, bench: ReadoutTestbench, decider: Decider, decks: Sequence[ColumnDeck]
) -> list[SampledLevels]:
    """Simulate nominal decks. Raises EngineError for one that fails."""
    results = _results(setup, bench, decks)
    for deck, result in zip(decks, results, strict=True):
        if not result.ok:
            raise EngineError(f"decision: {deck.title}: verdict {result.verdict.value}: {result.log[:300]}")
    return [SampledLevels.of(setup, decider, d, r) for d, r in zip(decks, results, strict=True)]


def _results(setup: Testbench, bench: ReadoutTestbench, decks: Sequence[ColumnDeck]) -> list[Result]:
    jobs = [Job(d.text, d.outputs, stop=d.stop, timeout=setup.timeout, tag=d.title) for d in decks]
    return list(run_many(jobs, workers=bench.workers, cache=bench.cache, backend="batch"))


@dataclass(frozen=True, slots=True)
class ConverterCalibration:
    """What a calibrated converter knows of the nominal column, by ngspice.

    reference: V at which it decides between `count` and the next. gain: change of the sample per change of the bit
    line. switches: see `switch_spread`. spacing: V of a count at the comparator; level: V there, midway between both
    counts.
    """

    reference: float
    gain: float
    switches: float
    spacing: float
    level: float


def calibrate_reference(
    setup: Testbench,
    bench: ReadoutTestbench,
    decider: Decider,
    active: int,
    count: int,
    *,
    patterns: int = 8,
    seed: int = 11,
) -> ConverterCalibration:
    """Set the reference as the readout table assumes it: on the line through the levels without and with all counts.

    Nominal devices throughout. The table's thresholds stand (count + 1/2) steps above the level of `active` rows
    without counts, a step being the mean one with all rows active; levels are means over drawn patterns. Kickback and
    the replica's own injection are taken out by finding the reference at which the comparator changes its mind.
    Raises EngineError when it does not within +-16 mV.
    """

    def drawn(a: int, c: int, index: int) -> ColumnPattern:
        parts = np.random.SeedSequence([seed, a, c, index])
        return build_pattern("drawn", setup.rows, a, c, setup.columns, parts, setup.ones)

    at = decider_middle(setup)
    ends = [(active, 0), (setup.rows, 0), (setup.rows, setup.rows), (active, count), (active, count + 1)]
    decks = [
        decision_deck_of(setup, DeciderInput(decider=decider, reference=at), drawn(a, c, i))
        for a, c in ends
        for i in range(patterns)
    ]
    readings = read_decisions(setup, bench, decider, decks)
    line, sampled = (
        np.array([getattr(r, name) for r in readings]).reshape(len(ends), patterns).mean(axis=1)
        for name in ("line", "sampled")
    )
    step = (sampled[2] - sampled[1]) / setup.rows
    threshold = float(sampled[0] + (count + 0.5) * step)
    # Replica's sample against reference, from a second reference near the first.
    pattern = drawn(active, count, 0)
    own = read_decisions(
        setup,
        bench,
        decider,
        [
            decision_deck_of(setup, DeciderInput(decider=decider, reference=v), pattern)
            for v in (threshold, threshold + 20e-3)
        ],
    )
    slope = (own[1].replica - own[0].replica) / 20e-3
    start = threshold + (own[0].sampled - own[0].replica) / slope
    low, high = start - 16e-3, start + 16e-3
    for _ in range(_STAGES):
        grid = np.linspace(low, high, _GRID + 1)
        found = read_decisions(
            setup,
            bench,
            decider,
            [decision_deck_of(setup, DeciderInput(decider=decider, reference=float(v)), pattern) for v in grid],
        )
        below = [r.above is True for r in found]
        if not below[0] or below[-1]:
            raise EngineError("decision: the nominal comparator does not switch near the sampled level")
        last = max(i for i, b in enumerate(below) if b)
        low, high = float(grid[last]), float(grid[last + 1])
    # That reference matches the pattern's own sample; the threshold lies elsewhere by their difference.
    reference = (low + high) / 2 + (threshold - own[0].sampled) / slope
    gain = float((sampled[4] - sampled[3]) / (line[4] - line[3]))
    switches = switch_spread(setup, bench, decider, active, count, reference, seed=seed)
    return ConverterCalibration(reference, gain, switches, float(step), float((sampled[3] + sampled[4]) / 2))


def switch_sigmas(setup: Testbench, decider: Decider) -> tuple[float, float]:
    """Pelgrom's sigma (V) of the thresholds of a sampling switch's NMOS and PMOS."""
    d, width, length = setup.technology.devices, decider.sampler.switch_width, decider.comparator.length
    return d.sigma_vth("nmos", width, length), d.sigma_vth("pmos", width, length)


def switch_spread(
    setup: Testbench,
    bench: ReadoutTestbench,
    decider: Decider,
    active: int,
    count: int,
    reference: float,
    *,
    seed: int = 11,
) -> float:
    """Spread (V) of the difference of both opened samples from the thresholds of both sampling switches, by ngspice.

    An opening switch injects charge that depends on its threshold. Each of the four transistors is shifted by one sigma
    in turn; their effects are independent and small enough to add as squares.
    """
    seeds = np.random.SeedSequence([seed, active, count, 0])
    pattern = build_pattern("drawn", setup.rows, active, count, setup.columns, seeds, setup.ones)
    n, p = switch_sigmas(setup, decider)
    shifts = [((0.0, 0.0), (0.0, 0.0))]
    shifts += [(s, (0.0, 0.0)) for s in ((n, 0.0), (0.0, p))] + [((0.0, 0.0), s) for s in ((n, 0.0), (0.0, p))]
    decks = [
        decision_deck_of(
            setup,
            DeciderInput(decider=decider, reference=reference, sampler_shifts=own, replica_shifts=replica),
            pattern,
        )
        for own, replica in shifts
    ]
    nominal, *shifted = (r.sampled - r.replica for r in read_decisions(setup, bench, decider, decks))
    return float(np.sqrt(np.sum((np.array(shifted) - nominal) ** 2)))


def decider_middle(setup: Testbench) -> float:
    """A reference to begin with, V: half of what a column of all ones can reach at most."""
    return setup.conditions[0].vdd / 8


@dataclass(frozen=True, slots=True)
class BruteForce:
    """Drawn decisions that were simulated.

    counts, wrong: (samples,), without failed ones. difference: (samples,), V, of both opened samples, before noise;
    drawn: (samples,), V, of the drawn noise, sign as the difference. undecided: comparators that had not decided in
    time (counted as wrong). failed: simulations without the verdict ok. cpu_seconds: of ngspice, for `fresh` decks
    not in the cache.
    """

    counts: FloatArray
    wrong: BoolArray
    difference: FloatArray
    drawn: FloatArray
    undecided: int
    failed: int
    cpu_seconds: float
    fresh: int


def count_errors(
    setup: Testbench,
    bench: ReadoutTestbench,
    decider: Decider,
    reference: float,
    sigmas: DecisionSigmas,
    *,
    active: int,
    count: int,
    samples: int,
    seed: int,
) -> BruteForce:
    """Decide `samples` drawn chips, half of them of `count` and half of the next one; wrong if on the other side.

    Every sample draws rows, neighbours, place, cells, the thresholds of every row driver, reset switch, sampling switch
    and comparator transistor, and the voltages of `sigmas`.
    """
    thresholds = threshold_sigmas(bench, decider.comparator)
    switch = switch_sigmas(setup, decider)
    decks, counts, noises = [], [], []
    for i in range(samples):
        root = np.random.SeedSequence([seed, i])
        for_pattern, for_chip, for_readout = root.spawn(3)
        rng = np.random.default_rng(for_readout)
        stored = count + i % 2
        pattern = build_pattern("drawn", setup.rows, active, stored, setup.columns, for_pattern, setup.ones)
        z = rng.standard_normal(8)
        decision = DeciderInput(
            decider=decider,
            reference=reference,
            noise=DecisionNoise(
                reset=float(sigmas.reset * z[0]),
                sample=float(sigmas.sample * z[1]),
                replica=float(sigmas.replica * z[2]),
                comparator=float(sigmas.comparator * z[3]),
            ),
            comparator_shifts={
                name: float(x * sigma)
                for (name, sigma), x in zip(thresholds.items(), rng.standard_normal(len(thresholds)), strict=True)
            },
            sampler_shifts=(float(switch[0] * z[4]), float(switch[1] * z[5])),
            replica_shifts=(float(switch[0] * z[6]), float(switch[1] * z[7])),
        )
        decks.append(decision_deck_of(setup, decision, pattern, draw_deviations(setup, for_chip)))
        counts.append(stored)
        n = decision.noise
        noises.append(n.reset + n.sample + n.comparator - n.replica)
    results = _results(setup, bench, decks)
    wrong, kept, undecided, failed = [], [], 0, 0
    for deck, result, stored, noise in zip(decks, results, counts, noises, strict=True):
        if result.verdict is not Verdict.OK:
            failed += 1
            continue
        reading = SampledLevels.of(setup, decider, deck, result)
        undecided += reading.above is None
        wrong.append(reading.above is None or reading.above != (stored > count))
        kept.append((stored, reading.sampled - reading.replica, noise))
    fresh = {r.provenance.key: r.provenance for r in results if r.provenance and not r.provenance.cached}
    counts_kept, difference, drawn = np.array(kept, dtype=np.float64).reshape(-1, 3).T
    return BruteForce(
        counts_kept,
        np.array(wrong, dtype=bool),
        difference,
        drawn,
        undecided,
        failed,
        sum(p.cpu_seconds for p in fresh.values()),
        len(fresh),
    )
