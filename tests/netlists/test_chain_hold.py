"""Rows of a level deck through the chain stay driven as long as its timing says."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from netlists.case import ColumnStimulus
from netlists.column import ColumnDeck, column_deck
from netlists.periphery import Periphery
from netlists.readout.chain import EDGE, ReadoutChain
from netlists.technology import Technology
from tests.builders import TT, make_model

CASE = ColumnStimulus(bits=np.ones((2, 3), np.uint8), inputs=np.ones(2, np.uint8))


def deck(technology: Technology, hold: float, *, periodic: bool = False) -> tuple[ReadoutChain, ColumnDeck]:
    chain = ReadoutChain()
    chain = replace(chain, timing=replace(chain.timing, hold=hold))
    model = make_model().complement_driven()
    made = column_deck(technology, model, Periphery(), chain.timing.timing, TT, CASE, chain=chain, periodic=periodic)
    return chain, made


def source(text: str, name: str) -> list[float]:
    line = next(x for x in text.splitlines() if x.startswith(f"V_{name} "))
    return [float(v) for v in re.search(r"\((.*)\)", line)[1].split()]  # type: ignore[index]


@pytest.mark.parametrize("name", ["active", "falling"])
@pytest.mark.parametrize("hold", [0.0, 7e-9])
def test_rows_return_after_the_hold(technology: Technology, name: str, hold: float) -> None:
    chain, made = deck(technology, hold)
    times, levels = source(made.text, name)[::2], source(made.text, name)[1::2]
    # The read is taken at the first decision; the rows return two edges and the hold later, the deck ends after that.
    assert times[3:] == pytest.approx([chain.timing.decides + hold + 2 * EDGE, chain.timing.decides + hold + 3 * EDGE])
    assert levels[2] == levels[3] != levels[4] == levels[0]
    assert made.read_at == pytest.approx(chain.timing.decides)
    assert made.stop == made.cycle_end == pytest.approx(chain.timing.decides + hold + chain.timing.recover)


def test_a_cycle_of_the_energy_deck_holds_the_rows_too(technology: Technology) -> None:
    found = {hold: source(deck(technology, hold, periodic=True)[1].text, "active") for hold in (0.0, 7e-9)}
    width, period = (found[7e-9][i] - found[0.0][i] for i in (5, 6))
    assert (width, period) == (pytest.approx(7e-9), pytest.approx(7e-9))
