"""Small-signal noise of a shared ramp: its comparator at balance, its generator while the ramp rises."""

from __future__ import annotations

from netlists.column import ColumnDeck
from netlists.condition import Condition
from netlists.readout.chain_noise import FIRST, INDUCTANCE, LAST, POINTS, noise_deck
from netlists.readout.column_ramp import ColumnRamp
from netlists.technology import Technology
from netlists.transistors import deck_values


def ramp_noise_deck(
    technology: Technology, condition: Condition, ramp: ColumnRamp, *, level: float, wire: float, generator: bool
) -> ColumnDeck:
    """The noise deck of one part of a ramp at a level of bus and ramp.

    Parameters
    ----------
    technology, condition, ramp
        What is simulated.
    level : float
        DC level of the bus and of the ramp, V.
    wire : float
        Of the ramp's line at a bus, F.
    generator : bool
        The voltage of the ramp over a current into it; else the comparator's first stage over a step of the bus.

    Returns
    -------
    ColumnDeck
        Without a read instant; its vectors are `SPECTRUM` and `INPUT_SPECTRUM` over frequency.
    """
    title = f"{'generator' if generator else 'comparator'} of a shared ramp, noise at {level:.4g} V, {condition.label}"
    values = {
        **deck_values(technology, condition, ramp.length, title),
        "a": ramp,
        "logic": ramp.logic,
        "level": level,
        "line_current": ramp.line_current(wire),
        "line": ramp.shared_by * (ramp.gate_load + wire),
        "generator": generator,
        "inductance": INDUCTANCE,
        "first": FIRST,
        "last": LAST,
        "points": POINTS,
    }
    return noise_deck("readout_ramp_noise", values, title, condition)
