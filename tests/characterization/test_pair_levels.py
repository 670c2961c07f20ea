"""A pair of columns as one testbench: what its decks hold, its levels by transistors, its spread and its thresholds."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Literal

import numpy as np
import pytest

from characterization.campaign import run_decks
from characterization.column_testbench import draw_pattern, stimulus_of
from characterization.plane_levels import plane_steps
from characterization.procedures.chain_margin import chain_thresholds, check_reach
from characterization.procedures.mismatch import draw_deviations, spread_arguments
from characterization.testbench import StackedPlane, Testbench
from interconnect.arrays import FloatArray
from interconnect.errors import InputError
from netlists.case import ColumnStimulus, Deviations
from netlists.column import ColumnDeck, column_deck
from netlists.readout.chain import ReadoutChain, SharedLine
from netlists.readout.column_pair import ColumnPair
from netlists.readout.column_sar import ColumnSar
from netlists.reference import reference_column
from ngspice_runner import Job
from ngspice_runner.executor import run_many
from tests.builders import TT, make_testbench
from tests.characterization.test_signed_levels import _levels

SHARES = (0.25, 0.5, 0.25)


@cache
def pair_setup(drive: Literal["complement", "single"] = "complement") -> Testbench:
    chain = ReadoutChain(drive=drive, converter=ColumnPair(), line=SharedLine(segments=4, planes=1))
    setup = make_testbench(chain=chain, shares=SHARES)
    return replace(setup, model=setup.model.complement_driven()) if drive == "complement" else setup


def deck_of(setup: Testbench, case: ColumnStimulus, chain: ReadoutChain) -> ColumnDeck:
    return column_deck(setup.technology, setup.model, setup.periphery, setup.timing, TT, case, chain=chain, reltol=1e-5)


def levels_of(setup: Testbench, decks: list[ColumnDeck]) -> FloatArray:
    options = setup.technology.devices.job_options
    results = run_many([Job(d.text, d.outputs, stop=d.stop, options=options) for d in decks], workers=1)
    return np.array([run_decks(d, r, double_sampling=True)[0] for d, r in zip(decks, results, strict=True)])


def test_a_symbol_is_a_plus_cell_less_a_minus_cell() -> None:
    setup = pair_setup()
    assert (setup.levels, setup.max_count, setup.has_signed_levels) == (3, 8, True)
    pattern = draw_pattern(setup, "random0", 4, 6)  # counts begin at -4: a difference of 2
    case = stimulus_of(setup, pattern)
    assert case.bits.shape == (4, 4)
    assert case.count == 2
    assert setup.stimulus(case).rows == 4  # no dummy row: what rows add to both columns cancels
    assert (case.bits[:, 1].astype(int) - case.bits[:, 2] == pattern.bits[:, 1].astype(int) - 1).all()
    drawn = draw_deviations(setup, np.random.SeedSequence(1))
    assert drawn.cell is not None
    assert drawn.cell.shape == (4, 4)
    one = ["follower", "select", "bias", "clamp", "mux"]
    assert [name for name, _ in drawn.readout] == [*one, *(f"{name}_minus" for name in one)]


def test_a_pair_and_its_converter_belong_together() -> None:
    setup = pair_setup()
    single = ColumnStimulus(bits=np.ones((4, 3)), inputs=np.ones(4))
    pair = ColumnStimulus(bits=np.ones((4, 4)), inputs=np.ones(4), pair=True)
    for case, chain in ((single, setup.chain), (pair, ReadoutChain())):
        with pytest.raises(InputError, match="a pair of columns is read by a chain"):
            deck_of(setup, case, chain or ReadoutChain())
    with pytest.raises(InputError, match="even number of columns"):
        replace(pair, bits=np.ones((4, 3)))


def test_what_moves_follows_from_the_drive() -> None:
    """Complement: both cells of every driven row move. Single: those that store a one, here of two rows with sum 0:
    none, or one of each sign in either order."""
    active, count = np.array([2.0]), np.array([2.0])
    assert spread_arguments(pair_setup(), active, count)[0] == pytest.approx(2.0)
    tied = 2 * 2 * 0.25 * 0.25 / (0.5**2 + 2 * 0.25 * 0.25)
    assert spread_arguments(pair_setup("single"), active, count)[0] == pytest.approx(tied)


@pytest.mark.parametrize("drive", ["complement", "single"])
def test_fixed_thresholds_serve_every_number_of_active_rows(drive: Literal["complement", "single"]) -> None:
    setup = pair_setup(drive)
    model = _levels(setup.rows, 0.05, -0.002)
    (thresholds,) = chain_thresholds(setup, (model,))
    a, c = 3, 2
    low, high = model(np.array([a, a], dtype=float), np.array([c, c + 1], dtype=float))
    assert thresholds[a, c] == pytest.approx((low + high) / 2, abs=1e-12)
    assert thresholds[a, c] == pytest.approx(thresholds[a + 1, c + 1], abs=1e-12)  # the same difference


def test_reach_is_that_of_two_arrays() -> None:
    """128 steps of 0.32 V x 0.125 fF / (32 fF + 1 fF + 30 fF) either way, twice for the two arrays."""
    setup = pair_setup()
    assert setup.chain is not None
    reach = 2 * 128 * 0.32 * 0.125 / 63
    check_reach(setup.chain, np.array([-0.99 * reach, 0.99 * reach - 0.32 * 0.25 / 63]))
    with pytest.raises(InputError, match="fewer rows per conversion"):
        check_reach(setup.chain, np.array([-1.01 * reach, 0.0]))


def test_rows_of_the_next_plane_cancel() -> None:
    setup = pair_setup()
    (steps,) = plane_steps(replace(setup, stacked=(StackedPlane("M2-M3", "M4-M5", setup.model),)))
    assert (steps.count, steps.active, steps.next_plane) == (0.0, 0.0, 0.0)


def test_the_linear_network_reads_the_difference_too() -> None:
    """The charge balance: a count moves the switched capacitance over the line's load, whatever else is driven."""
    setup = pair_setup()
    case = stimulus_of(setup, draw_pattern(setup, "random0", 4, 6))
    found = reference_column(setup.model, replace(setup.periphery, kind="ideal"), TT, case)
    load = 4 * setup.model.bl_total + setup.periphery.sense_capacitance
    assert found.closed_form == pytest.approx(2 * setup.model.switched / load, rel=1e-9)
    assert found.value == pytest.approx(found.closed_form, rel=1e-2)


@pytest.mark.ngspice
@pytest.mark.parametrize("drive", ["complement", "single"])
def test_a_pair_reads_the_difference_of_two_single_chains(drive: Literal["complement", "single"]) -> None:
    """The same six columns of cells, read as a pair and as two columns by chains of their own whose bus carries as much
    as an array; cells, drivers and resets deviate. A pair's level is theirs to a thousandth of a count, which the
    columns at the edge, that float in one deck and are no cells in the other, leave."""
    setup = pair_setup(drive)
    assert setup.chain is not None
    rng = np.random.default_rng(3)
    six = rng.integers(0, 2, (4, 6)).astype(np.uint8)
    six[:, 2:4] = [[1, 0], [1, 0], [0, 1], [1, 1]]
    cell, reset = 1 + 0.03 * rng.standard_normal((4, 6)), 0.02 * rng.standard_normal(6)
    inputs = np.array([1, 1, 0, 1])

    def case(columns: slice, *, pair: bool) -> ColumnStimulus:
        drawn = Deviations(cell=cell[:, columns], reset=reset[columns])
        bits = six[:, columns]
        return ColumnStimulus(
            bits=bits, inputs=inputs, position=4 + columns.start, columns_total=16, deviations=drawn, pair=pair
        )

    one = replace(setup.chain.one_column, converter=ColumnSar())
    decks = [
        deck_of(setup, case(slice(0, 6), pair=True), setup.chain),
        deck_of(setup, case(slice(0, 5), pair=False), one),
        deck_of(setup, case(slice(1, 6), pair=False), one),
    ]
    pair, plus, minus = levels_of(setup, decks)
    print(pair, plus, minus, pair - (plus - minus))
    count = pair / 2  # two driven rows of +1, one of 0
    assert count > 5e-3
    assert abs(pair - (plus - minus)) < 1e-3 * count
