"""Runs readout decks and reads their waveforms."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from interconnect.arrays import BoolArray, FloatArray
from netlists.condition import Condition
from netlists.readout.deck import ReadoutDeck
from netlists.technology import Technology
from ngspice_runner.cache import Cache
from ngspice_runner.errors import EngineError
from ngspice_runner.executor import run_many
from ngspice_runner.job import Job, Result
from ngspice_runner.scheduling import Workers


class UndecidedError(EngineError):
    """A logic level that is read lies between 20 and 80 % of the supply: a metastable or unfinished decision."""


@dataclass(frozen=True, slots=True)
class ReadoutTestbench:
    """What a measurement runs with. workers: engine processes at a time (None: one per core); timeout: s per deck.

    runner: runs decks in place of `run_many` with these settings (a procedure's own bench does so).
    """

    technology: Technology
    condition: Condition
    workers: Workers = None
    cache: Cache | None = None
    timeout: float = 600.0
    runner: Callable[[Sequence[ReadoutDeck]], Sequence[Result]] | None = None

    def run(self, decks: Sequence[ReadoutDeck]) -> list[Waves]:
        """Simulate decks; EngineError names the first whose verdict is not ok."""
        run = self.runner or self._run
        waves = []
        for deck, result in zip(decks, run(decks), strict=True):
            if not result.ok:
                raise EngineError(
                    f"readout: the deck '{deck.title}' ended with verdict {result.verdict}: {result.log[:300]}"
                )
            signals = {name: np.asarray(s.values, dtype=np.float64) for name, s in result.signals.items()}
            cpu = result.provenance.cpu_seconds if result.provenance else 0.0
            waves.append(Waves(deck, signals, cpu))
        return waves

    def _run(self, decks: Sequence[ReadoutDeck]) -> Sequence[Result]:
        jobs = [Job(text=d.text, outputs=d.outputs, stop=d.stop, timeout=self.timeout) for d in decks]
        return run_many(jobs, workers=self.workers, cache=self.cache)


def integral(time: FloatArray, window: tuple[float, float], *signals: FloatArray) -> float:
    """Integral of the product of signals at `time` (s) over a window (s), between points by linear interpolation."""
    inside = (time > window[0]) & (time < window[1])
    grid = np.concatenate([[window[0]], time[inside], [window[1]]])
    return float(np.trapezoid(np.prod([np.interp(grid, time, s) for s in signals], axis=0), grid))


@dataclass(frozen=True)
class Waves:
    """Waveforms of a deck; cpu_seconds: what the engine took for them."""

    deck: ReadoutDeck
    signals: Mapping[str, FloatArray]
    cpu_seconds: float

    @property
    def time(self) -> FloatArray:
        """s."""
        return self.signals["time"]

    def at(self, name: str, times: float | Sequence[float] | FloatArray) -> FloatArray:
        """Values at `times` (s), by linear interpolation."""
        out: FloatArray = np.interp(np.asarray(times, dtype=np.float64), self.time, self.signals[name])
        return out

    def bits(self, name: str, times: Sequence[float] | FloatArray) -> BoolArray:
        """Logic levels at `times` (s); UndecidedError where one is neither high nor low."""
        share = self.at(name, times) / self.deck.high
        unclear = np.flatnonzero((share > 0.2) & (share < 0.8))
        if unclear.size:
            when = float(np.asarray(times)[unclear[0]])
            raise UndecidedError(
                f"readout: {name} is at {share[unclear[0]] * self.deck.high:.3g} V at {when:.5g} s in "
                f"'{self.deck.title}', neither high nor low"
            )
        high: BoolArray = share > 0.5
        return high

    def crossing(self, name: str, window: tuple[float, float], *, level: float | None = None) -> float:
        """First time (s) in the window at which a signal rises through `level` (V; default half the supply).

        UndecidedError if it does not.
        """
        inside = (self.time >= window[0]) & (self.time <= window[1])
        t = self.time[inside]
        v = self.signals[name][inside] - (self.deck.high / 2 if level is None else level)
        rises = np.flatnonzero((v[:-1] < 0) & (v[1:] >= 0))
        if rises.size == 0:
            raise UndecidedError(
                f"readout: {name} does not rise between {window[0]:.5g} and {window[1]:.5g} s in '{self.deck.title}'"
            )
        i = int(rises[0])
        return float(t[i] - v[i] * (t[i + 1] - t[i]) / (v[i + 1] - v[i]))

    def energy(self, source: str, window: tuple[float, float]) -> float:
        """What a source delivers within the window, J: the integral of minus current times voltage."""
        current, voltage = self.deck.sources[source]
        return -integral(self.time, window, self.signals[current], self.signals[voltage])

    def energies(self, window: tuple[float, float]) -> dict[str, float]:
        """Energy of every source within the window, J."""
        return {name: self.energy(name, window) for name in self.deck.sources}
