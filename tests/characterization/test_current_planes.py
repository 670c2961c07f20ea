"""Planes of resistive cells on one sense node: the deck of one plane against all planes, and what the select costs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from characterization.column_testbench import ColumnTestbench, draw_pattern, stimulus_of
from characterization.procedures.mismatch import draw_deviations
from characterization.testbench import Testbench
from interconnect.errors import InputError
from netlists.case import ColumnStimulus, Deviations
from netlists.column import ColumnDeck
from netlists.condition import Condition
from netlists.plane_select import PlaneSelect
from netlists.readout.stacked_current import stacked_current_deck
from netlists.readout.stacked_segment import StackedPlane
from tests.builders import TT

HOT = Condition("ff", 1.0, 85.0)
ROWS, COLUMNS, PLANES = 8, 11, 4


def selected(current_setup: Testbench, **select: object) -> Testbench:
    periphery = replace(current_setup.periphery, read_voltage=0.2, sense_resistance=928.0)
    if select:
        periphery = replace(periphery, plane_select=PlaneSelect(**select))  # type: ignore[arg-type]
    return replace(current_setup, rows=ROWS, columns=COLUMNS, periphery=periphery)


def case(setup: Testbench, active: int, count: int) -> ColumnStimulus:
    return setup.stimulus(stimulus_of(setup, draw_pattern(setup, "random0", active, count)))


def flat(setup: Testbench, read: ColumnStimulus, condition: Condition) -> ColumnDeck:
    """Four planes, drawn bits on those that are not read, every column of them."""
    rng = np.random.default_rng(3)
    stored = [(rng.random((ROWS, COLUMNS)) < setup.ones).astype(np.uint8) for _ in range(PLANES - 1)]
    others = [ColumnStimulus(bits=b, inputs=read.inputs, columns_total=COLUMNS) for b in stored]
    planes = [StackedPlane(setup.model, c) for c in (others[0], read, *others[1:])]
    return stacked_current_deck(setup.technology, setup.periphery, setup.timing, condition, planes, 1)


@pytest.mark.ngspice
@pytest.mark.parametrize("condition", [TT, HOT], ids=["typical", "hot"])
def test_four_planes_read_as_the_deck_of_one(current_setup: Testbench, condition: Condition) -> None:
    """All rows driven, and half of them, whose currents through floating bit lines load the shared drivers: within 0.05
    of a count, the bound of the stack of charge cells."""
    setup = selected(current_setup, planes=PLANES, segments=3)
    bench = ColumnTestbench(setup)
    cases = [case(setup, *place) for place in ((ROWS, 0), (ROWS, 4), (ROWS, ROWS), (4, 0), (4, 4))]
    one = bench.levels("one", [bench.deck(condition, c) for c in cases])
    lsb = (one[2] - one[0]) / ROWS
    assert lsb == pytest.approx(0.2 / 1e6, rel=0.05)  # I = V / R less what wires, select and sense drop
    found = bench.levels("flat", [flat(setup, c, condition) for c in cases])
    np.testing.assert_allclose(found, one, rtol=0, atol=0.05 * lsb)
    assert not np.allclose(found, one, rtol=0, atol=1e-5 * lsb)  # the decks differ


@pytest.mark.ngspice
def test_the_select_drops_what_its_resistance_does(current_setup: Testbench) -> None:
    """Currents of a column behind R_sense and behind R_sense and the switch: 1 / I grows by R_on / V per row, that is
    I0 / I1 = 1 + R_on N / R to first order in small drops; a switch of twice the width loses half."""
    lost = []
    bare = selected(current_setup)
    full = case(bare, ROWS, ROWS)
    (without,) = ColumnTestbench(bare).levels("bare", [ColumnTestbench(bare).deck(TT, full)])
    for width in (0.42e-6, 0.84e-6):
        bench = ColumnTestbench(selected(current_setup, width=width))
        (level,) = bench.levels("one", [bench.deck(TT, full)])
        lost.append(without / level - 1)
    assert lost[0] == pytest.approx(2 * lost[1], rel=0.1)
    on = lost[0] * 1e6 / ROWS
    assert 500 < on < 1200  # 337 ohm um at 1 V over the channel, from a deck of the switch alone, over 0.42 um


@pytest.mark.ngspice
def test_a_gate_at_its_source_leaks_in_the_hot_corner(current_setup: Testbench) -> None:
    """With the virtual ground at ground the off gate lies at the channel's level: three floating bit lines leak a
    noticeable part of a count; half a volt above ground nothing is left of it."""
    levels = []
    for select in ({"level": 0.0, "gate": 1.0}, {}):
        setup = selected(current_setup, planes=PLANES, **select)
        bench = ColumnTestbench(setup)
        levels.append(bench.levels("rest", [bench.deck(HOT, case(setup, ROWS, 0))])[0] / 0.2e-6)
    assert levels[0] > 0.05
    assert abs(levels[1]) < 0.002


def test_the_threshold_of_the_select_varies(current_setup: Testbench) -> None:
    setup = selected(current_setup, planes=PLANES)
    drawn = draw_deviations(setup, np.random.SeedSequence(1))
    assert [name for name, _ in drawn.readout] == ["plane_select"]
    shifted = replace(case(setup, ROWS, 4), deviations=Deviations(readout=(("plane_select", 0.02),)))
    text = ColumnTestbench(setup).deck(TT, shifted).text
    assert text.count("dvt=2.0e-02") == 1
    assert draw_deviations(selected(current_setup), np.random.SeedSequence(1)).readout == ()


def test_without_sharing_the_deck_knows_no_select(current_setup: Testbench) -> None:
    setup = selected(current_setup)
    assert "select" not in ColumnTestbench(setup).deck(TT, case(setup, ROWS, 4)).text


def test_planes_that_do_not_fit_are_refused(current_setup: Testbench) -> None:
    setup = selected(current_setup, planes=3)
    with pytest.raises(InputError, match="4 planes on a sense node of 3"):
        flat(setup, case(setup, ROWS, 4), TT)
    with pytest.raises(InputError, match="a sense node of none"):
        flat(selected(current_setup), case(setup, ROWS, 4), TT)
    with pytest.raises(InputError, match="above the virtual ground"):
        PlaneSelect(gate=0.4)
    with pytest.raises(InputError, match="nmos or transmission"):
        PlaneSelect(kind="pmos")
