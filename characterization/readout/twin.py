"""Behavioural twin of a readout chain, fitted to its transistors: comparator input and settling over the step of the
cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from characterization.readout.testbench import ReadoutTestbench, Waves
from interconnect.arrays import FloatArray
from interconnect.errors import InputError
from netlists.readout.chain import EDGE, ReadoutChain
from netlists.readout.shared_line import line_deck

_DEGREE = 5
"""Of the level over the step: gain, curvature and the follower's compression at both ends."""
_SETTLING_DEGREE = 2
"""Of delay and time constant over the step."""
TAIL = (0.05, 0.01)
"""Shares of the step that are left where the time constant is read."""


@dataclass(frozen=True, slots=True)
class LineReading:
    """One read: step of the cells; level of the comparator's input at the decision over that of the clamp, V; settling
    of the sampled node after the rows toggled, s, to every asked share of its step."""

    swing: float
    level: float
    settling: tuple[float, ...]


def read_line(
    bench: ReadoutTestbench,
    chain: ReadoutChain,
    *,
    capacitance: float,
    swings: Sequence[float] | FloatArray,
    flat: bool = False,
    shares: Sequence[float] = TAIL,
) -> list[LineReading]:
    """Simulate one read per step of the cells, see `line_deck`.

    Parameters
    ----------
    bench : ReadoutTestbench
        Technology, condition and engine.
    chain : ReadoutChain
        The chain; its timing has to let the line settle.
    capacitance : float
        Metal of the bit line, F.
    swings : sequence of float
        Steps of the cells, V.
    flat : bool
        Off devices one by one along the wire.
    shares : sequence of float
        Parts of the sampled node's step at which settling is read.

    Returns
    -------
    list of LineReading
        One per step.
    """
    decks = [
        line_deck(bench.technology, bench.condition, chain, capacitance=capacitance, swing=float(s), flat=flat)
        for s in swings
    ]
    return [
        LineReading(
            swing=float(swing),
            level=float(waves.at("v(bus)", chain.timing.decides)) - chain.sampler.common_mode,
            settling=tuple(line_settling(waves, share) for share in shares),
        )
        for swing, waves in zip(swings, bench.run(decks), strict=True)
    ]


def line_settling(waves: Waves, share: float) -> float:
    """Time (s) from the end of the rows' edge until the sampled node stays within a share of its step."""
    _, start, end, _ = waves.deck.reads[0]
    times = np.append(waves.time[(waves.time > start) & (waves.time < end)], end)
    last = waves.at("v(sampled)", end)
    left = share * abs(float(last - waves.at("v(sampled)", start)))
    distance = np.abs(waves.at("v(sampled)", times) - last)
    outside = np.flatnonzero(distance > left)
    if outside.size == 0:
        return 0.0
    i = int(outside[-1])  # the next sample is inside: between the two lies the crossing
    part = (distance[i] - left) / (distance[i] - distance[i + 1])
    return float(times[i] + part * (times[i + 1] - times[i]) - start - EDGE)


@dataclass(frozen=True, slots=True)
class ChainTwin:
    """Level and settling of a chain over the step of the bit line's cells, at one condition.

    condition: label. span: largest step fitted, V. level, delay, tau: polynomial coefficients over step / span, from
    the constant up; V, s and s. residual: largest distance of a
    fitted level, V; settling_residual: largest relative distance of a fitted settling time.
    """

    condition: str
    span: float
    level: tuple[float, ...]
    delay: tuple[float, ...]
    tau: tuple[float, ...]
    residual: float
    settling_residual: float

    @property
    def gain(self) -> float:
        """Slope at no step: comparator input over the cells' step."""
        return self.level[1] / self.span

    @property
    def offset(self) -> float:
        """Level at no step, V: injection of clamp and bus."""
        return self.level[0]

    def levels(self, swing: FloatArray) -> FloatArray:
        """Comparator input over the clamp's level, V, of steps (V) of any shape."""
        return self._evaluate(self.level, swing)

    def settling(self, swing: FloatArray, share: float) -> FloatArray:
        """Time (s) after the rows' edge to within `share` of the step. Raises InputError outside 0 < share < 1."""
        if not 0 < share < 1:
            raise InputError(f"a share of {share!r} of the step", where="settling", hint="between 0 and 1")
        out: FloatArray = self._evaluate(self.delay, swing) - self._evaluate(self.tau, swing) * np.log(share)
        return out

    def _evaluate(self, coefficients: tuple[float, ...], swing: FloatArray) -> FloatArray:
        x = np.asarray(swing, dtype=np.float64) / self.span
        if np.any(np.abs(x) > 1 + 1e-9):
            raise InputError(f"a step beyond the fitted {self.span * 1e3:.4g} mV", where="readout twin")
        out: FloatArray = np.polynomial.polynomial.polyval(x, np.array(coefficients))
        return out


def fit_chain_twin(condition: str, readings: Sequence[LineReading]) -> ChainTwin:
    """Least squares through readings with settling to `TAIL`. Raises InputError for fewer steps than coefficients."""
    if len(readings) <= _DEGREE + 1:
        raise InputError(f"{len(readings)} steps", where="fit_chain_twin", hint=f"at least {_DEGREE + 2}")
    swing = np.array([r.swing for r in readings])
    level = np.array([r.level for r in readings])
    span = float(np.abs(swing).max())
    fitted = np.polynomial.polynomial.polyfit(swing / span, level, _DEGREE)
    x = swing / span
    tail = np.array([r.settling for r in readings])
    logs = np.log(1.0 / np.array(TAIL))
    tau = (tail[:, 1] - tail[:, 0]) / (logs[1] - logs[0])
    delay = tail[:, 0] - tau * logs[0]
    taus, delays = (np.polynomial.polynomial.polyfit(x, values, _SETTLING_DEGREE) for values in (tau, delay))
    twin = ChainTwin(condition, span, _tuple(fitted), _tuple(delays), _tuple(taus), 0.0, 0.0)
    times = np.stack([twin.settling(x * span, share) for share in TAIL], axis=1)
    return ChainTwin(
        condition,
        span,
        twin.level,
        twin.delay,
        twin.tau,
        residual=float(np.abs(twin.levels(swing) - level).max()),
        settling_residual=float(np.abs(times / tail - 1).max()),
    )


def _tuple(values: FloatArray) -> tuple[float, ...]:
    return tuple(float(v) for v in values)
