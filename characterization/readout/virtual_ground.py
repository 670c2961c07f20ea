"""Current sense: input resistance, offset and linearity over all numbers of active rows."""

from dataclasses import dataclass

import numpy as np

from characterization.readout.testbench import ReadoutTestbench
from interconnect.arrays import FloatArray
from netlists.readout.current_sense import CurrentSense, amplifier_deck, cascode_deck, current_sense_deck
from netlists.readout.deck import Level


@dataclass(frozen=True, slots=True)
class CurrentSenseReadings:
    """Readings over the numbers of active rows.

    counts: active rows. current (counts,): of the column at the end of the integration, A. virtual (counts,): level of
    the virtual ground, less its reference, V. static_current, static_virtual: the same at rest, without integration.
    integrated (counts,): V. gain: of the regulating amplifier, measured alone
    with an open loop at the level of its output. energy: of one read at half of the rows, J.
    """

    counts: FloatArray
    current: FloatArray
    virtual: FloatArray
    static_current: FloatArray
    static_virtual: FloatArray
    integrated: FloatArray
    gain: float
    energy: float

    @property
    def input_resistance(self) -> float:
        """Slope of the virtual ground over the column current at rest, at half of the rows, ohm."""
        return float(np.gradient(self.static_virtual, self.static_current)[self.counts.size // 2])

    @property
    def dynamic_resistance(self) -> float:
        """Mean slope while integrating, ohm: the capacitor's ramp couples back to the gate and loads the cascode."""
        return float(np.polyfit(self.current, self.virtual, 1)[0])

    @property
    def offset(self) -> float:
        """Mean distance of the virtual ground from its reference, V."""
        return float(self.virtual.mean())

    @property
    def step(self) -> float:
        """Integrated voltage per active row, V (least squares)."""
        return float(np.polyfit(self.counts, self.integrated, 1)[0])

    @property
    def nonlinearity(self) -> float:
        """Largest distance of the integrated voltage from its line, in steps of one row."""
        line = np.polyval(np.polyfit(self.counts, self.integrated, 1), self.counts)
        return float(np.abs(self.integrated - line).max() / self.step)


def current_sense_readings(
    bench: ReadoutTestbench, *, sense: CurrentSense | None = None, level: Level = "transistor"
) -> CurrentSenseReadings:
    """One read per number of active rows, 0 to all of them."""
    s = sense or CurrentSense()
    counts = np.arange(s.rows + 1)
    deck = current_sense_deck(bench.technology, bench.condition, counts.tolist(), sense=s, level=level)
    rest = current_sense_deck(bench.technology, bench.condition, counts.tolist(), sense=s, static=True, level=level)
    waves, still = bench.run([deck, rest])
    times = [read[0] for read in deck.reads]
    virtual = waves.at("v(in)", times) - s.ref
    static = still.at("v(in)", times) - s.ref
    return CurrentSenseReadings(
        counts=counts.astype(np.float64),
        current=waves.at("i(v_sense)", times),
        virtual=virtual,
        static_current=still.at("i(v_sense)", times),
        static_virtual=static,
        integrated=waves.at("v(int)", times),
        gain=_amplifier_gain(bench, s, s.ref + float(static[s.rows // 2])) if level == "transistor" else float("inf"),
        energy=sum(waves.energies(deck.windows[s.rows // 2]).values()),
    )


def design_resistance(
    bench: ReadoutTestbench, readings: CurrentSenseReadings, *, sense: CurrentSense | None = None
) -> float:
    """Input resistance at rest that small-signal design gives at half of the rows, ohm: 1 / (g_m (1 + A)).

    g_m of the cascode and A of the amplifier, each measured alone in a deck of its own.
    """
    deck = cascode_deck(bench.technology, bench.condition, sense=sense)
    (waves,) = bench.run([deck])
    current, gate = waves.signals["i(v_drain)"], waves.signals["v(gate)"]
    order = np.argsort(current)
    mean = (sense or CurrentSense()).pedestal_current + float(readings.static_current[readings.counts.size // 2])
    gm = float(np.interp(mean, current[order], -np.gradient(current, gate)[order]))
    return 1 / (gm * (1 + readings.gain))


def _amplifier_gain(bench: ReadoutTestbench, sense: CurrentSense, at: float) -> float:
    """Slope of the open amplifier's output over its inverting input, where that is at `at` V."""
    (waves,) = bench.run([amplifier_deck(bench.technology, bench.condition, sense=sense)])
    minus, out = waves.signals["v(minus)"], waves.signals["v(out)"]
    return float(-np.interp(at, minus, np.gradient(out, minus)))
