"""Input noise of a StrongARM comparator from its own sensitivity: no fitted factor.

Up to the time at which its outputs part, a clocked comparator is a linear circuit whose elements change with time: a
charge put onto a node at time t moves the difference of the regenerating nodes, read a little later, by Gamma(t) times
the charge, and a difference of the inputs moves it by G (J. Kim, B. S. Leibowitz, M. Jeeradit, IEEE Trans. Circuits
Syst. I 56 (2009) 1845). Both are measured on the transistors, by pulses of charge in one transient. White noise of
density 4 k T g(t) in both halves then leaves the input variance

    4 k T / G^2  integral of g(t) Gamma(t)^2 dt

summed over the input pair (into the drains x), the series pair (from x to z), the regenerating pair and the precharge
(x and z). What a textbook calls the precharge's k T / C is the last part: its integral ends as the precharge opens.
g = 2/3 gm + gds of every transistor as it moves: 2/3 gm in saturation, gds where it is a resistor; within 1 to 8 % of
what the engine's noise analysis finds for these transistors. gm(t) Gamma(t) / G is the aperture: with which weight the
comparator averages its input over time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from characterization.column_testbench import ColumnTestbench
from characterization.noise import BOLTZMANN
from characterization.testbench import Testbench
from interconnect.arrays import FloatArray
from netlists.column import ColumnDeck
from netlists.condition import Condition
from netlists.readout.chain import ReadoutChain
from netlists.readout.comparator_probe import BranchCurrent, charge_pulses
from netlists.readout.deck import POWER_UP, ReadoutDeck
from netlists.readout.strongarm import StrongArm, decision_deck
from netlists.technology import Technology
from ngspice_runner import Result
from ngspice_runner.errors import EngineError

GAMMA = 2.0 / 3.0
"""Thermal noise of a long channel in saturation."""

DIFFERENCE = 1e-3
"""V between the inputs behind G."""

GAIN = 40.0
"""G at which the regenerating nodes are read: noise that comes later counts little, and they still are linear."""

CHARGE = 1e-18
"""C of a probe per metre of input width and micrometre: about as large an effect as `DIFFERENCE`."""

PERIOD = 1.6e-9
"""s per decision."""

BEFORE, AROUND, FINE, COARSE = 40e-12, 45e-12, 5e-12, 12e-12
"""s: probes begin before the clock's edge, stand close around it and wider later."""

SIDES = ("a", "b")
DEVICES = ("in", "same", "other", "pre_x", "pre_z")
BRANCH = {"in": "x", "same": "zx", "other": "z", "pre_x": "x", "pre_z": "z"}
"""Where a transistor's noise current enters; the series pair carries it from x to z."""

NODES = ("v(x_comparator.z_a)", "v(x_comparator.z_b)")
"""The regenerating nodes."""

Run = Callable[[str, Sequence[ColumnDeck | ReadoutDeck]], Sequence[Result]]


def normal_density(z: float) -> float:
    """Density of the standard normal distribution."""
    return float(np.exp(-0.5 * z * z) / np.sqrt(2.0 * np.pi))


@dataclass(frozen=True, slots=True)
class ComparatorPoint:
    """A comparator's input noise, V rms by part, and its aperture.

    gain: G, times which a difference of the inputs appears at the regenerating nodes `time` (s) after the clock's edge.
    gm: S, of an input transistor, mean over the aperture. delays, weights: s after the clock's edge and share of the
    aperture there.
    """

    condition: str
    gain: float
    gm: float
    time: float
    input: float
    series: float
    regeneration: float
    precharge: float
    delays: tuple[float, ...]
    weights: tuple[float, ...]

    @property
    def noise(self) -> float:
        """All parts together, V rms."""
        return float(np.sqrt(self.input**2 + self.series**2 + self.regeneration**2 + self.precharge**2))

    @property
    def delay(self) -> float:
        """Mean of the aperture, s after the clock's edge."""
        return float(np.average(self.delays, weights=self.weights))

    def pass_band(self, frequency: FloatArray) -> FloatArray:
        """Share of the power at a frequency (Hz) of the input that a decision sees."""
        delays = np.arange(self.delays[0], self.delays[-1], 1e-12)
        weights = np.interp(delays, self.delays, np.array(self.weights) / np.gradient(self.delays))
        phase = np.exp(-2j * np.pi * np.multiply.outer(np.minimum(frequency, 2e11), delays))
        out: FloatArray = np.abs(phase @ weights / np.sum(weights)) ** 2
        return out


@dataclass(frozen=True)
class ComparatorSensitivity:
    """What the probes found: `times` after the clock's edge (s), `x`, `z`: V per C into one drain, one regenerating
    node; conductances: g of every kind of transistor over `clock` (s after the edge), S."""

    point: ComparatorPoint
    times: FloatArray
    x: FloatArray
    z: FloatArray
    clock: FloatArray
    conductances: dict[str, FloatArray]


def comparator_point(
    setup: Testbench, bench: ColumnTestbench, chain: ReadoutChain, condition: Condition
) -> ComparatorPoint:
    """The chain's comparator at a condition, its inputs at the chain's common mode."""
    return point_of(setup.technology, condition, chain.comparator, chain.sampler.common_mode, bench.run)


def point_of(
    technology: Technology, condition: Condition, sizes: StrongArm, common_mode: float, run: Run
) -> ComparatorPoint:
    """Input noise and aperture of a comparator; `run` simulates decks."""
    return sensitivity_of(technology, condition, sizes, common_mode, run).point


def sensitivity_of(
    technology: Technology, condition: Condition, sizes: StrongArm, common_mode: float, run: Run
) -> ComparatorSensitivity:
    """Probe a comparator: two decks of a few hundred nanoseconds of circuit time in all."""
    saved = tuple(f"@m.x_comparator.m_{d}_a[{what}]" for d in DEVICES for what in ("gm", "gds"))

    def decisions(differences: Sequence[float], further: Sequence[str], sources: Sequence[BranchCurrent]) -> Result:
        deck = decision_deck(
            technology,
            condition,
            differences,
            sizes=sizes,
            common_mode=common_mode,
            period=PERIOD,
            further=further,
            sources=sources,
            reltol=1e-4,
            max_step=10e-12,
        )
        (result,) = run(f"comparator_{condition.label}", (deck,))
        return result

    still = decisions([0.0, DIFFERENCE], (*NODES, *saved), ())
    t, z = difference_of(still)
    first, second = POWER_UP + PERIOD / 2, POWER_UP + 1.5 * PERIOD
    clock = np.arange(-PERIOD / 2, PERIOD / 2, 1e-12)
    response = np.abs(np.interp(second + clock, t, z) - np.interp(first + clock, t, z)) / DIFFERENCE
    late = np.flatnonzero((clock > 0) & (response > GAIN))
    if not late.size:
        raise EngineError("comparator noise: the comparator does not regenerate within its period")
    read, gain = float(clock[late[0]]), float(response[late[0]])
    times = np.concatenate([np.arange(-BEFORE, AROUND, FINE), np.arange(AROUND, read, COARSE), [read]])[:-1]
    charge = CHARGE * sizes.input_width / 1e-6
    x, z_response = (_responses(decisions, branch, times, charge, read) for branch in "xz")
    conductances = {d: _conductance(still, d, first + clock) for d in DEVICES}
    gm = np.interp(first + clock, t, np.real(still.signals["@m.x_comparator.m_in_a[gm]"].values))
    point = _point(condition, read, gain, times, x, z_response, clock, conductances, gm)
    return ComparatorSensitivity(point, times, x, z_response, clock, conductances)


def difference_of(result: Result) -> tuple[FloatArray, FloatArray]:
    """(time in s, difference of the regenerating nodes in V)."""
    t, a, b = (np.real(result.signals[n].values) for n in ("time", *NODES))
    return t, a - b


def _responses(
    decisions: Callable[[Sequence[float], Sequence[str], Sequence[BranchCurrent]], Result],
    branch: str,
    times: FloatArray,
    charge: float,
    read: float,
) -> FloatArray:
    """V per C: half of the charge into side a and as much out of side b, one decision per probe time."""
    edges = POWER_UP + PERIOD / 2 + PERIOD * np.arange(times.size + 1)
    when = [float(t) for t in edges[1:] + times]
    probes = tuple(
        charge_pulses(f"probe_{branch}_{side}", f"{branch}_{side}", when, sign * charge / 2)
        for side, sign in zip(SIDES, (1.0, -1.0), strict=True)
    )
    t, z = difference_of(decisions([0.0] * (times.size + 1), NODES, probes))
    found = np.interp(edges + read, t, z)
    out: FloatArray = np.abs(found[1:] - found[0]) / charge
    return out


def _conductance(result: Result, device: str, times: FloatArray) -> FloatArray:
    t = np.real(result.signals["time"].values)
    gm, gds = (
        np.interp(times, t, np.abs(np.real(result.signals[f"@m.x_comparator.m_{device}_a[{what}]"].values)))
        for what in ("gm", "gds")
    )
    out: FloatArray = GAMMA * gm + gds
    return out


def _point(
    condition: Condition,
    read: float,
    gain: float,
    times: FloatArray,
    x: FloatArray,
    z: FloatArray,
    clock: FloatArray,
    conductances: dict[str, FloatArray],
    gm: FloatArray,
) -> ComparatorPoint:
    inside = (clock >= times[0]) & (clock <= times[-1])
    when = clock[inside]
    at = {"x": np.interp(when, times, x), "z": np.interp(when, times, z)}
    at["zx"] = at["z"] - at["x"]

    def power(device: str) -> float:
        density = conductances[device][inside] * at[BRANCH[device]] ** 2
        return float(4.0 * BOLTZMANN * condition.kelvin * np.trapezoid(density, when) / gain**2)

    aperture = np.interp(times, clock, np.abs(gm)) * x
    share = aperture * np.gradient(times)
    return ComparatorPoint(
        condition=condition.label,
        gain=gain,
        gm=float(np.average(np.interp(times, clock, np.abs(gm)), weights=share)),
        time=read,
        input=float(np.sqrt(power("in"))),
        series=float(np.sqrt(power("same"))),
        regeneration=float(np.sqrt(power("other"))),
        precharge=float(np.sqrt(power("pre_x") + power("pre_z"))),
        delays=tuple(float(v) for v in times),
        weights=tuple(float(v) for v in share / np.sum(share)),
    )
