"""Closed form plus what the real reset switch does on lumped capacitors gives the column's step, for charge cells."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from interconnect.errors import InputError
from interconnect.extraction import extract
from netlists.case import ColumnStimulus
from netlists.cells import CELLS, make_cell
from netlists.cells.base import CellModel, Plane
from netlists.column import ColumnDeck, Timing, column_deck
from netlists.condition import Condition
from netlists.periphery import Periphery
from netlists.reference import reference_column
from netlists.reset_effect import reset_effect_deck
from netlists.technology import load_technology
from ngspice_runner import Job, run

TECHNOLOGY = load_technology("generic28", "open45")
CONDITION = Condition("tt", 1.0, 27.0)
PERIPHERY = Periphery(sense_capacitance=1e-16)


def model_of(kind: str) -> CellModel:
    return make_cell(kind).model(TECHNOLOGY.stack, Plane("M2", "M3"), partial(extract, method="formula"))


def step(deck: ColumnDeck) -> float:
    result = run(Job(deck.text, deck.outputs, stop=deck.stop))
    assert result.ok, result.log
    signals = {name: np.asarray(result.signals[name.lower()].values) for name in (*deck.columns, *deck.columns_minus)}
    line = deck.levels(signals)[deck.columns.index(deck.target)]
    time = np.asarray(result.signals["time"].values)
    assert deck.input_at is not None
    assert deck.read_at is not None
    before, level = (float(np.interp(at, time, line)) for at in (deck.input_at, deck.read_at))
    return level - before


@pytest.mark.parametrize("kind", [k for k in CELLS if k.startswith("cap_")])
def test_column_is_metal_plus_switch(kind: str) -> None:
    model = model_of(kind)
    rng = np.random.default_rng(3)
    bits = rng.integers(0, model.symbols, (16, 1))
    if min(model.symbol_values) < 0:
        bits[:10] = 1  # a difference that does not vanish
    case = ColumnStimulus(
        bits=bits, inputs=rng.integers(0, 2, 16) | (np.arange(16) < 4), symbol_values=model.symbol_values
    )
    lumped = step(reset_effect_deck(TECHNOLOGY, model, PERIPHERY, Timing(), CONDITION, case))
    real = step(column_deck(TECHNOLOGY, model, PERIPHERY, Timing(), CONDITION, case))
    exact = reference_column(model, replace(PERIPHERY, kind="ideal"), CONDITION, case).closed_form
    assert real == pytest.approx(lumped, rel=2e-3)
    if len(model.bit_lines) == 1:  # on a difference load and injection may cancel
        assert abs(real - exact) > 0.03 * abs(exact)  # the metal's closed form alone is off: there is an effect to see


def test_a_current_cell_has_no_reset_switch() -> None:
    case = ColumnStimulus(bits=np.ones((4, 1)), inputs=np.ones(4))
    with pytest.raises(InputError, match="charge cells with transistor periphery only"):
        reset_effect_deck(TECHNOLOGY, model_of("res_via"), PERIPHERY, Timing(), CONDITION, case)
