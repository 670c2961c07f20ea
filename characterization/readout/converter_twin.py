"""Behavioural twin of the column converter: thresholds found by bisection on its transistors, noise of its comparator.

A code of the array is a threshold of the settled level of the bus: the level that the array's capacitors give, and an
offset that the transistors add (load of the top plate, kick of the comparator into bus and array, its own offset). The
offset is smooth over the code, so a few codes tell all; codes in between test that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtri

from characterization.noise import BOLTZMANN
from characterization.readout.code_error import KnownFigure
from characterization.readout.comparator_decisions import PER_DECK, noise_currents
from characterization.readout.comparator_noise import (
    PERIOD,
    ComparatorPoint,
    ComparatorSensitivity,
    Run,
    normal_density,
)
from interconnect.arrays import FloatArray, IntArray
from netlists.condition import Condition
from netlists.readout.chain import ReadoutChain
from netlists.readout.column_sar import ColumnSar
from netlists.readout.conversion import Conversion, array_of, conversions_deck
from netlists.readout.deck import ReadoutDeck
from netlists.technology import Technology
from ngspice_runner import Result

SEARCH, STEPS = 0.128, 11
"""V at the bit line within which a threshold is sought; halvings: it is known to 63 uV there, 35 uV at the bus."""

RELTOL = 1e-4
"""Of the engine: 1e-3 scatters thresholds by 0.3 mV."""


@dataclass(frozen=True)
class ConverterTwin:
    """Thresholds and noise of a column converter.

    common: level of the array at its middle code, V. codes, offsets: where the transistors were searched, V.
    comparators: input noise and aperture at several levels of the bus, `levels` (V), ascending.
    """

    converter: ColumnSar
    common: float
    codes: FloatArray
    offsets: FloatArray
    levels: FloatArray
    comparators: tuple[ComparatorPoint, ...]
    kelvin: float

    def array_level(self, code: IntArray | FloatArray, capacitors: FloatArray | None = None) -> FloatArray:
        """Level of the top plate at a code, V, its load left out. capacitors: factor of every bit, least first."""
        a = self.converter
        bits = np.arange(a.bits)
        units = 2.0**bits * (1.0 if capacitors is None else capacitors)
        total = units.sum() + 1.0 + a.top_capacitance / a.unit_capacitance
        on = np.asarray(code, dtype=np.int64)[..., None] >> bits & 1
        out: FloatArray = self.common + a.reference * ((on - (a.middle >> bits & 1)) @ units) / total
        return out

    def threshold(self, code: IntArray | FloatArray, capacitors: FloatArray | None = None) -> FloatArray:
        """Level of the bus above which a decision at a code says more, V."""
        out: FloatArray = self.array_level(code, capacitors) + np.interp(code, self.codes, self.offsets)
        return out

    def code_at(self, level: FloatArray, capacitors: FloatArray | None = None) -> IntArray:
        """The code whose threshold is next to a level (V)."""
        every = self.threshold(np.arange(self.converter.units), capacitors)
        out: IntArray = np.abs(every[None, :] - np.asarray(level)[..., None]).argmin(axis=-1).astype(np.int64)
        return out

    def noise(self, level: float) -> float:
        """Input noise of a decision at a level of the bus, V rms."""
        return float(np.interp(level, self.levels, [p.noise for p in self.comparators]))

    @property
    def array_noise(self) -> float:
        """kT/C of the top plate as its reset opens, V rms."""
        return float(np.sqrt(BOLTZMANN * self.kelvin / self.converter.top_plate))

    def aperture(self, level: float) -> ComparatorPoint:
        """The comparator nearest to a level of the bus, V."""
        return self.comparators[int(np.abs(self.levels - level).argmin())]

    def convert(
        self,
        bus: FloatArray,
        codes: IntArray,
        rng: np.random.Generator | None = None,
        *,
        offset: float = 0.0,
        capacitors: FloatArray | None = None,
    ) -> int:
        """The code of a read: `bus` has the level of the bus at every decision, V; offset: of this comparator, V; rng:
        draws the noise of array and comparator, None: none."""
        thresholds = self.threshold(codes, capacitors) + offset
        frozen = 0.0 if rng is None else self.array_noise * rng.standard_normal()
        state = 0
        for step, bit in enumerate(reversed(range(self.converter.decisions(len(codes) + 1)))):
            tried = state | 1 << bit
            level = float(bus[step])
            noise = 0.0 if rng is None else self.noise(level) * rng.standard_normal()
            if tried <= len(codes) and level + noise + frozen > thresholds[tried - 1]:
                state = tried
        return state


def search_thresholds(
    technology: Technology, condition: Condition, chain: ReadoutChain, codes: Sequence[int], run: Run
) -> FloatArray:
    """Settled level of the bus (V) at which the transistors change their mind, for every code of the array."""
    name = f"converter_twin_{condition.label}"
    reset = chain.segment.reset_level
    spread = np.linspace(reset - 0.45, reset + 0.35, 9)
    a = array_of(chain)
    first = Conversion(codes=(a.middle,))
    ladder = conversions_deck(technology, condition, chain, first, [float(v) for v in spread], reltol=RELTOL)
    (result,) = run(name, (ladder,))
    bus = _before(ladder, result, "v(bus)")
    step = a.reference * a.unit_capacitance / (a.top_plate + a.unit_capacitance * 8)
    decks = []
    for code in codes:
        wanted = chain.sampler.common_mode + step * (code - a.middle) + KICK
        start = float(np.interp(wanted, bus, spread))
        one = Conversion(codes=(int(code),))
        decks.append(conversions_deck(technology, condition, chain, one, [start] * STEPS, search=SEARCH, reltol=RELTOL))
    found = [_before(d, r, "v(bus)")[-1] for d, r in zip(decks, run(name, decks), strict=True)]
    return np.array(found)


KICK = -0.025
"""V: about what the comparator's kick adds to a threshold; where a search begins."""


def fit_twin(
    technology: Technology,
    condition: Condition,
    chain: ReadoutChain,
    codes: Sequence[int],
    comparators: Sequence[tuple[float, ComparatorPoint]],
    run: Run,
) -> ConverterTwin:
    """The twin whose offsets are those of the transistors at `codes`; comparators: (level of the bus, point)."""
    blank = ConverterTwin(
        array_of(chain),
        chain.sampler.common_mode,
        np.array(codes, dtype=np.float64),
        np.zeros(len(codes)),
        np.array([level for level, _ in comparators]),
        tuple(point for _, point in comparators),
        condition.kelvin,
    )
    found = search_thresholds(technology, condition, chain, codes, run)
    return replace(blank, offsets=found - blank.array_level(np.array(codes)))


def count_decision_noise(
    technology: Technology,
    condition: Condition,
    chain: ReadoutChain,
    code: int,
    found: ComparatorSensitivity,
    run: Run,
    *,
    decisions: int = 400,
    seed: int = 1,
) -> KnownFigure:
    """Noise of decisions (V rms at the bus, its standard error) in place: array and bus floating, the comparator under
    drawn noise currents. Half of the reads lie 1.2 expected sigma above the threshold, half below (probit of both)."""
    name = f"converter_noise_{condition.label}"
    first = Conversion(codes=(code,))
    sigma = found.point.noise
    reset = chain.segment.reset_level
    spread = [reset - 0.4 + 0.05 * i for i in range(16)]
    ladder = conversions_deck(technology, condition, chain, first, spread, reltol=RELTOL)
    (result,) = run(name, (ladder,))
    bus = _before(ladder, result, "v(bus)")
    middle = float(search_thresholds(technology, condition, chain, [code], run)[0])
    above, below = (float(np.interp(middle + sign * 1.2 * sigma, bus, spread)) for sign in (1.0, -1.0))
    decks = []
    for start in range(0, decisions, PER_DECK):
        rng = np.random.default_rng(np.random.SeedSequence([seed, start]))
        levels = [above, below] * (PER_DECK // 2)
        plain = conversions_deck(technology, condition, chain, first, levels)
        edges = [w[0] + chain.timing.decides + array_of(chain).cycle - PERIOD / 2 for w in plain.windows]
        currents = noise_currents(found, chain.comparator, condition.kelvin, edges, rng)
        decks.append(conversions_deck(technology, condition, chain, replace(first, sources=currents), levels))
    ones, seen = [], []
    for deck, each in zip(decks, run(name, decks), strict=True):
        ones += conversion_codes(deck, each, 1).tolist()
        seen += _before(deck, each, "v(bus)").tolist()
    share = [np.clip(np.mean(ones[i::2]), 0.5 / len(ones), 1 - 0.5 / len(ones)) for i in (0, 1)]
    z = [float(ndtri(s)) for s in share]
    slope = [normal_density(x) for x in z]
    apart = float(np.mean(seen[0::2]) - np.mean(seen[1::2]))
    distance = float(z[0] - z[1])
    error = float(np.sqrt(sum(p * (1 - p) / (len(ones) / 2) / s**2 for p, s in zip(share, slope, strict=True))))
    return KnownFigure(apart / distance, apart / distance * error / distance)


def _before(deck: ReadoutDeck, result: Result, name: str) -> FloatArray:
    """Values before the first clock of every conversion."""
    t, v = (np.real(result.signals[n].values) for n in ("time", name))
    out: FloatArray = np.interp([read[0] for read in deck.reads], t, v)
    return out


def conversion_codes(deck: ReadoutDeck, result: Result, bits: int) -> IntArray:
    """Codes of the conversions of a deck, by its register."""
    t = np.real(result.signals["time"].values)
    ends = [read[1] for read in deck.reads]
    found = [np.interp(ends, t, np.real(result.signals[f"v(q_{k})"].values)) > deck.high / 2 for k in range(bits)]
    out: IntArray = sum((b.astype(np.int64) << k for k, b in enumerate(found)), np.zeros(len(ends), dtype=np.int64))
    return out
