"""Noise decks of an inverter in the segment: at its threshold, and while its reset holds the bit line."""

from __future__ import annotations

from netlists.column import ColumnDeck
from netlists.condition import Condition
from netlists.parameters import require_positive
from netlists.readout.chain_noise import noise_deck
from netlists.readout.local_inverter import LocalInverter
from netlists.technology import Technology
from netlists.transistors import deck_values


def inverter_noise_deck(
    technology: Technology,
    condition: Condition,
    inverter: LocalInverter,
    *,
    capacitance: float,
    reference: float,
    zeroing: bool,
) -> ColumnDeck:
    """The noise analysis of the first inverter.

    Parameters
    ----------
    technology, condition, inverter
        What is simulated.
    capacitance, reference : float
        Of the line, F: see `local_inverter_deck`.
    zeroing : bool
        While the reset is on, the output being the bit line; else at the threshold, the output being the inverter's.

    Returns
    -------
    ColumnDeck
        Without a read instant; its vectors are the noise densities of the output and, referred to the ramp, of that.
    """
    require_positive(capacitance, where="inverter_noise.capacitance", unit="F")
    require_positive(reference, where="inverter_noise.reference", unit="F")
    title = f"local inverter, noise{' of the zeroing' if zeroing else ''}, {condition.label}"
    values = {
        **deck_values(technology, condition, inverter.length, title),
        "a": inverter,
        "capacitance": capacitance,
        "reference": reference,
        "noise": True,
        "zeroing": zeroing,
    }
    return noise_deck("readout_local_inverter", values, title, condition)
