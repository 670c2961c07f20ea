"""The column converter: its table, its decks, and codes that rise with the level."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from interconnect.errors import InputError
from netlists.condition import Condition
from netlists.readout.chain import ReadoutChain
from netlists.readout.column_sar import ColumnSar
from netlists.readout.conversion import Conversion, array_of, conversions_deck
from netlists.technology import Technology
from ngspice_runner import Job, run

TT = Condition("tt", 1.0, 27.0)


def test_decisions_need_no_power_of_two() -> None:
    """25 counts of 24 rows take 5 decisions, 17 take 5, 16 take 4; one more clock decides nothing."""
    converter = ColumnSar(cycle=1e-9)
    assert [converter.decisions(n) for n in (25, 17, 16, 2)] == [5, 5, 4, 1]
    assert converter.duration(25) == pytest.approx(6e-9)


def test_the_array_by_hand() -> None:
    """256 units of 0.25 fF are 64 fF; a unit scatters by 0.98 % / sqrt(0.25) = 1.96 %. The law is that of sky130's
    smallest fringe capacitor: 0.85105 sqrt(0.50527) x 1.83 % at 0.7833 fF."""
    converter = ColumnSar()
    assert converter.capacitance == pytest.approx(64e-15)
    assert converter.unit_sigma == pytest.approx(0.0196)
    kit = replace(converter, unit_capacitance=0.7833e-15).unit_sigma
    assert kit == pytest.approx(0.85105 * math.sqrt(0.50527) * 0.0183, rel=2e-3)
    assert converter.update_share == pytest.approx(3 * 64 / 10_000)


def test_a_table_holds_the_middle_the_thresholds_and_the_top() -> None:
    converter = ColumnSar()
    assert Conversion(codes=(100, 120, 140, 160)).register_table(converter) == (128, 100, 120, 140, 160, 255, 255, 255)
    with pytest.raises(InputError, match="for an array of 8 bits"):
        Conversion(codes=(100, 256)).register_table(converter)


def test_rows_stay_driven_until_the_last_decision() -> None:
    chain = ReadoutChain()
    held = chain.held(Conversion(codes=tuple(range(100, 124))).levels)
    assert held.timing.rows_return == pytest.approx(chain.timing.rows_return + 6 * array_of(chain).cycle)
    assert held.timing.decides == chain.timing.decides


def test_one_search_is_one_decision(technology: Technology) -> None:
    with pytest.raises(InputError, match="one decision"):
        conversions_deck(technology, TT, ReadoutChain(), Conversion(codes=(1, 2, 3)), [0.3], search=0.1)


@pytest.mark.ngspice
def test_codes_of_transistors_are_the_thresholds_below_the_bus(technology: Technology) -> None:
    """Levels midway between thresholds: the bus against the array's levels by charge sharing, less what the
    comparator's kick adds (15 to 35 mV at these sizes: the bus is lighter than the array)."""
    chain = ReadoutChain()
    codes, levels = (60, 84, 108, 132, 156), [0.06, 0.16, 0.24, 0.32, 0.4, 0.48]
    conversion = Conversion(codes=codes)
    deck = conversions_deck(technology, TT, chain, conversion, levels)
    result = run(Job(deck.text, deck.outputs, stop=deck.stop, options=technology.devices.job_options))
    assert result.ok, result.log
    t = np.real(result.signals["time"].values)
    before, after = np.array(deck.reads).T
    bits = [np.interp(after, t, np.real(result.signals[f"v(q_{k})"].values)) > 0.5 for k in range(3)]
    got = sum(b.astype(int) << k for k, b in enumerate(bits))
    bus = np.interp(before, t, np.real(result.signals["v(bus)"].values))
    a = array_of(chain)
    array = 0.40 + a.reference * (np.array(codes) - 128) * a.unit_capacitance / a.top_plate
    for offset in (-0.015, -0.035):
        expected = (bus[:, None] > array + offset).sum(axis=1)
        assert np.abs(got - expected).max() <= 1
    assert (np.diff(got) >= 0).all()
    assert got[0] == 0
    assert got[-1] == 5
