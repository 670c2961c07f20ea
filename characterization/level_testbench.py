"""One level of the readout table as a standalone SPICE file: a typical column at a condition, a count and a plane."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from characterization.campaign import Task, deck_of
from characterization.column_testbench import draw_pattern, stimulus_of
from characterization.linear_read import LinearReads
from characterization.testbench import Testbench
from interconnect.arrays import ByteArray, FloatArray
from interconnect.errors import InputError, UnknownName
from interconnect.suggestion import suggest
from netlists.case import ColumnStimulus
from netlists.column import ColumnDeck
from netlists.condition import NOMINAL_METALS, Condition
from netlists.measured_deck import LEVEL, measured_deck

DRAWS = 32
"""Drawn patterns among which the typical one is looked for."""


def level_testbench(
    setup: Testbench,
    condition: Condition,
    active: int,
    count: int,
    *,
    plane: str | None = None,
    reads: LinearReads | None = None,
) -> ColumnDeck:
    """The read of a typical column as one file that `ngspice -b` runs and whose `.meas` prints the level.

    A table's level is the mean over drawn columns. Of `DRAWS` columns the one is taken whose level by the exact linear
    network is nearest to their mean (of a pair of columns the first one drawn).

    Parameters
    ----------
    setup : Testbench
        The characterized group.
    condition : Condition
        One of the setup's.
    active, count : int
        Driven rows and their count, as in the table.
    plane : str, optional
        Label of a plane; None: the plane that the setup holds.
    reads : LinearReads, optional
        Of the same setup and plane, to share solutions between files.

    Returns
    -------
    ColumnDeck
        Deck with every row of the group on its own.

    Raises
    ------
    InputError
        For a count or plane that the group does not have, or a plane at metals of which it is not extracted.
    """
    if not 0 <= active <= setup.rows:
        raise InputError(f"{active} active rows: a group has 0 to {setup.rows}")
    if not 0 <= count <= active * (setup.levels - 1):
        raise InputError(f"count {count}: {active} active rows give counts from 0 to {active * (setup.levels - 1)}")
    setup = setup_of_plane(replace(setup, parallel_rows=False), condition, plane)
    case = typical_column(setup, condition, active, count, reads)
    deck = deck_of(setup, Task("testbench", condition, active, count, "typical", -1, case))
    notes = list(_notes(setup, condition, active, count, setup.stimulus(case), deck))
    return measured_deck(deck, double_sampling=setup.double_sampling, notes=notes)


def setup_of_plane(setup: Testbench, condition: Condition, plane: str | None) -> Testbench:
    """The setup with the cell of another plane. Raises InputError for one that it does not hold at the condition."""
    held = setup.model.plane.label
    known = {label: p.model for p in setup.stacked for label in (p.planes or (p.label,))} or {held: setup.model}
    if plane is None:
        return setup
    if plane not in known:
        raise UnknownName(f"no table is characterized of a plane {plane[:60]!r}", hint=suggest(plane, list(known)))
    if known[plane] == setup.model:
        return setup
    if condition.beol != NOMINAL_METALS:
        raise InputError(f"plane {plane} is characterized at nominal metals alone, not at {condition.label}")
    return replace(setup, model=known[plane])


def typical_column(
    setup: Testbench, condition: Condition, active: int, count: int, reads: LinearReads | None = None
) -> ColumnStimulus:
    """Of `DRAWS` drawn columns that show the count the one whose linear level is nearest to their mean."""
    if setup.pair:  # the linear read is of one column
        return stimulus_of(setup, draw_pattern(setup, "random0", active, count))
    reads = LinearReads(setup) if reads is None else reads
    signs = np.array([line.sign for line in setup.model.bit_lines], dtype=np.float64)
    cases = [stimulus_of(setup, draw_pattern(setup, "random0", active, count, i)) for i in range(DRAWS)]
    levels: FloatArray = np.array([signs @ reads.read(condition, setup.stimulus(case)).level for case in cases])
    return cases[int(np.argmin(np.abs(levels - levels.mean())))]


def _notes(
    setup: Testbench, condition: Condition, active: int, count: int, case: ColumnStimulus, deck: ColumnDeck
) -> Iterator[str]:
    """What the file is, how it is run, what its level is compared with, and what the column stores."""
    options = "".join(f" -D {name}={value}" for name, value in setup.technology.devices.job_options)
    label = setup.model.plane.label
    yield ""
    yield f"Run: ngspice{options} -b FILE. It prints the measure `{LEVEL}` in {deck.unit} and needs no other program."
    yield f"{condition.label}, plane {label}, {active} of {setup.rows} rows active, count {count}."
    yield f"Compare with column `level_{deck.unit}` of this condition, active and count in the readout table of a run"
    yield f"of the same configuration: OUT/lut/readout.csv, of unlike planes OUT/lut/plane_{label}/readout.csv. That is"
    if setup.pair:
        yield "a mean over drawn columns, this the first of them: it may lie off by `sigma_pattern`."
    else:
        yield f"a mean over drawn columns, this one of {DRAWS}: that whose level by the linear network lies nearest."
    if setup.double_sampling:
        yield f"`{LEVEL}` is the difference of two samples, after and before the rows switch, as in the table."
    if deck.edge is not None:
        yield f"`{LEVEL}` is the part of the ramp that is left when the output falls, as in the table."
    if not setup.balanced and setup.chain is None:
        yield "The column's load depends on what it stores. The table refers levels to the mean column; this is the"
        yield "column's own level."
    dummy = ", the last one a dummy row that makes the active rows even" if case.rows > setup.rows else ""
    yield f"Rows from the far end of the bit line to its readout{dummy}:"
    yield f"  inputs  {_digits(case.inputs)}"
    for column, symbols in enumerate(case.bits.T):
        role = "target" if column == case.target else "minus " if column == case.minus else "beside"
        yield f"  {role}  {_digits(symbols)}"


def _digits(values: ByteArray) -> str:
    return "".join(str(int(v)) for v in values)
