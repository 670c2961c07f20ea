"""Behavioural twin of a shared ramp: the instant at which its comparator answers over the level of the bus."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from characterization.readout.comparator_noise import Run
from interconnect.arrays import FloatArray, IntArray
from netlists.condition import Condition
from netlists.readout.chain import ReadoutChain
from netlists.readout.column_ramp import ColumnRamp
from netlists.readout.conversion import conversions_deck
from netlists.readout.deck import ReadoutDeck
from netlists.readout.ramp_conversion import RampConversion, ramp_of
from netlists.technology import Technology
from ngspice_runner import Result
from ngspice_runner.errors import EngineError

DEGREE = 5
"""Of the instant over the level: slope, the mirror's finite output resistance, the start of the ramp."""

RELTOL = 1e-4
"""Of the engine."""


@dataclass(frozen=True)
class RampTwin:
    """Instant of a ramp over the settled level of the bus: a polynomial between the lowest and the highest level (V).

    instants: coefficients over the level's place between -1 and 1, s from the start of the ramp, highest power first.
    residual: largest distance of a fitted instant from it, s. noise: of a conversion, V rms at the bus.
    """

    converter: ColumnRamp
    low: float
    high: float
    instants: FloatArray
    residual: float
    noise: float = 0.0

    def instant(self, level: FloatArray) -> FloatArray:
        """When the comparator answers, s from the start of the ramp."""
        place = (2.0 * np.asarray(level, dtype=np.float64) - self.low - self.high) / (self.high - self.low)
        out: FloatArray = np.asarray(np.polyval(self.instants, place), dtype=np.float64)
        return out

    @property
    def slope(self) -> float:
        """Of the ramp at the middle of the range, V/s."""
        middle, width = (self.low + self.high) / 2, 1e-3
        first, last = self.instant(np.array([middle - width, middle + width]))
        return float(2 * width / (last - first))

    def count_at(self, level: FloatArray) -> IntArray:
        """Step of the counter next to the instant of a level (V): the table's entry of a threshold there."""
        out: IntArray = np.round(self.instant(level) / self.converter.count).astype(np.int64)
        return out

    def convert(self, level: FloatArray, table: IntArray, rng: np.random.Generator | None = None) -> IntArray:
        """Codes of levels (V): thresholds whose step of the counter the ramp has passed. rng: draws noise."""
        noisy = np.asarray(level, dtype=np.float64)
        if rng is not None:
            noisy = noisy + self.noise * rng.standard_normal(noisy.shape)
        out: IntArray = np.searchsorted(table * self.converter.count, self.instant(noisy), side="left")
        return out


def fit_ramp_twin(
    technology: Technology, condition: Condition, chain: ReadoutChain, levels: Sequence[float], run: Run
) -> RampTwin:
    """The twin of a chain's ramp from conversions of `levels` of the bit line, V."""
    bus, instants = ramp_answers(technology, condition, chain, levels, run)
    low, high = float(bus.min()), float(bus.max())
    place = (2.0 * bus - low - high) / (high - low)
    found = np.polyfit(place, instants, min(DEGREE, len(bus) - 2))
    residual = float(np.abs(np.polyval(found, place) - instants).max())
    return RampTwin(ramp_of(chain), low, high, found, residual)


def ramp_answers(
    technology: Technology,
    condition: Condition,
    chain: ReadoutChain,
    levels: Sequence[float],
    run: Run,
    *,
    others: float | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Settled level of the bus (V) and instant of the answer (s from the start of the ramp) of every level (V) of the
    bit line, chain and ramp in transistors; others: level of all other buses, V.

    Raises EngineError where the comparator does not answer.
    """
    one = RampConversion(levels=len(levels), others=others)
    deck = conversions_deck(technology, condition, chain, one, levels, reltol=RELTOL)
    (result,) = run(f"ramp_twin_{condition.label}", (deck,))
    t, bus = (np.real(result.signals[n].values) for n in ("time", "v(bus)"))
    return np.interp([read[0] for read in deck.reads], t, bus), answer_instants(deck, result, chain)


def answer_instants(deck: ReadoutDeck, result: Result, chain: ReadoutChain) -> FloatArray:
    """Instants at which the comparator answers in the conversions of a deck, s from the start of each ramp."""
    t, out = (np.real(result.signals[n].values) for n in ("time", "v(converted)"))
    found = []
    for (begin, _), (_, end) in zip(deck.windows, deck.reads, strict=True):
        start = begin + chain.timing.decides
        inside = (t > start) & (t < end)
        time, v = t[inside], out[inside] - deck.high / 2
        rises = np.flatnonzero((v[:-1] < 0) & (v[1:] >= 0))
        if not rises.size:
            raise EngineError(f"{deck.title}: the ramp does not pass the level of a conversion")
        k = int(rises[0])
        found.append(time[k] - v[k] * (time[k + 1] - time[k]) / (v[k + 1] - v[k]) - start)
    return np.array(found)
