"""Decks behind a comparator's input noise: its operating point, and decisions under transient noise sources."""

from __future__ import annotations

from dataclasses import dataclass

from netlists.column import ColumnDeck
from netlists.condition import Condition
from netlists.readout.strongarm import StrongArm
from netlists.render import render
from netlists.technology import Technology
from netlists.transistors import deck_values

POINT_OUTPUTS = ("i(v_a)", "i(v_b)", "v(d_same_0)", "v(d_same_1)", "v(d_other_0)", "v(d_other_1)")
"""Currents of both branches; voltages of the cross-coupled transistors as diodes at `DIODE_SHARES` of the current."""

DIODE_SHARES = (0.95, 1.05)


@dataclass(frozen=True, slots=True)
class NoiseSource:
    """White noise current between two nodes inside the comparator: rms (A) of independent values `step` (s) apart."""

    name: str
    a: str
    b: str
    rms: float
    step: float


def comparator_point_deck(
    technology: Technology, condition: Condition, sizes: StrongArm, *, common_mode: float, difference: float
) -> ColumnDeck:
    """The operating point at the start of a decision: tail on, the input pair's drains at their precharge.

    common_mode, difference: of the two inputs, V.
    """
    title = f"StrongARM operating point, inputs at {common_mode:.4g} V, {condition.label}"
    values = {
        **deck_values(technology, condition, sizes.length, title),
        "c": sizes,
        "common_mode": common_mode,
        "difference": difference,
        "shares": DIODE_SHARES,
        "outputs": POINT_OUTPUTS,
    }
    return ColumnDeck(
        text=render("testbenches/readout_comparator_point.cir.j2", values),
        title=title,
        outputs=POINT_OUTPUTS,
        target=POINT_OUTPUTS[0],
        columns=(POINT_OUTPUTS[0],),
        unit="A",
        condition=condition,
    )
