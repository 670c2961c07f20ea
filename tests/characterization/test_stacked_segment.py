"""All planes and columns of a segment in one deck, against the decks of one plane; rows held for lines in turn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from characterization.column_testbench import ColumnTestbench, draw_pattern, stimulus_of
from characterization.plane_levels import plane_read_deck
from characterization.readout.hold_spread import PARTS, hold_spread
from characterization.testbench import Testbench
from interconnect.errors import InputError
from netlists.readout.chain import ComparatorBus, ReadoutChain, SharedLine
from netlists.readout.stacked_segment import StackedPlane, stacked_deck

pytestmark = pytest.mark.ngspice
ROWS = 16


def through(charge_setup: Testbench, chain: ReadoutChain) -> Testbench:
    model, conditions = charge_setup.model.complement_driven(), charge_setup.conditions[:1]
    return replace(charge_setup, rows=ROWS, chain=chain, model=model, conditions=conditions)


def stack(setup: Testbench, count: int, number: int) -> list[StackedPlane]:
    """The first plane counts, the others store drawn bits under the same inputs."""
    case = setup.stimulus(stimulus_of(setup, draw_pattern(setup, "random0", ROWS, count)))
    rng = np.random.default_rng(count)
    others = (replace(case, bits=rng.integers(0, 2, case.bits.shape).astype(np.uint8)) for _ in range(number - 1))
    return [StackedPlane(setup.model, c) for c in (case, *others)]


@pytest.mark.parametrize("count", [0, 8, 16])
def test_parked_bit_lines_do_what_their_source_says(charge_setup: Testbench, count: int) -> None:
    """Two planes of two columns, the second plane read just before: all that the compact deck leaves out (bit lines
    that move with the rows behind followers that are off, parking within the read) is below 0.05 of a count."""
    chain = ReadoutChain(line=SharedLine(segments=6, planes=2, columns=2), bus=ComparatorBus(columns=4))
    setup = through(charge_setup, chain)
    bench, condition, planes = ColumnTestbench(setup), setup.conditions[0], stack(setup, count, 2)
    compact = [
        plane_read_deck(setup, setup.model, condition, stimulus_of(setup, draw_pattern(setup, "random0", ROWS, c)))
        for c in (count, 0, ROWS)
    ]
    level, low, high = bench.levels("compact", compact)
    flat = stacked_deck(setup.technology, setup.periphery, condition, chain, planes, 0, fresh=1)
    (found,) = bench.levels("flat", [flat])
    assert found == pytest.approx(level, abs=0.05 * (high - low) / ROWS)
    assert found != level  # the decks differ


def test_what_does_not_stack_is_refused(charge_setup: Testbench) -> None:
    chain = ReadoutChain(line=SharedLine(planes=3))
    setup = through(charge_setup, chain)
    planes = stack(setup, 4, 2)
    with pytest.raises(InputError, match="2 planes on a line of 3"):
        stacked_deck(setup.technology, setup.periphery, setup.conditions[0], chain, planes, 0)
    other = StackedPlane(setup.model, replace(planes[1].case, inputs=1 - planes[1].case.inputs))
    with pytest.raises(InputError, match="the same inputs"):
        stacked_deck(setup.technology, setup.periphery, setup.conditions[0], chain, [planes[0], other], 0)


def test_a_level_drifts_with_its_turn(charge_setup: Testbench) -> None:
    """Leakage through the reset transistor is steady: three lines wait twice as long as two, and drift twice as much.
    It is largest for the lowest level, whose bit line is furthest below the level that the transistor leaks from."""
    spreads = []
    for lines in (2, 3):
        chain = ReadoutChain(schedule="held", bus=ComparatorBus(columns=lines)).midway(ROWS + 1)
        setup = through(charge_setup, chain)
        spreads.append(np.array(hold_spread(setup, ColumnTestbench(setup), chain, setup.conditions[0])))
    assert len(spreads[0]) == len(PARTS)
    assert spreads[1][0] / spreads[0][0] == pytest.approx(2.0, rel=0.1)
    assert np.argmax(spreads[1]) == 0
    setup = through(charge_setup, ReadoutChain())
    assert hold_spread(setup, ColumnTestbench(setup), ReadoutChain(), setup.conditions[0]) == ()
