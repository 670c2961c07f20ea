"""What the levels of a chain lose while they wait for the converter of their bus with the rows held."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from characterization.column_testbench import ColumnTestbench, draw_pattern, stimulus_of
from characterization.testbench import Testbench
from netlists.condition import Condition
from netlists.readout.chain import ReadoutChain

PARTS = (-1.0, -0.5, 0.0, 0.5, 1.0)
"""(2 counted - driven) / rows at which the drift is read."""


def hold_spread(
    setup: Testbench, bench: ColumnTestbench, chain: ReadoutChain, condition: Condition
) -> tuple[float, ...]:
    """Spread of a level by its line's turn at the converter, all rows driven.

    The decks of the levels wait for as long as a line midway does. Here the same reads are converted first and last;
    turns are spread evenly, so that their sigma is the difference over the root of 12.

    Parameters
    ----------
    setup, bench : Testbench, ColumnTestbench
        What is measured and where.
    chain : ReadoutChain
        Its schedule is `held`.
    condition : Condition
        Operating point.

    Returns
    -------
    tuple of float
        V at the comparator's input for `PARTS`; empty for a chain that reads every line anew.
    """
    queue = chain.timing.queue
    if queue == 0.0:
        return ()
    counts = np.rint((1.0 + np.array(PARTS)) / 2 * setup.max_count).astype(int)
    levels = []
    for turn, wait in (("first", 0.0), ("last", 2.0 * queue)):
        waiting = replace(chain, timing=replace(chain.timing, queue=wait))
        turned = ColumnTestbench(replace(setup, chain=waiting, parallel_rows=False))
        decks = [
            turned.deck(condition, stimulus_of(setup, draw_pattern(setup, "random0", setup.rows, int(count))))
            for count in counts
        ]
        levels.append(bench.levels(f"chain_hold_{turn}_{condition.label}", decks))
    return tuple((np.abs(levels[1] - levels[0]) / np.sqrt(12.0)).tolist())
