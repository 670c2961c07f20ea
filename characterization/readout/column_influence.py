"""What the levels of other columns move a converter's thresholds by, where columns share a part of it."""

from __future__ import annotations

from functools import singledispatch

import numpy as np

from characterization.readout.comparator_noise import Run
from characterization.readout.ramp_twin import ramp_answers
from characterization.testbench import Testbench
from netlists.readout.chain import ReadoutChain
from netlists.readout.column_ramp import ColumnRamp

PARTS = (-0.8, -0.4, 0.0, 0.4, 0.8)
"""Levels that are converted, in shares of the swing of all rows."""


@singledispatch
def column_influence(converter: object, setup: Testbench, chain: ReadoutChain, run: Run) -> float:
    """Sigma of a threshold by the levels of the other columns, V at the bus; dispatches on the converter's class.

    Parameters
    ----------
    converter : ColumnConverter
        That of the chain.
    setup : Testbench
        Its first condition is simulated.
    chain : ReadoutChain
        From a bit line to the code.
    run : Run
        Simulates decks.

    Returns
    -------
    float
        0 for a converter that shares nothing with other columns.
    """
    return 0.0


@column_influence.register
def _(converter: ColumnRamp, setup: Testbench, chain: ReadoutChain, run: Run) -> float:
    """Instants of a few levels with all other buses at one end of the range and at the other. The other buses are taken
    to be alike and anywhere between both, which spreads a threshold more than columns that differ do: the root mean
    square of the shifts over the root of 12."""
    condition = setup.conditions[0]
    swing = condition.vdd * setup.model.switched * (setup.levels - 1) / setup.model.bl_total
    levels = [max(chain.segment.reset_level + part * swing, 0.0) for part in PARTS]
    (bus, low), (_, high) = (
        ramp_answers(setup.technology, condition, chain, levels, run, others=end)
        for end in (converter.ref_low, converter.ref_high)
    )
    slope = (bus[-1] - bus[0]) / (low[-1] - low[0])
    return float(slope * np.sqrt(np.mean((low - high) ** 2) / 12.0))
