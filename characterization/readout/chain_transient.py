"""Noise of a readout chain in time: drawn currents beside its transistors, their densities from the noise analysis.

The engine's noise analysis says what the channel of every transistor adds at the output and, from a probe current
beside it, how a current there gets to the output: the ratio is the channel's own density, 4 k T g. In a transient the
same density is a current of independent values, linear between them: white up to about a third of their rate. Flicker
noise is left out: double sampling takes out what is slower than a read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from characterization.noise import BOLTZMANN
from characterization.readout.comparator_noise import Run
from interconnect.arrays import FloatArray
from netlists.condition import Condition
from netlists.readout.chain import EDGE, ReadoutChain
from netlists.readout.chain_noise import INPUT_SPECTRUM, NOISY_DEVICES, SPECTRUM, NoiseSample, chain_noise_deck
from netlists.readout.comparator_probe import BranchCurrent
from netlists.technology import Technology

WHITE = 1e8
"""Hz at which a channel's density is read: thermal, below every pole."""

STEP, CLAMP_STEP, MUX_STEP, RESET_STEP = 50e-12, 10e-12, 10e-12, 5e-12
"""s between independent values: of the line's transistors, of the clamp, the multiplexer and the reset of the bus."""

MEMORY = {"clamp": 0.4e-9, "bus_reset": 0.1e-9, "mux": 0.2e-9}
"""s: how long a switch's noise matters before it opens or the comparator looks: many times its R C."""

APERTURE = 0.25e-9
"""s after its clock in which the comparator looks."""


def channel_conductances(
    technology: Technology,
    chain: ReadoutChain,
    condition: Condition,
    *,
    capacitance: float,
    bit_line: float,
    run: Run,
) -> dict[str, float]:
    """Noise conductance g (S) of every noisy transistor while it is on: its density is 4 k T g, A^2/Hz.

    capacitance: of the bit line's metal, F; bit_line: its level, V.
    """
    found = {}
    for device in NOISY_DEVICES:
        sample: NoiseSample = "second" if device.name == "mux" else "first"
        deck = chain_noise_deck(
            technology,
            chain,
            condition,
            sample=sample,
            capacitance=capacitance,
            bit_line=bit_line,
            bus_level=chain.sampler.common_mode,
            device=device,
            output="bus" if device.name == "bus_reset" else None,
        )
        (result,) = run(f"chain_transient_{condition.label}", (deck,))
        f, out, back, own = (
            np.real(result.signals[n].values) for n in ("frequency", SPECTRUM, INPUT_SPECTRUM, device.density)
        )
        density = float(np.interp(WHITE, f, own * back / out)) ** 2
        found[device.name] = density / (4.0 * BOLTZMANN * condition.kelvin)
    return found


def drawn_currents(
    chain: ReadoutChain,
    conductances: Mapping[str, float],
    kelvin: float,
    rng: np.random.Generator,
    *,
    decisions: Sequence[float],
    only: Sequence[str] = (),
) -> tuple[BranchCurrent, ...]:
    """Noise currents of one read, for `netlists.column.column_deck`; `decisions`: the comparator's clock edges, s.

    Switches carry noise while they are on and while it can reach a sample; `only`: names of the transistors that are
    noisy, all if none is given.
    """
    t = chain.timing
    looks = [np.arange(d - MEMORY["mux"], d + APERTURE, MUX_STEP) for d in decisions]
    windows = {
        "clamp": (_until(t.clamp_opens + EDGE / 2, MEMORY["clamp"], CLAMP_STEP), CLAMP_STEP),
        "bus_reset": (_until(t.bus_joins - 4.5 * EDGE, MEMORY["bus_reset"], RESET_STEP), RESET_STEP),
        "mux": (np.concatenate(looks), MUX_STEP),
    }
    always = (np.arange(0.0, max(decisions) + APERTURE, STEP), STEP)
    out = []
    for device in NOISY_DEVICES:
        times, step = windows.get(device.name, always)
        rms = np.sqrt(4.0 * BOLTZMANN * kelvin * conductances[device.name] / (2.0 * step))
        values: FloatArray = rms * rng.standard_normal(times.size)
        if only and device.name not in only:
            continue
        gaps = np.diff(times) > 1.5 * step
        values[np.append(gaps, True) | np.append(times[0] > 0, gaps)] = 0.0  # windows begin and end without current
        points = [(float(f"{x:.8g}"), float(f"{v:.6g}")) for x, v in zip(times, values, strict=True)]
        before = [(0.0, 0.0)] if times[0] > 0 else []
        out.append(BranchCurrent(f"noise_{device.name}", device.a, device.b, (*before, *points)))
    return tuple(out)


def _until(opened: float, memory: float, step: float) -> FloatArray:
    """Times (s) up to the one at which a switch has opened."""
    out: FloatArray = opened - step * np.arange(round(memory / step), -1.0, -1.0)
    return out
