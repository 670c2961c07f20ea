"""Alike rows in parallel: the same column by the exact network, and decks that ngspice reads as that network does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from interconnect.errors import InputError
from netlists.case import ColumnStimulus, Deviations
from netlists.column import column_deck
from netlists.reference import reference_column
from ngspice_runner import Job, run
from tests.builders import TT, make_testbench

RNG = np.random.default_rng(3)
BITS, INPUTS = RNG.integers(0, 2, (24, 3)), RNG.integers(0, 2, 24)
CASE = ColumnStimulus(bits=BITS, inputs=INPUTS, position=5, columns_total=16)


def test_one_row_stands_for_all_alike() -> None:
    short = CASE.with_parallel_rows()
    assert short.rows == len({(*b, i) for b, i in zip(BITS.tolist(), INPUTS.tolist(), strict=True)})
    assert short.rows < 24
    assert (short.all_rows, short.active, short.count) == (24, INPUTS.sum(), (BITS[:, 1] * INPUTS).sum())
    assert short.weights.tolist() == [
        sum((BITS[r] == b).all() and INPUTS[r] == i for r in range(24))
        for b, i in zip(short.bits, short.inputs, strict=True)
    ]
    assert short.with_parallel_rows() is short


def test_rows_above_that_differ_stay_apart() -> None:
    ones = ColumnStimulus(bits=np.ones((4, 3)), inputs=np.ones(4), next_plane=np.array([1, 0, 0, 1]))
    short = ones.with_parallel_rows()
    assert short.weights.tolist() == [2, 2]
    assert short.next_plane is not None
    assert short.next_plane.tolist() == [1, 0]


@pytest.mark.parametrize("name", ["cell", "driver_nmos", "driver_pmos"])
def test_deviating_rows_are_not_alike(name: str) -> None:
    values = np.ones((24, 3)) if name == "cell" else np.zeros(24)
    case = replace(CASE, deviations=Deviations(**{name: values}))
    assert case.with_parallel_rows() is case


def test_copies_are_counted_from_one() -> None:
    with pytest.raises(InputError, match="copies must be whole numbers from 1 on"):
        replace(CASE, copies=np.zeros(24, dtype=np.int64))


@pytest.mark.parametrize("kind", ["cap_balanced", "cap_ternary", "cap_tie", "cap_present", "cap_select"])
def test_the_exact_level_is_that_of_every_row(kind: str) -> None:
    setup = make_testbench(kind)
    symbols = RNG.integers(0, setup.model.symbols, (24, 3))
    case = replace(CASE, bits=symbols, symbol_values=setup.model.symbol_values)
    whole, short = (
        reference_column(setup.model, setup.periphery, TT, c).value for c in (case, case.with_parallel_rows())
    )
    # charges settle: without a current in them the bit line's wires, all that the rows' order touches, drop nothing
    assert short == pytest.approx(whole, rel=1e-9)


@pytest.mark.ngspice
def test_ngspice_reads_parallel_rows_as_the_exact_network() -> None:
    setup = make_testbench()
    short, ideal = CASE.with_parallel_rows(), replace(setup.periphery, kind="ideal")
    deck = column_deck(setup.technology, setup.model, ideal, setup.timing, TT, short)
    assert "24 rows" in deck.title
    result = run(Job(deck.text, deck.outputs, stop=deck.stop))
    level = result.signals[deck.target].values[-1]
    assert level == pytest.approx(reference_column(setup.model, ideal, TT, CASE).value, rel=1e-6)
