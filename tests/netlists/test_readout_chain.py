"""The readout chain: hand values of charge sharing and gain, off devices, complement drive as a linear network."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from interconnect.errors import InputError
from netlists.case import ColumnStimulus, Deviations
from netlists.cells.base import CellModel
from netlists.column import column_deck
from netlists.condition import Condition
from netlists.periphery import Periphery, Timing
from netlists.readout.chain import ComparatorBus, ReadoutChain, SharedLine
from netlists.readout.chain_noise import chain_noise_deck
from netlists.readout.column_pair import ColumnPair
from netlists.reference import reference_column
from netlists.technology import Technology
from ngspice_runner import Job, Result, run

pytestmark = pytest.mark.ngspice
TT = Condition("tt", 1.0, 27.0)


def simulate(text: str, outputs: tuple[str, ...], stop: float | None, technology: Technology) -> Result:
    result = run(Job(text, outputs, stop=stop, options=technology.devices.job_options))
    assert result.ok, (result.verdict, result.log)
    return result


def case(rows: int, active: int, count: int, seed: int = 1) -> ColumnStimulus:
    """The first `active` rows are driven, the first `count` of them count; neighbours are drawn."""
    bits = np.random.default_rng(seed).integers(0, 2, (rows, 3))
    bits[:, 1] = np.arange(rows) < count
    return ColumnStimulus(bits=bits, inputs=np.arange(rows) < active)


@pytest.mark.parametrize(("active", "count"), [(0, 0), (5, 0), (5, 5), (6, 3), (8, 1), (8, 7)])
def test_complement_drive_is_the_exact_linear_network(
    technology: Technology, cap_model: CellModel, active: int, count: int
) -> None:
    model, periphery = cap_model.complement_driven(), Periphery(kind="ideal", sense_capacitance=1e-16)
    c = case(8, active, count)
    deck = column_deck(technology, model, periphery, Timing(), TT, c)
    result = simulate(deck.text, deck.outputs, deck.stop, technology)
    levels = deck.levels({name: s.values for name, s in result.signals.items()})[:, -1]
    # the solver of the linear network knows nothing of ngspice: it settles charges exactly
    expected = reference_column(model, periphery, TT, c).columns
    assert levels == pytest.approx(expected, abs=1e-6)


def test_a_count_moves_twice_the_switched_charge(cap_model: CellModel) -> None:
    """2 q V / C_total: the tab swings from -V to +V instead of from 0 to V, with the same load."""
    periphery = Periphery(kind="ideal", sense_capacitance=1e-16)
    steps = []
    for model in (cap_model, cap_model.complement_driven()):
        low, high = (reference_column(model, periphery, TT, case(8, 8, n)).value for n in (3, 4))
        steps.append(high - low)
    total = 8 * cap_model.bl_total + periphery.sense_capacitance
    assert steps[1] == pytest.approx(2 * steps[0], rel=1e-3)
    assert steps[0] == pytest.approx(TT.vdd * cap_model.switched / total, rel=0.02)  # neighbours move a little too


def test_level_follows_the_difference_alone(cap_model: CellModel) -> None:
    """With equal couplings to both row lines a driven zero and a driven one cancel: level = q (2 count - active)."""
    periphery = Periphery(kind="ideal", sense_capacitance=1e-16)
    model = cap_model.complement_driven()
    level = [reference_column(model, periphery, TT, case(8, a, a // 2)).value for a in (0, 2, 4, 6, 8)]
    step = reference_column(model, periphery, TT, case(8, 8, 5)).value - level[-1]
    assert max(map(abs, level)) < 0.25 * step  # what neighbours' tabs leave


def test_off_devices_are_in_the_deck(technology: Technology, cap_model: CellModel) -> None:
    chain = ReadoutChain(line=SharedLine(segments=7, planes=3), bus=ComparatorBus(columns=5))
    assert dict(chain.off_devices()) == {"follower": 2, "segment": 6, "mux": 4}
    deck = column_deck(technology, cap_model, Periphery(kind="transistor"), Timing(), TT, case(8, 8, 4), chain=chain)
    # 6 other segments of 3 planes park 18 followers behind 6 row selects; 2 planes of this segment are parked
    assert any("M_select" in line and line.endswith("m=6") for line in deck.text.splitlines())
    assert any("M_parked" in line and line.endswith("m=18") for line in deck.text.splitlines())
    assert any("M_parked" in line and line.endswith("m=2") for line in deck.text.splitlines())
    assert any("M_off" in line and line.endswith("m=4") for line in deck.text.splitlines())


def test_columns_that_share_a_line_are_parked(technology: Technology, cap_model: CellModel) -> None:
    """Two columns of three planes: six bit lines a segment. Both neighbours of a column that is read are the other ones
    of their lines: their resets stay on and hold the parking level; their followers load them alone."""
    chain = ReadoutChain(line=SharedLine(segments=7, planes=3, columns=2), bus=ComparatorBus(columns=5))
    assert dict(chain.off_devices()) == {"follower": 5, "segment": 6, "mux": 4}
    assert [chain.parks(c) for c in (-2, -1, 0, 1, 2)] == [False, True, False, True, False]
    pair = ReadoutChain(line=SharedLine(columns=2), converter=ColumnPair())
    assert [pair.parks(c) for c in (-2, -1, 0, 1, 2, 3, 4)] == [True, True, False, False, True, True, False]
    assert (chain.bus_columns, pair.bus_columns) == (10, 64)
    deck = column_deck(technology, cap_model, Periphery(kind="transistor"), Timing(), TT, case(8, 8, 4), chain=chain)
    lines = deck.text.splitlines()
    assert any("M_parked" in line and line.endswith("m=36") for line in lines)
    assert any("M_parked" in line and line.endswith("m=5") for line in lines)
    assert [line for line in lines if line.startswith("X_reset_") and "driver" not in line] == [
        "X_reset_0 bl_0 vdd_reset parked reset_switch",
        "X_reset_1 bl_1 reset reset_level reset_switch",
        "X_reset_2 bl_2 vdd_reset parked reset_switch",
    ]
    assert not any(line.startswith("I_follower") for line in lines)


def test_a_line_midway_waits_for_half_of_the_others() -> None:
    """Eight lines of 0.5 + 2 + 7 ns (25 levels: five decisions and a first clock of 1.4 ns): 3.5 turns."""
    chain = ReadoutChain(schedule="held", bus=ComparatorBus(columns=8))
    turn = 0.5e-9 + 2e-9 + chain.converter.duration(25)
    assert chain.slot(25) == pytest.approx(turn)
    waiting = chain.midway(25)
    assert waiting.timing.queue == pytest.approx(3.5 * turn)
    assert waiting.timing.decides - chain.timing.decides == pytest.approx(3.5 * turn)
    assert ReadoutChain().midway(25) == ReadoutChain()
    assert (chain.conversions_per_read, ReadoutChain().conversions_per_read) == (8, 1)


def read(technology: Technology, model: CellModel, chain: ReadoutChain, c: ColumnStimulus) -> float:
    periphery = Periphery(kind="transistor", sense_capacitance=0.0)
    deck = column_deck(technology, model, periphery, Timing(), TT, c, chain=chain)
    result = simulate(deck.text, deck.outputs, deck.stop, technology)
    time, bus = (np.real(result.signals[n].values) for n in ("time", "v(bus)"))
    assert deck.read_at is not None
    assert deck.input_at is not None
    return float(np.interp(deck.read_at, time, bus) - np.interp(deck.input_at, time, bus))


def test_gain_of_the_chain_meets_its_small_signal(technology: Technology, cap_model: CellModel) -> None:
    """A count's step at the comparator over its step 2 q V / C of the metal, against the gain of the noise deck."""
    chain, rows = ReadoutChain(), 16
    low, high = (read(technology, cap_model, chain, case(rows, 16, n)) for n in (7, 9))
    step = (high - low) / 2
    metal = 2 * TT.vdd * cap_model.switched / cap_model.bl_total / rows
    deck = chain_noise_deck(
        technology, chain, TT, sample="second", capacitance=rows * cap_model.bl_total, bit_line=0.28, bus_level=0.4
    )
    result = simulate(deck.text, deck.outputs, None, technology)
    f, out, back = (np.real(result.signals[n].values) for n in ("frequency", "onoise_spectrum", "inoise_spectrum"))
    gain = float(np.interp(1e7, f, out / back))
    assert step / metal == pytest.approx(gain, rel=0.03)  # 2 ns after joining 1.5 % of the step are missing


def test_a_threshold_shift_of_the_follower_cancels_and_its_gain_does_not(
    technology: Technology, cap_model: CellModel
) -> None:
    """Double sampling: 10 mV on the follower moves the level by far less than 10 mV."""
    chain, c = ReadoutChain(), case(8, 8, 4)
    shifted = replace(c, deviations=Deviations(readout=(("follower", 0.01),)))
    moved = read(technology, cap_model, chain, shifted) - read(technology, cap_model, chain, c)
    assert 0 < abs(moved) < 0.5e-3


def test_dummy_row_completes_an_odd_number() -> None:
    odd, even = case(8, 5, 2).with_dummy_row(), case(8, 4, 2).with_dummy_row()
    assert (odd.rows, odd.active, odd.count) == (9, 6, 3)
    assert (even.rows, even.active, even.count) == (9, 4, 2)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"drive": "both"}, "readout.drive"),
        ({"line": SharedLine(segments=0)}, "segments"),
        ({"schedule": "twice"}, "readout.schedule"),
        ({"schedule": "held", "bus": ComparatorBus(columns=1)}, "readout.schedule: is held"),
        ({"schedule": "held", "line": SharedLine(bias_switch_width=0.12e-6)}, "readout.schedule: is held"),
    ],
)
def test_impossible_chains_are_refused(change: dict[str, object], word: str) -> None:
    with pytest.raises(InputError, match=word):
        ReadoutChain(**change)  # type: ignore[arg-type]
