"""Noise of a comparator by decisions under drawn noise currents, against what its sensitivity predicts.

The sensitivity also says what the very currents of a decision leave on the regenerating nodes. That is a control
variate of the nodes and of the decision: what it predicts has a known spread, and only what it leaves is sampled.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from characterization.noise import BOLTZMANN
from characterization.readout.comparator_noise import (
    BEFORE,
    BRANCH,
    DEVICES,
    NODES,
    PERIOD,
    SIDES,
    ComparatorSensitivity,
    Run,
    difference_of,
    normal_density,
)
from interconnect.arrays import BoolArray, FloatArray
from netlists.condition import Condition
from netlists.readout.comparator_probe import BranchCurrent
from netlists.readout.deck import POWER_UP
from netlists.readout.strongarm import StrongArm, decision_deck
from netlists.technology import Technology

TARGET = 1.2
"""Expected sigmas of the difference between the inputs."""

STEP, AFTER, PER_DECK = 4e-12, 60e-12, 20
"""s between independent values of a noise current; s by which it outlasts the reading; decisions of a deck."""


def noise_currents(
    found: ComparatorSensitivity, sizes: StrongArm, kelvin: float, starts: Sequence[float], rng: np.random.Generator
) -> tuple[BranchCurrent, ...]:
    """Drawn noise currents of every transistor of both halves during the decisions of the periods that begin at
    `starts` (s): independent values every `STEP`, linear between them, their density that of the moving transistor."""
    rail = {"n": "vdd", "p": "vss"}[sizes.input_type]
    times = (np.asarray(starts)[:, None] + PERIOD / 2 + _steps(found)).ravel()
    out = []
    for device, side, drawn in _drawn(found, kelvin, len(starts), rng):
        upper = {"x": "x", "z": "z", "zx": "z"}[BRANCH[device]]
        lower = {"in": "tail", "same": f"x_{side}"}.get(device, rail)
        corners = tuple((float(f"{t:.10g}"), float(f"{v:.6g}")) for t, v in zip(times, drawn.ravel(), strict=True))
        out.append(BranchCurrent(f"noise_{device}_{side}", f"{upper}_{side}", lower, ((0.0, 0.0), *corners)))
    return tuple(out)


def _steps(found: ComparatorSensitivity) -> FloatArray:
    return np.arange(-BEFORE, found.point.time + AFTER, STEP)


def _rms(found: ComparatorSensitivity, kelvin: float, device: str) -> FloatArray:
    """A, of a transistor's noise current at every step."""
    g = np.interp(_steps(found), found.clock, found.conductances[device])
    rms: FloatArray = np.sqrt(4.0 * BOLTZMANN * kelvin * g / (2.0 * STEP))
    rms[[0, -1]] = 0.0
    return rms


def _drawn(
    found: ComparatorSensitivity, kelvin: float, number: int, rng: np.random.Generator
) -> Iterator[tuple[str, str, FloatArray]]:
    """(transistor, side, its currents at the steps of so many decisions in A)."""
    for device in DEVICES:
        rms = _rms(found, kelvin, device)
        for side in SIDES:
            yield device, side, rng.standard_normal((number, rms.size)) * rms


def _effect(found: ComparatorSensitivity, device: str) -> FloatArray:
    """V at the regenerating nodes per A at every step, by the sensitivity."""
    steps = _steps(found)
    x, z = (np.interp(steps, found.times, values, left=0.0, right=0.0) for values in (found.x, found.z))
    return np.asarray({"x": x, "z": z, "zx": z - x}[BRANCH[device]] * STEP)


def linear_noise(found: ComparatorSensitivity, kelvin: float, number: int, rng: np.random.Generator) -> FloatArray:
    """V at the regenerating nodes that the sensitivity expects of the currents of `noise_currents`, (number,)."""
    out = np.zeros(number)
    for device, side, drawn in _drawn(found, kelvin, number, rng):
        out += (1.0 if side == SIDES[0] else -1.0) * (drawn @ _effect(found, device))
    return out


def linear_sigma(found: ComparatorSensitivity, kelvin: float) -> float:
    """Standard deviation of `linear_noise`, V."""
    parts = [np.sum((_rms(found, kelvin, d) * _effect(found, d)) ** 2) for d in DEVICES]
    return float(np.sqrt(len(SIDES) * np.sum(parts)))


@dataclass(frozen=True, slots=True)
class TransientNoise:
    """Noise of decisions under transient sources, V rms at the input, each with its standard error: `decided` from the
    share of ones (probit), `spread` from the regenerating nodes while they are linear. decisions: how many.
    """

    decided: float
    decided_error: float
    spread: float
    spread_error: float
    decisions: int


def transient_noise(
    technology: Technology,
    condition: Condition,
    sizes: StrongArm,
    found: ComparatorSensitivity,
    common_mode: float,
    run: Run,
    *,
    decisions: int = 300,
    seed: int = 1,
    error: float | None = None,
) -> TransientNoise:
    """Decisions at a difference of 1.2 expected sigma under drawn noise currents.

    Parameters
    ----------
    technology, condition, sizes, common_mode, run
        As of `sensitivity_of`, which gave `found`.
    decisions : int
        How many, at most.
    seed : int
        Of the currents.
    error : float, optional
        Relative standard error of `decided` at which no more decks are simulated. What the sensitivity expects of each
        decision's currents then is a control variate of the nodes and of the decision. None: all decisions, counted.

    Returns
    -------
    TransientNoise
        Both noises and their errors.
    """
    if error is None:
        return _counted(*_decisions(technology, condition, sizes, found, common_mode, run, (0, decisions), seed), found)
    ones, nodes, linear = np.zeros(0, dtype=bool), np.zeros(0), np.zeros(0)
    for start in range(0, decisions, PER_DECK):
        part = (start, min(start + PER_DECK, decisions))
        more, at = _decisions(technology, condition, sizes, found, common_mode, run, part, seed)
        rng = np.random.default_rng(np.random.SeedSequence([seed, start]))
        ones, nodes = np.append(ones, more), np.append(nodes, at)
        linear = np.append(linear, linear_noise(found, condition.kelvin, part[1] - start, rng))
        seen = _controlled(ones, nodes, linear, linear_sigma(found, condition.kelvin), found)
        if seen.decided_error <= error * seen.decided:
            break
    return seen


def _decisions(
    technology: Technology,
    condition: Condition,
    sizes: StrongArm,
    found: ComparatorSensitivity,
    common_mode: float,
    run: Run,
    part: tuple[int, int],
    seed: int,
) -> tuple[BoolArray, FloatArray]:
    """(decision, difference of the regenerating nodes in V) of the drawn decisions from part[0] up to part[1]."""
    point = found.point
    difference = TARGET * point.noise
    decks = []
    for start in range(*part, PER_DECK):
        number = min(PER_DECK, part[1] - start)
        rng = np.random.default_rng(np.random.SeedSequence([seed, start]))
        starts = [POWER_UP + PERIOD * k for k in range(number)]
        decks.append(
            decision_deck(
                technology,
                condition,
                [difference] * number,
                sizes=sizes,
                common_mode=common_mode,
                period=PERIOD,
                further=NODES,
                sources=noise_currents(found, sizes, condition.kelvin, starts, rng),
            )
        )
    ones, nodes = [], []
    for deck, result in zip(decks, run(f"comparator_noise_{condition.label}", decks), strict=True):
        t, q = (np.real(result.signals[n].values) for n in ("time", "v(q)"))
        ends = np.array([end for _, end in deck.windows]) - 0.02 * PERIOD
        ones += list(np.interp(ends, t, q) > 0.5 * condition.vdd)
        edges = np.array([start for start, _ in deck.windows]) + PERIOD / 2
        nodes += list(np.interp(edges + point.time, t, difference_of(result)[1]))
    return np.array(ones), np.array(nodes)


def _counted(ones: BoolArray, nodes: FloatArray, found: ComparatorSensitivity) -> TransientNoise:
    """By the decisions alone."""
    number, share = ones.size, float(np.mean(ones))
    decided, error = _probit(found, share, float(np.sqrt(share * (1.0 - share) / number)), number)
    spread = float(np.std(nodes, ddof=1)) / found.point.gain
    return TransientNoise(decided, error, spread, spread / float(np.sqrt(2 * (number - 1))), number)


def _controlled(
    ones: BoolArray, nodes: FloatArray, linear: FloatArray, sigma: float, found: ComparatorSensitivity
) -> TransientNoise:
    """With `linear`, whose sigma is known, as control variate.

    The nodes are level + slope linear + rest: their variance is slope^2 sigma^2 and that of the rest. A decision is
    expected to be a one where the noise leaves the level's sign as it is; the share of these is known, so that only
    decisions which come out otherwise are counted.
    """
    number = ones.size
    x = np.stack([np.ones(number), linear], axis=1)
    level, slope = np.linalg.lstsq(x, nodes, rcond=None)[0]
    rest = nodes - x @ (level, slope)
    variance = float(rest @ rest) / (number - 2)
    total = float(np.sqrt((slope * sigma) ** 2 + variance))
    freedom = linear - linear.mean()
    slope_error = float(np.sqrt(variance / (freedom @ freedom)))
    rest_error = variance * float(np.sqrt(2.0 / (number - 2)))
    spread_error = float(np.hypot(abs(slope) * sigma**2 * slope_error, rest_error / 2.0)) / total
    expected = 1.0 + slope * linear / level > 0.0
    distance = abs(level / (slope * sigma))
    off = ones.astype(np.float64) - expected
    # decisions that come out otherwise: at least as uncertain as one of them in so many and two more (Laplace)
    often = (np.sum(off != 0.0) + 1.0) / (number + 2.0)
    share = float(ndtr(distance) + np.mean(off))
    moved = (
        normal_density(distance) * distance * float(np.hypot(np.sqrt(variance / number) / level, slope_error / slope))
    )
    decided, error = _probit(found, share, float(np.hypot(np.sqrt(often / number), moved)), number)
    gain = found.point.gain
    return TransientNoise(decided, error, total / gain, spread_error / gain, number)


def _probit(found: ComparatorSensitivity, share: float, error: float, number: int) -> tuple[float, float]:
    """(noise in V, its standard error) of a share of ones at the difference of `TARGET`, and the share's error."""
    difference = TARGET * found.point.noise
    share = float(np.clip(share, 0.5 / number, 1.0 - 0.5 / number))
    z = float(ndtri(share))
    return difference / z, abs(difference / z * error / normal_density(z) / z)
