"""Alike rows as one row, so many in parallel: a column deck with a fraction of the transistors, and its check.

Rows of a charge cell that have the same inputs and store the same in every modelled column have the same waveforms, so
that one of them with every element multiplied stands for all. What this leaves out is their order on the wire of the
bit lines, a few ohm before capacitors of a femtofarad. Reads with deviating cells or drivers have no alike rows. Every
run simulates a few drawn reads both ways.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from characterization.column_testbench import ColumnTestbench
from characterization.patterns import pattern_of
from characterization.testbench import Testbench

TOLERANCE = 2e-3
"""LSB, and relative for the row energy: what a read may differ by, twice what the tolerances of the engine leave of a
level (`netlists.column.RELTOL`)."""

CHECKS = 2
"""Reads of a run that are simulated both ways, at the nominal condition and at a drawn one."""


@dataclass(frozen=True, slots=True)
class RowCheck:
    """A drawn read with alike rows in parallel less the same with every row: level, LSB; energy of the rows, relative.
    rows, simulated: of both decks."""

    condition: str
    active: int
    count: int
    rows: int
    simulated: int
    level: float
    energy: float

    @property
    def agrees(self) -> bool:
        """Whether both differences are within `TOLERANCE`."""
        return abs(self.level) <= TOLERANCE and abs(self.energy) <= TOLERANCE


def check_parallel_rows(setup: Testbench, bench: ColumnTestbench) -> tuple[RowCheck, ...]:
    """Drawn reads in both ways; none for a setup whose decks hold every row.

    Parameters
    ----------
    setup : Testbench
        With `parallel_rows`.
    bench : ColumnTestbench
        Runs the decks.

    Returns
    -------
    tuple[RowCheck, ...]
        One per drawn read.
    """
    if not setup.parallel_rows:
        return ()
    rng = np.random.default_rng(np.random.SeedSequence([setup.seed, 12]))
    nominal, others = setup.conditions[0], setup.conditions[1:] or setup.conditions
    conditions = (nominal, *(others[int(rng.integers(len(others)))] for _ in range(CHECKS - 1)))
    out = []
    for condition in conditions:
        active = int(rng.integers(setup.rows // 2, setup.rows + 1))
        count = int(rng.integers(0, active * (setup.levels - 1) + 1))
        seed = np.random.SeedSequence([setup.seed, 12, active, count])
        case = pattern_of(setup, "random0", active, count, seed).case(setup.columns, setup.ones)
        each = replace(setup, parallel_rows=False)
        decks = [ColumnTestbench(s).deck(condition, case) for s in (setup, each)]
        runs = bench.run(f"parallel_rows_{condition.label}", decks)
        (joined, less), (level, energy) = (bench.read(d, r) for d, r in zip(decks, runs, strict=True))
        lsb = setup.at(condition).line_swing(condition.vdd) / setup.max_count
        out.append(
            RowCheck(
                condition.label,
                active,
                count,
                setup.stimulus(case).rows,
                setup.simulated_case(case).rows,
                (joined - level) / lsb,
                less / energy - 1.0,
            )
        )
    return tuple(out)
