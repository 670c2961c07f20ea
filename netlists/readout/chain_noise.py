"""Small-signal noise of a readout chain: the bit line as a capacitor, the chain's transistors at rest in one of its two
samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from netlists.column import ColumnDeck
from netlists.condition import Condition
from netlists.parameters import require_positive
from netlists.readout.chain import ReadoutChain
from netlists.render import render
from netlists.technology import Technology
from netlists.transistors import deck_values

SPECTRUM = "onoise_spectrum"
"""Saved vector: density at the output, V/sqrt(Hz)."""

INPUT_SPECTRUM = "inoise_spectrum"
"""Saved vector: the same referred to a step of the bit line: their ratio is the gain."""

FIRST, LAST, POINTS = 1e5, 1e12, 20
"""Hz, Hz, points per decade: from below what double sampling lets through to beyond every pole."""

INDUCTANCE = 1e9
"""H: with a femtofarad it resonates at 160 Hz."""


def noise_deck(
    template: str, values: Mapping[str, object], title: str, condition: Condition, *further: str
) -> ColumnDeck:
    """The deck of a noise analysis by a template of `testbenches`: without a read instant, its vectors are `SPECTRUM`,
    `INPUT_SPECTRUM` and `further` ones."""
    return ColumnDeck(
        text=render(f"testbenches/{template}.cir.j2", values),
        title=title,
        outputs=(SPECTRUM, INPUT_SPECTRUM, *further),
        target=SPECTRUM,
        columns=(SPECTRUM,),
        unit="V",
        condition=condition,
    )


@dataclass(frozen=True, slots=True)
class NoisyDevice:
    """A transistor of the chain whose channel noise is a current between two nodes: `instance` in the deck."""

    name: str
    instance: str
    a: str
    b: str

    @property
    def density(self) -> str:
        """Saved vector: what its channel alone adds at the output, V/sqrt(Hz)."""
        return f"onoise.{'m.' if '.' in self.instance else ''}{self.instance}.id"


NOISY_DEVICES = (
    NoisyDevice("follower", "x_segment.m_follower", "x_segment.s", "0"),
    NoisyDevice("select", "x_segment.m_select", "x_segment.s", "line"),
    NoisyDevice("bias", "x_line.m_bias", "x_line.near", "vdd_analog"),
    NoisyDevice("mirror", "m_mirror", "bias", "vdd_analog"),
    NoisyDevice("clamp", "x_line.m_clamp", "sampled", "common"),
    NoisyDevice("mux", "x_bus.m_mux", "sampled", "bus"),
    NoisyDevice("bus_reset", "x_bus.m_reset", "bus", "common"),
)
"""Follower, select, bias and its mirror all the time; clamp, multiplexer and reset of the bus while they are on."""

NoiseSample = Literal["first", "second", "line"]
"""first: the voltage that the series capacitor keeps when the clamp opens. second: the comparator's input once the
column has joined. line: the line at the same time."""


def chain_noise_deck(
    technology: Technology,
    chain: ReadoutChain,
    condition: Condition,
    *,
    sample: NoiseSample,
    capacitance: float,
    bit_line: float,
    bus_level: float,
    device: NoisyDevice | None = None,
    output: str | None = None,
) -> ColumnDeck:
    """The noise deck of one sample, see `NoiseSample`; its vectors are `SPECTRUM` and `INPUT_SPECTRUM` over frequency.

    Parameters
    ----------
    technology, chain, condition
        What is simulated.
    sample : {"first", "second", "line"}
        The sample and the node, see `NoiseSample`.
    capacitance : float
        Of the bit line's metal, F; the reset transistor's and the follower's are the deck's.
    bit_line, bus_level : float
        DC levels of bit line and comparator input, V.
    device : NoisyDevice, optional
        The input is a current beside this transistor's channel, and the output's part of the transistor is saved.
    output : str, optional
        Another node than the sample's.

    Returns
    -------
    ColumnDeck
        Without a read instant; its vectors are `SPECTRUM` and `INPUT_SPECTRUM` over frequency.
    """
    require_positive(capacitance, where="chain_noise.capacitance", unit="F")
    sampling = sample == "first"
    plus, minus = {"first": ("x_line.near", "sampled"), "second": ("bus", "0"), "line": ("x_line.near", "0")}[sample]
    plus, minus = (plus, minus) if output is None else (output, "0")
    title = f"readout chain, noise: {sample}, bit line at {bit_line:.4g} V, {condition.label}"
    values = {
        **deck_values(technology, condition, chain.length, title),
        "h": chain,
        "sampling": sampling,
        "plus": plus,
        "minus": minus,
        "capacitance": capacitance,
        "bit_line": bit_line,
        "bus_level": bus_level,
        "inductance": INDUCTANCE,
        "first": FIRST,
        "last": LAST,
        "points": POINTS,
        "device": device,
    }
    further = (device.density,) if device else ()
    return noise_deck("readout_chain_noise", values, title, condition, *further)
