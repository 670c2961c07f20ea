"""Input noise of a StrongARM comparator: a formula of its operating point, and decisions under transient noise.

While the input pair charges its own drains, signal and noise current are integrated together: over a time t the white
noise 4 k T gamma gm of both transistors leaves 4 k T gamma / (gm t) of input voltage squared (P. Nuzzo et al., IEEE
Trans. Circuits Syst. I 55 (2008) 1441; B. Razavi, IEEE Solid-State Circuits Mag. 7 (2) (2015) 12). t ends when the
series pair conducts: it is cross-coupled, so that regeneration begins, and its own noise enters (`SERIES`, found by
transient noise). What the precharge left on the two drains, k T C of charge squared each with C = I t / V, adds
2 k T C / (gm t)^2.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from characterization.column_testbench import ColumnTestbench
from characterization.noise import BOLTZMANN
from characterization.testbench import Testbench
from interconnect.arrays import FloatArray
from netlists.column import ColumnDeck
from netlists.condition import Condition
from netlists.readout.chain import ReadoutChain
from netlists.readout.comparator_point import DIODE_SHARES, NoiseSource, comparator_point_deck
from netlists.readout.deck import ReadoutDeck
from netlists.readout.strongarm import StrongArm, decision_deck
from netlists.technology import Technology
from ngspice_runner import Result
from ngspice_runner.errors import EngineError

GAMMA = 2.0 / 3.0
"""Thermal noise of a long channel in saturation."""

SERIES = 1.8
"""Noise power of input and series pair together over that of the input pair: the series pair is noisy while
regeneration begins. Transient noise of three sizes gave 2.2 +- 0.5, 1.8 +- 0.3 and 1.7 +- 0.3."""

PROBE = 2e-3
"""V between the inputs of the decks behind the formula."""

PERIOD = 1e-9
"""s per decision."""

NODES = ("v(x_comparator.z_a)", "v(x_comparator.z_b)")
"""The regenerating nodes."""

TAIL_GATE = {"n": "v(clk)", "p": "v(x_comparator.clk_b)"}
"""Gate of the tail, by the type of the input pair."""

MOVED = 0.05
"""V by which the regenerating nodes have moved once the series pair conducts."""

Run = Callable[[str, Sequence[ColumnDeck | ReadoutDeck]], Sequence[Result]]


@dataclass(frozen=True, slots=True)
class ComparatorPoint:
    """A comparator at the start of its decision. current: A per branch; gm, same, other: S of an input, a series and a
    regenerating transistor; time: s of integration; noise: V rms at the input by the formula."""

    condition: str
    current: float
    gm: float
    same: float
    other: float
    time: float
    pair: float
    precharge: float

    @property
    def noise(self) -> float:
        """Both parts together, V rms."""
        return float(np.hypot(self.pair, self.precharge))


def comparator_point(
    setup: Testbench, bench: ColumnTestbench, chain: ReadoutChain, condition: Condition
) -> ComparatorPoint:
    """The chain's comparator at a condition, its inputs at the chain's common mode."""
    return point_of(setup.technology, condition, chain.comparator, chain.sampler.common_mode, bench.run)


def point_of(
    technology: Technology, condition: Condition, sizes: StrongArm, common_mode: float, run: Run
) -> ComparatorPoint:
    """Operating point, integration time and input noise of a comparator; `run` simulates decks."""
    decks = (
        comparator_point_deck(technology, condition, sizes, common_mode=common_mode, difference=PROBE),
        decision_deck(
            technology,
            condition,
            [PROBE],
            sizes=sizes,
            common_mode=common_mode,
            period=PERIOD,
            further=(*NODES, TAIL_GATE[sizes.input_type]),
        ),
    )
    still, moving = run(f"comparator_{condition.label}", decks)
    value = {name: float(np.real(s.values[-1])) for name, s in still.signals.items()}
    current = abs(value["i(v_a)"] + value["i(v_b)"]) / 2
    gm = abs(value["i(v_a)"] - value["i(v_b)"]) / PROBE
    span = (DIODE_SHARES[1] - DIODE_SHARES[0]) * current
    same, other = (span / abs(value[f"v(d_{n}_1)"] - value[f"v(d_{n}_0)"]) for n in ("same", "other"))
    time = _integration(moving, sizes, condition)
    thermal = BOLTZMANN * condition.kelvin
    pair = float(np.sqrt(4.0 * thermal * GAMMA * SERIES / (gm * time)))
    voltage = abs(value["v(d_same_0)"] + value["v(d_same_1)"]) / 2
    voltage = condition.vdd - voltage if sizes.input_type == "p" else voltage
    precharge = float(np.sqrt(2.0 * thermal * current * time / voltage) / (gm * time))
    return ComparatorPoint(condition.label, current, gm, same, other, time, pair, precharge)


def _integration(result: Result, sizes: StrongArm, condition: Condition) -> float:
    """s from the tail's turning on until the series pair conducts: the regenerating nodes have moved by `MOVED`."""
    gate = TAIL_GATE[sizes.input_type]
    t, on, a, b = (np.real(result.signals[n].values) for n in ("time", gate, *NODES))
    half = condition.vdd / 2
    turned = on > half if sizes.input_type == "n" else (on < half) & (t > PERIOD / 2)
    start = _crossing(t, on - half, int(np.argmax(turned)))
    mean = (a + b) / 2
    gone = np.abs(mean - float(np.interp(start, t, mean))) - MOVED
    after = np.flatnonzero((t > start) & (gone > 0))
    if not turned.any() or not after.size:
        raise EngineError("comparator noise: the series pair does not conduct within the period")
    return _crossing(t, gone, int(after[0])) - start


def _crossing(t: FloatArray, values: FloatArray, index: int) -> float:
    """Time at which values cross zero between `index` - 1 and `index`."""
    k = max(index, 1)
    return float(t[k - 1] - values[k - 1] * (t[k] - t[k - 1]) / (values[k] - values[k - 1]))


def noise_sources(point: ComparatorPoint, kelvin: float, step: float = 4e-12) -> tuple[NoiseSource, ...]:
    """White noise of input, series and regenerating transistors, each 4 k T gamma gm (A^2/Hz, one-sided) up to half of
    the rate 1 / step. The precharge's is not among them: a source would act on after it has ended."""

    def rms(gm: float) -> float:
        return float(np.sqrt(4.0 * BOLTZMANN * kelvin * GAMMA * gm / (2.0 * step)))

    return tuple(
        NoiseSource(f"{name}_{side}", f"{upper}_{side}", lower if lower in ("tail", "rail") else f"{lower}_{side}",
                    rms(gm), step)
        for name, upper, lower, gm in (
            ("in", "x", "tail", point.gm), ("same", "z", "x", point.same), ("other", "z", "rail", point.other)
        )
        for side in "ab"
    )  # fmt: skip


def transient_noise(
    technology: Technology,
    condition: Condition,
    sizes: StrongArm,
    point: ComparatorPoint,
    common_mode: float,
    run: Run,
    *,
    decisions: int = 300,
) -> tuple[float, float]:
    """(noise in V rms, its standard error) from the share of ones of `decisions` at a difference of 1.2 expected
    sigma, under transient noise sources (probit): to be compared with `ComparatorPoint.pair`."""
    difference = 1.2 * point.pair
    rail = "vdd" if sizes.input_type == "n" else "vss"
    sources = tuple(
        NoiseSource(s.name, s.a, rail if s.b == "rail" else s.b, s.rms, s.step)
        for s in noise_sources(point, condition.kelvin)
    )
    deck = decision_deck(
        technology,
        condition,
        [difference] * decisions,
        sizes=sizes,
        common_mode=common_mode,
        period=PERIOD,
        noise=sources,
    )
    (result,) = run(f"comparator_noise_{condition.label}", (deck,))
    t, q = (np.real(result.signals[n].values) for n in ("time", "v(q)"))
    ends = np.array([end for _, end in deck.windows]) - 0.02 * PERIOD
    share = float(np.mean(np.interp(ends, t, q) > 0.5 * condition.vdd))
    share = min(max(share, 0.5 / decisions), 1.0 - 0.5 / decisions)
    z = float(norm.ppf(share))
    error = float(np.sqrt(share * (1.0 - share) / decisions) / norm.pdf(z))
    return difference / z, abs(difference / z * error / z)
