"""Codes of a readout chain by brute force against its model: reads of transistors under drawn noise, and a prediction.

A conversion is one transient of the column and the whole chain up to the bus: cells, row drivers, reset, follower,
select, bias, clamp and multiplexer drawn, their channels noisy. The converter is its twin (`converter_twin`), its
array's capacitors and its offset drawn, its table set as its circuit sets it: from the level of an idle read, found by
averaging, and the nominal shape of a replica's levels. The prediction knows nominal levels, the change of a level per
sigma of every device, and the noise procedure's figures; it has seen no drawn read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtr

from characterization.patterns import build_pattern
from characterization.procedures.mismatch import draw_deviations
from characterization.readout.chain_noise import ChainNoisePoint
from characterization.readout.chain_transient import drawn_currents
from characterization.readout.comparator_noise import Run
from characterization.readout.converter_twin import ConverterTwin
from characterization.testbench import Testbench, setup_chain
from interconnect.arrays import FloatArray, IntArray
from netlists.case import ColumnStimulus, Deviations
from netlists.column import ColumnDeck, column_deck
from netlists.equivalent import equivalent_case
from netlists.readout.chain import ReadoutChain
from netlists.readout.conversion import array_of
from ngspice_runner import Result

PATTERNS = 24
"""Drawn patterns behind a mean level."""

RELTOL = 1e-4
"""Of the engine, for reads under noise and nominal ones alike."""

DRAWS = 4000
"""Converters drawn for the spread of their thresholds, and parameter sets for the interval."""


@dataclass(frozen=True, slots=True)
class ConversionPoint:
    """What is converted: `active` driven rows of the setup's group, `count` of them counting (both even)."""

    active: int
    count: int

    @property
    def pair(self) -> tuple[int, int]:
        """Indices of the thresholds below and above the count."""
        return self.count - 1, self.count


@dataclass(frozen=True)
class ConversionPrediction:
    """Probability of a wrong code with its 95 % interval, and what it is made of, V at the bus.

    distances: of the mean level from the wanted thresholds below and above. static: devices, cells; pattern: place and
    neighbours; chain: thermal noise of the chain, array included; comparator: of a decision; converter: of the two
    thresholds that its array makes, and of its calibration. thresholds: wanted, one between every two counts.
    """

    value: float
    low: float
    high: float
    distances: tuple[float, float]
    static: float
    pattern: float
    chain: float
    comparator: float
    converter: float
    thresholds: FloatArray
    idle: float


@dataclass(frozen=True)
class CountedConversions:
    """Codes of drawn reads. bus: level at the first decision, V. cpu_seconds: of the engine, decks not in the cache."""

    codes: IntArray
    count: int
    bus: FloatArray
    cpu_seconds: float

    @property
    def wrong(self) -> int:
        """Codes that are not the count."""
        return int(np.sum(self.codes != self.count))


def search_chain(chain: ReadoutChain, active: int) -> ReadoutChain:
    """The chain with its rows driven until the last of the decisions among the counts of `active` rows."""
    return chain.held(active + 1)


def clock_edges(chain: ReadoutChain, active: int) -> FloatArray:
    """Clock edges of the decisions, s; the first clock decides nothing."""
    a = array_of(chain)
    edges = chain.timing.decides + a.cycle * np.arange(1, a.decisions(active + 1) + 1)
    out: FloatArray = np.asarray(edges, dtype=np.float64)
    return out


def column_read_deck(setup: Testbench, chain: ReadoutChain, case: ColumnStimulus, **further: object) -> ColumnDeck:
    """A read at the first condition; idle rows are one equivalent block."""
    model = setup.model
    if 0 < case.active < case.rows:
        model, case = equivalent_case(model, case, where="merged")
    return column_deck(
        setup.technology,
        model,
        setup.periphery,
        setup.timing,
        setup.conditions[0],
        case,
        chain=chain,
        reltol=RELTOL,
        **further,  # type: ignore[arg-type]
    )


def drawn_case(
    setup: Testbench, active: int, count: int, seed: np.random.SeedSequence, deviations: Deviations | None = None
) -> ColumnStimulus:
    """A drawn place and drawn data that give the count."""
    pattern = build_pattern("drawn", setup.rows, active, count, setup.columns, seed, setup.ones)
    return pattern.case(setup.columns, setup.ones, deviations)


def nominal_levels(setup: Testbench, run: Run, cases: Sequence[ColumnStimulus]) -> FloatArray:
    """Level of the bus (V) of reads without noise."""
    chain = setup_chain(setup)
    decks = [column_read_deck(setup, chain, case) for case in cases]
    out = [_at(r, "v(bus)", chain.timing.decides) for r in run("chain_conversions", decks)]
    return np.array(out)


def _at(result: Result, name: str, when: float) -> float:
    t, v = (np.real(result.signals[n].values) for n in ("time", name))
    return float(np.interp(when, t, v))


def wanted_thresholds(setup: Testbench, run: Run, active: int) -> tuple[FloatArray, float]:
    """(level of every threshold among the counts of `active` rows, level of an idle read), V.

    An idle read is the middle; the shape is that of a nominal replica column whose rows are all driven, at nine
    differences, by a polynomial of the fifth degree. A threshold lies midway between two differences.
    """
    rows = setup.rows - setup.rows % 2
    counts = np.unique(np.round(np.linspace(0, rows, 9)).astype(int))
    seeds = [np.random.SeedSequence([setup.seed, 61, i]) for i in range(8)]
    replica = [drawn_case(setup, rows, int(n), seeds[0]) for n in counts]
    idle = [drawn_case(setup, 0, 0, seed) for seed in seeds]
    levels = nominal_levels(setup, run, [*replica, *idle])
    shape = np.polynomial.Polynomial.fit(2.0 * counts - rows, levels[: counts.size], 5)
    middle = float(np.mean(levels[counts.size :]))
    steps = 2.0 * np.arange(active + 1) - active
    nominal = shape(steps) - shape(0.0)
    out: FloatArray = middle + (nominal[:-1] + nominal[1:]) / 2
    return out, middle


def static_spread(setup: Testbench, run: Run, point: ConversionPoint) -> float:
    """Sigma (V) of the level from the devices of the chain, the reset and the driven cells: one sigma of each in turn,
    the cells of one symbol together (their effects are alike)."""
    chain, devices = setup_chain(setup), setup.technology.devices
    seed = np.random.SeedSequence([setup.seed, 62])
    base = drawn_case(setup, point.active, point.count, seed)
    shifted: list[tuple[Deviations, int]] = [
        (Deviations(readout=((d.name, float(devices.sigma_vth(d.kind, d.width, d.length))),)), 1) for d in chain.devices
    ]
    reset = float(devices.sigma_vth("nmos", chain.segment.reset_width, setup.periphery.length))
    shifted.append((Deviations(reset=np.array([0.0, reset, 0.0])), 1))
    for symbol in (0, 1):
        chosen = (base.bits[:, 1] == symbol) & (base.inputs == 1)
        factor = np.ones(base.bits.shape)
        factor[chosen, 1] += setup.variation.cell_sigma
        shifted.append((Deviations(cell=factor), int(chosen.sum())))
    cases = [base, *(replace(base, deviations=d) for d, _ in shifted)]
    levels = nominal_levels(setup, run, cases)
    effects = (levels[1:] - levels[0]) ** 2 / np.array([number for _, number in shifted])
    return float(np.sqrt(effects.sum()))


def drawn_capacitors(twin: ConverterTwin, rng: np.random.Generator) -> FloatArray:
    """Factor on the capacitor of every bit: that of its units together."""
    a = twin.converter
    out: FloatArray = 1.0 + a.unit_sigma / np.sqrt(2.0 ** np.arange(a.bits)) * rng.standard_normal(a.bits)
    return out


def set_table(
    twin: ConverterTwin,
    thresholds: FloatArray,
    idle: float,
    spread: float,
    offset: float,
    capacitors: FloatArray,
    rng: np.random.Generator,
) -> IntArray:
    """Codes that a converter takes for wanted thresholds (V): it has averaged idle reads, whose sigma is `spread`."""
    near = twin.code_at(np.array([idle]))
    own = float((twin.threshold(near, capacitors) - twin.threshold(near))[0]) + offset
    found = own + spread / np.sqrt(twin.converter.replica_reads) * rng.standard_normal()
    return twin.code_at(thresholds - found)


def table_errors(
    twin: ConverterTwin, thresholds: FloatArray, idle: float, spread: float, offset_sigma: float, seed: int
) -> FloatArray:
    """What drawn converters miss their wanted thresholds by, V, shape (DRAWS, thresholds)."""
    out = []
    for i in range(DRAWS):
        rng = np.random.default_rng(np.random.SeedSequence([seed, 63, i]))
        capacitors, offset = drawn_capacitors(twin, rng), float(offset_sigma * rng.standard_normal())
        codes = set_table(twin, thresholds, idle, spread, offset, capacitors, rng)
        out.append(twin.threshold(codes, capacitors) + offset - thresholds)
    return np.array(out)


def predict_conversions(
    setup: Testbench,
    twin: ConverterTwin,
    noise: ChainNoisePoint,
    run: Run,
    point: ConversionPoint,
    *,
    offset_sigma: float,
    noise_error: float = 0.04,
) -> ConversionPrediction:
    """Probability that a code is not the count. The interval: percentiles over what the parameters are known to, the
    noise to `noise_error` of itself (its procedure against transient noise)."""
    thresholds, idle = wanted_thresholds(setup, run, point.active)
    seeds = [np.random.SeedSequence([setup.seed, 64, i]) for i in range(PATTERNS)]
    drawn = nominal_levels(setup, run, [drawn_case(setup, point.active, point.count, s) for s in seeds])
    level, pattern = float(drawn.mean()), float(drawn.std(ddof=1))
    static = static_spread(setup, run, point)
    share = np.array([(2.0 * point.count - point.active) / setup.rows])
    chain = float(noise.line(share)[0])
    comparator = twin.noise(level)
    spread = float(np.hypot(chain, comparator))
    errors = table_errors(twin, thresholds, idle, spread, offset_sigma, setup.seed)[:, list(point.pair)]
    below, above = (float(abs(level - thresholds[k])) for k in point.pair)

    def wrong(move: float, still: float, moving: float) -> float:
        sigma = float(np.hypot(still, moving))
        low, high = below + move - errors[:, 0], above - move + errors[:, 1]
        return float(np.mean(ndtr(-low / sigma) + ndtr(-high / sigma)))

    best = wrong(0.0, float(np.hypot(static, pattern)), spread)
    rng = np.random.default_rng(np.random.SeedSequence([setup.seed, 65]))
    values = []
    for _ in range(400):
        z = rng.standard_normal(3)
        still = float(np.hypot(static, pattern * (1.0 + z[0] / np.sqrt(2.0 * PATTERNS))))
        values.append(wrong(pattern / np.sqrt(PATTERNS) * z[1], still, spread * (1.0 + noise_error * z[2])))
    low, high = np.quantile(values, [0.025, 0.975])
    return ConversionPrediction(
        best, float(low), float(high), (below, above), static, pattern, chain, comparator,
        float(errors.std(axis=0).mean()), thresholds, idle,
    )  # fmt: skip


def count_conversions(
    setup: Testbench,
    twin: ConverterTwin,
    prediction: ConversionPrediction,
    conductances: dict[str, float],
    run: Run,
    point: ConversionPoint,
    *,
    offset_sigma: float,
    samples: int,
    seed: int,
) -> CountedConversions:
    """Convert `samples` drawn reads. Everything is drawn anew for each: data and place, cells, thresholds of every
    transistor of drivers and chain, noise currents, capacitors, offset and noise of the converter."""
    chain = search_chain(setup_chain(setup), point.active)
    edges = clock_edges(chain, point.active)
    kelvin = setup.conditions[0].kelvin
    spread = float(np.hypot(prediction.chain, prediction.comparator))
    codes, first, seconds = [], [], 0.0
    for begin in range(0, samples, 200):
        numbers = range(begin, min(begin + 200, samples))
        roots = [np.random.SeedSequence([seed, i]).spawn(4) for i in numbers]
        decks = [
            column_read_deck(
                setup,
                chain,
                drawn_case(setup, point.active, point.count, data, draw_deviations(setup, chip)),
                currents=drawn_currents(
                    chain, conductances, kelvin, np.random.default_rng(noisy), decisions=[float(e) for e in edges]
                ),
            )
            for data, chip, noisy, _ in roots
        ]
        results = run("chain_conversions", decks)
        seconds += sum(r.provenance.cpu_seconds for r in results if r.provenance and not r.provenance.cached)
        for (_, _, _, own), result in zip(roots, results, strict=True):
            rng = np.random.default_rng(own)
            capacitors, offset = drawn_capacitors(twin, rng), float(offset_sigma * rng.standard_normal())
            table = set_table(twin, prediction.thresholds, prediction.idle, spread, offset, capacitors, rng)
            bus = seen_levels(twin, result, edges)
            codes.append(twin.convert(bus, table, rng, offset=offset, capacitors=capacitors))
            first.append(_at(result, "v(bus)", chain.timing.decides))
    return CountedConversions(np.array(codes), point.count, np.array(first), seconds)


def seen_levels(twin: ConverterTwin, result: Result, edges: FloatArray) -> FloatArray:
    """Level of the bus at every decision, V, averaged with the comparator's aperture."""
    t, v = (np.real(result.signals[n].values) for n in ("time", "v(bus)"))
    aperture = twin.aperture(float(np.interp(edges[0], t, v)))
    delays, weights = np.array(aperture.delays), np.array(aperture.weights)
    out: FloatArray = np.interp(edges[:, None] + delays, t, v) @ (weights / weights.sum())
    return out
