"""StrongARM comparator: offset under mismatch, decision time, energy."""

from dataclasses import dataclass

import numpy as np

from characterization.readout.testbench import ReadoutTestbench
from interconnect.arrays import FloatArray
from netlists.readout.deck import transistors
from netlists.readout.strongarm import StrongArm, decision_deck, offset_deck
from ngspice_runner.errors import EngineError


@dataclass(frozen=True, slots=True)
class OffsetSpread:
    """Input-referred offsets (samples,), V; resolution: how well each is known, V; hand: sigma of the input pair, V."""

    offsets: FloatArray
    resolution: float
    hand: float

    @property
    def sigma(self) -> float:
        """Standard deviation of the samples, V."""
        return float(np.std(self.offsets, ddof=1))

    @property
    def sigma_error(self) -> float:
        """Standard error of `sigma` (normal samples), V."""
        return self.sigma / float(np.sqrt(2 * (self.offsets.size - 1)))


def threshold_draws(bench: ReadoutTestbench, sizes: StrongArm, seed: int, sample: int) -> dict[str, float]:
    """Threshold shift (V) of every transistor of the comparator, independent and normal with Pelgrom's sigma."""
    sigmas = threshold_sigmas(bench, sizes)
    z = np.random.default_rng(np.random.SeedSequence([seed, sample])).standard_normal(len(sigmas))
    return {name: float(x * sigma) for (name, sigma), x in zip(sigmas.items(), z, strict=True)}


def threshold_sigmas(bench: ReadoutTestbench, sizes: StrongArm) -> dict[str, float]:
    """Pelgrom's sigma (V) of every transistor of the comparator, by name."""
    devices = bench.technology.devices
    deck = offset_deck(bench.technology, bench.condition, sizes=sizes, decisions=1)
    return {
        t.name.removeprefix("M_"): float(
            devices.sigma_vth("nmos" if t.model == devices.nmos else "pmos", t.width, t.length)
        )
        for t in transistors(deck.text, "strongarm")
    }


def offset_spread(
    bench: ReadoutTestbench,
    *,
    samples: int = 200,
    seed: int = 1,
    sizes: StrongArm | None = None,
    common_mode: float = 0.25,
    half_range: float = 32e-3,
    decisions: int = 10,
) -> OffsetSpread:
    """Offsets of `samples` comparators with drawn thresholds, each found by bisection within one transient.

    hand: avt / sqrt(W L) of the input pair alone (Pelgrom, Duinmaijer, Welbers, JSSC 1989).
    Raises EngineError if an offset lies at the end of the searched range.
    """
    s = sizes or StrongArm()
    decks = [
        offset_deck(
            bench.technology,
            bench.condition,
            sizes=s,
            common_mode=common_mode,
            half_range=half_range,
            decisions=decisions,
            shifts=threshold_draws(bench, s, seed, i),
        )
        for i in range(samples)
    ]
    offsets = np.array([w.signals["v(difference)"][-1] for w in bench.run(decks)])
    resolution = half_range / 2**decisions
    if np.abs(offsets).max(initial=0.0) > half_range - 2 * resolution:
        raise EngineError(f"readout: an offset lies outside of the searched +-{half_range:g} V")
    kind = "nmos" if s.input_type == "n" else "pmos"
    single = bench.technology.devices.sigma_vth(kind, s.input_width, s.input_length)  # type: ignore[arg-type]
    return OffsetSpread(offsets, resolution, single * float(np.sqrt(2)))


@dataclass(frozen=True, slots=True)
class ComparatorDecision:
    """One decision: from clock to output (50 % to 50 %), s; energy of supply and clock over a period, J."""

    delay: float
    energy: float


def decision(
    bench: ReadoutTestbench,
    difference: float,
    *,
    sizes: StrongArm | None = None,
    common_mode: float = 0.25,
    period: float = 2e-9,
) -> ComparatorDecision:
    """Delay and energy at an input difference (V), after a decision of the other sign."""
    deck = decision_deck(
        bench.technology,
        bench.condition,
        [difference, -difference, difference],
        sizes=sizes,
        common_mode=common_mode,
        period=period,
    )
    (waves,) = bench.run([deck])
    window = deck.windows[-1]
    output = "v(out_p)" if difference > 0 else "v(out_n)"
    delay = waves.crossing(output, window) - waves.crossing("v(clk)", window)
    return ComparatorDecision(delay, sum(waves.energies(window).values()))
