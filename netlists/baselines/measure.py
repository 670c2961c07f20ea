"""What one simulated operation says: level, energy by supply, state of the cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from interconnect.arrays import FloatArray
from netlists.baselines.column import BaselineDeck


class SignalVector(Protocol):
    """A vector of a result (the runner's `Signal`)."""

    @property
    def values(self) -> Any:
        """Shape (points,)."""
        ...


@dataclass(frozen=True, slots=True)
class Operation:
    """level: of the compute line at the read, V. energy: J delivered per share (word, precharge, lcc, control, cell)
    from the end of one precharge to the end of the next. sampled: voltages of the unit capacitors just before they
    share, V. states: (q, qb) of the selected cells at the end, V, shape (locals, 2); empty for a ROM."""

    level: float
    energy: Mapping[str, float]
    sampled: FloatArray
    states: FloatArray
    macs: int

    @property
    def total(self) -> float:
        """Energy of the operation, J."""
        return sum(self.energy.values())

    @property
    def per_mac(self) -> float:
        """Energy per product, J."""
        return self.total / self.macs


def measure_operation(deck: BaselineDeck, signals: Mapping[str, SignalVector]) -> Operation:
    """Level and energies from the vectors of an ok result (`Result.signals`).

    Energies are the trapezoidal integrals of -V i, with i the current into a supply's positive terminal, over the
    whole operation; what a word-line or control driver takes is divided by the columns it serves. Gates of the
    drivers' own inputs are not counted: ideal sources drive them.
    """
    time = _real(signals, "time")
    level = float(np.interp(deck.timing.read_at, time, _real(signals, deck.target)))
    inside = time[(time > deck.timing.start) & (time < deck.stop)]
    grid = np.concatenate([[deck.timing.start], inside, [deck.stop]])
    energy: dict[str, float] = {}
    for supply in deck.supplies:
        power = -np.interp(grid, time, _real(signals, supply.current)) * supply.volts / supply.columns
        energy[supply.share] = energy.get(supply.share, 0.0) + float(np.trapezoid(power, grid))
    sampled = np.array([np.interp(deck.timing.share_at, time, _real(signals, cap)) for cap in deck.caps])
    states = np.array([[_real(signals, node)[-1] for node in pair] for pair in deck.states])
    return Operation(level, energy, sampled, states, deck.macs)


def settling(deck: BaselineDeck, signals: Mapping[str, SignalVector], tolerance: float) -> tuple[float, float]:
    """(read, share) times that an operation really needs, s, of an ok result.

    read: from the rise of the word lines until every unit capacitor stays within `tolerance` (V) of what it samples.
    share: from the closing of the share switches until the compute line stays within it of the level that is read.
    """
    time = _real(signals, "time")

    def needed(name: str, begin: float, end: float) -> float:
        values = _real(signals, name)
        outside = (time >= begin) & (time < end) & (np.abs(values - np.interp(end, time, values)) > tolerance)
        return float(time[np.flatnonzero(outside)[-1] + 1] - begin) if outside.any() else 0.0

    read = max(needed(cap, deck.timing.word_at, deck.timing.sampled_at) for cap in deck.caps)
    return read, needed(deck.target, deck.timing.share_at, deck.timing.read_at)


def _real(signals: Mapping[str, SignalVector], name: str) -> FloatArray:
    return np.asarray(signals[name].values, dtype=np.float64)
