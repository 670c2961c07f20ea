"""Small-signal noise of a readout chain: the bit line as a capacitor, the chain's transistors at rest in one of its two
samples."""

from __future__ import annotations

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
) -> ColumnDeck:
    """The noise deck of one sample, see `NoiseSample`; its vectors are `SPECTRUM` and `INPUT_SPECTRUM` over frequency.

    capacitance: of the bit line's metal, F; the reset transistor's and the follower's are the deck's. bit_line,
    bus_level: DC levels of bit line and comparator input, V.
    """
    require_positive(capacitance, where="chain_noise.capacitance", unit="F")
    sampling = sample == "first"
    plus, minus = {"first": ("x_line.near", "sampled"), "second": ("bus", "0"), "line": ("x_line.near", "0")}[sample]
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
    }
    return ColumnDeck(
        text=render("testbenches/readout_chain_noise.cir.j2", values),
        title=title,
        outputs=(SPECTRUM, INPUT_SPECTRUM),
        target=SPECTRUM,
        columns=(SPECTRUM,),
        unit="V",
        condition=condition,
    )
